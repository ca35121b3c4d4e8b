"""The sample is what the README says it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from ftgui.base.job import Cancelled, Job
from ftgui.data.scanning.folder_scan import scan
from ftgui.data.scanning.found import FoundImage
from ftgui.ui.project import sample_dataset

pytestmark = pytest.mark.slow


def test_six_classes_or_more_of_fifty_or_more() -> None:
    chosen = sample_dataset.code_points()
    assert len(chosen) >= 6 and all(len(stems) >= 50 for stems in chosen.values())
    every = [stem for stems in chosen.values() for stem in stems]
    assert len(set(every)) == len(every), "no drawing is in two classes"


def test_it_is_drawn_once_and_opens_as_a_dataset(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = sample_dataset.sample_folder(Job())
    images: list[FoundImage] = []
    found = scan(folder, take=images.extend)
    assert found.class_names == sorted(sample_dataset.code_points()) and not found.problems
    with Image.open(folder / images[0].path) as image:
        assert image.size == (224, 224) and image.convert("L").getextrema()[0] < 100, "something is drawn"
    assert "CC BY-SA 4.0" in (folder.parent / "LICENSE.txt").read_text(encoding="utf-8")
    monkeypatch.setattr(sample_dataset, "draw", lambda svg: pytest.fail("drawn again"))
    assert sample_dataset.sample_folder(Job()) == folder


def test_cancelling_leaves_nothing_half_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FTGUI_CACHE_DIR", str(tmp_path / "cache"))
    job = Job()
    job.cancel()
    with pytest.raises(Cancelled):
        sample_dataset.sample_folder(job)
    assert list((tmp_path / "cache" / sample_dataset.NAME).iterdir()) == []
