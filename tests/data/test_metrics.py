"""Figures of an evaluation; scikit-learn is the oracle."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics
from sklearn.calibration import calibration_curve

from ftgui.data.metrics import (
    accuracy,
    answers_from,
    calibration_error,
    class_figures,
    confused_pairs,
    coverage,
    interval,
    reliability,
)

pytestmark = pytest.mark.slow

NAMES = ["ant", "bee", "cat", "dog"]

said = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES), st.floats(0.25, 1.0, width=32)), min_size=1, max_size=80
)


@pytest.mark.filterwarnings("ignore:A single label was found")
@settings(max_examples=150, deadline=None)
@given(said)
def test_as_scikit_learn_has_them(rows: list[tuple[str, str, float]]) -> None:
    answers = answers_from(rows)
    labels, called = [row[0] for row in rows], [row[1] for row in rows]
    confusion = answers.confusion()
    assert confusion.tolist() == metrics.confusion_matrix(labels, called, labels=answers.class_names).tolist()
    assert accuracy(confusion) == pytest.approx(metrics.accuracy_score(labels, called))
    ours = class_figures(confusion)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        labels, called, labels=answers.class_names, zero_division=math.nan
    )
    np.testing.assert_allclose(ours.precision, precision, equal_nan=True)
    np.testing.assert_allclose(ours.recall, recall, equal_nan=True)
    assert ours.support.tolist() == support.tolist()
    # scikit-learn has no F1 for a class that is only called or only there; ours is 0 then: nothing of it is right.
    np.testing.assert_allclose(ours.f1, np.nan_to_num(f1, nan=0.0))


@settings(max_examples=100, deadline=None)
@given(said)
def test_reliability_as_scikit_learn_has_it(rows: list[tuple[str, str, float]]) -> None:
    answers = answers_from(rows)
    sure, right = answers.confidences, answers.right
    bins = reliability(sure, right)
    assert sum(one.count for one in bins) == len(rows)
    filled = [one for one in bins if one.count]
    # scikit-learn counts a value on an edge to the upper bin; none of these lies on one, or it would be another question.
    if not any(abs(value * 10 - round(value * 10)) < 1e-6 for value in sure):
        share, mean = calibration_curve(right, sure, n_bins=10)
        np.testing.assert_allclose([one.accuracy for one in filled], share)
        np.testing.assert_allclose([one.confidence for one in filled], mean)
    by_hand = sum(
        abs(sum(sure[i] - right[i] for i in range(len(rows)) if one.low < sure[i] <= one.high)) for one in bins
    )
    assert calibration_error(bins) == pytest.approx(by_hand / len(rows), abs=1e-6)


@settings(max_examples=100, deadline=None)
@given(said, st.integers(0, 100))
def test_coverage_by_counting(rows: list[tuple[str, str, float]], percent: int) -> None:
    answers = answers_from(rows)
    answered, share = coverage(answers.confidences, answers.right).at(percent / 100)
    kept = [label == called for label, called, sure in rows if sure >= percent / 100 - 1e-9]
    assert answered == pytest.approx(len(kept) / len(rows))
    assert share == pytest.approx(sum(kept) / len(kept)) if kept else math.isnan(share)


def test_the_interval_of_a_share() -> None:
    # statsmodels.stats.proportion.proportion_confint(81, 263, method="wilson"), as in Newcombe 1998, table I
    assert interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=1e-4)
    low, high = interval(0, 20)
    assert low == 0 and high == pytest.approx(0.1611, abs=1e-4)
    low, high = interval(29, 29)
    assert low == pytest.approx(0.8830, abs=1e-4) and high == pytest.approx(1)
    assert interval(0, 0) == (0, 1)


def test_the_most_confused_pairs_come_first() -> None:
    matrix = np.array([[9, 2, 0], [5, 1, 2], [0, 0, 7]])
    assert confused_pairs(matrix, 2) == [(5, 1, 0), (2, 0, 1)]
    assert confused_pairs(matrix, 9) == [(5, 1, 0), (2, 0, 1), (2, 1, 2)]
    assert confused_pairs(np.diag([3, 4]), 5) == []


def test_nothing_to_evaluate() -> None:
    none = answers_from([])
    assert none.class_names == [] and math.isnan(accuracy(none.confusion()))
    assert math.isnan(calibration_error(reliability(none.confidences, none.right)))
    assert coverage(none.confidences, none.right).at(0.5)[0] == 0
