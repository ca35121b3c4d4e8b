"""``ftgui predict`` of a folder without images says why, and does not end as if all were well."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
from PIL import Image

from ftgui.cli import predict
from ftgui.runs import model_folder
from ftgui.runs.model_folder import About


def test_no_images_is_said_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    about = About(backbone="x", weights="none", class_names=["a", "b"], preprocessing={})
    monkeypatch.setattr(model_folder, "read_about", lambda _folder: about)
    monkeypatch.setattr(predict, "_answers", lambda *_arguments: iter(()))
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(3):
        Image.new("RGB", (40, 40)).save(photos / f"{number}.NEF", "TIFF")
    options = argparse.Namespace(model=tmp_path, images=[photos], format="csv", threshold=None, top=1, device="cpu")
    assert predict.run(options) == 1
    said = capsys.readouterr().err
    assert "There are no images in “photos”, but 3 files that ftgui can't read (each a camera's raw file)" in said
