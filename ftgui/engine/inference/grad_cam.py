"""Where in the picture an answer comes from: Grad-CAM (Selvaraju et al. 2017, arXiv 1610.02391)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn

from ftgui.engine.errors import EngineError
from ftgui.engine.model.layer_tree import LayerTree
from ftgui.engine.model.outputs import as_logits

_LAYERS_TRIED = 6
"""From the back, where the person picked none: a vision transformer's last block passes its class token on and nothing else."""


@dataclass(frozen=True)
class Heat:
    """What of a picture speaks for a class."""

    values: torch.Tensor
    """(h, w) float32, 0 to 1, as many places as the layer has."""
    layer: str
    """Name of the row in the layer tree."""
    target: int


class NoPlaces(EngineError):
    """A layer whose output has no places, or none that matters for the answer."""


def explain(
    model: nn.Module,
    tree: LayerTree,
    shapes: list[list[int]],
    image: torch.Tensor,
    target: int | None,
    layer: str = "",
    temperature: float = 1.0,
) -> tuple[Heat, list[float]]:
    """Which places speak for a class.

    Args:
        model: in eval mode. What is frozen does not matter: the gradient begins at the layer.
        tree: of the model.
        shapes: of each row's output, without the batch; empty where unknown.
        image: (1, 3, S, S).
        target: index of the class; None: the most probable one.
        layer: name of a row; empty: the last one that has places which matter.
        temperature: for the probabilities.

    Returns:
        the heat, and the probabilities in class order.

    Raises:
        NoPlaces: the layer has none.
    """
    names = [row.name for row in tree.rows]
    if layer and layer not in names:
        raise NoPlaces(f"This model has no layer “{layer}”.")
    candidates = [names.index(layer)] if layer else _candidates(tree, shapes)[:_LAYERS_TRIED]
    refused = NoPlaces("No layer of this model has an output with image positions, so nothing can be shown.")
    for row in candidates:
        try:
            values, logits, chosen = grad_cam(model, _module(model, tree, row), image, target)
        except NoPlaces as error:
            refused = NoPlaces(f"“{names[row]}”: {error}")
            continue
        probabilities = (logits.float() / temperature).softmax(0).tolist()
        return Heat(values, names[row], chosen), probabilities
    raise refused


def grad_cam(
    model: nn.Module, module: nn.Module, image: torch.Tensor, target: int | None
) -> tuple[torch.Tensor, torch.Tensor, int]:
    """The map itself: channels of the module's output, weighted by the mean gradient of the class's logit, negatives cut.

    Args:
        model: in eval mode.
        module: one of its modules.
        image: (1, 3, S, S).
        target: index of the class; None: the most probable one.

    Returns:
        (h, w) float32 from 0 to 1, the logits (K,), the class.

    Raises:
        NoPlaces: the output has no places, or none that reaches the answer.
    """
    probes: list[torch.Tensor] = []

    def cut(_module: nn.Module, _given: object, output: object) -> torch.Tensor:
        if not isinstance(output, torch.Tensor):
            raise NoPlaces("it gives more than one tensor; pick a layer inside or before it.")
        # The gradient begins here, so that frozen layers before need none. A module may be used twice: the last counts.
        probe = output.detach().requires_grad_()
        probes.append(probe)
        return probe.clone()  # what follows may write into it

    hook = module.register_forward_hook(cut)
    try:
        with torch.enable_grad():
            logits = as_logits(model(image))[0]
            chosen = int(logits.argmax()) if target is None else target
            if not probes:
                raise NoPlaces("it is not used when the model answers.")
            (gradient,) = torch.autograd.grad(logits[chosen], probes[-1], allow_unused=True)
    finally:
        hook.remove()
    if gradient is None:
        raise NoPlaces("it has no influence on the answer; pick an earlier layer.")
    with torch.no_grad():
        activation, slope = _places(probes[-1], model), _places(gradient, model)
        values = (activation * slope.mean((1, 2), keepdim=True)).sum(0).relu().float()
        if not values.max() > 0:
            if slope.abs().max() == 0:
                raise NoPlaces("none of its positions influences the answer; pick an earlier layer.")
            return values.cpu(), logits.detach().cpu(), chosen  # truly nothing that speaks for the class
        lowest = values.min()
        values = (values - lowest) / (values.max() - lowest).clamp(min=1e-12)
    return values.cpu(), logits.detach().cpu(), chosen


def _places(output: torch.Tensor, model: nn.Module) -> torch.Tensor:
    """(C, h, w) of the first image, from channels first, channels last (Swin) or tokens (transformers).

    Raises:
        NoPlaces: it is none of these, or has one place only.
    """
    one = output[0].float()
    if one.ndim == 3:
        channels_last = one.shape[0] == one.shape[1] != one.shape[2]
        one = one.permute(2, 0, 1) if channels_last else one
    elif one.ndim == 2:
        tokens = len(one)
        known = getattr(model, "num_prefix_tokens", None)
        extra = known if isinstance(known, int) and math.isqrt(tokens - known) ** 2 == tokens - known else None
        if extra is None:  # class and register tokens come first, what is left is a square
            extra = next((n for n in range(9) if tokens > n and math.isqrt(tokens - n) ** 2 == tokens - n), None)
        if extra is None:
            raise NoPlaces("its output has no image positions.")
        side = math.isqrt(tokens - extra)
        one = one[extra:].T.reshape(-1, side, side)
    if one.ndim != 3 or one.shape[1] * one.shape[2] < 4:
        raise NoPlaces("its output has no image positions; pick a layer before it.")
    return one


def _candidates(tree: LayerTree, shapes: list[list[int]]) -> list[int]:
    """Rows right below the groups (and groups of one module), from the back, that may have places."""
    rows = tree.rows
    found = [
        index
        for index, row in enumerate(rows)
        if (row.parent < 0 and row.path is not None) or (row.parent >= 0 and rows[row.parent].path is None)
    ]
    return [index for index in reversed(found) if _may_have_places(shapes[index]) and rows[index].path]


def _may_have_places(shape: list[int]) -> bool:
    return (len(shape) == 3 and sorted(shape)[1] > 1) or (len(shape) == 2 and min(shape) > 1)


def _module(model: nn.Module, tree: LayerTree, row: int) -> nn.Module:
    """Whose output is the row's."""
    paths = [path for path in tree.rows[row].paths if path]
    if not paths:
        raise NoPlaces("it has no output of its own; pick a layer in it.")
    return model.get_submodule(paths[-1])
