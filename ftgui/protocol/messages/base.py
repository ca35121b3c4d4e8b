"""The base of every message, and the version of the protocol."""

from __future__ import annotations

import msgspec

PROTOCOL_VERSION = 7


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    pass
