"""What a terminal shows of progress."""

from __future__ import annotations

from ftgui.progress import progress
from ftgui.protocol import messages as m


def test_downloads_are_counted_in_megabytes() -> None:
    assert progress(m.Progress("reading images", 1200, 2000)) == "reading images: 1,200 of 2,000"
    assert progress(m.Progress("downloading x", 12_300_000, 98_000_000, "bytes")) == "downloading x: 12 of 98 MB"
    assert progress(m.Progress("downloading x", 300_000, 1_500_000, "bytes")) == "downloading x: 0.3 of 1.5 MB"
    assert progress(m.Progress("looking for x", 0, 0, "bytes")) == "looking for x"
