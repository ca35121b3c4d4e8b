"""A run as a script: it stands alone, lets the same parameters learn, and comes to the same weights and figures."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch

from ftgui.engine.export.training_script import shortest
from ftgui.engine.model import backbones
from ftgui.engine.model.freezing import Freezer
from ftgui.engine.model.layer_tree import build_tree
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Backbone, Phase
from ftgui.runs.facts import run_facts
from tests.conftest import Maker
from tests.engine.conftest import Engine
from tests.engine.export.test_exporter import export, load

pytestmark = pytest.mark.slow

TWO = [
    Phase(name="Head", train=["head"], epochs=2, lr=1e-2),
    Phase(name="More", train=["last stage", "stem", "head"], epochs=3, lr=3e-3, layer_decay=0.5),
]


def run_script(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """In a process that can't import ftgui."""
    program = (
        f"import runpy, sys\nsys.modules['ftgui'] = None\nsys.path.insert(0, {str(folder)!r})\n"
        f"sys.argv[0] = 'train.py'\nrunpy.run_path({str(folder / 'train.py')!r}, run_name='__main__')"
    )
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-c", program, "--device", "cpu", *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        timeout=250,
        env=environment,
        check=False,
    )


def epochs_of(text: str) -> list[tuple[float, float, float]]:
    """Train loss, validation loss, validation accuracy."""
    found = re.findall(r"train loss ([\d.]+), val loss ([\d.]+), val accuracy ([\d.]+)%", text)
    return [(float(train), float(val), float(accuracy) / 100) for train, val, accuracy in found]


@pytest.mark.parametrize(
    "recipe",
    [
        {"phases": TWO},
        {
            "phases": TWO,
            "views": 0,
            "augmentation": "strong",
            "ema": 0.9,
            "balance": "loss",
            "early_stop": 0,
            "seed": 3,
        },
        {"phases": TWO, "balance": "sampler", "augmentation": "none", "early_stop": 1, "label_smoothing": 0.0},
    ],
    ids=["default", "averaged", "sampler"],
)
def test_it_comes_to_the_same(
    engine: Engine, make_dataset: Maker, train_command: Callable[..., m.Train], tmp_path: Path, recipe: dict
) -> None:
    dataset = make_dataset(("red", "grey", "blue"), count=16)
    for number in range(9):  # classes of different size, and one that can't be read
        (dataset / "red" / f"red{number}.jpg").unlink()
    (dataset / "blue" / "blue0.jpg").write_bytes(b"broken")
    command = train_command(dataset, batch_size=8, **recipe)
    finished = engine.do(command)
    assert isinstance(finished, m.TrainingFinished) and finished.reason == "done", finished
    folder, told = export(engine, command.run_folder, tmp_path / "out", "script")
    assert told[0].problem == ""
    done = run_script(folder)
    assert done.returncode == 0, done.stderr
    assert "blue0.jpg is left out: This is not an image" in done.stdout
    expected = [(e.train_loss, e.val_loss, e.val_accuracy) for e in engine.of(m.EpochFinished)]
    repeated = epochs_of(done.stdout)
    assert len(repeated) == len(expected)
    for one, other in zip(repeated, expected, strict=True):
        assert one == pytest.approx(other, abs=0.02)
    assert f"Best validation accuracy {finished.best_accuracy:.1%} at epoch {finished.best_epoch}" in done.stdout
    weights = safetensors.torch.load_file(folder / "repeated" / "best.safetensors")
    own = safetensors.torch.load_file(Path(command.run_folder, "best", "model.safetensors"))
    for name, value in own.items():
        assert torch.allclose(weights[name].float(), value.float(), rtol=0.05, atol=0.02), name


def test_moved_images(
    engine: Engine, make_dataset: Maker, train_command: Callable[..., m.Train], tmp_path: Path
) -> None:
    dataset = make_dataset()
    command = train_command(dataset, phases=TWO[:1])
    engine.do(command)
    folder, _ = export(engine, command.run_folder, tmp_path / "out", "script")
    dataset.rename(tmp_path / "elsewhere")
    lost = run_script(folder)
    assert lost.returncode == 1 and "say where they are with --images" in lost.stderr
    found = run_script(folder, "--images", tmp_path / "elsewhere")
    assert found.returncode == 0 and "Best validation accuracy" in found.stdout, found.stderr


def test_what_was_steered_is_said(
    engine: Engine, make_dataset: Maker, train_command: Callable[..., m.Train], tmp_path: Path
) -> None:
    command = train_command(make_dataset(), phases=TWO[:1])

    def change(event: m.Event) -> None:
        if isinstance(event, m.EpochFinished) and event.epoch == 1:
            engine.queue.append(m.ChangeRate(7, 5e-4))

    engine.on_event = change
    engine.do(command)
    assert run_facts(Path(command.run_folder)).run_adjusted
    folder, _ = export(engine, command.run_folder, tmp_path / "out", "script")
    text = (folder / "train.py").read_text(encoding="utf-8")
    assert "rate 5e-4" in text.partition("CHANGED_BY_HAND = ")[2].splitlines()[0]
    assert "changed by hand" in (folder / "README.md").read_text(encoding="utf-8")


def file_of(tmp_path: Path) -> str:
    built = backbones.build(Backbone(name="test_efficientnet", weights="none"), ["a", "b", "c"], seed=5)
    path = tmp_path / "own.safetensors"
    safetensors.torch.save_file({name: value.contiguous() for name, value in built.model.state_dict().items()}, path)
    return str(path)


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("test_efficientnet", "none"),
        ("tf_efficientnet_lite0", "pretrained"),
        ("test_efficientnet", "file"),
        ("torchvision/squeezenet1_1", "none"),  # its head is a convolution
        ("torchvision/mobilenet_v3_small", "none"),
    ],
)
def test_it_starts_from_the_same_weights(
    engine: Engine,
    make_dataset: Maker,
    train_command: Callable[..., m.Train],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    weights: str,
) -> None:
    backbone = Backbone(name=name, weights=file_of(tmp_path) if weights == "file" else weights)
    phases = [Phase(name="Some", train=["last stage", "head"], epochs=1, lr=1e-3)]
    command = train_command(make_dataset(), phases=phases, backbone=backbone, seed=11)
    engine.do(command)
    folder, _ = export(engine, command.run_folder, tmp_path / "out", "script")
    built = backbones.build(backbone, ["blue", "red"], seed=11)
    freezer = Freezer(built.model, build_tree(built.model, built.heads))
    freezer.set_trainable(freezer.resolve(phases[0].train))
    learning = {stage: [n for n, _ in members] for stage, members in freezer.learning_by_stage().items()}
    script = load(folder / "train.py", monkeypatch)
    torch.manual_seed(script.SEED)
    model = script.build_model()
    state = model.state_dict()
    assert state.keys() == built.model.state_dict().keys()
    assert all(torch.equal(state[key], value) for key, value in built.model.state_dict().items())
    chosen = script.choose_what_learns(model, script.PHASES[0])
    assert {stage: [n for n, _ in members] for stage, members in chosen.items()} == learning
    freezer.train_mode()
    script.train_mode(model)
    assert [module.training for module in model.modules()] == [module.training for module in built.model.modules()]


def test_what_is_written_is_tidy(
    engine: Engine, make_dataset: Maker, train_command: Callable[..., m.Train], tmp_path: Path
) -> None:
    pytest.importorskip("ruff")
    dataset = make_dataset(('he said "no"', "a'b \\ c"), name="it's “here”")
    command = train_command(dataset, phases=TWO)
    engine.do(command)
    folder, told = export(engine, command.run_folder, tmp_path / "out", "folder", "script")
    assert [event.problem for event in told] == ["", ""]
    rules = ["--isolated", "--line-length", "130", "--target-version", "py311", "--select", "E,F,B,UP,PLE"]
    checked = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", *rules, str(folder)], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout
    with (folder / "samples.csv").open(encoding="utf-8", newline="") as file:
        assert {row["class_name"] for row in csv.DictReader(file)} == {'he said "no"', "a'b \\ c"}
    assert json.loads((folder / "model.json").read_text(encoding="utf-8"))["class_names"] == [
        "a'b \\ c",
        'he said "no"',
    ]


def test_shortest_names() -> None:
    names = ["stem.weight", "blocks.0.a", "blocks.0.b", "blocks.1.a", "blocks.10.a", "head.weight", "head.bias"]
    assert shortest(set(names[1:3]), names) == ["blocks.0"]
    assert shortest({"blocks.0.a", "blocks.1.a"}, names) == ["blocks.0.a", "blocks.1"]
    assert shortest({"head.weight"}, names) == ["head.weight"]
    assert shortest(set(names), names) == ["stem", "blocks", "head"]


def test_a_phase_begins_with_the_best_weights(
    engine: Engine,
    make_dataset: Maker,
    train_command: Callable[..., m.Train],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = train_command(make_dataset(), phases=TWO)
    engine.do(command)
    folder, _ = export(engine, command.run_folder, tmp_path / "out", "script")
    script = load(folder / "train.py", monkeypatch)
    model = script.build_model()
    best = {name: value + 1 for name, value in model.state_dict().items()}
    pictures = script.Pictures(Path(script.IMAGES), torch.device("cpu"))
    training = script.Training(model, pictures, torch.device("cpu"), tmp_path)
    training.best = script.Best((1.0, 0.0), 1, best)
    phase = script.PHASES[1]
    phase.epochs = 0
    training.run_phase(phase)
    pictures.pool.shutdown()
    assert all(torch.equal(value, best[name]) for name, value in model.state_dict().items())
