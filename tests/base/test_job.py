"""A job can be held and cancelled, also while it is held."""

from __future__ import annotations

import threading
import time

import pytest

from ftgui.base.job import Cancelled, Job


def test_a_held_job_waits() -> None:
    job = Job()
    job.hold(0.2)
    start = time.monotonic()
    job.progress(1)
    assert time.monotonic() - start >= 0.19
    job.progress(2)


def test_a_held_job_can_be_cancelled() -> None:
    job = Job()
    job.hold(30)
    timer = threading.Timer(0.1, job.cancel)
    timer.start()
    with pytest.raises(Cancelled):
        job.progress(1)
    timer.join()
