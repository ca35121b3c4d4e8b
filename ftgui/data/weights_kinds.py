"""Files of weights by their names, and by their first bytes what a file is that only has such a name; nothing is loaded."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

WEIGHTS_ENDINGS = (".safetensors", ".pth", ".pt", ".ckpt", ".bin", ".pth.tar", ".pt.tar", ".ckpt.tar")
"""As PyTorch, timm, Lightning and the Hugging Face hub name them. A ``.pth.tar`` is no archive, for all its name."""

_SAVE_WEIGHTS = 'Where it was made, save only the weights: torch.save(model.state_dict(), "weights.pth").'

OTHER_MODELS = {
    ".onnx": f"It is an ONNX model, made for inference only; ftgui trains PyTorch models. {_SAVE_WEIGHTS}",
    ".h5": "It is an HDF5 file, as Keras writes it; ftgui reads PyTorch weights (.safetensors, .pth).",
    ".keras": "It is a Keras model; ftgui reads PyTorch weights (.safetensors, .pth).",
    ".tflite": "It is a TensorFlow Lite model; ftgui reads PyTorch weights (.safetensors, .pth).",
    ".gguf": "It is a GGUF file, made for language models; ftgui reads PyTorch weights of image models.",
    ".pt2": f"It is an exported torch program, made for inference only. {_SAVE_WEIGHTS}",
}
"""Endings of models that can't be used, and what to do instead."""

_STARTS: tuple[tuple[bytes, str], ...] = (
    (
        b"version https://git-lfs",
        "It is a Git LFS pointer that stands for the weights. Fetch the file itself: git lfs pull.",
    ),
    (b"\x89HDF", OTHER_MODELS[".h5"]),
    (b"GGUF", OTHER_MODELS[".gguf"]),
    (b"\x93NUMPY", "It is a NumPy array, not the weights of a PyTorch model."),
    (b"\x1f\x8b", "It is packed with gzip. Unpack it and take the weights file in it."),
    (b"BZh", "It is packed with bzip2. Unpack it and take the weights file in it."),
    (b"\xfd7zXZ", "It is packed with xz. Unpack it and take the weights file in it."),
    (b"7z\xbc\xaf", "It is a 7z archive. Unpack it and take the weights file in it."),
    (b"Rar!", "It is a RAR archive. Unpack it and take the weights file in it."),
    (b"\x89PNG", "It is an image."),
    (b"\xff\xd8\xff", "It is an image."),
    (b"%PDF", "It is a PDF document."),
)
_DAMAGED = "It is cut off or damaged. Copy or download it again."


def is_weights_name(path: Path | str) -> bool:
    """Whether the file's ending says weights."""
    return os.fspath(path).lower().endswith(WEIGHTS_ENDINGS)


def is_safetensors(path: Path) -> bool:
    """Whether the content is safetensors', whatever the name: a length in 8 bytes, then JSON of about that length.

    Raises:
        OSError: it can't be read.
    """
    with path.open("rb") as file:
        start = file.read(9)
    return len(start) == 9 and start[8:] == b"{" and 2 <= int.from_bytes(start[:8], "little") <= 100_000_000


def why_no_weights(path: Path) -> str:
    """What a file is that can't be loaded as weights, and what to do, in sentences.

    Raises:
        OSError: it can't be read.
    """
    with path.open("rb") as file:
        start = file.read(512)
    if not start:
        return "It is empty. Copy or download it again."
    if start.startswith(b"PK"):
        return _zip(path)
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype", b"<html", b"<head", b"<?xml")):
        return "It is a web page, perhaps the one that leads to the weights. Download the file itself."
    if text.startswith((b"{", b"[")):
        return (
            "It is JSON text, which may describe a model but holds no weights. Take the .safetensors or .pth beside it."
        )
    for begin, sentence in _STARTS:
        if start.startswith(begin):
            return sentence
    if start[257:262] == b"ustar":
        return "It is a tar archive. Unpack it and take the weights file in it."
    if start[4:8] == b"TFL3":
        return OTHER_MODELS[".tflite"]
    if is_safetensors(path) or start.startswith(b"\x80"):
        return _DAMAGED
    if _is_onnx(start):
        return OTHER_MODELS[".onnx"]
    if is_plain_text(start):
        return "It is a text file, not weights. Perhaps the download failed: look inside, and download it again."
    return "It is not a weights file that ftgui knows (.safetensors, .pth, .pt, .ckpt, .bin), or it is damaged."


def _zip(path: Path) -> str:
    """Of what begins like a zip, as most files of torch do."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError):
        return _DAMAGED
    inner = {name.partition("/")[2] or name for name in names}
    if "constants.pkl" in inner and any(name.startswith("code/") for name in inner):
        return f"It is a TorchScript program, which would have to be run to be read. {_SAVE_WEIGHTS}"
    if any(name.startswith(("models/", "serialized_exported_program")) for name in inner):
        return OTHER_MODELS[".pt2"]
    if "model.weights.h5" in names:
        return OTHER_MODELS[".keras"]
    if names and all(name.endswith(".npy") for name in names):
        return "It holds NumPy arrays, not the weights of a PyTorch model."
    if "data.pkl" in inner:
        return _DAMAGED
    return "It is a zip archive. Unpack it and take the weights file in it."


def _is_onnx(start: bytes) -> bool:
    """Protocol buffers have no mark; ONNX begins with its version (field 1) and who wrote it (field 2), or its graph."""
    return start[:1] == b"\x08" and 0 < start[1] < 32 and start[2:3] in (b"\x12", b"\x1a", b":")


def is_plain_text(start: bytes) -> bool:
    """Whether the first bytes of a file read as text."""
    try:
        text = start.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(start) - 4:  # not just the last letter cut in two
            return False
        text = start[: error.start].decode("utf-8")
    return all(letter.isprintable() or letter in "\r\n\t" for letter in text)
