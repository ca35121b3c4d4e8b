"""The pairs of classes that the model confuses most, as chips that lead to their images."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QWidget

from ftgui.base.formatting import plural
from ftgui.data.metrics import confused_pairs
from ftgui.ui.project.evaluation import EvaluationResult
from ftgui.ui.toolkit.basics import elided_pair, label
from ftgui.ui.toolkit.plain_text import as_plain

_PAIRS = 3
"""Most that are offered, where there is room."""
_PAIR_WIDTH = 240
"""Pixels."""


class ConfusedPairs(QWidget):
    """One row, with as many chips as fit."""

    pair_chosen = Signal(str, str)
    """The class, and what the model called it."""

    def __init__(self) -> None:
        super().__init__()
        self._result: EvaluationResult | None = None
        self._offered = 0
        self.chips: list[QToolButton] = []
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(6)

    def show_result(self, result: EvaluationResult | None) -> None:
        """Those of this result; without one, nothing."""
        self._result = result
        self.setVisible(result is not None)
        self._fill()

    def _fill(self) -> None:
        while (item := self._row.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()  # until it is deleted it would be painted where it was
                widget.deleteLater()
        self.chips.clear()
        self._offered = self._that_fit()
        result = self._result
        if result is None:
            return
        pairs = confused_pairs(result.confusion, self._offered)
        self._row.addWidget(label("Most confused:" if pairs else "Every image is recognised.", "muted"))
        for count, row, column in pairs:
            self.chips.append(self._make_chip(result.class_names[row], result.class_names[column], count))
            self._row.addWidget(self.chips[-1])
        self._row.addStretch(1)

    def _make_chip(self, class_name: str, answer: str, count: int) -> QToolButton:
        pair = elided_pair(self.fontMetrics(), class_name, " → ", answer, _PAIR_WIDTH - 60)
        chip = QToolButton()
        chip.setObjectName("chip")
        chip.setText(f"{pair}  {count}×".replace("&", "&&"))
        chip.setToolTip(
            as_plain(f"{plural(count, 'image')} of “{class_name}” taken for “{answer}”; a click shows them")
        )
        chip.setAccessibleName(f"{class_name} taken for {answer}, {plural(count, 'time')}")
        chip.clicked.connect(lambda _checked=False: self.pair_chosen.emit(class_name, answer))
        return chip

    def _that_fit(self) -> int:
        return min(max((self.width() - _PAIR_WIDTH // 2) // _PAIR_WIDTH, 1), _PAIRS)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._that_fit() != self._offered:
            self._fill()
