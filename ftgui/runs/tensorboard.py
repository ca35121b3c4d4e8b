"""Runs as TensorBoard event files. An extra: ``pip install "ftgui[tensorboard]"``; torch is not needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ftgui.base.job import Job
from ftgui.base.json_files import number
from ftgui.protocol import recipe_file
from ftgui.protocol.recipe import RecipeError
from ftgui.runs.metrics_log import METRICS_FILE
from ftgui.runs.recipe_summary import in_words
from ftgui.runs.record import RECIPE_FILE, RunRecord

_STEP = {"loss": "step/train loss", "accuracy": "step/train accuracy", "lr": "step/learning rate"}
_EPOCH = {
    "train_loss": "epoch/train loss",
    "val_loss": "epoch/validation loss",
    "train_accuracy": "epoch/train accuracy",
    "val_accuracy": "epoch/validation accuracy",
}

_LINES_PER_LOOK = 1000

_OLD = "events.out.tfevents.*"


class TensorBoardError(Exception):
    """No event files can be written; the text says why in a sentence."""


def write_event_files(records: Sequence[RunRecord], folder: Path, job: Job | None = None) -> list[Path]:
    """One folder per run, named as the run's, with scalars over steps and epochs and the recipe as text.

    What an earlier call wrote there is replaced, or TensorBoard would draw every curve twice.

    Args:
        records: of the runs.
        folder: to be given to ``tensorboard --logdir``; made if need be.
        job: progress in lines.

    Raises:
        TensorBoardError: the extra is not installed.
        OSError: something can't be read or written.
        Cancelled: through `job`.
    """
    try:
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
    except ImportError as error:
        raise TensorBoardError(
            'TensorBoard files need an extra that is not installed: pip install "ftgui[tensorboard]".'
        ) from error
    job = job or Job()
    written = []
    for record in records:
        target = folder / record.path.name
        for old in target.glob(_OLD):
            old.unlink()
        writer = EventFileWriter(str(target))
        try:
            for event in _events(record, job):
                writer.add_event(event)
        finally:
            writer.close()
        written.append(target)
    return written


def _events(record: RunRecord, job: Job) -> Iterator[Any]:
    from tensorboard.compat.proto.event_pb2 import Event

    yield Event(wall_time=record.started, summary=_text_summary("recipe", _recipe_table(record.path)))
    decoder = msgspec.json.Decoder(dict[str, Any])
    path = record.path / METRICS_FILE
    if not path.exists():
        return
    with path.open("rb") as lines:
        for number, line in enumerate(lines):
            if number % _LINES_PER_LOOK == 0:
                job.progress(number)
            try:
                found = decoder.decode(line)
            except ValueError:
                continue  # half a line of a run that goes on, or damaged: the rest can still be drawn
            names = {"step": _STEP, "epoch": _EPOCH}.get(str(found.get("kind", "")))
            if names:
                yield _scalars(found, names)


def _scalars(line: dict[str, Any], names: dict[str, str]) -> Any:
    """Figures over optimizer steps, those of epochs too, so that they lie under each other."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    values = [Summary.Value(tag=tag, simple_value=number(line[name])) for name, tag in names.items() if name in line]
    return Event(
        wall_time=number(line.get("time"), 0.0), step=int(number(line.get("step"), 0.0)), summary=Summary(value=values)
    )


def _text_summary(tag: str, markdown: str) -> Any:
    """As TensorBoard's text plugin wants it (tensorboard/plugins/text/metadata.py: plugin "text", a string tensor)."""
    from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto

    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)])
    tensor = TensorProto(dtype="DT_STRING", string_val=[markdown.encode("utf-8", "replace")], tensor_shape=shape)
    metadata = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
    return Summary(value=[Summary.Value(tag=tag, metadata=metadata, tensor=tensor)])


def _recipe_table(folder: Path) -> str:
    try:
        lines = in_words(recipe_file.load(folder / RECIPE_FILE))
    except RecipeError as error:
        return f"The recipe is not known: {error}"
    rows = [f"| {subject} | {words} |".replace("\n", " ") for subject, words in lines]
    return "\n".join(["| | |", "|---|---|", *rows])
