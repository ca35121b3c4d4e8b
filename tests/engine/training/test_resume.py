"""A run that was killed goes on as if it had never stopped: the weights are the same bit for bit."""

from __future__ import annotations

import contextlib
import csv
import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import torch

from ftgui.base.job import Job
from ftgui.data.catalog import edits
from ftgui.data.catalog.catalog import Catalog
from ftgui.data.checks.image_check import check_images
from ftgui.data.project import Project
from ftgui.engine.errors import EngineError
from ftgui.engine.model import backbones
from ftgui.engine.model.weights_files import read_weights
from ftgui.engine.training import checkpoint as checkpoints
from ftgui.engine.training.checkpoint import Checkpoint
from ftgui.engine.training.position import Position
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Backbone, Phase
from ftgui.runs.dataset_diff import renamed_since
from ftgui.runs.model_folder import read_about
from ftgui.runs.run_folders import CHECKPOINT_FILE, open_run, read_checkpoint
from tests.conftest import Maker
from tests.engine.conftest import Engine

pytestmark = pytest.mark.slow

PHASES = [
    Phase(name="Head", train=["head"], epochs=2, lr=1e-2),
    Phase(name="Stages", train=["stage 3", "stage 4", "neck", "head"], epochs=3, lr=3e-3, layer_decay=0.5),
]
STEPS = 4 * 5


class Killed(BaseException):
    """Nothing catches it, as nothing catches kill -9."""


@pytest.fixture
def every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ftgui.engine.training.checkpointing.CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr("ftgui.engine.training.checkpointing.CHECKPOINT_SHARE", 1e9)
    monkeypatch.setattr("ftgui.engine.training.step_reporter.MESSAGES_PER_SECOND", 1e9)


def run_adjusted(engine: Engine, kill_at: int) -> Callable[[m.Event], None]:
    """Ticks at step 10, another rate at 14, and death at some step."""

    def on_event(event: m.Event) -> None:
        if isinstance(event, m.StepMetrics):
            if event.step[-1] == 10:
                engine.queue.append(m.SetTrainable(1, ["stage 2", "stage 4", "neck", "head"]))
            if event.step[-1] == 14:
                engine.queue.append(m.ChangeRate(2, 1e-3))
            if event.step[-1] == kill_at:
                raise Killed

    return on_event


def weights(run: str) -> dict[str, torch.Tensor]:
    return {
        f"{kind}/{name}": value
        for kind in ("best", "last")
        for name, value in read_weights(Path(run) / kind / "model.safetensors").items()
    }


def lines(run: str) -> list[dict[str, object]]:
    text = (Path(run) / "metrics.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(autouse=True)
def dropout(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that steps draw from torch's generator, whose state must come back too."""
    build = backbones.build

    def with_dropout(*arguments: object) -> backbones.BuiltBackbone:
        built = build(*arguments)  # type: ignore[arg-type]
        built.model.drop_rate = 0.3
        return built

    monkeypatch.setattr(backbones, "build", with_dropout)


def command(train_command, dataset: Path) -> m.Train:
    # The average has a state of its own.
    return train_command(dataset, PHASES, backbone=Backbone(name="test_efficientnet", weights="none"), ema=0.9)


@pytest.mark.parametrize("kill_at", [1, 4, 7, 8, 9, 11, 13, 14, 15, 19, 20])
def test_killed_at_any_step_the_weights_are_the_same(
    kill_at: int, dataset: Path, train_command, every_step, whole_run: dict[str, torch.Tensor]
) -> None:
    train = command(train_command, dataset)
    engine = Engine()
    engine.on_event = run_adjusted(engine, kill_at)
    with pytest.raises(Killed):
        engine.do(train)
    assert not (Path(train.run_folder) / "result.json").exists()
    again = resumed(train)
    (end,) = again.of(m.TrainingFinished)
    assert (end.reason, end.steps) == ("done", STEPS), end.message
    (start,) = again.of(m.TrainingStarted)
    assert start.step in (kill_at, kill_at - 1)
    assert differences(whole_run, train) == []
    steps = [line["step"] for line in lines(train.run_folder) if line["kind"] == "step"]
    assert steps == list(range(1, STEPS + 1)), "no step is told twice"
    began = {event.phase: event.step for event in again.of(m.PhaseStarted)}
    assert began == {phase: step for phase, step in enumerate((0, 8)) if phase in began}
    assert [line["step"] for line in lines(train.run_folder) if line["kind"] == "phase"] == [0, 8]


def test_a_change_of_course_is_saved_at_once(dataset: Path, train_command, monkeypatch) -> None:
    """Checkpoints are seconds apart; what a person did in between must not be forgotten."""
    monkeypatch.setattr("ftgui.engine.training.checkpointing.CHECKPOINT_SECONDS", 1e9)
    monkeypatch.setattr("ftgui.engine.training.step_reporter.MESSAGES_PER_SECOND", 1e9)
    train = command(train_command, dataset)
    engine = Engine()
    engine.on_event = run_adjusted(engine, kill_at=12)
    with pytest.raises(Killed):
        engine.do(train)
    again = Engine()
    again.do(m.Continue(2, train.catalog, train.run_folder))
    (start,) = again.of(m.TrainingStarted)
    assert start.step == 10
    first = again.of(m.FreezingChanged)[0]
    assert first.layers == ["stage 2", "stage 4", "neck", "head"]


@pytest.mark.parametrize("how", [m.Pause(), m.CancelRequest(1)], ids=["pause", "stop"])
def test_ended_before_the_first_step_of_an_epoch(
    how: m.Command, dataset: Path, train_command, every_step, whole_run: dict[str, torch.Tensor]
) -> None:
    """What was sent while the epoch before was evaluated is read when the next one begins."""
    train = command(train_command, dataset)
    engine = Engine()
    engine.on_event = run_adjusted(engine, kill_at=-1)
    take, looks = engine.next_command, []

    def late(wait: bool) -> m.Command | None:
        if wait:
            raise Killed  # paused, and the checkpoint is written
        if any(e.epoch == 3 for e in engine.of(m.EpochFinished)):
            looks.append(wait)
            if len(looks) == 2:  # the first look still belongs to the third epoch
                return how
        return take(wait)

    engine.next_command = late
    with contextlib.suppress(Killed):
        engine.do(train)
    at = read_checkpoint(Path(train.run_folder))["at"]
    assert (at["epoch"], at["batch"], at["step"]) == (3, 0, 12)
    again = resumed(train)
    assert [e.epoch for e in again.of(m.EpochFinished)] == [4, 5]
    assert differences(whole_run, train) == []


def test_killed_after_a_phase_that_stopped_early(dataset: Path, train_command, every_step) -> None:
    phases = [msgspec.structs.replace(PHASES[0], lr=1e-30, epochs=9), PHASES[1]]

    def make() -> m.Train:
        return train_command(dataset, phases, early_stop=1)

    whole, undisturbed = make(), Engine()
    undisturbed.on_event = run_adjusted(undisturbed, kill_at=-1)
    undisturbed.do(whole)
    train, engine = make(), Engine()

    def kill(event: m.Event) -> None:
        if isinstance(event, m.PhaseFinished):
            assert event.stopped_early
            raise Killed

    engine.on_event = kill
    with pytest.raises(Killed):
        engine.do(train)
    again = resumed(train)
    assert again.of(m.PhaseFinished)[0].stopped_early
    assert differences(weights(whole.run_folder), train) == []
    assert lines(train.run_folder)[-1]["kind"] == "phase-end"


def test_killed_while_what_a_tick_froze_is_computed(
    dataset: Path, train_command, monkeypatch, whole_run: dict[str, torch.Tensor]
) -> None:
    monkeypatch.setattr("ftgui.engine.training.checkpointing.CHECKPOINT_SECONDS", 1e9)  # only what must be saved is
    train = command(train_command, dataset)
    engine = Engine()
    before = run_adjusted(engine, kill_at=-1)

    def on_event(event: m.Event) -> None:
        before(event)
        if isinstance(event, m.Progress) and engine.of(m.RunAdjusted):
            raise Killed

    engine.on_event = on_event
    with pytest.raises(Killed):
        engine.do(train)
    assert resumed(train).of(m.TrainingStarted)[0].step == 10
    assert differences(whole_run, train) == []


def test_stopped_while_images_are_read_again_everything_is_as_it_was(
    dataset: Path, train_command, every_step, whole_run: dict[str, torch.Tensor]
) -> None:
    train = command(train_command, dataset)
    engine = Engine()
    engine.on_event = run_adjusted(engine, kill_at=13)
    with pytest.raises(Killed):
        engine.do(train)
    folder = Path(train.run_folder)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix != ".jsonl"}
    again = Engine()
    again.on_event = lambda event: again.queue.append(m.CancelRequest(2)) if isinstance(event, m.Progress) else None
    again.do(m.Continue(2, train.catalog, train.run_folder))
    (end,) = again.of(m.TrainingFinished)
    assert (end.reason, end.steps) == ("stopped", 12) and end.best_epoch > 0, "the window throws away what has no steps"
    assert {path: path.read_bytes() for path in before} == before and not (folder / "result.json").exists()
    resumed(train)
    assert differences(whole_run, train) == []


def test_an_image_found_to_be_unreadable_since_changes_nothing(dataset: Path, train_command, every_step) -> None:
    """Train does not wait for the check of all images."""
    (dataset / "red" / "red3.jpg").write_bytes(b"no picture")
    train = command(train_command, dataset)
    engine = Engine()
    engine.on_event = run_adjusted(engine, kill_at=3)
    with pytest.raises(Killed):
        engine.do(train)
    with Catalog(Path(train.catalog)) as catalog:
        assert check_images(catalog, Job()) == 1
        assert len(catalog.samples()) == 19
    (end,) = resumed(train).of(m.TrainingFinished)
    assert end.reason == "done", end.message


def resumed(train: m.Train) -> Engine:
    """Another engine that goes on with a run to its end, run_adjusted as the first was."""
    again = Engine()
    torch.manual_seed(12345)  # a new process has another random state
    again.on_event = run_adjusted(again, kill_at=-1)
    again.do(m.Continue(2, train.catalog, train.run_folder))
    return again


def differences(whole: dict[str, torch.Tensor], train: m.Train) -> list[str]:
    """Tensors that are not those of the undisturbed run bit for bit."""
    after = weights(train.run_folder)
    return [name for name, value in whole.items() if not torch.equal(value, after[name])]


@pytest.fixture
def dataset(make_dataset: Maker) -> Path:
    return make_dataset(count=10)


_WHOLE_RUN: dict[str, torch.Tensor] = {}
"""Trained once: where its images lie has no part in the weights."""


@pytest.fixture
def whole_run(dataset: Path, train_command, every_step) -> dict[str, torch.Tensor]:
    """The same run undisturbed."""
    if not _WHOLE_RUN:
        train = command(train_command, dataset)
        engine = Engine()
        engine.on_event = run_adjusted(engine, kill_at=-1)
        engine.do(train)
        (end,) = engine.of(m.TrainingFinished)
        assert end.reason == "done", end.message
        _WHOLE_RUN.update(weights(train.run_folder))
    return _WHOLE_RUN


def stopped_run(engine: Engine, train: m.Train) -> None:
    def stop(event: m.Event) -> None:
        if isinstance(event, m.StepMetrics) and event.step[-1] >= 6:
            engine.queue.append(m.CancelRequest(1))

    engine.on_event = stop
    engine.do(train)
    assert engine.of(m.TrainingFinished)[0].reason == "stopped"
    engine.on_event = lambda event: None
    engine.events.clear()


def test_a_stopped_run_can_be_continued_too(engine: Engine, dataset: Path, train_command, every_step) -> None:
    train = command(train_command, dataset)
    stopped_run(engine, train)
    project = Project(Path(train.catalog).parent)
    found = open_run(project)
    assert found is not None and (str(found.folder), found.crashed) == (train.run_folder, False) and found.step >= 6
    (Path(train.run_folder) / "result.json").unlink()
    assert open_run(project).crashed
    engine.do(m.Continue(2, train.catalog, train.run_folder))
    (end,) = engine.of(m.TrainingFinished)
    assert (end.reason, end.steps) == ("done", STEPS)
    assert open_run(project) is None
    assert not (Path(train.run_folder) / CHECKPOINT_FILE).exists(), "a run that is done needs none"


def test_other_images_are_refused(engine: Engine, dataset: Path, train_command, every_step) -> None:
    train = command(train_command, dataset)
    stopped_run(engine, train)
    samples = Path(train.run_folder) / "samples.csv"
    rows = list(csv.reader(samples.read_text(encoding="utf-8").splitlines()))
    samples.write_text("\n".join(",".join(row) for row in rows[:-1]), encoding="utf-8")
    engine.do(m.Continue(2, train.catalog, train.run_folder))
    (failed,) = engine.of(m.CommandFailed)
    assert "not those the run started with" in failed.message


def test_a_class_renamed_since_changes_nothing_but_its_name(
    dataset: Path, train_command, every_step, whole_run: dict[str, torch.Tensor]
) -> None:
    train = command(train_command, dataset)
    engine = Engine()
    engine.on_event = run_adjusted(engine, kill_at=9)
    with pytest.raises(Killed):
        engine.do(train)
    with Catalog(Path(train.catalog)) as catalog:
        edits.rename_class(catalog, "blue", "zebra")  # by name it would be the last now, and the first output another's
    (end,) = resumed(train).of(m.TrainingFinished)
    assert end.reason == "done", end.message
    assert differences(whole_run, train) == []
    assert read_about(Path(train.run_folder) / "best").class_names == ["zebra", "red"]
    with Catalog(Path(train.catalog)) as catalog:
        edits.rename_class(catalog, "red", "ant")
        assert renamed_since(Path(train.run_folder), catalog) == ["zebra", "ant"]


def test_other_pretrained_weights_are_refused(engine: Engine, dataset: Path, train_command, every_step) -> None:
    train = command(train_command, dataset)
    stopped_run(engine, train)
    recipe = Path(train.run_folder) / "recipe.toml"
    recipe.write_text(recipe.read_text(encoding="utf-8").replace("seed = 0", "seed = 1", 1), encoding="utf-8")
    engine.do(m.Continue(2, train.catalog, train.run_folder))
    (end,) = engine.of(m.TrainingFinished)
    assert end.reason == "failed" and "not the ones it began with" in end.message


def test_a_damaged_checkpoint_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no checkpoint"):
        checkpoints.load(tmp_path)
    file = tmp_path / CHECKPOINT_FILE
    file.parent.mkdir()
    file.write_bytes(b"\x10" + b"\0" * 40)
    with pytest.raises(EngineError, match="can't be read"):
        checkpoints.load(tmp_path)


def test_a_checkpoint_comes_back_bit_for_bit(tmp_path: Path) -> None:
    kept = Checkpoint(
        at=Position(phase=1, epoch=2, epoch_in_phase=1, batch=3, step=7, phase_began=4),
        trainable=[3],
        part=4,
        seconds=2.0,
        early_stopping={"patience": 5, "epochs_without_better": 1, "best_score": (float("-inf"), 0.1 + 0.2)},
        divergence={"losses": [0.3]},
        best={
            "epoch": 1,
            "loss": 0.7,
            "calibration": {"temperature": 1.5, "error_before": 0.1, "error_after": 0.05},
            "confusion": torch.tensor(1),
            "weights": {"x.y": torch.tensor(3.0)},
        },
        model={"x.y": torch.tensor(4.0)},
        ended=True,
        views=8,
        frozen_hash="abc",
        optimizer={"peak": 1e-300, "started_at_step": {"x.y": 2}, "state": {"x.y": {"step": torch.tensor(5.0)}}},
        average={"updates": 6, "values": {"x.y": torch.tensor(6.0)}},
        train_metrics={"samples": 9, "counts": torch.tensor(7), "loss": torch.tensor(0.5)},
        random={"cpu": torch.tensor(8)},
        metrics_bytes=10,
    )
    checkpoints.save(tmp_path, kept)
    assert checkpoints.load(tmp_path) == kept
