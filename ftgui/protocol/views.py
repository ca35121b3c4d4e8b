"""How many augmented views of each image are computed ahead where the frozen part is cached: the one place that decides it.

Each view of each image goes through the frozen part once, before the first epoch, so views times images is the cost of the
start. With few images the views are the variety there is; with many the images themselves are.
"""

from __future__ import annotations

import msgspec

from ftgui.protocol.recipe import AUTOMATIC, Recipe

MOST_VIEWS = 8
"""With 20 pictures a class, 4 views cost 2.6 points of accuracy against fresh ones, 8 cost 0.8 (measured,
tests/bench/bench_recipe.py)."""

COMPUTED = 16_000
"""Views of all images together, about: from 2,000 images on there are fewer of each."""


def views_for(recipe: Recipe, train_images: int) -> int:
    """Of each image, at most; 0: a fresh one every time, nothing is cached.

    Args:
        recipe: may leave it to the size of the set.
        train_images: in the training split.
    """
    wanted = recipe.augmentation.views
    if isinstance(wanted, int):
        return wanted
    return max(1, min(MOST_VIEWS, COMPUTED // max(train_images, 1)))


def with_views(recipe: Recipe, train_images: int) -> Recipe:
    """The recipe as it is run: with the number in place of “auto”, so that a run can be gone on with and repeated exactly,
    however many images there are by then."""
    if recipe.augmentation.views != AUTOMATIC:
        return recipe
    augmentation = msgspec.structs.replace(recipe.augmentation, views=views_for(recipe, train_images))
    return msgspec.structs.replace(recipe, augmentation=augmentation)
