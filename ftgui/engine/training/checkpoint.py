"""The checkpoint: all that is needed to go on with a run as if it had never stopped.

One safetensors file, replaced in one step: tensors under names with slashes, and everything plain (counters, rates,
ticks) as JSON in its metadata. Nothing in it can run code. Python's JSON writes floats so that they are read back bit
for bit, infinities included.

What no phase ever let learn is not in it: that part is what the recipe's pretrained weights give again, which a
fingerprint proves when the run goes on.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import msgspec
import safetensors
import safetensors.torch
import torch

from ftgui.base.files import write_atomically
from ftgui.base.json_files import decode_object
from ftgui.engine.errors import EngineError
from ftgui.engine.memory_limits import out_of_memory
from ftgui.runs.run_folders import CHECKPOINT_FILE

CHECKPOINT_FORMAT = 2

MOST = 2**53
"""No count is above this; a larger one comes of damage."""

Count = Annotated[int, msgspec.Meta(ge=0, le=MOST)]


@dataclass
class Position:
    """Where a run is; plain numbers, so that a checkpoint can hold them."""

    phase: Annotated[int, msgspec.Meta(ge=-1, le=MOST)] = -1
    """Index in `Recipe.active_phases`."""
    epoch: Count = 0
    """From 1 over the whole run; the one that runs, or ran last."""
    epoch_in_phase: Count = 0
    """Epochs of the phase that are over."""
    batch: Count = 0
    """Batches of the running epoch that are done; 0 between epochs."""
    step: Count = 0
    """Optimizer steps done."""
    phase_began: Count = 0
    """Steps done before the phase."""
    since_best: Count = 0
    """Epochs without a better score in this phase."""
    best_in_phase: Annotated[list[float], msgspec.Meta(min_length=2, max_length=2)] = field(
        default_factory=lambda: [-math.inf, -math.inf]
    )


class _Calibration(msgspec.Struct):
    temperature: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    error_before: float = math.nan
    error_after: float = math.nan


class _Best(msgspec.Struct):
    epoch: Count
    loss: float
    calibration: _Calibration = msgspec.field(default_factory=_Calibration)


class _Optimizer(msgspec.Struct):
    peak: float
    born: dict[str, Count]


class _Plain(msgspec.Struct):
    """What the plain part is made of, so that a file in which anything may stand is understood whole or not at all, before
    a run is touched."""

    at: Position
    trainable: list[Count]
    optimizer: _Optimizer
    average: Count
    early_stop: Count
    phase_over: bool
    part: Annotated[int, msgspec.Meta(ge=1, le=MOST)]
    views: Count
    frozen_hash: str
    gathered: Count
    best: _Best | None
    losses: list[float]
    seconds: float
    metrics_bytes: Count


@dataclass(frozen=True)
class Checkpoint:
    """What was kept."""

    plain: dict[str, Any]
    tensors: dict[str, torch.Tensor]

    def group(self, name: str) -> dict[str, torch.Tensor]:
        """The tensors under ``name/``, without that."""
        start = name + "/"
        return {key.removeprefix(start): value for key, value in self.tensors.items() if key.startswith(start)}


def save(run_folder: Path, plain: Mapping[str, Any], groups: Mapping[str, Mapping[str, torch.Tensor]]) -> None:
    """Replace the run's checkpoint.

    Args:
        run_folder: of the run.
        plain: values JSON can hold; ``at`` has the step, for whoever offers to go on (`ftgui.data.project.open_run`).
        groups: tensors by group and name.

    Raises:
        OSError: it can't be written, for instance because the run's folder is gone.
    """
    tensors = {
        f"{group}/{name}": tensor.detach().to("cpu").contiguous()
        for group, members in groups.items()
        for name, tensor in members.items()
    }
    metadata = {"format": str(CHECKPOINT_FORMAT), "plain": json.dumps(plain)}
    (run_folder / CHECKPOINT_FILE).parent.mkdir(exist_ok=True)
    write_atomically(run_folder / CHECKPOINT_FILE, safetensors.torch.save(tensors, metadata=metadata))


def load(run_folder: Path) -> Checkpoint:
    """Read the run's checkpoint.

    Raises:
        EngineError: there is none, or none this version can read.
    """
    path = run_folder / CHECKPOINT_FILE
    if not path.is_file():
        raise EngineError(f"The run {run_folder.name} has no checkpoint to go on from.")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            # Copies: Windows does not replace a file that something is still mapped to, and the next checkpoint will.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 - it is no dict
        if metadata.get("format") != str(CHECKPOINT_FORMAT):
            raise EngineError(f"The checkpoint of {run_folder.name} was written by another version of ftgui.")
        plain = decode_object(metadata["plain"])
        msgspec.convert(plain, _Plain)
        return Checkpoint(plain, tensors)
    except (OSError, safetensors.SafetensorError, msgspec.ValidationError, ValueError, KeyError) as error:
        raise EngineError(f"The checkpoint of {run_folder.name} can't be read: {error}") from error


@contextmanager
def restoring() -> Iterator[None]:
    """What is in a checkpoint is put in its place; where it is understood but does not fit, that is said.

    Raises:
        EngineError: it does not.
    """
    try:
        yield
    except (KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        if out_of_memory(error):
            raise
        raise EngineError(f"The checkpoint is damaged: {type(error).__name__}, {error}") from error


def remove(run_folder: Path) -> None:
    """A run that is done needs none."""
    (run_folder / CHECKPOINT_FILE).unlink(missing_ok=True)


def random_states(device: torch.device) -> dict[str, torch.Tensor]:
    """Of every generator a step may draw from; augmentation and order draw from none (see
    `ftgui.engine.input_pipeline.augmentation`)."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    if device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def restore_random_states(states: Mapping[str, torch.Tensor], device: torch.device) -> None:
    """Put back what `random_states` gave."""
    torch.set_rng_state(states["cpu"])
    if "cuda" in states and device.type == "cuda":
        torch.cuda.set_rng_state(states["cuda"], device)
    if "mps" in states and device.type == "mps":
        torch.mps.set_rng_state(states["mps"])
