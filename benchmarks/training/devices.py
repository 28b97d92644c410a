"""Devices by name, the arithmetic on them, and what goes wrong there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Literal

import torch

from benchmarks import CommandError

IEEE: Literal["ieee"] = "ieee"
WORKSPACE_VARIABLE = "CUBLAS_WORKSPACE_CONFIG"
_WORKSPACE = ":4096:8"
"""Workspaces of cuBLAS with which its results repeat; to be set before its first product."""


class DeviceError(CommandError):
    """A device that failed or had too little memory; the message says what can be done."""


class DeviceMemoryError(DeviceError, torch.OutOfMemoryError):
    """Too little memory: a campaign goes on with fewer processes."""


def find_device(name: str) -> torch.device:
    """Return the device called `name`: cpu, cuda or cuda:1 and so on.

    Raises ValueError for another name, or a device that is not there.
    """
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"device={name!r}: not a device ({error})") from error
    if device.type not in ("cpu", "cuda"):
        raise ValueError(f"device={name!r}: must be cpu, cuda or cuda:1 and so on")
    if device.type == "cuda":
        _check_cuda(name, device.index or 0)
    return device


def _check_cuda(name: str, index: int) -> None:
    if torch.version.cuda is None:
        raise ValueError(
            f"device={name!r}: torch {torch.__version__} is built without CUDA; "
            "install a build with it, or choose cpu"
        )
    found = torch.cuda.device_count()
    if index >= found:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        hint = "" if visible is None else f" (CUDA_VISIBLE_DEVICES={visible})"
        raise ValueError(f"device={name!r}: torch finds {found} CUDA devices here{hint}")


def device_name(device: torch.device) -> str:
    """Return what a record calls the device: "cpu", or the name of the accelerator."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def prepare(
    device: torch.device, float32: Literal["ieee", "tf32"] = IEEE
) -> dict[str, str | bool | int]:
    """Set how this process computes on a device, and return what a record says of it.

    float32: "ieee" for products of float32 as they are on a CPU; "tf32", ten bits of mantissa in
    products on newer GPUs, for comparisons alone. On CUDA algorithms are set to those whose results
    repeat. Before the first product on the device. On a CPU nothing is set: what the process was
    told by its caller is returned, as is the caller's autocast on any device ("bf16").
    """
    if device.type != "cuda":
        return {"float32": _autocast(device) or _cpu_products()}
    os.environ.setdefault(WORKSPACE_VARIABLE, _WORKSPACE)
    _set_products(float32)
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
    return {
        "float32": _autocast(device) or float32,
        "deterministic": torch.backends.cudnn.deterministic,
        "cublas_workspace": os.environ[WORKSPACE_VARIABLE],
        "cudnn": _cudnn_version(),
        "cuda": torch.version.cuda or "",
    }


@contextmanager
def computing_on(device: torch.device) -> Iterator[dict[str, str | bool | int]]:
    """What a training needs around it; gives what `prepare` returns.

    The device is the current one (graphs are captured there, wherever their tensors are), global
    random states are left as they were, and its faults are named.
    """
    arithmetic = prepare(device)
    cuda = device.type == "cuda"
    current = torch.cuda.device(device) if cuda else nullcontext()
    with named_faults(device), torch.random.fork_rng(devices=[device] if cuda else []), current:
        yield arithmetic


def _autocast(device: torch.device) -> str:
    if not torch.is_autocast_enabled(device.type):
        return ""
    return str(torch.get_autocast_dtype(device.type)).removeprefix("torch.").replace("bfloat", "bf")


def _cpu_products() -> str:
    """What oneDNN may do with products of float32."""
    mkldnn: Any = torch.backends.mkldnn
    for kind in ("conv", "matmul"):  # of torch 2.9 and later
        precision = getattr(getattr(mkldnn, kind, None), "fp32_precision", "none")
        if precision not in ("none", IEEE):
            return str(precision)
    return {"highest": IEEE, "high": "tf32"}.get(torch.get_float32_matmul_precision(), "bf16")


def _cudnn_version() -> int:
    cudnn: Any = torch.backends.cudnn
    return int(cudnn.version() or 0)


def _set_products(float32: str) -> None:
    """Each kind of product by itself: the one setting for all does not reach convolutions."""
    cudnn: Any = torch.backends.cudnn
    kinds: tuple[Any, ...] = (
        getattr(cudnn, "conv", None),
        getattr(cudnn, "rnn", None),
        torch.backends.cuda.matmul,
    )
    if all(hasattr(kind, "fp32_precision") for kind in kinds):  # torch 2.9 and later
        for kind in kinds:
            kind.fp32_precision = float32
        return
    torch.backends.cudnn.allow_tf32 = float32 != IEEE
    torch.backends.cuda.matmul.allow_tf32 = float32 != IEEE


@contextmanager
def named_faults(device: torch.device) -> Iterator[None]:
    """Raise DeviceError for what a device does not bear, in words of who has to do something."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise DeviceMemoryError(
            f"{device}: out of memory{_memory(device)}; run fewer processes on it. "
            "The run goes on from its checkpoint by the same command"
        ) from error
    except RuntimeError as error:
        if device.type != "cuda" or "CUDA error" not in str(error):
            raise
        raise DeviceError(
            f"{device}: failed ({str(error).splitlines()[0]}). "
            "The run goes on from its checkpoint by the same command, in a new process"
        ) from error


def _memory(device: torch.device) -> str:
    if device.type != "cuda":
        return ""
    free, total = torch.cuda.mem_get_info(device)
    own = torch.cuda.max_memory_reserved(device)
    gigabytes = [f"{number / 2**30:.1f}" for number in (own, free, total)]
    return " ({} GiB held by this process, {} of {} GiB free)".format(*gigabytes)
