"""Every message between window and engine: tagged msgspec Structs. Commands go to the engine, events come back.

Rules: fields are plain values; every answer to a command with a ``request`` number carries that number; a
message that either side does not know is an error, so the first one on each side carries the version.
"""

from __future__ import annotations

from typing import get_args

from ftgui.protocol.messages.base import (
    PROTOCOL_VERSION,
    Message,
    request_of,
)
from ftgui.protocol.messages.example_sets import (
    DownloadExampleSet,
    ExampleSetReady,
)
from ftgui.protocol.messages.export import (
    EXPORT_KINDS,
    Export,
    Exported,
    ExportFinished,
)
from ftgui.protocol.messages.inference import (
    AugmentedViews,
    EvaluatedImages,
    EvaluateImages,
    Explain,
    Explanation,
    FindSimilar,
    Predict,
    PredictedFiles,
    PredictFiles,
    Prediction,
    PreviewAugmentation,
    SimilarImage,
    SimilarImages,
)
from ftgui.protocol.messages.model import (
    PRETRAINED_MODEL,
    CostEstimate,
    EstimateCost,
    FreezingChanged,
    LayerNode,
    LoadModel,
    MeasuringCost,
    ModelLoaded,
    SetTrainable,
)
from ftgui.protocol.messages.process import (
    CancelRequest,
    CommandFailed,
    Configure,
    Device,
    Hello,
    Log,
    Progress,
    Ready,
    Shutdown,
)
from ftgui.protocol.messages.training import (
    ChangeEarlyStop,
    ChangeRate,
    Continue,
    EpochFinished,
    Evaluation,
    FindLearningRate,
    FinishPhase,
    FrozenFeaturesCached,
    GroupRate,
    LearningRateFound,
    LearningRateTried,
    ModelSaved,
    Pause,
    Paused,
    PhaseFinished,
    PhaseStarted,
    Resume,
    Resumed,
    RunAdjusted,
    SaveModel,
    StepMetrics,
    Train,
    TrainingFinished,
    TrainingStarted,
    UpdateRatios,
)

__all__ = [
    "EXPORT_KINDS",
    "PRETRAINED_MODEL",
    "PROTOCOL_VERSION",
    "TRAINING_EVENTS",
    "AugmentedViews",
    "CancelRequest",
    "ChangeEarlyStop",
    "ChangeRate",
    "Command",
    "CommandFailed",
    "Configure",
    "Continue",
    "CostEstimate",
    "Device",
    "DownloadExampleSet",
    "EpochFinished",
    "EstimateCost",
    "EvaluateImages",
    "EvaluatedImages",
    "Evaluation",
    "Event",
    "ExampleSetReady",
    "Explain",
    "Explanation",
    "Export",
    "ExportFinished",
    "Exported",
    "FindLearningRate",
    "FindSimilar",
    "FinishPhase",
    "FreezingChanged",
    "FrozenFeaturesCached",
    "GroupRate",
    "Hello",
    "LayerNode",
    "LearningRateFound",
    "LearningRateTried",
    "LoadModel",
    "Log",
    "MeasuringCost",
    "Message",
    "ModelLoaded",
    "ModelSaved",
    "Pause",
    "Paused",
    "PhaseFinished",
    "PhaseStarted",
    "Predict",
    "PredictFiles",
    "PredictedFiles",
    "Prediction",
    "PreviewAugmentation",
    "Progress",
    "Ready",
    "Resume",
    "Resumed",
    "RunAdjusted",
    "SaveModel",
    "SetTrainable",
    "Shutdown",
    "SimilarImage",
    "SimilarImages",
    "StepMetrics",
    "Train",
    "TrainingEvent",
    "TrainingFinished",
    "TrainingStarted",
    "UpdateRatios",
    "is_last",
    "request_of",
]

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
    | FindLearningRate
    | EvaluateImages
    | EstimateCost
    | PreviewAugmentation
    | DownloadExampleSet
    | Pause
    | Resume
    | CancelRequest
    | Predict
    | Explain
    | FindSimilar
    | PredictFiles
    | Export
    | Shutdown
)

Event = (
    Ready
    | ModelLoaded
    | FreezingChanged
    | Progress
    | TrainingStarted
    | PhaseStarted
    | FrozenFeaturesCached
    | RunAdjusted
    | StepMetrics
    | UpdateRatios
    | EpochFinished
    | PhaseFinished
    | Paused
    | Resumed
    | TrainingFinished
    | ModelSaved
    | LearningRateTried
    | LearningRateFound
    | EvaluatedImages
    | MeasuringCost
    | CostEstimate
    | AugmentedViews
    | ExampleSetReady
    | Prediction
    | Explanation
    | SimilarImages
    | PredictedFiles
    | Exported
    | ExportFinished
    | CommandFailed
    | Log
)

TrainingEvent = (
    TrainingStarted | PhaseStarted | StepMetrics | EpochFinished | PhaseFinished | Paused | Resumed | TrainingFinished
)
"""How a run goes, from its beginning to its end."""

TRAINING_EVENTS: tuple[type[TrainingEvent], ...] = get_args(TrainingEvent)


def is_last(event: Event) -> bool:
    """Whether an event is the last that carries its request's number."""
    if isinstance(event, EvaluatedImages | PredictedFiles):
        return event.over
    return not isinstance(event, Progress | LearningRateTried | Exported | MeasuringCost)
