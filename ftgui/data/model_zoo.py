"""What ftgui knows about every model without torch: facts from ``resources/models.json``, and what is on this computer."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path

from ftgui.base import paths

SMALL = 10_000_000
"""Parameters; models below learn and answer quickly without a GPU."""

OPEN_LICENCES = frozenset({"Apache-2.0", "MIT", "BSD-3-Clause", "CC-BY-4.0"})
"""They allow commercial use and are known well enough to say so."""

NON_COMMERCIAL = frozenset(
    {"CC-BY-NC-4.0", "CC-BY-NC-SA-4.0", "fair-noncommercial-research-license", "seer-license", "apple-amlr"}
)
"""Their texts allow research or other non-commercial use only."""


HUB_FILES = ("model.safetensors", "pytorch_model.bin")
"""Names of weights files in a hub repository, in the order of timm's own preference."""


class Source(Enum):
    """Where pretrained weights come from."""

    PACKAGED = "packaged"
    CHECKPOINT = "file"
    """A file in torch's folder of checkpoints."""
    HUB = "hub"
    """A repository of the Hugging Face hub."""
    NONE = ""
    """There are none."""


@dataclass(frozen=True, slots=True)
class KnownModel:
    """One row of the model chooser."""

    name: str
    """As in `Backbone.name`."""
    parameters: int
    input: int
    """Pixels, width and height."""
    licence: str
    """Of the weights; empty when nobody states one."""
    trained_on: str
    classes: int
    """That the weights came with; 0: features only."""
    megabytes: int
    """Of the weights file."""
    source: Source
    place: str
    """The file's name, or the hub's repository."""
    haystack: str
    """Lower-case text that a search looks in."""

    @property
    def commercial(self) -> bool | None:
        """Whether the weights' licence allows commercial use; None: its own terms say, or nobody does."""
        if self.licence in OPEN_LICENCES:
            return True
        return False if self.licence in NON_COMMERCIAL else None

    @property
    def licence_words(self) -> str:
        """For people."""
        if not self.licence:
            return "not stated" if self.source is not Source.NONE else "–"
        if self.commercial is False:
            return f"{self.licence} — not for commercial use"
        return self.licence if self.commercial else f"{self.licence} — its own terms"

    @property
    def licence_details(self) -> str:
        """`licence_words`, with what helps where no licence is stated."""
        if not self.licence and self.family == "torchvision":
            return "not stated (torchvision's own code is BSD-3-Clause)"
        return self.licence_words

    @property
    def family(self) -> str:
        """The library it is from."""
        return "torchvision" if self.name.startswith("torchvision/") else "timm"


@cache
def known_models() -> tuple[KnownModel, ...]:
    """Every model of the pinned timm and torchvision; a default tag comes before an architecture's other tags."""
    content = json.loads(paths.resource("models.json").read_text(encoding="utf-8"))
    return tuple(_read(row) for row in content["models"])


def _read(row: list[object]) -> KnownModel:
    name, parameters, pixels, licence, trained_on, classes, megabytes, source = row
    kind, _, place = str(source).partition(":")
    family = "" if str(name).startswith("torchvision/") else "timm"
    return KnownModel(
        name=str(name),
        parameters=int(str(parameters)),
        input=int(str(pixels)),
        licence=str(licence),
        trained_on=str(trained_on),
        classes=int(str(classes)),
        megabytes=int(str(megabytes)),
        source=Source(kind),
        place=place,
        haystack=f"{name} {family} {licence} {trained_on}".lower(),
    )


def find(name: str) -> KnownModel | None:
    """The entry a recipe's name means: exactly, or the default tag of a name without one."""
    by_name = _by_name()
    return by_name.get(name) or by_name.get(f"{name}.*")


def named_in(text: str) -> str:
    """The longest name of an architecture that a text holds as a word of its own, as ``resnet50-0676ba61.pth`` does; empty:
    none. Below four letters it might be chance."""
    lower = text.lower()
    names = {model.name.removeprefix("torchvision/").partition(".")[0] for model in known_models()}
    found = [
        name for name in names if len(name) >= 4 and re.search(rf"(?<![a-z0-9]){re.escape(name)}(?![a-z0-9])", lower)
    ]
    return max(found, key=len, default="")


@cache
def _by_name() -> dict[str, KnownModel]:
    found: dict[str, KnownModel] = {}
    for model in known_models():
        found[model.name] = model
        found.setdefault(model.name.partition(".")[0] + ".*", model)
    return found


# --- on this computer -----------------------------------------------------------------------------------------------


def weights_here() -> frozenset[str]:
    """Names of the models whose pretrained weights need no download.

    Looks where torch and huggingface_hub keep theirs, by their documented rules; some milliseconds.
    """
    files = _names_in(checkpoints())
    repositories = _names_in(hub_cache())
    return frozenset(model.name for model in known_models() if _is_here(model, files, repositories))


def _is_here(model: KnownModel, files: frozenset[str], repositories: frozenset[str]) -> bool:
    if model.source is Source.CHECKPOINT:
        return model.place in files
    if model.source is Source.HUB:
        folder = f"models--{model.place.replace('/', '--')}"
        # The folder is there from the first byte of a download on; the snapshot only once it is complete.
        return folder in repositories and any(
            path.name in HUB_FILES and path.exists() for path in (hub_cache() / folder / "snapshots").glob("*/*")
        )
    return model.source is Source.PACKAGED


def _names_in(folder: Path) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))  # noqa: PTH208 - names only, and thousands of them
    except OSError:
        return frozenset()


def checkpoints() -> Path:
    """Folder of the weights that torchvision downloads: https://docs.pytorch.org/docs/stable/hub.html#where-are-my-downloaded-models-saved"""
    return _folder("TORCH_HOME", "torch") / "hub" / "checkpoints"


def hub_cache() -> Path:
    """Folder of what comes from the Hugging Face hub: https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables"""
    direct = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    return Path(direct).expanduser() if direct else _folder("HF_HOME", "huggingface") / "hub"


def _folder(variable: str, name: str) -> Path:
    given = os.environ.get(variable)
    if given:
        return Path(given).expanduser()
    cache_home = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache_home).expanduser() if cache_home else Path.home() / ".cache") / name


# --- words ----------------------------------------------------------------------------------------------------------

GOOD_FIRST_CHOICES = {
    "tf_efficientnet_lite0": "comes with ftgui; small, quick without a GPU",
    "mobilenetv3_large_100.ra_in1k": "the quickest; for phones and small computers",
    "resnet50.a1_in1k": "the classic everybody compares with",
    "efficientnet_b0.ra_in1k": "small, yet accurate",
    "convnext_tiny.in12k_ft_in1k": "accurate; needs a GPU or patience",
    "vit_small_patch16_224.augreg_in21k_ft_in1k": "a transformer; good with few images",
    "vit_small_patch14_dinov2.lvd142m": "sees fine detail; needs a GPU",
}
"""For somebody who does not know what to pick: name and reason."""


def in_plain_words(model: KnownModel) -> str:
    """What a model is good for, judged by its size and input only; first why it is recommended, if it is."""
    # Work per image grows with the parameters and with the number of pixels; 25 M at 224 pixels is a ResNet-50.
    effort = model.parameters / 25e6 * (model.input / 224) ** 2
    if effort < 0.45:
        speed = "Small and fast, also without a GPU; enough for most tasks."
    elif effort < 1.6:
        speed = "Middle-sized: usually more accurate than the small ones; fine with a GPU, slow without."
    elif effort < 6:
        speed = "Large: accurate with enough images; needs a GPU."
    else:
        speed = "Very large: for a big GPU and patience; with few images rarely better than a middle-sized one."
    learnt = f" Trained on {model.trained_on}." if model.trained_on else ""
    if model.source is not Source.NONE and not model.classes:
        learnt += " Has no classes of its own; yours are put on top."
    reason = GOOD_FIRST_CHOICES.get(model.name)
    return (f"Good first choice: {reason}. " if reason else "") + speed + learnt
