"""Sentences of the Train page: what a phase does and why, what has been asked for, what a comparison showed."""

from __future__ import annotations

import math

from ftgui.base.formatting import percent
from ftgui.protocol.layer_names import OWN
from ftgui.protocol.rates import check_rate, rate
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
        f"Requested: {layers_in_words(names)} should learn. This takes effect when the current step is over; while "
        "the frozen part is being computed, that can take a while. Until then nothing changes."
    )


def by_ticks(names: list[str], lr: float) -> str:
    """What learns after ticks in a training.

    Args:
        names: of the layers that learn.
        lr: peak rate of the phase.
    """
    return (
        f"As ticked, training now changes {layers_in_words(names)}, at up to {rate(lr)}; newly ticked layers warm up first. "
        "The phase in the recipe stays as planned."
    )


def beginning(continued: bool) -> str:
    """Explains the time between Train and the first step."""
    if continued:
        return "The images and the state of the run are being read; then training continues exactly where it stopped."
    return (
        "First every image is read once, to find out which can be used and to keep them in memory. Then the frozen part of the "
        "model runs over them. The curves begin with the first step."
    )


def phase(train: list[str], lr: float, from_scratch: bool, comparing: bool) -> str:
    """What learns in a phase and why, and whether its rate suits that.

    Args:
        train: names of the layers that learn.
        lr: the phase's peak rate.
        from_scratch: the backbone began with random weights.
        comparing: the run only shows what pretraining is worth.
    """
    check = check_rate(train, lr, from_scratch)
    advice = f"{check.sentence[0].upper()}{check.sentence[1:]}." + (f" Try {rate(check.cure)}." if check.kind else "")
    if comparing:
        return (
            "A comparison from scratch: the backbone has never seen an image, so even its first layers are random. What the "
            "ticked layers learn now comes from your images alone."
        )
    if train == [HEAD]:
        return (
            "Only the new head learns. It starts with random weights, so its first steps are wild; the frozen "
            "backbone can't be harmed by "
            f"them. {advice}"
        )
    return (
        "The head now gives sensible answers, so the ticked layers can adapt with it, in small steps: large "
        "ones would wash out what "
        f"they learned from a million images. {advice} The phase starts from the best weights so far, and they "
        "are kept if it does "
        "not improve on them."
    )


def compared(from_scratch: float, pretrained: float) -> str:
    """What pretraining was worth.

    Args:
        from_scratch: validation accuracy, 0 to 1, of a model that began with random weights.
        pretrained: that of the project's last run that did not; NaN: there is none.
    """
    said = f"From scratch: {percent(from_scratch)}"
    if math.isnan(pretrained):
        return f"{said}. Press Train to see what the same recipe makes of a pretrained backbone."
    if pretrained <= from_scratch:
        text = "Here pretraining made no difference: these images are easy, or unlike those used for pretraining."
    else:
        text = "The difference is what the backbone learned from a million images."
    return f"{said}; pretrained: {percent(pretrained)}. {text} The pretrained model is loaded again."
