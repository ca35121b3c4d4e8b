"""The list of problems: what it says can be read without a mouse."""

from __future__ import annotations

from ftgui.data.catalog.problem_kinds import Group, Problem
from ftgui.ui.data.problem_list import ProblemList
from ftgui.ui.toolkit.theme import Theme


def test_a_long_sentence_wraps_and_the_list_is_as_high_as_its_rows(qtbot, theme: Theme) -> None:
    shown = ProblemList(theme)
    qtbot.addWidget(shown)
    shown.resize(240, 400)
    text = "Classes from annotations.csv, 40 of 60 images; not used: the folders (2 classes, 60 images)."
    shown.show_groups([Group("reading", 1, (Problem("info", "reading", text, "", ""),), images=False)], "", "")
    shown.show()
    qtbot.waitExposed(shown)
    top = shown.tree.topLevelItem(0)
    assert top is not None and top.isExpanded()
    sentence = top.child(0)
    line = shown.tree.fontMetrics().lineSpacing()
    height = shown.tree.visualItemRect(sentence).height()
    assert height >= 3 * line
    wanted = shown.tree.sizeHint().height()
    assert wanted >= height + 2 * line
    shown.resize(800, 400)
    qtbot.waitUntil(lambda: shown.tree.visualItemRect(sentence).height() < 2 * line)
    assert shown.tree.sizeHint().height() < wanted
