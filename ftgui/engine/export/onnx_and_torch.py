"""A model as one graph, from the bytes of images to probabilities: what ONNX and torch.export files hold."""

from __future__ import annotations

import importlib.util
import json
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ftgui.data.images.preprocessing import Preprocessing
from ftgui.engine.errors import EngineError
from ftgui.engine.model.outputs import as_logits
from ftgui.runs.model_card import framing
from ftgui.runs.model_folder import About

ONNX_FILE = "model.onnx"
PROGRAM_FILE = "model.pt2"

_LARGEST_PROTOBUF = 2**31 - 2**26
"""Bytes of weights; a larger ONNX model keeps them in a file beside it (protobuf's limit is 2 GiB)."""

_EXTRA = "onnx", "onnxscript", "onnxruntime"


class ExportWrapper(nn.Module):
    """Preprocessing, model, temperature and softmax in one.

    Args:
        model: in eval mode, on the CPU.
        preprocessing: of the model.
        temperature: that logits are divided by.
    """

    def __init__(self, model: nn.Module, preprocessing: Preprocessing, temperature: float) -> None:
        super().__init__()
        self.mean: torch.Tensor
        self.std: torch.Tensor
        self.model = model
        self.register_buffer("mean", torch.tensor(preprocessing.mean).view(1, -1, 1, 1) * 255)
        self.register_buffer("std", torch.tensor(preprocessing.std).view(1, -1, 1, 1) * 255)
        self.temperature = temperature

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Args: images (N, S, S, 3) uint8 RGB. Returns (N, K) probabilities."""
        pixels = images.permute(0, 3, 1, 2).to(torch.float32)
        logits = as_logits(self.model((pixels - self.mean) / self.std))
        return (logits.float() / self.temperature).softmax(1)


def trace(portable: ExportWrapper, size: int) -> torch.export.ExportedProgram:
    """The graph, for any number of images.

    Raises:
        EngineError: this model can't be traced.
    """
    # Two different sizes of a batch that are not 1: a graph made with one image would hold for one image only.
    example = torch.zeros(2, size, size, 3, dtype=torch.uint8)
    batch = torch.export.Dim("batch", min=1, max=65536)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            return torch.export.export(portable.eval(), (example,), dynamic_shapes={"images": {0: batch}})
    except Exception as error:  # whatever torch.export stumbles over
        raise EngineError(f"This model can't be written as one graph: {_first_line(error)}") from error


def write_program(program: torch.export.ExportedProgram, path: Path) -> None:
    """Save for `torch.export.load`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(program, path)


def missing_extra() -> str:
    """What ONNX needs and is not installed, as a sentence; empty if all is here."""
    missing = [name for name in _EXTRA if importlib.util.find_spec(name) is None]
    if not missing:
        return ""
    return f'Writing and checking ONNX files requires {" and ".join(missing)}, not installed here: pip install "ftgui[export]".'


def write_onnx(program: torch.export.ExportedProgram, path: Path, facts: dict[str, Any]) -> None:
    """Save as ONNX.

    Args:
        program: of a `ExportWrapper`.
        path: of the file.
        facts: of `model_facts`; kept as the file's own metadata too.

    Raises:
        EngineError: this model can't be written so.
        OSError: the disk is full, for instance.
    """
    size = sum(tensor.numel() * tensor.element_size() for tensor in program.state_dict.values())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = torch.onnx.export(
                program, (), input_names=["images"], output_names=["probabilities"], dynamo=True, verbose=False
            )
        assert made is not None
        for key, value in facts.items():
            made.model.metadata_props[key] = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        made.save(path, external_data=size > _LARGEST_PROTOBUF)
    except OSError:
        raise
    except Exception as error:  # whatever the exporter stumbles over
        raise EngineError(f"This model can't be written as ONNX: {_first_line(error)}") from error


def model_facts(about: About, head: str, timm: bool) -> dict[str, Any]:
    """What one needs to know to use a model's file, as JSON beside it."""
    size = about.preprocessing["size"]
    return {
        "format": "ftgui model, 1",
        "ftgui": about.ftgui,
        "backbone": about.backbone,
        "library": "timm" if timm else "torchvision",
        "head": head,
        "class_names": about.class_names,
        "threshold": about.threshold,
        "temperature": about.temperature,
        "preprocessing": about.preprocessing,
        "input": f"images: uint8 (N, {size}, {size}, 3), RGB, upright; {framing(about)}. pixels.py prepares "
        "them. Normalisation is "
        "in the graph.",
        "output": f"probabilities: float32 (N, {len(about.class_names)}), in the order of class_names; softmax and "
        "temperature are in the graph.",
    }


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]
