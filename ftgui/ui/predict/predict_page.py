"""The Predict page: what an image is to the model, why, beside other models; many images, and whole folders."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QStackedLayout, QStackedWidget, QVBoxLayout, QWidget

from ftgui.protocol import messages as m
from ftgui.runs.model_folder import BEST_FOLDER
from ftgui.runs.run_folders import finished_runs, run_number
from ftgui.ui.predict.answer_view import AnswerView, short_answer
from ftgui.ui.predict.batch_table_view import FilesView
from ftgui.ui.predict.explained_image import ExplainedImage
from ftgui.ui.predict.history_strip import AnswerStrip
from ftgui.ui.predict.other_models import OtherModels
from ftgui.ui.predict.similar_images import SimilarImagesView
from ftgui.ui.project.prediction import Asked, is_text
from ftgui.ui.project.workspace import Workspace
from ftgui.ui.toolkit import icons
from ftgui.ui.toolkit.basics import Card, Tabs, button, heading, label
from ftgui.ui.toolkit.theme import Theme

NEIGHBORS = 8
ANSWER, COMPARE, SIMILAR = range(3)
_EMPTY, _SINGLE, _FILES = range(3)


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
            "One, several, or a folder of them, here on this page; a single one anywhere in the window.\n"
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
        self.image = ExplainedImage()
        row.addWidget(self.image, 3)
        row.addWidget(self._make_right(), 2)
        column.addLayout(row, 1)
        self.strip_card = Card()
        self.strip = AnswerStrip()
        self.strip_card.body.setContentsMargins(8, 6, 8, 2)
        self.strip_card.body.addWidget(self.strip)
        self.strip_card.hide()
        column.addWidget(self.strip_card)
        return page

    def _make_right(self) -> QWidget:
        right = Card()
        self.views = Tabs(
            (
                ("Answer", "What the model says"),
                ("Compare models", "What the original model and earlier runs say about the image"),
                ("Similar", "The training images that the model finds most similar: what it learned from"),
            )
        )
        right.body.addWidget(self.views)
        self.pages = QStackedWidget()
        self.answer = AnswerView(self._theme)
        self.pages.addWidget(self.answer)
        self.others = OtherModels(self._theme)
        self.pages.addWidget(self.others)
        self.similar = SimilarImagesView()
        self.pages.addWidget(self.similar)
        right.body.addWidget(self.pages, 1)
        right.body.addLayout(self._buttons())
        right.setMinimumWidth(300)
        return right

    def _connect(self) -> None:
        workspace, questions = self._workspace, self._workspace.inference_requests
        workspace.prediction.asked.connect(self._asked)
        workspace.prediction.answered.connect(self._answered)
        workspace.prediction.not_answered.connect(self._not_answered)
        workspace.project_changed.connect(self._project_changed)
        workspace.catalog_changed.connect(self._catalog_changed)
        workspace.model.changed.connect(self._model_changed)
        workspace.intensity.changed.connect(self._read_anew)
        workspace.dataset_editor.taught.connect(self._taught)
        questions.explained.connect(self.image.show_explanation)
        questions.not_explained.connect(self.image.show_no_explanation)
        questions.compared.connect(self.others.show_answer)
        questions.not_compared.connect(self.others.show_trouble)
        questions.similar_found.connect(self._neighbors_found)
        questions.similar_failed.connect(self.similar.clear)
        self.image.explanation_wanted.connect(self._explain)
        self.image.table_wanted.connect(self._show_table)
        self.answer.class_chosen.connect(self.image.explain_class)
        self.answer.correct_label_wanted.connect(self.should_be)
        self.others.wanted.connect(self._compare)
        self.similar.images.look_wanted.connect(workspace.prediction.ask)
        self.views.chosen.connect(self.show_view)
        self.strip.chosen.connect(self._ask_again)
        self.files.look_wanted.connect(workspace.prediction.ask)
        self.files.closed.connect(self._leave_files)
        self._theme.changed.connect(self._recolor)

    def close_threads(self) -> None:
        """Before the program ends."""
        self.image.close_threads()
        self.strip.close_threads()
        self.similar.images.close_threads()
        self.files.close_threads()

    @Slot()
    def _recolor(self) -> None:
        self._icon.setPixmap(icons.pixmap("scan-eye", self._theme.colors.muted, 48, self.devicePixelRatioF()))

    # --- question and answer ----------------------------------------------------------------------------------------

    def look_at_files(self, paths: list[Path]) -> None:
        """What are all of these?"""
        if self._workspace.model.loaded is None:
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
        self.image.to_table.setVisible(self.files.in_use)
        self._stack.setCurrentIndex(_EMPTY if self._asked_now is None else _SINGLE)

    @Slot(Asked)
    def _asked(self, asked: Asked) -> None:
        self._asked_now, self._answer = asked, None
        self._stack.setCurrentIndex(_SINGLE)
        self.image.to_table.setVisible(self.files.in_use)
        self.strip.add(asked)
        self.strip_card.setVisible(self.strip.count() > 1)
        self._workspace.inference_requests.forget_image()
        self.image.show_image(asked, self._workspace.intensity.range)
        self.answer.wait()
        self.others.clear()
        self.similar.clear()

    @Slot()
    def _read_anew(self) -> None:
        """Pictures of more than 8 bits look otherwise from now on."""
        self.strip.intensity = self.similar.images.intensity = self._workspace.intensity.range

    @Slot(Asked, m.Prediction)
    def _answered(self, asked: Asked, event: m.Prediction) -> None:
        threshold = self._workspace.recipe.threshold
        self.strip.say(asked.request, short_answer(event, threshold))
        if self._asked_now is None or asked.request != self._asked_now.request:
            return
        self._answer = event
        self.answer.show_answer(event, threshold, self._workspace.present.words)
        self.answer.correct_label.setEnabled(self._workspace.contents is not None)
        self.image.explain_if_wanted()
        self._show_beside()

    @Slot(Asked, str)
    def _not_answered(self, asked: Asked, sentence: str) -> None:
        self.strip.say(asked.request, "no answer")
        if self._asked_now is not None and asked.request == self._asked_now.request:
            self.answer.show_no_answer(sentence)

    @Slot(Asked)
    def _ask_again(self, asked: Asked) -> None:
        self._workspace.prediction.ask(Path(asked.path) if asked.path else None, asked.content)

    @Slot()
    def _project_changed(self) -> None:
        self.strip.forget()
        self.strip_card.hide()
        self.similar.images.forget()
        self._catalog_changed()
        self._asked_now = self._answer = None
        if self._stack.currentIndex() == _SINGLE:
            self._stack.setCurrentIndex(_EMPTY)

    @Slot()
    def _catalog_changed(self) -> None:
        contents = self._workspace.contents
        self.answer.class_names = list(contents.counts) if contents else []

    @Slot(m.ModelLoaded)
    def _model_changed(self, _event: m.ModelLoaded) -> None:
        self.image.forget_layer()

    # --- why --------------------------------------------------------------------------------------------------------

    def show_why(self) -> None:
        """Explain the image that is asked about next, and those after it."""
        self.image.why.setChecked(True)

    @Slot(str)
    def pick_layer(self, name: str) -> None:
        """As which layer sees it, of the layer tree."""
        self.image.choose_layer(name)
        if self.isVisible():
            self.image.explain_if_wanted()

    @Slot(str, str)
    def _explain(self, class_name: str, layer: str) -> None:
        asked = self._asked_now
        if asked is not None and self._answer is not None:
            self._workspace.inference_requests.explain(asked.path, asked.content, class_name, layer)

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
            project = self._workspace.project
            if project is not None:
                self._workspace.disk_tasks.do(partial(finished_runs, project), self._show_runs)
            self.others.ask()
        elif self.pages.currentIndex() == SIMILAR and self._workspace.project is not None:
            self.similar.clear("Comparing with the training images…")
            catalog = self._workspace.project.catalog_path
            self._workspace.inference_requests.find_similar(catalog, asked.path, asked.content, NEIGHBORS)

    def _show_runs(self, finished: list[Path]) -> None:
        """Those with a model, newest first, without the present one."""
        self.others.show_runs(
            [
                (f"Run {run_number(run)}: {run.name.partition('-')[2]}", run / BEST_FOLDER)
                for run in finished
                if run != self._workspace.model.run
            ]
        )

    @Slot(list)
    def _compare(self, models: list[str]) -> None:
        asked = self._asked_now
        if asked is not None:
            self._workspace.inference_requests.compare(asked.path, asked.content, models)

    @Slot(m.SimilarImages)
    def _neighbors_found(self, event: m.SimilarImages) -> None:
        contents = self._workspace.contents
        if contents is None or self.pages.currentIndex() != SIMILAR:
            return
        self.similar.show_found(contents.root, event)

    # --- it should be … ---------------------------------------------------------------------------------------------

    @Slot(str)
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
            f"In the project it is now “{class_name}” (Ctrl+Z undoes this). The model will learn it in the next run."
        )
