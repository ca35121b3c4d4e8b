"""The box that numbers are typed into, under other languages: what is typed counts as it was meant, or is refused and said."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QLocale, Qt
from PySide6.QtWidgets import QAbstractSpinBox, QApplication, QDialogButtonBox, QDoubleSpinBox, QSpinBox, QWidget

from ftgui.data.catalog.split import Splitting
from ftgui.data.images.intensity_survey import IntensitySurvey
from ftgui.protocol.problem import Problem
from ftgui.protocol.recipe import Recipe
from ftgui.ui.data.intensity_editor import IntensityEditor
from ftgui.ui.data.split_dialog import SplitEditor
from ftgui.ui.engine_client.worker import EngineKind
from ftgui.ui.shell.main_window import MainWindow
from ftgui.ui.toolkit.form_fields import AmountField, CountField, Field, RateField
from ftgui.ui.toolkit.number_box import NumberBox
from ftgui.ui.toolkit.theme import Theme
from tests.ui.fake_engine import FakeEngine

LOCALES = ["de_DE", "fr_FR", "en_US", "ar_EG"]


@pytest.fixture(params=LOCALES)
def locale(request: pytest.FixtureRequest) -> Iterator[QLocale]:
    before = QLocale()
    QLocale.setDefault(QLocale(request.param))
    yield QLocale()
    QLocale.setDefault(before)


@pytest.fixture
def german() -> Iterator[None]:
    before = QLocale()
    QLocale.setDefault(QLocale("de_DE"))
    yield
    QLocale.setDefault(before)


@pytest.fixture
def parent(qtbot) -> QWidget:
    widget = QWidget()
    qtbot.addWidget(widget)
    return widget


def type_keys(qtbot, box: QAbstractSpinBox | QWidget, text: str, end: Qt.Key | None = Qt.Key.Key_Return) -> None:
    line = box.lineEdit() if isinstance(box, QAbstractSpinBox) else box
    box.selectAll()
    qtbot.keyClicks(line, text)
    if end is not None:
        qtbot.keyClick(line, end)


def paste(qtbot, box: QAbstractSpinBox, text: str) -> None:
    QApplication.clipboard().setText(text)
    box.selectAll()
    qtbot.keyClick(box.lineEdit(), Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClick(box.lineEdit(), Qt.Key.Key_Return)


def gather(field: Field) -> list[object]:
    got: list[object] = []
    field.edited.connect(got.append)
    return got


def weight_decay(theme: Theme) -> AmountField:
    return AmountField("Weight decay", "", theme, 0, 1, step=0.01, decimals=4)


def smoothing(theme: Theme) -> AmountField:
    return AmountField("Label smoothing", "", theme, 0, 50, step=5, decimals=1, unit=" %", scale=100)


@pytest.mark.parametrize("typed", ["7.5", "7,5", "75e-1", "7,50", "07.5", "7.5 %", "7,5%"])
def test_point_and_comma_mean_the_same_everywhere(qtbot, theme: Theme, locale: QLocale, typed: str) -> None:
    field = smoothing(theme)
    field.show_value(0.1)
    got = gather(field)
    type_keys(qtbot, field.editor, typed)
    assert got == [0.075] and field.editor.text() == "7.5 %"
    field.show_value(0.1)
    paste(qtbot, field.editor, f" {typed}\n")
    assert got == [0.075, 0.075]


def test_small_numbers_are_neither_rounded_nor_lost(qtbot, theme: Theme, locale: QLocale) -> None:
    field = weight_decay(theme)
    got = gather(field)
    for typed, shown in (("0,00005", "0.00005"), ("1e-9", "1e-9"), ("0.123456789", "0.123456789"), ("0,05", "0.0500")):
        type_keys(qtbot, field.editor, typed)
        assert field.editor.text() == shown
    assert got == [5e-5, 1e-9, 0.123456789, 0.05]
    field.editor.stepUp()
    assert got[-1] == 0.06, "a step is no sum of rounding errors"


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("1.500", "“1.500” can mean 1.5 or 1500: write one of these."),
        ("1,500", "“1,500” can mean 1.5 or 1500: write one of these."),
        ("fast", "“fast” is not a number: write digits, e.g. 0.05 or 12."),
        ("75", "The value must be 0 to 50 %, not 75."),
        ("-1", "The value must be 0 to 50 %, not -1."),
    ],
)
def test_a_refusal_is_said_and_changes_nothing(qtbot, theme: Theme, locale: QLocale, typed: str, why: str) -> None:
    field = smoothing(theme)
    field.show_value(0.1)
    got = gather(field)
    for end in (Qt.Key.Key_Return, Qt.Key.Key_Tab):
        type_keys(qtbot, field.editor, typed, end)
        field.editor.clearFocus()
        field.editor.interpretText()  # as when the keyboard goes elsewhere; there is no window here
        assert got == [] and field.editor.text() == "10.0 %" and not field.note.isHidden()
        assert field.note.text.text() == f"{why} Until then the value stays 10.0 %."
        qtbot.keyClicks(field.editor.lineEdit(), "1")
        assert field.note.isHidden()


def test_whole_numbers(qtbot, theme: Theme, locale: QLocale) -> None:
    field = CountField("Batch size", "", theme, 1, 4096, " images")
    field.show_value(32)
    got = gather(field)
    for typed in ("4,096", "2.048", "1 024", "5e2", "16", "8 images"):
        type_keys(qtbot, field.editor, typed)
    assert got == [4096, 2048, 1024, 500, 16, 8] and all(isinstance(each, int) for each in got)
    for typed in ("7.5", "7,0", "0", "5000", ""):
        type_keys(qtbot, field.editor, typed)
        assert got[-1] == 8 and field.editor.text() == "8 images" and not field.note.isHidden()


def test_a_word_for_the_lowest(qtbot, theme: Theme) -> None:
    field = CountField("Stop early after", "", theme, 0, 999, " epochs", "never")
    field.show_value(5)
    got = gather(field)
    for typed in ("never", "3", "0"):
        type_keys(qtbot, field.editor, typed)
    assert got == [0, 3, 0] and field.editor.text() == "never"
    type_keys(qtbot, field.editor, "x")
    assert field.note.text.text().endswith("Until then the value stays never.")


def test_what_a_recipe_holds_is_shown_as_it_is(theme: Theme, locale: QLocale) -> None:
    seed = CountField("Seed", "", theme, 0, 2**31 - 1)
    got = gather(seed)
    seed.show_value(2**63 - 1)
    assert seed.editor.text() == str(2**63 - 1) and seed.take_typed() == "" and got == []
    seed.show_value(-3)
    assert seed.editor.text() == "-3"
    decay = weight_decay(theme)
    got = gather(decay)
    for value, shown in ((0.00001234, "0.00001234"), (1.234, "1.2340"), (12.5, "12.5000"), (1e-12, "1e-12")):
        decay.show_value(value)
        assert decay.editor.text() == shown and decay.take_typed() == ""
    assert got == []


def test_a_refusal_does_not_hide_what_is_wrong_for_long(qtbot, theme: Theme) -> None:
    field = smoothing(theme)
    field.show_value(0.1)
    field.show_problem(Problem("error", "x", "Something is wrong."))
    type_keys(qtbot, field.editor, "1.500")
    assert "can mean" in field.note.text.text()
    field.show_value(0.1)
    field.show_problem(Problem("error", "x", "Something is wrong."))  # as whenever anything of the recipe changes
    assert "can mean" in field.note.text.text()
    field.show_value(0.2)
    assert field.note.text.text() == "Something is wrong."


@pytest.mark.parametrize(
    ("typed", "lr"), [("1,5e-3", 1.5e-3), ("0,0003", 3e-4), ("1.234e-3", 1.234e-3), ("2E-4", 2e-4)]
)
def test_a_rate(qtbot, theme: Theme, locale: QLocale, typed: str, lr: float) -> None:
    field = RateField("Learning rate", "", theme)
    field.show_value(1e-3)
    got = gather(field)
    type_keys(qtbot, field.editor, typed)
    assert got == [lr]
    for refused in ("1.500", "50", "fast"):
        type_keys(qtbot, field.editor, refused)
        assert got == [lr] and "Until then the value stays" in field.note.text.text()
    field.show_value(1.23456e-3)
    assert field.editor.text() == "1.23456e-3"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_number_pasted_as_a_locale_writes_it(qtbot, qapp: QApplication, data: st.DataObject) -> None:
    locale = QLocale(data.draw(st.sampled_from(LOCALES)))
    decimals = data.draw(st.integers(0, 6))
    meant = float(f"{data.draw(st.floats(-1e6, 1e6)):.{decimals}f}")
    before = QLocale()
    QLocale.setDefault(locale)
    try:
        box = NumberBox(-1e7, 1e7, unit=" %")
        box.show_number(42.5)
        paste(qtbot, box, locale.toString(meant, "f", decimals))
        assert box.number() == meant or (box.number() == 42.5 and box.refusal)
    finally:
        QLocale.setDefault(before)


# --- where they stand ---------------------------------------------------------------------------------------------------


def test_every_number_is_typed_into_this_box(window: MainWindow, theme: Theme) -> None:
    """A box of Qt's own would read another number under another language."""
    boxes = [box for kind in (QSpinBox, QDoubleSpinBox) for box in window.findChildren(kind)]
    assert len(boxes) > 8 and all(isinstance(box, NumberBox) for box in boxes)
    source = Path(__file__).parents[3] / "ftgui" / "ui"
    own = [file.name for file in source.rglob("*.py") if re.search(r"\bQ(Double)?SpinBox\b", file.read_text("utf-8"))]
    assert own == ["number_box.py"]


def apply_of(dialog: IntensityEditor | SplitEditor) -> QWidget:
    return dialog.buttons.button(QDialogButtonBox.StandardButton.Apply)


def test_the_draw_number(qtbot, parent: QWidget, locale: QLocale) -> None:
    dialog = SplitEditor(Splitting(seed=3), "a/b.png", False, parent)
    dialog.show()
    got: list[Splitting] = []
    dialog.chosen.connect(got.append)
    type_keys(qtbot, dialog.seed, "7.5", None)
    assert not apply_of(dialog).isEnabled() and "not a whole number" in dialog.says.text()
    qtbot.keyClick(dialog.seed.lineEdit(), Qt.Key.Key_Return)
    assert not apply_of(dialog).isEnabled() and "not a whole number" in dialog.says.text() and got == []
    type_keys(qtbot, dialog.seed, "12,345", None)
    apply_of(dialog).click()  # while the number is still being typed
    assert [each.seed for each in got] == [12345]


def test_the_intensity_range(qtbot, parent: QWidget, locale: QLocale) -> None:
    survey = IntensitySurvey("", 3, 0, 2.5, (0.0, 1.234))
    dialog = IntensityEditor((0.0, 1.234), survey, parent)
    got: list[object] = []
    dialog.chosen.connect(got.append)
    assert apply_of(dialog).isEnabled(), "what the program fills in it also reads"
    for typed in ("4,095", "4.095", "", "-1"):
        type_keys(qtbot, dialog.high, typed, None)
        assert not apply_of(dialog).isEnabled()
    assert dialog.says.text() == "Two numbers, the lower one first."
    type_keys(qtbot, dialog.high, "4.095,5", None)
    apply_of(dialog).click()
    assert got == [(0.0, 4095.5)]


def test_train_waits_for_a_number_that_was_not_understood(
    qtbot, window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[Recipe] = []
    monkeypatch.setattr(window.workspace.training, "start", lambda: trained.append(window.workspace.recipe))
    field = window.recipe.training.fields["training.weight_decay"]
    type_keys(qtbot, field.editor, "1.500", None)
    window.train_or_pause()  # by its key: the field has not lost the keyboard
    assert trained == [] and "Weight decay: “1.500” can mean 1.5 or 1500" in window.status.text.text()
    window.train_or_pause()
    assert trained == [Recipe()]
    type_keys(qtbot, field.editor, "0,02", None)
    window.train_or_pause()
    assert trained[1].training.weight_decay == 0.02


def test_steering(qtbot, window: MainWindow, fake: FakeEngine, german: None) -> None:
    fake.state(EngineKind.TRAINING)
    bar = window.train_page.steer
    asked: list[int] = []
    bar.patience.valueChanged.connect(lambda value: asked.append(int(value)))
    type_keys(qtbot, bar.patience, "1.000")
    type_keys(qtbot, bar.patience, "2.5")
    assert asked == [1000] and "not a whole number" in bar.note.full
    type_keys(qtbot, bar.rate_field, "1.500", None)
    assert bar.note.full == "", "something else is typed now"
    qtbot.keyClick(bar.rate_field, Qt.Key.Key_Return)
    assert "can mean 1.5 or 1500" in bar.note.full


@pytest.mark.parametrize("make", [weight_decay, smoothing])
def test_another_language_changes_nothing_that_is_shown(
    theme: Theme, locale: QLocale, make: Callable[[Theme], AmountField]
) -> None:
    field = make(theme)
    field.show_value(0.125)
    assert field.editor.text() in ("0.1250", "12.5 %")
