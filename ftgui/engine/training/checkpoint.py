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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import safetensors
import safetensors.torch
import torch

from ftgui.base.files import reason, write_atomically
from ftgui.base.json_files import decode_object
from ftgui.engine.errors import EngineError
from ftgui.engine.memory_limits import out_of_memory
from ftgui.engine.training.position import Position
from ftgui.runs.run_folders import CHECKPOINT_FILE

CHECKPOINT_FORMAT = 2

MOST = 2**53
"""No count is above this; a larger one comes of damage."""

Count = Annotated[int, msgspec.Meta(ge=0, le=MOST)]


class _At(msgspec.Struct):
    """`Position`, and with it what early stopping has seen."""

    phase: Annotated[int, msgspec.Meta(ge=-1, le=MOST)] = -1
    epoch: Count = 0
    epoch_in_phase: Count = 0
    batch: Count = 0
    step: Count = 0
    phase_began: Count = 0
    since_best: Count = 0
    best_in_phase: tuple[float, float] = (-math.inf, -math.inf)


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

    at: _At
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
    """A run as it was after some step. Dictionaries are as the ``state_dict`` of each part gives them."""

    at: Position
    trainable: list[int]
    """Units of the layer tree."""
    part: int
    """Images that go through the model at once."""
    seconds: float
    """Spent so far."""
    early_stopping: dict[str, Any]
    divergence: dict[str, Any]
    best: dict[str, Any]
    """Empty before the first epoch is over."""
    model: dict[str, torch.Tensor]
    """All that any phase ever let learn."""
    ended: bool
    """A person ended the phase."""
    views: int
    frozen_hash: str
    optimizer: dict[str, Any]
    average: dict[str, Any]
    """Empty where nothing is averaged."""
    train_metrics: dict[str, Any]
    random: dict[str, torch.Tensor]
    """See `random_states`."""
    metrics_bytes: int
    """How long ``metrics.jsonl`` was."""


def save(run_folder: Path, checkpoint: Checkpoint) -> None:
    """Replace the run's checkpoint.

    Args:
        run_folder: of the run.
        checkpoint: its step is read by whoever offers to go on (`ftgui.runs.run_folders.open_run`).

    Raises:
        OSError: it can't be written, for instance because the run's folder is gone.
    """
    tensors = {
        f"{group}/{name}": tensor.detach().to("cpu").contiguous()
        for group, members in _tensors_of(checkpoint).items()
        for name, tensor in members.items()
    }
    metadata = {"format": str(CHECKPOINT_FORMAT), "plain": json.dumps(_plain_of(checkpoint))}
    (run_folder / CHECKPOINT_FILE).parent.mkdir(exist_ok=True)
    write_atomically(run_folder / CHECKPOINT_FILE, safetensors.torch.save(tensors, metadata=metadata))


def _plain_of(kept: Checkpoint) -> dict[str, Any]:
    """What JSON can hold, under the file's names."""
    stopping, best = kept.early_stopping, kept.best
    return {
        "at": {
            **asdict(kept.at),
            "since_best": stopping["epochs_without_better"],
            "best_in_phase": stopping["best_score"],
        },
        "trainable": kept.trainable,
        "optimizer": {"peak": kept.optimizer["peak"], "born": kept.optimizer["started_at_step"]},
        "average": kept.average["updates"] if kept.average else 0,
        "early_stop": stopping["patience"],
        "phase_over": kept.ended,
        "part": kept.part,
        "views": kept.views,
        "frozen_hash": kept.frozen_hash,
        "gathered": kept.train_metrics["samples"],
        "best": {name: best[name] for name in ("epoch", "loss", "calibration")} if best else None,
        "losses": kept.divergence["losses"],
        "seconds": kept.seconds,
        "metrics_bytes": kept.metrics_bytes,
    }


def _tensors_of(kept: Checkpoint) -> dict[str, dict[str, torch.Tensor]]:
    """Tensors by group and name."""
    return {
        "model": kept.model,
        "optimizer": {
            f"{parameter}/{quantity}": value
            for parameter, quantities in kept.optimizer["state"].items()
            for quantity, value in quantities.items()
        },
        "average": kept.average["values"] if kept.average else {},
        "random": kept.random,
        "gathered": {name: kept.train_metrics[name] for name in ("counts", "loss")},
        "best": kept.best["weights"] if kept.best else {},
        "confusion": {"best": kept.best["confusion"]} if kept.best else {},
    }


def load(run_folder: Path) -> Checkpoint:
    """Read the run's checkpoint.

    Raises:
        EngineError: there is none, or none this version can read.
    """
    path = run_folder / CHECKPOINT_FILE
    if not path.is_file():
        raise EngineError(f"The run {run_folder.name} has no checkpoint to continue from.")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            # Copies: Windows does not replace a file that something is still mapped to, and the next checkpoint will.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 - it is no dict
        if metadata.get("format") != str(CHECKPOINT_FORMAT):
            raise EngineError(f"The checkpoint of {run_folder.name} was written by another version of ftgui.")
        plain = msgspec.convert(decode_object(metadata["plain"]), _Plain)
    except (OSError, safetensors.SafetensorError, msgspec.ValidationError, ValueError, KeyError) as error:
        raise EngineError(f"The checkpoint of {run_folder.name} can't be read: {reason(error)}") from error
    with restoring():
        return _joined(plain, tensors)


def _joined(plain: _Plain, tensors: dict[str, torch.Tensor]) -> Checkpoint:
    """A checkpoint of the two parts it has on the disk.

    Raises:
        KeyError: a tensor is missing.
    """

    def group(name: str) -> dict[str, torch.Tensor]:
        start = name + "/"
        return {key.removeprefix(start): value for key, value in tensors.items() if key.startswith(start)}

    at, best = plain.at, {}
    if plain.best is not None:
        best = msgspec.structs.asdict(plain.best) | {
            "calibration": msgspec.structs.asdict(plain.best.calibration),
            "confusion": tensors["confusion/best"],
            "weights": group("best"),
        }
    quantities: dict[str, dict[str, torch.Tensor]] = {}
    for name, value in group("optimizer").items():
        parameter, quantity = name.rsplit("/", 1)
        quantities.setdefault(parameter, {})[quantity] = value
    return Checkpoint(
        at=Position(at.phase, at.epoch, at.epoch_in_phase, at.batch, at.step, at.phase_began),
        trainable=plain.trainable,
        part=plain.part,
        seconds=plain.seconds,
        early_stopping={
            "patience": plain.early_stop,
            "epochs_without_better": at.since_best,
            "best_score": at.best_in_phase,
        },
        divergence={"losses": plain.losses},
        best=best,
        model=group("model"),
        ended=plain.phase_over,
        views=plain.views,
        frozen_hash=plain.frozen_hash,
        optimizer={
            "peak": plain.optimizer.peak,
            "started_at_step": plain.optimizer.born,
            "state": quantities,
        },
        average={"updates": plain.average, "values": group("average")},
        train_metrics={"samples": plain.gathered, **group("gathered")},
        random=group("random"),
        metrics_bytes=plain.metrics_bytes,
    )


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
