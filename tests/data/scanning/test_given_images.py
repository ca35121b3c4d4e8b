"""What a model is asked about is found by the rules of a scan, whatever it was given as."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from ftgui.base.job import Job
from ftgui.data.images.decoding import ImageError, read_image_file
from ftgui.data.scanning.folder_scan import scan
from ftgui.data.scanning.found import FoundImage
from ftgui.data.scanning.given_images import count_given, images_below, opened
from tests.conftest import Maker


def names(given: list[Path], top: Path) -> list[str]:
    return [path.relative_to(top).as_posix() for path in images_below(given)]


@pytest.fixture
def folder(make_dataset: Maker) -> Path:
    """Two classes, and what lies about in folders that people have."""
    root = make_dataset(count=2)
    for junk in ("@eaDir/red0.jpg", ".thumbnails", "Holiday.photoslibrary", "#recycle"):
        (root / "red" / junk).mkdir(parents=True)
        shutil.copy(root / "red" / "red0.jpg", root / "red" / junk / "SYNOPHOTO_THUMB_M.jpg")
    shutil.copy(root / "red" / "red0.jpg", root / "red" / "._red0.jpg")
    return root


def found_by_scan(root: Path) -> list[str]:
    taken: list[FoundImage] = []
    scan(root, take=taken.extend)
    return [image.path for image in taken]


def test_junk_is_left_out_as_in_a_scan(folder: Path) -> None:
    assert names([folder], folder) == found_by_scan(folder)
    assert count_given([folder], Job()) == 4


@pytest.mark.skipif(os.name == "nt", reason="links need a right on Windows")
def test_linked_folders_are_followed_once_as_in_a_scan(folder: Path, make_dataset: Maker) -> None:
    elsewhere = make_dataset(("green",), 3, name="elsewhere")
    (folder / "green").symlink_to(elsewhere / "green", target_is_directory=True)
    (folder / "red" / "up").symlink_to(folder, target_is_directory=True)
    (folder / "red" / "itself").symlink_to(folder / "red" / "itself")
    below = names([folder], folder)
    assert sorted(below) == sorted(set(below)) and len(below) == 7
    assert below == [
        f"{name}/{name}{n}.jpg" for name, count in (("blue", 2), ("green", 3), ("red", 2)) for n in range(count)
    ]
    assert set(below) == set(found_by_scan(folder))
    assert names([folder / "green"], folder / "green") == ["green0.jpg", "green1.jpg", "green2.jpg"]


def test_files_come_as_they_were_given(folder: Path, tmp_path: Path) -> None:
    single = folder / "blue" / "blue1.jpg"
    assert list(images_below([tmp_path / "nowhere.jpg", single]))[:2] == [tmp_path / "nowhere.jpg", single]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="may read everything")
def test_a_folder_nobody_may_look_into_is_told(folder: Path) -> None:
    (folder / "blue").chmod(0)
    try:
        assert names([folder], folder) == ["blue", "red/red0.jpg", "red/red1.jpg"]
        with pytest.raises(ImageError, match="no permission to look into this folder"):
            read_image_file(folder / "blue")
    finally:
        (folder / "blue").chmod(0o755)


def test_a_folder_that_can_not_be_listed_is_given_itself(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    def refusing(path: str) -> object:
        if str(path).endswith("blue"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr("ftgui.data.scanning.walk.os.scandir", refusing)
    assert names([folder], folder) == ["blue", "red/red0.jpg", "red/red1.jpg"]


def test_archives_are_unpacked(folder: Path, tmp_path: Path) -> None:
    packed = Path(shutil.make_archive(str(tmp_path / "photos"), "gztar", folder))
    single = folder / "red" / "red0.jpg"
    given = opened([packed, single], Job())
    assert given[1] == single and [path.name for path in images_below(given)] == [
        "blue0.jpg",
        "blue1.jpg",
        "red0.jpg",
        "red1.jpg",
        "red0.jpg",
    ]
