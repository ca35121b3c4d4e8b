"""Each verdict where it is true and nowhere else: on made-up histories."""

from __future__ import annotations

import json
import math
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ftgui.protocol.recipe import Augmentation, Phase, Recipe, Training
from ftgui.runs.diagnosis import (
    Comparison,
    EpochFigures,
    Kind,
    Remedy,
    RunFigures,
    Verdict,
    certainty,
    diagnose,
    mcnemar,
    paired,
    unpaired,
)
from ftgui.runs.diagnosis_input import read_figures
from ftgui.runs.model_in_use import read_trained_run
from tests.made_runs import make_run

HEAD = Phase(name="Head", train=["head"], epochs=10, lr=1e-3)
LAST = Phase(name="Last stage", train=["last stage", "head"], epochs=10, lr=1e-4)

Point = tuple[float, float, float]
"""Training accuracy, validation accuracy, validation loss."""

FLAT: list[Point] = [(0.7, 0.7, 0.9), *[(0.9, 0.88, 0.4)] * 9]
"""An ordinary phase: up at once, then level."""


def run(
    *phases: tuple[Phase, list[Point]], val_images: int = 100, seconds: tuple[float, ...] = (), **more: object
) -> RunFigures:
    epochs = []
    for index, (_, points) in enumerate(phases):
        for train, val, loss in points:
            cost = seconds[index] if seconds else 1.0
            epochs.append(EpochFigures(index, len(epochs) + 1, train, val, loss, cost))
    best = max(epochs, key=lambda epoch: (epoch.val_accuracy, -epoch.val_loss, -epoch.epoch)).epoch
    recipe = Recipe(phases=[phase for phase, _ in phases])
    given = {"recipe": recipe, "best_epoch": best, "val_images": val_images, **more}
    return RunFigures(epochs=tuple(epochs), **given)


def verdict(figures: RunFigures, kind: Kind) -> Verdict:
    (found,) = [one for one in diagnose(figures) if one.kind is kind]
    return found


def kinds(figures: RunFigures) -> list[Kind]:
    return [one.kind for one in diagnose(figures)]


def test_of_an_ordinary_run_nothing_is_said() -> None:
    assert diagnose(run((HEAD, FLAT))) == []


@pytest.mark.parametrize(
    "figures",
    [
        run((HEAD, FLAT), val_images=0),
        run((HEAD, [(1.0, math.nan, math.nan)] * 5)),
        RunFigures(Recipe(), (), 0, 100),
    ],
    ids=["no validation images", "no figures", "no epochs"],
)
def test_without_figures_nothing_is_said(figures: RunFigures) -> None:
    assert diagnose(figures) == []


# --- memorised, learned too little ----------------------------------------------------------------------------------


def memorising(train: float, val: float, **more: object) -> RunFigures:
    return run((HEAD, [(0.8, val - 0.01, 0.5), *[(train, val, 0.5)] * 9]), **more)


def test_memorised() -> None:
    found = verdict(memorising(1.0, 0.87), Kind.MEMORISED)
    assert "100.0 % of the training images" in found.sentence and "87.0 % of the validation" in found.sentence
    assert (found.remedy, found.augmentation) == (Remedy.STRONGER_AUGMENTATION, "strong")
    assert found.action == "Set augmentation to strong"


@pytest.mark.parametrize(
    ("train", "val", "images"),
    [(0.96, 0.87, 1000), (1.0, 0.96, 1000), (1.0, 0.9, 20)],
    ids=["not all are known", "a small gap", "so few that it may be chance"],
)
def test_not_memorised(train: float, val: float, images: int) -> None:
    assert Kind.MEMORISED not in kinds(memorising(train, val, val_images=images))


def test_where_augmentation_is_strong_already_no_stronger_one_is_offered() -> None:
    figures = memorising(1.0, 0.87)
    recipe = msgspec.structs.replace(figures.recipe, augmentation=Augmentation(preset="strong"))
    found = verdict(memorising(1.0, 0.87, recipe=recipe), Kind.MEMORISED)
    assert (found.remedy, found.action) == (Remedy.NONE, "")


def test_learned_too_little() -> None:
    low: list[Point] = [(0.5, 0.5, 0.9), *[(0.6, 0.6, 0.8)] * 9]
    found = verdict(run((HEAD, low)), Kind.LEARNED_TOO_LITTLE)
    assert "Only 60.0 % of the training images" in found.sentence and found.remedy is Remedy.MORE_LAYERS
    more = run((HEAD, low), (LAST, [(0.7, 0.7, 0.7)] * 10))
    assert verdict(more, Kind.LEARNED_TOO_LITTLE).remedy is Remedy.NONE
    assert Kind.LEARNED_TOO_LITTLE not in kinds(run((HEAD, [(0.84, 0.7, 0.9)] * 10))), "the gap is another matter"
    rising: list[Point] = [(0.05 * n + 0.1, 0.05 * n + 0.1, 2 - 0.1 * n) for n in range(10)]
    assert Kind.LEARNED_TOO_LITTLE not in kinds(run((HEAD, rising))), "it is not over"


# --- phases ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("gain", "nothing"), [(-0.02, True), (0.0, True), (0.01, True), (0.02, False)])
def test_a_phase_that_gained_nothing(gain: float, nothing: bool) -> None:
    second = [(0.9, 0.88 + gain, 0.4)] * 10
    found = [one for one in diagnose(run((HEAD, FLAT), (LAST, second))) if one.kind is Kind.PHASE_GAINED_NOTHING]
    assert bool(found) == nothing
    if nothing:
        assert (found[0].remedy, found[0].phase, found[0].action) == (
            Remedy.WITHOUT_PHASE,
            1,
            "Switch off “Last stage”",
        )
        assert f"88.0 % before it and {88 + 100 * gain:.1f} % in it" in found[0].sentence
        assert found[0].sentence.endswith("; here the head is enough.")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [((1.0, 5.0), "5 times as long as all earlier phases"), ((1.0, 1.0), "about as long"), ((10.0, 1.0), "")],
)
def test_what_it_cost_is_said(seconds: tuple[float, float], words: str) -> None:
    sentence = verdict(run((HEAD, FLAT), (LAST, FLAT), seconds=seconds), Kind.PHASE_GAINED_NOTHING).sentence
    assert words in sentence and ("as long" in sentence) == bool(words)
    with_prefix = run((HEAD, FLAT), (LAST, FLAT), seconds=(10.0, 1.0), prefix_seconds=((1, 390.0),))
    assert "4 times as long" in verdict(with_prefix, Kind.PHASE_GAINED_NOTHING).sentence


def test_after_more_than_the_head_it_is_not_said_that_the_head_is_enough() -> None:
    figures = run((LAST, FLAT), (msgspec.structs.replace(LAST, name="Again"), FLAT))
    assert verdict(figures, Kind.PHASE_GAINED_NOTHING).sentence.endswith("; here it can be left out.")


RISING: list[Point] = [(0.5 + 0.02 * n, 0.5 + 0.02 * n, 1 - 0.04 * n) for n in range(10)]


def test_still_rising() -> None:
    found = verdict(
        run((HEAD, FLAT), (LAST, [(0.9, 0.88 + 0.01 * n, 0.4 - 0.01 * n) for n in range(10)])), Kind.STILL_RISING
    )
    assert (found.remedy, found.phase, found.epochs) == (Remedy.MORE_EPOCHS, 1, 20)
    assert found.action == "Set “Last stage” to 20 epochs"


@pytest.mark.parametrize(
    "figures",
    [
        run((HEAD, FLAT)),
        run((HEAD, RISING), early=frozenset({0})),
        run((HEAD, RISING[:2])),
        run((HEAD, [(train, val, 0.5) for train, val, _ in RISING])),
        run((HEAD, [*RISING[:9], (0.6, 0.6, 0.6)])),
        run((HEAD, [(a, 0.8 + 0.001 * n, c) for n, (a, _, c) in enumerate(RISING)])),
        run((HEAD, RISING), recipe=Recipe(phases=[HEAD, LAST])),
    ],
    ids=[
        "level",
        "stopped early",
        "two epochs",
        "the loss does not fall",
        "fell at the end",
        "hardly",
        "not the last phase",
    ],
)
def test_not_rising(figures: RunFigures) -> None:
    assert Kind.STILL_RISING not in kinds(figures)


def test_stopped_early() -> None:
    recipe = Recipe(phases=[HEAD, LAST], training=Training(early_stop=5))
    figures = run((HEAD, FLAT), (LAST, [(0.9, 0.95, 0.3), *[(0.9, 0.9, 0.4)] * 5]), early=frozenset({1}), recipe=recipe)
    sentence = verdict(figures, Kind.STOPPED_EARLY).sentence
    assert "after epoch 16 of up to 20, because 5 epochs in a row" in sentence and "weights of epoch 11" in sentence
    first = run((HEAD, FLAT), (LAST, [(0.9, 0.95, 0.3)] * 10), early=frozenset({0}), recipe=recipe)
    assert Kind.STOPPED_EARLY not in kinds(first), "another phase came after it"


# --- classes --------------------------------------------------------------------------------------------------------


def with_classes(*rows: tuple[int, ...]) -> RunFigures:
    names = tuple("abcdef"[: len(rows)])
    return run((HEAD, FLAT), class_names=names, confusion=rows, val_images=sum(map(sum, rows)))


def test_a_class_that_drags() -> None:
    found = verdict(with_classes((19, 1, 0), (8, 10, 2), (0, 1, 19)), Kind.CLASS_DRAGS)
    assert found.class_name == "b" and found.sentence.startswith(
        "“b” lags behind: the model gets 10 of its 20 validation images"
    )
    assert "other classes 95.0 %" in found.sentence and found.remedy is Remedy.SHOW_CLASS


@pytest.mark.parametrize(
    "rows",
    [
        ((18, 2), (3, 17)),
        ((3, 0, 0), (1, 2, 0), (0, 0, 3)),
        ((90, 10, 0), (14, 86, 0), (5, 5, 90)),
        ((20, 0), (0, 0)),
    ],
    ids=["alike", "too few to tell", "less than it takes", "a class without images"],
)
def test_none_drags(rows: tuple[tuple[int, ...], ...]) -> None:
    assert Kind.CLASS_DRAGS not in kinds(with_classes(*rows))


# --- against the run before -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("earlier", "sentence"),
    [
        (Comparison(3, 0.85, 3, 0.375), "Better than run 3 (85.0 %) by 3 images of 100, which may be chance."),
        (Comparison(3, 0.78, 10, 0.01), "Better than run 3 (78.0 %) by 10 images of 100, which is more than chance."),
        (Comparison(3, 0.89, -1, 1.0), "Worse than run 3 (89.0 %) by 1 image of 100, which may be chance."),
        (Comparison(3, 0.8, 8, math.nan), "Better than run 3 (80.0 %) by 8 images of 100."),
        (Comparison(3, 0.88, 0, 1.0), "As good as run 3 (88.0 %) on the same validation images."),
    ],
)
def test_better_or_worse_than_the_run_before(earlier: Comparison, sentence: str) -> None:
    assert verdict(run((HEAD, FLAT), earlier=earlier), Kind.COMPARED).sentence == sentence


@given(st.integers(0, 300), st.integers(0, 300))
def test_chance_as_scipy_has_it(won: int, lost: int) -> None:
    expected = stats.binomtest(won, won + lost, 0.5).pvalue if won + lost else 1.0
    assert mcnemar(won, lost) == pytest.approx(expected, rel=1e-9)


def test_with_and_without_the_answers_about_each_image() -> None:
    found = paired(2, [True] * 8 + [False] * 2, [True, True] + [False] * 7 + [True])
    assert (found.number, found.accuracy, found.difference) == (2, 0.3, 5)
    assert found.chance == pytest.approx(stats.binomtest(6, 7, 0.5).pvalue)
    assert unpaired(2, 90, 88, 100).chance >= 0.05, "however the two images came about"
    assert unpaired(2, 90, 60, 100).chance < 0.001
    assert math.isnan(unpaired(2, 90, 82, 100).chance), "it depends on which images they were"


# --- from a run's folder --------------------------------------------------------------------------------------------


def line(**values: object) -> str:
    return json.dumps({"time": 1.0, **values}) + "\n"


def test_figures_come_from_the_runs_folder(tmp_path: Path) -> None:
    first = make_run(tmp_path, 1, predictions=True)
    folder = make_run(tmp_path, 2, confusion=[[2, 0], [1, 1]], predictions=True)
    epoch = {"kind": "epoch", "train_accuracy": 1.0, "val_accuracy": 0.75, "val_loss": None, "seconds": 2.0}
    (folder / "metrics.jsonl").write_text(
        line(kind="phase", phase=0, name="Head", step=0)
        + line(kind="prefix", phase=0, seconds=7.0)
        + line(kind="step", step=1, loss=1.0)
        + line(**epoch, phase=0, epoch=1, step=8)
        + line(kind="phase-end", phase=0, early=True)
        + '{"kind": "epoch", "phase": 0, "ep',
        encoding="utf-8",
    )
    trained = [read_trained_run(one) for one in (first, folder)]
    figures = read_figures(folder, trained)
    assert [(e.phase, e.epoch, e.train_accuracy, e.seconds) for e in figures.epochs] == [(0, 1, 1.0, 2.0)]
    assert math.isnan(figures.epochs[0].val_loss)
    assert figures.early == {0} and figures.prefix_seconds == ((0, 7.0),) and figures.val_images == 4
    assert figures.confusion == ((2, 0), (1, 1)) and figures.class_names == ("blue", "red")
    assert figures.earlier is not None and figures.earlier.number == 1
    assert read_figures(first, trained).earlier is None, "the second came later"


def test_a_damaged_line_is_an_error_that_says_so(tmp_path: Path) -> None:
    folder = make_run(tmp_path, 1)
    (folder / "metrics.jsonl").write_text('{"kind": "epoch", "phase": "x"}\n', encoding="utf-8")
    with pytest.raises(ValueError, match="integer"):
        read_figures(folder, [])


@pytest.mark.parametrize(
    ("confusion", "words"),
    [
        (
            ((60, 3), (2, 64)),
            "124 of 129 validation images are classified correctly. Of other images like these, 91.2 % to 98.3 % would be",
        ),
        (
            ((1, 0), (1, 0)),
            "1 of 2 validation images is classified correctly. Of other images like these, 9.5 % to 90.5 % would be",
        ),
        ((), ""),
    ],
)
def test_how_far_the_figure_can_be_trusted(confusion: tuple[tuple[int, ...], ...], words: str) -> None:
    said = certainty(run((HEAD, FLAT), confusion=confusion))
    assert said.startswith(words) and bool(said) == bool(words)
