"""Every message between window and engine: tagged msgspec Structs. Commands go to the engine, events come back.

Rules: fields are plain values; every answer to a command with a ``request`` number carries that number; a
message that either side does not know is an error, so the first one on each side carries the version.
"""

from __future__ import annotations

import math

import msgspec

from ftgui.protocol.recipe import Augmentation, Backbone, Recipe

PROTOCOL_VERSION = 6

UNTOUCHED = "untouched"
"""In place of a model's folder: the backbone as it came, with the classes its weights were made for."""


class _Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    pass


# --- commands: window -> engine -------------------------------------------------------------------------------------


class Hello(_Message, frozen=True):
    """First command on every connection."""

    protocol: int = PROTOCOL_VERSION


class Configure(_Message, frozen=True):
    """Where pretrained weights may come from, from now on; nothing is answered."""

    offline: bool = False
    """Never use the network."""
    hub_mirror: str = ""
    """Address that stands in for Hugging Face's; empty: the usual one, or ``HF_ENDPOINT``."""
    torchvision_mirror: str = ""
    """Address that stands in for torchvision's server of weights; empty: the usual one."""


class LoadModel(_Message, frozen=True):
    """Build the backbone with a head for these classes, on this device; answered by `ModelLoaded` or `CommandFailed`."""

    request: int
    backbone: Backbone
    class_names: list[str]
    """Empty: keep the head the weights came with (predictions then carry its own class names)."""
    train: list[str]
    """Layers to unfreeze, as in `Phase.train`."""
    device: str = "auto"
    seed: int = 0
    trained_weights: str = ""
    """A finished model folder whose weights to load, if its classes are the same; else ignored with a `Log`."""
    trained_names: list[str] = []
    """What that model's outputs are called now, if classes were renamed since; empty: as it says itself."""
    intensity: tuple[float, float] | None = None
    """How it reads images of more than 8 bits, see `ftgui.data.images.intensity`; a finished model says that itself."""


class SetTrainable(_Message, frozen=True):
    """Freeze everything but these layers; answered by `FreezingChanged`. During a training from the next step on: what
    stays keeps its optimizer state, what is new warms up."""

    request: int
    layers: list[str]


class Train(_Message, frozen=True):
    """Train as the recipe says on the project's catalog; reports `TrainingStarted` … `TrainingFinished`."""

    request: int
    recipe: Recipe
    catalog: str
    run_folder: str


class Continue(_Message, frozen=True):
    """Go on with a run that ended without being done, from its checkpoint, exactly as if it had never stopped."""

    request: int
    catalog: str
    run_folder: str


class SaveModel(_Message, frozen=True):
    """Write the model of a run that ended with `TrainingFinished.unsaved`; answered by `ModelSaved` or `CommandFailed`."""

    request: int
    folder: str = ""
    """An empty or new one that becomes the model's folder; empty: where it should have gone, the run's own folder."""


class ChangeRate(_Message, frozen=True):
    """From the next step on, the present phase's peak rate; answered by `Steered`."""

    request: int
    lr: float


class ChangeEarlyStop(_Message, frozen=True):
    """Epochs without a better score after which a phase ends, 0 = never; answered by `Steered`."""

    request: int
    epochs: int


class FinishPhase(_Message, frozen=True):
    """End the present phase after the present step and go on with the next; answered by `Steered`."""

    request: int


class FindRate(_Message, frozen=True):
    """Learning-rate range test of one phase on a copy of the model; reports `RateTested`, ends with `RateTestFinished`."""

    request: int
    recipe: Recipe
    catalog: str
    phase: int
    """Index in `Recipe.phases`."""


class Judge(_Message, frozen=True):
    """What does the model say of the images of a catalog? Answered by `Judged`, in portions."""

    request: int
    catalog: str
    splits: list[str] = []
    """Only these; empty: all."""
    run_folder: str = ""
    """Of the run whose model this is: all its answers are kept there too, as ``predictions.csv``; empty: not."""


class AskPrice(_Message, frozen=True):
    """What would training these layers cost? Answered by `Price` or `CommandFailed`."""

    request: int
    layers: list[str]
    recipe: Recipe
    train_samples: int
    val_samples: int


class ShowViews(_Message, frozen=True):
    """What will the model see of this image in training? Answered by `Views` or `CommandFailed`."""

    request: int
    path: str
    augmentation: Augmentation
    count: int = 6
    intensity: tuple[float, float] | None = None
    """How an image of more than 8 bits is read."""


class PrepareExample(_Message, frozen=True):
    """Have an example set on this computer, as a folder of class folders; answered by `ExampleReady` or `CommandFailed`.

    Meanwhile every other command is done as it comes, and `Stop` outside a training ends this.
    """

    request: int
    name: str
    """Of an `ExampleSet`."""
    copy_to: str = ""
    """A folder to be made with one more copy; empty: none."""


class Pause(_Message, frozen=True):
    """Wait after the present step."""


class Resume(_Message, frozen=True):
    """Go on after `Pause`."""


class Stop(_Message, frozen=True):
    """Finish the present step, keep the best weights so far, end the run; or end a download or `PrepareExample`."""


class Predict(_Message, frozen=True):
    """Ask a model about one image; answered by `Prediction` or `CommandFailed`."""

    request: int
    path: str = ""
    content: bytes = b""
    """The encoded image when there is no file (clipboard); `path` wins when both are given."""
    model: str = ""
    """Empty: the present one, as it is at this moment. `UNTOUCHED`, or a finished model's folder."""


class Explain(_Message, frozen=True):
    """Where in an image does the present model see a class? Answered by `Explanation` or `CommandFailed`."""

    request: int
    path: str = ""
    content: bytes = b""
    class_name: str = ""
    """Empty: the one it thinks most probable."""
    layer: str = ""
    """Name of a row of the layer tree; empty: the last one that has places."""


class FindNearest(_Message, frozen=True):
    """Which training images are most like this one to the model? Answered by `Nearest` or `CommandFailed`."""

    request: int
    catalog: str
    path: str = ""
    content: bytes = b""
    count: int = 6


class PredictFiles(_Message, frozen=True):
    """Ask the present model about many files; answered by `PredictedFiles`, in portions. During a training too, a few
    between two steps."""

    request: int
    paths: list[str]
    """Files, and folders that are searched for images."""
    table: str = ""
    """CSV file to write, row by row; empty: none."""
    threshold: float = 0.0
    """An answer of less probability is “don't know”."""


class EndFiles(_Message, frozen=True):
    """The person does not want the rest of `PredictFiles`; what was answered stays."""


EXPORT_KINDS = ("folder", "onnx", "torch", "script")
"""What a model can be taken away as: a folder that timm loads; ONNX; a torch.export program; a script that repeats the run."""


class Export(_Message, frozen=True):
    """Write a finished model for use elsewhere and prove that it answers as here; `Exported` for each kind, then
    `ExportFinished`, or `CommandFailed`. `Stop` ends it, and nothing is left then."""

    request: int
    folder: str
    """Of a run, or of a finished model."""
    kinds: list[str]
    """Of `EXPORT_KINDS`."""
    destination: str
    """Folder in which a new one is made."""
    catalog: str = ""
    """Of the run's project, for validation images; empty: found beside the run, or else its list of samples."""
    threshold: float | None = None
    """An answer of less probability is “don't know”; None: as the model says itself."""


class Shutdown(_Message, frozen=True):
    """Leave. Closing the engine's input does the same."""


Command = (
    Hello
    | Configure
    | LoadModel
    | SetTrainable
    | Train
    | Continue
    | SaveModel
    | ChangeRate
    | ChangeEarlyStop
    | FinishPhase
    | FindRate
    | Judge
    | AskPrice
    | ShowViews
    | PrepareExample
    | Pause
    | Resume
    | Stop
    | Predict
    | Explain
    | FindNearest
    | PredictFiles
    | EndFiles
    | Export
    | Shutdown
)


# --- events: engine -> window ---------------------------------------------------------------------------------------


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A place to compute."""

    id: str
    """As in `Recipe.device`."""
    name: str
    """For people, e.g. ``"NVIDIA H100"``."""
    memory: int
    """Bytes in all; 0 = not known."""


class Ready(_Message, frozen=True):
    """First event: imports are done and commands are answered."""

    torch: str
    devices: list[Device]
    """The first is what ``"auto"`` means."""
    models: list[str]
    """Names for completion: timm's, then torchvision's as ``torchvision/…``."""
    seconds: float
    """From the start of the process to this message."""
    protocol: int = PROTOCOL_VERSION


class LayerNode(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the layer tree. Rows come in pre-order; row i's parent has a smaller index."""

    name: str
    """Unique. A group's name (``stem``, ``stage 3``, ``neck``, ``head``) or the module's path in the model."""
    label: str
    """What the tree shows, e.g. ``block 2``."""
    path: str | None
    """The module's path in the model (``""`` is the model itself); None for a group of several modules."""
    parent: int
    """Index of the parent row, -1 for a top row."""
    kind: str
    """Class of the module (``Conv2d``), or ``"group"``."""
    parameters: int
    """Scalars in this row and all below it."""
    own_parameters: int
    """Scalars owned by this module itself; rows with some are the units of freezing."""
    output: list[int]
    """Shape of the output for one image, without the batch dimension; empty when unknown."""


class ModelLoaded(_Message, frozen=True):
    """Answer to `LoadModel`."""

    request: int
    backbone: Backbone
    title: str
    """For people, e.g. ``"EfficientNet-Lite0 · ImageNet"``."""
    class_names: list[str]
    layers: list[LayerNode]
    trainable: list[int]
    """Rows (own parameters > 0) that are not frozen."""
    trainable_parameters: int
    total_parameters: int
    trained: bool
    """The head has learned these classes (loaded from a finished run)."""
    device: str


class FreezingChanged(_Message, frozen=True):
    """The model's real state after a tick, a preset or a new phase."""

    request: int
    """0 when a phase caused it."""
    trainable: list[int]
    layers: list[str]
    """The shortest list of names that gives this state; what a recipe would say."""
    trainable_parameters: int
    total_parameters: int


class Progress(_Message, frozen=True):
    """Something long goes on before or between steps."""

    what: str
    """A sentence part, e.g. ``"reading images"``."""
    done: int
    total: int
    unit: str = ""
    """``"bytes"`` of a download, ``"files"`` of an example set, both of which `Stop` ends; empty: things to be counted."""


class TrainingStarted(_Message, frozen=True):
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


class PhaseStarted(_Message, frozen=True):
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


class PrefixCached(_Message, frozen=True):
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


class Steered(_Message, frozen=True):
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


class Steps(_Message, frozen=True):
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


class LayerLearning(_Message, frozen=True):
    """How much each layer moves; at most 4 times a second."""

    step: int
    rows: list[int]
    """Rows of the layer tree that own parameters and learn."""
    relative: list[float]
    """Norm of a step's update divided by the norm of the weights, smoothed over some steps."""


class EpochFinished(_Message, frozen=True):
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


class PhaseFinished(_Message, frozen=True):
    phase: int
    frozen_hash: str
    frozen_unchanged: bool
    """The hash of all frozen parameters and buffers is what it was when the phase began."""
    stopped_early: bool


class Paused(_Message, frozen=True):
    step: int


class Resumed(_Message, frozen=True):
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


class TrainingFinished(_Message, frozen=True):
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


class ModelSaved(_Message, frozen=True):
    """Answer to `SaveModel`."""

    request: int
    folder: str


class RateTested(_Message, frozen=True):
    """One more step of a range test."""

    request: int
    lr: float
    loss: float
    """Smoothed."""


class RateTestFinished(_Message, frozen=True):
    request: int
    lr: list[float]
    loss: list[float]
    suggestion: float
    """0 when nothing can be suggested."""
    why: str
    """One sentence: how to read it, or why there is no suggestion."""


class Judged(_Message, frozen=True):
    """Some images, and what the model says of them."""

    request: int
    paths: list[str]
    """As the catalog names them."""
    predictions: list[str]
    """The most probable class of each."""
    confidences: list[float]
    """Its probability."""
    losses: list[float]
    """Cross-entropy of the label, as in training (without the temperature): how much it surprises the model. NaN for a
    class that the model does not know."""
    done: int
    total: int
    over: bool
    """There are no more."""


class Price(_Message, frozen=True):
    """What training some layers costs on this device."""

    request: int
    trainable_parameters: int
    total_parameters: int
    epoch_seconds: float
    """One pass over the training and validation images."""
    prefix_seconds: float
    """Once before the first epoch: decoding, and the frozen prefix over all views."""
    memory: int
    """Bytes of the engine at its peak; on a GPU, of the device."""
    cached: bool
    """The frozen prefix would be cached."""
    run_seconds: float = -1.0
    """All phases of the recipe that are switched on, if none ends early; negative: not known."""


class Views(_Message, frozen=True):
    """Answer to `ShowViews`."""

    request: int
    images: list[bytes]
    """PNG files, as large as the model's input."""


class ExampleReady(_Message, frozen=True):
    """Answer to `PrepareExample`."""

    request: int
    name: str
    folder: str
    """Complete; the copy, if one was asked for."""


class Prediction(_Message, frozen=True):
    """Answer to `Predict`."""

    request: int
    probabilities: list[float]
    """In class order."""
    class_names: list[str]
    milliseconds: float
    """From the command's arrival to this answer, decoding included."""
    trained: bool
    """False: the head has learned nothing yet, the answer is a guess."""
    step: int
    """Weights of this step of the run; 0 before training."""
    model: str = ""
    """As asked."""
    title: str = ""
    """Of another model than the present one, for people."""


class Explanation(_Message, frozen=True):
    """Answer to `Explain`: how much each place speaks for the class."""

    request: int
    class_name: str
    layer: str
    heat: list[list[float]]
    """Rows from the top, values from 0 to 1."""
    area: tuple[float, float, float, float]
    """What the model sees of the upright image: left, top, right and bottom as shares of its size. Outside 0 to 1 where
    the image was too small and black was put around it."""
    probabilities: list[float]
    """In class order."""
    class_names: list[str]
    milliseconds: float


class Neighbor(msgspec.Struct, frozen=True):
    """A training image that is like another to the model."""

    path: str
    """As the catalog names it."""
    class_name: str
    similarity: float
    """Cosine of the angle between what the head is given for the two, -1 to 1."""


class Nearest(_Message, frozen=True):
    """Answer to `FindNearest`, most alike first."""

    request: int
    neighbors: list[Neighbor]


class PredictedFiles(_Message, frozen=True):
    """Some files, and what the model says of them."""

    request: int
    paths: list[str]
    answers: list[str]
    """The most probable class, ``"don't know"`` below the threshold, empty for what can't be read."""
    confidences: list[float]
    """NaN for what can't be read."""
    problems: list[str]
    """Why it can't be read; empty if it can."""
    done: int
    total: int
    over: bool
    """There are no more."""
    stopped: bool = False
    """… because the person did not want them."""
    trained: bool = True
    """False: the head has learned nothing yet, the answers are guesses."""


class Exported(_Message, frozen=True):
    """One kind of a model was written and run, or could not be."""

    request: int
    kind: str
    files: list[str]
    """Names in the new folder; empty where there is a problem."""
    differences: dict[str, float]
    """Batch size -> largest difference in probability from the program's own answers; for a script that predicts, under
    its name."""
    images: int
    """That were compared."""
    on: str
    """Which images, e.g. ``"validation images"``."""
    problem: str
    """Why there is no file of this kind; empty if there is."""


class ExportFinished(_Message, frozen=True):
    """The end of an export."""

    request: int
    folder: str
    """The new folder; empty if it was stopped, or nothing could be written."""
    stopped: bool


class CommandFailed(_Message, frozen=True):
    """A command could not be done; the engine goes on."""

    request: int
    command: str
    message: str
    """One sentence for the person."""


class Log(_Message, frozen=True):
    """A line for the log and, unless at ``"info"``, for the status line: ``"notice"`` is good to know, ``"warning"`` more."""

    level: str
    message: str


Event = (
    Ready
    | ModelLoaded
    | FreezingChanged
    | Progress
    | TrainingStarted
    | PhaseStarted
    | PrefixCached
    | Steered
    | Steps
    | LayerLearning
    | EpochFinished
    | PhaseFinished
    | Paused
    | Resumed
    | TrainingFinished
    | ModelSaved
    | RateTested
    | RateTestFinished
    | Judged
    | Price
    | Views
    | ExampleReady
    | Prediction
    | Explanation
    | Nearest
    | PredictedFiles
    | Exported
    | ExportFinished
    | CommandFailed
    | Log
)
