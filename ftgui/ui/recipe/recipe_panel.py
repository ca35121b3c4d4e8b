"""The recipe editor: phases as cards, what they share, and what is wrong, said at its field."""

from __future__ import annotations

import math

from PySide6.QtCore import QObject, QPoint, QTimer, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QVBoxLayout, QWidget

from ftgui.protocol.problem import Problem
from ftgui.protocol.recipe import EVERYTHING, HEAD, LAST_STAGE, Phase
from ftgui.ui.project.recipe_presets import TEMPLATES
from ftgui.ui.project.workspace import Workspace
from ftgui.ui.recipe.augmentation_preview import AugmentationPreview
from ftgui.ui.recipe.phase_card import DONE, RUNNING, WAITING, PhaseCard
from ftgui.ui.recipe.recipe_sections import AugmentationSection, TrainingSection
from ftgui.ui.toolkit import icons
from ftgui.ui.toolkit.basics import Card, button, scrolled
from ftgui.ui.toolkit.form_fields import ProblemNote
from ftgui.ui.toolkit.theme import Theme

TRAINING_RUNS = "Training is in progress, with the recipe it was started with. Layers can still be ticked and unticked."
_STEPS_UNKNOWN = 20
"""Steps an epoch is drawn with before there is a dataset; only the warm-up's rounding depends on it."""


class RecipePanel(Card):
    """Follows the workspace's plan and edits it.

    Args:
        workspace: whose plan.
        theme: for colours.
    """

    def __init__(self, workspace: Workspace, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__("Recipe", parent)
        self._workspace = workspace
        self._recipe_editor = workspace.recipe_editor
        self._theme = theme
        self._why_locked = ""
        self._shown = self._recipe_editor.selected
        self._ran: list[Phase] = []
        """The phases that `_states` are about."""
        self._states: list[str] = []
        self.cards: list[PhaseCard] = []
        self._make_header()
        self._content = QWidget()
        self._column = QVBoxLayout(self._content)
        self._column.setContentsMargins(0, 0, 4, 0)
        self._column.setSpacing(6)
        self.none_note = ProblemNote(theme)
        self.training = TrainingSection(self._recipe_editor, theme)
        self.augmentation = AugmentationSection(self._recipe_editor, theme)
        self.views = AugmentationPreview(workspace)
        self.augmentation.form.addWidget(self.views, self.augmentation.form.rowCount(), 0, 1, 2)
        for widget in (self.none_note, self.training, self.augmentation):
            self._column.addWidget(widget)
        self._column.addStretch(1)
        self.area = scrolled(self._content)
        self.body.addWidget(self.area, 1)
        for section in (self.training, self.augmentation):
            section.opened.connect(self._section_opened)
        workspace.recipe_changed.connect(self._refresh)
        workspace.model.changed.connect(self._refresh)
        workspace.catalog_changed.connect(self._refresh)
        theme.changed.connect(self._paint_icons)
        self._paint_icons()
        self._refresh()

    def _make_header(self) -> None:
        """Above the cards, where no number of them pushes it out of sight."""
        self.presets = button("Presets", "Complete recipes to start from; Ctrl+Z brings back the previous one")
        menu = QMenu(self.presets)
        menu.setToolTipsVisible(True)
        for number, template in enumerate(TEMPLATES):
            action = menu.addAction(template.title)
            action.setToolTip(template.tip)
            action.setData(number)
        menu.triggered.connect(self._use_plan)
        self.presets.setMenu(menu)
        self.add_phase = button(" Phase", "Add a phase, trained after all others, from the best weights so far")
        self.add_phase.setAccessibleName("Add phase")
        self.add_phase.clicked.connect(self._add)
        self.header.addWidget(self.presets)
        self.header.addWidget(self.add_phase)

    # --- showing ----------------------------------------------------------------------------------------------------

    @Slot()
    def _refresh(self) -> None:
        recipe = self._recipe_editor.recipe
        problems: dict[str, Problem] = {}
        for problem in recipe.validate():
            problems.setdefault(problem.field, problem)
        self._make_cards(len(recipe.phases))
        self.none_note.show_problem(problems.get("phases"))
        for index, card in enumerate(self.cards):
            card.show_phase(index, problems)
            card.show_schedule(self._steps(recipe.phases[index]), self._groups(recipe.phases[index]))
        for section in (self.training, self.augmentation):
            section.show_recipe(recipe, problems)
        self._show_states()
        if self._shown != self._recipe_editor.selected and self.cards:
            self._shown = self._recipe_editor.selected
            self._bring_into_view(self.cards[self._shown])

    def _make_cards(self, count: int) -> None:
        while len(self.cards) < count:
            card = PhaseCard(self._recipe_editor, self._theme)
            card.wanted.connect(self._card_wanted)
            self._column.insertWidget(len(self.cards), card)
            card.show()  # the layout would only do so later, and a card that is hidden can't have the keyboard
            self.cards.append(card)
        while len(self.cards) > count:
            card = self.cards.pop()
            card.hide()
            self._column.removeWidget(card)
            card.deleteLater()

    def _steps(self, phase: Phase) -> int:
        """Optimizer steps of a phase."""
        contents, batch = self._workspace.contents, self._recipe_editor.recipe.training.batch_size
        if contents is None or batch < 1:
            return phase.epochs * _STEPS_UNKNOWN
        images = sum(contents.counts[name]["train"] for name in contents.class_names if name in contents.counts)
        return phase.epochs * max(math.ceil(images / batch), 1)

    def _groups(self, phase: Phase) -> int:
        """Stages that learn in a phase, the head being one."""
        model = self._workspace.model.loaded
        tops = [node.name for node in model.layers if node.parent < 0 and node.parameters] if model else []
        if EVERYTHING in phase.train:
            return len(tops) or 1
        above = {node.name: node for node in model.layers} if model else {}
        found = set()
        for layer in phase.train:
            node = above.get(layer.removesuffix(":own"))
            while node is not None and model is not None and node.parent >= 0:
                node = model.layers[node.parent]
            found.add(node.name if node is not None else layer)
        return len(found | {HEAD} if LAST_STAGE in phase.train else found) or 1

    def show_running(self, phase: int | None) -> None:
        """Mark where a run is, counted in phases that are switched on: those before are done; None: none is marked."""
        recipe = self._recipe_editor.recipe
        self._ran = list(recipe.phases)
        self._states = []
        number = 0
        for each in recipe.phases:
            state = WAITING
            if phase is not None and each.enabled:
                state = DONE if number < phase else RUNNING if number == phase else WAITING
            self._states.append(state)
            number += each.enabled
        self._show_states()

    def _show_states(self) -> None:
        """What was marked goes as soon as the phases are no longer those that ran."""
        current = self._ran == self._recipe_editor.recipe.phases
        for index, card in enumerate(self.cards):
            card.show_state(self._states[index] if current else WAITING)

    def take_typed(self) -> str:
        """What is still being typed into a field counts now.

        Returns:
            which field does not take what was typed last, and why, once; empty: all do, or the answer is known.
        """
        forms = [*(card.fields for card in self.cards), self.training.fields, self.augmentation.fields]
        for field in (field for form in forms for field in form.values()):
            if why := field.take_typed():
                return f"{field.title.text()}: {why}"
        return ""

    def lock(self, why: str) -> None:
        """Nothing can be edited, why; empty: everything can."""
        self._why_locked = why
        for card in self.cards:
            card.lock(self._why_locked)
        for section in (self.training, self.augmentation):
            section.lock(self._why_locked)
        for control in (self.add_phase, self.presets):
            control.setEnabled(not why)

    @Slot()
    def _paint_icons(self) -> None:
        self.add_phase.setIcon(icons.icon("plus", self._theme.colors.text))

    # --- what the person does ---------------------------------------------------------------------------------------

    @Slot(int)
    def _card_wanted(self, index: int) -> None:
        if 0 <= index < len(self.cards):
            self._recipe_editor.select(index)
            self.cards[index].setFocus()

    @Slot()
    def _section_opened(self) -> None:
        self._bring_into_view(self.sender())

    def _bring_into_view(self, part: QObject) -> None:
        """Once it has its new size."""
        if isinstance(part, QWidget):
            QTimer.singleShot(0, part, lambda: self._scroll_to(part))

    def _scroll_to(self, part: QWidget) -> None:
        top = part.mapTo(self._content, QPoint(0, 0)).y()
        bar, height = self.area.verticalScrollBar(), self.area.viewport().height()
        highest = min(top, top + part.height() - height)
        if bar.value() > top:
            bar.setValue(top)
        elif bar.value() < highest:
            bar.setValue(highest)

    @Slot()
    def _add(self) -> None:
        self._recipe_editor.add()
        self._card_wanted(self._recipe_editor.selected)

    @Slot(QAction)
    def _use_plan(self, action: QAction) -> None:
        self._recipe_editor.use(TEMPLATES[action.data()])
