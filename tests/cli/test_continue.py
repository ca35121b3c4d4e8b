"""`ftgui train --continue RUN`: a run that was stopped or killed in a terminal goes on in one."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from ftgui.cli import main, prepare_training
from ftgui.data.catalog import edits
from ftgui.data.catalog.catalog import Catalog
from ftgui.engine.session import Session
from ftgui.engine.training import checkpointing
from ftgui.protocol import messages as m
from ftgui.runs.run_folders import CHECKPOINT_FILE, read_result
from tests.conftest import Maker

pytestmark = pytest.mark.slow

RECIPE = """
[dataset]
folder = "{folder}"
[backbone]
name = "test_efficientnet"
weights = "none"
[training]
batch_size = 4
[[phases]]
name = "Head"
train = ["head"]
epochs = 3
lr = 0.01
"""


class KilledError(BaseException):
    """In place of kill -9: nothing in the engine catches it."""


@pytest.fixture
def recipe(make_dataset: Maker, tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE.format(folder=make_dataset(count=10).as_posix()), encoding="utf-8")
    return path


def interrupted(recipe: Path, project: Path, killed: bool) -> Path:
    """A run that ended with its second epoch, of three."""
    prepared = prepare_training.prepare(recipe, project)

    def see(event: m.Event) -> None:
        if isinstance(event, m.EpochFinished) and event.epoch == 2:
            if killed:
                raise KilledError
            session.stop()

    session = Session(see)
    if killed:
        with pytest.raises(KilledError):
            session.handle(prepared.command)
    else:
        session.handle(prepared.command)
    session.close()
    return prepared.run_folder


@pytest.mark.parametrize("killed", [False, True])
def test_it_ends_as_if_it_had_never_been_interrupted(
    recipe: Path,
    tmp_path: Path,
    killed: bool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checkpointing, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(checkpointing, "CHECKPOINT_SHARE", math.inf)  # after every step
    assert main.main(["train", str(recipe), "--project", str(tmp_path / "undisturbed")]) == 0
    (whole,) = (tmp_path / "undisturbed" / "runs").iterdir()
    run = interrupted(recipe, tmp_path / "project", killed)
    capsys.readouterr()

    assert main.main(["train", "--continue", str(run)]) == 0

    out = capsys.readouterr().out
    assert "continues after step" in out and "epoch 3 of 3" in out and "epoch 1 of 3: train" not in out
    result = read_result(run)
    assert result is not None and result["reason"] == "done"
    for name in ("best", "last"):
        expected, weights = (load_file(folder / name / "model.safetensors") for folder in (whole, run))
        assert all((weights[key] == value).all() for key, value in expected.items()), name


def test_what_can_not_be_continued_is_a_sentence(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["train", str(recipe)]) == 0
    (done,) = (tmp_path / "runs").iterdir()
    stopped = interrupted(recipe, tmp_path / "project", killed=False)
    elsewhere = tmp_path / "elsewhere" / stopped.name
    elsewhere.parent.mkdir()
    stopped.rename(elsewhere)
    damaged = interrupted(recipe, tmp_path / "second", killed=True)
    (damaged / CHECKPOINT_FILE).write_bytes(b"nothing")
    merged = interrupted(recipe, tmp_path / "third", killed=True)
    with Catalog(tmp_path / "third" / "catalog.sqlite") as catalog:
        edits.rename_class(catalog, "red", "blue")
    (tmp_path / "empty").mkdir()
    capsys.readouterr()
    for folder, sentence in (
        (done, "is finished; there is nothing to continue"),
        (elsewhere, "not known which images it learns from"),
        (damaged, "The checkpoint of 0001-scratch-head is damaged"),
        (merged, "its classes “blue” and “red” are now one, “blue”"),
        (tmp_path / "empty", "is not a run's folder"),
        (tmp_path / "nowhere", "There is no folder"),
    ):
        assert main.main(["train", "--continue", str(folder)]) == 1
        assert sentence in capsys.readouterr().err


def test_moved_images_are_found_again_when_it_is_said_where(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = interrupted(recipe, tmp_path / "project", killed=False)
    with Catalog(tmp_path / "project" / "catalog.sqlite") as catalog:
        before = sorted(catalog.entries())
    capsys.readouterr()
    (tmp_path / "pictures").rename(tmp_path / "elsewhere")
    assert main.main(["train", "--continue", str(run)]) == 1
    said = capsys.readouterr().err
    assert f"no longer in {tmp_path / 'pictures'}" in said and f"--continue {run} --dataset FOLDER" in said
    assert main.main(["train", str(recipe), "--project", str(tmp_path / "project")]) == 1
    assert "this project knows 20 in it" in (said := capsys.readouterr().err) and "folder under [dataset]" in said

    others = tmp_path / "others" / "red"
    others.mkdir(parents=True)
    (others / "red0.jpg").write_bytes(b"another")
    assert main.main(["train", "--continue", str(run), "--dataset", str(tmp_path / "others")]) == 1
    assert "of 20 looked for, 0 are there" in capsys.readouterr().err

    assert main.main(["train", "--continue", str(run), "--dataset", str(tmp_path / "elsewhere")]) == 0
    assert read_result(run)["reason"] == "done"
    with Catalog(tmp_path / "project" / "catalog.sqlite") as catalog:
        assert catalog.root == tmp_path / "elsewhere" and sorted(catalog.entries()) == before


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["recipe.toml", "--continue", "run"],
        ["--continue", "run", "--device", "cpu"],
        ["recipe.toml", "--dataset", "x"],
    ],
)
def test_a_recipe_or_a_run_not_both(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main.main(["train", *arguments])
    assert end.value.code == 2
