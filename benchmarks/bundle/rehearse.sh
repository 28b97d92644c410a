#!/usr/bin/env bash
# bash benchmarks/bundle/rehearse.sh FOLDER NODE_PYTHON [PYTHON_VERSION]
# The whole way of a bundle on one machine, on the CPU: made here, carried to an empty folder, run
# there by NODE_PYTHON (torch, numpy, scipy, pillow, scikit-learn, pytest and hypothesis alone)
# without git, killed in the middle and run again, taken back and checked. FOLDER must not exist;
# PYTHON (python) makes the bundle. Ends with 0 only if everything was as it must be.
set -euo pipefail
work=$1 node=$2 version=${3:-3.12} budget=${BUDGET:-120}
python=${PYTHON:-python}
mkdir -p "$work"
work=$(cd "$work" && pwd)
fail() { echo "rehearsal failed: $*" >&2; exit 1; }

echo "== make"
$python -m benchmarks bundle "$work/made" --python "$version" --data digits --protocol smoke \
    --evidence "$work/none"
mkdir "$work/carried" "$work/bin" "$work/tmp"
mv "$work/made" "$work/carried/bundle"

echo "== run without git, to be killed"
for tool in bash dirname env; do ln -s "$(command -v $tool)" "$work/bin/$tool"; done
PATH="$work/bin" bash -c 'command -v git' && fail "git is still on the PATH"
run() {
    cd "$work/carried"
    exec env -i PATH="$work/bin" PYTHON="$node" TMPDIR="$work/tmp" \
        OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" \
        bash bundle/run.sh "$budget" "$work/out" --device cpu
}
(run) > "$work/first.log" 2>&1 &
process=$!
for _ in $(seq "$budget"); do
    sleep 1
    [ -e "$(find "$work/tmp" -path '*/runs/*.pt' | head -n 1)" ] && break
done
sleep "${KILL_AFTER:-5}"
kill -9 "$process" || fail "it had ended before it was killed: $(cat "$work/first.log")"
wait "$process" || true
cat "$work/first.log"
ls -l "$work/out" || true

echo "== run again"
(run) 2>&1 | tee "$work/second.log"
ls -l "$work/out"
[ "$(find "$work/out" -type f | wc -l)" -le 8 ] || fail "more than 8 files"
[ -z "$(find "$work/out" -type f -size +16384k)" ] || fail "a file of more than 16 MiB"

echo "== collect tests there: those for CUDA, and no error where something is not installed"
(cd "$work"/tmp/sesn-*/source &&
    env -i PATH="$work/bin" PYTHONPATH="$PWD:$PWD/../wheels" PYTHONDONTWRITEBYTECODE=1 \
        "$node" -m pytest -m cuda --collect-only -q) > "$work/collected.log" 2>&1 ||
    fail "tests cannot be collected: $(cat "$work/collected.log")"
grep -q "test_cuda.py::" "$work/collected.log" || fail "no test for CUDA was collected"
grep -q "needs kornia, not installed here" "$work/collected.log" || fail "is kornia installed?"
tail -n 1 "$work/collected.log"

echo "== take back"
$python -m benchmarks unbundle "$work/out" --evidence "$work/evidence" --checkpoints "$work/runs"
[ -n "$(ls "$work/evidence")" ] || fail "no record came back"
$python -m benchmarks campaign check --data digits --protocol smoke --evidence "$work/evidence"
grep -q '"dirty": false' "$work"/evidence/training-*.json || fail "no record of clean sources"
echo "== rehearsal passed"
