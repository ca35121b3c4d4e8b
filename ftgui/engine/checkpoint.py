"""The checkpoint: all that is needed to go on with a run as if it had never stopped.

One safetensors file, replaced in one step: tensors under names with slashes, and everything plain (counters, rates,
ticks) as JSON in its metadata. Nothing in it can run code. Python's JSON writes floats so that they are read back bit
for bit, infinities included.

What no phase ever let learn is not in it: that part is what the recipe's pretrained weights give again, which a
fingerprint proves when the run goes on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from ftgui.atomic_files import write_atomically
from ftgui.data.project import CHECKPOINT_FILE
from ftgui.engine.errors import EngineError

CHECKPOINT_FORMAT = 2


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
        return Checkpoint(json.loads(metadata["plain"]), tensors)
    except (OSError, safetensors.SafetensorError, ValueError, KeyError) as error:
        raise EngineError(f"The checkpoint of {run_folder.name} can't be read: {error}") from error


def remove(run_folder: Path) -> None:
    """A run that is done needs none."""
    (run_folder / CHECKPOINT_FILE).unlink(missing_ok=True)


def random_states(device: torch.device) -> dict[str, torch.Tensor]:
    """Of every generator a step may draw from; augmentation and order draw from none (see `ftgui.engine.augment`)."""
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
