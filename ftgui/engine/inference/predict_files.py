"""Predictions for many files, a few at a time, so that a training beside it goes on."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import TextIO

from ftgui.base.files import reason
from ftgui.base.foreign_text import TableWriter
from ftgui.base.job import Job
from ftgui.data.scanning.given_images import count_given, images_below, why_no_images
from ftgui.engine.errors import EngineError
from ftgui.engine.events import Emit
from ftgui.engine.inference.batch_inference import InferenceBatch, run_inference
from ftgui.engine.inference.predict import eval_mode
from ftgui.engine.model.loaded_model import LoadedModel
from ftgui.engine.training.training import Training
from ftgui.protocol import messages as m

_FILES_IN_TRAINING = 8
"""Looked at between two steps."""

DONT_KNOW = "don't know"


class FilePredictions:
    """Answers `PredictFiles`, one such command at a time.

    Args:
        emit: takes every event.
        present: the present model; raises `EngineError` if there is none.
        training: that runs now, if one does.
        answering: around work for a command; what goes wrong within is answered in a sentence.
    """

    def __init__(
        self,
        emit: Emit,
        present: Callable[[], LoadedModel],
        training: Callable[[], Training | None],
        answering: Callable[[m.Command], AbstractContextManager[None]],
    ) -> None:
        self._emit = emit
        self._present = present
        self._training = training
        self._answering = answering
        self._files: Generator[None, None, None] | None = None
        self._command: m.PredictFiles | None = None
        self._ended = False

    @property
    def waiting(self) -> bool:
        """Some were asked about and are not answered yet."""
        return self._files is not None

    def begin(self, command: m.PredictFiles) -> None:
        """What are these? Goes on with `some`.

        Raises:
            EngineError: others are being looked at, or there is no model.
            OSError: the table can't be written.
        """
        if self._files is not None:
            raise EngineError("Other files are still being evaluated.")
        self._present()
        self._ended = False
        self._command = command
        self._files = self._answers(command)

    def cancel(self, request: int) -> None:
        """No more of them, if it is these that are no longer wanted."""
        if self._files is not None and self._command is not None and self._command.request == request:
            self._ended = True

    def end(self) -> None:
        """No more of them."""
        self._ended = True

    def close(self) -> None:
        """Let go of files that nobody will be told of."""
        if self._files is not None:
            self._files.close()
            self._files = None

    def some(self) -> None:
        """Answer the next few. What goes wrong is told, not raised: a training that may go on has nothing to do with it."""
        if self._files is None or self._command is None:
            return
        with self._answering(self._command):
            try:
                next(self._files)
            except StopIteration:
                self._files = None
            except BrokenPipeError:
                raise  # there is nobody to tell
            except OSError as error:
                self._files = None
                raise EngineError(f"The table can't be written: {reason(error)}") from error
            except BaseException:
                self._files = None
                raise

    def _answers(self, command: m.PredictFiles) -> Generator[None, None, None]:
        loaded = self._present()
        given = [Path(path) for path in command.paths]
        total = count_given(given, Job())
        done = 0
        batch = _FILES_IN_TRAINING if self._training() is not None else 32
        built = loaded.built
        table = _Table(Path(command.table)) if command.table else None
        try:
            items = ((path, path) for path in images_below(given))
            looks = run_inference(
                built.model, built.heads[0], items, built.preprocessing, loaded.device, lambda: None, batch
            )
            with closing(looks):
                while not self._ended:
                    if self._present() is not loaded:
                        raise EngineError(
                            "Another model was loaded in the meantime, so the remaining files were not evaluated."
                        )
                    with eval_mode(loaded, self._training()):
                        looked = next(looks, None)
                    if looked is None:
                        break
                    rows = _rows(looked, built.class_names, loaded.temperature, command.threshold)
                    done += len(rows)
                    if table is not None:
                        table.write(rows)
                    self._tell(command.request, rows, done, max(total, done))
                    yield
        finally:
            if table is not None:
                table.close()
        if not done and not self._ended:
            raise EngineError(why_no_images(given))
        self._tell(command.request, [], done, max(total, done), over=True)

    def _tell(self, request: int, rows: list[Row], done: int, total: int, over: bool = False) -> None:
        training = self._training()
        trained = self._present().trained or (training is not None and training.at.step > 0)
        self._emit(
            m.PredictedFiles(
                request,
                # A name that is not valid text can't travel in a message; in the table it is as it is.
                [path.encode("utf-8", "replace").decode("utf-8") for path, *_ in rows],
                [answer for _, answer, *_ in rows],
                [sure for _, _, sure, _ in rows],
                [problem for *_, problem in rows],
                done,
                total,
                over,
                over and self._ended,
                trained,
            )
        )


Row = tuple[str, str, float, str]
"""Path, answer, its probability, problem."""


def _rows(looked: InferenceBatch[Path], names: Sequence[str], temperature: float, threshold: float) -> list[Row]:
    rows: list[Row] = []
    if looked.items:
        confidences, best = (looked.logits / temperature).softmax(1).max(1)
        for path, sure, index in zip(looked.items, confidences.tolist(), best.tolist(), strict=True):
            rows.append((str(path), names[index] if sure >= threshold else DONT_KNOW, sure, ""))
    rows += [(str(path), "", math.nan, why) for path, why in looked.unreadable]
    return sorted(rows)


class _Table:
    """A CSV file that grows by rows.

    Args:
        path: replaced.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: TextIO = path.open("w", encoding="utf-8", errors="surrogateescape", newline="")
        self._table = TableWriter(self._file)
        self._table.row(["path", "answer", "probability", "problem"])

    def write(self, rows: Sequence[Row]) -> None:
        for path, answer, sure, problem in rows:
            self._table.row([path, answer, "" if math.isnan(sure) else f"{sure:.4f}", problem])

    def close(self) -> None:
        self._file.close()
