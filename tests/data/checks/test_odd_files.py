"""Files that every viewer shows are read, with a finding; what can't be read is named for what it is."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from ftgui.base.job import Job
from ftgui.data.catalog.catalog import Catalog
from ftgui.data.checks import image_check
from ftgui.data.checks.image_check import look_through
from ftgui.data.images import other_formats
from ftgui.data.images.decoding import EXTENSIONS, ImageError, load_rgb, open_image, read_rgb
from ftgui.data.images.repair import repaired
from ftgui.data.project import Project
from ftgui.data.scanning.folder_scan import scan
from ftgui.data.scanning.found import DatasetError
from ftgui.data.scanning.given_images import why_no_images
from tests.conftest import Maker, picture
from tests.deep_images import halves, png_chunk, tiff

PICTURE = picture((120, 90, 160), 5)


def saved(kind: str, image: Image.Image = PICTURE, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def with_chunk(chunk: bytes, last: bool = False) -> bytes:
    """The picture as PNG with one more chunk, before its pixels or behind them."""
    png = saved("PNG")
    at = len(png) - 12 if last else png.index(b"IDAT") - 4
    return png[:at] + chunk + png[at:]


def wrong(chunk: bytes) -> bytes:
    return chunk[:-4] + bytes(4)


LONG = b"prompt\0\0" + zlib.compress(b"x" * 3_000_000)


@pytest.mark.parametrize("last", [False, True], ids=["before", "behind"])
@pytest.mark.parametrize(
    "chunk",
    [
        wrong(png_chunk(b"tEXt", b"Comment\0hello")),
        wrong(png_chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(b"profile"))),
        png_chunk(b"zTXt", LONG),
        png_chunk(b"iTXt", b"prompt\0\1\0\0\0" + zlib.compress(b"x" * 3_000_000)),
        png_chunk(b"iCCP", LONG),
    ],
    ids=["checksum of a comment", "checksum of a profile", "long zTXt", "long iTXt", "long profile"],
)
def test_what_is_beside_the_picture_can_not_hide_it(chunk: bytes, last: bool) -> None:
    content = with_chunk(chunk, last)
    read = read_rgb(content)
    assert np.array_equal(np.asarray(read.picture), np.asarray(PICTURE))
    if not last or read.repair:  # Pillow may not mind what comes behind
        assert read.repair.startswith("A part that is not the image itself (") and "left out" in read.repair
    with open_image(content) as image:
        assert image.size == PICTURE.size


def test_a_repaired_png_keeps_what_changes_the_picture() -> None:
    info = PngImagePlugin.PngInfo()
    exif = Image.Exif()
    exif[0x0112] = 6
    clear = Image.fromarray(halves(200, 40, np.uint8))
    content = saved("PNG", clear, transparency=40, exif=exif, pnginfo=info)
    at = content.index(b"IDAT") - 4
    read = read_rgb(content[:at] + wrong(png_chunk(b"tEXt", b"Comment\0hello")) + content[at:])
    assert read.repair and np.array_equal(np.asarray(read.picture), np.asarray(load_rgb(content)))
    assert read.picture.getpixel((0, 40)) == (255, 255, 255) and read.picture.getpixel((0, 2)) == (200, 200, 200)


def test_damage_to_the_picture_itself_is_not_passed_over() -> None:
    png = saved("PNG")
    at = png.index(b"IDAT") + 40
    broken = png[:at] + bytes([png[at] ^ 255]) + png[at + 1 :]
    for content in (broken, png[: len(png) // 2], png[:20]):
        with pytest.raises(ImageError):
            load_rgb(content)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("subsampling", [0, 2])
def test_a_jpeg_without_its_last_two_bytes_is_whole(progressive: bool, subsampling: int) -> None:
    jpeg = saved("JPEG", progressive=progressive, subsampling=subsampling, quality=92)
    for cut in (1, 2):
        read = read_rgb(jpeg[:-cut])
        assert np.array_equal(np.asarray(read.picture), np.asarray(load_rgb(jpeg))), "to the last pixel"
        assert read.repair == "The end marker of the file is missing; all pixels are there."
    assert not read_rgb(jpeg).repair
    for share in (0.5, 0.9, 0.97):
        with pytest.raises(ImageError) as error:
            read_rgb(jpeg[: int(len(jpeg) * share)])
        assert error.value.kind == "truncated"


@given(st.integers(3, 4000), st.booleans(), st.sampled_from([0, 2]))
def test_a_jpeg_is_never_filled_up_with_grey(cut: int, progressive: bool, subsampling: int) -> None:
    whole = saved("JPEG", progressive=progressive, subsampling=subsampling, quality=85)
    found = repaired(whole[:-cut])
    if found is not None:
        assert np.array_equal(np.asarray(load_rgb(found[0])), np.asarray(load_rgb(whole)))


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.jpg", b"", "The file is empty (0 bytes)."),
        ("a.NEF", saved("TIFF"), "This is a camera's raw file, which ftgui can't read: export it as JPEG."),
        ("a.cr3", b"\0\0\0\x18ftypcrx " + bytes(100), "a camera's raw file"),
        ("a.jpg", b"\0\0\0\x18ftypcrx " + bytes(100), "a camera's raw file"),
        ("a.jpg", b"FUJIFILMCCD-RAW 0201", "a camera's raw file"),
        ("a.png", b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "a drawing (SVG)"),
        ("a.jpg", b"\xff\x0a" + bytes(40), "a JPEG XL file"),
        ("a.jpg", b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL file"),
        ("a.tif", bytes(128) + b"DICM" + bytes(40), "a DICOM file"),
        ("a.dcm", bytes(128) + b"DICM" + bytes(40), "a DICOM file"),
        ("a.jpg", b"<!DOCTYPE html>\n<html>404</html>", "a web page"),
        ("a.png", b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "git lfs pull"),
        ("a.tif", tiff(bytes(48 * 48 * 5), 48, 8, bands=5), "This TIFF has 5 bands; ftgui reads 1, 3 or 4."),
        ("a.tif", tiff(bytes(48 * 48 * 12), 48, 32, bands=3, kind=3), "colours as 32-bit floating-point numbers"),
        ("a.jpg", b"no picture at all", "This is not an image"),
    ],
)
def test_what_can_not_be_read_is_named_for_what_it_is(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ImageError) as error:
        load_rgb(tmp_path / name)
    assert says in str(error.value)


def test_a_dng_is_not_taken_for_its_thumbnail() -> None:
    content = saved("TIFF", tiffinfo={50706: b"\1\4\0\0"})
    with pytest.raises(ImageError, match="raw file"):
        load_rgb(content)


def test_no_ending_is_both_read_and_refused() -> None:
    assert not EXTENSIONS & set(other_formats.UNREADABLE)
    assert all("; " in what for what in other_formats.UNREADABLE.values())


def test_the_check_says_what_was_repaired_and_what_can_not_be_read(make_dataset: Maker) -> None:
    root = make_dataset()
    (root / "red" / "comment.png").write_bytes(with_chunk(wrong(png_chunk(b"tEXt", b"Comment\0hello"))))
    (root / "red" / "noend.jpg").write_bytes(saved("JPEG")[:-2])
    (root / "red" / "empty.jpg").write_bytes(b"")
    (root / "red" / "bands.tif").write_bytes(tiff(bytes(48 * 48 * 5), 48, 8, bands=5))
    project = Project.for_dataset(root)
    project.take_in(root)
    with project.catalog() as catalog:
        assert look_through(catalog, Job()) == 2
        groups = {group.kind: group for group in catalog.contents().groups}
        assert {problem.path for problem in groups["repaired"].examples} == {"red/comment.png", "red/noend.jpg"}
        assert groups["empty"].count == groups["other-format"].count == 1
        assert len(catalog.usable()) == 14


def raw_photos(root: Path) -> Path:
    for name in ("cats", "dogs"):
        (root / name).mkdir(parents=True)
        for number in range(3):
            Image.new("RGB", (40, 40), (200, number, 0)).save(root / name / f"{number}.NEF", "TIFF")
    return root


def test_a_folder_of_raw_photos_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as error:
        scan(raw_photos(tmp_path / "photos"))
    assert str(error.value) == (
        "There are no images in “photos”, but 6 files that ftgui can't read (each a camera's raw file): export it as JPEG."
    )


def test_raw_photos_among_others_are_named(make_dataset: Maker) -> None:
    root = make_dataset()
    Image.new("RGB", (40, 40)).save(root / "red" / "1.ARW", "TIFF")
    (root / "red" / "notes.txt").write_text("x", encoding="utf-8")
    found = scan(root)
    assert {problem.path: problem.kind for problem in found.problems} == {
        "red/1.ARW": "other-picture",
        "red/notes.txt": "other-file",
    }
    project = Project.for_dataset(root)
    project.take_in(root)
    with Catalog(project.catalog_path) as catalog:
        assert {group.kind for group in catalog.contents().groups} >= {"other-picture", "other-file"}


def test_why_there_is_nothing_to_look_at(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert why_no_images([empty]) == "There are no images in “empty”: it is empty."
    assert "6 files that ftgui can't read (each a camera's raw file): export" in why_no_images(
        [raw_photos(tmp_path / "x")]
    )
    (empty / "a.txt").write_text("x", encoding="utf-8")
    assert why_no_images([empty]) == "There are no images in “empty”, only other files (1)."


def test_what_a_library_stumbles_over_in_one_image_is_that_image_s_problem(make_dataset: Maker, monkeypatch) -> None:
    """Not an error of reading: those are sentences already. The others are checked all the same."""
    root = make_dataset(count=3)
    project = Project.for_dataset(root)
    project.take_in(root)
    first = True

    def stumble(grey: Image.Image) -> int:
        nonlocal first
        if first:
            first = False
            raise ZeroDivisionError("by the first picture")
        return 7

    monkeypatch.setattr(image_check, "difference_hash", stumble)
    with Catalog(project.catalog_path) as catalog:
        assert look_through(catalog, Job()) == 1
        (group,) = [group for group in catalog.contents().groups if group.kind == "damaged"]
        assert group.count == 1 and "ZeroDivisionError: by the first picture" in group.examples[0].message
        assert len(catalog.hashes()) == 5
