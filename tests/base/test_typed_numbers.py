"""Numbers as people type them: the same number in every country's writing, or a refusal; never another one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QLocale

from ftgui.base.typed_numbers import (
    NotUnderstood,
    divided,
    plus,
    read_number,
    read_whole,
    times,
    write_number,
    write_power,
)

LOCALES = QLocale.matchingLocales(QLocale.Language.AnyLanguage, QLocale.Script.AnyScript, QLocale.Country.AnyCountry)
ODD = ("gez_ER", "gez_ET", "tok_001")
"""One parts thousands with a letter, one parts every two digits: refused."""
WITHOUT_GROUPS = QLocale.NumberOption.OmitGroupSeparator


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0.05", 0.05),
        ("0,05", 0.05),
        (" 7,5\n", 7.5),
        (".5", 0.5),
        ("5,", 5),
        ("-0", 0),
        ("0.500", 0.5),
        ("1.5000", 1.5),
        ("1234.567", 1234.567),
        ("1.234,5", 1234.5),
        ("1,234.5", 1234.5),
        ("1.234.567", 1234567),
        ("12,34,567.8", 1234567.8),
        ("1 500", 1500),
        ("1\u202f500,5", 1500.5),
        ("1’234.5", 1234.5),
        ("1e-3", 1e-3),
        ("1,5E−3", 1.5e-3),
        ("1,5×10^−3", 1.5e-3),
        ("1.500e-3", 1.5e-3),
        ("−3", -3),
        ("\u061c-٥", -5),
        ("١٬٥٠٠٫٢٥", 1500.25),
        ("３．５", 3.5),
    ],
)
def test_what_can_only_be_one_number_is_read(text: str, number: float) -> None:
    assert read_number(text) == number


@pytest.mark.parametrize(
    ("text", "readings"),
    [("1.500", "1.5 or 1500"), ("1,500", "1.5 or 1500"), ("-4,095", "-4.0950 or -4095"), ("١,٥٠٠", "1.5 or 1500")],
)
def test_what_could_be_two_is_refused_with_both(text: str, readings: str) -> None:
    with pytest.raises(NotUnderstood) as refused:
        read_number(text)
    assert str(refused.value) == f"“{text}” can mean {readings}: write one of these."
    for reading in readings.split(" or "):
        read_number(reading)


@pytest.mark.parametrize("read", [read_number, read_whole])
@pytest.mark.parametrize(
    "text",
    [
        *("", "1 5", "1.234 567", f"1e{'9' * 5000}", "9" * 5000),
        *("-", "fast", "1.2.3", "1,5,5", "1.234,567.8", "1,23,4567", "1_000", "1;5", "inf", "nan", "0x10", "5²"),
        *("1e", "e5", "1e400", "-1e400", "1e-400"),
    ],
)
def test_what_is_no_number_is_refused_in_a_short_sentence(read: Callable[[str], float], text: str) -> None:
    with pytest.raises(NotUnderstood) as refused:
        read(text)
    assert len(str(refused.value)) < 130 and str(refused.value).endswith(".")


@pytest.mark.parametrize(
    ("text", "number"),
    [("4,096", 4096), ("4.096", 4096), ("1 000", 1000), ("12,34,567", 1234567), ("2e3", 2000), ("٣٢", 32)],
)
def test_among_whole_numbers_a_separator_parts_thousands(text: str, number: int) -> None:
    assert read_whole(text) == number


@pytest.mark.parametrize("text", ["7.5", "8.0", "0,5", "1,234.5", "1.5e0", "1.2", "٧٫٥"])
def test_a_count_has_no_decimals(text: str) -> None:
    with pytest.raises(NotUnderstood, match="not a whole number"):
        read_whole(text)


def test_a_whole_number_is_exact_however_large() -> None:
    assert read_whole(str(2**63 - 1)) == 2**63 - 1


@pytest.mark.slow
@settings(max_examples=300)
@given(
    st.sampled_from(LOCALES),
    st.floats(-1e12, 1e12),
    st.integers(0, 8),
    st.booleans(),
)
@example(QLocale("de_DE"), 7.5, 1, True)
@example(QLocale("ar_EG"), -1234.5, 2, True)
def test_what_a_locale_writes_is_the_same_number_or_refused(
    locale: QLocale, number: float, decimals: int, grouped: bool
) -> None:
    locale = QLocale(locale)
    if not grouped:
        locale.setNumberOptions(WITHOUT_GROUPS)
    meant = float(f"{number:.{decimals}f}")
    try:
        assert read_number(locale.toString(meant, "f", decimals)) == meant
    except NotUnderstood:
        # The one writing that is two numbers elsewhere.
        thousands = grouped and decimals == 0 and 1e3 <= abs(meant) < 1e6
        assert thousands or (decimals == 3 and 1 <= abs(meant) < 1e3) or locale.name() in ODD


@settings(max_examples=200)
@given(st.sampled_from(LOCALES), st.integers(-(2**53), 2**53), st.booleans())
def test_every_whole_number_that_a_locale_writes_is_read(locale: QLocale, number: int, grouped: bool) -> None:
    locale = QLocale(locale)
    if not grouped:
        locale.setNumberOptions(WITHOUT_GROUPS)
    if not grouped or locale.name() not in ODD:
        assert read_whole(locale.toString(number)) == number


@settings(max_examples=200)
@given(st.sampled_from(LOCALES), st.floats(allow_nan=False, allow_infinity=False))
def test_an_exponent_of_any_locale_never_makes_another_number(locale: QLocale, number: float) -> None:
    try:
        assert read_number(locale.toString(number, "e", 17)) == number
    except NotUnderstood:
        assert locale.exponential() not in ("e", "E", "×10^"), "only other signs for the exponent are not known"


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 5))
@example(1.234, 0)
@example(123.4, 3)
@example(2.5e-5, 4)
def test_what_is_written_reads_back(number: float, decimals: int) -> None:
    assert read_number(write_number(number, decimals)) == number == read_number(write_power(number))


@given(st.text(alphabet="0123456789.,- e'\u00a0٫", max_size=12))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (read_number, read_whole):
        try:
            number = read(text)
        except NotUnderstood:
            continue
        digits = "".join(sign for sign in text.partition("e")[0] if sign.isdigit()).strip("0")
        assert (
            digits
            == "".join(sign for sign in write_power(number).partition("e")[0] if sign.isdigit()).strip("0")[
                : len(digits)
            ]
        ), "no digit is dropped"


def test_writing_is_short() -> None:
    values = (0.05, 1.234, 4096.0, 1e-9, 0.0, -2.5, float("inf"))
    assert [write_number(value) for value in values] == ["0.05", "1.2340", "4096", "1e-9", "0", "-2.5", "inf"]
    assert write_number(0.5, 2) == "0.50" and write_number(0.125, 2) == "0.125"
    assert [write_power(value) for value in (1e-3, 3.25e-4, 0.0)] == ["1e-3", "3.25e-4", "0"]


def test_tenths_stay_tenths() -> None:
    assert (times(0.07, 100), divided(7.1, 100), plus(0.1, 0.2)) == (7.0, 0.071, 0.3)
