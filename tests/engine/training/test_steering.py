"""What a person, or need, changes in mid-run: within one step, on record, and with the optimizer's memory kept."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import nn

from ftgui.engine.errors import EngineError
from ftgui.engine.input_pipeline.epoch_order import class_weights, epoch_order
from ftgui.engine.input_pipeline.feeds import CachedFeed
from ftgui.engine.model.weights_files import read_weights
from ftgui.engine.training.divergence import DivergenceMonitor, TrainingDiverged
from ftgui.engine.training.ema import ParameterEMA
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Phase
from tests.conftest import Maker
from tests.engine.conftest import Engine

pytestmark = pytest.mark.slow

HEAD = [Phase(name="Head", train=["head"], epochs=6, lr=1e-2)]


@pytest.fixture(autouse=True)
def every_step_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ftgui.engine.training.step_reporter.MESSAGES_PER_SECOND", 1e9)


def at_step(engine: Engine, commands: dict[int, m.Command]) -> None:
    """Send each when so many steps are done."""

    def on_event(event: m.Event) -> None:
        if isinstance(event, m.StepMetrics) and event.step[-1] in commands:
            engine.queue.append(commands[event.step[-1]])

    engine.on_event = on_event


def lines(train: m.Train, kind: str) -> list[dict]:
    text = (Path(train.run_folder) / "metrics.jsonl").read_text(encoding="utf-8")
    return [line for line in map(json.loads, text.splitlines()) if line["kind"] == kind]


def test_a_new_rate_counts_from_the_next_step(engine: Engine, make_dataset: Maker, train_command) -> None:
    train = train_command(make_dataset(count=10), HEAD, warmup=0.0)
    at_step(engine, {10: m.ChangeRate(5, 1.5e-4)})
    engine.do(train)
    rates = {step: rate for e in engine.of(m.StepMetrics) for step, rate in zip(e.step, e.lr, strict=True)}
    assert rates[10] > 5e-3 and rates[11] < 1.5e-4
    groups = {e.step[-1]: e.groups for e in engine.of(m.StepMetrics)}
    (group,) = groups[12]
    assert (group.name, group.requested) == ("head", 1.5e-4) and group.applied == rates[12]
    (run_adjusted,) = engine.of(m.RunAdjusted)
    assert (run_adjusted.request, run_adjusted.step, run_adjusted.kind, run_adjusted.text) == (
        5,
        10,
        "rate",
        "rate 1.5e-4",
    )
    assert [(line["step"], line["what"]) for line in lines(train, "run_adjusted")] == [(10, "rate")]


def test_a_tick_counts_from_the_next_step(engine: Engine, make_dataset: Maker, train_command) -> None:
    train = train_command(make_dataset(count=10), HEAD)
    at_step(engine, {9: m.SetTrainable(7, ["stage 4", "neck", "head"]), 14: m.SetTrainable(8, ["neck"])})
    engine.do(train)
    (end,) = engine.of(m.TrainingFinished)
    assert (end.reason, end.steps) == ("done", 24)
    changed = [e for e in engine.of(m.FreezingChanged) if e.request]
    assert [(e.request, e.layers) for e in changed] == [(7, ["stage 4", "neck", "head"]), (8, ["neck"])]
    assert [(e.step, e.text) for e in engine.of(m.RunAdjusted)] == [(9, "+stage 4, neck"), (14, "−stage 4, head")]
    groups = {e.step[-1]: [group.name for group in e.groups] for e in engine.of(m.StepMetrics)}
    assert (groups[9], groups[10], groups[15]) == (["head"], ["stage 4", "neck", "head"], ["neck"])
    assert [e.frozen_unchanged for e in engine.of(m.PhaseFinished)] == [True]
    # The cut is made anew each time.
    assert [(e.cached, e.views) for e in engine.of(m.FrozenFeaturesCached)] == [(True, 4), (True, 4), (True, 3)]


def test_weights_frozen_in_mid_run_stand_still(engine: Engine, make_dataset: Maker, train_command) -> None:
    seen: dict[int, torch.Tensor] = {}

    def on_event(event: m.Event) -> None:
        if isinstance(event, m.StepMetrics):
            if event.step[-1] == 9:
                engine.queue.append(m.SetTrainable(7, ["stage 4", "neck"]))
            weight = engine.session.models.present.model.get_submodule("classifier").weight
            seen[event.step[-1]] = weight.detach().clone()

    engine.on_event = on_event
    engine.do(train_command(make_dataset(count=10), HEAD))
    assert not torch.equal(seen[8], seen[9])
    assert torch.equal(seen[9], seen[24])


def test_freezing_everything_in_mid_run_is_refused(engine: Engine, make_dataset: Maker, train_command) -> None:
    at_step(engine, {3: m.SetTrainable(7, []), 4: m.ChangeRate(8, -1.0), 5: m.SetTrainable(9, ["no such layer"])})
    engine.do(train_command(make_dataset(count=10), HEAD))
    refused = {e.request: e.message for e in engine.of(m.CommandFailed)}
    assert "Nothing would learn" in refused[7] and "above 0" in refused[8] and "no layer" in refused[9]
    assert engine.of(m.TrainingFinished)[0].reason == "done" and not engine.of(m.RunAdjusted)


def test_finish_phase_goes_on_with_the_next(engine: Engine, make_dataset: Maker, train_command) -> None:
    phases = [*HEAD, Phase(name="Stage", train=["last stage", "head"], epochs=2, lr=1e-3)]
    train = train_command(make_dataset(count=10), phases)
    at_step(engine, {6: m.FinishPhase(3)})
    engine.do(train)
    starts = engine.of(m.PhaseStarted)
    assert [e.step for e in starts] == [0, 6]
    assert engine.of(m.EpochFinished)[1].step == 6, "what the unfinished epoch learned is evaluated too"
    assert engine.of(m.TrainingFinished)[0].steps == 6 + 8


def test_early_stopping_can_be_switched_on_in_mid_run(engine: Engine, make_dataset: Maker, train_command) -> None:
    phases = [Phase(name="Head", train=["head"], epochs=50, lr=1e-30)]
    at_step(engine, {10: m.ChangeEarlyStop(3, 2)})
    engine.do(train_command(make_dataset(count=10), phases, early_stop=0, augmentation="none"))
    (phase,) = engine.of(m.PhaseFinished)
    assert phase.stopped_early and len(engine.of(m.EpochFinished)) == 3


def test_what_comes_while_the_last_epoch_is_evaluated_is_not_for_the_next_phase(
    engine: Engine, make_dataset: Maker, train_command
) -> None:
    phases = [*HEAD, Phase(name="Stage", train=["last stage", "head"], epochs=2, lr=1e-3)]

    def on_event(event: m.Event) -> None:
        if isinstance(event, m.EpochFinished) and event.epoch == 6:
            engine.queue += [m.ChangeRate(4, 0.5), m.FinishPhase(5), m.SetTrainable(6, ["stage 4", "head"])]

    engine.on_event = on_event
    engine.do(train_command(make_dataset(count=10), phases))
    (end,) = engine.of(m.TrainingFinished)
    assert (end.reason, end.steps) == ("done", 24 + 8), "the next phase is as long as the recipe says"
    assert [e.step for e in engine.of(m.RunAdjusted)] == [24, 24, 24], "and nothing asked for is lost"
    late = [rate.requested for e in engine.of(m.StepMetrics) if e.phase == 1 for rate in e.groups]
    assert max(late) == 1e-3
    assert len(engine.of(m.FrozenFeaturesCached)) == 2, "nothing is cached for layers of a phase that is over"


def test_a_feed_that_can_not_be_made_ends_the_run_and_the_tick_is_kept(
    engine: Engine, make_dataset: Maker, train_command, monkeypatch
) -> None:
    from ftgui.engine.training import loop

    make_feed, calls = loop.make_feed, []

    def unplugged(*arguments):  # type: ignore[no-untyped-def]
        calls.append(arguments)
        if len(calls) == 2:
            raise EngineError("red1.jpg can no longer be read")
        return make_feed(*arguments)

    monkeypatch.setattr(loop, "make_feed", unplugged)
    train = train_command(make_dataset(count=10), HEAD)
    at_step(engine, {9: m.SetTrainable(7, ["stage 4", "neck", "head"])})
    engine.do(train)
    (end,) = engine.of(m.TrainingFinished)
    assert (end.reason, end.message, end.steps) == ("failed", "red1.jpg can no longer be read", 9)
    engine.events.clear()
    engine.on_event = lambda event: None
    engine.do(m.Continue(8, train.catalog, train.run_folder))
    assert engine.of(m.FreezingChanged)[0].layers == ["stage 4", "neck", "head"]
    assert engine.of(m.TrainingFinished)[0].steps == 24


def test_a_frozen_layer_leaves_the_average() -> None:
    model = nn.Linear(2, 1)
    average = ParameterEMA(0.9, torch.device("cpu"))
    for value in (1.0, 2.0):
        for parameter in model.parameters():
            parameter.data.fill_(value)
        average.update(model.named_parameters())
    average.keep_only(["bias"])
    average.swap(model)
    assert model.weight.tolist() == [[2.0, 2.0]] and 1 < model.bias.item() < 2


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_what_is_saved_of_a_layer_frozen_in_mid_run_is_what_it_was(
    ema: float, engine: Engine, make_dataset: Maker, train_command
) -> None:
    seen: dict[int, torch.Tensor] = {}

    def on_event(event: m.Event) -> None:
        if isinstance(event, m.StepMetrics):
            if event.step[-1] == 2:
                engine.queue.append(m.SetTrainable(7, ["stage 4", "neck"]))
            seen[event.step[-1]] = (
                engine.session.models.present.model.get_submodule("classifier").weight.detach().clone()
            )

    engine.on_event = on_event
    train = train_command(make_dataset(count=10), HEAD, ema=ema)
    engine.do(train)
    kept = read_weights(Path(train.run_folder) / "best" / "model.safetensors")
    assert not torch.equal(seen[1], seen[2])
    assert torch.equal(kept["classifier.weight"], seen[2])


def test_outside_a_training_there_is_nothing_to_steer(engine: Engine) -> None:
    engine.do(m.ChangeRate(4, 1e-3))
    (failed,) = engine.of(m.CommandFailed)
    assert (failed.request, failed.message) == (4, "No training is in progress.")


# --- in need --------------------------------------------------------------------------------------------------------


def test_an_explosion_ends_within_a_few_steps_at_the_last_good_weights(
    engine: Engine, make_dataset: Maker, train_command
) -> None:
    phases = [HEAD[0], Phase(name="Wild", train=["everything"], epochs=30, lr=30.0)]
    train = train_command(make_dataset(count=20), phases, warmup=0.0)
    engine.do(train)
    (end,) = engine.of(m.TrainingFinished)
    assert (end.reason, end.phase, end.suggested_lr) == ("exploded", 1, 2e-3)
    assert "3e1 is too high" in end.message and "Wild" in end.message
    began = engine.of(m.PhaseStarted)[1].step
    assert end.steps - began <= 16
    kept = read_weights(Path(train.run_folder) / "best" / "model.safetensors")
    held = engine.session.models.present.model.state_dict()
    assert all(torch.equal(held[name], value) for name, value in kept.items())
    assert all(bool(value.isfinite().all()) for value in kept.values()) and engine.session.models.present.trained


def test_ruined_weights_never_become_the_best(engine: Engine, make_dataset: Maker, train_command) -> None:
    """Epochs of 4 steps: too few for the watch to be sure before the first one is evaluated."""
    train = train_command(
        make_dataset(count=10), [Phase(name="Wild", train=["everything"], epochs=9, lr=30.0)], warmup=0.0
    )
    engine.do(train)
    (end,) = engine.of(m.TrainingFinished)
    assert end.reason == "exploded" and end.steps <= 8 and "what they were at the start" in end.message
    assert not engine.of(m.EpochFinished) and not (Path(train.run_folder) / "best").exists()
    assert not engine.session.models.present.trained


@pytest.mark.parametrize(("train", "validation"), [(math.nan, 0.1), (0.1, math.nan), (0.1, math.inf), (3.0, 0.1)])
def test_an_epoch_that_can_not_be_evaluated_is_an_explosion(train: float, validation: float) -> None:
    DivergenceMonitor(2).check(0.7, 50.0)  # norm statistics that lag behind
    with pytest.raises(TrainingDiverged):
        DivergenceMonitor(2).check(train, validation)


def test_a_first_phase_that_explodes_leaves_the_model_as_it_was(
    engine: Engine, make_dataset: Maker, train_command
) -> None:
    engine.do(train_command(make_dataset(count=20), [Phase(name="A", train=["everything"], epochs=9, lr=1e18)]))
    (end,) = engine.of(m.TrainingFinished)
    assert end.reason == "exploded" and "what they were at the start" in end.message
    assert all(bool(value.isfinite().all()) for value in engine.session.models.present.model.state_dict().values())


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_out_of_memory_halves_the_batch_and_goes_on(
    error: Exception, engine: Engine, make_dataset: Maker, train_command, monkeypatch
) -> None:
    """The same steps, the same effective batch, the same weights as with memory enough (the head has no batch norm)."""
    dataset = make_dataset(count=20)

    def weights(engine: Engine) -> torch.Tensor:
        engine.do(train_command(dataset, HEAD, batch_size=16))
        assert engine.of(m.TrainingFinished)[0].reason == "done"
        return engine.session.models.present.model.get_submodule("classifier").weight.detach().clone()

    enough = weights(Engine())
    whole = nn.Linear.forward

    def short_of_memory(layer: nn.Linear, values: torch.Tensor) -> torch.Tensor:
        if torch.is_grad_enabled() and len(values) > 5:
            raise error
        return whole(layer, values)

    monkeypatch.setattr(nn.Linear, "forward", short_of_memory)
    little = weights(engine)
    torch.testing.assert_close(little, enough, rtol=1e-4, atol=1e-5)
    assert [e.text for e in engine.of(m.RunAdjusted)] == ["8 images at a time", "4 images at a time"]
    assert len(engine.of(m.Log)) == 2 and "ran out of memory" in engine.of(m.Log)[0].message
    steps = [step for e in engine.of(m.StepMetrics) for step in e.step]
    assert steps == list(range(1, 13))


def test_out_of_memory_while_evaluating_halves_too(
    engine: Engine, make_dataset: Maker, train_command, monkeypatch
) -> None:
    dataset = make_dataset(count=20)

    def validation_losses(engine: Engine) -> list[float]:
        engine.do(train_command(dataset, HEAD))
        assert engine.of(m.TrainingFinished)[0].reason == "done"
        return [e.val_loss for e in engine.of(m.EpochFinished)]

    enough = validation_losses(Engine())
    whole, refused = CachedFeed.logits, []

    def short_of_memory(feed: CachedFeed, inputs: list[torch.Tensor]) -> torch.Tensor:
        if not torch.is_grad_enabled() and len(inputs[0]) > 3:
            refused.append(len(inputs[0]))
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate 1 bytes.")
        return whole(feed, inputs)

    monkeypatch.setattr(CachedFeed, "logits", short_of_memory)
    assert validation_losses(engine) == pytest.approx(enough, rel=1e-4)
    assert refused[:2] == [8, 4]


def test_no_memory_even_for_two_images_is_a_sentence(
    engine: Engine, make_dataset: Maker, train_command, monkeypatch
) -> None:
    def never(*_: object) -> torch.Tensor:
        raise torch.OutOfMemoryError

    monkeypatch.setattr("ftgui.engine.input_pipeline.feeds.CachedFeed.logits", never)
    engine.do(train_command(make_dataset(count=10), HEAD, batch_size=8))
    (end,) = engine.of(m.TrainingFinished)
    assert end.reason == "failed" and "even with 2 images at a time" in end.message


# --- classes of different size --------------------------------------------------------------------------------------


def test_the_sampler_shows_every_class_equally_often() -> None:
    targets = [0] * 90 + [1] * 10
    drawn = Counter(targets[position] for epoch in range(20) for position in epoch_order(targets, 0, epoch, True))
    assert drawn[1] / (drawn[0] + drawn[1]) == pytest.approx(0.5, abs=0.05)
    assert sorted(epoch_order(targets, 0, 1)) == list(range(100))
    assert epoch_order(targets, 0, 1) != epoch_order(targets, 0, 2) != epoch_order(targets, 1, 2)


def test_the_loss_weighs_rare_classes_more() -> None:
    weights = class_weights([0] * 90 + [1] * 10, 3)
    assert weights.tolist() == pytest.approx([100 / 180, 5.0, 0.0])


@pytest.mark.parametrize("balance", ["none", "loss", "sampler"])
def test_every_balance_trains_and_tells_recall(
    balance: str, engine: Engine, make_dataset: Maker, train_command
) -> None:
    engine.do(train_command(make_dataset(count=10), HEAD, balance=balance))
    assert engine.of(m.TrainingFinished)[0].reason == "done"
    for event in engine.of(m.EpochFinished):
        assert len(event.recall) == 2 and sum(event.recall) / 2 == pytest.approx(event.val_accuracy)


# --- how much layers learn ------------------------------------------------------------------------------------------


def test_learning_is_the_update_divided_by_the_weights(engine: Engine, make_dataset: Maker, train_command) -> None:
    phases = [Phase(name="A", train=["stage 4", "head"], epochs=4, lr=1e-3)]
    engine.do(train_command(make_dataset(count=10), phases, warmup=0.0))
    events = engine.of(m.UpdateRatios)
    assert events
    loaded = engine.session.models.present
    names = {loaded.nodes[row].name for row in events[0].rows}
    assert {row.name for row in loaded.freezer.tree.rows if row.own_parameters} > names
    assert "classifier" in names or "head" in names
    first = dict(zip(events[0].rows, events[0].relative, strict=True))
    assert all(0 < value < 1 for value in first.values())
    # AdamW's first step moves every number by the rate: 0.001 * sqrt(n) against the norm of the weights.
    head = next(row for row in events[0].rows if loaded.nodes[row].name in ("classifier", "head"))
    count = loaded.nodes[head].own_parameters
    size = 0.001 * math.sqrt(count) / first[head]
    assert 0.05 < size / math.sqrt(count * 0.02**2 + 1e-9) < 50


def test_learning_is_told_four_times_a_second_at_most(
    engine: Engine, make_dataset: Maker, train_command, monkeypatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(
        "ftgui.engine.training.step_reporter.time.monotonic", lambda: now.__setitem__(0, now[0] + 0.001) or now[0]
    )
    engine.do(train_command(make_dataset(count=40), batch_size=1))
    assert 1 <= len(engine.of(m.UpdateRatios)) <= now[0] / 0.25 + 1
