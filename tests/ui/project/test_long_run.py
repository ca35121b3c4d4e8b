"""Before a training of more than half an hour the person is asked, with a cheaper way on a button."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ftgui.protocol import messages as m
from ftgui.protocol import recipe as recipes
from ftgui.protocol import recipe_file
from ftgui.protocol.recipe import AUTOMATIC, Augmentation, Recipe
from ftgui.protocol.views import views_for, with_views
from ftgui.ui.project.cheaper_training import cheaper_ways
from ftgui.ui.shell.main_window import MainWindow
from ftgui.ui.shell.questions import Choice
from tests.conftest import Maker
from tests.ui.fake_engine import FakeEngine
from tests.ui.shell.test_main_window import open_project

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("images", "views"),
    [(0, 8), (40, 8), (400, 8), (2000, 8), (2001, 7), (4000, 4), (8000, 2), (16_000, 1), (30_000, 1), (1_000_000, 1)],
)
def test_views_follow_the_size_of_the_set(images: int, views: int) -> None:
    assert views_for(Recipe(), images) == views
    assert views_for(Recipe(augmentation=Augmentation(views=5)), images) == 5
    assert with_views(Recipe(), images).augmentation.views == views


def test_auto_is_written_and_read_and_nothing_else_is_taken_for_it() -> None:
    text = recipe_file.dumps(Recipe())
    assert 'views = "auto"' in text and recipe_file.loads(text) == Recipe()
    assert recipe_file.loads("version = 4\n[augmentation]\nviews = 8\n").augmentation.views == 8
    with pytest.raises(recipes.RecipeError, match="views"):
        recipe_file.loads('version = 5\n[augmentation]\nviews = "many"\n')


def test_cheaper_ways_take_as_many_steps_as_a_usual_set_needs() -> None:
    ways = cheaper_ways(Recipe(), 30_000)
    assert [[phase.epochs for phase in way.recipe.phases] for way in ways] == [[2, 2], [2]]
    assert ways[-1].recipe.phases[0].train == ["head"] and ways[-1].recipe.phases[0].lr == 3e-3
    by_hand = Recipe(augmentation=Augmentation(views=8))
    assert cheaper_ways(by_hand, 30_000)[0].recipe == Recipe(), "a number from an older recipe is the first thing to go"
    assert [len(way.recipe.phases) for way in cheaper_ways(Recipe(), 400)] == [1], "epochs stay; only fewer layers help"


# --- in the window ----------------------------------------------------------------------------------------------------


@pytest.fixture
def measured(qtbot, window: MainWindow, fake: FakeEngine, make_dataset: Maker) -> MainWindow:
    """The engine has told a cost, so that it tells others at once."""
    open_project(qtbot, window, fake, make_dataset())
    qtbot.waitUntil(lambda: any(isinstance(c, m.EstimateCost) for c in fake.sent))
    estimate(fake, fake.last(m.EstimateCost).request, 5.0)
    return window


def estimate(fake: FakeEngine, request: int, whole: float) -> None:
    fake.tell(m.CostEstimate(request, 6, 66, 1.0, 0.0, 10**9, False, whole))


def answer_all(fake: FakeEngine, cost: Callable[[Recipe], float]) -> None:
    """Each question once."""
    asked = [command for command in fake.sent if isinstance(command, m.EstimateCost)]
    fake.sent[:] = [command for command in fake.sent if command not in asked]
    for command in asked:
        estimate(fake, command.request, cost(command.recipe))


def trained(fake: FakeEngine) -> list[Recipe]:
    return [command.recipe for command in fake.sent if isinstance(command, m.Train)]


def question(window: MainWindow) -> tuple[str, dict[str, object]]:
    (asked,) = [choice for choice in window.findChildren(Choice) if choice.isVisible()]
    return asked.text(), {button.text().replace("&", ""): button for button in asked.buttons()}


def test_a_short_training_just_begins(measured: MainWindow, fake: FakeEngine) -> None:
    measured.train_or_pause()
    assert not trained(fake) and measured.workspace.long_run.asking
    answer_all(fake, lambda _recipe: 1799.0)
    assert trained(fake) == [measured.workspace.recipe]
    assert not measured.findChildren(Choice)


def test_a_long_one_is_offered_with_a_cheaper_way(qtbot, measured: MainWindow, fake: FakeEngine) -> None:
    before = measured.workspace.recipe
    measured.train_or_pause()
    answer_all(fake, lambda _recipe: 40_000.0)
    assert not trained(fake)
    answer_all(fake, lambda recipe: 900.0 if len(recipe.phases) == 1 else 39_000.0)
    title, answers = question(measured)
    assert title == "This training will take about 11 h 7 min." and list(answers) == [
        "Train for about 15 min",
        "Train anyway",
        "Cancel",
    ]
    answers["Train for about 15 min"].click()
    (run,) = trained(fake)
    assert [phase.train for phase in run.phases] == [["head"]] and measured.workspace.recipe == run
    measured.workspace.undo_stack.undo()
    assert measured.workspace.recipe == before


def test_train_anyway_trains_what_was_asked_for(measured: MainWindow, fake: FakeEngine) -> None:
    measured.train_or_pause()
    answer_all(fake, lambda _recipe: 40_000.0)
    answer_all(fake, lambda _recipe: 38_000.0)
    _, answers = question(measured)
    assert list(answers) == ["Train anyway", "Cancel"], "nothing would help"
    answers["Train anyway"].click()
    assert trained(fake) == [measured.workspace.recipe]


def test_pressed_again_it_begins_at_once(measured: MainWindow, fake: FakeEngine) -> None:
    measured.train_or_pause()
    measured.train_or_pause()
    assert len(trained(fake)) == 1
    answer_all(fake, lambda _recipe: 40_000.0)
    assert not measured.findChildren(Choice)


def test_what_can_not_be_told_keeps_nobody_from_training(measured: MainWindow, fake: FakeEngine) -> None:
    measured.train_or_pause()
    fake.fail(m.EstimateCost, "It could not be measured.")
    assert len(trained(fake)) == 1


def test_a_large_training_waits_for_its_price_a_small_one_does_not(workspace, fake: FakeEngine) -> None:
    begun: list[str] = []
    workspace.long_run.consider(Recipe(), 400, 100, lambda: begun.append("small"))
    workspace.long_run.consider(Recipe(), 30_000, 7_500, lambda: begun.append("large"))
    assert begun == ["small"]
    question = fake.last(m.EstimateCost)
    assert (question.train_samples, question.val_samples, question.recipe) == (30_000, 7_500, Recipe())
    assert Recipe().augmentation.views == AUTOMATIC
