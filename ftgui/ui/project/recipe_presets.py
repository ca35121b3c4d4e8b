"""Whole plans to start from, with what each is good for."""

from __future__ import annotations

from dataclasses import dataclass

from ftgui.protocol.recipe import EVERYTHING, HEAD, LAST_STAGE, Phase, default_phases


@dataclass(frozen=True)
class Template:
    """One entry of the Plans menu."""

    title: str
    tip: str
    phases: tuple[Phase, ...]


TEMPLATES = (
    Template(
        "Head only",
        "Only the new last layer learns, on the features of the pretrained backbone.\n"
        "The fastest, and hard to get wrong: right for a first try and for a few dozen images per class.",
        (default_phases()[0],),
    ),
    Template(
        "Head, then last stage (default)",
        "The head learns alone first, because it starts random and its first steps are wild.\n"
        "Then the last stage adapts with it at a lower rate. Usually the best for hundreds of images.",
        tuple(default_phases()),
    ),
    Template(
        "Head, last stage, everything",
        "Like the default, then the whole model at an even lower rate, halved with every stage towards the input:\n"
        "edges and colours are the same everywhere and should hardly change. For thousands of images, or unusual ones.",
        (*default_phases(), Phase(name="Everything", train=[EVERYTHING], epochs=8, lr=1e-4, layer_decay=0.5)),
    ),
    Template(
        "Everything at once",
        "The whole model learns from the first step. Right without pretrained weights or with very many images;\n"
        "with few, the random head's first steps wash out what the backbone knows.",
        (Phase(name="Everything", train=[EVERYTHING], epochs=12, lr=2e-4),),
    ),
)


def new_phase() -> Phase:
    """What “Add phase” adds: a gentle one after all others."""
    return Phase(name=phase_name([LAST_STAGE, HEAD]), train=[LAST_STAGE, HEAD], epochs=5, lr=1e-4)


def phase_name(layers: list[str]) -> str:
    """The name a phase has until the person gives it another: what learns, in short."""
    if layers == [EVERYTHING]:
        return "Everything"
    if layers == [HEAD]:
        return "Head"
    if layers == [LAST_STAGE, HEAD]:
        return "Last stage"
    stages = [layer for layer in layers if layer.startswith("stage ") and ":" not in layer]
    if len(stages) == 1:
        return stages[0].capitalize()
    return "Ticked layers"
