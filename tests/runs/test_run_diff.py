"""What differs between runs, and a recipe in words."""

from __future__ import annotations

from pathlib import Path

import msgspec

from ftgui.base.job import Job
from ftgui.protocol.recipe import Backbone, Phase, Recipe, Training
from ftgui.runs.details import read_details
from ftgui.runs.recipe_summary import in_words
from ftgui.runs.record import read_record
from ftgui.runs.run_diff import differences
from tests.made_runs import make_run

HEAD = Phase(name="Head", train=["head"], epochs=2, lr=1e-3)


def test_only_what_differs_is_listed(tmp_path: Path) -> None:
    one = make_run(tmp_path, 1, recipe=Recipe(phases=[HEAD]))
    faster = msgspec.structs.replace(HEAD, lr=3e-3)
    more = Phase(name="Last", train=["last stage", "head"], epochs=3, lr=1e-4)
    other = Recipe(phases=[faster, more], seed=4, training=Training(batch_size=64))
    two = make_run(tmp_path, 2, recipe=other, commit="d" * 40)
    (two / "samples.csv").write_text((two / "samples.csv").read_text().replace("red3.jpg,red,val", "red3.jpg,blue,val"))
    found = {d.what: d.values for d in differences([read_record(one), read_record(two)])}
    assert found == {
        "seed": ["0", "4"],
        "phases.1.lr": ["0.001", "0.003"],
        "phases.2.name": ["–", "Last"],
        "phases.2.train": ["–", "last stage, head"],
        "phases.2.epochs": ["–", "3"],
        "phases.2.lr": ["–", "0.0001"],
        "phases.2.layer_decay": ["–", "1"],
        "phases.2.enabled": ["–", "yes"],
        "training.batch_size": ["32", "64"],
        "commit": ["c" * 40, "d" * 40],
        "data, against run 1": [read_record(one).data, "1 relabelled"],
    }


def test_runs_that_are_alike_differ_in_nothing(tmp_path: Path) -> None:
    records = [read_record(make_run(tmp_path, number)) for number in (1, 2)]
    assert differences(records) == []


def test_half_a_run_is_a_dash(tmp_path: Path) -> None:
    one, two = make_run(tmp_path, 1), make_run(tmp_path, 2)
    (two / "recipe.toml").unlink()
    (two / "environment.json").write_text("{")
    (two / "samples.csv").unlink()
    found = {d.what: d.values for d in differences([read_record(one), read_record(two)])}
    assert found["backbone.name"] == ["tf_efficientnet_lite0", "–"] and found["device"] == ["cpu", "–"]
    assert found["data, against run 1"][1] == "not known"


def test_details_of_one_run_are_its_recipe_in_words(tmp_path: Path) -> None:
    record = read_record(make_run(tmp_path, 1))
    details = read_details([record], 6, Job())
    said = {row.what: row.values[0] for row in details.rows}
    assert (
        said["Model"] == "tf_efficientnet_lite0, pretrained" and said["Phase 1: Head"] == "head; up to 2 epochs at 1e-3"
    )
    assert [epoch.val_accuracy for epoch in details.epochs[0]] == [0.5, 0.75]


def test_curves_of_few_runs_only(tmp_path: Path) -> None:
    records = [read_record(make_run(tmp_path, number)) for number in (1, 2, 3)]
    assert [len(epochs) for epochs in read_details(records, 2, Job()).epochs] == [2, 2, 0]


def test_words_tell_nothing_about_this_computer() -> None:
    recipe = Recipe(
        dataset=msgspec.structs.replace(Recipe().dataset, folder="/home/somebody/photos"),
        backbone=Backbone(name="resnet18", weights="none"),
        phases=[msgspec.structs.replace(HEAD, enabled=False, layer_decay=0.5)],
    )
    said = dict(in_words(recipe))
    assert said["Data"] == "photos" and said["Model"] == "resnet18, from scratch"
    assert said["Phase 1: Head"] == "switched off: head; up to 2 epochs at 1e-3, each stage towards the input ×0.5"
