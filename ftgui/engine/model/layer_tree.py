"""The layer tree as data: stages a person recognises on top, the true module hierarchy below them.

Works from module names and types alone, for any timm or torchvision classifier: the head is known (its modules
are told), containers on the way to it are opened, and what they hold, in order, is stem, stages and neck.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import nn

from ftgui.protocol.layer_names import LayerNames
from ftgui.protocol.messages import LayerNode

_OPENED = frozenset(
    {"features", "blocks", "stages", "layers", "encoder", "trunk", "trunk_output", "body", "classifier"}
)
_STEM = re.compile(r"(conv_?stem|stem|patch_embed|conv_?proj)", re.IGNORECASE)
_AUXILIARY = re.compile(r"aux", re.IGNORECASE)
_POOLS = (nn.MaxPool2d, nn.AvgPool2d)
_GROUP_NAME = re.compile(r"stem|stage \d+|neck|head")


@dataclass
class Row:
    """One row of the tree while it is in the engine."""

    name: str
    label: str
    parent: int
    path: str | None
    """Module path in the model (``""`` is the model itself), None for a group of several modules."""
    kind: str
    parameters: int
    own_parameters: int
    paths: list[str] = field(default_factory=list)
    """Modules whose output is this row's, the last one deciding."""


@dataclass
class LayerTree:
    """Rows in pre-order. A row with own parameters is a unit of freezing."""

    rows: list[Row]

    @cached_property
    def names(self) -> LayerNames:
        """What the rows are called."""
        return LayerNames(self.rows)

    def nodes(self, shapes: dict[str, list[int]]) -> list[LayerNode]:
        """For the wire, with output shapes by module path."""
        return [
            LayerNode(
                name=row.name,
                label=row.label,
                path=row.path,
                parent=row.parent,
                kind=row.kind,
                parameters=row.parameters,
                own_parameters=row.own_parameters,
                output=next((shapes[path] for path in reversed(row.paths) if path in shapes), []),
            )
            for row in self.rows
        ]


def build_tree(model: nn.Module, heads: list[str]) -> LayerTree:
    """Arrange all modules of a classifier.

    Args:
        model: the classifier.
        heads: paths of its classifier modules.

    Returns:
        every module in exactly one place; parameters owned by opened containers (a transformer's class token, say)
        are rows of the stem.
    """
    rows: list[Row] = []
    opened: list[str] = []
    pieces = list(_pieces(model, "", heads, opened))
    owners = [path for path in opened if _own(model.get_submodule(path))]
    for title, paths in _group(model, pieces, owners, heads):
        if len(paths) == 1:
            module = model.get_submodule(paths[0])
            _add(rows, title, title, -1, paths[0], module)
            continue
        index = len(rows)
        rows.append(Row(title, title, -1, None, "group", 0, 0))
        for path in paths:
            module = model.get_submodule(path)
            if path in owners:
                own = _own(module)
                tensors = ", ".join(name for name, _ in module.named_parameters(recurse=False))
                name = f"{path or 'model'} itself"
                rows.append(Row(name, tensors, index, path, type(module).__name__, own, own, [path]))
            else:
                _add(rows, _row_name(path), _label(path), index, path, module)
        with_weights = [path for path in paths if any(True for _ in model.get_submodule(path).parameters())]
        rows[index].paths = [path for path in with_weights if path not in owners] or paths
        rows[index].parameters = sum(row.parameters for row in rows[index + 1 :] if row.parent == index)
    return LayerTree(rows)


def _pieces(model: nn.Module, path: str, heads: list[str], opened: list[str]) -> Iterator[str]:
    """Module paths in order, containers on the way to stages and heads opened."""
    opened.append(path)
    for name, _ in model.get_submodule(path).named_children():
        child = f"{path}.{name}" if path else name
        holds_head = any(head.startswith(child + ".") for head in heads)
        if child not in heads and (holds_head or name in _OPENED) and next(model.get_submodule(child).children(), None):
            yield from _pieces(model, child, heads, opened)
        else:
            yield child


def _group(model: nn.Module, pieces: list[str], owners: list[str], heads: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Cut the pieces into named groups."""
    body = [path for path in pieces if path not in heads]
    large = [
        path
        for path in body
        if _weights(model.get_submodule(path)) >= 2 and not _STEM.search(path) and not _AUXILIARY.match(path)
    ]
    pools = sum(isinstance(model.get_submodule(path), _POOLS) for path in body)
    stem: list[str] = list(owners)
    stages: list[list[str]] = []
    neck: list[str] = []
    flat = pools >= 3 and len(large) < 2
    if large and not flat:
        first, last = body.index(large[0]), body.index(large[-1])
        stem += body[:first]
        neck = body[last + 1 :]
        waiting: list[str] = []
        for path in body[first : last + 1]:
            waiting.append(path)
            if path in large:
                stages.append(waiting)
                waiting = []
    else:
        # A flat list of convolutions (VGG, AlexNet): pooling ends a stage; what follows the last pool is the neck.
        for path in body:
            neck.append(path)
            if isinstance(model.get_submodule(path), _POOLS):
                stages.append(neck)
                neck = []
    if stem:
        yield "stem", stem
    for number, paths in enumerate(stages, 1):
        yield f"stage {number}", paths
    if neck:
        yield "neck", neck
    yield "head", [head for head in heads if head in pieces]


def _add(rows: list[Row], name: str, label: str, parent: int, path: str, module: nn.Module) -> None:
    index = len(rows)
    count = sum(parameter.numel() for parameter in module.parameters())
    rows.append(Row(name, label, parent, path, type(module).__name__, count, _own(module), [path]))
    for child_name, child in module.named_children():
        child_path = f"{path}.{child_name}"
        _add(rows, _row_name(child_path), _label(child_path), index, child_path, child)


def _row_name(path: str) -> str:
    """The module's path, kept apart from the names of groups (a module may be called ``head`` or ``stem``)."""
    return f"{path} (module)" if _GROUP_NAME.fullmatch(path) else path


def _own(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters(recurse=False))


def _weights(module: nn.Module) -> int:
    """How many weight matrices or kernels: 2 or more make a stage, one a part of stem or neck."""
    return sum(parameter.ndim >= 2 for parameter in module.parameters())


def _label(path: str) -> str:
    name = path.rpartition(".")[2]
    return f"block {name}" if name.isdigit() else name


def output_shapes(model: nn.Module, image_size: int) -> dict[str, list[int]]:
    """Run one blank image through the model (on the CPU, in eval mode) and note what every module gives.

    Returns:
        module path -> shape without the batch dimension; modules that do not return one tensor are left out.
    """
    shapes: dict[str, list[int]] = {}
    hooks = []
    for path, module in model.named_modules():

        def note(_module: nn.Module, _inputs: object, output: object, path: str = path) -> None:
            if isinstance(output, torch.Tensor):
                shapes[path] = list(output.shape[1:])

        hooks.append(module.register_forward_hook(note))
    try:
        with torch.inference_mode():
            model(torch.zeros(1, 3, image_size, image_size).to(memory_format=torch.channels_last))
    finally:
        for hook in hooks:
            hook.remove()
    return shapes
