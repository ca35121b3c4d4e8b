"""Write resources/models.json: what the model chooser says about every model, without torch.

    python3 packaging/start.py run packaging/make_model_list.py

Run it again after timm or torchvision are pinned anew. Facts come from the installed libraries only; what they do not
state is left empty rather than guessed. Takes some minutes, because each architecture is built once (on the meta
device, so without memory for its weights) to count its parameters.
"""

from __future__ import annotations

import json
import re
import sys
import urllib.parse
import warnings
from pathlib import Path

import timm
import torch
import torchvision
from timm.models import get_pretrained_cfg

TARGET = Path(__file__).resolve().parent.parent / "resources" / "models.json"
PACKAGED = "tf_efficientnet_lite0"
PACKAGED_MEGABYTES = 19

SWAG = "https://github.com/facebookresearch/SWAG/blob/main/LICENSE"
"""What torchvision gives as the licence of its SWAG weights; the text behind it is CC-BY-NC-4.0."""

DATASETS = {
    "in1k": "ImageNet-1k",
    "in12k": "ImageNet-12k",
    "in21k": "ImageNet-21k",
    "in22k": "ImageNet-22k",
    "inw21k": "ImageNet-21k",
    "inat21": "iNaturalist 2021",
    "laion2b": "LAION-2B",
    "laion400m": "LAION-400M",
    "openai": "OpenAI's 400 M image-text pairs",
    "webli": "WebLI",
    "datacompxl": "DataComp-XL",
    "datacomp1b": "DataComp-1B",
    "dfn2b": "DFN-2B",
    "dfndr2b": "DFNDR-2B",
    "dfn5b": "DFN-5B",
    "metaclip": "MetaCLIP",
    "merged2b": "Merged-2B",
    "yfcc15m": "YFCC-15M",
    "cc12m": "CC-12M",
    "yfcc100m": "YFCC-100M",
    "ig1b": "1 G Instagram images",
    "swsl": "1 G Instagram images",
    "lvd142m": "LVD-142M",
    "lvd1689m": "LVD-1689M",
    "jft300m": "JFT-300M",
    "m38m": "38 M mixed images",
}
"""Data set codes of timm's tags (https://huggingface.co/timm), as words."""


def main() -> int:
    warnings.simplefilter("ignore")
    rows = [*packaged(), *torchvision_models(), *timm_models()]
    about = {"timm": timm.__version__, "torchvision": torchvision.__version__.split("+")[0]}
    head = json.dumps({"made_with": about, "columns": COLUMNS}, separators=(",", ":"))[:-1]
    lines = ",\n".join(json.dumps(row, separators=(",", ":"), ensure_ascii=False) for row in rows)
    TARGET.write_text(f'{head},"models":[\n{lines}\n]}}\n', encoding="utf-8")
    print(f"{len(rows):,} models in {TARGET} ({TARGET.stat().st_size / 1e3:.0f} kB)")
    return 0


COLUMNS = ["name", "parameters", "input", "licence", "trained_on", "classes", "megabytes", "source"]
"""One list per model, in this order. ``source``: ``file:…`` in torch's folder of checkpoints, ``hub:…`` a repository of
the Hugging Face hub, ``packaged``, or empty when there are no pretrained weights."""


def packaged() -> list[list[object]]:
    config = get_pretrained_cfg(PACKAGED)
    size = parameters(PACKAGED)
    return [[PACKAGED, size, config.input_size[-1], "Apache-2.0", "ImageNet-1k", 1000, PACKAGED_MEGABYTES, "packaged"]]


def torchvision_models() -> list[list[object]]:
    rows: list[list[object]] = []
    for name in torchvision.models.list_models(module=torchvision.models):
        weights = torchvision.models.get_model_weights(name).DEFAULT
        meta = weights.meta
        licence = "CC-BY-NC-4.0" if meta.get("license") == SWAG else ""
        trained_on = "ImageNet-1k" if "IMAGENET1K" in weights.name else ""
        if "SWAG" in weights.name:
            trained_on = "Instagram images, then ImageNet-1k"
        source = "file:" + Path(urllib.parse.urlparse(weights.url).path).name
        rows.append(
            [
                f"torchvision/{name}",
                meta["num_params"],
                weights.transforms().crop_size[0],
                licence,
                trained_on,
                len(meta["categories"]),
                round(meta["_file_size"] * 1.048576),  # torchvision counts in MiB
                source,
            ]
        )
    return rows


def timm_models() -> list[list[object]]:
    """The default tag of an architecture comes before its other tags: a name without a tag means that one."""
    tags: dict[str, list[str]] = {name: [] for name in timm.list_models()}
    for tagged in timm.list_pretrained():
        tags.setdefault(tagged.partition(".")[0], []).append(tagged)
    rows: list[list[object]] = []
    for architecture, names in tags.items():
        if architecture == PACKAGED:
            continue  # the same weights come with ftgui
        try:
            size = parameters(architecture)
        except Exception as error:  # noqa: BLE001 - a model that can't be built here is no model to offer
            print(f"left out {architecture}: {type(error).__name__}: {error}", file=sys.stderr)
            continue
        default = get_pretrained_cfg(architecture)
        first = f"{architecture}.{default.tag}" if default is not None and default.tag else ""
        if not names:
            rows.append([architecture, size, input_size(default), "", "", 0, 0, ""])
        rows += [tagged_row(name, size) for name in sorted(names, key=lambda name: (name != first, name))]
    return rows


def tagged_row(name: str, size: int) -> list[object]:
    config = get_pretrained_cfg(name)
    if config.hf_hub_id:
        source = f"hub:{config.hf_hub_id}"
    else:
        source = "file:" + Path(urllib.parse.urlparse(config.url).path).name
    licence = "" if config.license in (None, "unknown") else spelled(config.license)
    trained_on = data_sets(config.tag)
    return [name, size, input_size(config), licence, trained_on, config.num_classes, round(size * 4 / 1e6), source]


def input_size(config: object) -> int:
    return int(getattr(config, "input_size", (3, 224, 224))[-1])


def spelled(licence: str) -> str:
    """SPDX spelling where there is one; other names are their authors' own."""
    known = {"apache-2.0": "Apache-2.0", "mit": "MIT", "bsd-3-clause": "BSD-3-Clause"}
    return known.get(licence, licence.upper() if licence.startswith("cc-") else licence)


def data_sets(tag: str) -> str:
    """``augreg_in21k_ft_in1k`` -> ``ImageNet-21k, then ImageNet-1k``; what is not in the table is left out."""
    parts: list[str] = []
    for token in re.split(r"[_.]", tag):
        words = DATASETS.get(token)
        if words and parts[-1:] != [words]:
            parts.append(words)
    return ", then ".join(parts)


def parameters(architecture: str) -> int:
    with torch.device("meta"):
        model = timm.create_model(architecture, pretrained=False)
    return sum(parameter.numel() for parameter in model.parameters())


if __name__ == "__main__":
    sys.exit(main())
