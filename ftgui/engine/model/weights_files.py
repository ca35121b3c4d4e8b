"""Reading weights files as people have them, without ever running what is in them."""

from __future__ import annotations

import argparse
import logging
import pickle
import pickletools
import re
import struct
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import safetensors.torch
import torch

from ftgui.base.files import reason
from ftgui.data.weights_kinds import is_safetensors, why_no_weights
from ftgui.engine.errors import EngineError
from ftgui.engine.memory_limits import out_of_memory

log = logging.getLogger(__name__)

StateDict = dict[str, torch.Tensor]

_DEEPEST = 8
"""Of wrappers within wrappers."""

_MOST_LISTED = 10
"""Of values in a list that is taken for a wrapper."""


class _Ignored:
    """Stands for a value that training programs keep beside the weights and that is of no use here: made and filled without
    doing anything."""

    def __init__(self, *_arguments: object) -> None: ...

    def __setstate__(self, _state: object) -> None: ...


def _new_dict(*_arguments: object) -> OrderedDict[Any, Any]:
    return OrderedDict()


_NUMPY = ("multiarray.scalar", "multiarray._reconstruct")
_BESIDE_WEIGHTS: dict[str, Callable[..., Any]] = {
    "argparse.Namespace": argparse.Namespace,
    **dict.fromkeys([f"numpy.{core}.{name}" for core in ("core", "_core") for name in _NUMPY], _Ignored),
    **dict.fromkeys(["numpy.dtype", "numpy.ndarray", "types.SimpleNamespace"], _Ignored),
    **dict.fromkeys([f"datetime.{name}" for name in ("datetime", "date", "timedelta", "timezone")], _Ignored),
    **dict.fromkeys(
        [
            f"{module}.{kind}"
            for module in ("pathlib", "pathlib._local")
            for kind in ("Path", "PosixPath", "WindowsPath", "PurePath", "PurePosixPath", "PureWindowsPath")
        ],
        _Ignored,
    ),
    **dict.fromkeys(
        [f"builtins.{name}" for name in ("int", "float", "str", "list", "dict", "tuple", "bool")], _Ignored
    ),
    "typing.Any": _Ignored,
    **dict.fromkeys(
        [
            f"omegaconf.{name}"
            for name in (
                *("dictconfig.DictConfig", "listconfig.ListConfig", "base.ContainerMetadata", "base.Metadata"),
                *(f"nodes.{kind}Node" for kind in ("Any", "Integer", "Float", "String", "Boolean")),
            )
        ],
        _Ignored,
    ),
    # Dictionaries by other names; torch fills only its own kinds.
    "collections.defaultdict": _new_dict,
    "yacs.config.CfgNode": OrderedDict,
    "easydict.EasyDict": OrderedDict,
    "pytorch_lightning.utilities.parsing.AttributeDict": OrderedDict,
    "lightning_fabric.utilities.data.AttributeDict": OrderedDict,
    "lightning.fabric.utilities.data.AttributeDict": OrderedDict,
}
"""Names that a pickle may hold beside what torch allows for tensors, and what is put in their place: nothing of their own
code is imported or run. What they hold is never needed, but for the options of timm's own training program."""


_OF_TENSORS = frozenset(
    {
        *("collections.OrderedDict", "collections.Counter", "_codecs.encode", "builtins.bytearray", "builtins.set"),
        *("builtins.complex", "torch.nn.parameter.Parameter", "torch.serialization._get_layout"),
        *("torch.storage.UntypedStorage", "torch.storage.TypedStorage", "torch._tensor._rebuild_from_type_v2"),
    }
)


def read_weights(path: Path) -> StateDict:
    """Read a weights file that holds tensors by name and nothing else, as published ones and ftgui's own do.

    Raises:
        EngineError: as `read_content`; or there are no tensors by name.
    """
    content = read_content(path)
    return next(iter(state_dicts(content, path)))[1]


def read_content(path: Path) -> Any:
    """Whatever a file of weights holds, however it is nested, without running anything of it.

    Raises:
        EngineError: it is missing, unreadable or not weights: what it is instead; or it is a pickle that holds objects
            which would have to be run: of which class.
    """
    if not path.is_file():
        raise EngineError(f"There is no weights file at {path}.")
    try:
        if is_safetensors(path):
            return safetensors.torch.load_file(path)
        # An open file, because torch would go by the ending of a path.
        with path.open("rb") as file, _no_warnings(), torch.serialization.safe_globals(_safe()):
            return torch.load(file, map_location="cpu", weights_only=True)
    except PermissionError as error:
        raise EngineError(f"You have no permission to read “{path.name}”.") from error
    except MemoryError:
        raise
    except (
        *(pickle.UnpicklingError, safetensors.SafetensorError, OSError, RuntimeError, EOFError, AttributeError),
        *(ValueError, LookupError, TypeError, AssertionError, struct.error),
    ) as error:
        if out_of_memory(error):
            raise
        raise EngineError(_why_not_read(path)) from error


def _safe() -> list[Callable[..., Any] | tuple[Callable[..., Any], str]]:
    return [(stands_in, name) for name, stands_in in _BESIDE_WEIGHTS.items()]


def _no_warnings() -> warnings.catch_warnings[None]:
    """torch warns on stderr about a file that it then refuses, which is said in a sentence."""
    return warnings.catch_warnings(action="ignore")


def _why_not_read(path: Path) -> str:
    try:
        names = _names_in_pickle(path)
        foreign = [name for name in names if name not in _BESIDE_WEIGHTS and not _is_tensors(name)]
        if foreign and not foreign[0].startswith("__torch__."):  # classes that a TorchScript program has with it
            return _holds_objects(path.name, foreign)
        return f"“{path.name}” can't be used as weights. {why_no_weights(path)}"
    except OSError as error:
        return f"“{path.name}” can't be read: {reason(error)}."


def _holds_objects(name: str, foreign: list[str]) -> str:
    is_model = any(path.startswith(("torch.nn.modules.", "timm.models.", "torchvision.models.")) for path in foreign)
    telling = next((path for path in foreign if not path.startswith("torch.storage.")), foreign[0])
    what = f"{'a whole model as Python objects' if is_model else 'Python objects beside weights'} ({telling})"
    return (
        f"“{name}” holds {what}, which could run code when loaded, so it was not loaded and nothing in it was run. Where it "
        'was made, save only the weights: torch.save(model.state_dict(), "weights.pth"); or ask its author for a '
        ".safetensors file."
    )


def _is_tensors(name: str) -> bool:
    """Whether torch itself allows a name, for tensors and plain values."""
    return (
        name in _OF_TENSORS
        or name.startswith("torch._utils._rebuild_")
        or re.fullmatch(r"torch\.\w+", name) is not None
    )


def _names_in_pickle(path: Path) -> list[str]:
    """Classes and functions that the pickles of a file name, in order; it is only taken apart, not loaded."""
    names: dict[str, None] = {}
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                inner = next((name for name in archive.namelist() if name.endswith("data.pkl")), None)
                if inner is not None:
                    with archive.open(inner) as file:
                        _note_globals(file, names)
        else:
            with path.open("rb") as file:
                if file.peek(1)[:1] == b"\x80":
                    for _ in range(5):  # of torch's old format: three words about itself, the content, names of tensors
                        _note_globals(file, names)
    except (ValueError, IndexError, EOFError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        log.info("%s can't be taken apart to its end: %s", path.name, error)  # damaged, or no pickle
    return list(names)


def _note_globals(file: IO[bytes], names: dict[str, None]) -> None:
    """Names that one pickle would import, those before damage also. They are known where they are written out; a pickle
    that makes them otherwise would have to be run to know."""
    pushed: list[str] = []
    memo: dict[int, str] = {}
    for operation, argument, _ in pickletools.genops(file):
        if operation.name == "GLOBAL":
            names[str(argument).replace(" ", ".", 1).replace("__builtin__.", "builtins.", 1)] = None
        elif operation.name == "STACK_GLOBAL" and len(pushed) >= 2:
            names[f"{pushed[-2]}.{pushed[-1]}"] = None
        elif operation.name == "MEMOIZE":
            memo[len(memo)] = pushed[-1] if pushed else ""
        elif operation.name in ("BINPUT", "LONG_BINPUT"):
            memo[int(argument or 0)] = pushed[-1] if pushed else ""
        elif operation.name in ("BINGET", "LONG_BINGET"):
            pushed = [*pushed[-1:], memo.get(int(argument or 0), "")]
        elif "UNICODE" in operation.name:
            pushed = [*pushed[-1:], str(argument)]


# --- what is in it --------------------------------------------------------------------------------------------------


def state_dicts(content: Any, path: Path) -> list[tuple[str, StateDict]]:
    """Every dictionary with tensors by name in what a file holds, each under the keys that lead to it.

    Raises:
        EngineError: there is none.
    """
    found = list(_state_dicts(content, "", _DEEPEST, set()))
    if not found:
        raise EngineError(
            f"“{path.name}” holds no tensors by name, so there are no weights in it. A state_dict is needed: "
            'torch.save(model.state_dict(), "weights.pth").'
        )
    return found


def _state_dicts(content: Any, where: str, depth: int, seen: set[int]) -> Iterator[tuple[str, StateDict]]:
    if isinstance(content, list | tuple):
        content = {str(number): value for number, value in enumerate(content)} if len(content) < _MOST_LISTED else {}
    if not isinstance(content, Mapping) or depth == 0 or id(content) in seen:
        return
    seen.add(id(content))  # a pickle may hold a thing within itself
    named = {key: value for key, value in content.items() if isinstance(key, str)}
    tensors = {key: value for key, value in named.items() if isinstance(value, torch.Tensor)}
    if tensors:
        yield where, tensors
    for key, value in named.items():
        yield from _state_dicts(value, f"{where}.{key}" if where else key, depth - 1, seen)


def architecture_named(content: Any) -> str:
    """The model that a file says its weights are of, as timm's training program writes it; empty: it does not say."""
    if not isinstance(content, Mapping):
        return ""
    named = [content.get(key) for key in ("arch", "architecture", "model_name")]
    options = content.get("args")
    if isinstance(options, argparse.Namespace):
        named += [getattr(options, key, None) for key in ("model", "arch")]
    return next((name for name in named if isinstance(name, str) and 0 < len(name) < 100), "")
