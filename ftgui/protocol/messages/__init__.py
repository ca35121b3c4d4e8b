"""Every message between window and engine: tagged msgspec Structs. Commands go to the engine, events come back.

Rules: fields are plain values; every answer to a command with a ``request`` number carries that number; a
message that either side does not know is an error, so the first one on each side carries the version.
"""

from __future__ import annotations

from ftgui.protocol.messages.base import (
    PROTOCOL_VERSION,
    Message,
)
from ftgui.protocol.messages.example_sets import (
    ExampleReady,
    PrepareExample,
)
from ftgui.protocol.messages.export import (
    EXPORT_KINDS,
    Export,
    Exported,
    ExportFinished,
)
from ftgui.protocol.messages.inference import (
    EndFiles,
    Explain,
    Explanation,
    FindNearest,
    Judge,
    Judged,
    Nearest,
    Neighbor,
    Predict,
    PredictedFiles,
    PredictFiles,
    Prediction,
    ShowViews,
    Views,
)
from ftgui.protocol.messages.model import (
    UNTOUCHED,
    AskPrice,
    FreezingChanged,
    LayerNode,
    LoadModel,
    ModelLoaded,
    Price,
    SetTrainable,
)
from ftgui.protocol.messages.process import (
    CommandFailed,
    Configure,
    Device,
    Hello,
    Log,
    Progress,
    Ready,
    Shutdown,
    Stop,
)
from ftgui.protocol.messages.training import (
    ChangeEarlyStop,
    ChangeRate,
    Continue,
    EpochFinished,
    Evaluation,
    FindRate,
    FinishPhase,
    GroupRate,
    LayerLearning,
    ModelSaved,
    Pause,
    Paused,
    PhaseFinished,
    PhaseStarted,
    PrefixCached,
    RateTested,
    RateTestFinished,
    Resume,
    Resumed,
    SaveModel,
    Steered,
    Steps,
    Train,
    TrainingFinished,
    TrainingStarted,
)

__all__ = [
    "EXPORT_KINDS",
    "PROTOCOL_VERSION",
    "UNTOUCHED",
    "AskPrice",
    "ChangeEarlyStop",
    "ChangeRate",
    "Command",
    "CommandFailed",
    "Configure",
    "Continue",
    "Device",
    "EndFiles",
    "EpochFinished",
    "Evaluation",
    "Event",
    "ExampleReady",
    "Explain",
    "Explanation",
    "Export",
    "ExportFinished",
    "Exported",
    "FindNearest",
    "FindRate",
    "FinishPhase",
    "FreezingChanged",
    "GroupRate",
    "Hello",
    "Judge",
    "Judged",
    "LayerLearning",
    "LayerNode",
    "LoadModel",
    "Log",
    "Message",
    "ModelLoaded",
    "ModelSaved",
    "Nearest",
    "Neighbor",
    "Pause",
    "Paused",
    "PhaseFinished",
    "PhaseStarted",
    "Predict",
    "PredictFiles",
    "PredictedFiles",
    "Prediction",
    "PrefixCached",
    "PrepareExample",
    "Price",
    "Progress",
    "RateTestFinished",
    "RateTested",
    "Ready",
    "Resume",
    "Resumed",
    "SaveModel",
    "SetTrainable",
    "ShowViews",
    "Shutdown",
    "Steered",
    "Steps",
    "Stop",
    "Train",
    "TrainingFinished",
    "TrainingStarted",
    "Views",
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
