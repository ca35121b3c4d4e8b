"""Where to compute."""

from __future__ import annotations

import platform

import psutil
import torch

from ftgui.engine.errors import EngineError
from ftgui.protocol.messages import Device


def available() -> list[Device]:
    """All devices; the first is what ``"auto"`` means: CUDA, else MPS, else CPU."""
    found = []
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(index)
            found.append(Device(id=f"cuda:{index}", name=properties.name, memory=properties.total_memory))
    memory = int(psutil.virtual_memory().total)
    if torch.backends.mps.is_available():
        found.append(Device(id="mps", name="Apple GPU", memory=memory))
    processor = platform.processor() or platform.machine()
    found.append(Device(id="cpu", name=f"CPU · {torch.get_num_threads()} threads · {processor}", memory=memory))
    return found


def pick(wanted: str) -> torch.device:
    """The device a recipe names.

    Raises:
        EngineError: there is no such device here.
    """
    ids = [device.id for device in available()]
    if wanted == "auto":
        return torch.device(ids[0])
    if wanted == "cuda":
        wanted = "cuda:0"
    if wanted not in ids:
        raise EngineError(f"There is no device “{wanted}” here. This computer has: {', '.join(ids)}.")
    return torch.device(wanted)


def move(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """A tensor on the device; on CUDA the copy goes on while the program does.

    Only there: MPS would read a temporary's memory when it may hold something else already (pytorch/pytorch#139550).
    """
    return tensor.to(device, non_blocking=device.type == "cuda")
