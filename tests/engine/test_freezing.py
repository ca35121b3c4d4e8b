"""Frozen means frozen: no gradient, no optimizer, no moving statistics, no dropout, and a hash to prove it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ftgui.engine.backbones import build
from ftgui.engine.errors import EngineError
from ftgui.engine.freezing import Freezer, check_trainable
from ftgui.engine.layers import build_tree
from ftgui.engine.phases import learning_rate, make_optimizer
from ftgui.protocol.recipe import Backbone, Phase, Training


def freezer_of(name: str = "test_efficientnet", train: tuple[str, ...] = ("head",)) -> Freezer:
    built = build(Backbone(name=name, weights="none"), ["a", "b", "c"])
    freezer = Freezer(built.model, build_tree(built.model, built.heads))
    freezer.set_trainable(freezer.resolve(train))
    return freezer


PRESETS = [("head",), ("last stage", "head"), ("stage 2", "head"), ("blocks.1",), ("everything",)]


@pytest.mark.parametrize("train", PRESETS)
def test_training_steps_leave_the_frozen_part_bit_identical(train: tuple[str, ...]) -> None:
    freezer = freezer_of(train=train)
    model = freezer.model
    frozen = {n: p.detach().clone() for n, p in model.named_parameters() if not p.requires_grad}
    learning = {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}
    before = freezer.frozen_hash()
    phase = Phase(name="x", train=list(train), epochs=1, lr=0.1)
    optimizer = make_optimizer(model, phase, Training(weight_decay=0.5), torch.device("cpu"))
    for _ in range(3):
        freezer.train_mode()
        loss = nn.functional.cross_entropy(model(torch.randn(4, 3, 96, 96)), torch.tensor([0, 1, 2, 0]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    now = dict(model.named_parameters())
    assert all(torch.equal(value, now[name]) for name, value in frozen.items())
    assert all(not torch.equal(value, now[name]) for name, value in learning.items())
    assert freezer.frozen_hash() == before


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
    phase = Phase(name="x", train=list(train), epochs=1, lr=0.1)
    optimizer = make_optimizer(freezer.model, phase, Training(weight_decay=0.5), torch.device("cpu"))
    in_groups = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(in_groups) == sorted(id(p) for p in freezer.model.parameters() if p.requires_grad)
    for group in optimizer.param_groups:
        assert {p.ndim >= 2 for p in group["params"]} == {group["weight_decay"] > 0}


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
        i for i, row in enumerate(freezer.tree.rows) if row.own_parameters and len(freezer.tree.subtree(i)) > 1
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
