"""Does what was exported answer as the program does? It is run on images, and the largest difference is the proof."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import timm
import torch
from PIL import Image

from ftgui.data.images.decoding import ImageError
from ftgui.data.images.preprocessing import Pixels, Preprocessing, center_view, decode
from ftgui.engine.errors import EngineError
from ftgui.engine.export.onnx_and_torch import ONNX_FILE, PROGRAM_FILE
from ftgui.engine.export.standalone_code import PREDICT_FILE
from ftgui.engine.inference.batch_inference import forward
from ftgui.engine.model.backbones import BuiltBackbone
from ftgui.engine.model.input_tensor import to_batch
from ftgui.engine.model.loaded_model import open_finished
from ftgui.runs.model_folder import About

LIMIT = 1e-3
"""A larger difference in probability is an error."""

MOST_IMAGES = 64
BATCHES = (1, 7)
"""A graph that was made for one size of a batch fails at another."""

_NOISE = 8
_ASKED = 6
"""Files that the predicting script is asked about: it reads and decodes them itself."""

_SECONDS = 300
"""A script that takes longer to answer is broken."""

Probabilities = npt.NDArray[np.float32]
"""(N, K)."""
Answer = Callable[[npt.NDArray[np.uint8]], Probabilities]
"""What an exported model says of (N, S, S, 3) images."""
Poll = Callable[[], object]


@dataclass(frozen=True)
class Probe:
    """Images to compare on, and what the program says of them."""

    paths: list[Path]
    views: list[Pixels]
    """As the model sees them."""
    on: str
    """What they are, for people."""
    expected: Probabilities


class ProofError(EngineError):
    """What was exported does not answer as the program does."""


@contextmanager
def probe(built: BuiltBackbone, about: About, candidates: Sequence[Path]) -> Iterator[Probe]:
    """Up to `MOST_IMAGES` of the candidates; noise where none can be read.

    Args:
        built: the program's own model.
        about: of it.
        candidates: validation images.
    """
    paths, views = _readable(candidates, built.preprocessing)
    on = "validation images"
    with tempfile.TemporaryDirectory() as scratch:
        if not views:
            paths, views = _noise(Path(scratch), built.preprocessing)
            on = "noise, because no validation images could be found"
        parts = []
        for start in range(0, len(views), 32):
            batch = to_batch(views[start : start + 32], built.preprocessing, torch.device("cpu"))
            parts.append((forward(built.model, built.heads[0], batch)[0] / about.temperature).softmax(1))
        yield Probe(paths, views, on, torch.cat(parts).numpy())


def _readable(candidates: Sequence[Path], preprocessing: Preprocessing) -> tuple[list[Path], list[Pixels]]:
    """Evenly chosen ones: neighbours in a list are of the same class."""
    stride = max(1, len(candidates) // MOST_IMAGES)
    paths: list[Path] = []
    views: list[Pixels] = []
    for path in candidates[::stride]:
        if len(views) == MOST_IMAGES:
            break
        try:
            views.append(center_view(decode(path, preprocessing), preprocessing.size))
        except ImageError:
            continue  # the training left it out too
        paths.append(path)
    return paths, views


def _noise(folder: Path, preprocessing: Preprocessing) -> tuple[list[Path], list[Pixels]]:
    random = np.random.default_rng(0)
    paths: list[Path] = []
    views: list[Pixels] = []
    for number in range(_NOISE):
        path = folder / f"noise{number}.png"
        side = preprocessing.resize
        Image.fromarray(random.integers(0, 256, (side, side, 3), np.uint8)).save(path)
        paths.append(path)
        views.append(center_view(decode(path, preprocessing), preprocessing.size))
    return paths, views


def compare(open_it: Callable[[], Answer], images: Probe, poll: Poll) -> dict[str, float]:
    """Run it at the two sizes of `BATCHES`.

    Args:
        open_it: opens what was exported.
        images: to run it on.
        poll: called between batches; what it raises ends it.

    Returns:
        Size of the batch -> largest difference in probability.

    Raises:
        ProofError: it can't be run, or the difference is above `LIMIT`.
    """
    found: dict[str, float] = {}
    with _saying("It can't be opened"):
        answer = open_it()
    for size in BATCHES:
        parts = []
        for start in range(0, len(images.views), size):
            poll()
            views = np.stack(images.views[start : start + size])
            with _saying(f"It can't be run on {len(views)} images at a time"):
                parts.append(answer(views))
        found[str(size)] = difference(np.concatenate(parts), images.expected)
    require_close(max(found.values()))
    return found


@contextmanager
def _saying(what: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # whatever the library raises that runs it
        why = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise ProofError(f"{what}: {why}") from error


def difference(said: Probabilities, expected: Probabilities) -> float:
    """The largest in any probability; infinite where one is not a number."""
    if said.shape != expected.shape:
        raise ProofError(f"It gives {said.shape} probabilities where ftgui gives {expected.shape}.")
    largest = float(np.abs(said - expected).max())
    return largest if np.isfinite(largest) else float("inf")


def require_close(largest: float) -> None:
    """Raises: ProofError above `LIMIT`."""
    if largest > LIMIT:
        raise ProofError(
            f"It does not answer as ftgui does: probabilities differ by up to {largest:.2g}, {LIMIT:g} is allowed."
        )


# --- ways to run what was exported ----------------------------------------------------------------------------------


def onnx_answer(folder: Path) -> Answer:
    """With onnxruntime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(folder / ONNX_FILE, providers=["CPUExecutionProvider"])
    return lambda images: session.run(["probabilities"], {"images": images})[0]


def program_answer(folder: Path) -> Answer:
    """With torch.export."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = torch.export.load(folder / PROGRAM_FILE).module()

    def answer(images: npt.NDArray[np.uint8]) -> Probabilities:
        with torch.inference_mode():
            return model(torch.from_numpy(images)).numpy()  # type: ignore[no-any-return]

    return answer


def folder_answer(folder: Path, about: About, preprocessing: Preprocessing) -> Answer:
    """As the model card says: timm's own loader, where timm can load it."""
    if (folder / "config.json").exists():
        model = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
        head = model.pretrained_cfg["classifier"]
        head = head if isinstance(head, str) else head[0]
    else:
        built, _ = open_finished(folder)
        model, head = built.model, built.heads[0]

    def answer(images: npt.NDArray[np.uint8]) -> Probabilities:
        logits, _ = forward(model, head, to_batch(list(images), preprocessing, torch.device("cpu")))
        return (logits / about.temperature).softmax(1).numpy()

    return answer


def prove_script(folder: Path, kind: str, images: Probe, class_names: Sequence[str], poll: Poll) -> float:
    """Ask ``predict.py`` as a person would, in a process of its own, about the files themselves.

    Args:
        folder: where it lies.
        kind: which model file it is to use.
        images: to ask about.
        class_names: of the model.
        poll: called while waiting; what it raises ends it.

    Returns:
        the largest difference in probability.

    Raises:
        ProofError: it does not run, or answers otherwise.
    """
    paths = images.paths[:_ASKED]
    command = [sys.executable, str(folder / PREDICT_FILE), "--with", kind, "--json", "--top", str(len(class_names))]
    rows = [json.loads(line) for line in _run([*command, *map(str, paths)], folder, poll).splitlines()]
    said = np.zeros((len(paths), len(class_names)), np.float32)
    place = {name: number for number, name in enumerate(class_names)}
    for number, row in enumerate(rows[: len(paths)]):
        for one in row.get("top", []):
            said[number, place[one["class"]]] = one["probability"]
    largest = difference(said, images.expected[: len(paths)])
    require_close(largest)
    return largest


def _run(command: list[str], folder: Path, poll: Poll) -> str:
    # Without PYTHONPATH it can't find ftgui by accident, unless that is installed.
    environment: dict[str, Any] = {**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTHONPATH", None)
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,  # the engine's own is the window's
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    )
    try:
        waited = 0.0
        while True:
            poll()
            try:
                out, err = process.communicate(timeout=0.2)
                break
            except subprocess.TimeoutExpired:
                waited += 0.2
                if waited > _SECONDS:
                    raise ProofError(f"{PREDICT_FILE} did not answer within {_SECONDS} seconds.") from None
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    if process.returncode:
        last = next((line for line in reversed(err.splitlines()) if line.strip()), f"status {process.returncode}")
        raise ProofError(f"{PREDICT_FILE} fails: {last}")
    return out
