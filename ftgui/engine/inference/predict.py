"""Questions about images: what is this, why, what is it like, and what about all of these."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TextIO

import torch

from ftgui.base.files import write_atomically
from ftgui.base.foreign_text import TableWriter
from ftgui.base.formatting import few
from ftgui.base.job import Job
from ftgui.data.catalog.reading import CatalogReader
from ftgui.data.images.decoding import open_image, orientation_of
from ftgui.data.images.preprocessing import Preprocessing, center_view, decode, seen_area
from ftgui.data.scanning.given_images import count_given, images_below, why_no_images
from ftgui.engine.downloads.downloader import Downloader
from ftgui.engine.errors import EngineError
from ftgui.engine.events import Emit
from ftgui.engine.inference.batch_inference import InferenceBatch, forward, run_inference
from ftgui.engine.inference.grad_cam import explain
from ftgui.engine.interruptions import StopRequested
from ftgui.engine.model import backbones
from ftgui.engine.model.input_tensor import to_batch
from ftgui.engine.model.loaded_model import ComparisonModel, LoadedModel, open_finished
from ftgui.engine.training.training import Training
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import PRETRAINED
from ftgui.runs.model_folder import WEIGHTS_FILE
from ftgui.runs.predictions import PREDICTIONS_FILE, Predicted, table_of

OTHER_MODELS = 2
"""Kept beside the present one: for before and after, and one earlier run."""

_FILES_IN_TRAINING = 8
"""Looked at between two steps."""

DONT_KNOW = "don't know"

Poll = Callable[[], object]


class Predictor:
    """Answers questions about images.

    Args:
        emit: takes every event.
        present: the present model; raises `EngineError` if there is none.
        training: that runs now, if one does.
        downloader: for weights that are not on this computer.
    """

    def __init__(
        self,
        emit: Emit,
        present: Callable[[], LoadedModel],
        training: Callable[[], Training | None],
        downloader: Callable[[], Downloader],
    ) -> None:
        self._emit = emit
        self._present = present
        self._training = training
        self._downloader = downloader
        self._others: OrderedDict[str, ComparisonModel] = OrderedDict()
        self._files: Generator[None, None, None] | None = None
        self._no_more_files = False

    # --- one image --------------------------------------------------------------------------------------------------

    def predict(self, command: m.Predict) -> None:
        """What is this?"""
        arrived = time.perf_counter()
        if command.model:
            self._predict_by_other(command, arrived)
            return
        loaded, training = self._present(), self._training()
        batch = _batch(command, loaded.built.preprocessing, loaded.device)
        with self._eval_mode(loaded):
            logits, _ = forward(loaded.model, loaded.built.heads[0], batch)
        step = training.at.step if training else 0
        temperature = 1.0 if training else loaded.temperature  # it is fitted when the training is over
        self._emit(
            m.Prediction(
                request=command.request,
                probabilities=(logits[0] / temperature).softmax(0).tolist(),
                class_names=loaded.built.class_names,
                milliseconds=(time.perf_counter() - arrived) * 1000,
                trained=loaded.trained or step > 0,
                step=step,
            )
        )

    def _predict_by_other(self, command: m.Predict, arrived: float) -> None:
        other = self._other(command.model)
        batch = _batch(command, other.built.preprocessing, torch.device("cpu"))
        logits, _ = forward(other.built.model, other.built.heads[0], batch)
        self._emit(
            m.Prediction(
                request=command.request,
                probabilities=(logits[0] / other.temperature).softmax(0).tolist(),
                class_names=other.built.class_names,
                milliseconds=(time.perf_counter() - arrived) * 1000,
                trained=True,
                step=0,
                model=command.model,
                title=other.title,
            )
        )

    def _other(self, name: str) -> ComparisonModel:
        """The untouched backbone, or a finished model; the latest few stay."""
        backbone = self._present().backbone
        # The same folder holds other weights after a run went on.
        key = f"{name} {backbone}" if name == m.PRETRAINED_MODEL else f"{name} {_state(Path(name) / WEIGHTS_FILE)}"
        if key not in self._others:
            if name == m.PRETRAINED_MODEL:
                if backbone.weights != PRETRAINED:
                    raise EngineError(
                        "The model did not start from published weights, so there is nothing untouched to ask."
                    )
                built = backbones.build(backbone, [], downloader=self._downloader())
                self._others[key] = ComparisonModel(built, 1.0, built.title)
            else:
                built, about = open_finished(Path(name))
                self._others[key] = ComparisonModel(built, about.temperature, Path(name).parent.name)
            while len(self._others) > OTHER_MODELS:
                self._others.popitem(last=False)
        self._others.move_to_end(key)
        return self._others[key]

    def explain(self, command: m.Explain) -> None:
        """Where in the picture does the model see a class?"""
        arrived = time.perf_counter()
        loaded, training = self._present(), self._training()
        names, preprocessing = loaded.built.class_names, loaded.built.preprocessing
        if command.class_name and command.class_name not in names:
            raise EngineError(f"The model knows no class “{command.class_name}”.")
        source = _source(command)
        with open_image(source) as image:
            turned = orientation_of(image) >= 5
            width, height = image.size[::-1] if turned else image.size
        batch = _batch(command, preprocessing, loaded.device)
        temperature = 1.0 if training else loaded.temperature
        target = names.index(command.class_name) if command.class_name else None
        shapes = [node.output for node in loaded.nodes]
        with self._eval_mode(loaded):
            heat, probabilities = explain(
                loaded.model, loaded.freezer.tree, shapes, batch, target, command.layer, temperature
            )
        self._emit(
            m.Explanation(
                request=command.request,
                class_name=names[heat.target],
                layer=heat.layer,
                heat=heat.values.tolist(),
                area=seen_area(width, height, preprocessing),
                probabilities=probabilities,
                class_names=names,
                milliseconds=(time.perf_counter() - arrived) * 1000,
            )
        )

    def nearest(self, command: m.FindSimilar, poll: Poll) -> None:
        """Which training images are like it?"""
        loaded = self._present()
        if self._training() is not None:
            raise EngineError("What the model finds alike is known when the training is over.")
        with CatalogReader(Path(command.catalog)) as catalog:
            root = catalog.root
            images = {str(root / path): (path, name) for path, name, _ in catalog.usable(["train"])}
        built, embeddings = loaded.built, loaded.embeddings
        batch = _batch(command, built.preprocessing, loaded.device)
        missing = embeddings.missing(list(images))
        items = [(file, Path(file)) for file in missing]
        done = 0
        try:
            with closing(
                run_inference(built.model, built.heads[0], items, built.preprocessing, loaded.device, poll)
            ) as looks:
                for looked in looks:
                    if looked.items:
                        embeddings.add(looked.items, looked.embeddings)
                    done += len(looked.items) + len(looked.unreadable)
                    self._emit(m.Progress("looking at the training images", done, len(missing)))
        except StopRequested as stopped:
            raise EngineError("Stopped before all training images were looked at.") from stopped
        built.model.eval()
        _, own = forward(built.model, built.heads[0], batch)
        asked = str(Path(command.path).absolute()) if command.path else ""
        found = embeddings.nearest(own[0], [file for file in images if file != asked], command.count)
        self._emit(m.SimilarImages(command.request, [m.SimilarImage(*images[file], cosine) for file, cosine in found]))

    @contextmanager
    def _eval_mode(self, loaded: LoadedModel) -> Iterator[None]:
        loaded.model.eval()
        try:
            yield
        finally:
            training = self._training()
            if training is not None and training.in_train_mode:
                loaded.freezer.train_mode()

    # --- all images of a catalog ------------------------------------------------------------------------------------

    def evaluate(self, command: m.EvaluateImages, poll: Poll) -> None:
        """What does the model say of the labelled ones?"""
        loaded = self._present()
        names = loaded.built.class_names
        with CatalogReader(Path(command.catalog)) as catalog:
            root, images = catalog.root, catalog.usable(command.splits)
        if not {name for _, name, _ in images} & set(names):
            raise EngineError(f"None of the images is of a class the model knows ({few(names)}).")
        index = {name: number for number, name in enumerate(names)}
        said: list[Predicted] = []
        done, stopped = 0, False
        items = ((image, root / image[0]) for image in images)
        try:
            built = loaded.built
            with closing(
                run_inference(built.model, built.heads[0], items, built.preprocessing, loaded.device, poll)
            ) as looks:
                for looked in looks:
                    portion = _evaluated(looked, names, index, loaded.temperature)
                    # Only of those that "alike" compares with, under names that are the same in every catalog.
                    rows = [row for row, one in enumerate(portion) if one.split == "train"]
                    if rows:
                        paths = [str(root / portion[row].path) for row in rows]
                        loaded.embeddings.add(paths, looked.embeddings[rows])
                    done += len(portion)
                    said += portion
                    self._emit_evaluated(command.request, portion, done, len(images), over=False)
        except StopRequested:
            stopped = True
        if command.run_folder and not stopped and not command.splits:
            write_atomically(Path(command.run_folder) / PREDICTIONS_FILE, table_of(said))
        self._emit_evaluated(command.request, [], done, len(images), over=True)

    def _emit_evaluated(self, request: int, portion: list[Predicted], done: int, total: int, over: bool) -> None:
        self._emit(
            m.EvaluatedImages(
                request,
                [one.path for one in portion],
                [one.prediction for one in portion],
                [one.confidence for one in portion],
                [one.loss for one in portion],
                done,
                total,
                over,
            )
        )

    # --- many files -------------------------------------------------------------------------------------------------

    @property
    def files_wait(self) -> bool:
        """Some were asked about and are not answered yet."""
        return self._files is not None

    def begin_files(self, command: m.PredictFiles) -> None:
        """What are these? Goes on with `some_files`.

        Raises:
            EngineError: others are being looked at, or there is no model.
            OSError: the table can't be written.
        """
        if self._files is not None:
            raise EngineError("Other files are still being looked at.")
        self._present()
        self._no_more_files = False
        self._files = self._look_at_files(command)

    def end_files(self) -> None:
        """No more of them."""
        self._no_more_files = True

    def close(self) -> None:
        """Let go of files that nobody will be told of."""
        if self._files is not None:
            self._files.close()
            self._files = None

    def some_files(self) -> None:
        """Answer the next few."""
        if self._files is None:
            return
        try:
            next(self._files)
        except StopIteration:
            self._files = None
        except BaseException:
            self._files = None
            raise

    def _look_at_files(self, command: m.PredictFiles) -> Generator[None, None, None]:
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
                while not self._no_more_files:
                    if self._present() is not loaded:
                        raise EngineError(
                            "Another model was loaded meanwhile, so the rest of the files was not looked at."
                        )
                    with self._eval_mode(loaded):
                        looked = next(looks, None)
                    if looked is None:
                        break
                    rows = _rows(looked, built.class_names, loaded.temperature, command.threshold)
                    done += len(rows)
                    if table is not None:
                        table.write(rows)
                    self._emit_files(command.request, rows, done, max(total, done))
                    yield
        finally:
            if table is not None:
                table.close()
        if not done and not self._no_more_files:
            raise EngineError(why_no_images(given))
        self._emit_files(command.request, [], done, max(total, done), over=True)

    def _emit_files(self, request: int, rows: list[Row], done: int, total: int, over: bool = False) -> None:
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
                over and self._no_more_files,
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


def _evaluated(
    looked: InferenceBatch[tuple[str, str, str]], names: Sequence[str], index: dict[str, int], temperature: float
) -> list[Predicted]:
    if not looked.items:
        return []
    sure, best = (looked.logits / temperature).softmax(1).max(1)
    # Without the temperature: the loss of training, by which wrong labels stand out. A temperature that was fitted on
    # validation images with wrong labels would hide them.
    log_probabilities = looked.logits.log_softmax(1)
    found = []
    for row, (path, class_name, split) in enumerate(looked.items):
        target = index.get(class_name)
        loss = math.nan if target is None else -float(log_probabilities[row, target])
        loss = 1e9 if math.isinf(loss) else loss
        found.append(Predicted(path, class_name, split, names[int(best[row])], float(sure[row]), loss))
    return found


def _state(file: Path) -> tuple[int, int]:
    """Size and time of change; zeros for a file that is not there."""
    try:
        status = file.stat()
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


def _source(command: m.Predict | m.Explain | m.FindSimilar) -> Path | bytes:
    return Path(command.path) if command.path else command.content


def _batch(
    command: m.Predict | m.Explain | m.FindSimilar, preprocessing: Preprocessing, device: torch.device
) -> torch.Tensor:
    pixels = decode(_source(command), preprocessing)
    return to_batch([center_view(pixels, preprocessing.size)], preprocessing, device)
