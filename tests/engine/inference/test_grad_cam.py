"""Grad-CAM as torchcam computes it, for convolutions and transformers, frozen or not; and where there is nothing to show."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import torchvision
from PIL import Image
from torch import nn
from torchcam.methods import GradCAM

from ftgui.data.images.preprocessing import Preprocessing, center_view, decode, seen_area
from ftgui.engine.inference.grad_cam import NoPlaces, explain, grad_cam
from ftgui.engine.model.layer_tree import build_tree, output_shapes
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Backbone
from tests.conftest import Maker, picture
from tests.engine.conftest import Engine


def image(size: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(seed))


def torchcam_map(model: nn.Module, layer: str, images: torch.Tensor, target: int) -> torch.Tensor:
    with GradCAM(model, target_layer=layer) as extractor:
        logits = model(images.clone().requires_grad_())
        (found,) = extractor(target, logits)
    return found[0]


@pytest.mark.parametrize(
    ("name", "layer"),
    [("test_efficientnet", "blocks.3"), ("test_resnet", "layer3"), ("test_convnext", "stages.2")],
)
@pytest.mark.parametrize("target", [0, 3])
@pytest.mark.parametrize("frozen", [True, False])
def test_as_torchcam_has_it(name: str, layer: str, target: int, frozen: bool) -> None:
    torch.manual_seed(1)
    model = timm.create_model(name, num_classes=5).eval()
    model.get_submodule(layer)
    images = image(160)
    wanted = torchcam_map(model, layer, images, target)
    model.requires_grad_(not frozen)
    found, logits, chosen = grad_cam(model, model.get_submodule(layer), images, target)
    assert chosen == target and logits.shape == (5,)
    if wanted.max() > 0:
        torch.testing.assert_close(found, wanted.cpu(), atol=2e-3, rtol=0)
    assert not any(parameter.grad is not None for parameter in model.parameters())


def planted(corner: tuple[int, int]) -> torch.Tensor:
    """A blank picture with something in one of four corners."""
    images = torch.zeros(1, 3, 64, 64)
    y, x = 32 * corner[0], 32 * corner[1]
    images[:, :, y : y + 32, x : x + 32] = 1
    return images


class Tokens(nn.Module):
    """As much of a vision transformer as matters: patches as tokens behind extra ones, answered by their mean."""

    def __init__(self, extra: int) -> None:
        super().__init__()
        self.num_prefix_tokens = extra
        self.patches = nn.Conv2d(3, 12, 8, 8)
        nn.init.constant_(self.patches.weight, 0.1)
        self.block = nn.Identity()
        self.head = nn.Linear(12, 2)
        nn.init.constant_(self.head.weight, 0.0)
        nn.init.constant_(self.head.weight[1], 1.0)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        extra = torch.zeros(len(images), self.num_prefix_tokens, 12)
        tokens = self.block(torch.cat([extra, tokens], 1))
        return self.head(tokens[:, self.num_prefix_tokens :].mean(1))


class ChannelsLast(Tokens):
    """As in Swin: (N, H, W, C)."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.block(self.patches(images).permute(0, 2, 3, 1)).mean((1, 2)))


@pytest.mark.parametrize("model", [Tokens(0), Tokens(1), Tokens(5), ChannelsLast(0)])
@pytest.mark.parametrize("corner", [(0, 0), (0, 1), (1, 0)])
def test_tokens_lie_where_they_are_in_the_picture(model: Tokens, corner: tuple[int, int]) -> None:
    heat, _, _ = grad_cam(model.eval(), model.block, planted(corner), 1)
    assert heat.shape == (8, 8)
    wanted = torch.zeros(8, 8)
    wanted[4 * corner[0] : 4 * corner[0] + 4, 4 * corner[1] : 4 * corner[1] + 4] = 1
    torch.testing.assert_close(heat, wanted)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["test_vit", "test_efficientnet", "swin_tiny_patch4_window7_224", "vit_tiny_patch16_224"]
)
def test_a_layer_is_found_for_every_kind_of_model(name: str) -> None:
    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=3).eval()
    size = model.pretrained_cfg["input_size"][-1]
    tree = build_tree(model, [model.pretrained_cfg["classifier"]])
    shapes = [node.output for node in tree.nodes(output_shapes(model, size))]
    heat, probabilities = explain(model, tree, shapes, image(size), None)
    assert min(heat.values.shape) > 1 and heat.values.max() > 0 and sum(probabilities) == pytest.approx(1, abs=1e-4)
    assert heat.target == probabilities.index(max(probabilities))


@pytest.mark.slow
def test_torchvision_transformers_too() -> None:
    torch.manual_seed(0)
    model = torchvision.models.vit_b_32(num_classes=3).eval()
    torch.nn.init.normal_(model.heads.head.weight)  # torchvision begins with zeros: no place would matter
    tree = build_tree(model, ["heads.head"])
    shapes = [node.output for node in tree.nodes(output_shapes(model, 224))]
    heat, _ = explain(model, tree, shapes, image(224), 1)
    assert heat.values.shape == (7, 7) and heat.values.max() == 1


def test_layers_that_have_no_places_say_so() -> None:
    model = timm.create_model("test_vit", num_classes=3).eval()
    size = model.pretrained_cfg["input_size"][-1]
    with pytest.raises(NoPlaces, match="no image positions"):
        grad_cam(model, model.get_submodule("head"), image(size), 0)
    last = model.get_submodule(f"blocks.{len(model.blocks) - 1}")
    if model.global_pool == "token":
        with pytest.raises(NoPlaces, match="earlier layer"):
            grad_cam(model, last, image(size), 0)
    with pytest.raises(NoPlaces, match="not used"):
        grad_cam(model, nn.Identity(), image(size), 0)


def test_the_program_explains_and_says_what_it_saw(engine: Engine, tmp_path: Path) -> None:
    wide = tmp_path / "wide.jpg"
    picture((90, 160, 60), 3, (400, 200)).save(wide)
    engine.do(m.LoadModel(1, Backbone(name="test_efficientnet", weights="none"), ["a", "b"], ["head"], "cpu"))
    answer = engine.do(m.Explain(2, str(wide)))
    assert isinstance(answer, m.Explanation), answer
    heat = np.array(answer.heat)
    assert heat.min() >= 0 and heat.max() in (0, 1)
    left, top, right, bottom = answer.area
    assert right - left == pytest.approx((bottom - top) / 2) and (left + right) / 2 == pytest.approx(0.5)
    other = engine.do(m.Explain(3, str(wide), class_name="a", layer="stage 1"))
    assert isinstance(other, m.Explanation) and other.class_name == "a" and other.layer == "stage 1"
    assert len(other.heat) > len(answer.heat), "an earlier layer has more places"
    assert "no class" in engine.do(m.Explain(4, str(wide), class_name="c")).message
    assert "no layer" in engine.do(m.Explain(5, str(wide), layer="nowhere")).message
    assert "no image positions" in engine.do(m.Explain(6, str(wide), layer="head")).message
    assert isinstance(engine.do(m.Explain(7, str(tmp_path / "none.jpg"))), m.CommandFailed)
    assert isinstance(engine.do(m.Predict(8, str(wide))), m.Prediction), "nothing is left behind on the model"


def test_explained_while_it_learns(engine: Engine, make_dataset: Maker, train_command: Callable[..., m.Train]) -> None:
    root = make_dataset(count=8)
    asked = []

    def ask(event: m.Event) -> None:
        if isinstance(event, m.StepMetrics) and not asked:
            asked.append(event)
            engine.queue = [m.Explain(9, str(root / "red" / "red0.jpg"))]

    engine.on_event = ask
    end = engine.do(train_command(root))
    assert isinstance(end, m.TrainingFinished) and end.reason == "done"
    assert len(engine.of(m.Explanation)) == 1
    assert all(event.frozen_unchanged for event in engine.of(m.PhaseFinished))


def test_what_the_model_sees_of_a_picture(tmp_path: Path) -> None:
    """A white square exactly where the model is said to look fills what it sees."""
    preprocessing = Preprocessing(100, 125, (0.5,) * 3, (0.5,) * 3, "bilinear")
    for size in ((500, 300), (300, 600)):
        left, top, right, bottom = seen_area(*size, preprocessing)
        canvas = Image.new("RGB", size, "black")
        box = [round(left * size[0]), round(top * size[1]), round(right * size[0]), round(bottom * size[1])]
        canvas.paste("white", box)
        canvas.save(tmp_path / "seen.png")
        seen = center_view(decode(tmp_path / "seen.png", preprocessing), 100)
        assert seen[3:-3, 3:-3].min() == 255
        canvas = Image.new("RGB", size, "white")
        canvas.paste("black", box)
        canvas.save(tmp_path / "seen.png")
        assert center_view(decode(tmp_path / "seen.png", preprocessing), 100)[3:-3, 3:-3].max() == 0


@pytest.mark.slow
def test_how_long_it_takes_with_the_packaged_model(engine: Engine, tmp_path: Path) -> None:
    """Printed, not asserted: run with -s. The goal is 300 ms on a CPU."""
    file = tmp_path / "photo.jpg"
    picture((120, 90, 60), 1, (1600, 1200)).save(file)
    engine.do(m.LoadModel(1, Backbone(), ["a", "b"], ["head"], "cpu"))
    engine.do(m.Explain(2, str(file)))
    took = []
    for request in range(3, 10):
        started = time.perf_counter()
        answer = engine.do(m.Explain(request, str(file)))
        took.append((time.perf_counter() - started) * 1000)
        assert isinstance(answer, m.Explanation) and np.array(answer.heat).shape == (7, 7)
    print(f"an explanation takes {sorted(took)[3]:.0f} ms (median of 7)")
