"""Views cut on the device are those that Pillow cuts on the processor, but for rounding."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ftgui.data.images.preprocessing import Preprocessing, center_view
from ftgui.engine.input_pipeline import augmentation
from ftgui.engine.input_pipeline.augmentation import View
from ftgui.engine.input_pipeline.gpu_image_cache import GpuImageCache
from ftgui.engine.model.input_tensor import to_batch

CPU = torch.device("cpu")
PLAIN = Preprocessing(size=64, resize=72, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4), interpolation="bicubic")


def smooth(height: int, width: int, seed: int) -> np.ndarray:
    """A picture without sharp edges, where interpolation with and without anti-aliasing agree."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / random.uniform(9, 30) + y / random.uniform(9, 30) + random.uniform(0, 6)) for _ in range(3)]
    pixels = (np.stack(waves, -1) * 100 + 127).astype(np.uint8)
    pixels.setflags(write=False)  # as decoded ones are
    return pixels


IMAGES = [smooth(72, 96, 0), smooth(110, 72, 1), smooth(72, 72, 2)]


def test_the_middle_is_exact() -> None:
    batch = GpuImageCache(IMAGES, PLAIN, CPU).batch([2, 0, 1], [None] * 3)
    expected = to_batch([center_view(IMAGES[index], 64) for index in (2, 0, 1)], PLAIN, CPU)
    torch.testing.assert_close(batch, expected, rtol=0, atol=1e-4)
    assert batch.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("preset", augmentation.PRESETS)
def test_views_are_what_pillow_makes_of_them(preset: str) -> None:
    resident = GpuImageCache(IMAGES, PLAIN, CPU)
    for number in range(12):
        views: list[View | None] = [
            augmentation.draw(preset, (image.shape[1], image.shape[0]), 0, index, number)
            for index, image in enumerate(IMAGES)
        ]
        batch = resident.batch([0, 1, 2], views)
        pixels = [augmentation.apply(image, view, 64) for image, view in zip(IMAGES, views, strict=True)]
        expected = to_batch(pixels, PLAIN, CPU)
        difference = (batch - expected).abs() * torch.tensor(PLAIN.std).view(1, -1, 1, 1) * 255
        assert float(difference.mean()) < 2.5, "of 255; Pillow rounds after every colour step"
