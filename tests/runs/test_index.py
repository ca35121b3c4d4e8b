"""Listing runs: whatever is missing is said, and the database is only a cache."""

from __future__ import annotations

import json
import math
import os
import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ftgui.base.files import temporary_name
from ftgui.runs import index
from ftgui.runs.index import INDEX_FILE, list_runs
from ftgui.runs.notes import read_words, write_words
from ftgui.runs.record import RunRecord, read_record
from tests.made_runs import make_run


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "project" / "runs"


def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the folders that are read from now on."""
    seen: list[str] = []

    def counted(folder: Path) -> RunRecord:
        seen.append(folder.name)
        return read_record(folder)

    monkeypatch.setattr(index, "read_record", counted)
    return seen


# --- one run --------------------------------------------------------------------------------------------------------


def test_a_whole_run(runs: Path) -> None:
    folder = make_run(runs, 7, name="head-last-stage", accuracies=(0.5, 0.875, 0.75))
    record = read_record(folder)
    assert (record.number, record.name, record.reason, record.message) == (7, "head last stage", "done", "It was done.")
    assert (record.best_accuracy, record.best_epoch, record.epochs, record.steps) == (0.875, 2, 3, 24)
    assert (record.seconds, record.started) == (65.0, 1.7e9 + 7000)
    assert (record.classes, record.counts, record.images) == (2, {"train": 4, "val": 4}, 8)
    assert (record.model, record.weights, record.temperature) == ("tf_efficientnet_lite0", "pretrained", 1.5)
    assert record.has_model and not record.can_continue and record.problems == []


def test_a_killed_run_has_the_figures_of_its_metrics(runs: Path) -> None:
    record = read_record(make_run(runs, reason="", accuracies=(0.5, 0.875, 0.75), checkpoint=True))
    assert record.reason == "" and record.can_continue
    assert (record.best_accuracy, record.best_epoch, record.epochs, record.steps) == (0.875, 2, 3, 24)
    assert record.seconds == 29, "from its first line to its last"


@pytest.mark.parametrize(
    ("file", "content", "sentence"),
    [
        ("recipe.toml", None, "recipe.toml is missing."),
        ("recipe.toml", b"version = [", "recipe.toml is damaged."),
        ("samples.csv", None, "samples.csv is missing, so its images are not known."),
        ("samples.csv", b"\x00\x01", "samples.csv is damaged, so its images are not known."),
        ("result.json", b'{"reason": "do', "result.json is damaged, so how it ended is not known."),
        ("result.json", b"[]", "result.json is damaged, so how it ended is not known."),
        ("metrics.jsonl", None, "metrics.jsonl is missing, so there are no curves."),
        (
            "metrics.jsonl",
            b'{"kind": "epoch", "tim\nrubbish\n',
            "metrics.jsonl is damaged: 2 of its lines can't be read.",
        ),
        ("about.json", b'{"name": 5}', "about.json is damaged, so its name, note and star are not known"),
        ("best/model.safetensors", None, "Its model is gone: best/model.safetensors is missing."),
    ],
)
def test_what_is_missing_or_damaged_is_a_sentence_and_the_rest_is_there(
    runs: Path, file: str, content: bytes | None, sentence: str
) -> None:
    folder = make_run(runs)
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_bytes(content)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    record = read_record(folder)
    assert len(record.problems) == 1 and record.problems[0].startswith(sentence)
    known = [record.model != "", record.images == 8, record.reason == "done", record.epochs == 2]
    assert known.count(False) <= 1 and record.best_accuracy == 0.75
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}, "nothing is touched"


def test_an_empty_folder_is_a_run_of_which_nothing_is_known(runs: Path) -> None:
    (runs / "0003-head").mkdir(parents=True)
    (record,) = list_runs(runs)
    assert record.number == 3 and math.isnan(record.best_accuracy)
    assert record.problems == ["There is nothing in its folder: it was about to start, or its files were deleted."]


# --- the person's words ---------------------------------------------------------------------------------------------


def test_words_are_kept_beside_the_run_and_do_not_disturb_each_other(runs: Path) -> None:
    folder = make_run(runs)
    (folder / "about.json").write_text('{"colour": "of a later version"}')
    write_words(folder, name="Größer 頭")
    write_words(folder, note="two\nlines", starred=True)
    record = read_record(folder)
    assert (record.name, record.note, record.starred) == ("Größer 頭", "two\nlines", True)
    assert json.loads((folder / "about.json").read_text(encoding="utf-8"))["colour"] == "of a later version"
    write_words(folder, name="")
    assert read_record(folder).name == "head", "without a name, its folder's"


def test_damaged_words_are_kept_aside(runs: Path) -> None:
    folder = make_run(runs)
    (folder / "about.json").write_bytes(b'{"note": "a long not')
    write_words(folder, starred=True)
    assert read_words(folder).starred
    assert (folder / "about.json.damaged").read_bytes() == b'{"note": "a long not'


def test_words_about_a_run_that_is_gone_do_not_bring_it_back(runs: Path) -> None:
    folder = make_run(runs)
    shutil.rmtree(folder)
    with pytest.raises(FileNotFoundError):
        write_words(folder, name="x")
    assert not folder.exists()


# --- the index ------------------------------------------------------------------------------------------------------


def test_only_what_changed_is_read_again(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [make_run(runs, number) for number in (1, 2, 3)]
    first = list_runs(runs)
    assert [record.number for record in first] == [1, 2, 3]
    seen = reads(monkeypatch)
    assert list_runs(runs) == first and seen == []
    write_words(folders[1], name="the second")
    shutil.rmtree(folders[0] / "best")
    after = list_runs(runs)
    assert seen == ["0001-head", "0002-head"]
    assert after[1].name == "the second" and not after[0].has_model and after[2] == first[2]
    shutil.rmtree(folders[2])
    assert [record.number for record in list_runs(runs)] == [1, 2]
    make_run(runs, 3, accuracies=(1.0,))
    assert list_runs(runs)[2].best_accuracy == 1.0


@pytest.mark.parametrize("harm", ["missing", "rubbish", "cut", "old", "other record", "no table"])
def test_a_database_that_is_no_good_is_made_anew_without_a_word_lost(
    runs: Path, monkeypatch: pytest.MonkeyPatch, harm: str
) -> None:
    write_words(make_run(runs, 1), name="kept", note="a note", starred=True)
    make_run(runs, 2)
    first, path = list_runs(runs), runs / INDEX_FILE
    if harm == "missing":
        path.unlink()
    elif harm == "rubbish":
        path.write_bytes(b"this is no database " * 500)
    elif harm == "cut":
        path.write_bytes(path.read_bytes()[:5000] + b"\xff" * 3000)
    else:
        db = sqlite3.connect(path)
        statements = {
            "old": "DROP TABLE runs; CREATE TABLE runs (x); PRAGMA user_version = 0;",
            "other record": "UPDATE runs SET record = x'93010203';",
            "no table": "DROP TABLE runs;",
        }
        db.executescript(statements[harm])
        db.close()
    assert list_runs(runs) == first
    list_runs(runs)  # the one that found it damaged may have left making it to the next
    seen = reads(monkeypatch)
    assert list_runs(runs) == first and seen == []


def test_a_locked_database_delays_but_stops_nobody(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(runs, 1)
    first = list_runs(runs)
    real = sqlite3.connect
    monkeypatch.setattr(index.sqlite3, "connect", lambda *args, **more: real(*args, **more | {"timeout": 0.05}))
    other = real(runs / INDEX_FILE, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    file = (runs / INDEX_FILE).stat().st_ino
    try:
        assert list_runs(runs) == first
        assert (runs / INDEX_FILE).stat().st_ino == file, "what another program works with is not thrown away"
    finally:
        other.close()


def test_window_and_terminal_may_list_at_once(runs: Path) -> None:
    for number in range(1, 21):
        make_run(runs, number)
    with ThreadPoolExecutor(8) as pool:
        lists = list(pool.map(lambda _: list_runs(runs), range(24)))
    assert all(found == lists[0] for found in lists) and len(lists[0]) == 20


def test_a_project_that_was_moved_keeps_its_index(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(runs, 1)
    list_runs(runs)
    runs.parent.rename(tmp_path / "elsewhere")
    seen = reads(monkeypatch)
    (record,) = list_runs(tmp_path / "elsewhere" / "runs")
    assert seen == [] and record.path == tmp_path / "elsewhere" / "runs" / "0001-head"


def test_other_things_in_the_folder_are_no_runs(runs: Path) -> None:
    make_run(runs, 1)
    (runs / "notes").mkdir()
    (runs / "0002-file").write_text("x")
    assert [record.number for record in list_runs(runs)] == [1]
    assert list_runs(runs / "nowhere") == []


# --- what killed processes left -------------------------------------------------------------------------------------


def leave_half_written(file: Path, process: int = 999_999_999) -> Path:
    """As a process leaves it that was killed while it wrote the file."""
    name = temporary_name(file)
    left = name.with_name(name.name.replace(f"-{os.getpid()}-", f"-{process}-"))
    left.parent.mkdir(exist_ok=True)
    left.write_bytes(b"half")
    return left


def test_listing_removes_what_killed_processes_left(runs: Path) -> None:
    crashed = make_run(runs, 1, reason="", checkpoint=True)
    over = make_run(runs, 2)
    list_runs(runs)  # nothing that a record is made of changes after
    files = [runs.parent / "recipe.toml", over / "predictions.csv", crashed / "best/model.safetensors"]
    left = [leave_half_written(file) for file in (*files, crashed / "last/checkpoint.safetensors")]
    alive = leave_half_written(crashed / "last/checkpoint.safetensors", os.getpid())
    assert len(list_runs(runs)) == 2
    assert not any(file.exists() for file in left) and alive.exists(), "another window may be training in it"
    assert (crashed / "last/checkpoint.safetensors").exists() and (crashed / "best/model.safetensors").exists()


@pytest.mark.parametrize(
    ("reason", "stays"), [("done", False), ("exploded", False), ("stopped", True), ("failed", True)]
)
def test_a_checkpoint_that_nobody_goes_on_from_is_removed(runs: Path, reason: str, stays: bool) -> None:
    """The process was killed after it wrote how the run ended, before it removed the checkpoint."""
    folder = make_run(runs, reason=reason, checkpoint=True)
    list_runs(runs)
    assert (folder / "last/checkpoint.safetensors").exists() == stays


def test_a_checkpoint_of_a_model_that_was_never_saved_stays(runs: Path) -> None:
    folder = make_run(runs, reason="exploded", checkpoint=True)
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    (folder / "result.json").write_text(json.dumps({**result, "unsaved": True}), encoding="utf-8")
    list_runs(runs)
    assert (folder / "last/checkpoint.safetensors").exists()
