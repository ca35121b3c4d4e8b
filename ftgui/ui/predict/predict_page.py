"""The Predict page: what an image is to the model, why, beside other models; many images, and whole folders."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, QThreadPool, Signal, Slot
from PySide6.QtGui import QImage
from PySide6.QtWidgets import (
    QHBoxLayout,
    QInputDialog,
    QMenu,
    QPushButton,
    QSizePolicy,
    QSlider,
    QStackedLayout,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ftgui.base.job import Job
from ftgui.data.images.intensity import IntensityRange
from ftgui.protocol import messages as m
from ftgui.runs.model_folder import BEST_FOLDER
from ftgui.runs.run_folders import finished_runs, run_number
from ftgui.ui.predict.batch_table_view import FilesView
from ftgui.ui.predict.history_strip import AnswerStrip
from ftgui.ui.predict.other_models import OtherModels
from ftgui.ui.predict.saliency_view import SaliencyView
from ftgui.ui.predict.similar_images import SimilarImagesList
from ftgui.ui.project.workspace import Asked, Workspace, is_text
from ftgui.ui.toolkit import icons
from ftgui.ui.toolkit.background_task import Task
from ftgui.ui.toolkit.basics import Card, ElidedLabel, Tabs, button, heading, label
from ftgui.ui.toolkit.pictures import load_picture
from ftgui.ui.toolkit.probability_bars import ProbabilityBars
from ftgui.ui.toolkit.theme import Theme

LONGEST = 1600
"""Pixels of the picture kept for showing."""
NEIGHBORS = 8
ANSWER, COMPARE, SIMILAR = range(3)
_EMPTY, _SINGLE, _FILES = range(3)
_WHY_TIP = (
    "Grad-CAM: the places that speak most for this class, as the chosen layer sees them. Bright speaks for it.\n"
    "If the light falls on the background, the model has learned a shortcut."
)


class PredictPage(QWidget):
    """Asks through the workspace and shows the newest question's answer only.

    Args:
        workspace: that asks.
        theme: for colours.
    """

    open_wanted = Signal()
    paste_wanted = Signal()
    folder_wanted = Signal()

    def __init__(self, workspace: Workspace, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._theme = theme
        self._asked_now: Asked | None = None
        self._answer: m.Prediction | None = None
        self._class_name = ""
        """Whose places are shown; empty: the answer's."""
        self._layer = ""
        self._task: Task | None = None
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._make_empty())
        self._stack.addWidget(self._make_full())
        self.files = FilesView(workspace, theme)
        self._stack.addWidget(self.files)
        self._connect()
        self._recolor()

    # --- making -----------------------------------------------------------------------------------------------------

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        for text, tip, signal in (
            ("Open…", "Choose images to ask about (Ctrl+I)", self.open_wanted),
            ("Paste", "Ask about the image or file in the clipboard (Ctrl+V)", self.paste_wanted),
            ("Folder…", "Ask about all images in a folder, and save the answers as a table", self.folder_wanted),
        ):
            made = button(text, tip)
            made.clicked.connect(signal)
            row.addWidget(made)
        return row

    def _make_empty(self) -> QWidget:
        card = Card()
        card.body.addStretch(1)
        self._icon = label()
        title = heading("Drop images to see what the model says")
        text = label(
            "One, many, or a folder of them, here on this page; a single one anywhere on the window.\n"
            "At any time: before training, while it learns, and after.",
            "muted",
        )
        for widget in (self._icon, title, text):
            widget.setAlignment(Qt.AlignmentFlag.AlignCenter)
            card.body.addWidget(widget)
        card.body.addSpacing(8)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addLayout(self._buttons())
        row.addStretch(1)
        card.body.addLayout(row)
        card.body.addStretch(1)
        return card

    def _make_full(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addWidget(self._make_left(), 3)
        row.addWidget(self._make_right(), 2)
        column.addLayout(row, 1)
        self.strip_card = Card()
        self.strip = AnswerStrip()
        self.strip_card.body.setContentsMargins(8, 6, 8, 2)
        self.strip_card.body.addWidget(self.strip)
        self.strip_card.hide()
        column.addWidget(self.strip_card)
        return page

    def _make_left(self) -> QWidget:
        left = Card()
        self.picture = SaliencyView()
        self.name = ElidedLabel()
        self.name.setObjectName("muted")
        self.why = QToolButton()
        self.why.setObjectName("chip")
        self.why.setText("Why?")
        self.why.setCheckable(True)
        self.why.setAccessibleName("Show what speaks for the answer")
        self.why.setToolTip(_WHY_TIP)
        self.strength = QSlider(Qt.Orientation.Horizontal)
        self.strength.setRange(0, 100)
        self.strength.setValue(60)
        self.strength.setFixedWidth(90)
        self.strength.setAccessibleName("Strength of the overlay")
        self.strength.setToolTip("How strongly it covers the picture")
        self.layer = ElidedLabel()
        self.layer.setObjectName("muted")
        self.layer.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        left.body.addWidget(self.picture, 1)
        row = QHBoxLayout()
        self.to_table = QToolButton()
        self.to_table.setObjectName("chip")
        self.to_table.setText("Back to the table")
        self.to_table.setAccessibleName("Back to the table of answers")
        self.to_table.setToolTip("The answers about many files")
        self.to_table.clicked.connect(self._show_table)
        self.to_table.hide()
        row.addWidget(self.name, 1)
        row.addWidget(self.to_table)
        row.addWidget(self.strength)
        row.addWidget(self.why)
        left.body.addWidget(self.layer)
        left.body.addLayout(row)
        return left

    def _make_right(self) -> QWidget:
        right = Card()
        self.views = Tabs(
            (
                ("Answer", "What the model says"),
                ("Compare models", "What the untouched model says of it, and earlier runs"),
                ("Similar", "Which training images are like it to the model: what it learned from"),
            )
        )
        right.body.addWidget(self.views)
        self.pages = QStackedWidget()
        self.pages.addWidget(self._make_answer())
        self.others = OtherModels(self._theme)
        self.pages.addWidget(self.others)
        self.pages.addWidget(self._make_similar())
        right.body.addWidget(self.pages, 1)
        right.body.addLayout(self._buttons())
        right.setMinimumWidth(300)
        return right

    def _make_answer(self) -> QWidget:
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        self.verdict = heading(wrap=True)
        self.caution = label("", wrap=True)
        self.bars = ProbabilityBars(self._theme, choosable=True)
        self.timing = label("", "muted", wrap=True)
        self.should = QPushButton("Correct label…")
        self.should.setObjectName("secondary")
        self.should.setAccessibleName("Correct its label")
        self.should.setToolTip(
            "Say what it really is. The image goes into the project under that class (a copy, if it is from elsewhere),\n"
            "so that the next training learns from it. Ctrl+Z undoes it."
        )
        self._classes = QMenu(self)
        self.should.setMenu(self._classes)
        self._classes.aboutToShow.connect(self._fill_classes)
        layout.addWidget(self.verdict)
        layout.addWidget(self.caution)
        layout.addSpacing(4)
        layout.addWidget(self.bars, 1)
        layout.addWidget(self.timing)
        layout.addWidget(self.should)
        return page

    def _make_similar(self) -> QWidget:
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        self.similar_words = label("", "muted", wrap=True)
        self.neighbors = SimilarImagesList()
        layout.addWidget(self.similar_words)
        layout.addWidget(self.neighbors, 1)
        return page

    def _connect(self) -> None:
        workspace, questions = self._workspace, self._workspace.inference_requests
        workspace.asked.connect(self._asked)
        workspace.answered.connect(self._answered)
        workspace.not_answered.connect(self._not_answered)
        workspace.project_changed.connect(self._project_changed)
        workspace.model_changed.connect(self._model_changed)
        workspace.dataset_editor.taught.connect(self._taught)
        questions.explained.connect(self._explained)
        questions.not_explained.connect(self._not_explained)
        questions.compared.connect(self.others.show_answer)
        questions.not_compared.connect(self.others.show_trouble)
        questions.similar_found.connect(self._neighbors_found)
        questions.similar_failed.connect(self._no_neighbors)
        self.others.wanted.connect(self._compare)
        self.neighbors.look_wanted.connect(workspace.ask)
        self.views.chosen.connect(self.show_view)
        self.why.toggled.connect(self._why_toggled)
        self.strength.valueChanged.connect(lambda value: self.picture.set_strength(value / 100))
        self.bars.class_chosen.connect(self._explain_class)
        self.strip.chosen.connect(self._ask_again)
        workspace.intensity.changed.connect(self._read_anew)
        self.files.look_wanted.connect(workspace.ask)
        self.files.closed.connect(self._leave_files)
        self._theme.changed.connect(self._recolor)

    def close_threads(self) -> None:
        """Before the program ends."""
        self._pool.waitForDone()
        self.strip.close_threads()
        self.neighbors.close_threads()
        self.files.close_threads()

    @Slot()
    def _recolor(self) -> None:
        self._icon.setPixmap(icons.pixmap("scan-eye", self._theme.colors.muted, 48, self.devicePixelRatioF()))

    # --- question and answer ----------------------------------------------------------------------------------------

    def look_at_files(self, paths: list[Path]) -> None:
        """What are all of these?"""
        if self._workspace.model is None:
            self._workspace.message.emit("warning", "There is no model to ask yet; try again in a moment.")
            return
        unsayable = [path for path in paths if not is_text(path)]
        paths = [path for path in paths if is_text(path)]
        if unsayable:
            self._workspace.message.emit("warning", "Names that are not valid text were left out. Rename them.")
        if not paths:
            return
        self._show_table()
        self.files.look_at(paths)

    @Slot()
    def _show_table(self) -> None:
        self.files.back.setVisible(self._asked_now is not None)
        self._stack.setCurrentIndex(_FILES)

    @Slot()
    def _leave_files(self) -> None:
        self.to_table.setVisible(self.files.in_use)
        self._stack.setCurrentIndex(_EMPTY if self._asked_now is None else _SINGLE)

    @Slot(Asked)
    def _asked(self, asked: Asked) -> None:
        self._asked_now, self._answer, self._class_name = asked, None, ""
        self._stack.setCurrentIndex(_SINGLE)
        self.to_table.setVisible(self.files.in_use)
        self.strip.add(asked)
        self.strip_card.setVisible(self.strip.count() > 1)
        self.name.set_full(Path(asked.path).name if asked.path else "from the clipboard")
        self.name.setToolTip(asked.path)
        self.verdict.setText("…")
        self.caution.clear()
        self.timing.clear()
        self.bars.clear()
        self.layer.set_full("")
        self.should.setEnabled(False)
        self._workspace.inference_requests.forget_image()
        self.picture.show_heat(None)
        self.others.clear()
        self.neighbors.forget()
        self.similar_words.clear()
        if self._task is not None:
            self._task.cancel()
        source: Path | bytes = Path(asked.path) if asked.path else asked.content
        self._task = Task(partial(_load, source, self._workspace.intensity.range), self)
        self._task.done.connect(self._show_picture)
        self._task.failed.connect(self._no_picture)
        self._task.start(self._pool)

    @Slot()
    def _read_anew(self) -> None:
        """Pictures of more than 8 bits look otherwise from now on."""
        self.strip.intensity = self.neighbors.intensity = self._workspace.intensity.range

    @Slot(object)
    def _show_picture(self, image: QImage) -> None:
        self.picture.show_picture(image)
        if self.why.isChecked() and self._answer is not None:
            self._explain()

    @Slot(str)
    def _no_picture(self, _sentence: str) -> None:
        self.picture.show_picture(QImage())  # the engine's own answer says why

    @Slot(Asked, m.Prediction)
    def _answered(self, asked: Asked, event: m.Prediction) -> None:
        best = max(range(len(event.probabilities)), key=lambda i: event.probabilities[i])
        name, sure = event.class_names[best], event.probabilities[best]
        knows = not event.trained or sure >= self._workspace.recipe.threshold
        self.strip.say(asked.request, ("?" if not event.trained else name) if knows else "don’t know")
        if self._asked_now is None or asked.request != self._asked_now.request:
            return
        self._answer = event
        self.bars.show_prediction(event)
        self.caution.setVisible(not (event.trained and knows))
        if not event.trained:
            self.verdict.setText("A guess")
            self.caution.setText(
                "The head has not learned your classes yet, so these numbers mean nothing. Press Train, then ask again."
            )
        elif knows:
            self.verdict.setText(name)
        else:
            threshold = self._workspace.recipe.threshold
            self.verdict.setText("Don’t know")
            self.caution.setText(
                f"Most likely “{name}”, but {sure:.0%} is below the threshold of {threshold:.0%} that is set on the "
                "Evaluate page."
            )
        whose = self._workspace.present.words if event.trained else ""
        weights = f" · weights of step {event.step:,}" if event.step else f" · by {whose}" if whose else ""
        self.timing.setText(f"answered in {event.milliseconds:.0f} ms{weights}")
        self.should.setEnabled(self._workspace.catalog is not None)
        if self.why.isChecked():
            self._explain()
        self._show_beside()

    @Slot(Asked, str)
    def _not_answered(self, asked: Asked, sentence: str) -> None:
        self.strip.say(asked.request, "no answer")
        if self._asked_now is None or asked.request != self._asked_now.request:
            return
        self.verdict.setText("No answer")
        self.caution.setText(sentence)
        self.caution.show()
        self.bars.clear()
        self.timing.clear()

    @Slot(Asked)
    def _ask_again(self, asked: Asked) -> None:
        self._workspace.ask(Path(asked.path) if asked.path else None, asked.content)

    @Slot()
    def _project_changed(self) -> None:
        self.strip.forget()
        self.strip_card.hide()
        self.neighbors.forget()
        self._asked_now = self._answer = None
        if self._stack.currentIndex() == _SINGLE:
            self._stack.setCurrentIndex(_EMPTY)

    @Slot(m.ModelLoaded)
    def _model_changed(self, _event: m.ModelLoaded) -> None:
        self._layer = ""
        self.picture.show_heat(None)

    # --- why --------------------------------------------------------------------------------------------------------

    def show_why(self) -> None:
        """Explain the image that is asked about next, and those after it."""
        self.why.setChecked(True)

    @Slot(str)
    def pick_layer(self, name: str) -> None:
        """As which layer sees it, of the layer tree."""
        self._layer = name
        if self.isVisible() and self.why.isChecked():
            self._explain()

    @Slot(bool)
    def _why_toggled(self, on: bool) -> None:
        if on:
            self._explain()
        else:
            self.picture.show_heat(None)
            self.layer.set_full("")

    @Slot(str)
    def _explain_class(self, class_name: str) -> None:
        """A click on a bar: what speaks for that class?"""
        self._class_name = class_name
        if self.why.isChecked():
            self._explain()
        else:
            self.why.setChecked(True)

    def _explain(self) -> None:
        asked = self._asked_now
        if asked is not None and self._answer is not None:
            self._workspace.inference_requests.explain(asked.path, asked.content, self._class_name, self._layer)

    @Slot(m.Explanation)
    def _explained(self, event: m.Explanation) -> None:
        if not self.why.isChecked():
            return
        self.picture.show_heat(event)
        self.layer.set_full(f"what speaks for “{event.class_name}”, seen by {event.layer}")
        self.layer.setToolTip(
            f"{_WHY_TIP}\nClick another layer in the tree, or another class's bar. {event.milliseconds:.0f} ms."
        )

    @Slot(str)
    def _not_explained(self, sentence: str) -> None:
        self.picture.show_heat(None)
        self.layer.set_full(sentence)
        self._layer = ""  # the next image is explained by a layer that can

    # --- beside the answer ------------------------------------------------------------------------------------------

    @Slot(int)
    def show_view(self, number: int) -> None:
        """`ANSWER`, `COMPARE` or `SIMILAR`."""
        self.views.choose(number)
        self.pages.setCurrentIndex(number)
        self._show_beside()

    def _show_beside(self) -> None:
        """Ask what only the shown part needs."""
        asked = self._asked_now
        if asked is None or self._answer is None:
            return
        if self.pages.currentIndex() == COMPARE:
            self.others.show_now(self._answer if self._answer.trained else None)
            self.others.show_runs(self._runs())
            self.others.ask()
        elif self.pages.currentIndex() == SIMILAR and self._workspace.project is not None:
            self.neighbors.forget()
            self.similar_words.setText("Looking at the training images…")
            catalog = self._workspace.project.catalog_path
            self._workspace.inference_requests.find_similar(catalog, asked.path, asked.content, NEIGHBORS)

    def _runs(self) -> list[tuple[str, Path]]:
        """Those with a model, newest first, without the present one."""
        project = self._workspace.project
        return [
            (f"Run {run_number(run)}: {run.name.partition('-')[2]}", run / BEST_FOLDER)
            for run in (finished_runs(project) if project else [])
            if run != self._workspace.model_run
        ]

    @Slot(list)
    def _compare(self, models: list[str]) -> None:
        asked = self._asked_now
        if asked is not None:
            self._workspace.inference_requests.compare(asked.path, asked.content, models)

    @Slot(m.SimilarImages)
    def _neighbors_found(self, event: m.SimilarImages) -> None:
        catalog = self._workspace.catalog
        if catalog is None or self.pages.currentIndex() != SIMILAR:
            return
        words = "The training images that are most like it to the model, most alike first."
        self.similar_words.setText(words if event.neighbors else "There is no training image to compare with.")
        self.neighbors.show_neighbors(catalog.root, event)

    @Slot(str)
    def _no_neighbors(self, sentence: str) -> None:
        self.neighbors.forget()
        self.similar_words.setText(sentence)

    # --- it should be … ---------------------------------------------------------------------------------------------

    @Slot()
    def _fill_classes(self) -> None:
        self._classes.clear()
        contents = self._workspace.contents
        for name in contents.counts if contents else ():
            self._classes.addAction(name.replace("&", "&&"), partial(self.should_be, name))
        self._classes.addSeparator()
        self._classes.addAction("New class…", self._should_be_new)

    @Slot()
    def _should_be_new(self) -> None:
        name, given = QInputDialog.getText(self, "New class", "What is it?")
        if given and name.strip():
            self.should_be(name.strip())

    def should_be(self, class_name: str) -> None:
        """The person knows better."""
        asked = self._asked_now
        if asked is None:
            return
        source: Path | bytes = Path(asked.path) if asked.path else asked.content
        self._workspace.dataset_editor.should_be(source, class_name)

    @Slot(str)
    def _taught(self, class_name: str) -> None:
        self._workspace.training_offered.emit(
            f"It is “{class_name}” in the project now (Ctrl+Z undoes it). The model learns it with the next training."
        )


def _load(source: Path | bytes, intensity: IntensityRange | None, _job: Job) -> QImage:
    return load_picture(source, LONGEST, intensity)
