"""One check on a learning rate, and one cure, wherever it is spoken of."""

from __future__ import annotations

import pytest

from ftgui.protocol.rates import check_rate, rate, rate_after_divergence, suitable_rates
from ftgui.protocol.recipe import Backbone, Phase, Recipe


@pytest.mark.parametrize("train", [["head"], ["everything"], ["last stage", "head"]])
@pytest.mark.parametrize("scratch", [False, True])
@pytest.mark.parametrize("lr", [1e-9, 1e-5, 1e-3, 1e-2, 0.05, 0.5, 30.0, 1e18])
def test_form_and_advice_name_the_same_cure_and_nobody_warns_of_it(train: list[str], scratch: bool, lr: float) -> None:
    evaluated = check_rate(train, lr, scratch)
    phase = Phase(name="A", train=train, epochs=1, lr=lr)
    found = Recipe(phases=[phase], backbone=Backbone(weights="none" if scratch else "pretrained")).validate()
    assert [p.kind for p in found] == ([evaluated.kind] if evaluated.kind else [])
    assert all(evaluated.sentence in p.message and p.fix == f"Try {rate(evaluated.cure)}." for p in found)
    assert not check_rate(train, evaluated.cure, scratch).kind
    lower = rate_after_divergence(train, lr, lr, scratch)
    assert 0 < lower < lr
    if evaluated.kind == "lr-high":
        assert lower == evaluated.cure, "the warning before and the advice after say the same"


def test_a_rate_that_diverged_though_it_suited_is_tried_at_a_tenth() -> None:
    assert rate_after_divergence(["head"], 1e-2, 1e-2, False) == pytest.approx(1e-3)


def test_after_a_rate_set_by_hand_no_more_than_was_planned() -> None:
    assert rate_after_divergence(["head"], 2e-2, 5e-4, False) == 5e-4


def test_half_of_one_is_never_called_fine() -> None:
    evaluated = check_rate(["head"], 0.5, False)
    assert (
        evaluated.sentence == "a learning rate of 5e-1 is far above what suits a new head: training may never converge"
    )
    assert rate(evaluated.cure) == "2e-3" and suitable_rates(["head"], False)[1] < 0.5
