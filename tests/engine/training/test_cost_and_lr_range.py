"""What training would cost, and which rate suits: both measured on copies."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ftgui.engine.input_pipeline.graph_tracing import NoPrefix
from ftgui.engine.training import cost_estimate, lr_range
from ftgui.engine.training.cost_estimate import Profiler
from ftgui.engine.training.lr_range import Curve
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Augmentation, Phase, Recipe, Training
from tests.conftest import Maker
from tests.engine.conftest import TINY, Engine

pytestmark = pytest.mark.slow


@pytest.fixture
def loaded(engine: Engine) -> Engine:
    engine.do(m.LoadModel(1, TINY, ["a", "b"], ["head"], device="cpu"))
    return engine


def ask(engine: Engine, layers: list[str], **changes: object) -> m.CostEstimate:
    recipe = Recipe(**{"training": Training(batch_size=8), **changes})
    engine.do(m.EstimateCost(3, layers, recipe, train_samples=100, val_samples=50))
    return engine.of(m.CostEstimate)[-1]


def test_more_ticks_cost_more(loaded: Engine) -> None:
    head, stage, everything = (ask(loaded, ticks) for ticks in (["head"], ["last stage", "head"], ["everything"]))
    assert head.epoch_seconds < stage.epoch_seconds < everything.epoch_seconds
    assert (head.cached, stage.cached, everything.cached) == (True, True, False)
    assert head.prefix_seconds > stage.prefix_seconds > everything.prefix_seconds == 0
    # In batches as large as those that fill the cache; smaller ones need less than filling it does.
    head, everything = (ask(loaded, ticks, training=Training(batch_size=32)) for ticks in (["head"], ["everything"]))
    assert head.memory < everything.memory
    assert everything.trainable_parameters == everything.total_parameters > stage.trainable_parameters
    assert head.trainable_parameters == 256 * 2 + 2


def profiler(engine: Engine) -> Profiler:
    return engine.session.costs.profiler_of(engine.session.models.require())


def test_the_frozen_part_costs_what_is_left_with_norms_folded(loaded: Engine, monkeypatch) -> None:
    whole = ask(loaded, ["head"])
    profiler(loaded).profile.folded *= 100  # by far more than reading the images adds
    assert ask(loaded, ["head"]).prefix_seconds > 5 * whole.prefix_seconds

    def untraceable(*_: object) -> None:
        raise NoPrefix("it is what it is")

    monkeypatch.setattr("ftgui.engine.training.cost_estimate.trace", untraceable)
    loaded.session.costs.forget()
    assert not ask(loaded, ["head"]).cached


def test_views_are_paid_once(loaded: Engine) -> None:
    few = ask(loaded, ["head"], augmentation=Augmentation(views=1))
    many = ask(loaded, ["head"], augmentation=Augmentation(views=4))
    assert many.epoch_seconds == pytest.approx(few.epoch_seconds)
    assert 2 < many.prefix_seconds / few.prefix_seconds < 4
    assert not ask(loaded, ["head"], augmentation=Augmentation(views=0)).cached


def test_a_whole_run_costs_what_its_phases_cost(loaded: Engine) -> None:
    head = Phase(name="A", train=["head"], epochs=4, lr=1e-3)
    last = Phase(name="B", train=["last stage", "head"], epochs=2, lr=1e-3)
    off = Phase(name="C", train=["everything"], epochs=50, lr=1e-3, enabled=False)
    alone = [ask(loaded, phase.train, phases=[phase]) for phase in (head, last)]
    whole = ask(loaded, ["head"], phases=[head, last, off]).run_seconds
    costs = [
        cost.prefix_seconds + phase.epochs * cost.epoch_seconds for cost, phase in zip(alone, (head, last), strict=True)
    ]
    assert whole == pytest.approx(sum(costs)) and [cost.run_seconds for cost in alone] == pytest.approx(costs)
    unknown = Phase(name="D", train=["stage 99"], epochs=1, lr=1e-3)
    assert ask(loaded, ["head"], phases=[unknown]).run_seconds < 0


def test_after_the_first_question_the_answer_is_a_sum(loaded: Engine, monkeypatch) -> None:
    ask(loaded, ["head"])

    def again(*_: object) -> None:
        raise AssertionError("profiled twice")

    monkeypatch.setattr("ftgui.engine.training.cost_estimate._measure", again)
    started = time.process_time()
    for _ in range(20):
        ask(loaded, ["last stage", "head"])
    assert (time.process_time() - started) / 20 < 0.1


def test_the_profile_leaves_the_model_alone(loaded: Engine) -> None:
    model = loaded.session.models.present.model
    before = {name: value.clone() for name, value in model.state_dict().items()}
    learning = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    random = torch.get_rng_state()
    ask(loaded, ["head"])
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert {name: parameter.requires_grad for name, parameter in model.named_parameters()} == learning
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), random) and not model._forward_hooks


def test_the_time_left_counts_the_phases_to_come(
    loaded: Engine, make_dataset: Maker, train_command, monkeypatch
) -> None:
    monkeypatch.setattr("ftgui.engine.training.step_reporter.MESSAGES_PER_SECOND", 1e9)
    phases = [
        Phase(name="Head", train=["head"], epochs=2, lr=1e-2),
        Phase(name="Stage", train=["stage 4", "neck", "head"], epochs=1000, lr=1e-9),
    ]
    dataset = make_dataset(count=10)

    def told(run: m.Train) -> list[m.StepMetrics]:
        loaded.events.clear()
        loaded.do(run)
        assert [e.run_epochs for e in loaded.of(m.PhaseStarted)] == [1002, 1002]
        return loaded.of(m.StepMetrics)

    # Nobody has looked at what layers cost: while a phase is to come, nothing can be said.
    assert {e.seconds_left for e in told(train_command(dataset, phases, early_stop=1)) if e.phase == 0} == {-1.0}
    ask(loaded, ["head"])
    train = train_command(dataset, phases, early_stop=1)
    first = told(train)[0]
    loaded.do(m.EstimateCost(4, phases[1].train, train.recipe, train_samples=16, val_samples=4))
    stage = loaded.of(m.CostEstimate)[-1]
    to_come = stage.prefix_seconds + 1000 * stage.epoch_seconds
    assert to_come < first.seconds_left < 1.5 * to_come


def test_epochs_that_early_stopping_saved_are_not_waited_for(
    engine: Engine, make_dataset: Maker, train_command
) -> None:
    phases = [Phase(name=name, train=["head"], epochs=50, lr=1e-30) for name in "AB"]
    engine.do(train_command(make_dataset(count=10), phases, early_stop=2, augmentation="none"))
    assert [e.run_epochs for e in engine.of(m.PhaseStarted)] == [100, 53]


def test_a_price_without_a_model_is_refused(engine: Engine) -> None:
    engine.do(m.EstimateCost(3, ["head"], Recipe(), 1, 1))
    assert engine.of(m.CommandFailed)[0].request == 3


def measuring(monkeypatch: pytest.MonkeyPatch, during: Callable[[int], None]) -> list[int]:
    """Calls `during` with the number of each pass through the model, when its first layer begins; returns all numbers."""
    passes: list[int] = []
    real = cost_estimate._measure

    def noted(*arguments):  # type: ignore[no-untyped-def]
        passes.append(len(passes) + 1)
        during(passes[-1])
        return real(*arguments)

    monkeypatch.setattr(cost_estimate, "_measure", noted)
    return passes


def test_a_measurement_gives_way_to_what_a_person_asks_and_is_gone_on_with(
    loaded: Engine, make_dataset: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = next(make_dataset(count=3).rglob("*.jpg"))

    def person(number: int) -> None:
        if number == 3:  # in the warm-up after it nothing more is asked
            loaded.queue.append(m.Predict(9, str(image)))

    passes = measuring(monkeypatch, person)
    ask(loaded, ["head"])
    order = [type(event) for event in loaded.events if isinstance(event, m.Prediction | m.CostEstimate)]
    assert order == [m.Prediction, m.CostEstimate]
    told = [event.going_on for event in loaded.of(m.MeasuringCost)]
    assert told == [True, False, True], "so that an end of the engine in between is not blamed on it"
    # A warm-up and one round, the interrupted one, then a warm-up and the two that were missing: nothing twice.
    assert len(passes) == 3 + 1 + 2


def test_stop_ends_a_measurement_and_it_is_not_begun_again_by_itself(
    loaded: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = measuring(monkeypatch, lambda _number: loaded.queue.append(m.CancelRequest(3)))
    loaded.do(m.EstimateCost(3, ["head"], Recipe(), 100, 50))
    assert "stopped" in loaded.of(m.CommandFailed)[0].message and not loaded.of(m.CostEstimate) and len(passes) == 1


def test_memory_that_did_not_suffice_once_is_not_tried_again(loaded: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_number: int) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    passes = measuring(monkeypatch, full)
    for request in (3, 4):
        loaded.do(m.EstimateCost(request, ["head"], Recipe(), 100, 50))
    assert [event.request for event in loaded.of(m.CommandFailed)] == [3, 4] and len(passes) == 1
    assert "need too much memory" in loaded.of(m.CommandFailed)[0].message
    assert [event.message for event in loaded.of(m.Log)] == [loaded.of(m.CommandFailed)[0].message], "told once"


# --- range test -----------------------------------------------------------------------------------------------------


def find(engine: Engine, train: m.Train, phase: int = 0) -> m.LearningRateFound:
    engine.do(m.FindLearningRate(5, train.recipe, train.catalog, phase))
    (end,) = engine.of(m.LearningRateFound)
    return end


def test_a_range_test_rises_falls_and_suggests(loaded: Engine, make_dataset: Maker, train_command) -> None:
    end = find(loaded, train_command(make_dataset(count=20)))
    assert end.request == 5 and end.lr == sorted(end.lr) and len(end.lr) == len(end.loss) > 20
    assert [e.lr for e in loaded.of(m.LearningRateTried)] == end.lr
    lowest = end.lr[end.loss.index(min(end.loss))]
    assert end.suggestion == pytest.approx(min(max(lowest / 10, 1e-4), 3e-2)) and "tenth" in end.why


def test_it_leaves_model_optimizer_and_random_state_untouched(
    loaded: Engine, make_dataset: Maker, train_command
) -> None:
    """In the middle of a training, whose optimizer lives on."""
    from ftgui.engine.training.optimizer import PhaseOptimizer

    freezer = loaded.session.models.present.freezer
    phase = Phase(name="x", train=["head"], epochs=1, lr=1e-2)
    optimizer = PhaseOptimizer(freezer, phase, Training(), torch.device("cpu"), 10)
    for parameter in optimizer.parameters:
        parameter.grad = torch.ones_like(parameter)
    optimizer.adamw.step()
    model = freezer.model
    state = {name: value.clone() for name, value in model.state_dict().items()}
    memory = copy.deepcopy(optimizer.adamw.state_dict())
    gradients = [parameter.grad.clone() for parameter in optimizer.parameters]
    random = torch.get_rng_state()
    find(loaded, train_command(make_dataset(count=20)))
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    after = optimizer.adamw.state_dict()
    for key, values in memory["state"].items():
        assert all(torch.equal(value, after["state"][key][name]) for name, value in values.items())
    assert memory["param_groups"] == after["param_groups"]
    assert all(torch.equal(p.grad, g) for p, g in zip(optimizer.parameters, gradients, strict=True))
    assert torch.equal(torch.get_rng_state(), random)


def test_a_later_phase_is_tested_with_a_head_that_knows_something(
    loaded: Engine, make_dataset: Maker, train_command, monkeypatch
) -> None:
    phases = [
        Phase(name="Head", train=["head"], epochs=1, lr=1e-2),
        Phase(name="Stage", train=["last stage", "head"], epochs=1, lr=1e-3),
    ]
    trained = []
    steps = lr_range._steps

    def note(source, recipe, phase, rates):  # type: ignore[no-untyped-def]
        trained.append((phase.train, len(rates)))
        yield from steps(source, recipe, phase, rates)

    monkeypatch.setattr(lr_range, "_steps", note)
    find(loaded, train_command(make_dataset(count=20), phases), 1)
    assert trained == [(["head"], 40), (["last stage", "head"], lr_range.STEPS)]


def test_earlier_stages_are_tried_at_a_share_of_the_rate_as_the_phase_will_have_it(
    loaded: Engine, make_dataset: Maker, train_command, monkeypatch
) -> None:
    from ftgui.engine.training.optimizer import PhaseOptimizer

    seen: list[dict[str, float]] = []
    step = PhaseOptimizer.step

    def note(self: PhaseOptimizer) -> None:
        seen.append({group["stage"]: group["lr"] for group in self.adamw.param_groups})
        step(self)

    monkeypatch.setattr(PhaseOptimizer, "step", note)
    phases = [Phase(name="Two", train=["stage 4", "head"], epochs=1, lr=1e-3, layer_decay=0.25)]
    end = find(loaded, train_command(make_dataset(count=20), phases))
    for rate, rates in zip(end.lr, seen, strict=False):
        assert rates == {"stage 4": pytest.approx(rate / 4), "head": pytest.approx(rate)}


def test_stop_ends_it_and_what_came_meanwhile_is_answered(loaded: Engine, make_dataset: Maker, train_command) -> None:
    dataset = make_dataset(count=20)

    def stop(event: m.Event) -> None:
        if isinstance(event, m.LearningRateTried) and len(loaded.of(m.LearningRateTried)) == 5:
            loaded.queue += [m.Predict(8, str(dataset / "red" / "red0.jpg")), m.CancelRequest(5)]

    loaded.on_event = stop
    end = find(loaded, train_command(dataset))
    assert (end.suggestion, end.why) == (0, "Stopped.") and len(loaded.of(m.LearningRateTried)) == 5
    assert loaded.of(m.Prediction)[0].request == 8


def test_a_curve_that_never_falls_suggests_nothing() -> None:
    flat = Curve([10.0**-n for n in range(20, 0, -1)], [1.0] * 20)
    assert flat.suggestion == 0 and "did not fall" in flat.why
    assert Curve([1e-3], [0.1]).suggestion == 0


def test_one_class_is_a_sentence(loaded: Engine, make_dataset: Maker, train_command) -> None:
    dataset = make_dataset(count=4)
    train = train_command(dataset)
    for path in Path(dataset / "red").iterdir():
        path.write_bytes(b"broken")
    loaded.do(m.FindLearningRate(5, train.recipe, train.catalog, 0))
    assert "two classes" in loaded.of(m.CommandFailed)[0].message
    loaded.do(m.FindLearningRate(6, train.recipe, train.catalog, 7))
    assert "no such phase" in loaded.of(m.CommandFailed)[1].message
