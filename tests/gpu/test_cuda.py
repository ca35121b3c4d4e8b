"""What only a GPU can show; skipped without one. Runs without PySide6."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch._inductor.async_compile import shutdown_compile_workers

from ftgui.engine.input_pipeline import augmentation
from ftgui.engine.input_pipeline.gpu_image_cache import GpuImageCache
from ftgui.engine.model.input_tensor import to_batch
from ftgui.engine.model.weights_files import read_weights
from ftgui.protocol import messages as m
from ftgui.protocol import recipe_file
from ftgui.protocol.recipe import Backbone, Phase, Recipe, Training
from tests.conftest import Maker
from tests.e2e.test_headless import RECIPE, finish, ftgui
from tests.engine.conftest import TINY, Engine
from tests.engine.input_pipeline.test_gpu_image_cache import IMAGES, PLAIN

HEAD = [Phase(name="Head", train=["head"], epochs=3, lr=1e-2)]
ALL = [Phase(name="All", train=["everything"], epochs=2, lr=1e-3)]

Train = Callable[..., m.Train]


def finished(engine: Engine) -> m.TrainingFinished:
    return engine.of(m.TrainingFinished)[-1]


def where(engine: Engine) -> str:
    """The device of the present model's weights."""
    loaded = engine.session.models.require()
    (device,) = {parameter.device.type for parameter in loaded.model.parameters()}
    assert loaded.device.type == device, "the model is taken to be elsewhere"
    return device


@pytest.mark.parametrize("phases", [HEAD, ALL, [*HEAD, *ALL]], ids=["head", "all", "both"])
def test_a_run_is_done_and_its_frozen_part_unchanged(
    phases: list[Phase], engine: Engine, make_dataset: Maker, train_on_gpu: Train, cuda: torch.device
) -> None:
    engine.do(train_on_gpu(make_dataset(count=16), phases))
    assert finished(engine).reason == "done", finished(engine).message
    assert all(event.frozen_unchanged for event in engine.of(m.PhaseFinished))
    assert engine.of(m.TrainingStarted)[0].device == "cuda:0" and where(engine) == "cuda"
    if phases[0] is HEAD[0]:
        assert engine.of(m.FrozenFeaturesCached)[0].cached


def test_compiled_training_is_done(
    engine: Engine, make_dataset: Maker, train_on_gpu: Train, cuda: torch.device
) -> None:
    engine.do(train_on_gpu(make_dataset(count=16), ALL, views=0, compile=True))
    shutdown_compile_workers()  # or they live as long as this process
    assert finished(engine).reason == "done", finished(engine).message


def test_a_stopped_run_goes_on(engine: Engine, make_dataset: Maker, train_on_gpu: Train, cuda: torch.device) -> None:
    def stop(event: m.Event) -> None:
        if isinstance(event, m.EpochFinished) and event.epoch == 1:
            engine.queue.append(m.CancelRequest(1))

    train = train_on_gpu(make_dataset(count=16), ALL)
    engine.on_event = stop
    engine.do(train)
    engine.on_event = lambda event: None
    engine.do(m.Continue(2, train.catalog, train.run_folder))
    assert [event.reason for event in engine.of(m.TrainingFinished)] == ["stopped", "done"]
    assert read_weights(Path(train.run_folder) / "best" / "model.safetensors")


def test_a_run_that_diverges_ends_at_the_last_good_weights(
    engine: Engine, make_dataset: Maker, train_on_gpu: Train, cuda: torch.device
) -> None:
    engine.do(train_on_gpu(make_dataset(count=16), [Phase(name="All", train=["everything"], epochs=40, lr=1e6)]))
    assert finished(engine).reason == "exploded", finished(engine)
    assert all(bool(torch.isfinite(p).all()) for p in engine.session.models.require().model.parameters())


def test_a_batch_too_large_for_the_memory_is_processed_in_parts(
    engine: Engine, make_dataset: Maker, train_on_gpu: Train, cuda: torch.device
) -> None:
    """The allocator's own error, not one that is raised instead of it."""
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(cuda).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 1e9) / total)
    try:
        backbone = Backbone(name="torchvision/resnet18", weights="none")
        engine.do(
            train_on_gpu(
                make_dataset(count=70, splits=("train", "val")), ALL, backbone=backbone, views=0, batch_size=128
            )
        )
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert finished(engine).reason == "done", finished(engine)
    assert any("images at a time" in event.message for event in engine.of(m.Log)), engine.of(m.Log)


@pytest.mark.parametrize("layer", ["no such layer", "head"])
def test_a_training_that_can_not_begin_leaves_the_model_answering(
    layer: str,
    engine: Engine,
    make_dataset: Maker,
    train_on_gpu: Train,
    monkeypatch: pytest.MonkeyPatch,
    cuda: torch.device,
) -> None:
    dataset = make_dataset(count=16)
    engine.do(train_on_gpu(dataset, HEAD))
    image = str(dataset / "red" / "red0.jpg")
    before = engine.do(m.Predict(5, image))
    assert isinstance(before, m.Prediction)
    if layer == "head":
        monkeypatch.setattr("ftgui.engine.training.training.Training.run", lambda *_: 1 / 0)
    engine.do(train_on_gpu(dataset, [Phase(name="x", train=[layer], epochs=1, lr=1e-2)]))
    assert engine.of(m.CommandFailed) and where(engine) == "cuda"
    after = engine.do(m.Predict(6, image))
    assert isinstance(after, m.Prediction) and after.probabilities == before.probabilities


def test_all_questions_are_answered_as_on_the_processor(
    engine: Engine, make_dataset: Maker, train_on_gpu: Train, tmp_path: Path, cuda: torch.device
) -> None:
    dataset = make_dataset(count=16)
    command = train_on_gpu(dataset, ALL)
    engine.do(command)
    image = str(dataset / "red" / "red0.jpg")
    here = engine.do(m.Predict(5, image))
    again = engine.do(m.Predict(6, image, model=command.run_folder + "/best"))
    assert isinstance(here, m.Prediction) and isinstance(again, m.Prediction), (here, again)

    shown = engine.do(m.Explain(7, image))
    assert isinstance(shown, m.Explanation) and np.isfinite(shown.heat).all()
    assert isinstance(engine.do(m.FindSimilar(8, command.catalog, image)), m.SimilarImages)
    engine.do(m.EvaluateImages(9, command.catalog))
    assert sum(len(event.paths) for event in engine.of(m.EvaluatedImages)) == 32
    engine.do(m.PredictFiles(10, [str(dataset)], str(tmp_path / "table.csv")))
    with (tmp_path / "table.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.reader(file))) == 33

    processor = Engine()
    processor.do(m.LoadModel(1, command.recipe.backbone, ["blue", "red"], ["head"], device="cpu"))
    there = processor.do(m.Predict(5, image, model=command.run_folder + "/best"))
    assert isinstance(there, m.Prediction), there
    for probabilities in (here.probabilities, again.probabilities, shown.probabilities):
        np.testing.assert_allclose(probabilities, there.probabilities, atol=1e-2)


def test_exports_agree_with_the_gpu(
    engine: Engine, make_dataset: Maker, train_on_gpu: Train, tmp_path: Path, cuda: torch.device
) -> None:
    command = train_on_gpu(make_dataset(count=16), ALL)
    engine.do(command)
    end = engine.do(m.Export(9, command.run_folder, ["folder", "onnx", "torch", "script"], str(tmp_path)))
    assert isinstance(end, m.ExportFinished), end
    assert not [event.problem for event in engine.of(m.Exported) if event.problem]


def test_cost_and_rate_range_are_measured(
    engine: Engine, make_dataset: Maker, train_on_gpu: Train, cuda: torch.device
) -> None:
    engine.do(m.LoadModel(1, TINY, ["a", "b"], ["head"], device="cuda"))
    recipe = Recipe(training=Training(batch_size=8))
    cost = engine.do(m.EstimateCost(3, ["everything"], recipe, train_samples=100, val_samples=50))
    assert isinstance(cost, m.CostEstimate) and cost.epoch_seconds > 0 and cost.memory > 0
    command = train_on_gpu(make_dataset(count=16), ALL)
    assert isinstance(engine.do(m.FindLearningRate(5, command.recipe, command.catalog, 0)), m.LearningRateFound)
    assert where(engine) == "cuda"


def test_headless_takes_the_gpu_by_itself(make_dataset: Maker, tmp_path: Path, cuda: torch.device) -> None:
    make_dataset(count=10)
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE.format(epochs=2), encoding="utf-8")
    status, out, err = finish(ftgui("train", recipe))
    assert status == 0 and "cuda:0" in out + err, out + err
    assert recipe_file.load(recipe).device == "auto"


@pytest.mark.parametrize("preset", augmentation.PRESETS)
def test_views_are_those_of_the_processor(preset: str, cuda: torch.device) -> None:
    resident = GpuImageCache(IMAGES, PLAIN, cuda)
    views = [augmentation.draw(preset, (i.shape[1], i.shape[0]), 0, n, 1) for n, i in enumerate(IMAGES)]
    pixels = [augmentation.apply(image, view, 64) for image, view in zip(IMAGES, views, strict=True)]
    expected = to_batch(pixels, PLAIN, torch.device("cpu"))
    difference = (resident.batch([0, 1, 2], views).cpu() - expected).abs()
    assert float((difference * torch.tensor(PLAIN.std).view(1, -1, 1, 1) * 255).mean()) < 2.5
