"""A run from the first phase to the finished model folder."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import shutil
import sys
from pathlib import Path

import pytest
import timm
import torch
from sklearn.metrics import confusion_matrix, log_loss

from ftgui.base import files
from ftgui.data.images.preprocessing import center_view, decode
from ftgui.data.project import Project
from ftgui.engine.input_pipeline.image_cache import cut
from ftgui.engine.model import model_folder_writer
from ftgui.engine.model.input_tensor import to_batch
from ftgui.engine.model.loaded_model import open_finished
from ftgui.engine.model.weights_files import read_weights
from ftgui.engine.training import checkpoint, run_writer
from ftgui.engine.training.metrics import MetricAccumulator
from ftgui.engine.training.outcome import Outcome
from ftgui.engine.training.run_writer import RunFolder
from ftgui.protocol import messages as m
from ftgui.protocol import recipe_file
from ftgui.protocol.recipe import Backbone, Phase
from ftgui.runs.model_in_use import validation_key
from ftgui.runs.run_folders import CHECKPOINT_FILE, open_run, read_result
from tests.conftest import Maker

pytestmark = pytest.mark.slow

TWO_PHASES = [
    Phase(name="Head", train=["head"], epochs=2, lr=1e-2),
    Phase(name="Last stage", train=["last stage", "head"], epochs=2, lr=1e-3),
]


def finished(engine) -> m.TrainingFinished:
    (event,) = engine.of(m.TrainingFinished)
    return event


def test_two_phases_leave_a_whole_run_folder(engine, make_dataset: Maker, train_command) -> None:
    command = train_command(make_dataset(count=10), TWO_PHASES)
    engine.do(command)
    end = finished(engine)
    assert (end.reason, end.steps) == ("done", 4 * 4)
    run = Path(command.run_folder)
    assert recipe_file.load(run / "recipe.toml") == command.recipe
    rows = list(csv.DictReader((run / "samples.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 20 and {row["split"] for row in rows} == {"train", "val"}
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["step"] for line in lines if line["kind"] == "step"] == list(range(1, 17))
    assert [line["kind"] for line in lines if line["kind"].startswith("phase")] == ["phase", "phase-end"] * 2
    assert all(line["frozen_unchanged"] for line in lines if line["kind"] == "phase-end")
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    assert result["best_accuracy"] == end.best_accuracy
    key = validation_key((row["path"], row["class_name"], row["split"]) for row in rows)
    assert key and (result["validation"], end.validation) == (key, key), "as whoever reads only the list would say"
    assert set(json.loads((run / "environment.json").read_text(encoding="utf-8"))) >= {"versions", "device", "platform"}
    assert (run / "last" / "model.safetensors").is_file()


def test_events_tell_the_whole_story(engine, make_dataset: Maker, train_command) -> None:
    engine.do(train_command(make_dataset(count=10), TWO_PHASES))
    (start,) = engine.of(m.TrainingStarted)
    assert (start.phases, start.epochs, start.train_samples, start.val_samples) == (["Head", "Last stage"], 4, 16, 4)
    assert [e.epoch for e in engine.of(m.EpochFinished)] == [1, 2, 3, 4]
    steps = [step for event in engine.of(m.StepMetrics) for step in event.step]
    assert steps == list(range(1, 17))
    assert all(len(e.loss) == len(e.step) == len(e.lr) == len(e.accuracy) for e in engine.of(m.StepMetrics))
    states = [e for e in engine.of(m.FreezingChanged) if e.request == 0]
    assert [e.layers for e in states] == [["head"], ["stage 4", "neck", "head"], ["stage 4", "neck", "head"]]
    assert [e.frozen_unchanged for e in engine.of(m.PhaseFinished)] == [True, True]
    before, after = (e.frozen_hash for kind in (m.PhaseStarted, m.PhaseFinished) for e in engine.of(kind)[:1])
    assert before == after


def test_at_most_fifteen_step_messages_a_second(engine, make_dataset: Maker, train_command, monkeypatch) -> None:
    now = [0.0]
    monkeypatch.setattr(
        "ftgui.engine.training.loop.time.monotonic", lambda: now.__setitem__(0, now[0] + 0.001) or now[0]
    )
    engine.do(train_command(make_dataset(count=40), batch_size=1))
    steps = [step for event in engine.of(m.StepMetrics) for step in event.step]
    assert steps == list(range(1, 129)), "no step is lost, they only travel together"
    assert len(engine.of(m.StepMetrics)) - 2 <= 15 * now[0] + 1  # an epoch's last steps are told at once


def test_the_best_weights_are_kept_and_restored(engine, make_dataset: Maker, train_command) -> None:
    """The second phase is so fast that it ruins the model; what stays is the best of the first."""
    ruin = [TWO_PHASES[0], Phase(name="Ruin", train=["everything"], epochs=2, lr=5.0)]
    command = train_command(make_dataset(count=10), ruin, warmup=0.0)
    engine.do(command)
    end = finished(engine)
    scores = [(e.val_accuracy, -e.val_loss) for e in engine.of(m.EpochFinished)]
    finite = [(score, number) for number, score in enumerate(scores, 1) if not math.isnan(score[1])]
    assert end.best_epoch == max(finite, key=lambda pair: pair[0])[1]
    kept = read_weights(Path(command.run_folder) / "best" / "model.safetensors")
    held = engine.session.models.present.model.state_dict()
    assert all(torch.equal(held[name], kept[name]) for name in kept)


def test_early_stop_ends_a_phase(engine, make_dataset: Maker, train_command) -> None:
    phases = [Phase(name="Head", train=["head"], epochs=50, lr=1e-30)]
    engine.do(train_command(make_dataset(count=10), phases, early_stop=2, augmentation="none"))
    (phase,) = engine.of(m.PhaseFinished)
    assert phase.stopped_early and len(engine.of(m.EpochFinished)) == 3


def test_same_seed_same_weights_other_seed_other_weights(make_dataset: Maker, train_command) -> None:
    from tests.engine.conftest import Engine

    dataset = make_dataset(count=8)
    weights = []
    for seed in (0, 0, 1):
        command = train_command(dataset, TWO_PHASES, seed=seed)
        Engine().do(command)
        weights.append(read_weights(Path(command.run_folder) / "last" / "model.safetensors"))
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert any(not torch.equal(weights[0][name], weights[2][name]) for name in weights[0])


def test_stop_finishes_the_step_and_keeps_the_best(engine, make_dataset: Maker, train_command) -> None:
    def stop_in_third_epoch(event: m.Event) -> None:
        if isinstance(event, m.StepMetrics) and event.epoch == 3:
            engine.queue.append(m.CancelRequest(1))

    engine.on_event = stop_in_third_epoch
    command = train_command(make_dataset(count=10), [Phase(name="Head", train=["head"], epochs=50, lr=1e-2)])
    engine.do(command)
    end = finished(engine)
    assert end.reason == "stopped" and end.best_epoch in (1, 2) and 8 < end.steps <= 12
    assert (Path(command.run_folder) / "best" / "model.safetensors").is_file()


def test_stop_before_the_first_epoch_is_over_keeps_what_there_is(engine, make_dataset: Maker, train_command) -> None:
    engine.on_event = lambda event: (
        engine.queue.append(m.CancelRequest(1)) if isinstance(event, m.StepMetrics) else None
    )
    command = train_command(make_dataset(count=30))
    engine.do(command)
    end = finished(engine)
    assert (end.reason, end.best_epoch, end.evaluation) == ("stopped", 0, None) and end.steps >= 1
    assert (Path(command.run_folder) / "best" / "model.safetensors").is_file()


def test_pause_waits_and_answers_meanwhile(engine, make_dataset: Maker, train_command) -> None:
    dataset = make_dataset(count=10)
    image = dataset / "red" / "red0.jpg"

    def pause_once(event: m.Event) -> None:
        if isinstance(event, m.StepMetrics) and not engine.of(m.Paused):
            engine.queue += [m.Pause(), m.Predict(7, str(image)), m.Predict(8, str(image)), m.Resume()]

    engine.on_event = pause_once
    engine.do(train_command(dataset))
    kinds = [type(e).__name__ for e in engine.events]
    at = kinds.index("Paused")
    assert kinds[at : at + 4] == ["Paused", "Prediction", "Prediction", "Resumed"]
    first, second = engine.of(m.Prediction)
    assert first.probabilities == second.probabilities and first.step == second.step > 0
    assert finished(engine).reason == "done"


def test_asking_in_mid_run_changes_nothing(make_dataset: Maker, train_command) -> None:
    """Prediction switches the model to eval; the next step must be in train mode again, with the frozen part in eval."""
    from tests.engine.conftest import Engine

    dataset = make_dataset(count=8)
    kept = []
    for asks in (False, True):
        engine = Engine()
        if asks:
            path = str(dataset / "red" / "red0.jpg")
            engine.on_event = lambda e, q=engine.queue, p=path: (
                q.append(m.Predict(1, p)) if isinstance(e, m.StepMetrics) else None
            )
        command = train_command(dataset, TWO_PHASES)
        engine.do(command)
        kept.append(read_weights(Path(command.run_folder) / "last" / "model.safetensors"))
        assert bool(engine.of(m.Prediction)) == asks
    assert all(torch.equal(kept[0][name], kept[1][name]) for name in kept[0])


def test_predictions_before_during_and_after(engine, make_dataset: Maker, train_command) -> None:
    dataset = make_dataset(count=10)
    image = dataset / "red" / "red0.jpg"
    engine.do(
        m.LoadModel(1, Backbone(name="test_efficientnet", weights="none"), ["blue", "red"], ["head"], device="cpu")
    )
    before = engine.do(m.Predict(2, str(image)))
    assert not before.trained and before.step == 0 and before.class_names == ["blue", "red"]
    assert abs(sum(before.probabilities) - 1) < 1e-5
    engine.do(train_command(dataset))
    after = engine.do(m.Predict(3, content=image.read_bytes()))
    assert after.trained and after.request == 3 and after.probabilities != before.probabilities


def test_a_finished_run_is_loaded_again(engine, make_dataset: Maker, train_command) -> None:
    from tests.engine.conftest import Engine

    dataset = make_dataset(count=10)
    command = train_command(dataset)
    engine.do(command)
    answer = engine.do(m.Predict(3, str(dataset / "red" / "red0.jpg")))
    again = Engine()
    best = str(Path(command.run_folder) / "best")
    loaded = again.do(m.LoadModel(1, command.recipe.backbone, ["blue", "red"], ["head"], "cpu", 0, best))
    assert loaded.trained
    assert again.do(m.Predict(2, str(dataset / "red" / "red0.jpg"))).probabilities == answer.probabilities
    other = again.do(m.LoadModel(1, command.recipe.backbone, ["blue", "green", "red"], ["head"], "cpu", 0, best))
    assert not other.trained and "other classes" in again.of(m.Log)[0].message


@pytest.mark.parametrize("name", ["test_efficientnet", "test_vit", "test_resnet"])
def test_finished_model_is_timms_and_gives_the_same_logits(
    engine, make_dataset: Maker, train_command, name: str
) -> None:
    dataset = make_dataset(classes=("red", "blue", "green"), count=6)
    command = train_command(dataset, backbone=Backbone(name=name, weights="none"))
    engine.do(command)
    best = Path(command.run_folder) / "best"
    moved = dataset.parent / "taken away"
    shutil.copytree(best, moved)
    model = timm.create_model(f"local-dir:{moved}", pretrained=True).eval()
    loaded = engine.session.models.present
    batch = torch.randn(3, 3, loaded.built.preprocessing.size, loaded.built.preprocessing.size)
    with torch.inference_mode():
        assert torch.allclose(model(batch), loaded.model(batch), atol=1e-6)
    assert model.pretrained_cfg["label_names"] == ["blue", "green", "red"]
    card = (moved / "README.md").read_text(encoding="utf-8")
    assert "0. blue\n1. green\n2. red" in card and "local-dir" in card
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model))
    assert f"CenterCrop(size=[{model.pretrained_cfg['input_size'][1]}, " in str(transform)


def test_torchvision_model_trains_and_exports(engine, make_dataset: Maker, train_command) -> None:
    command = train_command(
        make_dataset(count=4), backbone=Backbone(name="torchvision/mobilenet_v3_small", weights="none")
    )
    engine.do(command)
    assert finished(engine).reason == "done"
    best = Path(command.run_folder) / "best"
    assert not (best / "config.json").exists() and "torchvision.models.get_model" in (best / "README.md").read_text(
        "utf-8"
    )


def test_evaluation_agrees_with_scikit_learn(engine, make_dataset: Maker, train_command) -> None:
    dataset = make_dataset(classes=("red", "blue", "grey"), count=10)
    command = train_command(dataset)
    engine.do(command)
    evaluation = finished(engine).evaluation
    loaded = engine.session.models.present
    rows = [
        row
        for row in csv.DictReader((Path(command.run_folder) / "samples.csv").read_text(encoding="utf-8").splitlines())
        if row["split"] == "val"
    ]
    truth = [evaluation.class_names.index(row["class_name"]) for row in rows]
    preprocessing = loaded.built.preprocessing
    views = [center_view(decode(dataset / row["path"], preprocessing), preprocessing.size) for row in rows]
    with torch.inference_mode():
        probabilities = loaded.model(to_batch(views, preprocessing, torch.device("cpu"))).double().softmax(1)
    assert evaluation.confusion == confusion_matrix(truth, probabilities.argmax(1), labels=[0, 1, 2]).tolist()
    assert abs(evaluation.loss - log_loss(truth, probabilities.numpy(), labels=[0, 1, 2])) < 1e-4


def test_gatherer_without_samples_has_no_figures() -> None:
    figures = MetricAccumulator(3, torch.device("cpu")).figures()
    assert math.isnan(figures.accuracy) and math.isnan(figures.loss)


def test_files_that_break_after_the_scan_are_left_out_with_a_word(engine, make_dataset: Maker, train_command) -> None:
    dataset = make_dataset(count=8)
    command = train_command(dataset)
    (dataset / "red" / "red0.jpg").write_bytes(b"broken")
    (dataset / "red" / "red1.jpg").unlink()
    engine.do(command)
    assert finished(engine).reason == "done"
    assert sorted(e.message.split(" is left out")[0] for e in engine.of(m.Log)) == ["red/red0.jpg", "red/red1.jpg"]


def test_an_infinite_loss_ends_the_run_with_a_sentence(engine, make_dataset: Maker, train_command) -> None:
    phases = [TWO_PHASES[0], Phase(name="Ruin", train=["everything"], epochs=3, lr=1e18)]
    engine.do(train_command(make_dataset(count=10), phases, warmup=0.0))
    end = finished(engine)
    assert end.reason == "exploded" and "Try 2e-3." in end.message and end.best_epoch in (1, 2)
    assert (end.phase, end.suggested_lr) == (1, 2e-3)


def test_any_other_failure_still_ends_with_the_best_weights(
    engine, make_dataset: Maker, train_command, monkeypatch
) -> None:
    """A full disk in the third epoch: the model holds the best before, the result says why, the engine lives."""
    command = train_command(make_dataset(count=10), [Phase(name="Head", train=["head"], epochs=9, lr=1e-2)])
    from ftgui.engine.training.run_writer import RunFolder

    write = RunFolder.log

    def fill_the_disk(run: RunFolder, kind: str, **values: object) -> None:
        if kind == "epoch" and len(engine.of(m.EpochFinished)) == 3:
            raise OSError(28, "No space left on device")
        write(run, kind, **values)

    monkeypatch.setattr(RunFolder, "log", fill_the_disk)
    engine.do(command)
    end = finished(engine)
    assert end.reason == "failed" and "No space left on device" in end.message and end.best_epoch > 0
    kept = read_weights(Path(command.run_folder) / "best" / "model.safetensors")
    assert all(torch.equal(engine.session.models.present.model.state_dict()[name], kept[name]) for name in kept)


def test_a_run_that_comes_to_nothing_puts_the_model_before_back(engine, make_dataset: Maker, train_command) -> None:
    dataset = make_dataset(count=10)
    image = str(dataset / "red" / "red0.jpg")
    engine.do(train_command(dataset))
    before = engine.do(m.Predict(3, image))
    engine.events.clear()
    engine.do(
        train_command(dataset, [Phase(name="Ruin", train=["everything"], epochs=1, lr=1e30)], warmup=0.0, batch_size=2)
    )
    assert finished(engine).reason == "exploded" and finished(engine).best_epoch == 0
    after = engine.do(m.Predict(4, image))
    assert after.trained and after.probabilities == before.probabilities


def test_a_damaged_finished_model_is_a_warning_not_an_end(engine, make_dataset: Maker, train_command) -> None:
    command = train_command(make_dataset(count=6))
    engine.do(command)
    best = Path(command.run_folder) / "best"
    load = m.LoadModel(1, command.recipe.backbone, ["blue", "red"], ["head"], "cpu", 0, str(best))
    (best / "model.safetensors").write_bytes(b"half a file")
    loaded = engine.do(load)
    assert isinstance(loaded, m.ModelLoaded) and not loaded.trained
    assert [e.level for e in engine.of(m.Log)] == ["warning"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"phases": []}, "no phase"),
        ({"phases": [Phase(name="x", train=[], epochs=1, lr=1e-3)]}, "all layers are frozen"),
        ({"device": "cuda:9"}, "no device “cuda:9” here"),
        ({"phases": [Phase(name="x", train=["stage 77"], epochs=1, lr=1e-3)]}, "no layer “stage 77”"),
    ],
)
def test_recipes_that_can_not_run_are_a_sentence(engine, make_dataset: Maker, train_command, change, sentence) -> None:
    import msgspec

    command = train_command(make_dataset())
    recipe = msgspec.structs.replace(command.recipe, **change)
    engine.do(msgspec.structs.replace(command, recipe=recipe))
    assert sentence in engine.of(m.CommandFailed)[0].message


def test_one_class_can_not_be_trained(engine, make_dataset: Maker, train_command) -> None:
    engine.do(train_command(make_dataset(classes=("red",))))
    assert "at least two classes" in engine.of(m.CommandFailed)[0].message


def test_a_class_with_one_image_trains(engine, make_dataset: Maker, train_command) -> None:
    dataset = make_dataset(classes=("red", "blue", "green"), count=5)
    for path in sorted((dataset / "green").iterdir())[1:]:
        path.unlink()
    engine.do(train_command(dataset))
    assert finished(engine).reason == "done"
    assert sum(finished(engine).evaluation.confusion[1]) == 0


def test_commands_that_do_not_fit_a_running_training_are_refused(engine, make_dataset: Maker, train_command) -> None:
    def meddle(event: m.Event) -> None:
        if isinstance(event, m.EpochFinished) and event.epoch == 1:
            engine.queue += [m.Continue(5, "catalog", "run"), m.Predict(6, "/nowhere/x.jpg")]

    engine.on_event = meddle
    engine.do(train_command(make_dataset(), TWO_PHASES))
    failures = {event.request: event.message for event in engine.of(m.CommandFailed)}
    assert "stop it first" in failures[5] and "no longer there" in failures[6]
    assert finished(engine).reason == "done"


def test_a_last_batch_of_one_joins_the_one_before() -> None:
    assert cut(range(9), 4) == [[0, 1, 2, 3], [4, 5, 6, 7, 8]]
    assert cut(range(3), 1) == [[0], [1], [2]]
    assert cut(range(1), 4) == [[0]]


def test_every_schedule_step_is_used(engine, make_dataset: Maker, train_command) -> None:
    """9 images in batches of 4 make 2 steps an epoch; the rate ends near zero, so the count of steps was right."""
    dataset = make_dataset(classes=("red", "blue"), count=9, splits=("train", "val"))
    (dataset / "train" / "red" / "red8.jpg").unlink()
    engine.do(train_command(dataset, [Phase(name="Head", train=["head"], epochs=5, lr=1.0)], batch_size=4))
    rates = [lr for event in engine.of(m.StepMetrics) for lr in event.lr]
    assert finished(engine).steps == 20 and max(rates) == 1.0 and rates[-1] < 0.05


@pytest.mark.parametrize(
    "what",
    [
        "ftgui.engine.training.checkpoint.write_atomically",
        "ftgui.engine.training.run_writer.RunFolder._write_pending",
        "ftgui.engine.training.best_weights.write_model",
    ],
)
def test_a_full_disk_is_told_and_the_training_goes_on(
    what: str, engine, make_dataset: Maker, train_command, monkeypatch
) -> None:
    def full(*_: object, **_more: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ftgui.engine.training.checkpointing.CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr("ftgui.engine.training.checkpointing.CHECKPOINT_SHARE", 1e9)
    monkeypatch.setattr(what, full)
    engine.do(train_command(make_dataset(count=10)))
    # The model itself could be written, or was not: the rest of the run is told either way.
    end = finished(engine)
    assert (end.reason == "done") == what.startswith(
        "ftgui.engine.training.checkpoint"
    ) and engine.session.models.present.trained
    told = engine.of(m.Log)
    assert len(told) == 1, "once, and not with every line"
    assert "can't be written" in told[0].message and "No space left" in told[0].message


def test_when_the_window_is_gone_the_run_has_not_ended(engine, make_dataset: Maker, train_command, monkeypatch) -> None:
    """A result would say that it failed by itself, and nobody would offer to go on."""
    monkeypatch.setattr("ftgui.engine.training.step_reporter.MESSAGES_PER_SECOND", 1e9)

    def gone(event: m.Event) -> None:
        if isinstance(event, m.StepMetrics) and event.step[-1] == 3:
            raise BrokenPipeError

    engine.on_event = gone
    train = train_command(make_dataset(count=10))
    with pytest.raises(BrokenPipeError):
        engine.do(train)
    assert not (Path(train.run_folder) / "result.json").exists()
    assert open_run(Project(Path(train.catalog).parent)).crashed


# --- the end of a run, and a disk that does not take it -------------------------------------------------------------


FULL = OSError(28, "No space left on device")


def full_for(monkeypatch: pytest.MonkeyPatch, *names: str) -> list[str]:
    """Files of these names can't be written until the returned list is emptied."""
    names_now = list(names)
    real = files.write_atomically

    def write(path: Path, content: bytes) -> None:
        if path.name in names_now:
            raise FULL
        real(path, content)

    for module in (files, checkpoint, model_folder_writer, run_writer):
        monkeypatch.setattr(module, "write_atomically", write)
    return names_now


def test_a_model_that_can_not_be_written_is_no_success_and_its_checkpoint_stays(
    engine, make_dataset: Maker, train_command, monkeypatch
) -> None:
    names = full_for(monkeypatch, "model.safetensors")
    command = train_command(make_dataset(count=10))
    run = Path(command.run_folder)
    engine.do(command)
    end = finished(engine)
    assert (end.reason, end.unsaved, end.usable) == ("failed", True, True)
    assert "its model could not be written" in end.message and "No space left" in end.message
    assert not (run / "best" / "model.safetensors").exists() and (run / CHECKPOINT_FILE).exists()
    assert read_result(run)["reason"] == "failed"

    assert isinstance(engine.do(m.SaveModel(7)), m.CommandFailed)  # still full
    names.clear()
    assert engine.do(m.SaveModel(8)) == m.ModelSaved(8, str(run / "best"))
    assert read_result(run)["reason"] == "done" and not (run / CHECKPOINT_FILE).exists()
    model = engine.session.models.present.model.state_dict()
    kept = read_weights(run / "best" / "model.safetensors")
    assert all(torch.equal(model[name], value) for name, value in kept.items())
    assert (run / "last" / "model.safetensors").exists()
    assert "no unsaved model" in engine.do(m.SaveModel(9)).message


def test_a_model_that_is_there_is_not_written_once_more_at_the_end(
    engine, make_dataset: Maker, train_command, monkeypatch
) -> None:
    written: list[Path] = []
    real = model_folder_writer.write_model
    monkeypatch.setattr(
        "ftgui.engine.training.best_weights.write_model",
        lambda folder, *rest: (written.append(folder), real(folder, *rest)),
    )
    command = train_command(make_dataset(count=10), [Phase(name="Head", train=["head"], epochs=1, lr=1e-2)])
    engine.do(command)
    assert finished(engine).reason == "done" and written == [Path(command.run_folder) / "best"]


def test_it_can_be_saved_elsewhere(engine, make_dataset: Maker, train_command, monkeypatch, tmp_path: Path) -> None:
    command = train_command(make_dataset(count=10))
    real = Outcome.write_again

    def unplugged(outcome: Outcome) -> None:
        shutil.rmtree(outcome.folder, ignore_errors=True)
        real(outcome)

    monkeypatch.setattr(Outcome, "write_again", unplugged)
    engine.do(command)
    end = finished(engine)
    assert (end.reason, end.unsaved) == ("failed", True) and "is gone. It will not be created again" in end.message
    assert engine.do(m.SaveModel(8, str(tmp_path / "rescued"))) == m.ModelSaved(8, str(tmp_path / "rescued"))
    built, about = open_finished(tmp_path / "rescued")
    assert about.class_names == ["blue", "red"]
    model = engine.session.models.present.model.state_dict()
    assert all(torch.equal(model[name], value) for name, value in built.model.state_dict().items())
    assert not Path(command.run_folder).exists()


def test_a_run_folder_that_goes_is_said_not_remade_and_written_again_when_it_is_back(
    engine, make_dataset: Maker, train_command, monkeypatch
) -> None:
    monkeypatch.setattr("ftgui.engine.training.checkpointing.CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr("ftgui.engine.training.checkpointing.CHECKPOINT_SHARE", 1e9)
    command = train_command(make_dataset(count=10), [Phase(name="Head", train=["head"], epochs=6, lr=1e-2)])
    run, away = Path(command.run_folder), Path(command.run_folder + "-away")

    def unplug(event: m.Event) -> None:
        if isinstance(event, m.EpochFinished) and event.epoch == 2:
            run.rename(away)
        if isinstance(event, m.EpochFinished) and event.epoch == 5:
            assert not run.exists(), "remade on another disk"
            away.rename(run)

    engine.on_event = unplug
    engine.do(command)
    assert finished(engine).reason == "done"
    told = [event.message for event in engine.of(m.Log)]
    assert "is gone; it will not be created again" in told[0] and "can be written again" in told[1] and len(told) == 2
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["epoch"] for line in lines if line["kind"] == "epoch"] == [1, 2, 3, 4, 5, 6]
    assert [line["step"] for line in lines if line["kind"] == "step"] == list(range(1, 25))


def test_no_line_is_lost_while_the_disk_is_full_and_none_is_half(tmp_path: Path, monkeypatch) -> None:
    def guarded(write) -> None:  # type: ignore[no-untyped-def]
        try:
            write()
        except OSError:
            failures.append(1)

    failures: list[int] = []
    run = RunFolder(tmp_path, guarded)
    run.log("step", step=1)
    real = Path.open

    class Full(io.FileIO):
        def write(self, data) -> int:  # type: ignore[no-untyped-def]
            super().write(bytes(data)[:9])  # a part of a line still fits
            raise FULL

    monkeypatch.setattr(Path, "open", lambda path, mode: Full(path, mode.replace("b", "")))
    for step in range(2, 6):
        run.log("step", step=step)
    monkeypatch.setattr(Path, "open", real)
    assert len(failures) == 4
    run.log("step", step=6)
    lines = (tmp_path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4, 5, 6]


def test_lines_that_an_unplugged_drive_lost_are_written_again(tmp_path: Path) -> None:
    run = RunFolder(tmp_path, lambda write: write())
    run.log("step", step=1)
    kept = run.metrics_bytes()
    run.log("step", step=2)
    run.log("step", step=3)
    os.truncate(tmp_path / "metrics.jsonl", kept + 5)  # as the drive comes back
    run.log("step", step=4)
    (tmp_path / "metrics.jsonl").rename(tmp_path / "away")
    with pytest.raises(FileNotFoundError):  # not made anew where the drive was
        run.log("step", step=5)
    (tmp_path / "away").rename(tmp_path / "metrics.jsonl")
    run.metrics_bytes()
    lines = (tmp_path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4, 5]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_others_may_read_what_the_umask_lets_them(engine, make_dataset: Maker, train_command) -> None:
    command = train_command(make_dataset(count=10))
    before = os.umask(0o027)
    try:
        engine.do(command)
    finally:
        os.umask(before)
    assert finished(engine).reason == "done"
    modes = {p.name: p.stat().st_mode & 0o777 for p in Path(command.run_folder).rglob("*")}
    assert {name: mode for name, mode in modes.items() if mode not in (0o640, 0o750)} == {}
    assert modes["best"] == 0o750 and modes["model.safetensors"] == modes["result.json"] == 0o640
