"""What happens where a training never begins: the model before is still there, and a stop that came early is not forgotten."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ftgui.engine.input_pipeline.image_cache import Images
from ftgui.engine.model import backbones
from ftgui.engine.training.training import Training
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Phase
from ftgui.runs.run_folders import read_result
from tests.conftest import Maker
from tests.engine.conftest import Engine

pytestmark = pytest.mark.slow

Train = Callable[..., m.Train]


def trained(engine: Engine, dataset: Path, train_command: Train) -> m.Train:
    command = train_command(dataset, augmentation="none")
    end = engine.do(command)
    assert isinstance(end, m.TrainingFinished) and end.reason == "done"
    return command


@pytest.mark.parametrize("what", ["build", "resolve", "run"])
def test_a_training_that_can_not_begin_leaves_the_trained_model_where_it_was(
    engine: Engine, make_dataset: Maker, train_command: Train, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    dataset = make_dataset(count=8)
    trained(engine, dataset, train_command)
    loaded = engine.session.models.present
    assert loaded is not None
    moves: list[torch.device] = []
    monkeypatch.setattr(loaded.model, "to", lambda device: moves.append(torch.device(device)))
    loaded.device = torch.device("cuda:3")  # as if; moves are only noted

    def fail(*_arguments: object, **_named: object) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    if what == "build":
        monkeypatch.setattr(backbones, "build", fail)
    elif what == "run":
        monkeypatch.setattr(Training, "run", fail)
    phases = [Phase(name="x", train=["no such layer" if what == "resolve" else "head"], epochs=1, lr=1e-2)]
    engine.do(train_command(dataset, phases=phases))

    assert engine.of(m.CommandFailed)
    assert engine.session.models.present is loaded and moves == [torch.device("cpu"), torch.device("cuda:3")]


def test_a_stop_before_the_first_step_is_not_forgotten(
    engine: Engine, make_dataset: Maker, train_command: Train
) -> None:
    """Ctrl-C while torch is being imported and the model built."""
    command = train_command(make_dataset(count=8))
    engine.session.stop()
    end = engine.do(command)
    assert isinstance(end, m.TrainingFinished) and (end.reason, end.steps) == ("stopped", 0)
    assert not engine.of(m.Progress) and read_result(Path(command.run_folder))["reason"] == "stopped"


@pytest.mark.parametrize("kind", ["evaluate", "rate", "nearest", "export", "files"])
def test_nor_before_anything_else_that_takes_long(
    engine: Engine, make_dataset: Maker, train_command: Train, tmp_path: Path, kind: str
) -> None:
    dataset = make_dataset(count=8)
    command = trained(engine, dataset, train_command)
    image = str(dataset / "red" / "red0.jpg")
    commands = {
        "evaluate": m.EvaluateImages(5, command.catalog),
        "rate": m.FindLearningRate(5, command.recipe, command.catalog, 0),
        "nearest": m.FindSimilar(5, command.catalog, image),
        "export": m.Export(5, command.run_folder, ["folder"], str(tmp_path)),
        "files": m.PredictFiles(5, str(dataset), str(tmp_path / "table.csv")),
    }
    engine.events.clear()
    engine.session.stop()
    engine.do(commands[kind])
    assert not engine.of(m.LearningRateTried) and not engine.of(m.SimilarImages) and not engine.of(m.Exported)
    assert not any(event.paths for event in engine.of(m.EvaluatedImages) + engine.of(m.PredictedFiles))


def test_memory_that_ends_before_the_first_phase_is_a_sentence_and_a_result(
    engine: Engine, make_dataset: Maker, train_command: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Images, "decode_all", full)
    command = train_command(make_dataset(count=8))
    end = engine.do(command)
    assert isinstance(end, m.TrainingFinished) and end.reason == "failed"
    assert end.message.startswith("There was not enough memory to read the images.")
    assert read_result(Path(command.run_folder))["reason"] == "failed"
