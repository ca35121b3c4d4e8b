"""Messages on a byte stream: four bytes of length (big-endian), then one msgpack map.

msgpack rather than JSON because NaN and bytes survive it, and a length in front because a reader must never
guess where a message ends.
"""

from __future__ import annotations

import struct
from typing import BinaryIO, Generic, TypeVar

import msgspec

from ftgui.protocol.messages import Command, Event

MAX_MESSAGE = 256 * 1024 * 1024
"""Bytes. A longer length means that something else wrote to the pipe."""

_LENGTH = struct.Struct(">I")
_encoder = msgspec.msgpack.Encoder()

M = TypeVar("M")


class ProtocolError(Exception):
    """The other side sent something that is not a message of this protocol."""


def encode(message: Command | Event) -> bytes:
    """One framed message."""
    body = _encoder.encode(message)
    if len(body) > MAX_MESSAGE:
        raise ProtocolError(f"A message of {len(body):,} bytes is longer than {MAX_MESSAGE:,}.")
    return _LENGTH.pack(len(body)) + body


class Decoder(Generic[M]):
    """Turns bytes, in whatever pieces they arrive, into messages of one union type."""

    def __init__(self, kind: type[M]) -> None:
        self._decoder = msgspec.msgpack.Decoder(kind)
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[M]:
        """Add bytes, get every message that is now complete.

        Raises:
            ProtocolError: the bytes are not messages of this protocol.
        """
        self._buffer += data
        messages: list[M] = []
        start = 0
        while len(self._buffer) - start >= _LENGTH.size:
            (size,) = _LENGTH.unpack_from(self._buffer, start)
            if size > MAX_MESSAGE:
                raise ProtocolError(f"The stream announces a message of {size:,} bytes; something else wrote to it.")
            end = start + _LENGTH.size + size
            if len(self._buffer) < end:
                break
            body = bytes(self._buffer[start + _LENGTH.size : end])
            try:
                messages.append(self._decoder.decode(body))
            except ValueError as error:
                raise ProtocolError(f"A message could not be understood: {error}") from error
            start = end
        del self._buffer[:start]
        return messages


def command_decoder() -> Decoder[Command]:
    """For the engine's side."""
    return Decoder(Command)  # type: ignore[arg-type]


def event_decoder() -> Decoder[Event]:
    """For the window's side."""
    return Decoder(Event)  # type: ignore[arg-type]


def write(stream: BinaryIO, message: Command | Event) -> None:
    """Write one message and flush it."""
    stream.write(encode(message))
    stream.flush()
