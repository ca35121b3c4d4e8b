"""Choosing the backbone: a name with completion, and where its weights come from."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QComboBox, QCompleter, QDialog, QFileDialog, QFormLayout, QHBoxLayout, QLineEdit, QWidget

from ftgui.protocol.recipe import FROM_SCRATCH, PRETRAINED, Backbone
from ftgui.ui.widgets.basics import button, label

WEIGHTS_FILTER = "Weights (*.safetensors *.pth *.pt *.bin)"


class ModelPicker(QDialog):
    """Emits `chosen`; whether the choice works, the engine says."""

    chosen = Signal(Backbone)

    def __init__(self, names: list[str], present: Backbone, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Choose a model")
        self.setMinimumWidth(460)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._file = present.weights if present.weights not in (PRETRAINED, FROM_SCRATCH) else ""
        form = QFormLayout(self)
        form.setSpacing(10)
        self.name = QLineEdit(present.name)
        self.name.setAccessibleName("Model name")
        completer = QCompleter(names, self.name)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setMaxVisibleItems(12)
        self.name.setCompleter(completer)
        form.addRow("Model", self.name)
        hint = label(
            f"{len(names):,} classifiers of timm and torchvision; type any part of a name.", "muted", wrap=True
        )
        form.addRow("", hint)
        self.weights = QComboBox()
        self.weights.setAccessibleName("Weights")
        self.weights.addItem("Pretrained (downloaded once if needed)", PRETRAINED)
        self.weights.addItem("None: from scratch", FROM_SCRATCH)
        self.weights.addItem("A file…", "file")
        self.weights.activated.connect(self._weights_chosen)
        form.addRow("Weights", self.weights)
        self.file_label = label("", "muted", wrap=True)
        form.addRow("", self.file_label)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        cancel, use = button("Cancel", "Keep the present model"), button("Use this model", "Load it", primary=True)
        cancel.clicked.connect(self.reject)
        use.clicked.connect(self._use)
        use.setDefault(True)
        buttons.addWidget(cancel)
        buttons.addWidget(use)
        form.addRow(buttons)
        if self._file:
            self.use_file(self._file)
        else:
            self.weights.setCurrentIndex(self.weights.findData(present.weights))

    def use_file(self, path: str) -> None:
        """Take weights from a file."""
        self._file = path
        self.weights.setCurrentIndex(self.weights.findData("file"))
        self.file_label.setText(f"{Path(path).name} — it must have been made with the model named above.")

    @Slot(int)
    def _weights_chosen(self, _row: int) -> None:
        self.file_label.clear()
        if self.weights.currentData() != "file":
            return
        path, _ = QFileDialog.getOpenFileName(self, "Weights file", "", WEIGHTS_FILTER)
        if path:
            self.use_file(path)
        else:
            self.weights.setCurrentIndex(0)

    @Slot()
    def _use(self) -> None:
        kind = self.weights.currentData()
        name = self.name.text().strip()
        if name:
            self.chosen.emit(Backbone(name=name, weights=self._file if kind == "file" else kind))
            self.accept()
