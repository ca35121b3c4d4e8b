"""The rate that is drawn is the rate that is trained by."""

from __future__ import annotations

import pytest

from ftgui.protocol.lr_schedule import learning_rate


def test_it_rises_to_the_peak_and_falls_to_zero() -> None:
    rates = [learning_rate(2.0, step, 100, 0.1) for step in range(101)]
    assert rates.index(max(rates)) == 10 and max(rates) == 2.0
    assert rates[:10] == sorted(rates[:10]) and rates[0] > 0
    assert rates[10:] == sorted(rates[10:], reverse=True) and rates[100] == pytest.approx(0)


def test_a_phase_of_one_step_or_without_warm_up_begins_at_the_peak() -> None:
    assert learning_rate(1.0, 0, 1, 0.1) == 1.0
    assert learning_rate(1.0, 0, 50, 0.0) == 1.0
