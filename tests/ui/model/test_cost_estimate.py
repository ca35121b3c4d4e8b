"""What the ticks cost: asked at the right moments, the latest answer counts, and nothing jumps."""

from __future__ import annotations

import pytest

from ftgui.base.formatting import duration, size
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Backbone
from ftgui.ui.engine_client.crash_guard import CrashGuard
from ftgui.ui.engine_client.worker import EngineKind
from ftgui.ui.project.workspace import Workspace
from tests.conftest import Maker
from tests.ui.fake_engine import FakeEngine
from tests.ui.shell.test_main_window import open_project

pytestmark = pytest.mark.slow


def questions(fake: FakeEngine) -> list[m.EstimateCost]:
    return [command for command in fake.sent if isinstance(command, m.EstimateCost)]


def answer(fake: FakeEngine, seconds: float, request: int = 0, once: float = 12.0, memory: int = 1_100_000_000) -> None:
    number = request or questions(fake)[-1].request
    fake.tell(m.CostEstimate(number, 6, 66, seconds, once, memory, once > 0))


@pytest.fixture
def opened(qtbot, window, fake: FakeEngine, make_dataset: Maker):
    open_project(qtbot, window, fake, make_dataset(count=10))
    qtbot.waitUntil(lambda: len(questions(fake)) == 1)
    return window


def shown(qtbot, window, text: str) -> None:
    qtbot.waitUntil(lambda: window.layers.cost.text() == text)


def test_the_first_price_is_measured_then_shown(qtbot, opened, fake: FakeEngine) -> None:
    question = questions(fake)[0]
    assert (question.layers, question.train_samples, question.val_samples) == (["last stage", "head"], 16, 4)
    assert "measuring" in opened.layers.cost.text()
    answer(fake, 3.14)
    shown(qtbot, opened, "≈ 3.1 s per epoch · 12 s once · 1.1 GB")
    assert "run only once" in opened.layers.cost.toolTip() and "estimate" in opened.layers.cost.toolTip()


def test_ticks_recipe_and_phase_ask_again_and_nothing_else_does(qtbot, opened, fake: FakeEngine) -> None:
    answer(fake, 3.0)
    plan = opened.workspace.recipe_editor
    for number, change in enumerate(
        (
            lambda: opened.workspace.layer_ticks.tick(["everything"], "Preset Everything"),
            lambda: plan.change("training", "batch_size", 8),
            lambda: plan.change("augmentation", "views", 1),
            lambda: plan.select(0),
        ),
        2,
    ):
        change()
        qtbot.waitUntil(lambda number=number: len(questions(fake)) == number)
        assert questions(fake)[-1].recipe == opened.workspace.recipe
        assert "measuring" not in opened.layers.cost.text(), "only the first takes long"
        answer(fake, number)
    opened.workspace.recipe_changed.emit()
    qtbot.wait(120)
    assert len(questions(fake)) == 5


def test_an_answer_to_an_older_question_is_not_shown(qtbot, opened, fake: FakeEngine) -> None:
    old = questions(fake)[-1].request
    opened.workspace.layer_ticks.tick(["head"], "Preset Head")
    qtbot.waitUntil(lambda: len(questions(fake)) == 2)
    answer(fake, 1.0)
    shown(qtbot, opened, "≈ 1.0 s per epoch · 12 s once · 1.1 GB")
    answer(fake, 9.0, request=old)
    qtbot.wait(50)
    assert opened.layers.cost.text().startswith("≈ 1.0 s")


def test_a_refusal_and_no_ticks_leave_the_line_empty(qtbot, opened, fake: FakeEngine) -> None:
    answer(fake, 3.0)
    opened.workspace.layer_ticks.tick([], "Untick head")
    shown(qtbot, opened, "")
    opened.workspace.layer_ticks.tick(["head"], "Preset Head")
    qtbot.waitUntil(lambda: len(questions(fake)) == 2)
    answer(fake, 3.0)
    shown(qtbot, opened, "≈ 3.0 s per epoch · 12 s once · 1.1 GB")
    opened.workspace.layer_ticks.tick(["stem"], "Tick stem")
    qtbot.waitUntil(lambda: len(questions(fake)) == 3)
    status = opened.status.text.text()
    fake.tell(m.CommandFailed(questions(fake)[-1].request, "Not now."))
    shown(qtbot, opened, "")
    assert opened.status.text.text() == status, "nobody asked aloud, so nobody is told"


def test_the_line_never_moves_the_layout(qtbot, opened, fake: FakeEngine) -> None:
    heights = {opened.layers.cost.height()}
    answer(fake, 3.0)
    heights.add(opened.layers.cost.height())
    opened.workspace.layer_ticks.tick([], "Untick all")
    shown(qtbot, opened, "")
    assert heights == {opened.layers.cost.height()}


def test_in_a_training_only_a_measured_model_is_asked(qtbot, opened, fake: FakeEngine) -> None:
    fake.state(EngineKind.TRAINING)
    fake.tell(m.FreezingChanged(0, [5], ["head"], 6, 66))
    qtbot.wait(120)
    assert len(questions(fake)) == 1
    fake.state(EngineKind.READY)
    answer(fake, 3.0)
    shown(qtbot, opened, "≈ 3.0 s per epoch · 12 s once · 1.1 GB")
    fake.state(EngineKind.TRAINING)
    fake.tell(m.FreezingChanged(0, [5], ["by another name"], 6, 66))
    qtbot.wait(120)
    assert len(questions(fake)) == 1 and opened.layers.cost.text(), "the same layers: the cost holds"
    fake.tell(m.FreezingChanged(0, [0, 5], ["stem", "head"], 16, 66))
    qtbot.waitUntil(lambda: questions(fake)[-1].layers == ["stem", "head"])


def test_what_ended_the_engine_is_not_measured_again_by_itself(qtbot, opened, fake: FakeEngine) -> None:
    fake.tell(m.MeasuringCost(questions(fake)[-1].request, True))
    fake.state(EngineKind.CRASHED, exit_code=-1)
    qtbot.waitUntil(lambda: "while it measured" in opened.status.text.text())
    fake.become_ready()
    qtbot.waitUntil(lambda: "Measure anyway" in opened.layers.cost.text())
    opened.workspace.layer_ticks.tick(["head"], "Preset Head")
    qtbot.wait(120)
    assert len(questions(fake)) == 1, "nor after a tick"
    assert CrashGuard().blames(f"cost of {opened.workspace.model.loaded.backbone.name} on cpu"), (
        "nor in the next session"
    )
    opened.layers.cost.linkActivated.emit("measure")
    qtbot.waitUntil(lambda: len(questions(fake)) == 2)
    answer(fake, 3.0)
    shown(qtbot, opened, "≈ 3.0 s per epoch · 12 s once · 1.1 GB")
    fake.state(EngineKind.CRASHED, exit_code=-1)
    fake.become_ready()
    qtbot.waitUntil(lambda: len(questions(fake)) == 3)
    assert "Measure anyway" not in opened.layers.cost.text(), "the cost was known when it ended"


def test_an_end_in_a_training_or_by_the_person_is_not_blamed_on_the_cost(qtbot, opened, fake: FakeEngine) -> None:
    fake.state(EngineKind.TRAINING)
    fake.state(EngineKind.CRASHED, exit_code=-1)
    qtbot.wait(20)
    fake.become_ready()
    qtbot.waitUntil(lambda: len(questions(fake)) == 2)
    fake.tell(m.MeasuringCost(questions(fake)[-1].request, True))
    fake.state(EngineKind.NOT_STARTED)
    qtbot.wait(20)
    fake.become_ready()
    qtbot.waitUntil(lambda: len(questions(fake)) == 3)


def test_an_end_while_the_engine_did_something_else_is_not_blamed_on_it(qtbot, opened, fake: FakeEngine) -> None:
    """Asked for, but not begun; and begun, but giving way to what was asked for aloud."""
    for number, told in enumerate([(), (True, False)], 2):
        for going_on in told:
            fake.tell(m.MeasuringCost(questions(fake)[-1].request, going_on))
        fake.state(EngineKind.CRASHED, exit_code=-1)
        qtbot.wait(20)
        fake.become_ready()
        qtbot.waitUntil(lambda number=number: len(questions(fake)) == number)


def test_words_for_amounts() -> None:
    assert [duration(s) for s in (0.0, 0.01, 3.14, 48.2, 200, 4800)] == [
        "0 s",
        "0.1 s",
        "3.1 s",
        "48 s",
        "3 min",
        "1 h 20 min",
    ]
    assert [size(b) for b in (640_000_000, 999_900_000, 12_340_000_000)] == ["640 MB", "1.0 GB", "12.3 GB"]


@pytest.mark.timeout(120)
def test_with_the_real_engine_the_head_costs_less_and_a_range_test_ends_with_a_curve(
    qtbot, make_dataset: Maker, request: pytest.FixtureRequest
) -> None:
    workspace = Workspace()
    request.addfinalizer(workspace.close)
    costs: list[m.CostEstimate] = []
    curves: list[m.LearningRateFound] = []
    workspace.training_requests.cost_estimated.connect(costs.append)
    workspace.training_requests.learning_rate_found.connect(curves.append)
    with qtbot.waitSignal(workspace.project_changed):
        workspace.open_dataset(make_dataset(count=10))
    workspace.model.choose_backbone(Backbone(name="test_efficientnet", weights="none"))
    workspace.client.start_engine()
    qtbot.waitUntil(lambda: workspace.model.loaded is not None and not workspace.checking, timeout=60_000)
    for layers in (["head"], ["everything"]):
        workspace.training_requests.estimate_cost(layers, workspace.recipe, 1600, 400)
        qtbot.waitUntil(lambda layers=layers: len(costs) == (1 if layers == ["head"] else 2), timeout=30_000)
    head, everything = costs
    assert head.cached and not everything.cached
    assert 0 < head.epoch_seconds < everything.epoch_seconds / 2
    assert head.memory > 0 and head.trainable_parameters < everything.trainable_parameters
    workspace.training.find_learning_rate(0)
    qtbot.waitUntil(lambda: len(curves) == 1, timeout=60_000)
    assert len(curves[0].lr) == len(curves[0].loss) > 20
    assert curves[0].lr == sorted(curves[0].lr) and curves[0].why
