"""The model looks at every image: wrong labels stand out, what can't be read is left out, and it can be stopped."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from ftgui.data.catalog import edits
from ftgui.data.catalog.catalog import Catalog
from ftgui.data.catalog.query import LIKELY_WRONG, Query
from ftgui.data.project import Project
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Phase
from ftgui.runs.predictions import read_predictions
from tests.conftest import Maker
from tests.engine.conftest import Engine

pytestmark = pytest.mark.slow


def evaluated(engine: Engine) -> list[m.EvaluatedImages]:
    return engine.of(m.EvaluatedImages)


def record(catalog: Catalog, events: list[m.EvaluatedImages]) -> None:
    for event in events:
        catalog.record_answers(zip(event.paths, event.predictions, event.confidences, event.losses, strict=True))


def test_planted_wrong_labels_are_found(
    engine: Engine, make_dataset: Maker, train_command: Callable[..., m.Train]
) -> None:
    root = make_dataset(count=40)
    phases = [Phase(name="All", train=["everything"], epochs=8, lr=3e-3)]
    command = train_command(root, phases=phases, batch_size=8, early_stop=0, label_smoothing=0.0, augmentation="none")
    with Project.for_dataset(root).catalog() as catalog:
        planted = catalog.find(Query(class_name="red", split="val"))[:3]
        edits.relabel(catalog, planted, "blue")
        end = engine.do(command)
        assert isinstance(end, m.TrainingFinished) and end.reason == "done", end
        over = engine.do(m.EvaluateImages(5, command.catalog))
        assert isinstance(over, m.EvaluatedImages) and over.over and over.done == over.total == 80
        record(catalog, evaluated(engine))
        assert set(catalog.find(Query(kind=LIKELY_WRONG))) == set(planted)
        assert set(catalog.find(Query(order="loss", descending=True))[:3]) == set(planted)
        assert set(catalog.find(Query(correct=False))) == set(planted)
        assert len(catalog.find(Query(correct=True))) == 77
        group = next(group for group in catalog.contents().groups if group.kind == LIKELY_WRONG)
        assert group.count == 3 and "Labelled “blue”; the model says “red”" in group.examples[0].message
        edits.relabel(catalog, planted, "red")
        assert LIKELY_WRONG not in {group.kind for group in catalog.contents().groups}
        catalog.forget_answers()
        assert len(catalog.find(Query(correct=True))) == 0


def test_the_same_as_asking_one_by_one(
    engine: Engine, make_dataset: Maker, train_command: Callable[..., m.Train]
) -> None:
    root = make_dataset(count=6)
    command = train_command(root)
    engine.do(command)
    engine.do(m.EvaluateImages(5, command.catalog))
    said = {
        path: (name, sure)
        for event in evaluated(engine)
        for path, name, sure in zip(event.paths, event.predictions, event.confidences, strict=True)
    }
    assert len(said) == 12
    for path, (name, sure) in said.items():
        answer = engine.do(m.Predict(9, str(root / path)))
        assert isinstance(answer, m.Prediction)
        best = max(range(2), key=answer.probabilities.__getitem__)
        assert answer.class_names[best] == name and abs(answer.probabilities[best] - sure) < 1e-5


def test_it_stops_and_answers_meanwhile(
    engine: Engine, make_dataset: Maker, train_command: Callable[..., m.Train]
) -> None:
    root = make_dataset(count=80)
    (root / "red" / "red1.jpg").write_bytes(b"broken")
    command = train_command(root, batch_size=32)
    engine.do(command)
    engine.queue = [m.Predict(7, str(root / "red" / "red0.jpg"))]
    engine.do(m.EvaluateImages(5, command.catalog))
    assert engine.of(m.Prediction)[-1].request == 7
    assert evaluated(engine)[-1].done == 159, "one can't be read"
    engine.events.clear()
    first = []

    def stop(event: m.Event) -> None:
        if isinstance(event, m.EvaluatedImages) and not first:
            first.append(event)
            engine.queue = [m.CancelRequest(6), m.Predict(8, str(root / "red" / "red0.jpg"))]

    engine.on_event = stop
    over = engine.do(m.EvaluateImages(6, command.catalog))
    assert isinstance(over, m.EvaluatedImages) and over.over and 0 < over.done < 159


def test_a_class_that_the_model_does_not_know_has_no_loss_and_only_such_are_refused(
    engine: Engine, make_dataset: Maker, train_command: Callable[..., m.Train]
) -> None:
    root = make_dataset(count=6)
    command = train_command(root)
    engine.do(command)
    with Project.for_dataset(root).catalog() as catalog:
        edits.rename_class(catalog, "red", "rouge")
        engine.do(m.EvaluateImages(5, command.catalog))
        losses = {
            path: loss for event in evaluated(engine) for path, loss in zip(event.paths, event.losses, strict=True)
        }
        assert len(losses) == 12 and all(math.isnan(loss) == path.startswith("red") for path, loss in losses.items())
        record(catalog, evaluated(engine))
        edits.rename_class(catalog, "blue", "bleu")
    refused = engine.do(m.EvaluateImages(5, command.catalog))
    assert (
        isinstance(refused, m.CommandFailed) and "None of the images is of a class the model knows" in refused.message
    )


def test_only_some_splits_and_what_is_kept_of_the_run(
    engine: Engine, make_dataset: Maker, train_command: Callable[..., m.Train]
) -> None:
    root = make_dataset(count=10)
    command = train_command(root)
    engine.do(command)
    run = Path(command.run_folder)
    engine.do(m.EvaluateImages(5, command.catalog, ["val"], str(run)))
    assert evaluated(engine)[-1].done == evaluated(engine)[-1].total == 4
    assert read_predictions(run) == [], "a part is not all"
    engine.do(m.EvaluateImages(6, command.catalog, run_folder=str(run)))
    said = {
        path: (name, sure, loss)
        for event in evaluated(engine)
        if event.request == 6
        for path, name, sure, loss in zip(event.paths, event.predictions, event.confidences, event.losses, strict=True)
    }
    kept = read_predictions(run)
    assert len(kept) == len(said) == 20
    for one in kept:
        name, sure, loss = said[one.path]
        assert (one.prediction, one.class_name) == (name, one.path.split("/")[0])
        assert abs(one.confidence - sure) < 1e-4 and abs(one.loss - loss) <= 1e-4 * max(loss, 1)


def test_a_folder_without_a_model(engine: Engine, tmp_path: Path) -> None:
    assert isinstance(engine.do(m.EvaluateImages(1, str(tmp_path / "none.sqlite"))), m.CommandFailed)
