"""Views are drawn without any state: the same numbers give the same view, wherever and whenever."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from ftgui.engine.input_pipeline import augmentation
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import AUGMENTATIONS, Augmentation
from tests.conftest import Maker
from tests.engine.conftest import TINY, Engine

SIZE = (300, 200)


def test_presets_are_those_of_the_recipe() -> None:
    assert {"none", *augmentation.PRESETS} == set(AUGMENTATIONS)


@pytest.mark.parametrize("preset", augmentation.PRESETS)
def test_crops_lie_in_the_image_and_have_the_size_and_shape_promised(preset: str) -> None:
    strength = augmentation.PRESETS[preset]
    views = [augmentation.draw(preset, SIZE, 0, 0, number) for number in range(500)]
    for view in views:
        left, top, width, height = view.box
        assert left >= 0 and top >= 0 and left + width <= 1 + 1e-9 and top + height <= 1 + 1e-9
        assert strength.scale[0] - 1e-9 <= width * height <= strength.scale[1] + 1e-9
        assert strength.ratio[0] - 1e-9 <= width * SIZE[0] / (height * SIZE[1]) <= strength.ratio[1] + 1e-9
    assert 0.4 < np.mean([view.flip for view in views]) < 0.6
    colored = any(factor != 1 for view in views for factor in view.color)
    assert colored == (strength.color > 0)


def test_a_view_depends_on_seed_image_and_number_and_nothing_else() -> None:
    view = augmentation.draw("standard", SIZE, 3, 7, 2)
    np.random.seed(1)
    assert augmentation.draw("standard", SIZE, 3, 7, 2) == view
    others = [augmentation.draw("standard", SIZE, *key) for key in ((4, 7, 2), (3, 8, 2), (3, 7, 3))]
    assert all(other != view for other in others)


def test_a_strip_keeps_its_middle() -> None:
    box = augmentation.draw("standard", (4000, 100), 0, 0, 0).box
    assert box[3] == 1.0 and box[2] < 0.05 and box[0] == pytest.approx((1 - box[2]) / 2)


def test_apply_cuts_flips_and_colours() -> None:
    pixels = np.zeros((100, 200, 3), np.uint8)
    pixels[:, 100:] = (200, 100, 50)
    right = augmentation.View((0.5, 0.0, 0.5, 1.0), flip=False, color=(1.0, 1.0, 1.0))
    inside = augmentation.apply(pixels, right, 32)[:, 1:]  # the outermost column may mix with its neighbour
    assert np.array_equal(np.unique(inside.reshape(-1, 3), axis=0), [[200, 100, 50]])
    whole = augmentation.View((0.0, 0.0, 1.0, 1.0), flip=True, color=(0.5, 1.0, 1.0))
    flipped = augmentation.apply(pixels, whole, 32)
    assert flipped.shape == (32, 32, 3)
    assert np.array_equal(flipped[0, 0], [100, 50, 25]) and np.array_equal(flipped[0, -1], [0, 0, 0])


def test_the_window_can_look_at_views(engine: Engine, make_dataset: Maker) -> None:
    image = make_dataset(count=4) / "red" / "red0.jpg"
    engine.do(m.LoadModel(1, TINY, ["a", "b"], ["head"], device="cpu"))
    engine.do(m.PreviewAugmentation(9, str(image), Augmentation(preset="strong"), count=3))
    (views,) = engine.of(m.AugmentedViews)
    pictures = [Image.open(io.BytesIO(content)) for content in views.images]
    assert views.request == 9 and [picture.size for picture in pictures] == [(160, 160)] * 3
    assert views.images[0] != views.images[1]
    engine.do(m.PreviewAugmentation(10, str(image), Augmentation(preset="none"), count=2))
    same = engine.of(m.AugmentedViews)[-1].images
    assert same[0] == same[1]
    engine.do(m.PreviewAugmentation(11, str(image) + "x", Augmentation()))
    assert engine.of(m.CommandFailed)[-1].request == 11
