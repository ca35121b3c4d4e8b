"""What is written in a table's cells: plain text, one label or several, ones and zeros."""

from __future__ import annotations

import ast
import json
from collections import Counter
from contextlib import suppress
from typing import Any

ZEROS = frozenset({"0", "0.0", "-1", "false", ""})
ONES = frozenset({"1", "1.0", "true"})


def text(value: Any) -> str:
    """A cell without the spaces around it; empty where there is none."""
    return "" if value is None else str(value).strip()


def texts(cells: list[Any]) -> list[str]:
    """Likewise a whole column."""
    return list(map(str.strip, cells)) if set(map(type, cells)) <= {str} else [text(cell) for cell in cells]


def labels_in(value: Any) -> list[str]:
    """The labels in a cell, which may be a list or an object as JSON or Python write them."""
    if isinstance(value, str) and value.strip()[:1] == "[" and value.strip()[-1:] == "]":
        for parse in (json.loads, ast.literal_eval):
            with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
                value = parse(value.strip())
                break
    if isinstance(value, list | tuple):
        return [label for part in value for label in labels_in(part)]
    if isinstance(value, dict):
        value = value.get("name", value.get("label", value.get("id")))
    written = text(value)
    return [] if written.lower() in ("", "nan", "null", "none") and not isinstance(value, bool) else [written]


def several(rows: list[list[str]]) -> str:
    """An example of a cell with several labels, if that is what the column holds; empty: one label each."""
    for labels in rows:
        if len(labels) > 1:
            return ", ".join(labels)
    cells = Counter(labels[0] for labels in rows if labels)
    for separator, strict in ((";", False), ("|", False), (",", True), (" ", True)):
        combined = {cell: [part.strip() for part in cell.split(separator) if part.strip()] for cell in cells}
        combined = {cell: parts for cell, parts in combined.items() if len(parts) > 1}
        known = cells.keys() - combined.keys()
        if not strict:
            uses = Counter(part for parts in combined.values() for part in set(parts))
            known |= {part for part, count in uses.items() if count > 1}
        enough = all if strict else any
        mixed = [cell for cell, parts in combined.items() if enough(part in known for part in parts)]
        if len(mixed) > (1 if strict else 0) and len(mixed) * 2 > len(combined):
            return mixed[0]
    return ""
