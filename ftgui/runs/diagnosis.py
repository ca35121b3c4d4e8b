"""What a run meant: verdicts from its figures, each with what can be done about it.

A verdict is only given where the figures carry it. The limits below are those of the verdicts' sentences: who reads
“memorised” should find it true when looking at the images.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ftgui.base.formatting import percent, plural
from ftgui.data.metrics import interval
from ftgui.protocol.recipe import AUGMENTATIONS, HEAD, Recipe

KNOWS_ALL = 0.97
"""Training accuracy from which on nearly every training image is right."""

GAP = 0.05
"""Between training and validation accuracy, at least, beside what chance may make of the validation images."""

LEARNED_LITTLE = 0.85
"""Training accuracy below which the trainable layers can't tell the training images apart."""

COMMON = 0.05
"""What happens by chance in more than one of 20 cases is not taken for more than chance."""

DRAGS = 0.15
"""That a class lies below the others, at least."""

_MARGIN = 0.03
"""Between training accuracy and the upper end of what chance may make of the validation accuracy, at least."""

_LATE = 0.1
"""Share of a phase's epochs that are its end."""


class Remedy(StrEnum):
    """What can be done about a verdict at a click."""

    STRONGER_AUGMENTATION = "stronger augmentation"
    WITHOUT_PHASE = "without the phase"
    MORE_EPOCHS = "more epochs"
    MORE_LAYERS = "more layers"
    SHOW_CLASS = "show the class"
    NONE = ""


class Kind(StrEnum):
    """Of a verdict."""

    MEMORISED = "memorised"
    LEARNED_TOO_LITTLE = "learned too little"
    PHASE_GAINED_NOTHING = "phase gained nothing"
    STILL_RISING = "still rising"
    CLASS_DRAGS = "class drags"
    COMPARED = "compared"
    STOPPED_EARLY = "stopped early"


@dataclass(frozen=True)
class Verdict:
    """One thing that a run's figures say."""

    kind: Kind
    sentence: str
    remedy: Remedy = Remedy.NONE
    action: str = ""
    """On the button; empty: there is nothing to press."""
    phase: int = -1
    """Index in `Recipe.active_phases` of the phase that it is about."""
    class_name: str = ""
    """That it is about."""
    epochs: int = 0
    """That the phase had better have."""
    augmentation: str = ""
    """That the recipe had better have."""


@dataclass(frozen=True)
class EpochFigures:
    """At the end of an epoch; NaN: no figure."""

    phase: int
    epoch: int
    """From 1 over the whole run."""
    train_accuracy: float
    val_accuracy: float
    val_loss: float
    seconds: float = 0.0


@dataclass(frozen=True)
class Comparison:
    """With an earlier run, on the same validation images; see `paired` and `unpaired`."""

    number: int
    """Of that run."""
    accuracy: float
    difference: int
    """Images that this run has right more than that one."""
    chance: float
    """Probability that two equally good models differ so much; NaN: not known."""


@dataclass(frozen=True)
class RunFigures:
    """What a verdict is made from."""

    recipe: Recipe
    epochs: tuple[EpochFigures, ...]
    best_epoch: int
    val_images: int
    early: frozenset[int] = frozenset()
    """Phases that ended early because nothing got better."""
    prefix_seconds: tuple[tuple[int, float], ...] = ()
    """Phase, seconds that computing its frozen part once took."""
    class_names: tuple[str, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    """Rows: true class; columns: predicted; empty: not known."""
    earlier: Comparison | None = None

    def of_phase(self, phase: int) -> list[EpochFigures]:
        return [epoch for epoch in self.epochs if epoch.phase == phase]

    @property
    def best(self) -> EpochFigures | None:
        """The epoch whose weights were kept."""
        return next((epoch for epoch in self.epochs if epoch.epoch == self.best_epoch), None)


def diagnose(figures: RunFigures) -> list[Verdict]:
    """Every verdict that the figures of a finished run carry, the most useful first."""
    if not figures.val_images or figures.best is None or math.isnan(figures.best.val_accuracy):
        return []
    found = [
        _memorised(figures),
        _learned_too_little(figures),
        *_phases_that_gained_nothing(figures),
        _still_rising(figures),
        _class_drags(figures),
        _compared(figures),
        _stopped_early(figures),
    ]
    return [verdict for verdict in found if verdict is not None]


def certainty(figures: RunFigures) -> str:
    """How far the run's figure can be trusted, in a sentence; empty: its validation images were not counted one by one."""
    total = sum(map(sum, figures.confusion))
    if not total:
        return ""
    right = sum(row[index] for index, row in enumerate(figures.confusion))
    low, high = interval(right, total)
    return (
        f"{right:,} of {plural(total, 'validation image')} {'is' if right == 1 else 'are'} classified "
        "correctly. Of other images like these, "
        f"{percent(low)} to {percent(high)} would be (95 % interval), or slightly fewer, because these images "
        "also chose the epoch."
    )


# --- one by one -----------------------------------------------------------------------------------------------------


def _memorised(figures: RunFigures) -> Verdict | None:
    best = figures.best
    assert best is not None
    train, val = best.train_accuracy, best.val_accuracy
    _, highest = interval(round(val * figures.val_images), figures.val_images)
    if not (train >= KNOWS_ALL and train - val >= GAP and highest <= train - _MARGIN):
        return None
    sentence = (
        f"{percent(train)} of the training images are classified correctly but only {percent(val)} of the "
        "validation images: the model memorised. "
        "More images, stronger augmentation or fewer trainable layers would help."
    )
    present = figures.recipe.augmentation.preset
    stronger = AUGMENTATIONS[AUGMENTATIONS.index(present) + 1 :][:1] if present in AUGMENTATIONS else ()
    if not stronger:
        return Verdict(Kind.MEMORISED, sentence)
    action = f"Set augmentation to {stronger[0]}"
    return Verdict(Kind.MEMORISED, sentence, Remedy.STRONGER_AUGMENTATION, action, augmentation=stronger[0])


def _learned_too_little(figures: RunFigures) -> Verdict | None:
    best, last = figures.best, figures.epochs[-1]
    assert best is not None
    too_little = best.train_accuracy < LEARNED_LITTLE and best.train_accuracy - best.val_accuracy < GAP
    if not too_little or _rises(figures, last.phase):
        return None
    sentence = (
        f"Only {percent(best.train_accuracy)} of the training images are classified correctly, and this no "
        "longer improves: the trainable "
        "layers can't tell them apart."
    )
    phases = figures.recipe.active_phases
    if any(phase.train != [HEAD] for phase in phases):
        return Verdict(Kind.LEARNED_TOO_LITTLE, f"{sentence} More layers, a larger model or cleaner labels may help.")
    sentence += " Let the last layers learn too, after the head."
    return Verdict(Kind.LEARNED_TOO_LITTLE, sentence, Remedy.MORE_LAYERS, "Add a phase for the last stage")


def _phases_that_gained_nothing(figures: RunFigures) -> list[Verdict]:
    phases = figures.recipe.active_phases
    found = []
    for index in sorted({epoch.phase for epoch in figures.epochs})[1:]:
        before = max(e.val_accuracy for e in figures.epochs if e.phase < index)
        within = max(e.val_accuracy for e in figures.of_phase(index))
        # One image more or less is nothing, however few there are.
        if index >= len(phases) or round((within - before) * figures.val_images) > 1:
            continue
        name, accuracies = phases[index].name, f"{percent(before)} before it and {percent(within)} in it"
        sentence = f"The phase “{name}” gained nothing: accuracy was {accuracies}"
        factor = _seconds(figures, index) / max(sum(_seconds(figures, i) for i in range(index)), 1e-9)
        if factor >= 2:
            sentence += f". It took {factor:.0f} times as long as all earlier phases"
        elif factor >= 0.5:
            sentence += ". It took about as long as all earlier phases"
        heads = all(phase.train == [HEAD] for phase in phases[:index])
        sentence += "; here the head is enough." if heads else "; here it can be left out."
        action = f"Switch off “{phases[index].name}”"
        found.append(Verdict(Kind.PHASE_GAINED_NOTHING, sentence, Remedy.WITHOUT_PHASE, action, phase=index))
    return found


def _still_rising(figures: RunFigures) -> Verdict | None:
    phase = figures.epochs[-1].phase
    phases = figures.recipe.active_phases
    if phase in figures.early or phase != len(phases) - 1 or not _rises(figures, phase):
        return None
    epochs = 2 * phases[phase].epochs
    sentence = "Validation accuracy was still rising when the run ended: more epochs are worth a try."
    action = f"Set “{phases[phase].name}” to {epochs} epochs"
    return Verdict(Kind.STILL_RISING, sentence, Remedy.MORE_EPOCHS, action, phase=phase, epochs=epochs)


def _rises(figures: RunFigures, phase: int) -> bool:
    """The phase's best epoch is among its last, clearly above what there was at two thirds of it, and its loss fell too."""
    epochs = figures.of_phase(phase)
    if len(epochs) < 3:
        return False
    accuracies = [epoch.val_accuracy for epoch in epochs]
    last = max(round(len(epochs) * _LATE), 1)
    best = max(range(len(epochs)), key=lambda at: (accuracies[at], at))
    middle = len(epochs) * 2 // 3 - 1
    gained = max(accuracies) - max(accuracies[: middle + 1])
    return (
        best >= len(epochs) - last
        and gained > max(0.01, 1.5 / figures.val_images)
        and epochs[-1].val_loss < 0.98 * epochs[middle].val_loss
    )


def _class_drags(figures: RunFigures) -> Verdict | None:
    support = [sum(row) for row in figures.confusion]
    hits = [row[index] for index, row in enumerate(figures.confusion)]
    tested = [index for index, count in enumerate(support) if count >= 4]
    found: list[tuple[float, int, float]] = []
    for index in tested:
        others = sum(support) - support[index]
        if not others:
            continue
        rest = (sum(hits) - hits[index]) / others
        chance = _at_most(hits[index], support[index], rest) * len(tested)
        if rest - hits[index] / support[index] >= DRAGS and chance < COMMON:
            found.append((chance, index, rest))
    if not found:
        return None
    _, worst, rest = min(found)
    name = figures.class_names[worst]
    sentence = (
        f"“{name}” lags behind: the model gets {hits[worst]} of its "
        f"{plural(support[worst], 'validation image')} right, and of the other "
        f"classes {percent(rest)}. Look at its images: labels may be wrong, or some kinds may be too rare."
    )
    return Verdict(Kind.CLASS_DRAGS, sentence, Remedy.SHOW_CLASS, "Show its mistakes", class_name=name)


def _compared(figures: RunFigures) -> Verdict | None:
    earlier = figures.earlier
    if earlier is None:
        return None
    run = f"run {earlier.number} ({percent(earlier.accuracy)})"
    if not earlier.difference:
        return Verdict(Kind.COMPARED, f"As good as {run} on the same validation images.")
    word = "Better" if earlier.difference > 0 else "Worse"
    sentence = f"{word} than {run} by {plural(abs(earlier.difference), 'image')} of {figures.val_images:,}"
    if math.isnan(earlier.chance):
        return Verdict(Kind.COMPARED, f"{sentence}.")
    weight = "which is more than chance" if earlier.chance < COMMON else "which may be chance"
    return Verdict(Kind.COMPARED, f"{sentence}, {weight}.")


def _stopped_early(figures: RunFigures) -> Verdict | None:
    last = figures.epochs[-1]
    if last.phase not in figures.early:
        return None
    planned = sum(phase.epochs for phase in figures.recipe.active_phases)
    patience = figures.recipe.training.early_stop
    sentence = (
        f"It stopped early, after epoch {last.epoch} of up to {planned}, because {plural(patience, 'epoch')} in a row brought no "
        f"better validation result; the weights of epoch {figures.best_epoch} were kept."
    )
    return Verdict(Kind.STOPPED_EARLY, sentence)


# --- arithmetic -----------------------------------------------------------------------------------------------------


def mcnemar(won: int, lost: int) -> float:
    """Probability that chance alone makes two equally good models differ so much on the same images (exact, two-sided;
    McNemar 1947).

    Args:
        won: images that only the one has right.
        lost: images that only the other has right.
    """
    total = won + lost
    return min(2 * _at_most(min(won, lost), total, 0.5), 1.0)


def _at_most(successes: int, trials: int, share: float) -> float:
    """Probability of at most so many successes, each of probability `share` (0 to 1).

    `scipy.stats.binom.cdf` gives the same, but importing it costs the window a second.
    """
    if share >= 1:
        return 1.0 if successes >= trials else 0.0
    if share <= 0:
        return 1.0

    def log_probability(k: int) -> float:
        ways = math.lgamma(trials + 1) - math.lgamma(k + 1) - math.lgamma(trials - k + 1)
        return ways + k * math.log(share) + (trials - k) * math.log1p(-share)

    return min(sum(math.exp(log_probability(k)) for k in range(successes + 1)), 1.0)


def _seconds(figures: RunFigures, phase: int) -> float:
    once = sum(seconds for index, seconds in figures.prefix_seconds if index == phase)
    return once + sum(epoch.seconds for epoch in figures.of_phase(phase))


def paired(number: int, right: Sequence[bool], right_then: Sequence[bool]) -> Comparison:
    """With an earlier run whose answers about each image are known.

    Args:
        number: of that run.
        right: for each image, whether this run's model has it right.
        right_then: the same of that run's, in the same order; at least one image.
    """
    pairs = list(zip(right, right_then, strict=True))
    won = sum(now and not then for now, then in pairs)
    lost = sum(then and not now for now, then in pairs)
    return Comparison(number, sum(right_then) / len(pairs), won - lost, mcnemar(won, lost))


def unpaired(number: int, right: int, right_then: int, images: int) -> Comparison:
    """With an earlier run of which only the figure is known. Which images the two have right is not: the chance is only
    said where it does not depend on that.

    Args:
        number: of that run.
        right: images that this run's model has right.
        right_then: that that run's had right.
        images: that both were asked about; at least one.
    """
    difference = right - right_then
    least = mcnemar(abs(difference), 0)  # if no image was won in exchange for another
    mean = (right + right_then) / (2 * images)
    deviation = math.sqrt(2 * mean * (1 - mean) * images)  # as if the two had nothing in common
    most = math.erfc(abs(difference) / deviation / math.sqrt(2)) if deviation else 1.0
    chance = most if most < COMMON else least if least >= COMMON else math.nan
    return Comparison(number, right_then / images, difference, chance)
