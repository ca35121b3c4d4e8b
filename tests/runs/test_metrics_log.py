"""Reading a run's metrics back."""

import json
import math
from pathlib import Path

import pytest

from ftgui.base.job import Cancelled, Job
from ftgui.runs import metrics_log
from ftgui.runs.metrics_log import read_history


def write(folder: Path, *lines: dict, torn: str = "") -> Path:
    text = "".join(json.dumps(line) + "\n" for line in lines) + torn
    (folder / "metrics.jsonl").write_text(text, encoding="utf-8")
    return folder


def step(number: int, loss: float | None = 0.5) -> dict:
    return {"time": 1.0, "kind": "step", "step": number, "loss": loss, "accuracy": 0.25, "lr": 1e-3}


def test_everything_up_to_a_step_in_its_order(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        {"kind": "phase", "phase": 0, "name": "Kopf 頭", "step": 0},
        step(1),
        step(2, None),
        {"kind": "run_adjusted", "step": 2, "what": "pause", "text": ""},
        {"kind": "run_adjusted", "step": 2, "what": "rate", "text": "rate 3e-4"},
        {"kind": "epoch", "step": 3, "val_loss": 0.75, "val_accuracy": None},
        step(3),
        {"kind": "phase", "phase": 1, "name": "Last stage", "step": 3},
        {"kind": "run_adjusted", "step": 3, "what": "continued", "text": "continued at step 3"},
        {"kind": "run_adjusted", "step": 3, "what": "layers", "text": "+stage 7"},
        {"kind": "phase-end", "phase": 0},
        step(4),
        torn='{"kind": "step", "st',
    )
    found = read_history(folder, 3, Job())
    assert [row[0] for row in found.steps] == [1, 2, 3]
    assert found.steps[0] == (1, 0.5, 0.25, 1e-3) and math.isnan(found.steps[1][1])
    assert [epoch[:2] for epoch in found.epochs] == [(3, 0.75)] and math.isnan(found.epochs[0][2])
    assert found.phases == [(0, "Kopf 頭"), (3, "Last stage")]
    # What was changed at the last step is why there is a checkpoint of it; that the run goes on is told anyway.
    assert found.run_adjusted == [(2, "paused"), (2, "rate 3e-4"), (3, "+stage 7")]


def test_a_long_run_is_thinned_out_evenly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_log, "MOST_STEPS", 10)
    folder = write(tmp_path, *(step(number) for number in range(1, 36)))
    assert [row[0] for row in read_history(folder, 35, Job()).steps] == [1, 5, 9, 13, 17, 21, 25, 29, 33]


def test_it_can_be_cancelled(tmp_path: Path) -> None:
    job = Job()
    job.cancel()
    with pytest.raises(Cancelled):
        read_history(write(tmp_path, step(1)), 1, job)
