"""The engine as a process: how it begins and ends, how far it is, what failed."""

from __future__ import annotations

import msgspec

from ftgui.protocol.messages.base import PROTOCOL_VERSION, Message


class Hello(Message, frozen=True):
    """First command on every connection."""

    protocol: int = PROTOCOL_VERSION


class Configure(Message, frozen=True):
    """Where pretrained weights may come from, from now on; nothing is answered."""

    offline: bool = False
    """Never use the network."""
    hub_mirror: str = ""
    """Address that stands in for Hugging Face's; empty: the usual one, or ``HF_ENDPOINT``."""
    torchvision_mirror: str = ""
    """Address that stands in for torchvision's server of weights; empty: the usual one."""


class CancelRequest(Message, frozen=True):
    """End what an earlier command asked for, also if it has yet to begin; where that is over, nothing happens.

    It then answers as it always does at its end: a training finishes the present step and keeps the best weights so far, an
    evaluation says that it is over, a download fails with a sentence.
    """

    request: int
    """The earlier command's."""


class Shutdown(Message, frozen=True):
    """Leave. Closing the engine's input does the same."""


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A place to compute."""

    id: str
    """As in `Recipe.device`."""
    name: str
    """For people, e.g. ``"NVIDIA H100"``."""
    memory: int
    """Bytes in all; 0 = not known."""


class Ready(Message, frozen=True):
    """First event: imports are done and commands are answered."""

    torch: str
    devices: list[Device]
    """The first is what ``"auto"`` means."""
    models: list[str]
    """Names for completion: timm's, then torchvision's as ``torchvision/…``."""
    seconds: float
    """From the start of the process to this message."""
    protocol: int = PROTOCOL_VERSION


class Progress(Message, frozen=True):
    """Something long goes on before or between steps."""

    what: str
    """A sentence part, e.g. ``"reading images"``."""
    done: int
    total: int
    unit: str = ""
    """``"bytes"`` of a download, ``"files"`` of an example set; empty: things to be counted."""
    request: int = 0
    """Of the command that it is done for."""


class CommandFailed(Message, frozen=True):
    """A command could not be done; the engine goes on."""

    request: int
    """The command's; 0 for one without."""
    message: str
    """One sentence for the person."""


class Log(Message, frozen=True):
    """A line for the log and, unless at ``"info"``, for the status line: ``"notice"`` is good to know, ``"warning"`` more."""

    level: str
    message: str
