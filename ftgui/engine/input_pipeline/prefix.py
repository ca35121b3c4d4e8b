"""The frozen prefix: the leading part of the model's graph that nothing learns in, cut off so that it need run only once.

The model is traced with torch.fx. Of the nodes that are frozen (see `ftgui.engine.input_pipeline.frozen_nodes`), those
whose values the rest uses are the *frontier*; their values for every image are what
`ftgui.engine.input_pipeline.feature_cache` keeps, and `Rest` computes logits from them with the model's own modules.
"""

from __future__ import annotations

import operator
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx, nn

from ftgui.engine.input_pipeline.bn_folding import fold
from ftgui.engine.input_pipeline.frozen_nodes import frozen_nodes, is_frozen
from ftgui.engine.input_pipeline.graph_tracing import DOES_NOT_RUN, TRACED_CONSTANT, NoPrefix, trace
from ftgui.engine.model.freezing import Freezer
from ftgui.engine.model.outputs import as_logits

TOLERANCE = 1e-3
"""Of the check that a cut model gives the same logits, relative to the largest; float32 stays below 1e-5."""

_PROBES = 3
"""Images in the check. Not 2, so that the batch size is told apart from other small numbers."""


@dataclass(frozen=True)
class Cut:
    """A model in two parts."""

    prefix: fx.GraphModule
    """(N, 3, S, S) images -> the frontier's values, each with N rows. A folded copy: later changes of the model's
    frozen weights do not reach it."""
    rest: Rest
    shapes: list[tuple[int, ...]]
    """Of the frontier's values for one image."""
    dtypes: list[torch.dtype]

    @property
    def bytes_per_view(self) -> int:
        """Of all values for one image."""
        sizes = (dtype.itemsize * _product(shape) for shape, dtype in zip(self.shapes, self.dtypes, strict=True))
        return sum(sizes)


class Rest:
    """The part that learns, sharing its modules with the model; call it with the frontier's values.

    It was traced in train and in eval mode, because functions like ``F.dropout`` are told the mode as a plain value
    that tracing fixes.
    """

    def __init__(self, model: nn.Module, train: fx.GraphModule, evaluate: fx.GraphModule) -> None:
        self._model = model
        self._train, self._evaluate = train, evaluate

    def __call__(self, values: list[torch.Tensor]) -> torch.Tensor:
        """(N, K) logits; in the mode the model is in."""
        return as_logits((self._train if self._model.training else self._evaluate)(*values))


def cut_model(model: nn.Module, freezer: Freezer, probes: torch.Tensor) -> Cut:
    """Cut a model as it is frozen now. Leaves it in eval mode. What the frontier's values are kept as follows from the
    autocast that this is called in; the check is made in float32 all the same.

    Args:
        model: on its device.
        freezer: of that model.
        probes: (3, 3, S, S) images to check the two parts on; any that are not all alike.

    Raises:
        NoPrefix: the first layer learns, the model does not trace, or the parts do not give what the whole gives.
    """
    try:
        freezer.train_mode()
        graph = trace(model)
        train = _Split(graph, frozen_nodes(model, graph))
        model.eval()
        _sort_values(model, train, probes)
        evaluate = _same_cut(model, trace(model), train) or train
        rest = Rest(model, _rest_module(model, train), _rest_module(model, evaluate))
        prefix = fold(_prefix_module(model, train))
    finally:
        model.eval()
        for name in [name for name in vars(model) if name.startswith(TRACED_CONSTANT)]:
            delattr(model, name)  # torch.fx leaves them on the model it traced
    with _whole_float32(probes.device):
        _check(model, prefix, rest, probes)
    with torch.inference_mode():
        values = prefix(probes)
    shapes = [tuple(value.shape[1:]) for value in values]
    return Cut(prefix, rest, shapes, [value.dtype for value in values])


# --- finding the cut ------------------------------------------------------------------------------------------------


@dataclass
class _Split:
    graph: fx.Graph
    frozen: set[fx.Node]
    frontier: list[fx.Node] = field(default_factory=list)
    """Frozen nodes that hold a value for each image and that the rest uses."""
    constants: dict[fx.Node, Any] = field(default_factory=dict)
    """Frozen nodes that the rest uses and that are the same for any image."""
    multiples: dict[fx.Node, int] = field(default_factory=dict)
    """A frontier node's k rows an image (a transformer's windows, say); also numbers that are k times the batch size."""

    @property
    def logits(self) -> fx.Node:
        """The node whose value is the model's main output: auxiliary heads, which only some models have and only while
        they train, are left out."""
        output = next(node for node in self.graph.nodes if node.op == "output").args[0]
        while isinstance(output, tuple) or (isinstance(output, fx.Node) and _makes_tuple(output)):
            output = (output if isinstance(output, tuple) else output.args)[0]
        if not isinstance(output, fx.Node):
            raise NoPrefix("this model's output is not a tensor")
        return output

    def used(self) -> list[fx.Node]:
        """Frozen nodes that the rest uses. Parameters and buffers are not among them: the rest looks them up itself."""
        needed = _ancestors([self.logits], stop=self.frozen)
        return [node for node in self.graph.nodes if node in needed and node in self.frozen and node.op != "get_attr"]


def _makes_tuple(node: fx.Node) -> bool:
    return node.op == "call_function" and isinstance(node.target, type) and issubclass(node.target, tuple)


def _same_cut(model: nn.Module, graph: fx.Graph, train: _Split) -> _Split | None:
    """The cut of the training graph in that of evaluation, where dropout is off and would otherwise count as frozen.

    Returns:
        None where the graphs differ in more than what a mode changes (auxiliary heads that only train). Then the
        training graph serves for both if the check of its logits lets it.
    """
    named = {node.name: node for node in train.graph.nodes}
    frozen: set[fx.Node] = set()
    for node in graph.nodes:
        model_copy = named.get(node.name)
        same = is_frozen(model, node) if model_copy is None else model_copy in train.frozen
        if same and all(parent in frozen for parent in node.all_input_nodes):
            frozen.add(node)
    here = {node.name: node for node in frozen}
    split = _Split(graph, frozen)
    known = {node.name for node in (*train.frontier, *train.constants, *train.multiples)}
    if any(node.name not in known for node in split.used()) or any(node.name not in here for node in train.frontier):
        return None
    split.frontier = [here[node.name] for node in train.frontier]
    split.constants = {here[node.name]: value for node, value in train.constants.items() if node.name in here}
    split.multiples = {here[node.name]: value for node, value in train.multiples.items() if node.name in here}
    return split


def _sort_values(model: nn.Module, split: _Split, probes: torch.Tensor) -> None:
    """Tell values for each image from those that are the same for any, by running two batches of different size.

    Raises:
        NoPrefix: there is nothing to keep, or a value is neither.
    """
    used = split.used()
    if any(node.op == "placeholder" for node in used):
        raise NoPrefix("the first layer learns")
    module = _module(model, split.graph, used)
    with torch.inference_mode():
        many, fewer = module(probes), module(probes[1:])
    for node, value, smaller in zip(used, many, fewer, strict=True):
        if isinstance(value, torch.Tensor):
            rows = value.shape[0] if value.ndim else 0
            if rows and rows % _PROBES == 0 and smaller.shape[0] * _PROBES == rows * (_PROBES - 1):
                split.frontier.append(node)
                split.multiples[node] = rows // _PROBES
            elif value.shape == smaller.shape and torch.equal(value, smaller):
                split.constants[node] = value.clone()
            else:
                raise NoPrefix("the frozen part gives values that can't be kept per image")
        elif value == smaller and isinstance(value, int | float | bool | str | None):
            split.constants[node] = value
        elif isinstance(value, int) and value % _PROBES == 0 and smaller * _PROBES == value * (_PROBES - 1):
            split.multiples[node] = value // _PROBES
        elif not _sort_tuple(split, node, value, smaller):
            raise NoPrefix("the frozen part gives values that can't be kept per image")
    if not split.frontier:
        raise NoPrefix("nothing frozen depends on the image")


def _sort_tuple(split: _Split, node: fx.Node, value: Any, smaller: Any) -> bool:
    """A shape: its numbers are constant, or multiples of the batch size (noted as negative)."""
    if not isinstance(value, tuple) or not all(isinstance(number, int) for number in value):
        return False
    numbers = []
    for one, other in zip(value, smaller, strict=True):
        if one == other:
            numbers.append(one)
        elif one % _PROBES == 0 and other * _PROBES == one * (_PROBES - 1):
            numbers.append(-(one // _PROBES))
        else:
            return False
    split.constants[node] = tuple(numbers)
    return True


# --- building the parts ---------------------------------------------------------------------------------------------


def _module(model: nn.Module, graph: fx.Graph, outputs: list[fx.Node]) -> fx.GraphModule:
    """The part of a graph that leads to these nodes; returns their values as a list."""
    part = fx.Graph()
    made: dict[fx.Node, fx.Node] = {}
    wanted = _ancestors(outputs)
    for node in graph.nodes:
        if node in wanted:
            made[node] = part.node_copy(node, lambda old: made[old])
    part.output([made[node] for node in outputs])
    return fx.GraphModule(model, part)


def _ancestors(nodes: list[fx.Node], stop: Collection[fx.Node] = ()) -> set[fx.Node]:
    """These nodes and what they depend on, no further than nodes of `stop`."""
    found: set[fx.Node] = set()
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += [] if node in stop else node.all_input_nodes
    # In-place functions change a value without being asked for it.
    for node in list(found):
        found.update(user for user in node.users if user.target is operator.setitem and user.all_input_nodes[0] is node)
    return found


def _prefix_module(model: nn.Module, split: _Split) -> fx.GraphModule:
    module = _module(model, split.graph, split.frontier)
    multiples = [split.multiples[node] for node in split.frontier]
    (output,) = (node for node in module.graph.nodes if node.op == "output")
    with module.graph.inserting_before(output):
        # k rows an image become one row.
        values = [
            value if k == 1 else module.graph.call_method("unflatten", (value, 0, (-1, k)))
            for value, k in zip(output.args[0], multiples, strict=True)
        ]
    output.args = (values,)
    module.recompile()
    return module


def _rest_module(model: nn.Module, split: _Split) -> fx.GraphModule:
    rest = fx.Graph()
    buffers: dict[str, torch.Tensor] = {}
    made: dict[fx.Node, Any] = {}
    inputs = [rest.placeholder(f"value_{number}") for number in range(len(split.frontier))]
    for node, value in zip(split.frontier, inputs, strict=True):
        many = split.multiples[node] > 1
        made[node] = rest.call_method("flatten", (value, 0, 1)) if many else value

    def times_batch(multiple: int) -> fx.Node:
        return rest.call_function(operator.mul, (rest.call_method("size", (inputs[0], 0)), multiple))

    for node, multiple in split.multiples.items():
        if node not in split.frontier:
            made[node] = times_batch(multiple)
    for number, (node, constant) in enumerate(split.constants.items()):
        if isinstance(constant, torch.Tensor):
            buffers[f"_constant_{number}"] = constant
            made[node] = rest.get_attr(f"_constant_{number}")
        elif isinstance(constant, tuple):
            made[node] = tuple(times_batch(-size) if size < 0 else size for size in constant)
        else:
            made[node] = constant
    wanted = _ancestors([split.logits], stop=split.frozen)
    for node in split.graph.nodes:
        if node in wanted and node not in made:
            made[node] = _copy(rest, node, made)
    rest.output(made[split.logits])
    return fx.GraphModule(_Root(model, buffers), rest)


def _copy(graph: fx.Graph, node: fx.Node, made: dict[fx.Node, Any]) -> fx.Node:
    args = fx.node.map_arg(node.args, lambda old: made[old])
    kwargs = fx.node.map_arg(node.kwargs, lambda old: made[old])
    return graph.create_node(node.op, node.target, args, kwargs, node.name)


class _Root(nn.Module):
    """The model's modules under their own names, and constants beside them."""

    def __init__(self, model: nn.Module, constants: dict[str, torch.Tensor]) -> None:
        super().__init__()
        self.__dict__["_modules"] = dict(model._modules)
        self.__dict__["_parameters"] = dict(model._parameters)
        self.__dict__["_buffers"] = dict(model._buffers)
        self.__dict__.update((name, value) for name, value in vars(model).items() if name.startswith(TRACED_CONSTANT))
        for name, value in constants.items():
            self.register_buffer(name, value)


# --- proof ----------------------------------------------------------------------------------------------------------


def _check(model: nn.Module, prefix: fx.GraphModule, rest: Rest, probes: torch.Tensor) -> None:
    """Run both parts and the whole on the same images, in batches of another order and number, so that models in
    which one image has a say in another's logits are found out.

    Raises:
        NoPrefix: they differ, or the prefix gives other values the second time.
    """
    order = [2, 0]
    try:
        with torch.inference_mode():
            values, again = prefix(probes), prefix(probes)
            whole = as_logits(model(probes[order])).float()
            parts = rest([value[order] for value in values]).float()
    except DOES_NOT_RUN as error:
        raise NoPrefix("the cut model does not run") from error
    if any(not torch.allclose(one, other, rtol=1e-5, atol=1e-6) for one, other in zip(values, again, strict=True)):
        raise NoPrefix("a frozen part is random")
    largest = float(whole.abs().max())
    if whole.shape != parts.shape or float((whole - parts).abs().max()) > TOLERANCE * max(largest, 1e-3):
        raise NoPrefix("the cut model does not give what the whole model gives")


@contextmanager
def _whole_float32(device: torch.device) -> Iterator[None]:
    """No bf16, and no TF32, which CUDA takes for convolutions by itself: with either, two ways to compute the same thing
    differ by more than two different things may."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def _product(shape: tuple[int, ...]) -> int:
    result = 1
    for size in shape:
        result *= size
    return result
