"""Models for other programs."""

from __future__ import annotations

from ftgui.protocol.messages.base import Message

EXPORT_KINDS = ("folder", "onnx", "torch", "script")
"""What a model can be exported as: a folder that timm loads; ONNX; a torch.export program; a script that repeats the run."""


class Export(Message, frozen=True):
    """Write a finished model for use elsewhere and prove that it answers as here; `Exported` for each kind, then
    `ExportFinished`, or `CommandFailed`. Where it is cancelled, nothing is left."""

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


class Exported(Message, frozen=True):
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


class ExportFinished(Message, frozen=True):
    """The end of an export."""

    request: int
    folder: str
    """The new folder; empty if it was stopped, or nothing could be written."""
    stopped: bool
