"""Whether and from where pretrained weights and example sets may be downloaded: three small controls."""

from __future__ import annotations

import re

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QCheckBox, QFormLayout, QFrame, QLineEdit, QWidget

from ftgui.protocol import messages as m
from ftgui.ui.toolkit.basics import label

_ADDRESS = re.compile(r"https?://[^\s/]+\S*")


class DownloadOptions(QFrame):
    """Emits `changed` with every settled change; an address that is none is said and not sent."""

    changed = Signal(m.Configure)

    def __init__(self, present: m.Configure, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self._sent = present
        form = QFormLayout(self)
        form.setContentsMargins(12, 10, 12, 10)
        form.setSpacing(8)
        self.offline = QCheckBox("Never use the network")
        self.offline.setAccessibleName("Never use the network")
        self.offline.setToolTip(
            "Use only what is on this computer. A model whose weights are missing, or a missing example set, is refused "
            "with advice on what to do."
        )
        self.offline.setChecked(present.offline)
        form.addRow("Downloads", self.offline)
        self.hub_mirror = self._address(
            "Mirror of Hugging Face",
            present.hub_mirror,
            "https://huggingface.co",
            "Where timm's weights come from instead. Empty: Hugging Face itself, or what HF_ENDPOINT says. Each download is "
            "checked against the checksum the mirror states, so use one you trust.",
        )
        form.addRow("Hugging Face mirror", self.hub_mirror)
        self.torchvision_mirror = self._address(
            "Mirror of torchvision's files",
            present.torchvision_mirror,
            "https://download.pytorch.org",
            "Where torchvision's weights come from instead; it must have them under /models/. Each download is checked "
            "against the checksum in the file's name.",
        )
        form.addRow("torchvision mirror", self.torchvision_mirror)
        self.problem = label("", "error", wrap=True)
        self.problem.hide()
        form.addRow("", self.problem)
        self.offline.toggled.connect(self._changed)
        self.hub_mirror.editingFinished.connect(self._changed)
        self.torchvision_mirror.editingFinished.connect(self._changed)

    def _address(self, name: str, present: str, usual: str, tooltip: str) -> QLineEdit:
        field = QLineEdit(present)
        field.setAccessibleName(name)
        field.setPlaceholderText(usual)
        field.setToolTip(tooltip)
        return field

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter settles an address; passed on, it would press the dialog's default button and choose a model."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            event.accept()
        else:
            super().keyPressEvent(event)

    @Slot()
    def _changed(self) -> None:
        addresses = [self.hub_mirror.text().strip(), self.torchvision_mirror.text().strip()]
        wrong = [text for text in addresses if text and not _ADDRESS.fullmatch(text)]
        self.problem.setVisible(bool(wrong))
        if wrong:
            self.problem.setText(f"“{wrong[0]}” is not a web address; it should look like https://mirror.example.")
            return
        chosen = m.Configure(self.offline.isChecked(), *addresses)
        if chosen != self._sent:
            self._sent = chosen
            self.changed.emit(chosen)
