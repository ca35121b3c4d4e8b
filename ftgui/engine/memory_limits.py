"""Where memory is not enough: how that is noticed, what is said, and what is refused before it comes to that."""

from __future__ import annotations

from pathlib import Path

import psutil
import torch

from ftgui.base.formatting import plural
from ftgui.base.process_limits import address_space_limit
from ftgui.engine.errors import EngineError

_BYTES = 4
"""Of a number in a model or its optimizer: float32."""

_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Where Linux says what a container or a batch job may use."""


def out_of_memory(error: BaseException) -> bool:
    """Whether this is a device or the computer saying that it has no memory left."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    # The CPU's allocator says "can't allocate memory" on Linux and macOS, "not enough memory" on Windows.
    words = ["out of memory", "can't allocate memory", "not enough memory"]
    if address_space_limit() is not None:
        words.append("could not create a primitive")  # all that oneDNN says when it may map no more
    return isinstance(error, RuntimeError) and any(word in text for word in words)


def sentence(part: int = 0) -> str:
    """What is said when memory ran out.

    Args:
        part: images of a batch that a training still sent through the model at once; 0: it was no training.
    """
    tried = (
        f" even with {plural(part, 'image')} at a time. Tick fewer layers or choose a smaller model;"
        if part
        else ". Choose a smaller model;"
    )
    return f"The device ran out of memory{tried} closing other programs on the device may help too."


def of_this_computer() -> int:
    """Bytes that this process may use at all, whatever else runs now."""
    total = int(psutil.virtual_memory().total)
    for file in _LIMITS:
        try:
            limit = file.read_text(encoding="ascii").strip()
        except OSError:
            continue
        if limit.isdecimal():
            return min(total, int(limit))
    return total


def of_device(device: torch.device) -> int:
    """Bytes of its memory, used or not."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    return of_this_computer()


def refuse_too_large(name: str, parameters: int, from_scratch: bool) -> None:
    """Before a model is built.

    Args:
        name: of the model.
        parameters: of it.
        from_scratch: no weights are read, which are there twice for a moment.

    Raises:
        EngineError: it does not fit into the computer's memory.
    """
    needed = parameters * _BYTES * (1 if from_scratch else 2)
    there = of_this_computer()
    if needed > there:
        while_read = "" if from_scratch else " while they are read"
        raise EngineError(
            f"“{name}” has {parameters / 1e6:,.0f} million parameters: its weights alone take {_gigabytes(needed)} of memory"
            f"{while_read}, and this computer has {_gigabytes(there)}. Choose a smaller model."
        )


def refuse_training(parameters: int, learning: int, device: torch.device) -> None:
    """Before a training begins.

    Args:
        parameters: of the model.
        learning: of the phase in which most learn.
        device: of the model.

    Raises:
        EngineError: weights, gradients and AdamW's two averages alone do not fit into the device's memory.
    """
    needed = (parameters + 3 * learning) * _BYTES
    there = of_device(device)
    if needed > there:
        raise EngineError(
            f"Training {learning / 1e6:,.0f} million parameters of this model takes {_gigabytes(needed)} of memory before the "
            f"first image, for weights, gradients and optimizer, and the device has {_gigabytes(there)}. Tick fewer layers or "
            "choose a smaller model."
        )


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:,.1f} GB"
