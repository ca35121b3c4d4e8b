"""Colours, light and dark: a QPalette for everything, a stylesheet only for cards, tabs, headers and buttons."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QObject, QSettings, Qt, Signal, Slot
from PySide6.QtGui import QColor, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication, QStyleFactory

_FIELDS = ("QLineEdit", "QAbstractSpinBox", "QComboBox", "QCheckBox", "QRadioButton", "QSlider")


@dataclass(frozen=True)
class Colors:
    """One scheme. Every colour of the program is one of these."""

    window: str
    card: str
    border: str
    text: str
    muted: str
    hover: str
    accent: str
    on_accent: str
    selection: str
    """Behind what is selected: a tint on which words, icons and bars keep their own colours."""
    second: str
    """For the other of two lines (validation)."""
    good: str
    warning: str
    error: str
    track: str
    """The empty part of a bar."""
    outline: str
    """Fusion draws the edge of fields and ticks in this colour, darkened by 1.4."""


LIGHT = Colors(
    window="#f5f6f7",
    card="#ffffff",
    border="#dfe2e6",
    text="#1d2125",
    muted="#5f6770",
    hover="#e9edf1",
    accent="#1f6feb",
    on_accent="#ffffff",
    selection="#dbe9fe",
    second="#c77700",
    good="#1a7f37",
    warning="#b26a00",
    error="#cf2e35",
    track="#e3e6ea",
    outline="#f5f6f7",
)
DARK = Colors(
    window="#17191c",
    card="#1e2124",
    border="#2c3035",
    text="#e6e8ea",
    muted="#9aa1a9",
    hover="#2a2f35",
    accent="#5b9dff",
    on_accent="#0d1b30",
    selection="#1f3557",
    second="#f2a33c",
    good="#4cc76a",
    warning="#f2a33c",
    error="#ff6b70",
    track="#2c3035",
    outline="#757d87",
)


class Theme(QObject):
    """Owns the present colours and follows the system, or what the person chose."""

    changed = Signal()

    def __init__(self, application: QApplication) -> None:
        super().__init__(application)
        self._application = application
        self.colors = LIGHT
        application.setStyle(QStyleFactory.create("Fusion"))
        hints = QGuiApplication.styleHints()
        choice = str(QSettings().value("colors", "system", type=str))
        self._apply_choice(choice)
        hints.colorSchemeChanged.connect(self._system_changed)
        self._apply()

    @property
    def choice(self) -> str:
        """``"system"``, ``"light"`` or ``"dark"``."""
        return str(QSettings().value("colors", "system", type=str))

    @Slot(str)
    def choose(self, choice: str) -> None:
        """Keep to a scheme, now and at the next start."""
        QSettings().setValue("colors", choice)
        self._apply_choice(choice)
        self._apply()

    def _apply_choice(self, choice: str) -> None:
        scheme = {"light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark}.get(choice, Qt.ColorScheme.Unknown)
        QGuiApplication.styleHints().setColorScheme(scheme)

    @Slot()
    def _system_changed(self) -> None:
        self._apply()

    def _apply(self) -> None:
        dark = QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark
        if self.choice != "system":  # platforms without a scheme of their own (plain X11) ignore the request
            dark = self.choice == "dark"
        self.colors = DARK if dark else LIGHT
        everything = palette(self.colors)
        self._application.setPalette(everything)
        # Fusion takes edges from the window's colour; on a dark window they would be black on black.
        fields = QPalette(everything)
        fields.setColor(QPalette.ColorRole.Window, QColor(self.colors.outline))
        for kind in _FIELDS:
            self._application.setPalette(fields, kind)  # type: ignore[arg-type] # the stub says bytes, Qt takes str
        self._application.setStyleSheet(stylesheet(self.colors))
        self.changed.emit()


def palette(colors: Colors) -> QPalette:
    """Everything Fusion draws."""
    result = QPalette()
    role = QPalette.ColorRole
    pairs = {
        role.Window: colors.window,
        role.WindowText: colors.text,
        role.Base: colors.card,
        role.AlternateBase: colors.window,
        role.Text: colors.text,
        role.Button: colors.card,
        role.ButtonText: colors.text,
        role.BrightText: colors.error,
        role.ToolTipBase: colors.card,
        role.ToolTipText: colors.text,
        role.PlaceholderText: colors.muted,
        role.Highlight: colors.selection,
        role.HighlightedText: colors.text,
        role.Link: colors.accent,
        role.Accent: colors.accent,
        role.Light: colors.hover,
        role.Midlight: colors.border,
        role.Mid: colors.border,
        role.Dark: colors.muted,
        role.Shadow: colors.border,
    }
    for key, value in pairs.items():
        result.setColor(key, QColor(value))
    for key in (role.WindowText, role.Text, role.ButtonText):
        result.setColor(QPalette.ColorGroup.Disabled, key, _faded(colors))
    return result


def _faded(colors: Colors) -> QColor:
    """Of words that can't be clicked now."""
    faded = QColor(colors.muted)
    faded.setAlpha(130)
    return faded


def stylesheet(colors: Colors) -> str:
    """Cards, tabs and buttons by object name, and headers (Fusion's gradient does not go with cards); Fusion draws the rest."""
    c = colors
    faded = _faded(colors).name(QColor.NameFormat.HexArgb)
    return f"""
    QFrame#card {{ background: {c.card}; border: 1px solid {c.border}; border-radius: 8px; }}
    QFrame#notice {{ background: {c.card}; border: 1px solid {c.accent}; border-radius: 8px; }}
    QFrame#phase {{ background: {c.card}; border: 1px solid {c.border}; border-radius: 6px; }}
    QFrame#phase:hover {{ background: {c.hover}; }}
    QFrame#phase[chosen="true"] {{ background: {c.card}; border: 1px solid {c.accent}; }}
    QFrame#phase:focus {{ border: 1px solid {c.text}; }}
    QToolButton#tab {{ border: none; border-radius: 6px; padding: 6px 10px; color: {c.muted}; background: transparent; }}
    QToolButton#tab:hover {{ background: {c.hover}; }}
    QToolButton#tab:checked {{ background: {c.hover}; color: {c.text}; font-weight: 600; }}
    QToolButton#tab:focus {{ border: 1px solid {c.accent}; padding: 5px 9px; }}
    QToolButton#chip {{ border: 1px solid {c.border}; border-radius: 11px; padding: 2px 10px; color: {c.muted}; }}
    QToolButton#chip:hover {{ background: {c.hover}; }}
    QToolButton#chip:disabled {{ color: {faded}; }}
    QToolButton#chip:checked {{ background: {c.hover}; color: {c.text}; border-color: {c.accent}; }}
    QToolButton#chip:focus {{ border-color: {c.text}; }}
    QPushButton#primary, QPushButton#secondary {{ border-radius: 6px; padding: 6px 16px; font-weight: 500; }}
    QPushButton#primary {{ background: {c.accent}; color: {c.on_accent}; border: 1px solid {c.accent}; }}
    QPushButton#primary:hover {{ border-color: {c.text}; }}
    QPushButton#primary:disabled {{ background: {c.track}; color: {c.muted}; border-color: {c.track}; }}
    QPushButton#secondary {{ background: {c.card}; color: {c.text}; border: 1px solid {c.border}; }}
    QPushButton#secondary:hover {{ background: {c.hover}; }}
    QPushButton#secondary:disabled {{ color: {c.muted}; }}
    QPushButton#primary:focus, QPushButton#secondary:focus {{ border: 1px solid {c.text}; }}
    QHeaderView, QTableCornerButton::section {{ background: {c.card}; border: none; }}
    QHeaderView::section {{ background: {c.card}; color: {c.muted}; border: none; padding: 4px 6px; }}
    QHeaderView::section:horizontal {{ border-bottom: 1px solid {c.border}; }}
    QHeaderView::section:vertical {{ border-right: 1px solid {c.border}; }}
    QLabel#muted {{ color: {c.muted}; }}
    QLabel#title {{ font-weight: 600; }}
    QLabel#error {{ color: {c.error}; }}
    QToolTip {{ background: {c.card}; color: {c.text}; border: 1px solid {c.border}; padding: 4px; }}
    """
