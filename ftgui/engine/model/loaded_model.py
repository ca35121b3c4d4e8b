"""Models that can be asked: built anew, or opened from a finished model's folder."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import nn

from ftgui.data.images.intensity import IntensityRange
from ftgui.data.images.preprocessing import Preprocessing
from ftgui.engine.errors import EngineError
from ftgui.engine.model import backbones
from ftgui.engine.model.embeddings import Embeddings
from ftgui.engine.model.filling import fill
from ftgui.engine.model.freezing import Freezer
from ftgui.engine.model.weights_files import read_weights
from ftgui.protocol.messages import LayerNode
from ftgui.protocol.recipe import FROM_SCRATCH, Backbone
from ftgui.runs.model_folder import WEIGHTS_FILE, About, ModelError, read_about


@dataclass
class LoadedModel:
    """The present model."""

    backbone: Backbone
    built: backbones.BuiltBackbone
    freezer: Freezer
    nodes: list[LayerNode]
    device: torch.device
    seed: int
    trained: bool
    """The head means something: it was trained here, loaded from a run, or came with the weights."""
    temperature: float = 1.0
    """That logits are divided by before the softmax."""
    embeddings: Embeddings = field(default_factory=Embeddings)
    """Of the weights as they are now."""

    @property
    def model(self) -> nn.Module:
        return self.built.model

    def read_with(self, intensity: IntensityRange | None) -> None:
        """How images of more than 8 bits become pixels, from now on."""
        self.built.preprocessing = replace(self.built.preprocessing, intensity=intensity)

    def changed(self, temperature: float) -> None:
        """It has other weights now."""
        self.trained = True
        self.temperature = temperature
        self.embeddings = Embeddings()


@dataclass
class ComparisonModel:
    """Another model, to be asked beside the present one."""

    built: backbones.BuiltBackbone
    temperature: float
    title: str


def open_finished(folder: Path) -> tuple[backbones.BuiltBackbone, About]:
    """Build the model of a finished model's folder, with its weights, on the CPU.

    Raises:
        EngineError: it can't be used; why.
    """
    about = _about(folder)
    # Its own weights follow, so none need be fetched for it.
    built = backbones.build(Backbone(name=about.backbone, weights=FROM_SCRATCH), about.class_names)
    _fill(built.model, folder, list(range(len(about.class_names))), built.heads)
    built.preprocessing = preprocessing_of(about, folder)
    return built, about


def finished_preprocessing(folder: Path) -> Preprocessing:
    """`preprocessing_of` the model in a folder."""
    return preprocessing_of(_about(folder), folder)


def preprocessing_of(about: About, folder: Path) -> Preprocessing:
    """How a finished model's images were read when it learned: by that it is asked too, whatever this version would do.

    Raises:
        EngineError: it says nothing that can be understood.
    """
    try:
        return Preprocessing.from_dict(about.preprocessing)
    except ValueError as error:
        raise EngineError(f"The model in {folder} can't be used: {error}.") from error


def take_trained(loaded: LoadedModel, folder: Path, names_now: list[str]) -> str:
    """Put a finished model's weights into the present one, if it is of the same kind and classes.

    Args:
        loaded: with a head for the classes there are now.
        folder: of the finished model.
        names_now: what its outputs are called now; empty: as it says itself.

    Returns:
        why not, as a sentence; empty if it was done.

    Raises:
        EngineError: it can't be used.
    """
    about = _about(folder)
    names = names_now or about.class_names
    wanted = loaded.built.class_names
    if (about.backbone, about.weights) != (loaded.backbone.name, loaded.backbone.weights):
        return f"The weights of {folder.parent.name} are for another model."
    if sorted(names) != sorted(wanted) or len(names) != len(about.class_names):
        return f"The model of {folder.parent.name} knows other classes ({_few(names)}) than there are now ({_few(wanted)})."
    _fill(loaded.model, folder, [names.index(name) for name in wanted], loaded.built.heads)
    loaded.built.preprocessing = preprocessing_of(about, folder)
    loaded.changed(about.temperature)
    return ""


def _about(folder: Path) -> About:
    try:
        return read_about(folder)
    except ModelError as error:
        raise EngineError(str(error)) from error


def _fill(model: nn.Module, folder: Path, rows: list[int], heads: list[str]) -> None:
    """Load a folder's weights; the head's outputs are those rows of the file's."""
    state = read_weights(folder / WEIGHTS_FILE)
    if rows != list(range(len(rows))):
        for name, tensor in state.items():
            if name.rpartition(".")[0] in heads and len(tensor) == len(rows):
                state[name] = tensor[rows]
    own = {name: tensor.shape for name, tensor in model.state_dict().items()}
    if {name: tensor.shape for name, tensor in state.items()} != own:
        raise EngineError(f"The weights in {folder} do not fit the model they claim to be for.")
    fill(model, state)


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
