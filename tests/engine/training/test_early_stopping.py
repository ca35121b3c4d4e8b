"""When a phase ends early."""

from __future__ import annotations

import json

from ftgui.engine.training.early_stopping import EarlyStopping


def test_a_phase_ends_after_its_patience_without_a_better_score() -> None:
    stopping = EarlyStopping(patience=2)
    for accuracy, loss, due in [
        (0.5, 0.7, False),
        (0.5, 0.7, False),
        (0.5, 0.6, False),
        (0.4, 0.1, False),
        (0.5, 0.6, True),
    ]:
        stopping.see(accuracy, loss)
        assert stopping.is_due == due, "a lower loss at the same accuracy is better, the same score is not"
    stopping.patience = 3
    assert not stopping.is_due
    stopping.patience = 0
    assert not stopping.is_due, "0 switches it off"


def test_every_phase_has_a_best_score_of_its_own() -> None:
    stopping = EarlyStopping(patience=1)
    stopping.see(0.9, 0.1)
    stopping.begin_phase()
    stopping.see(0.5, 0.7)
    assert not stopping.is_due


def test_it_goes_on_from_its_state() -> None:
    before = EarlyStopping(patience=3)
    other = EarlyStopping(patience=0)
    for stopping in (before, before):
        stopping.see(0.5, 0.1 + 0.2)
    other.load_state_dict(before.state_dict())
    assert other == before
    json.dumps(before.state_dict())
