"""The program's own functions as files that stand alone: what an exported model takes along is the same text, so it can't do
anything else."""

from __future__ import annotations

import ast
import inspect
import pprint
import re
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from types import ModuleType

import ftgui
from ftgui.data.images import decoding, intensity, other_formats, preprocessing, repair
from ftgui.engine.errors import EngineError
from ftgui.engine.input_pipeline import augmentation, epoch_order
from ftgui.protocol import lr_schedule

PIXELS_FILE = "pixels.py"
DRAWS_FILE = "draws.py"
PREDICT_FILE = "predict.py"


def pixels_source() -> str:
    """From a file to the pixels a model sees; needs Pillow and numpy only."""
    return _merged(
        "From an image file to the pixels a model sees.",
        [intensity, other_formats, repair, decoding, preprocessing],
        {},
    )


def draws_source() -> str:
    """What a training draws: views, the order of an epoch, and the learning rate of a step."""
    about = "The random draws of a training run (views of images, the order of an epoch), and the learning rate of each step."
    return _merged(about, [augmentation, epoch_order, lr_schedule], {"ftgui.data.images.preprocessing": "pixels"})


def predict_source() -> str:
    """A script that asks the model beside it."""
    return script(PREDICT_FILE, {"VERSION": ftgui.__version__}, {})


def script(name: str, code: Mapping[str, str], values: Mapping[str, object]) -> str:
    """A template with its places, written as ``@@NAME@@``, filled.

    What is foreign (names of classes, phases and folders, what a received run says) may come as a value only. That it did not
    become anything else is checked on the result: its syntax tree must be that of the same template with None for each value.

    Args:
        name: of the template.
        code: the program's own text for places.
        values: for the other places, each written as a literal; a list of `Call` as one call after the other.

    Raises:
        EngineError: a value is none that can be written, or the check failed.
    """
    text = resources.files(ftgui).joinpath("engine", "export", "templates", f"{name}.txt").read_text(encoding="utf-8")
    filled = _filled(text, code, {place: _written(value) for place, value in values.items()})
    expected = _filled(text, code, {place: _written(_blank(value)) for place, value in values.items()})
    try:
        same = shape(filled) == shape(expected)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise EngineError(
            f"{name} can't be written: a name or number of this run can't be put into a script."
        ) from error
    if not same:
        raise EngineError(f"{name} was not written: a name or number of this run would have become part of the code.")
    return filled


@dataclass(frozen=True)
class Call:
    """A call whose arguments are values, for a place in a script."""

    function: str
    arguments: Mapping[str, object]


def shape(text: str) -> str:
    """A program's syntax tree without the values in it: what it does, whatever it does it with."""
    return ast.dump(_Valueless().visit(ast.parse(text)))


class _Valueless(ast.NodeTransformer):
    """Puts None for every literal, lists and dicts of literals included."""

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.expr) and _is_literal(node):
            return ast.Constant(None)
        return self.generic_visit(node)


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        return False
    return True


def _filled(text: str, code: Mapping[str, str], values: Mapping[str, str]) -> str:
    """All places in one go: what comes into one is no place itself."""
    return re.sub("@@([A-Z_]+)@@", lambda place: {**code, **values}[place[1]], text)


def _blank(value: object) -> object:
    if isinstance(value, Call):
        return Call(value.function, dict.fromkeys(value.arguments))
    if isinstance(value, list) and value and all(isinstance(one, Call) for one in value):
        return [_blank(one) for one in value]
    return None


def _written(value: object) -> str:
    """As Python writes it, and over several lines where it is long."""
    if isinstance(value, Call):
        arguments = "".join(f"    {name}={_indented(_written(one))},\n" for name, one in value.arguments.items())
        return f"{value.function}(\n{arguments})"
    if isinstance(value, list) and value and all(isinstance(one, Call) for one in value):
        return "[\n" + "".join(f"    {_indented(_written(one))},\n" for one in value) + "]"
    return pprint.pformat(value, width=110, sort_dicts=False, compact=True)


def _indented(text: str) -> str:
    return textwrap.indent(text, "    ").lstrip()


def _merged(about: str, modules: list[ModuleType], beside: dict[str, str]) -> str:
    """Modules as one file: their imports once, then their texts as they are.

    Args:
        about: first words of the file.
        modules: in an order in which each stands on those before it.
        beside: modules of ftgui that are other files there, and their names.
    """
    imports: dict[str, set[str]] = {}
    bodies = []
    for module in modules:
        text = inspect.getsource(module)
        tree = ast.parse(text)
        statements = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        for node in statements:
            _note_import(node, beside, imports)
        after = max(node.end_lineno or 0 for node in statements)
        words = "\n".join(f"# {line}".rstrip() for line in (ast.get_docstring(tree) or "").splitlines())
        body = "\n".join(text.splitlines()[after:]).strip("\n")
        bodies.append(f"# --- {module.__name__} ---\n#\n{words}\n\n\n{body}")
    names = ",\n".join(module.__name__ for module in modules)
    head = (
        f'"""{about}\n\n'
        f"These are ftgui {ftgui.__version__}'s own functions, word for word, and Apache-2.0:\n{names}.\n"
        '"""'
    )
    return "\n\n".join([head, "from __future__ import annotations", *_grouped(imports), "\n\n\n".join(bodies)]) + "\n"


def _note_import(node: ast.Import | ast.ImportFrom, beside: dict[str, str], imports: dict[str, set[str]]) -> None:
    """Module -> names from it; the module itself, with its other name, as ``" as other"``."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            imports.setdefault(alias.name, set()).add(f" as {alias.asname}" if alias.asname else " ")
        return
    name = node.module or ""
    if name.startswith("ftgui") and name not in beside:
        return  # it is in this file
    if name != "__future__":
        imports.setdefault(beside.get(name, name), set()).update(alias.name for alias in node.names)


def _grouped(imports: dict[str, set[str]]) -> list[str]:
    """The standard library's, then others'; in each, whole modules first."""
    groups: list[str] = []
    for standard in (True, False):
        lines = []
        for module, names in imports.items():
            if (module.partition(".")[0] in sys.stdlib_module_names) is not standard:
                continue
            lines += [f"import {module}{name}".rstrip() for name in names if name.startswith(" ")]
            named = sorted(name for name in names if not name.startswith(" "))
            lines += [f"from {module} import {', '.join(named)}"] if named else []
        if lines:
            groups.append("\n".join(sorted(lines, key=lambda line: (line.startswith("from"), line.lower()))))
    return groups
