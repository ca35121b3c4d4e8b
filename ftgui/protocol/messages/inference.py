"""Asking a model: predictions, evaluation, saliency, similar images."""

from __future__ import annotations

import msgspec

from ftgui.protocol.messages.base import Message
from ftgui.protocol.recipe import Augmentation


class EvaluateImages(Message, frozen=True):
    """What does the model say of the images of a catalog? Answered by `EvaluatedImages`, in portions."""

    request: int
    catalog: str
    splits: list[str] = []
    """Only these; empty: all."""
    run_folder: str = ""
    """Of the run whose model this is: all its answers are kept there too, as ``predictions.csv``; empty: not."""


class PreviewAugmentation(Message, frozen=True):
    """What will the model see of this image in training? Answered by `AugmentedViews` or `CommandFailed`."""

    request: int
    path: str
    augmentation: Augmentation
    count: int = 6
    intensity: tuple[float, float] | None = None
    """How an image of more than 8 bits is read."""


class Predict(Message, frozen=True):
    """Ask a model about one image; answered by `Prediction` or `CommandFailed`."""

    request: int
    path: str = ""
    content: bytes = b""
    """The encoded image when there is no file (clipboard); `path` wins when both are given."""
    model: str = ""
    """Empty: the present one, as it is at this moment. `PRETRAINED_MODEL`, or a finished model's folder."""


class Explain(Message, frozen=True):
    """Where in an image does the present model see a class? Answered by `Explanation` or `CommandFailed`."""

    request: int
    path: str = ""
    content: bytes = b""
    class_name: str = ""
    """Empty: the one it thinks most probable."""
    layer: str = ""
    """Name of a row of the layer tree; empty: the last one that has places."""


class FindSimilar(Message, frozen=True):
    """Which training images are most like this one to the model? Answered by `SimilarImages` or `CommandFailed`."""

    request: int
    catalog: str
    path: str = ""
    content: bytes = b""
    count: int = 6


class PredictFiles(Message, frozen=True):
    """Ask the present model about many files; answered by `PredictedFiles`, in portions. During a training too, a few
    between two steps."""

    request: int
    paths: list[str]
    """Files, and folders that are searched for images."""
    table: str = ""
    """CSV file to write, row by row; empty: none."""
    threshold: float = 0.0
    """An answer of less probability is “don't know”."""


class EvaluatedImages(Message, frozen=True):
    """Some images, and what the model says of them."""

    request: int
    paths: list[str]
    """As the catalog names them."""
    predictions: list[str]
    """The most probable class of each."""
    confidences: list[float]
    """Its probability."""
    losses: list[float]
    """Cross-entropy of the label, as in training (without the temperature): how much it surprises the model. NaN for a
    class that the model does not know."""
    done: int
    total: int
    over: bool
    """There are no more."""


class AugmentedViews(Message, frozen=True):
    """Answer to `PreviewAugmentation`."""

    request: int
    images: list[bytes]
    """PNG files, as large as the model's input."""


class Prediction(Message, frozen=True):
    """Answer to `Predict`."""

    request: int
    probabilities: list[float]
    """In class order."""
    class_names: list[str]
    milliseconds: float
    """From the command's arrival to this answer, decoding included."""
    trained: bool
    """False: the head has learned nothing yet, the answer is a guess."""
    step: int
    """Weights of this step of the run; 0 before training."""
    model: str = ""
    """As asked."""
    title: str = ""
    """Of another model than the present one, for people."""


class Explanation(Message, frozen=True):
    """Answer to `Explain`: how much each place speaks for the class."""

    request: int
    class_name: str
    layer: str
    heat: list[list[float]]
    """Rows from the top, values from 0 to 1."""
    area: tuple[float, float, float, float]
    """What the model sees of the upright image: left, top, right and bottom as shares of its size. Outside 0 to 1 where
    the image was too small and black was put around it."""
    probabilities: list[float]
    """In class order."""
    class_names: list[str]
    milliseconds: float


class SimilarImage(msgspec.Struct, frozen=True):
    """A training image that is like another to the model."""

    path: str
    """As the catalog names it."""
    class_name: str
    similarity: float
    """Cosine of the angle between what the head is given for the two, -1 to 1."""


class SimilarImages(Message, frozen=True):
    """Answer to `FindSimilar`, most alike first."""

    request: int
    neighbors: list[SimilarImage]


class PredictedFiles(Message, frozen=True):
    """Some files, and what the model says of them."""

    request: int
    paths: list[str]
    answers: list[str]
    """The most probable class, ``"don't know"`` below the threshold, empty for what can't be read."""
    confidences: list[float]
    """NaN for what can't be read."""
    problems: list[str]
    """Why it can't be read; empty if it can."""
    done: int
    total: int
    over: bool
    """There are no more."""
    stopped: bool = False
    """… because the person did not want them."""
    trained: bool = True
    """False: the head has learned nothing yet, the answers are guesses."""
