"""Run folders from elsewhere, damaged or odd: what can't be read is said or not known, and nothing else happens."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftgui.data.card import RunFacts, figures_of
from ftgui.data.finished import About
from ftgui.data.job import Job
from ftgui.data.project import continuable, read_evaluation
from ftgui.data.report import page
from ftgui.data.report_facts import gather
from ftgui.data.run_details import read_details
from ftgui.data.run_facts import run_facts
from ftgui.data.run_index import list_runs
from ftgui.data.run_record import read_record
from tests.made_runs import make_run, metrics, result

ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=4,
)


def read_everything(folder: Path) -> list[str]:
    """All that the window and the terminal read of a run; returns the problems said."""
    record = read_record(folder)
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


@pytest.mark.parametrize("content", ["[" * 100_000, '{"a":' * 50_000, "", "[1]", "null"])
@pytest.mark.parametrize("name", ["result.json", "about.json", "environment.json"])
def test_json_of_any_shape(tmp_path: Path, name: str, content: str) -> None:
    folder = make_run(tmp_path / "project" / "runs")
    (folder / name).write_text(content, encoding="utf-8")
    problems = read_everything(folder)
    assert name == "environment.json" or any(f"{name} is damaged" in sentence for sentence in problems)


@pytest.mark.parametrize("name", ["samples.csv", "predictions.csv"])
def test_a_field_longer_than_python_reads(tmp_path: Path, name: str) -> None:
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
