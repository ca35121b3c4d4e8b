"""What names of layers in a recipe mean, and the shortest names for some layers: pure, on the rows of a layer tree.

Window and engine share it, so that a tick in the window has its final name at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import cached_property
from typing import Protocol

from ftgui.protocol.recipe import EVERYTHING, HEAD, LAST_STAGE

OWN = ":own"
"""After a layer's name: only the parameters it owns itself, not those of the modules below it."""

PORTABLE = frozenset({HEAD, LAST_STAGE, EVERYTHING})
"""Names of layers that mean something in any model."""


class LayerRow(Protocol):
    """What counts of a row of the layer tree; rows come in pre-order."""

    @property
    def name(self) -> str: ...

    @property
    def path(self) -> str | None:
        """Module path in the model, None for a group of several modules."""

    @property
    def parent(self) -> int:
        """Index of the row above, -1 for a top row."""

    @property
    def own_parameters(self) -> int:
        """Scalars owned by the module itself; rows with some are the units of freezing."""


class UnknownLayerError(ValueError):
    """The model has no layer of that name; the message is a sentence for the person."""


class LayerNames:
    """The names of one model's layers.

    Args:
        rows: of its layer tree.
    """

    def __init__(self, rows: Sequence[LayerRow]) -> None:
        self._rows = rows

    @cached_property
    def units(self) -> frozenset[int]:
        """Rows that own parameters: what can be frozen or learn."""
        return frozenset(index for index, row in enumerate(self._rows) if row.own_parameters)

    @cached_property
    def groups(self) -> list[int]:
        """Top rows: stem, stages, neck, head."""
        return [index for index, row in enumerate(self._rows) if row.parent < 0]

    @cached_property
    def children(self) -> list[list[int]]:
        """Per row, the indices of the rows directly below it."""
        children: list[list[int]] = [[] for _ in self._rows]
        for index, row in enumerate(self._rows):
            if row.parent >= 0:
                children[row.parent].append(index)
        return children

    def subtree(self, index: int) -> range:
        """Indices of a row and all below it (pre-order makes them contiguous)."""
        end = index + 1
        while end < len(self._rows) and self._rows[end].parent >= index:
            end += 1
        return range(index, end)

    def resolve(self, layers: Iterable[str]) -> frozenset[int]:
        """The units that names of a recipe mean.

        Raises:
            UnknownLayerError: a name that this model does not have.
        """
        found: set[int] = set()
        for name in layers:
            tops = self._rows_named(name.removesuffix(OWN))
            found.update(tops if name.endswith(OWN) else [row for top in tops for row in self.subtree(top)])
        return frozenset(found & self.units)

    def _rows_named(self, name: str) -> list[int]:
        if name == EVERYTHING:
            return self.groups
        if name == LAST_STAGE:
            stages = [index for index in self.groups if self._rows[index].name.startswith("stage ")]
            neck = [index for index in self.groups if self._rows[index].name == "neck"]
            return stages[-1:] + neck
        found = [index for index, row in enumerate(self._rows) if name in (row.name, row.path)]
        if not found:
            # An opened container, e.g. "blocks": all rows below it.
            found = [index for index, row in enumerate(self._rows) if row.path and row.path.startswith(name + ".")]
        if not found:
            known = ", ".join(self._rows[index].name for index in self.groups)
            raise UnknownLayerError(f"This model has no layer “{name}”. It has: {known}; or use “{EVERYTHING}”.")
        return found

    def shortest(self, units: Collection[int]) -> list[str]:
        """The shortest list of names that means these units."""
        wanted = set(units)
        if wanted and wanted == self.units:
            return [EVERYTHING]
        names: list[str] = []

        def visit(index: int) -> None:
            here = self.units.intersection(self.subtree(index))
            if not here & wanted:
                return
            if here <= wanted:
                names.append(self._rows[index].name)
                return
            if index in wanted:
                names.append(self._rows[index].name + OWN)
            for child in self.children[index]:
                visit(child)

        for group in self.groups:
            visit(group)
        return names

    def canonical(self, layers: list[str]) -> list[str]:
        """The names under which a recipe keeps these layers: those that fit any model as they are, else the shortest.

        Raises:
            UnknownLayerError: a name that this model does not have.
        """
        return list(layers) if PORTABLE.issuperset(layers) else self.shortest(self.resolve(layers))
