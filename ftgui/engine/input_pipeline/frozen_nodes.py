"""Which nodes of a traced model are frozen: those that give the same for an image however often it comes.

A node is frozen when everything it depends on is: images, parameters without gradient, modules in eval mode, functions
without randomness.
"""

from __future__ import annotations

import inspect
import operator

import torch
from torch import fx, nn

_RANDOM_WORDS = ("drop", "rand", "bernoulli", "stochastic", "multinomial", "normal_", "uniform_", "rrelu")


def frozen_nodes(model: nn.Module, graph: fx.Graph) -> set[fx.Node]:
    """All frozen nodes of a graph, decided in the mode the model is in, which is that of training."""
    frozen: set[fx.Node] = set()
    for node in graph.nodes:
        if node.op != "output" and all(parent in frozen for parent in node.all_input_nodes) and is_frozen(model, node):
            frozen.add(node)
    return frozen


def is_frozen(model: nn.Module, node: fx.Node) -> bool:
    """Whether a node would be frozen if everything it depends on were."""
    if node.op == "call_module":
        return _module_is_frozen(model.get_submodule(str(node.target)))
    if node.op == "get_attr":
        value = operator.attrgetter(str(node.target))(model)
        return not (isinstance(value, torch.Tensor) and value.requires_grad)
    if node.op == "call_function":
        return not _is_random(node)
    if node.op == "call_method":
        return not any(word in str(node.target) for word in _RANDOM_WORDS)
    return True


def _module_is_frozen(module: nn.Module) -> bool:
    if any(parameter.requires_grad for parameter in module.parameters()):
        return False
    # In train mode a module may be random, or keep statistics though it has no parameters.
    return not any(
        part.training
        and (
            any("running" in name for name, _ in part.named_buffers(recurse=False))
            or (any(word in type(part).__name__.lower() for word in _RANDOM_WORDS) and _probability(part) != 0)
        )
        for part in module.modules()
    )


def _probability(module: nn.Module) -> float:
    return float(getattr(module, "p", getattr(module, "drop_prob", 1.0)) or 0.0)


def _is_random(node: fx.Node) -> bool:
    function = node.target
    name = getattr(function, "__name__", "").lower()
    if not any(word in name for word in _RANDOM_WORDS):
        return False
    try:
        bound = inspect.signature(function).bind(*node.args, **node.kwargs)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return True
    bound.apply_defaults()
    return (
        bool(bound.arguments.get("training", True))
        and bound.arguments.get("p", bound.arguments.get("drop_prob", 1.0)) != 0
    )
