"""The box that every number is typed into: understands any country's writing, refuses what could be two numbers."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QValidator
from PySide6.QtWidgets import QDoubleSpinBox

from ftgui.base.typed_numbers import NotUnderstood, plus, read_number, read_whole, times, without_percent, write_number

_ALL_DECIMALS = 323
"""As many as Qt allows: with fewer it would round what it is given."""


class NumberBox(QDoubleSpinBox):
    """Shows a number with a point and all its decimals, whatever the system's language. Qt's own box drops what the language
    does not foresee, so that 7.5 became 75; here every text can be typed, and is understood or refused as a whole.

    Args:
        low, high: what can be typed; `show_number` may show others, of a recipe written by hand.
        step: of the arrows.
        whole: only whole numbers make sense.
        least_decimals: shown, also if they are zeros.
        prefix, unit: before and behind the number.
        lowest: shown in place of `low`, e.g. ``"never"``.
    """

    refused = Signal(str)
    """What was typed is not taken, why; the box shows again what it showed before."""
    checked = Signal()
    """`refusal` may be another: something was typed, taken or refused."""

    def __init__(
        self,
        low: float,
        high: float,
        *,
        step: float = 1,
        whole: bool = False,
        least_decimals: int = 0,
        prefix: str = "",
        unit: str = "",
        lowest: str = "",
    ) -> None:
        super().__init__()
        self._low, self._high, self._whole = low, high, whole
        self._least_decimals = least_decimals
        self._lowest = lowest
        self._given: int | float = low
        self._refusal = ""
        self.setDecimals(_ALL_DECIMALS)
        self.setRange(low, high)
        self.setSingleStep(step)
        self.setPrefix(prefix)
        self.setSuffix(unit)
        self.setSpecialValueText(lowest)
        self.setKeyboardTracking(False)  # "12" is not first 1 and then 12
        self.lineEdit().textEdited.connect(self._forget_refusal)
        self.valueChanged.connect(self._forget_refusal)

    def show_number(self, number: int | float) -> None:
        """Set from outside; nothing is emitted."""
        self.blockSignals(True)
        self._given = number
        self.setRange(min(self._low, number), max(self._high, number))
        self.setSpecialValueText(self._lowest if number >= self._low else "")
        self.setValue(number)
        self.blockSignals(False)
        self._refusal = ""

    def number(self) -> int | float:
        """The one that counts; text that is still being typed does not. Whole numbers are exact, however large."""
        value = self.value()
        if value == float(self._given):  # Qt holds 53 bits, a seed may have 63
            return self._given
        return int(value) if self._whole else value

    @property
    def said(self) -> str:
        """The number that counts, as it is shown: ``"7.5 %"``, ``"never"``."""
        if self.specialValueText() and self.value() == self.minimum():
            return self.specialValueText()
        return f"{self.prefix()}{self.textFromValue(self.value())}{self.suffix()}"

    @property
    def refusal(self) -> str:
        """Why what stands here, or was typed here last, is not taken; empty: it is."""
        return self._why_not(self.lineEdit().text()) or self._refusal

    # --- what Qt asks -----------------------------------------------------------------------------------------------

    def textFromValue(self, value: float) -> str:
        if not self._whole:
            return write_number(value, self._least_decimals)
        return str(self._given if value == float(self._given) else int(value))

    def valueFromText(self, text: str) -> float:
        return float(self._read(text))

    def validate(self, text: str, place: int) -> tuple[QValidator.State, str, int]:
        """Never ``Invalid``: a number goes through many texts while it is typed."""
        state = QValidator.State.Intermediate if self._why_not(text) else QValidator.State.Acceptable
        return state, text, place

    def fixup(self, text: str) -> str:
        """Asked when typing is over with a text that is not taken. Qt then shows the number from before."""
        if why := self._why_not(text):
            self._refusal = why
            self.refused.emit(why)
            self.checked.emit()
        return text

    def stepBy(self, steps: int) -> None:
        self.interpretText()
        value = plus(self.value(), times(self.singleStep(), steps))
        self.setValue(min(max(value, self.minimum()), self.maximum()))
        self.selectAll()

    # --- reading ----------------------------------------------------------------------------------------------------

    def _read(self, text: str) -> int | float:
        """A text with or without what stands around the number.

        Raises:
            NotUnderstood: see `ftgui.base.typed_numbers`.
        """
        for _ in range(2):  # what stays in the box, and what was typed or pasted with the number
            text = text.strip().removeprefix(self.prefix().strip()).removesuffix(self.suffix().strip()).strip()
        if self._lowest and text == self._lowest:
            return self._low
        if "%" in self.suffix():
            text = without_percent(text)
        return read_whole(text) if self._whole else read_number(text)

    def _why_not(self, text: str) -> str:
        try:
            number = self._read(text)
        except NotUnderstood as why:
            return str(why)
        if self._low <= number <= self._high or number == self.number():
            return ""
        low, high = (f"{end:,}" if self._whole else write_number(end) for end in (self._low, self._high))
        said = f"{number:,}" if self._whole else write_number(number)
        return f"The value must be {low} to {high}{self.suffix()}, not {said}."

    @Slot()
    def _forget_refusal(self) -> None:
        self._refusal = ""
        self.checked.emit()
