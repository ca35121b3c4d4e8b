"""Questions beside training: other models, training images that are alike, and many files, during a training too."""

from __future__ import annotations

import csv
import json
import math
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from ftgui.data.catalog import edits
from ftgui.data.catalog.query import Query
from ftgui.data.images.preprocessing import center_view, decode
from ftgui.data.project import Project
from ftgui.engine.inference.batch_inference import forward
from ftgui.engine.inference.predict_files import DONT_KNOW
from ftgui.engine.model import backbones
from ftgui.engine.model.input_tensor import to_batch
from ftgui.protocol import codec
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Backbone, Phase
from ftgui.runs.model_folder import MODEL_FORMAT, ModelError, read_about
from tests.conftest import Maker, picture
from tests.engine.conftest import TINY, Engine

pytestmark = pytest.mark.slow

Train = Callable[..., m.Train]


def files(engine: Engine, request: int) -> dict[str, tuple[str, float, str]]:
    """Everything that was answered to a `PredictFiles`."""
    return {
        path: rest
        for event in engine.of(m.PredictedFiles)
        if event.request == request
        for path, *rest in zip(event.paths, event.answers, event.confidences, event.problems, strict=True)
    }


def learn(engine: Engine, make_dataset: Maker, train_command: Train, count: int = 12) -> tuple[Path, m.Train]:
    root = make_dataset(count=count)
    phases = [Phase(name="All", train=["everything"], epochs=4, lr=3e-3)]
    command = train_command(root, phases=phases, batch_size=8, augmentation="none")
    end = engine.do(command)
    assert isinstance(end, m.TrainingFinished) and end.reason == "done", end
    return root, command


# --- many files -----------------------------------------------------------------------------------------------------


def test_a_folder_is_answered_as_its_images_one_by_one(
    engine: Engine, make_dataset: Maker, train_command: Train, tmp_path: Path
) -> None:
    root, _ = learn(engine, make_dataset, train_command)
    (root / "red" / "broken.jpg").write_bytes(b"no image")
    (root / "red" / "notes.txt").write_text("no image by its name")
    table = tmp_path / "answers" / "table.csv"
    over = engine.do(m.PredictFiles(7, [str(root)], str(table)))
    assert isinstance(over, m.PredictedFiles) and over.over and not over.stopped and over.done == over.total == 25
    said = files(engine, 7)
    assert len(said) == 25
    answer, sure, problem = said.pop(str(root / "red" / "broken.jpg"))
    assert answer == "" and math.isnan(sure) and "not an image" in problem
    for path, (answer, sure, problem) in said.items():
        single = engine.do(m.Predict(9, path))
        best = int(np.argmax(single.probabilities))
        assert (answer, problem) == (single.class_names[best], "")
        assert sure == pytest.approx(single.probabilities[best], abs=1e-5)
    with table.open(encoding="utf-8", newline="") as file:
        rows = {row["path"]: row for row in csv.DictReader(file)}
    assert len(rows) == 25 and all(rows[path]["answer"] == answer for path, (answer, *_) in said.items())
    assert all(float(rows[path]["probability"]) == pytest.approx(sure, abs=1e-4) for path, (_, sure, _) in said.items())


def test_below_the_threshold_it_does_not_know(engine: Engine, make_dataset: Maker, train_command: Train) -> None:
    root, _ = learn(engine, make_dataset, train_command)
    engine.do(m.PredictFiles(7, [str(root)]))
    surest = sorted(sure for _, sure, _ in files(engine, 7).values())
    threshold = surest[len(surest) // 2]
    engine.do(m.PredictFiles(8, [str(root)], threshold=threshold))
    for answer, sure, _ in files(engine, 8).values():
        assert (answer == DONT_KNOW) == (sure < threshold)


def test_it_ends_when_nobody_wants_more_and_others_are_asked_between(
    engine: Engine, make_dataset: Maker, train_command: Train
) -> None:
    root, _ = learn(engine, make_dataset, train_command, count=60)
    single = str(root / "red" / "red0.jpg")
    asked = []

    def ask(event: m.Event) -> None:
        if isinstance(event, m.PredictedFiles) and not asked:
            asked.append(event)
            engine.queue = [m.Predict(8, single), m.CancelRequest(7)]

    engine.on_event = ask
    over = engine.do(m.PredictFiles(7, [str(root)]))
    assert isinstance(over, m.PredictedFiles) and over.over and over.stopped and 0 < over.done < 120
    assert [event.request for event in engine.of(m.Prediction)] == [8]
    engine.on_event = lambda event: None
    assert engine.do(m.PredictFiles(9, [single])).done == 1, "the next question is none of that"


def test_something_else_is_done_before_the_rest(engine: Engine, make_dataset: Maker, train_command: Train) -> None:
    root, _ = learn(engine, make_dataset, train_command, count=60)
    engine.queue = [m.SetTrainable(3, ["head"])]
    engine.do(m.PredictFiles(7, [str(root)]))
    kinds = [type(event) for event in engine.events]
    last = len(kinds) - 1
    assert kinds[last] is m.PredictedFiles and m.FreezingChanged in kinds[kinds.index(m.TrainingFinished) : last]
    assert len(files(engine, 7)) == 120


def test_stop_is_for_the_training_that_was_begun_last_also_if_it_waits(
    engine: Engine, make_dataset: Maker, train_command: Train
) -> None:
    """Both are read in one look, while files are predicted: the files would end and the training go on unstopped."""
    root, _ = learn(engine, make_dataset, train_command, count=60)
    began = engine.of(m.TrainingFinished)
    second = train_command(root)

    def train_and_stop(event: m.Event) -> None:
        engine.on_event = lambda event: None
        engine.queue = [second, m.CancelRequest(1)]

    engine.on_event = train_and_stop
    engine.do(m.PredictFiles(7, [str(root)]))
    (finished,) = engine.of(m.TrainingFinished)[len(began) :]
    assert (finished.reason, finished.steps) == ("stopped", 0)
    assert engine.of(m.PredictedFiles)[-1].done == 120 and not engine.of(m.PredictedFiles)[-1].stopped
    engine.queue = []
    assert engine.do(train_command(root)).reason == "done", "the next one is none of that"


def test_a_folder_during_a_training(engine: Engine, make_dataset: Maker, train_command: Train, tmp_path: Path) -> None:
    root = make_dataset(count=40)
    phases = [Phase(name="All", train=["everything"], epochs=4, lr=1e-3)]
    command = train_command(root, phases=phases)
    other = tmp_path / "other"
    other.mkdir()
    for number in range(20):
        picture((40, 60, 200), number).save(other / f"{number}.png")
    asked = []

    def ask(event: m.Event) -> None:
        if isinstance(event, m.StepMetrics) and not asked:
            asked.append(event)
            engine.queue = [m.PredictFiles(7, [str(other)], str(tmp_path / "t.csv"))]

    engine.on_event = ask
    end = engine.do(command)
    assert isinstance(end, m.TrainingFinished) and end.reason == "done", end
    assert len(files(engine, 7)) == 20
    kinds = [type(event) for event in engine.events]
    assert kinds.index(m.PredictedFiles) < kinds.index(m.TrainingFinished), "it was not put off"
    engine.events.clear()
    engine.on_event = lambda event: None
    plain = engine.do(train_command(root, phases=phases))
    assert plain.evaluation.loss == pytest.approx(end.evaluation.loss, abs=1e-6), "being asked changes no training"


def test_tables_that_cannot_be_written_and_models_that_are_not_there(
    engine: Engine, make_dataset: Maker, train_command: Train, tmp_path: Path
) -> None:
    refused = engine.do(m.PredictFiles(1, [str(tmp_path)]))
    assert isinstance(refused, m.CommandFailed) and "No model" in refused.message
    root, _ = learn(engine, make_dataset, train_command)
    (tmp_path / "taken").write_text("")
    refused = engine.do(m.PredictFiles(2, [str(root)], str(tmp_path / "taken" / "table.csv")))
    assert isinstance(refused, m.CommandFailed) and "can't be written" in refused.message
    assert engine.do(m.PredictFiles(3, [str(root)])).done == 24, "and the engine goes on"
    empty = engine.do(m.PredictFiles(4, [str(tmp_path / "nothing.jpg")]))
    assert empty.over and files(engine, 4)[str(tmp_path / "nothing.jpg")][2] == "The file is no longer there."
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "1.NEF").write_bytes(b"raw")
    refused = engine.do(m.PredictFiles(5, [str(tmp_path / "photos")]))
    assert isinstance(refused, m.CommandFailed)
    assert refused.message.startswith(
        "There are no images in “photos”, but 1 file that ftgui can't read (it is a camera's"
    )


# --- other models ---------------------------------------------------------------------------------------------------


def test_before_and_after(engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "x.jpg"
    picture((200, 40, 40), 1).save(file)
    engine.do(m.LoadModel(1, Backbone(), ["a", "b"], ["head"], "cpu"))
    now = engine.do(m.Predict(2, str(file)))
    before = engine.do(m.Predict(3, str(file), model=m.PRETRAINED_MODEL))
    assert isinstance(before, m.Prediction) and (before.model, before.trained) == (m.PRETRAINED_MODEL, True)
    assert len(before.class_names) == 1000 and "ladybug" in before.class_names and "ImageNet" in before.title
    own = engine.do(m.LoadModel(4, Backbone(), [], [], "cpu"))
    assert isinstance(own, m.ModelLoaded)
    same = engine.do(m.Predict(5, str(file)))
    assert same.probabilities == pytest.approx(before.probabilities, abs=1e-6)
    assert len(now.probabilities) == 2
    engine.do(m.LoadModel(6, TINY, ["a", "b"], ["head"], "cpu"))
    refused = engine.do(m.Predict(7, str(file), model=m.PRETRAINED_MODEL))
    assert isinstance(refused, m.CommandFailed) and "no original model" in refused.message


def test_an_earlier_run_answers_as_it_did(engine: Engine, make_dataset: Maker, train_command: Train) -> None:
    root, command = learn(engine, make_dataset, train_command)
    file = str(root / "blue" / "blue3.jpg")
    then = engine.do(m.Predict(2, file))
    engine.do(train_command(root, seed=5))
    now = engine.do(m.Predict(3, file))
    best = str(Path(command.run_folder) / "best")
    again = engine.do(m.Predict(4, file, model=best))
    assert again.probabilities == pytest.approx(then.probabilities, abs=1e-6) and again.model == best
    assert now.probabilities != pytest.approx(then.probabilities, abs=1e-3)
    assert engine.do(m.Predict(5, file)).probabilities == pytest.approx(now.probabilities, abs=1e-6)


def test_models_that_cannot_be_used_say_why(
    engine: Engine, make_dataset: Maker, train_command: Train, tmp_path: Path
) -> None:
    root, command = learn(engine, make_dataset, train_command)
    good, file = Path(command.run_folder) / "best", str(root / "red" / "red0.jpg")

    def spoiled(name: str) -> Path:
        return Path(shutil.copytree(good, tmp_path / name))

    newer, damaged, half, other, cut = (spoiled(name) for name in ("newer", "damaged", "half", "other", "cut"))
    about = json.loads((newer / "ftgui.json").read_text())
    (newer / "ftgui.json").write_text(json.dumps(about | {"format": MODEL_FORMAT + 1, "class_names": {"new": "shape"}}))
    (damaged / "ftgui.json").write_text("{")
    (half / "model.safetensors").unlink()
    (other / "ftgui.json").write_text(json.dumps(about | {"backbone": "test_resnet"}))
    (cut / "model.safetensors").write_bytes((cut / "model.safetensors").read_bytes()[:5000])
    wanted = {
        newer: "newer ftgui",
        damaged: "damaged",
        half: "incomplete: model.safetensors is missing",
        other: "do not fit",
        cut: "damaged",
        tmp_path / "none": "does not exist",
        root: "is not a model made by ftgui",
    }
    for folder, words in wanted.items():
        refused = engine.do(m.Predict(9, file, model=str(folder)))
        assert isinstance(refused, m.CommandFailed) and words in refused.message, folder
        loaded = engine.do(m.LoadModel(10, TINY, ["blue", "red"], ["head"], "cpu", trained_weights=str(folder)))
        assert isinstance(loaded, m.ModelLoaded) and not loaded.trained, folder
        log = engine.of(m.Log)[-1].message
        assert (words if folder != other else "another model") in log, folder
    (newer / "ftgui.json").write_text(json.dumps(about | {"of a later version": 1}))
    assert read_about(newer).class_names == ["blue", "red"], "fields may come that this version need not know"
    with pytest.raises(ModelError):
        read_about(half)


def test_renamed_classes_keep_what_was_learned(engine: Engine, make_dataset: Maker, train_command: Train) -> None:
    root, command = learn(engine, make_dataset, train_command)
    file = str(root / "red" / "red0.jpg")
    then = engine.do(m.Predict(2, file))
    assert then.class_names == ["blue", "red"]
    best = str(Path(command.run_folder) / "best")
    # By name "amber" comes before "blue": the outputs change places.
    loaded = engine.do(
        m.LoadModel(3, TINY, ["amber", "blue"], ["head"], "cpu", trained_weights=best, trained_names=["blue", "amber"])
    )
    assert isinstance(loaded, m.ModelLoaded) and loaded.trained
    now = engine.do(m.Predict(4, file))
    assert now.class_names == ["amber", "blue"]
    assert now.probabilities == pytest.approx(then.probabilities[::-1], abs=1e-6)


# --- alike ----------------------------------------------------------------------------------------------------------


def test_the_nearest_training_images(engine: Engine, make_dataset: Maker, train_command: Train, tmp_path: Path) -> None:
    root, command = learn(engine, make_dataset, train_command)
    with Project.for_dataset(root).catalog() as catalog:
        train = {path: name for path, name, _ in catalog.usable(["train"])}
    first = sorted(train)[0]
    copy = tmp_path / "copy.jpg"
    shutil.copy(root / first, copy)
    found = engine.do(m.FindSimilar(5, command.catalog, str(copy), count=4))
    assert isinstance(found, m.SimilarImages) and len(found.neighbors) == 4
    # Pictures of one colour are alike to the last of half precision's digits, so another may stand before it.
    assert found.neighbors[0].similarity == pytest.approx(1, abs=2e-3)
    every = engine.do(m.FindSimilar(4, command.catalog, str(copy), count=99)).neighbors
    (own,) = (one.similarity for one in every if one.path == first)
    assert own == pytest.approx(every[0].similarity, abs=1e-3)
    similarities = [one.similarity for one in found.neighbors]
    assert similarities == sorted(similarities, reverse=True)
    assert all(one.class_name == train[one.path] for one in found.neighbors)
    itself = engine.do(m.FindSimilar(6, command.catalog, str(root / first), count=99))
    assert {one.path for one in itself.neighbors} == set(train) - {first}, "an image is not its own neighbor"
    assert not [event for event in engine.events[-1:] if isinstance(event, m.Progress)], "looked at once only"

    loaded = engine.session.models.require()
    seen = {}
    for path in train:
        pixels = center_view(decode(root / path, loaded.built.preprocessing), loaded.built.preprocessing.size)
        batch = to_batch([pixels], loaded.built.preprocessing, loaded.device)
        with torch.inference_mode():
            seen[path] = loaded.model.forward_head(loaded.model.forward_features(batch), pre_logits=True)[0]
    for one in itself.neighbors:
        by_hand = functional.cosine_similarity(seen[first], seen[one.path], dim=0)
        assert one.similarity == pytest.approx(float(by_hand), abs=2e-3)


def test_alike_is_of_the_weights_there_are(engine: Engine, make_dataset: Maker, train_command: Train) -> None:
    root, command = learn(engine, make_dataset, train_command)
    file = str(root / "red" / "red0.jpg")
    before = engine.do(m.FindSimilar(5, command.catalog, file))
    engine.do(train_command(root, seed=9))
    after = engine.do(m.FindSimilar(6, command.catalog, file))
    assert [one.similarity for one in before.neighbors] != [one.similarity for one in after.neighbors]


def test_alike_gives_way_to_a_training(engine: Engine, make_dataset: Maker, train_command: Train) -> None:
    root, command = learn(engine, make_dataset, train_command, count=80)
    engine.queue = [train_command(root, seed=3)]
    engine.do(m.FindSimilar(5, command.catalog, str(root / "red" / "red0.jpg")))
    failed = [event for event in engine.of(m.CommandFailed) if event.request == 5]
    assert len(failed) == 1 and "Stopped" in failed[0].message
    assert len(engine.of(m.TrainingFinished)) == 2


def test_excluded_images_are_no_neighbors(engine: Engine, make_dataset: Maker, train_command: Train) -> None:
    root, command = learn(engine, make_dataset, train_command)
    with Project.for_dataset(root).catalog() as catalog:
        out = catalog.find(Query(class_name="red"))
        edits.exclude(catalog, out, True)
    found = engine.do(m.FindSimilar(5, command.catalog, str(root / "red" / "red0.jpg"), count=99))
    assert {one.class_name for one in found.neighbors} == {"blue"}


def test_a_name_that_is_no_text_ends_neither_engine_nor_training(
    engine: Engine, make_dataset: Maker, train_command: Train, tmp_path: Path
) -> None:
    if os.name != "posix" or sys.platform == "darwin":
        pytest.skip("names are always text here")
    folder = tmp_path / "odd"
    folder.mkdir()
    picture((40, 60, 200), 1).save(tmp_path / "x.png")
    odd = Path(os.fsdecode(os.fsencode(folder) + b"/b\xe9.png"))
    shutil.copy(tmp_path / "x.png", odd)
    learn(engine, make_dataset, train_command)
    over = engine.do(m.PredictFiles(7, [str(folder)], str(tmp_path / "t.csv")))
    assert isinstance(over, m.PredictedFiles) and over.done == 1
    assert os.fsencode(odd) in (tmp_path / "t.csv").read_bytes(), "in the table the name is as it is"
    assert codec.encode(over) and all(codec.encode(event) for event in engine.of(m.PredictedFiles))


def test_files_are_answered_while_a_training_is_paused(
    engine: Engine, make_dataset: Maker, train_command: Train
) -> None:
    root = make_dataset(count=20)
    asked, answered = [], []

    def ask(event: m.Event) -> None:
        if isinstance(event, m.StepMetrics) and not asked:
            asked.append(event)
            engine.queue = [m.Pause(), m.PredictFiles(7, [str(root)])]
        if isinstance(event, m.PredictedFiles) and event.over:
            answered.append(len(engine.of(m.Resumed)))
            engine.queue = [m.Resume()]

    engine.on_event = ask
    end = engine.do(train_command(root))
    assert isinstance(end, m.TrainingFinished) and end.reason == "done"
    assert answered == [0] and len(files(engine, 7)) == 40


def test_another_folder_with_the_same_names_is_not_taken_for_the_dataset(
    engine: Engine, make_dataset: Maker, train_command: Train
) -> None:
    root, command = learn(engine, make_dataset, train_command)
    file = str(root / "red" / "red0.jpg")
    before = engine.do(m.FindSimilar(5, command.catalog, file))
    other = make_dataset(classes=("red", "blue"), count=12, name="other")
    for number in range(12):
        picture((40, 200, 60), 70 + number).save(other / "red" / f"red{number}.jpg")
    foreign = Project.for_dataset(other)
    foreign.take_in(other)
    engine.do(m.EvaluateImages(6, str(foreign.catalog_path)))
    assert engine.do(m.FindSimilar(7, command.catalog, file)).neighbors == before.neighbors


def test_a_run_that_exploded_before_anything_was_learned_is_not_usable(
    engine: Engine, make_dataset: Maker, train_command: Train
) -> None:
    root = make_dataset(count=20)
    end = engine.do(train_command(root, phases=[Phase(name="All", train=["everything"], epochs=3, lr=1e6)]))
    assert isinstance(end, m.TrainingFinished) and end.reason == "exploded" and end.best_epoch == 0
    assert not end.usable and not engine.session.models.require().trained


def test_a_head_of_convolutions_gives_short_embeddings(tmp_path: Path) -> None:
    built = backbones.build(Backbone(name="torchvision/squeezenet1_1", weights="none"), ["a", "b"])
    logits, embeddings = forward(built.model, built.heads[0], torch.zeros(2, 3, 224, 224))
    assert logits.shape == (2, 2) and embeddings.shape == (2, 512)


def test_guesses_are_called_so(engine: Engine, make_dataset: Maker) -> None:
    root = make_dataset(count=3)
    engine.do(m.LoadModel(1, TINY, ["a", "b"], ["head"], "cpu"))
    assert not engine.do(m.PredictFiles(2, [str(root)])).trained
