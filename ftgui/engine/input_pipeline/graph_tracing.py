"""Tracing a model with torch.fx: its forward pass as a graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from timm.layers import get_notrace_functions, get_notrace_modules
from torch import fx, nn
from torchvision.models.feature_extraction import NodePathTracer

DOES_NOT_RUN = (RuntimeError, TypeError, IndexError)
"""What a graph raises that was traced without complaint but is not what the model does."""

TRACED_CONSTANT = "_tensor_constant"
"""How the names of the attributes begin that tracing leaves on the model."""


class NoPrefix(Exception):
    """Nothing can be cut off; the text says why, as a sentence part."""


class _Tracer(NodePathTracer):  # type: ignore[misc]  # torchvision has no types
    """Traces ``model(images)``: what else a forward takes keeps its default instead of becoming an input."""

    def create_args_for_root(
        self, root_fn: Callable[..., Any], is_module: bool, concrete_args: Any = None
    ) -> tuple[Any, list[Any]]:
        def forward(module: nn.Module, images: torch.Tensor) -> object:
            return root_fn(module, images)

        made: tuple[Any, list[Any]] = super().create_args_for_root(forward, is_module, concrete_args)
        return made


def trace(model: nn.Module) -> fx.Graph:
    """The graph of a model in the mode it is in.

    Raises:
        NoPrefix: its forward depends on values that are only known when it runs.
    """
    tracer = _Tracer(autowrap_functions=tuple(get_notrace_functions()), leaf_modules=list(get_notrace_modules()))
    try:
        graph: fx.Graph = tracer.trace(model)
    except Exception as error:  # whatever a model's own forward makes of proxies
        raise NoPrefix("this model's graph can't be traced") from error
    return graph
