"""Colours that can be told apart, in both schemes."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QColor, QPalette

from ftgui.ui.toolkit.theme import DARK, LIGHT, Colors, palette


def contrast(one: str, other: str) -> float:
    """As WCAG 2 defines it: 1 (none) to 21."""

    def luminance(color: str) -> float:
        parts = [QColor(color).redF(), QColor(color).greenF(), QColor(color).blueF()]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(part * weight for part, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
def test_what_is_selected_can_be_read_with_its_icons(colors: Colors) -> None:
    for ground in (colors.card, colors.window, colors.selection):
        assert contrast(colors.text, ground) >= 7
        assert contrast(colors.muted, ground) >= 4.5
        for sign in (colors.warning, colors.error, colors.good, colors.accent):
            assert contrast(sign, ground) >= 3, sign
    assert contrast(colors.selection, colors.card) > 1.15, "it can be seen"
    made = palette(colors)
    assert made.color(QPalette.ColorRole.HighlightedText) == QColor(colors.text)
