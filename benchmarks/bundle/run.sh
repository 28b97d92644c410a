#!/usr/bin/env bash
# bash run.sh BUDGET_SECONDS OUT [--device cpu|cuda] [--scratch FOLDER]
#     [--parts tests timings campaign] [--per-gpu N|auto] [--campaign 'OPTIONS']
# Tests, timings and trainings from this folder, without network; what they give is in OUT, as few
# archives of bounded size, also when this is killed. PYTHON names the interpreter (python3).
set -eu
exec "${PYTHON:-python3}" -u "$(cd "$(dirname "$0")" && pwd)/start.py" "$@"
