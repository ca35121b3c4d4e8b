"""A run folder that somebody sent: whatever it says, the scripts made from it do what the templates do."""

from __future__ import annotations

import ast
import csv
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftgui.engine.errors import EngineError
from ftgui.engine.export.standalone_code import predict_source, script, shape
from ftgui.engine.export.training_script import train_source, write_scripts
from ftgui.engine.model import backbones
from ftgui.protocol.recipe import Backbone, Phase, Recipe
from ftgui.runs.facts import run_facts
from ftgui.runs.model_card import RunFacts
from ftgui.runs.model_folder import About
from tests.made_runs import make_run

pytestmark = pytest.mark.slow

DOCSTRING = '"""\nimport os; os.system("x")\n"""'
BREAKS = [
    DOCSTRING,
    "''' #",
    "@@BUILD@@",
    "@@PHASES@@",
    "\\",
    "a\nimport os",
    "\u202e\x1b[2J",
    "# coding: utf-7",
    "\udc80",
    "{__import__('os')}",
]


@pytest.fixture(scope="module")
def built() -> backbones.BuiltBackbone:
    return backbones.build(Backbone(name="test_efficientnet", weights="none"), ["a", "b"])


def source(built: backbones.BuiltBackbone, text: str) -> str:
    about = About(
        backbone="test_efficientnet",
        weights="none",
        class_names=[text, "b"],
        preprocessing={},
        figures={"val_accuracy": text},
    )
    recipe = Recipe(phases=[Phase(name=text, train=["head"], epochs=2, lr=1e-3)])
    facts = RunFacts(run_adjusted=[(text, text)], environment={"device": text})  # type: ignore[list-item] - as JSON may be
    return train_source(Path(text), built, about, recipe, facts)


@given(
    st.one_of(
        st.sampled_from(BREAKS),
        st.text(),
        st.lists(st.sampled_from([*BREAKS, '"', "'", "\n"])).map("".join),
    )
)
@settings(max_examples=40, deadline=None)
def test_whatever_it_says_the_program_is_the_same(built: backbones.BuiltBackbone, text: str) -> None:
    written = source(built, text)
    assert shape(written) == shape(source(built, "plain"))
    assigned = {
        node.targets[0].id: node.value
        for node in ast.parse(written).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    assert ast.literal_eval(assigned["CLASSES"]) == [text, "b"]
    assert ast.literal_eval(assigned["CHANGED_BY_HAND"]) == [(text, text)]
    assert all(line.isprintable() for line in written.split("\n"))


def test_a_received_run(built: backbones.BuiltBackbone, tmp_path: Path) -> None:
    run = make_run(tmp_path)
    with (run / "metrics.jsonl").open("a", encoding="utf-8") as file:
        line = {"time": 1.0, "kind": "run_adjusted", "step": 7, "what": "rate", "text": DOCSTRING}
        file.write(json.dumps(line) + "\n")
    (run / "samples.csv").write_text("path,class_name,split\n=a.jpg,''' #,train\nb.jpg,b,val\n", encoding="utf-8")
    about = About(backbone="test_efficientnet", weights="none", class_names=["''' #", "b"], preprocessing={})
    recipe = Recipe(phases=[Phase(name="a", train=["head"], epochs=1, lr=1e-3)])
    out = tmp_path / "out"
    out.mkdir()
    write_scripts(out, run, tmp_path, built, about, recipe, run_facts(run))
    tree = ast.parse((out / "train.py").read_bytes())
    changed = next(n for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "CHANGED_BY_HAND")
    assert ast.literal_eval(changed.value)[-1] == (7, DOCSTRING)
    tree.body.remove(changed)
    assert "system" not in ast.dump(tree)
    with (out / "samples.csv").open(encoding="utf-8", newline="") as file:
        assert next(csv.DictReader(file))["path"] == "'=a.jpg"


@pytest.mark.parametrize("name", ["train.py", "predict.py"])
def test_the_scripts_own_helpers(built: backbones.BuiltBackbone, name: str) -> None:
    text = source(built, "a") if name == "train.py" else predict_source()
    helpers = [
        n for n in ast.parse(text).body if isinstance(n, ast.FunctionDef) and n.name in ("visible", "plain_cell")
    ]
    space: dict = {}
    exec(compile(ast.Module([*ast.parse("import re").body, *helpers], []), name, "exec"), space)
    assert space["visible"]("a\x1b\u202e\n é") == "a\\x1b\\u202e\\n é"
    if name == "train.py":
        assert [space["plain_cell"](cell) for cell in ("'=a", "''=a", "-1", "'a", "")] == ["=a", "'=a", "-1", "'a", ""]


def test_what_is_no_value_is_refused(built: backbones.BuiltBackbone) -> None:
    recipe = Recipe(phases=[Phase(name="a", train=["head"], epochs=1, lr=float("inf"))])
    about = About(backbone="test_efficientnet", weights="none", class_names=["a", "b"], preprocessing={})
    with pytest.raises(EngineError, match="was not written: a name or number"):
        train_source(Path("x"), built, about, recipe, RunFacts())


def test_the_check_sees_code_where_a_value_belongs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ftgui.engine.export.standalone_code._written", lambda value: f"'{value}'")  # no `repr`
    with pytest.raises(EngineError, match="would have become part of the code"):
        script("predict.py", {}, {"VERSION": '"""\nexit()\n"""'})


def test_predict_py_has_nothing_of_the_run_in_it() -> None:
    assert "@@" not in predict_source()
