"""Messages arrive whole, whatever the pipe does to them."""

from __future__ import annotations

import math
import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftgui.protocol import codec
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Backbone, Recipe

COMMANDS = [
    m.Hello(),
    m.LoadModel(1, Backbone(), ["日本語", "b"], ["head"]),
    m.SetTrainable(2, ["stage 1:own"]),
    m.Train(3, Recipe(), "c", "r"),
    m.Pause(),
    m.Resume(),
    m.CancelRequest(3),
    m.Predict(4, content=bytes(range(256))),
    m.Shutdown(),
]


@given(st.lists(st.sampled_from(COMMANDS), max_size=6), st.integers(1, 50))
def test_any_cutting_of_the_stream_gives_the_same_messages(sent, piece) -> None:
    stream = b"".join(map(codec.encode, sent))
    decoder = codec.command_decoder()
    received = [c for start in range(0, len(stream), piece) for c in decoder.feed(stream[start : start + piece])]
    assert received == sent


def test_nan_survives() -> None:
    event = m.EpochFinished(0, 1, 2, 0.5, 0.5, math.nan, math.nan, True, 1.0, [math.nan, 0.5])
    (received,) = codec.event_decoder().feed(codec.encode(event))
    assert isinstance(received, m.EpochFinished) and math.isnan(received.val_loss)


NO_TEXT = msgspec.msgpack.encode({"type": "Log", "level": "xxxx"}).replace(b"xxxx", b"\xff\xfe\xff\xfe")


@pytest.mark.parametrize(
    "noise",
    [
        b"Downloading: 100%|####| 12.3M\n" * 3,
        struct.pack(">I", 3) + b"\xc1\xc1\xc1",
        struct.pack(">I", len(NO_TEXT)) + NO_TEXT,
        struct.pack(">I", 20) + msgspec.msgpack.encode({"type": "Paused", "nonsense": 1})[:20].ljust(20, b"\0"),
    ],
)
def test_noise_on_the_pipe_is_an_error_not_a_message(noise: bytes) -> None:
    with pytest.raises(codec.ProtocolError):
        codec.event_decoder().feed(noise)


def test_events_and_commands_are_not_mixed_up() -> None:
    with pytest.raises(codec.ProtocolError):
        codec.command_decoder().feed(codec.encode(m.Paused(1)))
