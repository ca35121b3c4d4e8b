"""Takes a run's model away: what as, where to, and the proof that each file answers as the program does."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, QUrl, Slot
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QHBoxLayout,
    QVBoxLayout,
    QWidget,
)

from ftgui.base.formatting import plural
from ftgui.base.typed_numbers import divided, times
from ftgui.protocol import messages as m
from ftgui.runs.model_in_use import TrainedRun
from ftgui.runs.record import folder_title
from ftgui.ui.project.workspace import Workspace
from ftgui.ui.toolkit.basics import Bar, button, label
from ftgui.ui.toolkit.file_choice import MODELS, choose_folder
from ftgui.ui.toolkit.number_box import NumberBox
from ftgui.ui.toolkit.theme import Theme

_KINDS = {
    "folder": ("Model folder", "Weights, classes and a model card; loads with timm or PyTorch, in other programs too."),
    "onnx": ("ONNX", "One file for phones, browsers, C++ and C#; takes pixels, gives probabilities. Needs no PyTorch."),
    "torch": ("PyTorch program", "One file for torch.export.load: the whole model without its Python code."),
    "script": (
        "Script that repeats the training",
        "Plain PyTorch, to read, to show and to change; runs without ftgui.",
    ),
}


class ExportModelDialog(QDialog):
    """Not modal.

    Args:
        workspace: whose engine does it.
        run_folder: of the run, or a finished model's folder.
        runs: to choose from; that one is among them.
        theme: for colours.
        parent: owner.
    """

    def __init__(
        self, workspace: Workspace, run_folder: Path, runs: Sequence[TrainedRun], theme: Theme, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Export model")
        self.setMinimumWidth(560)
        self._workspace = workspace
        self._run_folder = run_folder
        self._folder = ""
        self._problems = 0
        self._began = False
        """This dialog has asked for an export."""
        self._layout = QVBoxLayout(self)
        self._layout.addWidget(label("Model to export", "title"))
        self.run = self._run_box(runs)
        self._layout.addWidget(self.run)
        self._layout.addWidget(
            label(
                "Every model file is run on validation images before it is called done, and its answers are compared with "
                "ftgui's own. A model card and a short script that classifies images come with it.",
                "muted",
                wrap=True,
            )
        )
        self.choices = {kind: self._choice(kind) for kind in m.EXPORT_KINDS}
        self._layout.addLayout(self._threshold_row())
        self.bar = Bar(theme)
        self.bar.hide()
        self.said = label("", "muted", wrap=True)
        self.results = QVBoxLayout()
        self._layout.addWidget(self.bar)
        self._layout.addWidget(self.said)
        self._layout.addLayout(self.results)
        self._layout.addStretch(1)
        self._layout.addLayout(self._buttons())
        taking = workspace.export_requests
        taking.progress.connect(self._progress)
        taking.exported.connect(self._exported)
        taking.finished.connect(self._finished)
        taking.failed.connect(self._failed)
        taking.changed.connect(self._refresh)
        workspace.engine_changed.connect(self._refresh)
        self._refresh()

    # --- parts ------------------------------------------------------------------------------------------------------

    def _run_box(self, runs: Sequence[TrainedRun]) -> QComboBox:
        """Those that can be chosen."""
        present = self._workspace.present
        box = QComboBox()
        box.setAccessibleName("Run whose model is exported")
        for run in runs:
            box.addItem(_title(run, in_use=run.folder == present.folder), run.folder)
        box.setCurrentIndex([run.folder for run in runs].index(self._run_folder))
        box.setToolTip(present.why)
        box.activated.connect(self._run_chosen)
        return box

    @Slot(int)
    def _run_chosen(self, place: int) -> None:
        self._run_folder = self.run.itemData(place)

    def _choice(self, kind: str) -> QCheckBox:
        name, lesson = _KINDS[kind]
        box = QCheckBox(name)
        box.setToolTip(lesson)
        box.setChecked(True)
        box.toggled.connect(self._refresh)
        self._layout.addWidget(box)
        words = label(lesson, "muted", wrap=True)
        words.setContentsMargins(24, 0, 0, 4)
        self._layout.addWidget(words)
        return box

    def _threshold_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        self.threshold = NumberBox(0, 100, unit=" %", lowest="never")
        self.threshold.setAccessibleName("Say “don't know” below")
        self.threshold.setToolTip(
            "Answers with a lower probability than this become “don't know”; the number is stored in the files"
        )
        self.threshold.show_number(times(self._workspace.recipe.threshold, 100))
        self.threshold.checked.connect(self._refresh)
        self.refusal = label("", "error", wrap=True)
        caption = label("Say “don't know” below a probability of")
        caption.setBuddy(self.threshold)
        row.addWidget(caption)
        row.addWidget(self.threshold)
        row.addWidget(self.refusal, 1)
        return row

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        self.show_folder = button("Open folder", "Shows the new folder in the file manager")
        self.show_folder.hide()
        self.go = button("Choose where…", "Asks for a folder; a new one is made in it", primary=True)
        self.end = button("Close", "Stops writing if it is still in progress; nothing is left behind")
        self.show_folder.clicked.connect(self._open_folder)
        self.go.clicked.connect(self._choose)
        self.end.clicked.connect(self._cancel_or_close)
        row.addWidget(self.show_folder)
        row.addStretch(1)
        row.addWidget(self.go)
        row.addWidget(self.end)
        return row

    # --- doing it ---------------------------------------------------------------------------------------------------

    @property
    def kinds(self) -> list[str]:
        """What is ticked."""
        return [kind for kind, box in self.choices.items() if box.isChecked()]

    @Slot()
    def _choose(self) -> None:
        path = choose_folder(self, "Choose a folder; a new one is made in it", MODELS)
        if path is not None:
            self.write(path)

    def write(self, destination: Path) -> None:
        """In the engine."""
        self.threshold.interpretText()  # a key may have pressed the button while the number was being typed
        while (item := self.results.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.deleteLater()
        self.show_folder.hide()
        self._problems = 0
        self.said.setText("Writing…")
        self.bar.set_value(0)
        self.bar.show()
        project = self._workspace.project
        inside = project is not None and project.folder in self._run_folder.parents
        catalog = project.catalog_path if project is not None and inside else None
        threshold = divided(self.threshold.number(), 100)
        self._began = True
        self._workspace.export_requests.export(self._run_folder, self.kinds, destination, catalog, threshold)

    @Slot()
    def _refresh(self) -> None:
        working = self._workspace.export_requests.working
        engine = self._workspace.engine
        why = ""
        if not self.kinds:
            why = "Tick what to write."
        elif engine.busy:
            why = "Training is in progress; the model can be exported when it is over."
        elif not engine.alive:
            why = "The engine is not running."
        elif working:
            why = "A model is being written."
        elif self.threshold.refusal:
            why = self.threshold.refusal
        self.refusal.setText(self.threshold.refusal)
        self.go.setEnabled(not why)
        self.go.setToolTip(why or "Asks for a folder; a new one is made in it")
        self.end.setText("Cancel" if working else "Close")
        for box in (self.run, *self.choices.values(), self.threshold):
            box.setEnabled(not working)

    @Slot(m.Progress)
    def _progress(self, event: m.Progress) -> None:
        self.said.setText(f"{event.what[0].upper()}{event.what[1:]}…")
        self.bar.set_value(event.done / event.total if event.total else 0)

    @Slot(m.Exported)
    def _exported(self, event: m.Exported) -> None:
        name = _KINDS[event.kind][0]
        if event.problem:
            self._problems += 1
            self.results.addWidget(label(f"✗ {name}: {event.problem}", "error", wrap=True))
            return
        proof = f": {', '.join(event.files)}"
        if event.differences:
            largest = max(event.differences.values())
            proof = (
                f": run on {plural(event.images, 'image')} ({event.on}), alone and in batches; largest difference in "
                f"probability from ftgui's answers {largest:.1e}"
            )
        self.results.addWidget(label(f"✓ {name}{proof}.", "", wrap=True))

    @Slot(m.ExportFinished)
    def _finished(self, event: m.ExportFinished) -> None:
        self._folder = event.folder
        self.show_folder.setVisible(bool(event.folder))
        if event.stopped:
            self._over("Stopped; nothing was left behind.")
        elif not event.folder:
            self._over("Nothing was written.")
        else:
            but = " It does not contain what failed." if self._problems else ""
            self._over(f"The model is in {event.folder}.{but}")

    @Slot(str)
    def _failed(self, sentence: str) -> None:
        self._over(sentence)

    def _over(self, sentence: str) -> None:
        self.bar.hide()
        self.said.setText(sentence)

    @Slot()
    def _open_folder(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(self._folder))

    @Slot()
    def _cancel_or_close(self) -> None:
        if self._workspace.export_requests.working:
            self._workspace.export_requests.stop()
        else:
            self.close()

    def done(self, result: int) -> None:
        """However it is closed: writing stops."""
        if self._began:
            self._workspace.export_requests.stop()
        super().done(result)


def _title(run: TrainedRun, in_use: bool) -> str:
    """E.g. ``"Run 3 · head · 96.1 % · 2026-11-25 14:03 · in use"``."""
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.started)) if run.started else ""
    name = f"Run {run.number}" if run.number else "Model"
    parts = (name, folder_title(run.folder), run.figure, when, "in use" if in_use else "")
    return " · ".join(part for part in parts if part)
