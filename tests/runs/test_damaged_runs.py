"""Run folders from elsewhere, damaged or odd: what can't be read is said or not known, and nothing else happens."""

from __future__ import annotations

import contextlib
import csv
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftgui.base.job import Job
from ftgui.base.process_identity import ProcessMark, encode, own_mark
from ftgui.data.project import Project
from ftgui.data.project_lock import LOCK_FILE, WINDOW, ProjectHeld, ProjectLocks
from ftgui.protocol import recipe as recipes
from ftgui.runs.details import read_details
from ftgui.runs.facts import run_facts
from ftgui.runs.index import INDEX_FILE, list_runs
from ftgui.runs.model_card import RunFacts, figures_of
from ftgui.runs.model_folder import About, ModelError, read_about
from ftgui.runs.model_in_use import CHOICE_FILE, read_trained_runs
from ftgui.runs.record import read_record
from ftgui.runs.report.facts import gather
from ftgui.runs.report.report import page
from ftgui.runs.run_folders import continuable, read_evaluation
from ftgui.runs.running import RUNNING_FILE
from tests.made_runs import make_run, metrics, result

ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=4,
)


def read_everything(folder: Path) -> list[str]:
    """All that the window and the terminal read of a run; returns the problems said."""
    record = read_record(folder)
    project = Project(folder.parent.parent)
    for backbone in (None, recipes.Backbone()):
        if (used := read_trained_runs(project).in_use(backbone)) is not None:
            assert used.words and used.figure
    list_runs(folder.parent)
    continuable(folder)
    read_evaluation(folder)
    run_facts(folder)
    read_details([record], 1, Job())
    page(gather(folder, Job()), Job())
    return record.problems


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_values_of_any_kind_in_place_of_others(data: st.DataObject) -> None:
    with TemporaryDirectory() as scratch:
        folder = make_run(Path(scratch) / "project" / "runs", reason="stopped", checkpoint=True)
        said: dict[str, Any] = result("stopped", (0.5,), ["blue", "red"], [[3, 1], [1, 3]])
        said[data.draw(st.sampled_from(sorted(said)))] = data.draw(ODD)
        (folder / "result.json").write_text(json.dumps(said), encoding="utf-8")
        lines = metrics(1, (0.5, 0.75))
        line = data.draw(st.sampled_from(lines))
        line[data.draw(st.sampled_from(sorted(line)))] = data.draw(ODD)
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / "metrics.jsonl").write_text(text, encoding="utf-8")
        header = json.dumps({"__metadata__": {"plain": json.dumps({"at": {"step": data.draw(ODD)}})}}).encode()
        (folder / "last/checkpoint.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
        read_everything(folder)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(["format", *About.__struct_fields__]), value=ODD, missing=st.booleans())
def test_what_a_model_says_of_itself_is_understood_or_a_sentence(name: str, value: Any, missing: bool) -> None:
    with TemporaryDirectory() as scratch:
        folder = make_run(Path(scratch) / "project" / "runs")
        written = json.loads((folder / "best" / "ftgui.json").read_text(encoding="utf-8"))
        if missing:
            written.pop(name, None)
        else:
            written[name] = value
        (folder / "best" / "ftgui.json").write_text(json.dumps(written), encoding="utf-8")
        with contextlib.suppress(ModelError):
            read_about(folder / "best")
        read_everything(folder)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(ProcessMark.__struct_fields__), value=ODD, file=st.sampled_from([LOCK_FILE, RUNNING_FILE]))
def test_who_uses_a_project_may_be_anything(name: str, value: Any, file: str) -> None:
    with TemporaryDirectory() as scratch:
        folder = make_run(Path(scratch) / "project" / "runs", reason="")
        place = folder if file == RUNNING_FILE else folder.parent.parent
        mark = json.loads(encode(own_mark("window"))) | {name: value}
        (place / file).write_text(json.dumps(mark), encoding="utf-8")
        read_everything(folder)
        try:
            ProjectLocks(WINDOW).take(folder.parent.parent)
        except ProjectHeld as held:
            assert str(held).startswith("This project is open in another window")


@settings(max_examples=40, deadline=None)
@given(written=ODD | st.text(max_size=9).map(lambda text: {"run": text}), raw=st.none() | st.binary(max_size=30))
def test_the_choice_of_a_model_may_be_anything(written: Any, raw: bytes | None) -> None:
    with TemporaryDirectory() as scratch:
        folder = make_run(Path(scratch) / "project" / "runs")
        content = json.dumps(written).encode() if raw is None else raw
        (folder.parent.parent / CHOICE_FILE).write_bytes(content)
        read_everything(folder)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_the_index_of_runs_may_hold_anything(data: st.DataObject) -> None:
    with TemporaryDirectory() as scratch:
        folder = make_run(Path(scratch) / "project" / "runs")
        (right,) = list_runs(folder.parent)
        index = folder.parent / INDEX_FILE
        if data.draw(st.booleans()):
            content = bytearray(index.read_bytes())
            for place, what in data.draw(
                st.lists(st.tuples(st.integers(0, 20_000), st.binary(min_size=1)), max_size=5)
            ):
                content[place % len(content) : place % len(content) + len(what)] = what
            index.write_bytes(content)
            list_runs(folder.parent)  # what is damaged may be a figure
        else:
            with contextlib.closing(sqlite3.connect(index)) as db:
                plain = msgspec.to_builtins(right) | {
                    data.draw(st.sampled_from(right.__struct_fields__)): data.draw(ODD)
                }
                with contextlib.suppress(OverflowError):  # more than 64 bits are not written
                    db.execute("UPDATE runs SET record = ?", (msgspec.msgpack.encode(plain),))
                db.commit()
            assert len(list_runs(folder.parent)) == 1


def test_a_record_in_the_index_whose_text_is_no_text(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "project" / "runs")
    (right,) = list_runs(folder.parent)
    with contextlib.closing(sqlite3.connect(folder.parent / INDEX_FILE)) as db:
        ((record,),) = db.execute("SELECT record FROM runs")
        db.execute("UPDATE runs SET record = ?", (record.replace(b"efficientnet", b"efficientne\xff"),))
        db.commit()
    assert list_runs(folder.parent) == [right]


@pytest.mark.parametrize("content", ["[" * 100_000, '{"a":' * 50_000, "", "[1]", "null"])
@pytest.mark.parametrize(
    "name", ["result.json", "about.json", "environment.json", "best/ftgui.json", "../../in-use.json"]
)
def test_json_of_any_shape(tmp_path: Path, name: str, content: str) -> None:
    folder = make_run(tmp_path / "project" / "runs")
    (folder / name).write_text(content, encoding="utf-8")
    problems = read_everything(folder)
    assert "/" in name or name == "environment.json" or any(f"{name} is damaged" in sentence for sentence in problems)


@pytest.fixture
def usual_limit() -> Iterator[None]:
    """Whoever has read a table in this process has raised it, to more than a test should write."""
    before = csv.field_size_limit(131_072)
    yield
    csv.field_size_limit(before)


@pytest.mark.parametrize("name", ["samples.csv", "predictions.csv"])
def test_a_field_longer_than_python_reads(tmp_path: Path, name: str, usual_limit: None) -> None:
    folder = make_run(tmp_path / "project" / "runs", predictions=True)
    with (folder / name).open("a", encoding="utf-8") as file:
        file.write("x" * (csv.field_size_limit() + 1))
    problems = read_everything(folder)
    assert name == "predictions.csv" or any("samples.csv is damaged" in sentence for sentence in problems)


def test_figures_of_a_model_that_are_none(tmp_path: Path) -> None:
    for odd in ([[1], [1, 2]], [10**30, 1], ["a", "b"], [[1, 2], [3, 4]], [1]):
        about = About(
            backbone="b",
            weights="pretrained",
            class_names=["blue", "red"],
            preprocessing={},
            figures={"right": odd, "support": odd, "called": odd},
        )
        assert figures_of(about, RunFacts()) is None
