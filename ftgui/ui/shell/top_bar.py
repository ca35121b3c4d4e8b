"""The bar at the top: project, pages, model, device, Stop and Train."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QButtonGroup, QComboBox, QHBoxLayout, QSizePolicy, QToolButton, QWidget

from ftgui.protocol.messages import Device
from ftgui.ui.engine_client.worker import EngineKind
from ftgui.ui.project.workspace import Workspace
from ftgui.ui.toolkit import icons
from ftgui.ui.toolkit.basics import button, label
from ftgui.ui.toolkit.plain_text import as_plain
from ftgui.ui.toolkit.theme import Theme

_PAGES = (
    ("Data", "images", "What the model learns from (Ctrl+1)"),
    ("Train", "activity", "How it learns (Ctrl+2)"),
    ("Evaluate", "grid-3x3", "How good it is (Ctrl+3)"),
    ("Predict", "scan-eye", "Ask it about an image (Ctrl+4)"),
    ("Runs", "history", "All training runs on these images: compare, use, continue (Ctrl+5)"),
)


_NARROW, _NARROWEST = 1240, 1020
"""Pixels of window width."""


class TopBar(QWidget):
    """Emits what the person wants; shows what the workspace is."""

    page_wanted = Signal(int)
    open_wanted = Signal()
    train_wanted = Signal()
    stop_wanted = Signal()
    model_wanted = Signal()
    device_chosen = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._title = "…"
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 8, 12, 8)
        layout.setSpacing(8)
        self.menu = QToolButton()
        self.menu.setAutoRaise(True)
        self.menu.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu.setAccessibleName("Menu")
        self.menu.setToolTip("Open, paste, undo, colours")
        self.menu.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        self.open = QToolButton()
        self.open.setAutoRaise(True)
        self.open.setAccessibleName("Open folder")
        self.open.setToolTip("Open a folder of images (Ctrl+O); or drop one anywhere on the window")
        self.open.clicked.connect(self.open_wanted)
        self.project = label("ftgui", "title")
        self.project.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)
        self.summary = label("", "muted")
        for widget in (self.menu, self.open, self.project, self.summary):
            layout.addWidget(widget)
        layout.addStretch(1)
        self.tabs = self._make_tabs(layout)
        layout.addStretch(1)
        self.model = button("…", "Choose another model, or weights from a file")
        self.model.setAccessibleName("Model")
        self.model.clicked.connect(self.model_wanted)
        self.device = QComboBox()
        self.device.setAccessibleName("Device")
        self.device.setToolTip("Where the model computes")
        self.device.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.device.activated.connect(self._device_activated)
        self.stop = button("Stop", "Finish this step, keep the best weights so far (Ctrl+.)")
        self.train = button("Train", "", primary=True)
        self.stop.clicked.connect(self.stop_wanted)
        self.train.clicked.connect(self.train_wanted)
        self.train.setMinimumWidth(104)
        for control in (self.model, self.device, self.stop, self.train):
            layout.addWidget(control)
        self.device.hide()
        theme.changed.connect(self._paint_icons)
        self._train_icon = "play"
        self._paint_icons()

    def _make_tabs(self, layout: QHBoxLayout) -> list[QToolButton]:
        group = QButtonGroup(self)
        tabs = []
        for number, (text, _icon, tooltip) in enumerate(_PAGES):
            tab = QToolButton()
            tab.setObjectName("tab")
            tab.setText(" " + text)  # Qt leaves no room between icon and text
            tab.setAccessibleName(text)
            tab.setToolTip(tooltip)
            tab.setCheckable(True)
            tab.setIconSize(QSize(16, 16))
            tab.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            tab.setCursor(Qt.CursorShape.PointingHandCursor)
            group.addButton(tab, number)
            layout.addWidget(tab)
            tabs.append(tab)
        tabs[0].setChecked(True)
        group.idClicked.connect(self.page_wanted)
        return tabs

    # --- showing ----------------------------------------------------------------------------------------------------

    def show_page(self, number: int) -> None:
        self.tabs[number].setChecked(True)

    def show_devices(self, devices: list[Device], chosen: str) -> None:
        """Only worth a control when there is a choice."""
        self.device.clear()
        for device in devices:
            self.device.addItem(device.name.split(" · ")[0], device.id)
        self.device.setVisible(len(devices) > 1)
        self.show_device(chosen)

    def show_device(self, chosen: str) -> None:
        """What the recipe names; "auto" is the first."""
        self.device.setCurrentIndex(max(self.device.findData(chosen), 0))

    def show_state(self, workspace: Workspace) -> None:
        """Texts, and what can be pressed."""
        contents = workspace.contents
        name = contents.root.name if contents is not None else "ftgui"
        self.project.setText(self.fontMetrics().elidedText(name, Qt.TextElideMode.ElideMiddle, 160))
        self.project.setToolTip(as_plain(str(contents.root)) if contents is not None else "")
        self.summary.setText(contents.summary if contents is not None else "")
        title = workspace.model.loaded.title if workspace.model.loaded else workspace.recipe.backbone.name
        self._title = title
        self._fit()
        engine = workspace.engine
        self.model.setEnabled(not engine.busy)
        self.device.setEnabled(not engine.busy)
        self.open.setEnabled(not engine.busy)
        self.stop.setEnabled(engine.kind is EngineKind.TRAINING)
        self.stop.setText(" Stopping…" if engine.kind is EngineKind.STOPPING else " Stop")
        if engine.busy:
            self._train_icon = "play" if workspace.training.paused else "pause"
            self.train.setText(" Resume" if workspace.training.paused else " Pause")
            self.train.setEnabled(engine.kind is EngineKind.TRAINING)
            self.train.setToolTip(
                "Continue training (Ctrl+T)"
                if workspace.training.paused
                else "Pause after this step; the model can still be asked (Ctrl+T)"
            )
        elif workspace.training.preparing:
            self.train.setText(" Starting…")
            self.train.setEnabled(False)
            self.train.setToolTip("Making the run's folder; on a slow drive that takes a while")
        else:
            obstacles = workspace.readiness.obstacles()
            self._train_icon = "play"
            self.train.setText(" Train")
            self.train.setEnabled(not obstacles)
            self.train.setToolTip(
                obstacles[0].message
                if obstacles
                else "Let the ticked layers learn, for as long as the recipe says (Ctrl+T)"
            )
        self._paint_icons()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """A narrow window keeps what can be pressed and gives up what can be read elsewhere."""
        narrow = self.width() < _NARROW
        self.summary.setVisible(not narrow)
        styles = Qt.ToolButtonStyle
        style = styles.ToolButtonTextOnly if self.width() < _NARROWEST else styles.ToolButtonTextBesideIcon
        for tab in self.tabs:
            tab.setToolButtonStyle(style)
        room = 130 if narrow else 230
        self.model.setText(self.fontMetrics().elidedText(self._title, Qt.TextElideMode.ElideMiddle, room))

    @Slot()
    def _paint_icons(self) -> None:
        colors = self._theme.colors
        for tab, (_text, name, _tooltip) in zip(self.tabs, _PAGES, strict=True):
            tab.setIcon(icons.icon(name, colors.muted))
        self.menu.setIcon(icons.icon("menu", colors.muted, 18))
        self.open.setIcon(icons.icon("folder-open", colors.muted, 18))
        self.stop.setIcon(icons.icon("square", colors.text if self.stop.isEnabled() else colors.muted))
        self.train.setIcon(icons.icon(self._train_icon, colors.on_accent if self.train.isEnabled() else colors.muted))

    @Slot(int)
    def _device_activated(self, row: int) -> None:
        self.device_chosen.emit(self.device.itemData(row))
