"""Devices by name."""

from __future__ import annotations

import torch


def find_device(name: str) -> torch.device:
    """Return the device called `name`, such as cpu, cuda or cuda:1.

    Raises ValueError for a name that torch does not know, or a device that is not there.
    """
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"device={name!r}: not a device ({error})") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"device={name!r}: torch finds {torch.cuda.device_count()} CUDA devices here"
        )
    return device


def device_name(device: torch.device) -> str:
    """Return what a record calls the device: "cpu", or the name of the accelerator."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
