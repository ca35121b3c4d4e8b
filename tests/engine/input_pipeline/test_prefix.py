"""The frozen prefix gives what the whole model gives, for any architecture that traces, and nothing where it can't."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from ftgui.engine.input_pipeline.graph_tracing import NoPrefix
from ftgui.engine.input_pipeline.prefix import Cut, cut_model
from ftgui.engine.model.backbones import BuiltBackbone, build
from ftgui.engine.model.freezing import Freezer
from ftgui.engine.model.layer_tree import build_tree
from ftgui.engine.model.outputs import as_logits
from ftgui.protocol.recipe import Backbone

pytestmark = pytest.mark.slow

TORCHVISION = [
    "resnet18",
    "mobilenet_v3_small",
    "mnasnet0_5",
    "densenet121",
    "squeezenet1_1",
    "shufflenet_v2_x0_5",
    "regnet_y_400mf",
    "convnext_tiny",
    "swin_t",
    "vit_b_32",
]
TIMM = [
    "tf_efficientnet_lite0",  # same-padding convolutions
    "resnet18",
    "mobilenetv3_small_050",
    "convnext_atto",
    "vit_tiny_patch16_224",
    "swin_tiny_patch4_window7_224",
    "regnetx_002",
    "repvgg_a0",
    "mobilevit_xxs",
    "pvt_v2_b0",
    "edgenext_xx_small",
    "resnetv2_50x1_bit",
]


def ready(name: str) -> tuple[BuiltBackbone, Freezer, torch.Tensor]:
    """A model whose weights and statistics make logits of a usual size."""
    torch.manual_seed(0)
    built = build(Backbone(name=name, weights="none"), ["a", "b", "c"], seed=0)
    model = built.model.to(memory_format=torch.channels_last)
    size = min(built.preprocessing.size, 224)
    images = torch.randn(4, 3, size, size).to(memory_format=torch.channels_last)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        model.train()(images)  # so that batch norms have statistics of what they see
        model.eval()
        head = model.get_submodule(built.heads[-1])
        scale = as_logits(model(images)).abs().max()
        head.weight.mul_(1 / scale)
    freezer = Freezer(model, build_tree(model, built.heads))
    return built, freezer, images


def middle(freezer: Freezer) -> list[str]:
    stages = [row.name for row in freezer.tree.rows if row.parent < 0 and row.name.startswith("stage")]
    return [stages[len(stages) // 2]] if stages else ["head"]


@pytest.mark.parametrize("name", [f"torchvision/{name}" for name in TORCHVISION] + TIMM)
def test_both_parts_give_the_whole_models_logits(name: str) -> None:
    built, freezer, images = ready(name)
    model = built.model
    with torch.inference_mode():
        whole = as_logits(model(images))
    assert 0.1 < float(whole.abs().max()) < 30
    for train in (["head"], ["last stage", "head"], middle(freezer)):
        freezer.set_trainable(freezer.resolve(train))
        cut = cut_model(model, freezer, images[:3])
        with torch.inference_mode():
            # Rows in another order and number than the prefix saw: each is for itself.
            values = [value[[3, 0]] for value in cut.prefix(images)]
            torch.testing.assert_close(cut.rest(values), whole[[3, 0]], rtol=0, atol=1e-5)
        assert [tuple(value.shape[1:]) for value in values] == cut.shapes


def test_the_check_does_not_round_as_training_on_a_gpu_does() -> None:
    """What is kept is bf16 there; the check in bf16 or TF32 is off by more than it allows."""
    built, freezer, images = ready("test_efficientnet")
    freezer.set_trainable(freezer.resolve(["head"]))
    stem, precisions = built.model.get_submodule("conv_stem"), []
    stem.register_forward_hook(lambda _, __, out: precisions.append((out.dtype, torch.backends.cudnn.allow_tf32)))
    before = torch.backends.cudnn.allow_tf32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cut = cut_model(built.model, freezer, images[:3])
    assert (torch.float32, False) in precisions, "the whole model, in the check"
    assert cut.dtypes == [torch.bfloat16] and torch.backends.cudnn.allow_tf32 == before


@pytest.mark.parametrize("name", ["test_efficientnet", "test_resnet", "torchvision/mobilenet_v3_small"])
def test_in_bf16_it_is_cut_as_well(name: str) -> None:
    built, freezer, images = ready(name)
    freezer.set_trainable(freezer.resolve(["head"]))
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.inference_mode():
        cut = cut_model(built.model, freezer, images[:3])
        whole = as_logits(built.model(images)).float()
        parts = cut.rest(cut.prefix(images)).float()
    assert float((whole - parts).abs().max()) < 0.1 * float(whole.abs().max())


@pytest.mark.filterwarnings("ignore:The default weight initialization of GoogleNet:FutureWarning")
def test_heads_that_exist_only_while_it_trains_are_left_out() -> None:
    """GoogLeNet's auxiliary ones: the graphs of both modes differ, and the training one serves for both."""
    built, freezer, images = ready("torchvision/googlenet")
    freezer.set_trainable(freezer.resolve(["last stage", "head"]))
    cut = cut_model(built.model, freezer, images[:3])
    with torch.inference_mode():
        torch.testing.assert_close(cut.rest(cut.prefix(images)), built.model(images), rtol=0, atol=1e-4)


def tiny(train: list[str], name: str = "test_efficientnet") -> tuple[Freezer, Cut]:
    built, freezer, images = ready(name)
    freezer.set_trainable(freezer.resolve(train))
    return freezer, cut_model(built.model, freezer, images[:3])


def test_gradients_and_statistics_are_those_of_the_whole_model() -> None:
    freezer, cut = tiny(["stage 4", "neck", "head"])
    model = freezer.model
    images = torch.randn(6, 3, 160, 160)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = []
    for logits in (lambda: model(images), lambda: cut.rest([value.clone() for value in cut.prefix(images)])):
        model.load_state_dict(before)
        freezer.train_mode()
        model.zero_grad()
        functional.cross_entropy(logits(), torch.tensor([0, 1, 2, 0, 1, 2])).backward()
        gradients = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
        found.append((gradients, {name: value.clone() for name, value in model.state_dict().items()}))
    (whole, state), (parts, state_of_parts) = found
    assert set(whole) == set(parts) == {n for n, p in model.named_parameters() if p.requires_grad}
    for name, gradient in whole.items():
        torch.testing.assert_close(gradient, parts[name], rtol=1e-3, atol=1e-5)
    changed = {name for name in state if not torch.equal(state[name], before[name])}
    assert changed and all("running" in name or "tracked" in name for name in changed)
    for name in changed:
        torch.testing.assert_close(state[name], state_of_parts[name])


def test_the_head_alone_needs_one_vector_an_image() -> None:
    _, cut = tiny(["head"])
    assert cut.shapes == [(256,)] and cut.bytes_per_view == 256 * 4


def test_the_prefix_does_not_follow_the_model() -> None:
    """What was cached was computed once; the cut says so by being a copy."""
    freezer, cut = tiny(["head"])
    images = torch.randn(2, 3, 160, 160)
    before = cut.prefix(images)[0]
    with torch.no_grad():
        freezer.model.get_submodule("conv_stem").weight.zero_()
    torch.testing.assert_close(cut.prefix(images)[0], before)


def test_the_model_is_left_as_it_was() -> None:
    built, freezer, images = ready("swin_tiny_patch4_window7_224")
    freezer.set_trainable(freezer.resolve(["head"]))
    attributes, state = set(vars(built.model)), {n: v.clone() for n, v in built.model.state_dict().items()}
    cut_model(built.model, freezer, images[:3])
    assert set(vars(built.model)) == attributes and not built.model.training
    assert all(torch.equal(value, state[name]) for name, value in built.model.state_dict().items())


class Base(nn.Module):
    """A model of three convolutions; subclasses do something awkward after the first."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(3, 8, 3, stride=2)
        self.two = nn.Conv2d(8, 8, 3, stride=2)
        self.drop = nn.Dropout(0.5)
        self.classifier = nn.Linear(8, 2)

    def awkward(self, x: torch.Tensor) -> torch.Tensor:
        return x

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.two(self.awkward(self.one(x)))
        return self.classifier(self.drop(x.mean((2, 3))))


class Branches(Base):
    def awkward(self, x: torch.Tensor) -> torch.Tensor:
        return x if x.sum() > 0 else -x


class Noise(Base):
    def awkward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.randn_like(x)


class HiddenNoise(Base):
    """A leaf module whose name does not tell."""

    class Layer(nn.Conv2d):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) + torch.rand(())

    def __init__(self) -> None:
        super().__init__()
        self.one = HiddenNoise.Layer(3, 8, 3, stride=2)
        self.one.__class__.__module__ = "torch.nn.made_up"  # fx takes it for a leaf


class FrozenDropout(Base):
    """Dropout that a frozen backbone keeps on: told by a plain value."""

    def awkward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.dropout(x, 0.5, training=True)


class MixesImages(Base):
    def awkward(self, x: torch.Tensor) -> torch.Tensor:
        return x + x.mean(0, keepdim=True)


def cut_of(model: nn.Module, train: list[str]) -> Cut:
    freezer = Freezer(model, build_tree(model, ["classifier"]))
    freezer.set_trainable(freezer.resolve(train))
    torch.manual_seed(0)
    return cut_model(model, freezer, torch.randn(3, 3, 32, 32))


@pytest.mark.parametrize(
    ("kind", "why"),
    [(Branches, "traced"), (HiddenNoise, "random"), (MixesImages, "does not give")],
)
def test_where_it_would_be_wrong_there_is_none(kind: type[Base], why: str) -> None:
    with pytest.raises(NoPrefix, match=why):
        cut_of(kind(), ["classifier"])


@pytest.mark.parametrize("kind", [Noise, FrozenDropout])
def test_it_ends_before_what_is_random(kind: type[Base]) -> None:
    with pytest.raises(NoPrefix, match=r"random|does not give|first layer"):
        cut_of(kind(), ["classifier"])


def test_dropout_that_learns_along_is_not_in_it() -> None:
    """In train mode the rest drops; the same features give other logits each time, in eval mode the same."""
    model = Base()
    cut = cut_of(model, ["classifier"])
    values = cut.prefix(torch.randn(4, 3, 32, 32))
    model.train()
    assert not torch.equal(cut.rest(values), cut.rest(values))
    model.eval()
    assert torch.equal(cut.rest(values), cut.rest(values))


def test_nothing_is_cut_where_the_first_layer_learns() -> None:
    with pytest.raises(NoPrefix, match="first layer learns"):
        cut_of(Base(), ["one", "classifier"])
