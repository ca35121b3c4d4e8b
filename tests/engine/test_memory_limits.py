"""Too little memory: refused before it is taken where that is known, and one sentence wherever else it comes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch

from ftgui.cli.terminal import ends_well
from ftgui.data import model_zoo
from ftgui.data.project import Project
from ftgui.engine import memory_limits
from ftgui.engine.errors import EngineError
from ftgui.engine.input_pipeline.image_cache import Images
from ftgui.engine.model import backbones
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Backbone, Phase, Recipe
from tests.conftest import Maker
from tests.engine.conftest import TINY

SENTENCE = "The device ran out of memory. Choose a smaller model; closing other programs on the device may help too."
REFUSED = pytest.raises(EngineError, match=r"million parameters: its weights alone take .* Choose a smaller model\.")


def has(monkeypatch: pytest.MonkeyPatch, gigabytes: float) -> None:
    monkeypatch.setattr(memory_limits, "of_this_computer", lambda: int(gigabytes * 1e9))


def test_a_huge_model_is_refused_before_it_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    has(monkeypatch, 16)
    monkeypatch.setattr(timm, "create_model", lambda *_, **__: pytest.fail("it was built"))
    huge = max(model_zoo.known_models(), key=lambda model: model.parameters)
    with REFUSED as raised:
        backbones.build(Backbone(name=huge.name, weights="none"), ["a", "b"])
    assert f"{huge.parameters * 4 / 1e9:,.1f} GB of memory, and this computer has 16.0 GB" in str(raised.value)
    with REFUSED as raised:
        backbones.build(Backbone(name=huge.name), ["a", "b"])
    assert f"{huge.parameters * 8 / 1e9:,.1f} GB of memory while they are read" in str(raised.value)


@pytest.mark.parametrize("name", ["test_vit", "torchvision/squeezenet1_1"])
def test_a_model_of_another_version_is_counted_without_memory(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = model_zoo.find(name)
    assert known is not None
    counted: list[int] = []
    monkeypatch.setattr(model_zoo, "find", lambda _name: None)
    monkeypatch.setattr(backbones, "refuse_too_large", lambda _name, count, from_scratch: counted.append(count))
    backbones.build(Backbone(name=name, weights="none"), ["a", "b"])
    assert counted == [known.parameters]


def test_a_model_that_just_fits_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    known = model_zoo.find(TINY.name)
    assert known is not None
    has(monkeypatch, known.parameters * 4 / 1e9 + 1e-9)
    backbones.build(TINY, ["a", "b"])
    has(monkeypatch, known.parameters * 4 / 1e9 - 1e-6)
    with REFUSED:
        backbones.build(TINY, ["a", "b"])


def test_a_containers_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = memory_limits.of_this_computer()
    file = tmp_path / "memory.max"
    monkeypatch.setattr(memory_limits, "_LIMITS", (tmp_path / "missing", file))
    for text, expected in (("1000000\n", 1_000_000), ("max\n", None), (f"{10**18}\n", None)):
        file.write_text(text, encoding="ascii")
        assert memory_limits.of_this_computer() == expected or memory_limits.of_this_computer() >= whole


@pytest.mark.slow
def test_a_training_that_can_not_fit_is_refused_before_it_begins(
    engine, make_dataset: Maker, train_command: Callable[..., m.Train], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = sum(parameter.numel() for parameter in timm.create_model(TINY.name, num_classes=2).parameters())
    monkeypatch.setattr(memory_limits, "of_device", lambda _device: own * 8)
    began: list[object] = []
    decode = Images.decode_all
    monkeypatch.setattr(Images, "decode_all", lambda *arguments: (began.append(0), decode(*arguments)))
    head = Phase(name="Head", train=["head"], epochs=1, lr=1e-2)
    everything = Phase(name="All", train=["everything"], epochs=1, lr=1e-3)
    failed = engine.do(train_command(make_dataset(), [head, everything]))
    assert isinstance(failed, m.CommandFailed) and not began
    assert failed.message.startswith("Training 0 million parameters of this model takes 0.0 GB of memory")
    engine.do(train_command(make_dataset(name="more"), [head]))
    (finished,) = engine.of(m.TrainingFinished)
    assert finished.reason == "done" and began  # the head alone is small enough


# --- it ran out ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def out_of_memory(engine, make_dataset: Maker):
    """A session whose model takes more than there is, with a catalog of pictures."""
    folder = make_dataset()
    project = Project.for_dataset(folder)
    project.take_in(folder)
    engine.do(m.LoadModel(1, TINY, ["blue", "red"], ["head"], device="cpu"))
    image = str(next(folder.rglob("*.jpg")))

    def forward(*_arguments: object) -> torch.Tensor:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate 99 bytes.")

    engine.session.models.present.model.forward = forward
    return engine, str(project.catalog_path), image


COMMANDS: dict[str, Callable[[str, str], m.Command]] = {
    "predict": lambda _catalog, image: m.Predict(2, image),
    "explain": lambda _catalog, image: m.Explain(2, image),
    "evaluate": lambda catalog, _image: m.EvaluateImages(2, catalog),
    "similar images": lambda catalog, image: m.FindSimilar(2, catalog, image),
    "many files": lambda _catalog, image: m.PredictFiles(2, [image]),
    "learning rate": lambda catalog, _image: m.FindLearningRate(2, Recipe(backbone=TINY, device="cpu"), catalog, 0),
}


@pytest.mark.parametrize("what", COMMANDS)
def test_whatever_runs_out_of_memory_says_the_same(out_of_memory, what: str) -> None:
    engine, catalog, image = out_of_memory
    engine.do(COMMANDS[what](catalog, image))
    (failed,) = engine.of(m.CommandFailed)
    assert (failed.request, failed.message) == (2, SENTENCE)
    engine.do(m.SetTrainable(3, ["everything"]))
    assert engine.of(m.FreezingChanged)  # it goes on


def test_loading_a_model_may_run_out_too(engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def create(*_arguments: object, **_options: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")

    monkeypatch.setattr(timm, "create_model", create)
    assert engine.do(m.LoadModel(1, TINY, ["a", "b"], ["head"], device="cpu")).message == SENTENCE


def test_commands_in_a_terminal_say_it_too(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> int:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes")

    assert ends_well(work) == 1
    assert capsys.readouterr().err == f"ftgui: {SENTENCE}\n"

    def other() -> int:
        raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        ends_well(other)
