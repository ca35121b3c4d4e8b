"""Ways to train in less time, for large sets: other recipes, from the one that costs least quality to the cheapest."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from ftgui.protocol.recipe import AUTOMATIC, HEAD, Phase, Recipe
from ftgui.protocol.views import with_views

USUAL_IMAGES = 2000
"""Training images for which the default epochs are meant; with more, an epoch has as many more steps."""

FEWEST_EPOCHS = 2


@dataclass(frozen=True)
class Way:
    """One of them."""

    recipe: Recipe
    words: str
    """What is otherwise, for the person."""


def cheaper_ways(recipe: Recipe, train_images: int) -> list[Way]:
    """Recipes with the same model and settings that take less time.

    Args:
        recipe: as the person has it.
        train_images: in the training split.
    """
    augmentation = msgspec.structs.replace(recipe.augmentation, views=AUTOMATIC)
    automatic = msgspec.structs.replace(recipe, augmentation=augmentation)
    if with_views(automatic, train_images).augmentation.views == recipe.augmentation.views:
        automatic = recipe
    fewer = msgspec.structs.replace(automatic, phases=[_fewer_epochs(phase, train_images) for phase in recipe.phases])
    head = Phase(name="Head", train=[HEAD], epochs=max(phase.epochs for phase in fewer.phases), lr=_head_rate(recipe))
    ways = [
        Way(automatic, "Fewer augmented views of each image are computed in advance."),
        Way(fewer, "Fewer epochs: with so many images each epoch has many more steps, so fewer are needed."),
        Way(
            msgspec.structs.replace(fewer, phases=[head]),
            "Only the head learns: every image goes through the frozen layers once, and then an epoch takes almost no time.",
        ),
    ]
    return [way for number, way in enumerate(ways) if way.recipe not in [recipe, *(w.recipe for w in ways[:number])]]


def _fewer_epochs(phase: Phase, train_images: int) -> Phase:
    epochs = max(FEWEST_EPOCHS, round(phase.epochs * USUAL_IMAGES / max(train_images, 1)))
    return msgspec.structs.replace(phase, epochs=min(phase.epochs, epochs))


def _head_rate(recipe: Recipe) -> float:
    """The recipe's own for a head alone, if it has one."""
    rates = [phase.lr for phase in recipe.phases if phase.train == [HEAD]]
    return rates[0] if rates else 3e-3
