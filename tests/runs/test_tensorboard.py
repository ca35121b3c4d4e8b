"""TensorBoard reads back what was written for it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ftgui.runs.record import read_record
from ftgui.runs.tensorboard import TensorBoardError, write_event_files
from tests.made_runs import make_run


@pytest.mark.filterwarnings("ignore")  # TensorBoard's own
def test_tensorboard_reads_the_curves_and_the_recipe(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    record = read_record(make_run(tmp_path / "runs", 3, accuracies=(0.5, 0.75, 0.625)))
    for _ in range(2):  # written again it must not be there twice
        written = write_event_files([record], tmp_path / "tb")
    assert written == [tmp_path / "tb" / "0003-head"]
    events = EventAccumulator(str(written[0]))
    events.Reload()
    accuracy = events.Scalars("epoch/validation accuracy")
    assert [(e.step, e.value) for e in accuracy] == [(8, 0.5), (16, 0.75), (24, 0.625)]
    loss = events.Scalars("step/train loss")
    assert [e.step for e in loss] == list(range(1, 25)) and loss[3].value == 0.25
    assert loss[0].wall_time == 1.7e9 + 3001
    assert {"step/learning rate", "step/train accuracy", "epoch/validation loss"} <= set(events.Tags()["scalars"])
    (text,) = events.Tensors("recipe")
    assert b"| Phase 1: Head | head; up to 3 epochs at 1e-3 |" in text.tensor_proto.string_val[0]


@pytest.mark.filterwarnings("ignore")
def test_half_a_run_gives_what_it_has(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "runs")
    with (folder / "metrics.jsonl").open("ab") as file:
        file.write(b'{"kind": "\xff"}\n{"kind": "step", "st')
    (folder / "recipe.toml").unlink()
    empty = tmp_path / "runs" / "0002-head"
    empty.mkdir()
    assert len(write_event_files([read_record(folder), read_record(empty)], tmp_path / "tb")) == 2


def test_without_the_extra_a_sentence_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tensorboard.summary.writer.event_file_writer", "tensorboard"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(TensorBoardError, match=r'pip install "ftgui\[tensorboard\]"'):
        write_event_files([read_record(make_run(tmp_path))], tmp_path / "tb")
