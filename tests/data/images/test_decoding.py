"""Any file in, upright 8-bit RGB or a sentence out."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

from ftgui.data.images import decoding
from ftgui.data.images.decoding import ImageError, load_rgb, open_image, read_image_file
from tests.conftest import picture


def saved(image: Image.Image, path: Path, **options: object) -> Path:
    image.save(path, **options)
    return path


def test_palette_is_looked_up(tmp_path: Path) -> None:
    image = Image.new("P", (8, 8), 1)
    image.putpalette([0, 0, 0, 250, 10, 20])
    assert load_rgb(saved(image, tmp_path / "p.png")).getpixel((3, 3)) == (250, 10, 20)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_alpha_is_laid_on_white(tmp_path: Path, mode: str) -> None:
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    path = tmp_path / ("a.tif" if mode == "PA" else "a.png")
    if mode == "PA":
        image = Image.new("P", (8, 8), 0)
        image.info["transparency"] = 0
        path = tmp_path / "a.png"
        image.save(path, transparency=0)
    else:
        image.convert(mode).save(path)
    assert load_rgb(path).getpixel((0, 0)) == (255, 255, 255)


def test_half_transparent_is_mixed_with_white(tmp_path: Path) -> None:
    path = saved(Image.new("RGBA", (8, 8), (0, 0, 0, 128)), tmp_path / "a.png")
    assert load_rgb(path).getpixel((0, 0)) == (127, 127, 127)


def test_sixteen_bits_keep_their_upper_eight(tmp_path: Path) -> None:
    values = np.array([[0, 257 * 100], [257 * 200, 65535]], dtype=np.uint16)
    path = saved(Image.fromarray(values), tmp_path / "deep.png")
    assert np.asarray(load_rgb(path))[:, :, 0].tolist() == [[0, 100], [200, 255]]


def test_dark_sixteen_bit_picture_stays_dark(tmp_path: Path) -> None:
    """A 16-bit file whose values happen to fit in 8 bits is still nearly black, not stretched or taken for 8 bits."""
    path = saved(Image.fromarray(np.full((4, 4), 200, dtype=np.uint16)), tmp_path / "dark.png")
    assert np.asarray(load_rgb(path)).max() == 0


def test_cmyk_is_converted(tmp_path: Path) -> None:
    path = saved(Image.new("RGB", (16, 16), (0, 255, 255)).convert("CMYK"), tmp_path / "c.jpg", quality=100)
    red, green, blue = load_rgb(path).getpixel((8, 8))
    assert red < 12 and green > 243 and blue > 243


def test_float_grey(tmp_path: Path) -> None:
    path = saved(Image.fromarray(np.array([[0.0, 0.5, 1.0]], dtype=np.float32)), tmp_path / "f.tif")
    assert np.asarray(load_rgb(path))[0, :, 0].tolist() == [0, 127, 255]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int) -> None:
    """Whatever the camera's orientation, the red corner comes out at the top left."""
    upright = Image.new("RGB", (64, 32), (0, 0, 255))
    upright.paste((255, 0, 0), (0, 0, 32, 16))
    undo = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    stored = upright if undo is None else upright.transpose(undo)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(stored, tmp_path / "turned.jpg", exif=exif, quality=95)
    for side in (None, 16):
        image = load_rgb(path, side)
        assert image.width == 2 * image.height
        assert image.getpixel((2, 2))[0] > 200
        assert image.getpixel((image.width - 3, 2))[2] > 200
        assert image.getpixel((2, image.height - 3))[2] > 200


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow warns of the block it then skips
def test_damaged_exif_is_no_reason_to_lose_the_picture(tmp_path: Path) -> None:
    """Any byte of the EXIF block may be wrong; the pixels are whole, so the picture is used or named, never a crash."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "a maker"
    exif.get_ifd(0x8769)[0x9003] = "2026:01:01 00:00:00"
    whole = saved(picture((200, 30, 30), 1), tmp_path / "whole.jpg", exif=exif).read_bytes()
    start = whole.index(b"Exif")
    block = len(exif.tobytes())
    random = np.random.default_rng(0)
    for _ in range(400):
        broken = bytearray(whole)
        for position in random.integers(start + 6, start + block, 3):
            broken[position] = random.integers(256)
        assert load_rgb(bytes(broken)).mode == "RGB"


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_any_damage_is_a_picture_or_a_sentence(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    for ending in ("jpg", "png", "webp", "tif", "bmp", "avif"):
        whole = saved(picture((90, 200, 30), 2), tmp_path / f"whole.{ending}").read_bytes()
        for _ in range(60):
            broken = bytearray(whole[: random.integers(1, len(whole) + 1)])
            for position in random.integers(0, len(broken), 4):
                broken[position] = random.integers(256)
            try:
                load_rgb(bytes(broken), 64)
            except ImageError as error:
                assert str(error).endswith(".")


def test_truncated_jpeg_is_a_sentence(tmp_path: Path) -> None:
    whole = saved(picture((200, 30, 30), 1, (400, 300)), tmp_path / "whole.jpg").read_bytes()
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ImageError, match="cut off"):
        load_rgb(cut)


def test_text_named_jpg_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "notes.jpg"
    path.write_text("these are notes", encoding="utf-8")
    with pytest.raises(ImageError, match="not an image"):
        load_rgb(path)


def test_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no longer there"):
        load_rgb(tmp_path / "gone.jpg")


def test_too_many_pixels_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(Image.new("RGB", (200, 100)), tmp_path / "big.png")
    monkeypatch.setattr(decoding, "MAX_PIXELS", 10_000)
    with pytest.raises(ImageError, match="200 × 100 pixels"):
        load_rgb(path)


def test_bytes_are_read_like_a_file(tmp_path: Path) -> None:
    path = saved(picture((10, 200, 30), 3), tmp_path / "x.png")
    assert np.array_equal(np.asarray(load_rgb(path)), np.asarray(load_rgb(path.read_bytes())))


def test_first_frame_of_an_animation() -> None:
    frames = [Image.new("RGB", (8, 8), color) for color in ((255, 0, 0), (0, 255, 0))]
    stream = io.BytesIO()
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    assert load_rgb(stream.getvalue()).getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.slow
def test_draft_keeps_the_short_side(tmp_path: Path) -> None:
    path = saved(picture((90, 90, 90), 4, (1600, 1200)), tmp_path / "large.jpg")
    image = load_rgb(path, 256)
    assert 256 <= image.height < 1200


def test_heic_is_read_by_its_extra_and_named_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    path = tmp_path / "a.heic"
    pillow_heif.from_pillow(Image.new("RGB", (64, 48), (200, 30, 30))).save(path)
    red, green, blue = load_rgb(path).getpixel((20, 20))
    assert red > 180 and green < 60 and blue < 60
    assert load_rgb(path.read_bytes()).size == (64, 48)

    def unknown(*_args, **_more):
        raise UnidentifiedImageError("cannot identify image file")

    monkeypatch.setattr(decoding, "_knows_heif", lambda: False)
    monkeypatch.setattr(Image, "open", unknown)
    with pytest.raises(ImageError, match="pip install pillow-heif") as error:
        load_rgb(path)
    assert error.value.kind == "needs-extra"
    with pytest.raises(ImageError) as other:
        load_rgb(b"something else")
    assert other.value.kind == "not-an-image"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are POSIX's")
@pytest.mark.parametrize("ask", [load_rgb, open_image, read_image_file])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path, ask) -> None:
    os.mkfifo(tmp_path / "x.jpg")
    with pytest.raises(ImageError, match="not an image file but a pipe") as refused:
        ask(tmp_path / "x.jpg")
    assert refused.value.kind == "no-file"
