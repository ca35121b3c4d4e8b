"""How long ago something was, as people say it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from ftgui.base.formatting import day

NOW = datetime(2026, 3, 12, 9, 30)


@pytest.mark.parametrize(
    ("then", "said"),
    [
        (NOW - timedelta(hours=1), "today, 08:30"),
        (NOW + timedelta(days=2), "today, 09:30"),
        (NOW - timedelta(hours=10), "yesterday"),
        (NOW - timedelta(days=6), "6 days ago"),
        (NOW - timedelta(days=7), "5 March"),
        (NOW - timedelta(days=80), "22 December 2025"),
    ],
)
def test_days(then: datetime, said: str) -> None:
    """A moment to come is of a clock that was wrong, and counts as now."""
    assert day(then.timestamp(), NOW.timestamp()) == said
