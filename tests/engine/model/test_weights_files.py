"""Weights as people have them: read whatever holds them, refused in a sentence otherwise, and no code is ever run."""

from __future__ import annotations

import argparse
import datetime
import gzip
import io
import json
import pathlib
import pickle
import struct
import tarfile
import zipfile
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import safetensors.torch
import timm
import torch

from ftgui.data.model_zoo import named_in
from ftgui.data.weights_kinds import is_weights_name
from ftgui.engine.errors import EngineError
from ftgui.engine.model import backbones
from ftgui.engine.model.backbones import build
from ftgui.engine.model.weights_files import read_content, read_weights
from ftgui.protocol import messages as m
from ftgui.protocol.recipe import Backbone

NAME = "test_efficientnet"
Weights = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def source() -> Weights:
    """Weights of another training, for five classes."""
    torch.manual_seed(7)
    return dict(timm.create_model(NAME, num_classes=5).state_dict())


def prefixed(prefix: str, state: Weights) -> Weights:
    return {prefix + name: tensor for name, tensor in state.items()}


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


# --- wrapped and prefixed -------------------------------------------------------------------------------------------


def noise(state: Weights) -> Weights:
    return {name: torch.zeros_like(tensor) for name, tensor in state.items()}


WRAPPED: dict[str, Callable[[Weights], Any]] = {
    "module.": lambda s: prefixed("module.", s),
    "_orig_mod.": lambda s: prefixed("_orig_mod.", s),
    "module._orig_mod.": lambda s: prefixed("module._orig_mod.", s),
    "compiled blocks": lambda s: {name.replace("blocks.", "blocks._orig_mod."): t for name, t in s.items()},
    "parallel blocks": lambda s: {name.replace("blocks.", "blocks.module."): t for name, t in s.items()},
    "FSDP": lambda s: prefixed("_fsdp_wrapped_module.", s),
    "Lightning": lambda s: {
        "state_dict": {**prefixed("model.", s), "criterion.weight": torch.ones(5)},
        "epoch": 3,
        "hyper_parameters": {"lr": 0.1, "path": pathlib.PurePosixPath("x")},
        "optimizer_states": [{"state": {0: {"exp_avg": torch.ones(3)}}}],
    },
    "backbone.": lambda s: prefixed("backbone.", s),
    "net.": lambda s: prefixed("net.", s),
    "encoder.": lambda s: prefixed("encoder.", s),
    "any.thing.": lambda s: prefixed("any.thing.", s),
    "net": lambda s: {"net": s, "acc": 9.0},
    "model_ema": lambda s: {"model_ema": s},
    "ema": lambda s: {"ema": s, "decay": 0.99},
    "weights": lambda s: {"weights": s},
    "params": lambda s: {"params": s},
    "three wrappers": lambda s: {"checkpoint": {"model": {"state_dict": prefixed("module.net.", s)}}},
    "a list": lambda s: [3, s],
    "timm's training": lambda s: {
        "state_dict": s,
        "args": argparse.Namespace(lr=0.1, model=NAME),
        "epoch": 3,
        "arch": NAME,
        "version": 2,
        "metric": np.float64(71.5),
        "optimizer": {"state": {}, "param_groups": []},
    },
    "options of all kinds": lambda s: {
        "model": s,
        "when": datetime.datetime(2024, 1, 2),
        "where": Path("somewhere"),
        "counts": defaultdict(int, a=1),
        "scores": np.array([1.0, 2.0]),
    },
    "averaged beside plain": lambda s: {"state_dict": noise(s), "state_dict_ema": s},
    "DINO": lambda s: {"student": prefixed("module.backbone.", noise(s)), "teacher": prefixed("backbone.", s)},
    "MoCo": lambda s: {
        "state_dict": {
            **prefixed("module.encoder_k.", noise(s)),
            **prefixed("module.encoder_q.", s),
            "module.queue": torch.ones(2),
        }
    },
    "BYOL": lambda s: {**prefixed("online.", s), **prefixed("target.", noise(s))},
    "half precision": lambda s: {name: t.half() if t.is_floating_point() else t for name, t in s.items()},
    "bfloat16": lambda s: {name: t.bfloat16() if t.is_floating_point() else t for name, t in s.items()},
    "double": lambda s: {name: t.double() if t.is_floating_point() else t for name, t in s.items()},
    "no counters": lambda s: {name: t for name, t in s.items() if not name.endswith("num_batches_tracked")},
    "parameters": lambda s: OrderedDict(
        (name, torch.nn.Parameter(t) if t.is_floating_point() else t) for name, t in s.items()
    ),
}


@pytest.mark.parametrize("how", WRAPPED)
def test_weights_are_found_however_they_are_wrapped(tmp_path: Path, source: Weights, how: str) -> None:
    path = tmp_path / "checkpoint.pth.tar"
    torch.save(WRAPPED[how](source), path)
    built = tiny(path, tuple("abcde"))
    for name, tensor in built.model.state_dict().items():
        near = torch.allclose(tensor, source[name], atol=0.02) if "half" in how or "bfloat" in how else None
        assert torch.equal(tensor, source[name]) if near is None else near, name
        assert tensor.dtype == source[name].dtype
    assert "taken" in built.taken and built.taken.startswith("checkpoint.pth.tar: ")


@pytest.mark.parametrize("old", [False, True])
def test_both_formats_of_torch_hold_options_safely(tmp_path: Path, source: Weights, old: bool) -> None:
    path = tmp_path / "w.pt"
    content = {"state_dict": source, "args": argparse.Namespace(lr=0.1)}
    torch.save(content, path, _use_new_zipfile_serialization=not old)
    assert tiny(path).taken.startswith("w.pt: ")
    assert read_content(path)["args"].lr == 0.1


@pytest.mark.parametrize("ending", [".pth", ".bin", ".ckpt", ".pt", ""])
def test_what_a_file_is_goes_by_its_content(tmp_path: Path, source: Weights, ending: str) -> None:
    path = tmp_path / f"weights{ending}"
    safetensors.torch.save_file({name: tensor.contiguous() for name, tensor in source.items()}, path)
    assert torch.equal(tiny(path).model.conv_stem.weight, source["conv_stem.weight"])
    torch.save(source, tmp_path / "x.safetensors")
    assert torch.equal(tiny(tmp_path / "x.safetensors").model.conv_stem.weight, source["conv_stem.weight"])


def test_a_file_within_itself_ends(tmp_path: Path, source: Weights) -> None:
    loop: dict[str, Any] = {"model": source}
    loop["again"] = loop
    torch.save(loop, tmp_path / "loop.pth")
    assert "taken" in tiny(tmp_path / "loop.pth").taken


# --- what is said ---------------------------------------------------------------------------------------------------


def said(tmp_path: Path, content: Any, classes: str = "ab") -> str:
    torch.save(content, tmp_path / "w.pth")
    return tiny(tmp_path / "w.pth", tuple(classes)).taken


def test_one_line_says_what_was_taken(tmp_path: Path, source: Weights) -> None:
    total = len(source)
    assert said(tmp_path, source, "abcde") == f"w.pth: all {total} tensors taken; nothing missing"
    left = f"w.pth: {total - 2} of {total} tensors taken; the head was left out (5 classes there); nothing missing"
    assert said(tmp_path, source) == left
    without = {name: tensor for name, tensor in source.items() if not name.startswith("classifier")}
    assert (
        said(tmp_path, without)
        == f"w.pth: all {total - 2} tensors taken; the file has no matching head, so the model has a new one; nothing missing"
    )
    line = said(tmp_path, {"ema": {**prefixed("model.", source), "model.projector.weight": torch.ones(2)}})
    assert line.startswith(
        f"w.pth: {total - 2} of {total + 1} tensors taken (those under “ema.model”); the head was left out"
    )
    assert "left out: “projector.weight”" in line


def test_the_line_reaches_window_and_terminal(engine, tmp_path: Path, source: Weights) -> None:
    torch.save(source, tmp_path / "w.pth")
    engine.do(m.LoadModel(1, Backbone(name=NAME, weights=str(tmp_path / "w.pth")), ["a", "b"], ["head"], device="cpu"))
    (told,) = engine.of(m.Log)
    assert (told.level, told.message.partition(":")[0]) == ("notice", "w.pth")


# --- NaN, other precision, other variants -----------------------------------------------------------------------------


def test_values_that_are_no_numbers_are_refused(tmp_path: Path, source: Weights) -> None:
    bad = {name: tensor.clone() for name, tensor in source.items()}
    bad["conv_stem.weight"].view(-1)[:3] = torch.nan
    with pytest.raises(EngineError, match=r"3 NaN of \d+ in conv_stem.weight. The run that wrote it diverged"):
        said(tmp_path, bad)
    bad["bn1.running_var"][1] = torch.inf
    with pytest.raises(EngineError, match=r"in conv_stem.weight; further tensors with such values: 1"):
        said(tmp_path, {"net": bad})
    huge = {**source, "bn1.weight": source["bn1.weight"].double() * 1e300}  # too large for the model's precision
    with pytest.raises(EngineError, match=r"\d+ infinite of \d+ in bn1.weight"):
        said(tmp_path, huge)
    only_head = {**source, "classifier.bias": source["classifier.bias"] * torch.nan}
    assert "the head was left out" in said(tmp_path, only_head)  # what is not used does no harm
    with pytest.raises(EngineError, match=r"in classifier\.bias"):
        said(tmp_path, only_head, "abcde")


def test_quantized_weights_are_refused(tmp_path: Path, source: Weights) -> None:
    small = {**source, "conv_stem.weight": (source["conv_stem.weight"] * 100).to(torch.int8)}
    with pytest.raises(EngineError, match=r"conv_stem\.weight is stored as int8"):
        said(tmp_path, small)


def test_a_larger_variant_of_the_architecture_does_not_pass_for_this_one(tmp_path: Path) -> None:
    """Every tensor of ResNet-18 is in ResNet-34, of the same shape."""
    torch.save(timm.create_model("resnet34", num_classes=3).state_dict(), tmp_path / "w.pth")
    with pytest.raises(EngineError, match=r"does not fit resnet18: it has layer1\.2\.\S+, which the model lacks"):
        build(Backbone(name="resnet18", weights=str(tmp_path / "w.pth")), ["a", "b"])


@pytest.mark.parametrize("told_by", ["arch", "file name", "size"])
def test_the_model_that_the_file_fits_is_named(tmp_path: Path, told_by: str) -> None:
    state = dict(timm.create_model("test_vit").state_dict())
    path = tmp_path / ("test_vit-0a1b.pth" if told_by == "file name" else "w.pth")
    torch.save({"arch": "test_vit", "state_dict": state} if told_by == "arch" else state, path)
    with pytest.raises(
        EngineError, match=r"does not fit test_efficientnet: .* They fit “test_vit\S*”: choose that model"
    ):
        tiny(path)


def test_an_architecture_that_is_not_known_here_is_passed_on(tmp_path: Path) -> None:
    torch.save({"arch": "my_own_net", "state_dict": {"layer.weight": torch.ones(2)}}, tmp_path / "w.pth")
    with pytest.raises(
        EngineError, match=r"of its 1 tensors none has a name .* The file says they are of “my_own_net”"
    ):
        tiny(tmp_path / "w.pth")


def test_timms_rules_read_what_its_authors_wrote(tmp_path: Path) -> None:
    """A vision transformer for larger images has more positions; timm resamples them, and so does this."""
    larger = timm.create_model("test_vit", img_size=192).state_dict()
    torch.save(larger, tmp_path / "w.pth")
    built = build(Backbone(name="test_vit", weights=str(tmp_path / "w.pth")), ["a", "b"])
    assert "timm's own rules adapted" in built.taken
    assert torch.equal(built.model.blocks[0].attn.qkv.weight, larger["blocks.0.attn.qkv.weight"])


# --- what is no weights file --------------------------------------------------------------------------------------------


def zipped(**files: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/"), content)
    return file.getvalue()


def tarred() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("weights.pth"))
    return file.getvalue()


def saved(content: Any) -> bytes:
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def scripted() -> bytes:
    file = io.BytesIO()
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.ones(1, 2)), file)
    return file.getvalue()


def onnx_model() -> bytes:
    graph = onnx.helper.make_graph([], "empty", [], [])
    return onnx.helper.make_model(graph, producer_name="pytorch").SerializeToString()


HEADER = json.dumps({"w": {"dtype": "F32", "shape": [9999], "data_offsets": [0, 39996]}}).encode()
NOT_WEIGHTS: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "It is empty"),
    "a page": (lambda: b"\n<!DOCTYPE html><html><body>Sign in</body></html>", "It is a web page"),
    "another page": (lambda: b"<html><head><title>404</title></head></html>", "It is a web page"),
    "LFS": (lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "git lfs pull"),
    "a zip": (lambda: zipped(readme=b"x", weights=b"y"), "It is a zip archive. Unpack it"),
    "a tar": (tarred, "It is a tar archive. Unpack it"),
    "a gzip": (lambda: gzip.compress(b"weights"), "packed with gzip. Unpack it"),
    "cut off": (lambda: saved({"w": torch.ones(3000)})[:5000], "cut off or damaged"),
    "cut off safetensors": (lambda: struct.pack("<Q", len(HEADER)) + HEADER + b"1234", "cut off or damaged"),
    "cut off, old format": (lambda: b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M", "cut off or damaged"),
    "ONNX": (onnx_model, "It is an ONNX model"),
    "TorchScript": (scripted, "It is a TorchScript program"),
    "Keras": (lambda: b"\x89HDF\r\n\x1a\n" + b"\0" * 40, "as Keras writes it"),
    "Keras 3": (lambda: zipped(**{"config.json": b"{}", "model.weights.h5": b"x"}), "It is a Keras model"),
    "NumPy": (lambda: zipped(**{"a.npy": b"x"}), "It holds NumPy arrays"),
    "torch.export": (lambda: zipped(**{"x__models__model.json": b"{}"}), "an exported torch program"),
    "JSON": (lambda: b'{"architectures": ["ResNet"]}', "It is JSON text"),
    "a message": (lambda: b"Access denied. Please log in.\n", "It is a text file"),
    "a picture": (lambda: b"\xff\xd8\xff\xe0" + b"\0" * 20, "It is an image"),
    "noise": (lambda: bytes(range(7, 250)), "not a weights file that ftgui knows"),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("kind", NOT_WEIGHTS)
@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_what_is_no_weights_file_is_said_for_what_it_is(tmp_path: Path, kind: str, ending: str) -> None:
    make, words = NOT_WEIGHTS[kind]
    path = tmp_path / f"x.{ending}"
    path.write_bytes(make())
    with pytest.raises(EngineError) as raised:
        read_weights(path)
    assert words in str(raised.value) and "x." in str(raised.value)


class Recorder:
    """Of a class that no other program has."""

    def __init__(self) -> None:
        self.best = 1.0


OBJECTS: dict[str, tuple[Callable[[], Any], str]] = {
    "a whole model": (
        lambda: timm.create_model(NAME),
        r"a whole model as Python objects \(timm\.models\.\w+\.EfficientNet\)",
    ),
    "a plain model": (
        lambda: {"net": torch.nn.Linear(2, 2)},
        r"a whole model as .* \(torch\.nn\.modules\.linear\.Linear\)",
    ),
    "something beside": (
        lambda: {"w": torch.ones(2), "log": Recorder()},
        r"Python objects beside weights \(\S+\.Recorder\)",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", OBJECTS)
@pytest.mark.parametrize("how", ["torch", "old", "pickle"])
def test_the_class_of_what_would_have_to_be_run_is_named(tmp_path: Path, what: str, how: str) -> None:
    make, words = OBJECTS[what]
    path = tmp_path / "x.pth"
    if how == "pickle":
        path.write_bytes(pickle.dumps(make()))  # of the newest protocol, which names classes by strings
    else:
        torch.save(make(), path, _use_new_zipfile_serialization=how == "torch")
    with pytest.raises(EngineError, match=rf"{words}, which could run code .* torch\.save\(model\.state_dict\(\)"):
        read_content(path)


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, {"a": {"b": {"c": 1}}}, torch.ones(3)])
def test_without_tensors_by_name_there_are_no_weights(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(EngineError, match="holds no tensors by name, so there are no weights in it"):
        read_weights(tmp_path / "x.pth")


# --- names ----------------------------------------------------------------------------------------------------------


def test_names_of_weights_files() -> None:
    for name in ("model_best.pth.tar", "epoch3.ckpt", "pytorch_model.bin", "w.pth", "W.PT", "model.safetensors"):
        assert is_weights_name(name)
    for name in ("photos.tar", "pictures.zip", "x.jpg", "pth", "labels.csv"):
        assert not is_weights_name(name)


@pytest.mark.slow
def test_the_model_a_file_is_named_after() -> None:
    assert named_in("resnet50-0676ba61.pth") == "resnet50"
    assert named_in("best_resnet18_epoch3.pth") == "resnet18"
    assert named_in("resnet500.pth") == ""
    assert named_in("Convnext_Tiny.in12k_ft.safetensors") == "convnext_tiny"
    assert named_in("efficientnet_b0 (1).pth") == "efficientnet_b0"
    assert named_in("weights.pth") == ""
