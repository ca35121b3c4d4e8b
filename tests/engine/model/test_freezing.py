"""Frozen means frozen: no gradient, no optimizer, no moving statistics, no dropout, and a hash to prove it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ftgui.engine.errors import EngineError
from ftgui.engine.model.backbones import build
from ftgui.engine.model.freezing import Freezer, check_trainable
from ftgui.engine.model.layer_tree import build_tree
from ftgui.engine.training.optimizer import PhaseOptimizer
from ftgui.protocol.lr_schedule import learning_rate
from ftgui.protocol.recipe import Backbone, Phase, Training


def freezer_of(name: str = "test_efficientnet", train: tuple[str, ...] = ("head",)) -> Freezer:
    built = build(Backbone(name=name, weights="none"), ["a", "b", "c"])
    freezer = Freezer(built.model, build_tree(built.model, built.heads))
    freezer.set_trainable(freezer.resolve(train))
    return freezer


PRESETS = [("head",), ("last stage", "head"), ("stage 2", "head"), ("blocks.1",), ("everything",)]


def optimizer_of(freezer: Freezer, layer_decay: float = 1.0, steps: int = 10) -> PhaseOptimizer:
    phase = Phase(name="x", train=["head"], epochs=1, lr=0.1, layer_decay=layer_decay)
    return PhaseOptimizer(freezer, phase, Training(weight_decay=0.5, warmup=0.2), torch.device("cpu"), steps)


@pytest.mark.parametrize("mixed", [False, True], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("train", PRESETS)
def test_training_steps_leave_the_frozen_part_bit_identical(train: tuple[str, ...], mixed: bool) -> None:
    """With weight decay, AdamW's momentum, batch norms, and mixed precision: parameters and buffers."""
    freezer = freezer_of(train=train)
    model = freezer.model
    learning = set(freezer.learning_tensors())
    before = {name: value.detach().clone() for name, value in model.state_dict().items()}
    fingerprint = freezer.frozen_hash()
    optimizer = optimizer_of(freezer)
    for step in range(3):
        freezer.train_mode()
        optimizer.set_rates(step + 2)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=mixed):
            logits = model(torch.randn(4, 3, 96, 96))
            loss = nn.functional.cross_entropy(logits.float(), torch.tensor([0, 1, 2, 0]))
        optimizer.zero_gradients()
        loss.backward()
        optimizer.step()
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == learning
    assert freezer.frozen_hash() == fingerprint


def test_frozen_norms_are_in_eval_and_trainable_ones_are_not() -> None:
    freezer = freezer_of(train=("stage 3", "head"))
    freezer.train_mode()
    for path, module in freezer.model.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.training == any(p.requires_grad for p in module.parameters()), path


def test_without_the_norm_rule_statistics_would_move() -> None:
    """The reason for `train_mode`: this is what plain `model.train()` does to a frozen model."""
    freezer = freezer_of()
    before = freezer.frozen_hash()
    freezer.model.train()
    freezer.model(torch.randn(4, 3, 96, 96))
    assert freezer.frozen_hash() != before


def test_dropout_is_off_where_frozen() -> None:
    freezer = freezer_of("vit_tiny_patch16_224", ("stage 12", "head"))
    blocks = freezer.model.blocks
    blocks[0].attn.proj_drop = nn.Dropout(0.5)
    blocks[11].attn.proj_drop = nn.Dropout(0.5)
    freezer.train_mode()
    assert not blocks[0].attn.proj_drop.training
    assert blocks[11].attn.proj_drop.training


def test_hash_sees_a_single_changed_bit_in_parameters_and_buffers() -> None:
    freezer = freezer_of()
    before = freezer.frozen_hash()
    assert freezer.frozen_hash() == before
    with torch.no_grad():
        bias = freezer.model.bn1.running_mean
        bias[0] = torch.nextafter(bias[0], torch.tensor(1.0))
    assert freezer.frozen_hash() != before
    freezer = freezer_of()
    with torch.no_grad():
        freezer.model.conv_stem.weight[0, 0, 0, 0] += 1e-3
    assert freezer.frozen_hash() != before


@pytest.mark.parametrize("train", PRESETS)
def test_every_trainable_parameter_is_in_exactly_one_group(train: tuple[str, ...]) -> None:
    freezer = freezer_of(train=train)
    optimizer = optimizer_of(freezer)
    groups = optimizer.adamw.param_groups
    in_groups = [id(p) for group in groups for p in group["params"]]
    assert sorted(in_groups) == sorted(id(p) for p in freezer.model.parameters() if p.requires_grad)
    for group in groups:
        assert {p.ndim >= 2 for p in group["params"]} == {group["weight_decay"] > 0}
    optimizer.set_rates(0)
    assert {id(p) for _, p in optimizer.named} == set(in_groups)


def test_rates_fall_towards_the_input() -> None:
    optimizer = optimizer_of(freezer_of(train=("everything",)), layer_decay=0.5)
    optimizer.set_rates(2)  # the warm-up of 2 steps is over
    rates = optimizer.rates()
    assert [rate.name for rate in rates] == ["stem", "stage 1", "stage 2", "stage 3", "stage 4", "neck", "head"]
    assert [rate.requested for rate in rates] == pytest.approx([0.1 * 0.5**distance for distance in range(6, -1, -1)])
    assert [rate.applied for rate in rates] == [rate.requested for rate in rates]
    assert optimizer.rate == 0.1


def test_ticks_keep_the_state_of_what_stays_and_warm_up_what_is_new() -> None:
    freezer = freezer_of(train=("head", "stage 4"))
    optimizer = optimizer_of(freezer, steps=20)
    for parameter in optimizer.parameters:
        parameter.grad = torch.ones_like(parameter)
    optimizer.set_rates(4)
    optimizer.adamw.step()
    head = freezer.model.get_submodule("classifier").weight
    momentum = optimizer.adamw.state[head]["exp_avg"].clone()
    left = freezer.learning_by_stage()["stage 4"][0][1]
    freezer.set_trainable(freezer.resolve(["head", "stage 3"]))
    optimizer.layers_changed(step=10)
    assert torch.equal(optimizer.adamw.state[head]["exp_avg"], momentum)
    assert left not in optimizer.adamw.state
    applied = []
    for step in range(10, 15):
        optimizer.set_rates(step)
        rates = {rate.name: rate.applied for rate in optimizer.rates()}
        applied.append(rates["stage 3"] / rates["head"])
    assert applied == pytest.approx([1 / 5, 2 / 5, 3 / 5, 4 / 5, 1.0]), "4 of 20 steps warm up"


def test_more_of_a_stage_that_learns_already_warms_up_for_itself() -> None:
    freezer = freezer_of(train=("stage 4", "head"))
    whole, head = freezer.resolve(["stage 4", "head"]), freezer.resolve(["head"])
    part = head | set(sorted(whole - head)[:3])
    freezer.set_trainable(part)
    optimizer = optimizer_of(freezer, steps=20)
    freezer.set_trainable(whole)
    optimizer.layers_changed(step=10)
    optimizer.set_rates(10)
    rates: dict[bool, set[float]] = {}
    old = {id(p) for row in part for p in freezer.learning_by_row()[row]}
    for group in optimizer.adamw.param_groups:
        for parameter in group["params"]:
            rates.setdefault(id(parameter) in old, set()).add(group["lr"])
    (settled,), (warming,) = rates[True], rates[False]
    assert warming == pytest.approx(settled / 5)
    assert [rate.applied for rate in optimizer.rates()] == [settled] * 2, "of the rest of the stage"
    again = optimizer_of(freezer, steps=20)
    again.load_state_dict(optimizer.state_dict())
    again.set_rates(10)
    assert {id(p): g["lr"] for g in again.adamw.param_groups for p in g["params"]} == {
        id(p): g["lr"] for g in optimizer.adamw.param_groups for p in g["params"]
    }


def test_a_shared_parameter_is_in_one_group() -> None:
    freezer = freezer_of(train=("everything",))
    model = freezer.model
    model.get_submodule("blocks.1.0.bn1").bias = model.get_submodule("blocks.1.0.bn2").bias
    in_groups = [id(p) for p in optimizer_of(freezer).parameters]
    assert len(in_groups) == len(set(in_groups))


def test_names_say_the_shortest_and_mean_the_same() -> None:
    freezer = freezer_of()
    for names in (["head"], ["last stage", "head"], ["stem"], ["stage 2", "blocks.0.0", "head"], ["everything"]):
        units = freezer.resolve(names)
        assert freezer.resolve(freezer.names(units)) == units
    assert freezer.names(freezer.resolve(["stem", "blocks", "conv_head", "bn2", "classifier"])) == ["everything"]
    assert freezer.names(set()) == []


def test_a_container_with_its_own_parameters_can_be_ticked_alone() -> None:
    freezer = freezer_of("convnext_atto", ())
    block = next(
        i for i, row in enumerate(freezer.tree.rows) if row.own_parameters and len(freezer.tree.names.subtree(i)) > 1
    )
    names = freezer.names({block})
    assert names == [freezer.tree.rows[block].name + ":own"]
    assert freezer.resolve(names) == {block}


def test_unknown_layers_are_a_sentence() -> None:
    with pytest.raises(EngineError, match=r"no layer “stage 99”. It has: stem, stage 1"):
        freezer_of(train=("stage 99",))
    with pytest.raises(EngineError, match="all layers are frozen"):
        check_trainable(set())


def test_learning_rate_rises_then_falls_to_zero() -> None:
    rates = [learning_rate(1.0, step, 100, 0.1) for step in range(101)]
    assert rates[0] < 0.2 and max(rates) == rates[10] == 1.0 and rates[100] < 1e-9
    assert rates[:11] == sorted(rates[:11]) and rates[10:] == sorted(rates[10:], reverse=True)
    assert learning_rate(1.0, 0, 1, 0.1) == 1.0


def test_a_parameter_nothing_depends_on_is_left_alone() -> None:
    freezer = freezer_of(train=("head", "stem"))
    optimizer = optimizer_of(freezer)
    stem = freezer.model.get_submodule("conv_stem").weight
    head = freezer.model.get_submodule("classifier").weight
    before = stem.detach().clone()
    for _ in range(2):
        optimizer.zero_gradients()
        freezer.model.get_submodule("classifier")(torch.randn(4, head.shape[1])).sum().backward()
        optimizer.step()
    assert torch.equal(stem, before), "not even weight decay"
    assert stem not in optimizer.adamw.state and head in optimizer.adamw.state


def test_what_a_checkpoint_gives_back_lies_in_memory_as_the_weights_do() -> None:
    """In a file all numbers lie row by row, in a model channels last: AdamW's fused kernels refuse a mixture."""
    freezer = freezer_of(train=("everything",))
    freezer.model.to(memory_format=torch.channels_last)
    optimizer = optimizer_of(freezer)
    for parameter in optimizer.parameters:
        assert parameter.grad is not None
        parameter.grad.fill_(0.5)
    optimizer.step()
    state = optimizer.state_dict()
    from_file = {
        name: {quantity: value.clone(memory_format=torch.contiguous_format) for quantity, value in quantities.items()}
        for name, quantities in state["state"].items()
    }
    again = optimizer_of(freezer)
    again.load_state_dict({**state, "state": from_file})
    for parameter in again.parameters:
        for quantity in ("exp_avg", "exp_avg_sq"):
            value = again.adamw.state[parameter][quantity]
            assert value.stride() == parameter.stride() and not value.requires_grad
            assert torch.equal(value, optimizer.adamw.state[parameter][quantity])
