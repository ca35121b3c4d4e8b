"""What a terminal shows of progress."""

from __future__ import annotations

import io

from ftgui.protocol import messages as m
from ftgui.protocol.event_text import ProgressLine, progress


def test_downloads_are_counted_in_megabytes() -> None:
    assert progress(m.Progress("reading images", 1200, 2000)) == "reading images: 1,200 of 2,000"
    assert progress(m.Progress("downloading x", 12_300_000, 98_000_000, "bytes")) == "downloading x: 12 of 98 MB"
    assert progress(m.Progress("downloading x", 300_000, 1_500_000, "bytes")) == "downloading x: 0.3 of 1.5 MB"
    assert progress(m.Progress("looking for x", 0, 0, "bytes")) == "looking for x"


def test_steering_and_the_cached_prefix_are_told() -> None:
    stream = io.StringIO()
    line = ProgressLine(stream)
    line.show(m.FrozenFeaturesCached(0, True, 4, 12_000_000, False, "", 1.0))
    line.show(m.RunAdjusted(1, 1240, "rate", "rate 3e-4"))
    line.show(m.TrainingFinished("runs/1", "exploded", "The loss exploded.", 0, 0.0, 9, 1.0, None))
    assert stream.getvalue().splitlines() == [
        "frozen layers cached, 4 views, 12 MB",
        "step 1,240: rate 3e-4",
        "The loss exploded. 0:01 in all.",
    ]
    assert line.outcome == "exploded"


def test_what_is_good_to_know_is_said_without_a_level() -> None:
    stream = io.StringIO()
    line = ProgressLine(stream)
    line.show(m.Log("notice", "w.pth: all 7 tensors taken; nothing missing"))
    line.show(m.Log("warning", "x.jpg is left out"))
    line.show(m.Log("info", "for the log"))
    assert stream.getvalue() == "w.pth: all 7 tensors taken; nothing missing\nwarning: x.jpg is left out\n"
