"""A dataset as one file: unpacked once, safely, or refused in a sentence with nothing left behind."""

from __future__ import annotations

import io
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ftgui.base import paths
from ftgui.base.job import Cancelled, Job
from ftgui.data.scanning import archive
from ftgui.data.scanning.archive import count_images, is_archive_name, unpacked
from ftgui.data.scanning.folder_scan import scan
from ftgui.data.scanning.found import DatasetError, FoundImage
from tests.conftest import Maker


def zipped(target: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return target


def tarred(target: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(target, "w:gz") as file:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return target


def everything_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("kind", ["zip", "tar", "gztar", "bztar", "xztar"])
def test_it_holds_what_the_folder_held(kind: str, make_dataset: Maker, tmp_path: Path) -> None:
    folder = make_dataset(count=3, splits=("train", "val"))
    file = Path(shutil.make_archive(str(tmp_path / "Meine Bilder"), kind, tmp_path, folder.name))
    assert is_archive_name(file) and count_images(file, Job()) == 12
    opened = unpacked(file, Job())
    assert opened.name == "Meine Bilder" and opened.is_relative_to(paths.data_dir())
    was: list[FoundImage] = []
    found: list[FoundImage] = []
    old, new = scan(folder, take=was.extend).root, scan(opened, take=found.extend).root
    assert [(i.path, i.class_name, i.split) for i in found] == [(i.path, i.class_name, i.split) for i in was]
    assert all((new / i.path).read_bytes() == (old / i.path).read_bytes() for i in found)


def test_it_is_unpacked_once_and_anew_when_it_changes(make_dataset: Maker, tmp_path: Path, monkeypatch) -> None:
    file = Path(shutil.make_archive(str(tmp_path / "a"), "zip", make_dataset(count=2)))
    first = unpacked(file, Job())
    with monkeypatch.context() as patch:
        patch.setattr(archive, "_write", None)
        assert unpacked(file, Job()) == first
    zipped(file, {"red/1.png": b"1", "blue/2.png": b"2"})
    assert unpacked(file, Job()) != first and len(everything_below(first)) == 4


def test_a_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "odd.zip"
    folder.mkdir()
    assert unpacked(folder, Job()) == folder


@pytest.mark.parametrize("pack", [zipped, tarred])
@pytest.mark.parametrize(
    "name", ["../evil.png", "/evil.png", "red/../../evil.png", "red\\..\\..\\evil.png", "C:\\evil.png"]
)
def test_no_name_leads_out(name: str, pack: Callable[..., Path], tmp_path: Path) -> None:
    ending = "zip" if pack is zipped else "tar.gz"
    file = pack(tmp_path / f"a.{ending}", {"red/good.png": b"x", name: b"x"})
    before = everything_below(tmp_path)
    with pytest.raises(DatasetError, match="outside its folder"):
        unpacked(file, Job())
    assert everything_below(tmp_path) == before


def test_links_junk_and_what_is_no_picture_stay_in_the_archive(tmp_path: Path) -> None:
    file = tmp_path / "a.tar"
    with tarfile.open(file, "w") as tar:
        for name in ("red/1.png", "__MACOSX/red/1.png", "red/._1.png", ".hidden/2.png", "red/run.exe", "red/b.gif"):
            tar.addfile(tarfile.TarInfo(name))
        link = tarfile.TarInfo("red/link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    assert everything_below(unpacked(file, Job())) == ["red/1.png", "red/b.gif"]


def test_names_in_utf8_that_do_not_say_so(tmp_path: Path) -> None:
    file = zipped(tmp_path / "a.zip", {"鳥/1.png": b"x"})
    raw = file.read_bytes()
    # As some programs write it: without the flag (general purpose bit 11).
    for header, offset in ((b"PK\x03\x04", 7), (b"PK\x01\x02", 9)):
        place = raw.index(header) + offset
        raw = raw[:place] + bytes([raw[place] & ~0x08]) + raw[place + 1 :]
    file.write_bytes(raw)
    assert everything_below(unpacked(file, Job())) == ["鳥/1.png"]


def refused(file: Path, words: str) -> None:
    with pytest.raises(DatasetError, match=words):
        unpacked(file, Job())
    base = paths.data_dir() / "unpacked"
    assert not base.exists() or not list(base.iterdir())


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(archive, "MOST_BYTES", 100_000)
    refused(zipped(tmp_path / "a.zip", {"red/1.bmp": bytes(1_000_000)}), "Images don't shrink like that")
    monkeypatch.setattr(archive, "MOST_BYTES", 2_000_000)
    assert unpacked(tmp_path / "a.zip", Job()).is_dir(), "small ones may be as empty as they like"


def test_what_does_not_fit_the_disk_is_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(archive, "SPARE_BYTES", 2**60)
    refused(zipped(tmp_path / "a.zip", {"red/1.png": b"x"}), "more than there is room for")


def test_a_locked_one_is_refused(tmp_path: Path) -> None:
    file = zipped(tmp_path / "a.zip", {"red/1.png": b"x"})
    raw = bytearray(file.read_bytes())
    raw[raw.index(b"PK\x01\x02") + 8] |= 0x1
    file.write_bytes(bytes(raw))
    refused(file, "protected by a password")


@pytest.mark.parametrize("pack", [zipped, tarred])
@pytest.mark.parametrize("damage", ["cut", "turned", "empty", "text"])
def test_a_damaged_one_is_refused(damage: str, pack: Callable[..., Path], tmp_path: Path) -> None:
    import random

    content = {f"red/{n}.png": random.Random(n).randbytes(20_000) for n in range(4)}
    file = pack(tmp_path / f"a.{'zip' if pack is zipped else 'tar.gz'}", content)
    raw = bytearray(file.read_bytes())
    if damage == "cut":
        raw = raw[: len(raw) // 2]
    elif damage == "turned":
        raw[len(raw) // 3] ^= 0xFF
    else:
        raw = bytearray(b"" if damage == "empty" else b"nothing of the kind")
    file.write_bytes(bytes(raw))
    refused(file, "damaged")


def test_no_pictures_and_no_file_are_sentences(tmp_path: Path) -> None:
    refused(zipped(tmp_path / "a.zip", {"readme.txt": b"x"}), "no images")
    refused(tmp_path / "gone.zip", "no longer there")


def test_cancelled_nothing_is_left(make_dataset: Maker, tmp_path: Path, monkeypatch) -> None:
    file = Path(shutil.make_archive(str(tmp_path / "a"), "zip", make_dataset(count=9)))
    job = Job()
    copied: list[object] = []
    copy = shutil.copyfileobj

    def copy_some(*arguments) -> None:
        copy(*arguments)
        copied.append(arguments)
        if len(copied) == 5:
            job.cancel()

    monkeypatch.setattr(archive.shutil, "copyfileobj", copy_some)
    with pytest.raises(Cancelled):
        unpacked(file, job)
    assert len(copied) == 5 and not list((paths.data_dir() / "unpacked").iterdir())
