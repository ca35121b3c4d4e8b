"""Well-known datasets, downloaded."""

from __future__ import annotations

from ftgui.protocol.messages.base import Message


class DownloadExampleSet(Message, frozen=True):
    """Have an example set on this computer, as a folder of class folders; answered by `ExampleSetReady` or `CommandFailed`.

    Meanwhile every other command is done as it comes.
    """

    request: int
    name: str
    """Of an `ExampleSet`."""
    copy_to: str = ""
    """A folder to be made with one more copy; empty: none."""


class ExampleSetReady(Message, frozen=True):
    """Answer to `DownloadExampleSet`."""

    request: int
    name: str
    folder: str
    """Complete; the copy, if one was asked for."""
