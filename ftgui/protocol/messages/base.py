"""The base of every message, and the version of the protocol."""

from __future__ import annotations

import msgspec

PROTOCOL_VERSION = 8


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    pass


def request_of(message: Message) -> int:
    """The number by which a command and what answers it belong together; 0: it has none."""
    return int(getattr(message, "request", 0))
