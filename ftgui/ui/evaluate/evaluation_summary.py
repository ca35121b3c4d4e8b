"""How good the model is in one line, on which images, and what can be done about it."""

from __future__ import annotations

import math

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QComboBox, QHBoxLayout

from ftgui.base.formatting import percent, plural
from ftgui.data.metrics import accuracy, calibration_error, class_figures, interval, reliability
from ftgui.ui.evaluate.confused_pairs import ConfusedPairs
from ftgui.ui.project.evaluation import EvaluationResult
from ftgui.ui.toolkit.basics import Card, button, heading, label

FOLDER_TIP = (
    "Evaluate the model on a folder of labelled images that it has never seen; a zip or tar of one can be dropped here"
)
_SPLITS = {"Validation images": "val", "Test images": "test", "Training images": "train", "All images": ""}


class EvaluationSummary(Card):
    """The top of the Evaluate page: accuracy, which images it is of, buttons, and the pairs confused most."""

    split_chosen = Signal(str)
    """``"train"``, ``"val"``, ``"test"``, or empty for all images of the dataset."""

    def __init__(self) -> None:
        super().__init__()
        row = QHBoxLayout()
        self.headline = heading(wrap=True)
        self.which = QComboBox()
        self.which.addItems(list(_SPLITS))
        self.which.setAccessibleName("Which images are evaluated")
        self.which.setToolTip(
            "Validation images chose the best weights, so their accuracy is a little too good.\n"
            "Test images were never used for anything: their figure is the honest one."
        )
        self.which.activated.connect(self._which_chosen)
        self.folder = button("Other folder…", FOLDER_TIP)
        self.look = button(
            "Evaluate images", "Ask the model about every image, so that each figure leads to its images"
        )
        self.train = button(
            "Train again", "Train with the labels as they are now: correct the mistakes, then see what that gains"
        )
        row.addWidget(self.headline, 1)
        for widget in (self.which, self.folder, self.look, self.train):
            row.addWidget(widget)
        self.detail = label("", "muted", wrap=True)
        self.pairs = ConfusedPairs()
        self.body.addLayout(row)
        self.body.addWidget(self.detail)
        self.body.addWidget(self.pairs)

    def show_images(self, split: str, folder: str) -> None:
        """Which images are evaluated: those of a split, or of a folder of this name."""
        while self.which.count() > len(_SPLITS):
            self.which.removeItem(len(_SPLITS))
        if folder:
            self.which.addItem(f"“{folder}”")
            self.which.setCurrentIndex(len(_SPLITS))
        else:
            self.which.setCurrentIndex(list(_SPLITS.values()).index(split))

    def show_result(self, result: EvaluationResult, title: str) -> None:
        """The figures; `title` says whose they are."""
        total = int(result.confusion.sum())
        share = accuracy(result.confusion)
        right = round(share * total)
        low, high = interval(right, total)
        self.headline.setText(f"Accuracy {percent(share)}")
        self.headline.setToolTip(
            f"{right:,} of {plural(total, 'image')}. With other images of the same kind it would be between {low:.1%} and "
            f"{high:.1%} in 95 of 100 cases (Wilson interval): with few images the figure says little."
        )
        figures = class_figures(result.confusion)
        known = figures.f1[figures.support > 0]
        parts = [
            title,
            f"{right:,} of {total:,}",
            f"95 % interval {low * 100:.0f} to {high * 100:.0f} %",
            f"mean F1 {percent(float(known.mean()))}",
        ]
        if result.answers is not None:
            error = calibration_error(reliability(result.answers.confidences, result.answers.right))
            parts.append(f"calibration error {error * 100:.1f} %")
            if result.answers.unanswered:
                parts.append(f"{plural(result.answers.unanswered, 'image')} not evaluated")
        elif not math.isnan(result.loss):
            parts.append(f"loss {result.loss:.3f}")
        self.detail.setText(" · ".join(part.replace(" ", "\N{NO-BREAK SPACE}") for part in parts))
        self.pairs.show_result(result)

    def show_none(self, headline: str, detail: str) -> None:
        """No figures, and why."""
        self.headline.setText(headline)
        self.detail.setText(detail)
        self.pairs.show_result(None)

    @Slot(int)
    def _which_chosen(self, number: int) -> None:
        splits = list(_SPLITS.values())
        if number < len(splits):
            self.split_chosen.emit(splits[number])


def images_of(split: str) -> str:
    """What follows “any” in a sentence about a split: ``"validation images"``; about all images: ``"image"``."""
    names = {value: name.lower() for name, value in _SPLITS.items()}
    return names[split] if split else "image"
