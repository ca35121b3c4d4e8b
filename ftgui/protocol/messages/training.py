"""A training: beginning it, steering it, what it reports."""

from __future__ import annotations

import math

import msgspec

from ftgui.protocol.messages.base import Message
from ftgui.protocol.recipe import Recipe


class Train(Message, frozen=True):
    """Train as the recipe says on the project's catalog; reports `TrainingStarted` … `TrainingFinished`."""

    request: int
    recipe: Recipe
    catalog: str
    run_folder: str


class Continue(Message, frozen=True):
    """Go on with a run that ended without being done, from its checkpoint, exactly as if it had never stopped."""

    request: int
    catalog: str
    run_folder: str


class SaveModel(Message, frozen=True):
    """Write the model of a run that ended with `TrainingFinished.unsaved`; answered by `ModelSaved` or `CommandFailed`."""

    request: int
    folder: str = ""
    """An empty or new one that becomes the model's folder; empty: where it should have gone, the run's own folder."""


class ChangeRate(Message, frozen=True):
    """From the next step on, the present phase's peak rate; answered by `RunAdjusted`."""

    request: int
    lr: float


class ChangeEarlyStop(Message, frozen=True):
    """Epochs without a better score after which a phase ends, 0 = never; answered by `RunAdjusted`."""

    request: int
    epochs: int


class FinishPhase(Message, frozen=True):
    """End the present phase after the present step and go on with the next; answered by `RunAdjusted`."""

    request: int


class FindLearningRate(Message, frozen=True):
    """Learning-rate range test of one phase on a copy of the model.

    Reports `LearningRateTried`, ends with `LearningRateFound`.
    """

    request: int
    recipe: Recipe
    catalog: str
    phase: int
    """Index in `Recipe.phases`."""


class Pause(Message, frozen=True):
    """Wait after the present step."""


class Resume(Message, frozen=True):
    """Go on after `Pause`."""


class TrainingStarted(Message, frozen=True):
    run_folder: str
    run: int
    """Number of the run."""
    phases: list[str]
    epochs: int
    """In all phases, if none ends early."""
    train_samples: int
    val_samples: int
    device: str
    step: int = 0
    """Steps done before: above 0 when an interrupted run goes on."""


class PhaseStarted(Message, frozen=True):
    phase: int
    """From 0."""
    name: str
    step: int
    """Steps done before it; of a run that goes on, where the phase began back then."""
    epochs: int
    run_epochs: int
    """In all phases, as it looks now: one that ended early had fewer than planned."""
    lr: float
    frozen_hash: str


class FrozenFeaturesCached(Message, frozen=True):
    """How the frozen part is computed from now on."""

    phase: int
    cached: bool
    views: int
    """Of each training image."""
    bytes: int
    on_disk: bool
    why: str
    """Why it is not cached; empty when it is."""
    seconds: float
    """That it took; 0 when an earlier run's could be used."""


class GroupRate(msgspec.Struct, frozen=True):
    """Learning rate of one optimizer group at this moment."""

    name: str
    """Of the stage, as in the layer tree."""
    requested: float
    """Its peak rate."""
    applied: float
    """After schedule and warm-up."""


class RunAdjusted(Message, frozen=True):
    """Something changed the course of a run: a person, or the program in need."""

    request: int
    """0 when the program did it."""
    step: int
    """Steps done when it took effect."""
    kind: str
    """``"rate"``, ``"layers"``, ``"early-stop"``, ``"finish-phase"``, ``"batch"``, ``"continued"``. Pauses have
    events of their own."""
    text: str
    """A few words for the plots' mark, e.g. ``"rate 3e-4"``."""


class StepMetrics(Message, frozen=True):
    """Metrics of some consecutive optimizer steps; at most 15 of these messages a second."""

    step: list[int]
    """From 1, over the whole run."""
    loss: list[float]
    accuracy: list[float]
    """Share of the batch that was right, 0 to 1."""
    lr: list[float]
    phase: int
    epoch: int
    """From 1, over the whole run."""
    images_per_second: float
    """Training images, over the last seconds, validation not counted."""
    seconds_left: float
    """Until the last epoch ends, if no phase stops early; negative when not known yet."""
    groups: list[GroupRate]
    """At the last of these steps."""


class UpdateRatios(Message, frozen=True):
    """How much each layer moves; at most 4 times a second."""

    step: int
    rows: list[int]
    """Rows of the layer tree that own parameters and learn."""
    relative: list[float]
    """Norm of a step's update divided by the norm of the weights, smoothed over some steps."""


class EpochFinished(Message, frozen=True):
    phase: int
    epoch: int
    step: int
    train_loss: float
    train_accuracy: float
    val_loss: float
    """NaN without validation images."""
    val_accuracy: float
    best: bool
    """These are the best weights so far."""
    seconds: float
    recall: list[float]
    """Per class, the share of its validation images that were recognised; NaN for a class without any."""


class PhaseFinished(Message, frozen=True):
    phase: int
    frozen_hash: str
    frozen_unchanged: bool
    """The hash of all frozen parameters and buffers is what it was when the phase began."""
    stopped_early: bool


class Paused(Message, frozen=True):
    step: int


class Resumed(Message, frozen=True):
    step: int


class Evaluation(msgspec.Struct, frozen=True):
    """The final figures of a run, on its validation images with the best weights."""

    class_names: list[str]
    confusion: list[list[int]]
    """Rows: true class; columns: predicted."""
    loss: float
    accuracy: float
    temperature: float = 1.0
    """That logits are divided by before the softmax, so that the model is as sure as it is right."""
    calibration_error_before: float = math.nan
    """Expected calibration error of the plain softmax, 0 to 1."""
    calibration_error: float = math.nan
    """With the temperature, on the same images that it was fitted on."""


class TrainingFinished(Message, frozen=True):
    """End of a run, whatever the reason. The model now holds the best weights."""

    run_folder: str
    reason: str
    """``"done"``, ``"stopped"``, ``"exploded"`` or ``"failed"``."""
    message: str
    """One sentence."""
    best_epoch: int
    """0 when no epoch was finished."""
    best_accuracy: float
    steps: int
    seconds: float
    evaluation: Evaluation | None
    phase: int = 0
    """Index in `Recipe.active_phases` of the phase it ended in."""
    suggested_lr: float = 0.0
    """For that phase (`ftgui.protocol.rates.rate_after_divergence`); 0 unless the reason is ``"exploded"``."""
    usable: bool = True
    """The model holds what this run learned. False: it learned nothing, and the model is what it was before."""
    unsaved: bool = False
    """What was learned is in the engine's memory only, because the disk did not take it; `SaveModel` tries again."""
    validation: str = ""
    """The same for runs whose accuracies can be compared (`ftgui.runs.model_in_use.validation_key`); empty: not known."""


class ModelSaved(Message, frozen=True):
    """Answer to `SaveModel`."""

    request: int
    folder: str


class LearningRateTried(Message, frozen=True):
    """One more step of a range test."""

    request: int
    lr: float
    loss: float
    """Smoothed."""


class LearningRateFound(Message, frozen=True):
    request: int
    lr: list[float]
    loss: list[float]
    suggestion: float
    """0 when nothing can be suggested."""
    why: str
    """One sentence: how to read it, or why there is no suggestion."""
