"""What only a GPU can show; skipped without one. Runs without PySide6."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import torch

from ftgui.engine.input_pipeline import augmentation
from ftgui.engine.input_pipeline.gpu_image_cache import GpuImageCache
from ftgui.engine.model.input_tensor import to_batch
from ftgui.engine.model.weights_files import read_weights
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Phase
from tests.conftest import Maker
from tests.engine.conftest import Engine
from tests.engine.input_pipeline.test_gpu_image_cache import IMAGES, PLAIN

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")

HEAD = [Phase(name="Head", train=["head"], epochs=3, lr=1e-2)]
ALL = [Phase(name="All", train=["everything"], epochs=2, lr=1e-3)]


def on_gpu(train: m.Train, **training: object) -> m.Train:
    replace = msgspec.structs.replace
    recipe = replace(train.recipe, device="cuda", training=replace(train.recipe.training, **training))
    return replace(train, recipe=recipe)


@pytest.mark.parametrize("phases", [HEAD, ALL, [*HEAD, *ALL]], ids=["head", "all", "both"])
def test_a_run_on_cuda_is_done_and_its_frozen_part_unchanged(
    phases: list[Phase], engine: Engine, make_dataset: Maker, train_command
) -> None:
    engine.do(on_gpu(train_command(make_dataset(count=16), phases)))
    (end,) = engine.of(m.TrainingFinished)
    assert end.reason == "done", end.message
    assert all(event.frozen_unchanged for event in engine.of(m.PhaseFinished))
    assert engine.of(m.TrainingStarted)[0].device == "cuda:0"


def test_compiled_training_is_done(engine: Engine, make_dataset: Maker, train_command) -> None:
    engine.do(on_gpu(train_command(make_dataset(count=16), ALL, views=0), compile=True))
    assert engine.of(m.TrainingFinished)[0].reason == "done"


def test_a_run_stopped_on_cuda_goes_on(engine: Engine, make_dataset: Maker, train_command) -> None:
    def stop(event: m.Event) -> None:
        if isinstance(event, m.EpochFinished) and event.epoch == 1:
            engine.queue.append(m.CancelRequest(1))

    train = on_gpu(train_command(make_dataset(count=16), ALL))
    engine.on_event = stop
    engine.do(train)
    engine.on_event = lambda event: None
    engine.do(m.Continue(2, train.catalog, train.run_folder))
    assert [event.reason for event in engine.of(m.TrainingFinished)] == ["stopped", "done"]
    assert read_weights(Path(train.run_folder) / "best" / "model.safetensors")


@pytest.mark.parametrize("preset", augmentation.PRESETS)
def test_views_on_cuda_are_those_of_the_processor(preset: str) -> None:
    device = torch.device("cuda")
    resident = GpuImageCache(IMAGES, PLAIN, device)
    views = [augmentation.draw(preset, (i.shape[1], i.shape[0]), 0, n, 1) for n, i in enumerate(IMAGES)]
    pixels = [augmentation.apply(image, view, 64) for image, view in zip(IMAGES, views, strict=True)]
    expected = to_batch(pixels, PLAIN, torch.device("cpu"))
    difference = (resident.batch([0, 1, 2], views).cpu() - expected).abs()
    assert float((difference * torch.tensor(PLAIN.std).view(1, -1, 1, 1) * 255).mean()) < 2.5
