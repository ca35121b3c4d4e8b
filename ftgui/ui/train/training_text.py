"""Sentences of the Train page about what has been asked for and has not happened yet, or is otherwise than the recipe says."""

from __future__ import annotations

from ftgui.protocol.layer_names import OWN
from ftgui.protocol.rates import rate
from ftgui.protocol.recipe import EVERYTHING, HEAD

_NAMED = 3
"""Layers; of more the number is said."""


def layers_in_words(names: list[str]) -> str:
    """E.g. ``"stage 6, stage 7 and the head"``, ``"all layers"``, ``"no layer"``."""
    if names == [EVERYTHING]:
        return "all layers"
    said = ["the head" if name == HEAD else name.removesuffix(OWN) for name in names]
    if len(said) > _NAMED:
        said = [*said[: _NAMED - 1], f"{len(said) - _NAMED + 1} more"]
    return " and ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else said) or "no layer"


def asked_for(names: list[str]) -> str:
    """Ticks in a training that the engine has not taken up yet.

    Args:
        names: of the layers that should learn.
    """
    return (
        f"You asked for this: {layers_in_words(names)} should learn. It takes effect when the present step is over; while "
        "the frozen part is computed, that takes a while. Until then nothing changes."
    )


def by_ticks(names: list[str], lr: float) -> str:
    """What learns after ticks in a training.

    Args:
        names: of the layers that learn.
        lr: peak rate of the phase.
    """
    return (
        f"As you ticked, {layers_in_words(names)} learn now, at up to {rate(lr)}; newly ticked layers warm up first. "
        "The recipe keeps this phase as it was planned."
    )


def beginning(continued: bool) -> str:
    """Explains the time between Train and the first step."""
    if continued:
        return "The images and the state of the run are read; then it goes on exactly where it stopped."
    return (
        "First every image is read once, to find out which can be used and to keep them in memory. Then the frozen part of the "
        "model runs over them. The curves begin with the first step."
    )
