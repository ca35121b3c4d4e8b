"""What the model says of an image, how sure it is, and the person's word that it is something else."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QInputDialog, QMenu, QPushButton, QVBoxLayout, QWidget

from ftgui.protocol import messages as m
from ftgui.ui.toolkit.basics import heading, label
from ftgui.ui.toolkit.probability_bars import ProbabilityBars
from ftgui.ui.toolkit.theme import Theme


def short_answer(prediction: m.Prediction, threshold: float) -> str:
    """In a word: the likeliest class, “don't know” below the threshold, “?” where the head has learned nothing yet."""
    if not prediction.trained:
        return "?"
    probability, name = _likeliest(prediction)
    return name if probability >= threshold else "don't know"


def _likeliest(prediction: m.Prediction) -> tuple[float, str]:
    best = max(range(len(prediction.probabilities)), key=lambda i: prediction.probabilities[i])
    return prediction.probabilities[best], prediction.class_names[best]


class AnswerView(QWidget):
    """The verdict, the likeliest classes as bars, and “Correct label…”.

    Args:
        theme: for colours.
    """

    class_chosen = Signal(str)
    """A bar was clicked."""
    correct_label_wanted = Signal(str)
    """The person says that it is of this class."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.class_names: Sequence[str] = ()
        """Those offered as the correct label."""
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.verdict = heading(wrap=True)
        self.caution = label("", wrap=True)
        self.bars = ProbabilityBars(theme, choosable=True)
        self.bars.class_chosen.connect(self.class_chosen)
        self.timing = label("", "muted", wrap=True)
        self.correct_label = QPushButton("Correct label…")
        self.correct_label.setObjectName("secondary")
        self.correct_label.setAccessibleName("Correct its label")
        self.correct_label.setToolTip(
            "Choose its true class. The image goes into the project under that class (a copy, if it is from elsewhere),\n"
            "so that the next run learns from it. Ctrl+Z undoes this."
        )
        self._classes = QMenu(self)
        self.correct_label.setMenu(self._classes)
        self._classes.aboutToShow.connect(self._fill_classes)
        layout.addWidget(self.verdict)
        layout.addWidget(self.caution)
        layout.addSpacing(4)
        layout.addWidget(self.bars, 1)
        layout.addWidget(self.timing)
        layout.addWidget(self.correct_label)

    def wait(self) -> None:
        """Another image was asked about; nothing is known yet."""
        self.verdict.setText("…")
        self.caution.clear()
        self.timing.clear()
        self.bars.clear()
        self.correct_label.setEnabled(False)

    def show_answer(self, prediction: m.Prediction, threshold: float, whose: str) -> None:
        """What the model says.

        Args:
            prediction: at least one class.
            threshold: below this probability it does not know.
            whose: the run whose model it is, in words; may be empty.
        """
        probability, name = _likeliest(prediction)
        self.bars.show_prediction(prediction)
        self.caution.setVisible(not prediction.trained or probability < threshold)
        if not prediction.trained:
            self.verdict.setText("A guess")
            self.caution.setText(
                "The head has not learned your classes yet, so these numbers mean nothing. Press Train, then ask again."
            )
        elif probability >= threshold:
            self.verdict.setText(name)
        else:
            self.verdict.setText("Don't know")
            self.caution.setText(
                f"Most likely “{name}”, but {probability:.0%} is below the threshold of {threshold:.0%} that is set on the "
                "Evaluate page."
            )
        by = f" · by {whose}" if whose and prediction.trained else ""
        weights = f" · weights of step {prediction.step:,}" if prediction.step else by
        self.timing.setText(f"answered in {prediction.milliseconds:.0f} ms{weights}")

    def show_no_answer(self, sentence: str) -> None:
        """Why there is none."""
        self.verdict.setText("No answer")
        self.caution.setText(sentence)
        self.caution.show()
        self.bars.clear()
        self.timing.clear()

    @Slot()
    def _fill_classes(self) -> None:
        self._classes.clear()
        for name in self.class_names:
            self._classes.addAction(name.replace("&", "&&"), partial(self.correct_label_wanted.emit, name))
        self._classes.addSeparator()
        self._classes.addAction("New class…", self._ask_for_new_class)

    @Slot()
    def _ask_for_new_class(self) -> None:
        name, given = QInputDialog.getText(self, "New class", "What is it?")
        if given and name.strip():
            self.correct_label_wanted.emit(name.strip())
