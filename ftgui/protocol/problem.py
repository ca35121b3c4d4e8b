"""A `Problem`: something wrong with a file or a recipe, in words, with a way out."""

from __future__ import annotations

from typing import Literal

import msgspec

Severity = Literal["error", "warning", "info"]


class Problem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One finding. An "error" stops training, a "warning" does not, an "info" is only told."""

    severity: Severity
    kind: str
    """Short stable name, e.g. ``"not-an-image"``: problems of one kind are counted together."""
    message: str
    """One sentence a person understands, without the path."""
    path: str = ""
    """The file or folder it is about, relative to the dataset; empty when it is about the whole."""
    fix: str = ""
    """What the person can do about it."""
    field: str = ""
    """The recipe field it is about, e.g. ``"phases.0.lr"``, so that a form can show it there."""
