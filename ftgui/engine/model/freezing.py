"""The one owner of `requires_grad` and of train/eval mode.

Freezing a layer here means all of: its parameters get no gradient, no optimizer group holds them (see
`ftgui.engine.training.optimizer`), its norm statistics stand still, its dropout is off. `frozen_hash` proves it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import torch
from torch import nn

from ftgui.engine.errors import EngineError
from ftgui.engine.model.layer_tree import LayerTree
from ftgui.protocol.layer_names import UnknownLayerError
from ftgui.protocol.recipe import HEAD


class Freezer:
    """Holds which units of a model's layer tree learn.

    Args:
        model: everything in it is frozen to begin with.
        tree: its layer tree.
    """

    def __init__(self, model: nn.Module, tree: LayerTree) -> None:
        self.model = model
        self.tree = tree
        self.trainable: set[int] = set()
        self.set_trainable(set())

    # --- what learns ------------------------------------------------------------------------------------------------

    def resolve(self, layers: Iterable[str]) -> set[int]:
        """The units that names of a recipe mean.

        Raises:
            EngineError: a name that this model does not have.
        """
        try:
            return set(self.tree.names.resolve(layers))
        except UnknownLayerError as error:
            raise EngineError(str(error)) from error

    def names(self, units: set[int] | None = None) -> list[str]:
        """The shortest list of names that means these units (by default those that learn now)."""
        return self.tree.names.shortest(self.trainable if units is None else units)

    def set_trainable(self, units: set[int]) -> None:
        """Let exactly these units learn."""
        self.trainable = set(units)
        for index in self.tree.names.units:
            for parameter in self._module(index).parameters(recurse=False):
                parameter.requires_grad_(index in self.trainable)

    def learning_by_stage(self) -> dict[str, list[tuple[str, nn.Parameter]]]:
        """Named parameters that learn, by the top row they are under, in the order of the tree; a shared one once."""
        found: dict[str, list[tuple[str, nn.Parameter]]] = {}
        seen: set[int] = set()
        for group in self.tree.names.groups:
            rows = [row for row in self.tree.names.subtree(group) if row in self.trainable]
            for row in rows:
                path = self.tree.rows[row].path
                for name, parameter in self._module(row).named_parameters(recurse=False):
                    if id(parameter) not in seen:
                        seen.add(id(parameter))
                        full = f"{path}.{name}" if path else name
                        found.setdefault(self.tree.rows[group].name, []).append((full, parameter))
        return found

    def learning_by_row(self) -> dict[int, list[nn.Parameter]]:
        """The own parameters of each row that learns."""
        return {row: list(self._module(row).parameters(recurse=False)) for row in sorted(self.trainable)}

    def learning_tensors(self) -> list[str]:
        """Names of every parameter and buffer that a step may change: all that `frozen_hash` leaves out."""
        frozen = self._frozen_tensors()
        return [name for name in self.model.state_dict() if name not in frozen]

    def _module(self, row: int) -> nn.Module:
        return self.model.get_submodule(self.tree.rows[row].path or "")

    @property
    def trainable_parameters(self) -> int:
        """Counted on the model itself, not on the tree."""
        return sum(p.numel() for p in self.model.parameters() if p.requires_grad)

    def parameters_of(self, units: set[int]) -> int:
        """That would learn, were these rows trainable."""
        return sum(self.tree.rows[row].own_parameters for row in units)

    @property
    def total_parameters(self) -> int:
        return sum(p.numel() for p in self.model.parameters())

    # --- modes ------------------------------------------------------------------------------------------------------

    def train_mode(self) -> None:
        """`model.train()`, then everything frozen back to eval: norm statistics stand still, dropout is off.

        Without this a frozen BatchNorm would still move its running mean and variance with every batch.
        """
        self.model.train()
        for module in self._frozen_modules():
            module.eval()

    def _frozen_modules(self) -> list[nn.Module]:
        """Modules below which nothing learns, though the branch has parameters.

        A module without parameters of its own (dropout, pooling) goes with the branch it is part of.
        """
        frozen: list[nn.Module] = []

        def visit(module: nn.Module) -> None:
            parameters = list(module.parameters())
            if parameters and not any(parameter.requires_grad for parameter in parameters):
                frozen.append(module)
                return
            for child in module.children():
                visit(child)

        visit(self.model)
        return frozen

    def frozen_hash(self) -> str:
        """Fingerprint of every frozen parameter and buffer; the same before and after a phase, or freezing failed.

        Returns:
            32 hexadecimal digits (BLAKE2b over names, types, shapes and bytes, in name order).
        """
        tensors = self._frozen_tensors()
        digest = hashlib.blake2b(digest_size=16)
        for name in sorted(tensors):
            tensor = tensors[name].detach().to("cpu").contiguous()
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()

    def _frozen_tensors(self) -> dict[str, torch.Tensor]:
        """Frozen parameters, and the buffers of modules below which nothing learns."""
        tensors: dict[str, torch.Tensor] = {n: p for n, p in self.model.named_parameters() if not p.requires_grad}
        frozen = {id(module) for top in self._frozen_modules() for module in top.modules()}
        for path, module in self.model.named_modules():
            if id(module) in frozen:
                for name, buffer in module.named_buffers(recurse=False):
                    tensors[f"{path}.{name}"] = buffer
        return tensors


def check_trainable(units: set[int]) -> None:
    """Refuse to train nothing.

    Raises:
        EngineError: `units` is empty.
    """
    if not units:
        raise EngineError(f"Nothing would learn: all layers are frozen. Tick at least one layer, e.g. the {HEAD}.")
