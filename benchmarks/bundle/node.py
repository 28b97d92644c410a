"""What a bundle does where it was carried: tests, timings and the campaign, within its budget."""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

import torch

from benchmarks.bundle.archives import ArchiveError, archives, contents, leave
from benchmarks.campaign import command as campaign
from benchmarks.campaign.pool import cores
from benchmarks.training.checkpoint import CheckpointError, load_checkpoint, steps_of
from verification.claims.provenance import current_provenance

EVERY = 15.0  # seconds between two times that what there is goes to OUT
RESERVE = 15.0  # seconds for runs to leave their checkpoints and for the last archives
TESTS, TIMINGS = 0.2, 0.25  # at the most, of the budget
_TESTS_SECONDS, _TIMINGS_SECONDS = 120.0, 150.0  # at the most
_SOON = 8.0  # seconds that a process has to end after it was told to
_LAST = 4.0  # seconds for the last archives alone
_MARK = b"mark.cuda"
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux
_prctl = getattr(ctypes.CDLL(None), "prctl", None)  # of Linux alone


class Node:
    """A budget, and the folders that everything goes to."""

    def __init__(self, scratch: Path, out: Path, end: float, device: str) -> None:
        self.scratch, self.out, self.end, self.device = scratch, out, end, device
        self.evidence, self.checkpoints = scratch / "evidence", scratch / "runs"
        self.logs = scratch / "logs"
        for folder in (self.evidence, self.checkpoints, self.logs):
            folder.mkdir(parents=True, exist_ok=True)
        self._leaving = threading.Lock()
        self.left_all = True  # whether OUT could be written the last time
        self._known = {path.name for path in (scratch / "state").glob("records/*")}

    @property
    def left(self) -> float:
        """Seconds of the budget that may still be used."""
        return self.end - RESERVE - time.time()

    def restore(self) -> None:
        """Take records and checkpoints from the bundle, and from an earlier call's archives.

        What is in the scratch folder already stays, but for a checkpoint that is not as far.
        """
        for path in sorted((self.scratch / "state").glob("*/*")):
            self._put(f"{path.parent.name}/{path.name}", path.read_bytes())
        for archive in archives(self.out):
            try:
                for name, content in contents(archive):
                    self._put(name, content)
            except ArchiveError as error:
                print(f"note: {error}", flush=True)

    def leave(self) -> None:
        """Put what there is into OUT; what goes wrong is said and nothing else."""
        with self._leaving:
            records = [p for p in self.evidence.glob("*.json") if p.name not in self._known]
            try:
                missing = leave(
                    self.out, sorted(records), sorted(self.logs.glob("*.log")),
                    self.checkpoints.glob("*.pt"),
                )  # fmt: skip
            except OSError as error:
                print(f"note: {self.out} cannot be written: {error}", flush=True)
                self.left_all = False
                return
            self.left_all = True
            for line in missing:
                print(f"note: {line}", flush=True)

    @contextmanager
    def leaving(self) -> Iterator[None]:
        """Leave everything now and then, and at the end."""
        over = threading.Event()

        def repeat() -> None:
            while not over.wait(EVERY):
                self.leave()

        thread = threading.Thread(target=repeat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            self.leave()

    def do(self, what: str, arguments: Sequence[str], seconds: float) -> int | None:
        """Run a Python command for so long at the most; None where it took longer."""
        seconds = min(seconds, self.end - _LAST - time.time())
        if seconds <= 0:
            print(f"{what}: no time is left", flush=True)
            return None
        begin = time.monotonic()
        with (self.logs / f"{what}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-u", *arguments], stdout=log, stderr=subprocess.STDOUT,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 (one call of the C library)
            )  # fmt: skip
            try:
                code: int | None = process.wait(seconds)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                _end(process)
        took = time.monotonic() - begin
        ended = "stopped" if code is None else f"ended with {code}"
        print(f"{what}: {ended} after {took:.0f} s", flush=True)
        return code

    def _put(self, name: str, content: bytes) -> None:
        folders = {"records": self.evidence, "checkpoints": self.checkpoints, "logs": self.logs}
        kind, _, file = name.partition("/")
        if kind not in folders:
            return
        part, target = self.scratch / "part", folders[kind] / file
        part.write_bytes(content)
        if not target.exists() or (kind == "checkpoints" and _steps(part) > _steps(target)):
            part.replace(target)
        part.unlink(missing_ok=True)


def main() -> int:
    """Do everything, by the options that `start` was given; say of each part how it ended."""
    options = argparse.Namespace(**json.loads(sys.argv[1]))
    scratch = Path(options.scratch)
    manifest = json.loads((scratch / "unpacked").read_text())
    own = current_provenance()
    if (own.commit, own.dirty) != (manifest["commit"], False):
        print(f"error: the unpacked sources are not those of commit {manifest['commit']}")
        return 2
    try:
        check_what_to_train(options.campaign, manifest)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    gpus = torch.cuda.device_count()
    device = options.device or ("cuda" if gpus else "cpu")
    if device == "cuda" and not gpus:
        print("error: device='cuda': torch finds no CUDA device here", file=sys.stderr)
        return 2
    print(f"commit {own.commit}, torch {torch.__version__}, {_name(device)}, {cores()} cores")
    signal.signal(signal.SIGTERM, _terminate)
    node = Node(scratch, Path(options.out), options.end, device)
    node.restore()
    try:
        with node.leaving(), _sharing(node):
            _parts(node, options, manifest, gpus)
    except KeyboardInterrupt:
        print("ended from outside; what there is has been left", flush=True)
        return 143
    return 0 if node.left_all else 1


def _parts(node: Node, options: argparse.Namespace, manifest: dict[str, str], gpus: int) -> None:
    if node.device == "cuda":
        if "tests" in options.parts:
            _test(node, min(_TESTS_SECONDS, TESTS * options.budget))
        if "timings" in options.parts:
            _time(node, min(_TIMINGS_SECONDS, TIMINGS * options.budget))
    else:
        print("no CUDA device is used: its tests and timings are left out", flush=True)
    node.leave()
    left = int(node.left)
    if left > 0 and "campaign" in options.parts:
        places = (
            ["--gpus", str(gpus), "--per-gpu", options.per_gpu] if node.device == "cuda" else []
        )
        # `campaign` begins with CNN and SESN, column by column: 28, 28+, 56, 56+.
        arguments = ["-m", "benchmarks", "campaign", "run", "--budget", f"{left}s", *places]
        arguments += ["--evidence", str(node.evidence), "--checkpoints", str(node.checkpoints)]
        arguments += what_to_train(options.campaign, manifest)
        node.do("campaign", arguments, node.left + RESERVE / 2)
        print((node.logs / "campaign.log").read_text(errors="replace")[-3000:], flush=True)


def what_to_train(given: str, manifest: dict[str, str]) -> list[str]:
    """Options of `campaign run`: the bundle's, or those given behind its data and protocol.

    Raises ValueError for quotes that do not close.
    """
    # Of an option given twice the last one counts; that there is no study cannot be said.
    study = ["--study", manifest["study"]] if manifest.get("study") and not given else []
    chosen = ["--protocol", manifest["protocol"], "--data", manifest["data"], *study]
    try:
        return [*chosen, *shlex.split(given)]
    except ValueError as error:
        raise ValueError(f"campaign={given!r}: {error}") from error


def check_what_to_train(given: str, manifest: dict[str, str]) -> None:
    """Mistakes are told at once, not behind tests and timings.

    Raises ValueError, and SystemExit(2) after a sentence for what is no option of a campaign.
    """
    parser = argparse.ArgumentParser(prog="run.sh BUDGET_SECONDS OUT --campaign")
    campaign.add_options(parser)
    ours = {"--evidence": "evidence of run.sh", "--checkpoints": "its runs", "--budget": "1s"}
    fixed = [part for option in ours.items() for part in option]
    options = parser.parse_args(["run", *fixed, *what_to_train(given, manifest)])
    for option, value in parser.parse_args(["run", *fixed]).__dict__.items():
        if f"--{option}" in ours and getattr(options, option) != value:
            raise ValueError(f"campaign={given!r}: --{option} is run.sh's own")
    campaign.planned(options)


def _test(node: Node, seconds: float) -> None:
    # Not those of other packages, in a hidden folder such as .tox.
    files = Path().glob("[!.]*/**/test_*.py")
    tests = [path for path in files if _MARK in path.read_bytes()]
    if not tests:
        print("tests: there are none for CUDA", flush=True)
        return
    log = node.logs / "tests.log"
    begin = log.stat().st_size if log.exists() else 0  # an earlier call's
    node.do("tests", ["-m", "pytest", "-m", "cuda", "-v", "-rA", *map(str, tests)], seconds)
    if log.exists():
        line = how_many(log.read_bytes()[begin:].decode(errors="replace"))
        print(line, flush=True)
        with log.open("a") as file:
            file.write(f"\n{line}\n")


def how_many(log: str) -> str:
    """How many of how many tests passed, by what `pytest -v` printed until its end or stop."""
    collected = re.search(r"collected (\d+) items?(?:.* (\d+) selected)?", log)
    if collected is None:
        return "tests: none was collected"
    total = int(collected[2] or collected[1])
    found = Counter(re.findall(r"\b(PASSED|FAILED|ERROR|SKIPPED)\b.* \[ *\d+%\]", log))
    told = [f"{found['PASSED']} of {total} passed"]
    told += [f"{n} {kind.lower()}" for kind, n in sorted(found.items()) if kind != "PASSED"]
    rest = total - found.total()
    told += [f"{rest} not reached"] if rest > 0 else []
    return f"tests: {', '.join(told)}"


def _time(node: Node, seconds: float) -> None:
    arguments = ["-m", "benchmarks", "time", "--device", node.device]
    node.do("timings", [*arguments, "--evidence", str(node.evidence)], seconds)


@contextmanager
def _sharing(node: Node) -> Iterator[None]:
    """Have processes share a GPU, by NVIDIA's service, where it can be started and works."""
    program = shutil.which("nvidia-cuda-mps-control")
    if node.device != "cuda" or program is None:
        yield
        return
    folder = node.scratch / "mps"
    folder.mkdir(exist_ok=True)
    variables = {"CUDA_MPS_PIPE_DIRECTORY": str(folder), "CUDA_MPS_LOG_DIRECTORY": str(folder)}
    os.environ.update(variables)
    works = False
    try:
        subprocess.run([program, "-d"], check=True, timeout=20, capture_output=True)
        probe = "import torch; torch.ones(9, device='cuda').sum().item()"
        command = [sys.executable, "-c", probe]
        works = subprocess.run(command, timeout=60, check=False).returncode == 0
    except (OSError, subprocess.SubprocessError) as error:
        print(f"note: MPS cannot be started: {error}", flush=True)
    try:
        print(f"MPS: {'in use' if works else 'not in use'}", flush=True)
        if not works:
            _stop_sharing(program, variables)
        yield
    finally:
        if works:
            _stop_sharing(program, variables)


def _stop_sharing(program: str, variables: dict[str, str]) -> None:
    try:
        subprocess.run([program], input=b"quit\n", timeout=20, check=False, capture_output=True)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"note: MPS cannot be stopped: {error}", flush=True)
    for name in variables:
        os.environ.pop(name, None)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_SOON)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _end_with_parent() -> None:
    """In a new process: end, in its own way, when this one is gone."""
    if _prctl:
        _prctl(_DIE_WITH_PARENT, signal.SIGTERM)


def _steps(checkpoint: Path) -> int:
    """How far a run is; 0 for a file that is no checkpoint."""
    try:
        return steps_of(load_checkpoint(checkpoint) or {})
    except CheckpointError:
        return 0


def _name(device: str) -> str:
    return torch.cuda.get_device_name() if device == "cuda" else device


def _terminate(_: int, __: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
