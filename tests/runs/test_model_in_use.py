"""Which run's model is in use: decided from run folders alone."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from ftgui.cli.which_run import run_or_model
from ftgui.data.project import Project
from ftgui.protocol import recipe_file
from ftgui.protocol.recipe import Backbone, Recipe
from ftgui.runs.model_folder import ModelError
from ftgui.runs.model_in_use import (
    CHOICE_FILE,
    TrainedRun,
    compare,
    read_choice,
    read_trained_runs,
    validation_key,
    why_in_use,
    write_choice,
)
from tests.made_runs import make_run

HERE = Backbone()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "p").mkdir()
    return Project(tmp_path / "p")


def in_use(project: Project, backbone: Backbone | None = HERE) -> int:
    run = read_trained_runs(project).in_use(backbone)
    return run.number if run else 0


def other_validation_images(folder: Path) -> None:
    rows = (folder / "samples.csv").read_text("utf-8")
    (folder / "samples.csv").write_text(rows.replace("blue3.jpg,blue,val", "blue9.jpg,blue,val"), "utf-8")


@pytest.mark.parametrize("reason", ["exploded", "failed", "stopped", ""])
def test_a_run_that_did_not_finish_never_takes_the_place(project: Project, reason: str) -> None:
    make_run(project.runs_folder, 1, accuracies=(0.9, 0.961))
    make_run(project.runs_folder, 2, accuracies=(0.93,))
    make_run(project.runs_folder, 3, accuracies=(0.99,), reason=reason)
    assert in_use(project) == 1


def test_the_best_finished_run_and_of_two_as_good_the_newer(project: Project) -> None:
    assert in_use(project) == 0
    for number, accuracy in enumerate((0.5, 0.9, 0.7, 0.9, 0.8), 1):
        make_run(project.runs_folder, number, accuracies=(accuracy,))
    assert in_use(project) == 4
    (project.runs_folder / "0004-head" / "best" / "model.safetensors").unlink()
    assert in_use(project) == 2


def test_figures_on_other_validation_images_are_not_compared(project: Project) -> None:
    make_run(project.runs_folder, 1, accuracies=(0.99,))
    for number, accuracy in ((2, 0.8), (3, 0.7)):
        other_validation_images(make_run(project.runs_folder, number, accuracies=(accuracy,)))
    assert in_use(project) == 2, "the best of those on the images of the newest"
    other_validation_images(make_run(project.runs_folder, 4, accuracies=(0.3,), reason="stopped"))
    make_run(project.runs_folder, 5, accuracies=(0.2,), reason="exploded")
    assert in_use(project) == 2, "and the newest that finished says which images these are"


def test_another_backbone_is_a_comparison(project: Project) -> None:
    make_run(project.runs_folder, 1, accuracies=(0.7,))
    make_run(project.runs_folder, 2, accuracies=(0.9,), recipe=Recipe(backbone=Backbone(name="resnet18")))
    assert (in_use(project), in_use(project, Backbone(name="resnet18")), in_use(project, None)) == (1, 2, 2)


def test_what_was_stopped_is_used_only_while_nothing_has_finished(project: Project) -> None:
    make_run(project.runs_folder, 1, accuracies=(0.6,), reason="exploded")
    assert in_use(project) == 0
    make_run(project.runs_folder, 2, accuracies=(0.9,), reason="stopped")
    make_run(project.runs_folder, 3, accuracies=(0.8,), reason="stopped")
    assert in_use(project) == 2
    make_run(project.runs_folder, 4, accuracies=(0.5,))
    assert in_use(project) == 4


def test_the_persons_choice_comes_first_and_is_kept(project: Project) -> None:
    make_run(project.runs_folder, 1, accuracies=(0.9,))
    make_run(project.runs_folder, 2, accuracies=(0.3,), reason="exploded")
    write_choice(project, "0002-head")
    assert in_use(project) == 2 and read_choice(project) == "0002-head"
    assert "because you chose it" in why_in_use(read_trained_runs(project).runs[1], "0002-head")
    write_choice(project, "0007-gone")
    assert in_use(project) == 1
    write_choice(project, "")
    assert in_use(project) == 1 and not (project.folder / CHOICE_FILE).exists()
    write_choice(project, "")


@pytest.mark.parametrize("content", ["", "[]", '{"run": 3}', "{", '{"run": null}', "\0"])
def test_a_damaged_choice_is_none(project: Project, content: str) -> None:
    make_run(project.runs_folder, 1)
    (project.folder / CHOICE_FILE).write_text(content)
    assert read_choice(project) == "" and in_use(project) == 1


def test_half_a_run_folder_is_read_as_far_as_it_goes(project: Project) -> None:
    folder = make_run(project.runs_folder, 1)
    for name in ("recipe.toml", "samples.csv", "metrics.jsonl", "best/ftgui.json"):
        (folder / name).unlink()
    (run,) = read_trained_runs(project).runs
    assert (run.backbone, run.validation, run.started, run.class_names) == (None, "", 0.0, ())
    assert run.words == "run 1 (75.0 %)" and in_use(project) == 1
    for damage in ("[]", '{"reason": 3, "best_accuracy": "x", "validation": []}', "{"):
        (folder / "result.json").write_text(damage)
        (run,) = read_trained_runs(project).runs
        assert run.reason == "" and math.isnan(run.accuracy) and in_use(project) == 0


def test_what_the_result_says_needs_no_list_of_images(project: Project) -> None:
    folder = make_run(project.runs_folder, 1)
    (by_list,) = read_trained_runs(project).runs
    result = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps(result | {"validation": by_list.validation}))
    (folder / "samples.csv").unlink()
    assert read_trained_runs(project).runs == (by_list,) and by_list.validation and by_list.started


def test_validation_key() -> None:
    samples = [("a", "x", "train"), ("b", "y", "train"), ("c", "x", "val"), ("d\udcff", "y", "val"), ("e", "y", "test")]
    key = validation_key(samples)
    renamed = [(path, {"x": "z", "y": "y"}[name], split) for path, name, split in samples]
    assert len(key) == 16 and validation_key(reversed(renamed)) == key, "the same images under other names"
    assert validation_key([*samples, ("f", "y", "val")]) != key
    assert validation_key([*samples, ("f", "new", "train")]) != key, "one class more is a harder question"
    assert validation_key(samples[:2]) == ""


def test_a_projects_folder_means_its_run_in_use(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    recipe_file.save(Recipe(), project.recipe_path)
    project.runs_folder.mkdir()
    with pytest.raises(ModelError, match="has finished yet"):
        run_or_model(project.folder)
    best = make_run(project.runs_folder, 1, accuracies=(0.961,))
    worse = make_run(project.runs_folder, 2, accuracies=(0.876,), reason="exploded")
    assert run_or_model(project.folder) == best
    assert capsys.readouterr().err.rstrip().endswith("0001-head, 96.1 %")
    for given in (worse, worse / "best", project.folder / "nowhere"):
        assert run_or_model(given) == given
    assert capsys.readouterr().err == ""


# --- what is said after a training ----------------------------------------------------------------------------------


def run(number: int, accuracy: float, reason: str = "done", validation: str = "v") -> TrainedRun:
    return TrainedRun(Path(f"{number:04d}-head"), reason, accuracy, validation=validation)


def test_a_verdict_has_both_figures_and_what_may_be_preferred() -> None:
    old, better, worse = run(1, 0.961), run(2, 0.97), run(2, 0.93)
    said = compare(better, better, old, "")
    assert (
        said.sentence == "Run 2 is in use now: 97.0 % on the validation images; run 1 had 96.1 %." and not said.offered
    )
    said = compare(worse, old, old, "")
    assert said.sentence == "Run 2 reached 93.0 % on the validation images; run 1 (96.1 %) stays in use."
    assert said.offered is worse
    said = compare(better, old, old, "0001-head")
    assert said.sentence.endswith("run 1 (96.1 %), which you chose, stays in use.") and said.offered is better
    diverged = run(3, 0.876, "exploded")
    said = compare(diverged, old, old, "")
    assert said.sentence.startswith("Run 3 diverged; its best epoch reached 87.6 %") and said.offered is diverged
    said = compare(diverged, None, None, "")
    assert said.sentence.endswith("It is not used unless you choose it.") and said.offered is diverged
    assert compare(run(3, math.nan, "failed"), old, old, "").sentence == "Run 3 failed; run 1 (96.1 %) stays in use."
    elsewhere = run(4, 0.5, validation="w")
    said = compare(elsewhere, elsewhere, old, "")
    assert "can't be compared" in said.sentence and "run 1 (96.1 %)" in said.sentence and said.offered is old
    assert compare(old, old, None, "").sentence == ""
