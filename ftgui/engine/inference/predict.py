"""Predictions for an image, where the model sees a class in it, which images are similar, and what a catalog's are."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import torch

from ftgui.base.files import write_atomically
from ftgui.base.formatting import few
from ftgui.data.catalog.reading import CatalogReader
from ftgui.data.images.decoding import open_image, orientation_of
from ftgui.data.images.preprocessing import Preprocessing, center_view, decode, seen_area
from ftgui.engine.downloads.downloader import Downloader
from ftgui.engine.errors import EngineError
from ftgui.engine.events import Emit
from ftgui.engine.inference.batch_inference import InferenceBatch, forward, run_inference
from ftgui.engine.inference.grad_cam import explain
from ftgui.engine.interruptions import Interruptions, StopRequested, Work
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


@contextmanager
def eval_mode(loaded: LoadedModel, training: Training | None) -> Iterator[None]:
    """The model in evaluation mode, then as the training that runs, if one does, had it."""
    loaded.model.eval()
    try:
        yield
    finally:
        if training is not None and training.in_train_mode:
            loaded.freezer.train_mode()


class Predictor:
    """Answers questions about images.

    Args:
        emit: takes every event.
        present: the present model; raises `EngineError` if there is none.
        training: that runs now, if one does.
        downloader: for weights that are not on this computer, by the request that needs them.
        interruptions: asked between batches.
    """

    def __init__(
        self,
        emit: Emit,
        present: Callable[[], LoadedModel],
        training: Callable[[], Training | None],
        downloader: Callable[[int], Downloader],
        interruptions: Interruptions,
    ) -> None:
        self._emit = emit
        self._present = present
        self._training = training
        self._downloader = downloader
        self._others: OrderedDict[str, ComparisonModel] = OrderedDict()
        self._interruptions = interruptions

    # --- one image --------------------------------------------------------------------------------------------------

    def predict(self, command: m.Predict) -> None:
        """What is this?"""
        arrived = time.perf_counter()
        if command.model:
            self._predict_by_other(command, arrived)
            return
        loaded, training = self._present(), self._training()
        batch = _batch(command, loaded.built.preprocessing, loaded.device)
        with eval_mode(loaded, self._training()):
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
        other = self._other(command.model, command.request)
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

    def _other(self, name: str, request: int) -> ComparisonModel:
        """The untouched backbone, or a finished model; the latest few stay."""
        backbone = self._present().backbone
        # The same folder holds other weights after a run went on.
        key = f"{name} {backbone}" if name == m.PRETRAINED_MODEL else f"{name} {_state(Path(name) / WEIGHTS_FILE)}"
        if key not in self._others:
            if name == m.PRETRAINED_MODEL:
                if backbone.weights != PRETRAINED:
                    raise EngineError(
                        "The model did not start from published weights, so there is no original model to ask."
                    )
                built = backbones.build(backbone, [], downloader=self._downloader(request))
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
        with eval_mode(loaded, self._training()):
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

    def find_similar(self, command: m.FindSimilar) -> None:
        """Which training images are like it?"""
        loaded = self._present()
        poll = partial(self._interruptions.poll, Work.SIMILAR_IMAGES, command.request)
        if self._training() is not None:
            raise EngineError("Similar images can be shown when the training is over.")
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
                    what = "comparing with the training images"
                    self._emit(m.Progress(what, done, len(missing), request=command.request))
        except StopRequested as stopped:
            raise EngineError("Stopped before all training images were compared.") from stopped
        built.model.eval()
        _, own = forward(built.model, built.heads[0], batch)
        asked = str(Path(command.path).absolute()) if command.path else ""
        found = embeddings.nearest(own[0], [file for file in images if file != asked], command.count)
        self._emit(m.SimilarImages(command.request, [m.SimilarImage(*images[file], cosine) for file, cosine in found]))

    # --- all images of a catalog ------------------------------------------------------------------------------------

    def evaluate(self, command: m.EvaluateImages) -> None:
        """What does the model say of the labelled ones?"""
        loaded = self._present()
        poll = partial(self._interruptions.poll, Work.EVALUATION, command.request)
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
