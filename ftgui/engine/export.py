"""A finished model as a folder that stands alone: weights, a config timm can load, classes, preprocessing, a card."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import safetensors.torch
import torch
from torch import nn

import ftgui
from ftgui.data.finished import DESCRIPTION_FILE, WEIGHTS_FILE, About
from ftgui.data.pixels import Preprocessing
from ftgui.protocol.recipe import Backbone, Recipe, dumps, write_atomically


@dataclass(frozen=True)
class Description:
    """Everything about a finished model but its weights."""

    backbone: Backbone
    heads: list[str]
    title: str
    class_names: list[str]
    preprocessing: Preprocessing
    timm_config: dict[str, Any] | None
    recipe: Recipe


def write_model(
    folder: Path,
    model: nn.Module,
    description: Description,
    figures: dict[str, Any],
    state: dict[str, torch.Tensor] | None = None,
    temperature: float = 1.0,
) -> None:
    """Write or replace a model folder.

    The weights are replaced last and in one step: whatever happens, the folder loads.

    Args:
        folder: made if it does not exist.
        model: of which the weights are written.
        description: what goes beside them.
        figures: for the model card.
        state: other parameters and buffers of that model, instead of the present ones.
        temperature: that logits are divided by before the softmax.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if description.timm_config is not None:
        _write_json(folder / "config.json", _timm_config(model, description))
    about = About(
        ftgui=ftgui.__version__,
        backbone=description.backbone.name,
        weights=description.backbone.weights,
        class_names=description.class_names,
        preprocessing=description.preprocessing.as_dict(),
        temperature=temperature,
        figures=figures,
    )
    write_atomically(folder / DESCRIPTION_FILE, msgspec.json.format(msgspec.json.encode(about), indent=1))
    write_atomically(folder / "recipe.toml", dumps(description.recipe).encode("utf-8"))
    write_atomically(folder / "README.md", _card(description, figures).encode("utf-8"))
    write_weights(folder / WEIGHTS_FILE, state if state is not None else model.state_dict())


def write_weights(path: Path, state: dict[str, torch.Tensor]) -> None:
    """Parameters and buffers as safetensors, replaced in one step."""
    tensors = {name: tensor.detach().to("cpu").contiguous() for name, tensor in state.items()}
    write_atomically(path, safetensors.torch.save(tensors, metadata={"format": "pt"}))


def _timm_config(model: nn.Module, description: Description) -> dict[str, Any]:
    """The fields timm's hub loader reads (timm/models/_hub.py, ``_parse_model_cfg``)."""
    config = description.timm_config or {}
    kept = ("input_size", "fixed_input_size", "interpolation", "crop_pct", "crop_mode", "mean", "std", "pool_size")
    pretrained = {key: config[key] for key in (*kept, "first_conv", "classifier", "license") if key in config}
    return {
        "architecture": description.backbone.name.split(".")[0],
        "num_classes": len(description.class_names),
        "num_features": int(getattr(model, "num_features", 0)),
        "label_names": description.class_names,
        "pretrained_cfg": pretrained | {"num_classes": len(description.class_names), "tag": "ftgui"},
    }


def _card(description: Description, figures: dict[str, Any]) -> str:
    preprocessing = description.preprocessing
    accuracy = figures.get("val_accuracy")
    result = f"Validation accuracy {accuracy:.1%}" if accuracy is not None else "No validation figures"
    if description.timm_config is not None:
        use = (
            "import timm, torch\n"
            "from PIL import Image\n\n"
            'model = timm.create_model("local-dir:PATH/OF/THIS/FOLDER", pretrained=True).eval()\n'
            "transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model))\n"
            'image = transform(Image.open("picture.jpg").convert("RGB"))[None]\n'
            "with torch.inference_mode():\n"
            "    print(model(image).softmax(1))\n"
        )
    else:
        name = description.backbone.name.removeprefix("torchvision/")
        head, count = description.heads[0], len(description.class_names)
        use = (
            "import torchvision\n"
            "from safetensors.torch import load_file\n\n"
            f'weights = load_file("PATH/OF/THIS/FOLDER/{WEIGHTS_FILE}")\n'
            f'model = torchvision.models.get_model("{name}")  # then give {head} {count} outputs\n'
            "model.load_state_dict(weights)\n"
        )
    classes = "\n".join(f"{index}. {name}" for index, name in enumerate(description.class_names))
    return (
        f"# {description.title}, fine-tuned for {len(description.class_names)} classes\n\n"
        f"{result}. Made with ftgui {ftgui.__version__} from `{description.backbone.name}` "
        f"(weights: {description.backbone.weights}).\n\n"
        f"## Use\n\n```python\n{use}```\n\n"
        f"Preprocessing: EXIF orientation applied, RGB, shorter side to {preprocessing.resize} pixels "
        f"({preprocessing.interpolation}), middle {preprocessing.size}×{preprocessing.size}, values 0…1, "
        f"mean {list(preprocessing.mean)}, std {list(preprocessing.std)}.\n\n"
        f"## Classes, in output order\n\n{classes}\n\n"
        "`recipe.toml` repeats the training: `ftgui train recipe.toml`.\n"
    )


def _write_json(path: Path, value: Any) -> None:
    write_atomically(path, json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8"))
