"""A checkpoint in whose plain part anything may stand: the run goes on, or a sentence says why not and nothing is touched."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import safetensors
import safetensors.torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ftgui.data.project import Project
from ftgui.engine.errors import EngineError
from ftgui.engine.training import checkpoint as checkpoints
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Augmentation, Dataset, Phase, Recipe, Training
from ftgui.runs.run_folders import CHECKPOINT_FILE, new_run_folder, read_checkpoint
from tests.conftest import picture
from tests.engine.conftest import TINY, Engine
from tests.runs.test_damaged_runs import ODD


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A catalog, and a run that was stopped after some steps, with an epoch behind it."""
    root = tmp_path_factory.mktemp("stopped")
    for name, color in {"red": (200, 0, 0), "blue": (0, 0, 200)}.items():
        (root / "pictures" / name).mkdir(parents=True)
        for number in range(8):
            picture(color, number).save(root / "pictures" / name / f"{number}.png")
    project = Project(root / "project")
    project.folder.mkdir()
    project.take_in(root / "pictures")
    phases = [Phase(name="Head", train=["head"], epochs=3, lr=1e-3)]
    recipe = Recipe(
        device="cpu",
        backbone=TINY,
        phases=phases,
        dataset=Dataset(folder=str(root / "pictures")),
        training=Training(batch_size=4),
        augmentation=Augmentation(preset="none"),
    )
    run = new_run_folder(project, "head")
    engine = Engine()
    engine.on_event = lambda event: (
        engine.queue.append(m.CancelRequest(1)) if isinstance(event, m.EpochFinished) else None
    )
    end = engine.do(m.Train(1, recipe, str(project.catalog_path), str(run)))
    assert isinstance(end, m.TrainingFinished) and end.reason == "stopped"
    return project.catalog_path, run


def plain_of(run: Path) -> dict[str, Any]:
    plain = read_checkpoint(run)
    assert plain is not None
    return plain


def write(run: Path, plain: dict[str, Any], leave_out: str = "") -> None:
    with safetensors.safe_open(run / CHECKPOINT_FILE, framework="pt") as file:
        names = [name for name in file.keys() if not leave_out or leave_out not in name]  # noqa: SIM118 - it is no dict
        tensors = {name: file.get_tensor(name).clone() for name in names}
    metadata = {"format": "2", "plain": json.dumps(plain)}
    (run / CHECKPOINT_FILE).write_bytes(safetensors.torch.save(tensors, metadata=metadata))


def go_on(catalog: Path, run: Path) -> str:
    """To the first step of the epoch; what was said against it."""
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    engine = Engine()
    engine.on_event = lambda event: (
        engine.queue.append(m.CancelRequest(2)) if isinstance(event, m.TrainingStarted) else None
    )
    end = engine.do(m.Continue(2, str(catalog), str(run)))
    if isinstance(end, m.CommandFailed):
        assert {path: path.read_bytes() for path in before} == before, "a run that can't go on stays as it is"
        return end.message
    ended = engine.of(m.TrainingFinished)[-1]
    return "" if ended.reason in ("stopped", "done") else ended.message


def changed(plain: dict[str, Any], way: list[str], value: object) -> dict[str, Any]:
    """A copy with another value, or without it for `KeyError`."""
    copy = json.loads(json.dumps(plain))
    inside = copy
    for name in way[:-1]:
        inside = inside[name]
    if value is KeyError:
        del inside[way[-1]]
    else:
        inside[way[-1]] = value
    return copy


WAYS = [
    *(["at"], ["at", "phase"], ["at", "batch"], ["at", "best_in_phase"], ["trainable"], ["optimizer"]),
    *(["optimizer", "born"], ["average"], ["early_stop"], ["phase_over"], ["part"], ["views"], ["frozen_hash"]),
    *(["gathered"], ["best"], ["best", "epoch"], ["best", "calibration"], ["losses"], ["seconds"], ["metrics_bytes"]),
]


@pytest.mark.parametrize("way", WAYS, ids=".".join)
def test_what_is_missing_is_a_sentence(stopped: tuple[Path, Path], tmp_path: Path, way: list[str]) -> None:
    _, run = stopped
    copy = tmp_path / run.name
    shutil.copytree(run, copy)
    write(copy, changed(plain_of(run), way, KeyError))
    if way == ["best", "calibration"] or (way[0] == "at" and len(way) == 2):
        checkpoints.load(copy)  # as in checkpoints of before
        return
    with pytest.raises(EngineError, match=r"can't be read: .*missing required field"):
        checkpoints.load(copy)


@pytest.mark.slow
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(way=st.sampled_from(WAYS), value=ODD)
def test_values_of_any_kind_are_understood_or_a_sentence(
    stopped: tuple[Path, Path], tmp_path: Path, way: list[str], value: object
) -> None:
    _, run = stopped
    copy = tmp_path / run.name
    (copy / CHECKPOINT_FILE).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(run / CHECKPOINT_FILE, copy / CHECKPOINT_FILE)
    write(copy, changed(plain_of(run), way, value))
    try:
        checkpoints.load(copy)
    except EngineError as error:
        assert "can't be read" in str(error)


ODD_BUT_WELL_FORMED = [
    (["at", "phase"], 7),
    (["at", "batch"], 900),
    (["at", "epoch_in_phase"], 900),
    (["trainable"], [9999]),
    (["optimizer", "born"], {"no.such.layer": 1}),
    (["views"], 0),
    (["part"], 10**12),
    (["metrics_bytes"], 10**12),
    (["best"], None),
]


@pytest.mark.parametrize(("way", "value"), ODD_BUT_WELL_FORMED, ids=lambda part: str(part)[:30])
def test_what_does_not_fit_is_a_sentence_too(
    stopped: tuple[Path, Path], tmp_path: Path, way: list[str], value: object
) -> None:
    catalog, run = stopped
    copy = catalog.parent / "runs" / f"9{hash(str(way)) % 1000:03d}-copy"
    shutil.copytree(run, copy)
    write(copy, changed(plain_of(run), way, value))
    said = go_on(catalog, copy)
    assert "Unexpected" not in said and "The training failed" not in said, said


@pytest.mark.parametrize("group", ["random", "confusion", "gathered", "model"])
def test_tensors_that_are_missing_are_a_sentence(stopped: tuple[Path, Path], group: str) -> None:
    catalog, run = stopped
    copy = catalog.parent / "runs" / f"8{len(group):03d}-{group}"
    shutil.copytree(run, copy)
    write(copy, plain_of(run), leave_out=f"{group}/")
    said = go_on(catalog, copy)
    assert "Unexpected" not in said and "The training failed" not in said, said
