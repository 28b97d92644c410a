"""One training run from its description to its record."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from benchmarks.data import DataSet
from benchmarks.studies.bases import studied_models, trainable
from benchmarks.training.checkpoint import (
    CheckpointError,
    is_uncommitted,
    load_checkpoint,
    remove_checkpoint,
    save_checkpoint,
)
from benchmarks.training.devices import computing_on, device_name
from benchmarks.training.graph import EAGER, REPLAYED
from benchmarks.training.recipes import recipe_for
from benchmarks.training.run import Run
from verification.claims.provenance import current_provenance
from verification.claims.records import Postponed, Record, measuring

CHECKPOINT_SECONDS = 60.0  # at the most, between two checkpoints


def train(
    model_name: str,
    data: DataSet,
    protocol: str,
    *,
    augmentation: bool = False,
    seed: int = 0,
    device: torch.device | str = "cpu",
    checkpoint_dir: Path | None = None,
    checkpoint_seconds: float | None = None,
    evidence: Path | None = None,
    stop: Callable[[], bool] | None = None,
    progress: bool = True,
) -> Record:
    """Train a model on `data` under a protocol, test the selected weights once, return the record.

    augmentation: whether images are scaled by 0.5 to 2 at random, beyond what the recipe does.
    seed: 0 or more; together with the data's realisation it seeds all that is random.
    device: a CPU or a CUDA device, on which float32 is IEEE's and algorithms are those that repeat;
    this stays set. Random numbers are the same on every device.
    checkpoint_dir: where the run leaves its state after any step that ends `checkpoint_seconds` or
    more after the last time, and after the last one, and finds it again after an interruption;
    None: nowhere. A state left by uncommitted sources is of no use to committed ones.
    checkpoint_seconds: None: a minute.
    evidence: folder that the record is written to, also that of a run that fails; None: nowhere.
    Once the record is there, the checkpoint is removed.
    stop: asked after every step and before every batch of the test; True ends the session by
    Postponed, with the state in the checkpoint and no record, so that the same call goes on from
    there.
    progress: whether a bar is drawn, if standard error is a terminal.

    The record's numbers: `test_error` and `validation_error` in percent, of the weights of
    `best_epoch` (from 1); `curves` by epoch; `by_scale`: images and errors per bin of the true
    scale; `parameters`; `step_seconds` (median, of batches with their augmentation); `steps`;
    `weights`: their hash; `arithmetic`: as `devices.prepare` says; `sessions`: of each start of the
    program the commit, device, arithmetic, first step, seconds, and whether steps were replayed
    from a graph. A loss that is not finite ends the run with the outcome "diverged", without a
    test. Global random states are left as they were.

    Raises ValueError for an unknown model or protocol, a model that does not fit the data, or a
    negative seed; CheckpointError for a checkpoint that is damaged or was left on another kind of
    device; DeviceError for one that fails or is out of memory; OSError where a file cannot be
    written.
    """
    check(model_name, data.name, seed)
    device = torch.device(device)
    recipe = recipe_for(protocol, data.name)
    identity: dict[str, Any] = {
        "configuration": configuration_of(model_name, augmentation, data.name, protocol),
        "protocol": protocol,
        "data": data.identity,
        "seeds": {"realisation": data.realisation, "seed": seed},
    }
    checkpoint = checkpoint_dir and checkpoint_dir / checkpoint_name(model_name, identity)
    seconds = CHECKPOINT_SECONDS if checkpoint_seconds is None else checkpoint_seconds
    with computing_on(device) as arithmetic:
        run = Run(model_name, data, recipe, augmentation=augmentation, seed=seed, device=device)
        if checkpoint:
            _resume(run, checkpoint, arithmetic, identity)
        with measuring(
            "training",
            model_name,
            command=_command(identity, device),
            device=device_name(device),
            folder=evidence,
            **identity,
        ) as measurement:
            measurement.numbers["arithmetic"] = arithmetic
            _work(run, arithmetic, checkpoint, identity, seconds, stop, progress=progress)
            measurement.numbers.update(run.numbers(lambda: _check_time(run, stop)))
            measurement.outcome = "diverged" if run.diverged else "finished"
    if checkpoint and evidence:
        remove_checkpoint(checkpoint)
    assert measurement.record is not None
    return measurement.record


def configuration_of(
    model_name: str, augmentation: bool, data_name: str, protocol: str
) -> dict[str, Any]:
    """Return the configuration in the record of a training: what is trained, and the recipe.

    Of a network with another basis than the published one, `basis` holds all that makes it.
    """
    what: dict[str, Any] = {
        "model": model_name, "augmentation": augmentation, "data": data_name,
    }  # fmt: skip
    if model_name in studied_models():
        what["basis"] = studied_models()[model_name].settings.description()
    return what | recipe_for(protocol, data_name).description()


def forget_checkpoint(record: Record, checkpoint_dir: Path) -> None:
    """Remove the state that a recorded run left behind, if it was killed right after its record."""
    identity = {
        "configuration": record.configuration,
        "protocol": record.protocol,
        "data": record.data,
        "seeds": record.seeds,
    }
    model_name = str(record.configuration["model"])
    remove_checkpoint(checkpoint_dir / checkpoint_name(model_name, identity))


def _resume(
    run: Run, checkpoint: Path, arithmetic: dict[str, Any], identity: dict[str, Any]
) -> None:
    state = load_checkpoint(checkpoint)
    if state is None:
        return
    if checkpoint_of(state, checkpoint.name) != checkpoint.name:
        raise CheckpointError(f"{checkpoint}: is of another run; remove it to start this one")
    try:
        if current_provenance().dirty is False and is_uncommitted(state):
            print(
                f"{checkpoint}: left by uncommitted sources, whose runs count for nothing; "
                "beginning anew",
                file=sys.stderr,
            )
            return
        _check_device(run, checkpoint, state["progress"]["sessions"], arithmetic)
        run.restore(state)
    except (KeyError, TypeError, ValueError) as error:
        raise _other_version(checkpoint, error) from error
    except RuntimeError as error:
        if isinstance(error, CheckpointError | torch.OutOfMemoryError):
            raise
        raise _other_version(checkpoint, error) from error


def _other_version(checkpoint: Path, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"{checkpoint}: written by another version of this program ({error!r}); "
        "remove it to start this run from the beginning"
    )


def _check_device(
    run: Run, checkpoint: Path, sessions: list[dict[str, Any]], arithmetic: dict[str, Any]
) -> None:
    """A run that was begun on a CPU and ended on a GPU is reproducible on neither."""
    for session in sessions:
        # Before sessions named it, nothing was trained but on a CPU.
        begun = session.get("device", "cpu")
        kind = "cpu" if begun == "cpu" else "cuda"
        float32 = session.get("arithmetic", {}).get("float32", arithmetic["float32"])
        if kind != run.device.type or float32 != arithmetic["float32"]:
            raise CheckpointError(
                f"{checkpoint}: begun on {begun} in {float32} float32, which {run.device} in "
                f"{arithmetic['float32']} float32 cannot go on with: its numbers differ in the "
                f"last digits. Go on there (--device {kind}), or remove it to start this run from "
                "the beginning"
            )


def _work(
    run: Run,
    arithmetic: dict[str, Any],
    checkpoint: Path | None,
    identity: dict[str, Any],
    checkpoint_seconds: float,
    stop: Callable[[], bool] | None,
    *,
    progress: bool,
) -> None:
    """Train to the end with a progress bar, leaving checkpoints behind.

    Raises Postponed where `stop` asks for it before the end.
    """
    provenance, begin = current_provenance(), time.perf_counter()
    session = {
        "commit": provenance.commit,
        "dirty": provenance.dirty,
        "device": device_name(run.device),
        "arithmetic": arithmetic,
        "execution": run.execution,
        "first_step": run.position,
        "seconds": 0.0,
    }
    run.progress.sessions.append(session)
    total, saved = run.recipe.epochs * run.steps_per_epoch, begin
    with _bar(total, run.position, progress=progress) as bar:
        for _ in run.advance():
            now = time.perf_counter()
            session["seconds"], session["execution"] = now - begin, run.execution
            _show(bar, run)
            postponed = stop is not None and stop() and not run.finished
            due = run.finished or now - saved >= checkpoint_seconds or postponed
            if checkpoint and due:
                state = {**run.state(), "run": identity}
                if not run.diverged:
                    save_checkpoint(state, checkpoint)
                saved = time.perf_counter()
            if postponed and not run.diverged:
                raise Postponed(f"stopped after {run.position} of {total} steps")
    if run.execution not in (EAGER, REPLAYED):
        print(f"{run.model_name}: steps were not replayed, {run.execution}", file=sys.stderr)


def _bar(total: int, done: int, *, progress: bool) -> Any:  # noqa: ANN401 (tqdm has no types)
    """A progress bar, or None where nobody sees one or tqdm is not installed."""
    if not progress or not sys.stderr.isatty():
        return nullcontext()
    try:
        from tqdm import tqdm  # noqa: PLC0415 (on a GPU node there may be none)
    except ImportError:
        return nullcontext()
    return tqdm(total=total, initial=done, unit="step")


def _check_time(run: Run, stop: Callable[[], bool] | None) -> None:
    """The weights are in the checkpoint: what is lost of a test is a test, which takes no step."""
    if stop is not None and stop():
        raise Postponed(f"stopped in the test after {run.position} steps")


def _show(bar: Any, run: Run) -> None:  # noqa: ANN401
    if bar is None:
        return
    at = run.progress
    bar.update()
    if run.unread:
        return
    if at.step:
        seen = at.step * run.recipe.batch
        loss, accuracy = at.loss / seen, 100 - 100 * at.wrong / seen
    else:
        loss, accuracy = at.train_loss[-1], 100 - at.train_error[-1]
    bar.set_postfix(loss=f"{loss:.3f}", accuracy=f"{accuracy:.1f}%", refresh=False)


def check(model_name: str, data_name: str, seed: int) -> None:
    """Raise ValueError for an unknown model, one that does not fit the data, or a negative seed."""
    if model_name not in trainable():
        known = ", ".join(trainable())
        raise ValueError(f"model_name={model_name!r}: unknown model; known are {known}")
    if model_name.startswith("wrn_") != (data_name == "stl10"):
        raise ValueError(
            f"model_name={model_name!r}: the wrn_ models take stl10, all others take "
            f"images of 28×28 pixels, not {data_name}"
        )
    if seed < 0:
        raise ValueError(f"seed={seed!r}: must be 0 or more")


def checkpoint_name(model_name: str, identity: dict[str, Any]) -> str:
    """Name by what is run, so that no two runs share a checkpoint and a changed recipe has none."""
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode())
    return f"{model_name}-{digest.hexdigest()[:16]}.pt"


def checkpoint_of(state: dict[str, Any], name: str) -> str:
    """Name of the checkpoint of the run that a state is of; `name` for those that do not say."""
    if "run" not in state:  # of earlier versions
        return name
    return checkpoint_name(str(state["run"]["configuration"]["model"]), state["run"])


def _command(identity: dict[str, Any], device: torch.device) -> str:
    configuration, seeds = identity["configuration"], identity["seeds"]
    return (
        f"python -m benchmarks train --model {configuration['model']}"
        f" --data {configuration['data']} --protocol {identity['protocol']}"
        f"{' --augmentation' if configuration['augmentation'] else ''}"
        f" --realisation {seeds['realisation']} --seed {seeds['seed']} --device {device}"
    )
