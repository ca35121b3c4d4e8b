"""The image asked about, and over it what speaks for the answer."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, QThreadPool, Signal, Slot
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QSlider, QToolButton

from ftgui.base.job import Job
from ftgui.data.images.intensity import IntensityRange
from ftgui.protocol import messages as m
from ftgui.ui.predict.saliency_view import SaliencyView
from ftgui.ui.project.prediction import Asked
from ftgui.ui.toolkit.background_task import Task
from ftgui.ui.toolkit.basics import Card, ElidedLabel
from ftgui.ui.toolkit.pictures import load_picture

LONGEST = 1600
"""Pixels of the picture kept for showing."""
_WHY_TIP = (
    "Grad-CAM: the regions that most support this class, as the chosen layer sees them. Bright means support.\n"
    "If the background is bright, the model has learned a shortcut."
)


class ExplainedImage(Card):
    """Loads the image itself, in the background; the explanation is asked for through a signal."""

    explanation_wanted = Signal(str, str)
    """What speaks for this class (empty: the answer's), as this layer sees it (empty: one that the engine chooses)?"""
    table_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._class_name = ""
        self._layer = ""
        self._loading: Task | None = None
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        self.picture = SaliencyView()
        self.name = ElidedLabel()
        self.name.setObjectName("muted")
        self.why = QToolButton()
        self.why.setObjectName("chip")
        self.why.setText("Why?")
        self.why.setCheckable(True)
        self.why.setAccessibleName("Show what supports the answer")
        self.why.setToolTip(_WHY_TIP)
        self.strength = QSlider(Qt.Orientation.Horizontal)
        self.strength.setRange(0, 100)
        self.strength.setValue(60)
        self.strength.setFixedWidth(90)
        self.strength.setAccessibleName("Strength of the overlay")
        self.strength.setToolTip("How strongly the overlay covers the image")
        self.layer = ElidedLabel()
        self.layer.setObjectName("muted")
        self.layer.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.to_table = QToolButton()
        self.to_table.setObjectName("chip")
        self.to_table.setText("Back to the table")
        self.to_table.setAccessibleName("Back to the table of answers")
        self.to_table.setToolTip("The answers about many files")
        self.to_table.hide()
        self._arrange()
        self.to_table.clicked.connect(self.table_wanted)
        self.why.toggled.connect(self._why_toggled)
        self.strength.valueChanged.connect(self._strength_changed)

    def _arrange(self) -> None:
        self.body.addWidget(self.picture, 1)
        row = QHBoxLayout()
        row.addWidget(self.name, 1)
        row.addWidget(self.to_table)
        row.addWidget(self.strength)
        row.addWidget(self.why)
        self.body.addWidget(self.layer)
        self.body.addLayout(row)

    def close_threads(self) -> None:
        """Before the program ends."""
        self._pool.waitForDone()

    # --- the image --------------------------------------------------------------------------------------------------

    def show_image(self, asked: Asked, intensity: IntensityRange | None) -> None:
        """Another one, of which nothing is known yet."""
        self._class_name = ""
        self.name.set_full(Path(asked.path).name if asked.path else "from the clipboard")
        self.name.setToolTip(asked.path)
        self.layer.set_full("")
        self.picture.show_heat(None)
        if self._loading is not None:
            self._loading.cancel()
        source: Path | bytes = Path(asked.path) if asked.path else asked.content
        self._loading = Task(partial(_load, source, intensity), self)
        self._loading.done.connect(self._loaded)
        self._loading.failed.connect(self._not_loaded)
        self._loading.start(self._pool)

    @Slot(object)
    def _loaded(self, image: QImage) -> None:
        self.picture.show_picture(image)
        self.explain_if_wanted()

    @Slot(str)
    def _not_loaded(self, _sentence: str) -> None:
        self.picture.show_picture(QImage())  # the engine's own answer says why

    # --- why --------------------------------------------------------------------------------------------------------

    def explain_if_wanted(self) -> None:
        """There is an answer, or a picture, that can be explained now."""
        if self.why.isChecked():
            self._explain()

    def explain_class(self, class_name: str) -> None:
        """What speaks for this class?"""
        self._class_name = class_name
        if self.why.isChecked():
            self._explain()
        else:
            self.why.setChecked(True)

    def choose_layer(self, name: str) -> None:
        """As which layer sees it, from the next explanation on."""
        self._layer = name

    def forget_layer(self) -> None:
        """The model is another one, and so are its layers."""
        self._layer = ""
        self.picture.show_heat(None)

    @Slot(bool)
    def _why_toggled(self, on: bool) -> None:
        if on:
            self._explain()
        else:
            self.picture.show_heat(None)
            self.layer.set_full("")

    def _explain(self) -> None:
        self.explanation_wanted.emit(self._class_name, self._layer)

    @Slot(m.Explanation)
    def show_explanation(self, event: m.Explanation) -> None:
        """What speaks for the class that was asked about."""
        if not self.why.isChecked():
            return
        self.picture.show_heat(event)
        self.layer.set_full(f"what supports “{event.class_name}”, as seen by {event.layer}")
        self.layer.setToolTip(
            f"{_WHY_TIP}\nClick another layer in the tree, or another class's bar. {event.milliseconds:.0f} ms."
        )

    @Slot(str)
    def show_no_explanation(self, sentence: str) -> None:
        """Why there is none."""
        self.picture.show_heat(None)
        self.layer.set_full(sentence)
        self._layer = ""  # the next image is explained by a layer that can

    @Slot(int)
    def _strength_changed(self, value: int) -> None:
        self.picture.set_strength(value / 100)


def _load(source: Path | bytes, intensity: IntensityRange | None, _job: Job) -> QImage:
    return load_picture(source, LONGEST, intensity)
