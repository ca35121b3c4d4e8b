"""Pictures that are there twice: the same file, or almost the same picture; within a split, across splits, under two classes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ftgui.base.job import Job
from ftgui.data.catalog.catalog import Catalog
from ftgui.data.catalog.records import Hashed
from ftgui.data.checks.image_check import SHORT_SIDE
from ftgui.data.images.decoding import ImageError, load_rgb, one_image
from ftgui.data.images.intensity import IntensityRange

KINDS = ("duplicate", "near-duplicate", "leak", "contradiction")

MOST_BITS = 6
"""Of 64 difference-hash bits that may differ."""
MOST_DIFFERENCE = 24.0
"""Of two pictures at 32 by 32 pixels, their overall colours made equal: mean difference, of 255 steps, of the worst of 8 by 8
blocks, up to which they count as the same. Recompressed copies of photos have 2 (95 of 100 below 5), resized ones below 3,
brighter ones 7 (below 12), ones with 2 % cut off at each edge 21 (half of them are found). Pictures of different hand signs
that are alike in everything but the fingers have 29 and more (measured on hymenoptera and sign-digits). The mean over the
whole picture does not tell these apart."""
_SIDE = 32
_BLOCKS = 8
_CROWD = 400
"""Images with one part of the hash in common beyond which that part says nothing (plain backgrounds, blank pages)."""
_MOST_PAIRS = 200_000
"""Verified at most; each takes a millisecond or two."""

Finding = tuple[int, str, str, int | None]


def find_lookalikes(catalog: Catalog, job: Job) -> int:
    """Compare all images that were decoded, and record which are alike.

    Returns:
        how many images have a double.

    Raises:
        Cancelled: through `job`; what was known before stays.
    """
    rows = catalog.hashes()
    root = catalog.root
    path_of = {row[0]: row[5] for row in rows}
    twins = _same_content(rows)
    copies = {number for group in twins for number in group[1:]}
    # Of copies one stands for all: a picture that is there a thousand times would make half a million pairs.
    firsts = [number for number in range(len(rows)) if number not in copies]
    alike: list[tuple[int, int]] = []
    small = _Small(root, path_of, catalog.read_with)
    for done, pair in enumerate(_candidates([rows[number][4] for number in firsts], job)):
        job.progress(done, 0)
        a, b = firsts[pair[0]], firsts[pair[1]]
        if small.alike(rows[a][0], rows[b][0]):
            alike.append((a, b))
    groups = _joined(len(rows), [(g[0], n) for g in twins for n in g[1:]] + alike)
    same = {number for group in twins for number in group}
    catalog.replace_findings(KINDS, _findings(rows, groups, same, path_of))
    return sum(map(len, groups))


def _same_content(rows: list[Hashed]) -> list[list[int]]:
    by_digest: dict[bytes, list[int]] = {}
    for number, row in enumerate(rows):
        by_digest.setdefault(row[3], []).append(number)
    return [group for group in by_digest.values() if len(group) > 1]


def _candidates(hashes: list[int], job: Job) -> Iterator[tuple[int, int]]:
    """Pairs of positions whose hashes differ in at most `MOST_BITS` bits, each once.

    Hashes that differ in 6 of 64 bits agree in at least one of 7 parts: only those that share a part are compared.
    """
    bits = np.array(hashes, dtype=np.int64).view(np.uint64)
    parts = MOST_BITS + 1
    edges = np.linspace(0, 64, parts + 1).astype(int)
    seen: set[tuple[int, int]] = set()
    for start, end in pairwise(edges):
        mask = np.uint64((1 << int(end - start)) - 1)
        part = (bits >> np.uint64(start)) & mask
        order = np.argsort(part, kind="stable")
        breaks = np.flatnonzero(np.diff(part[order])) + 1
        for group in np.split(order, breaks):
            job.progress(len(seen), 0)
            if not 1 < len(group) <= _CROWD:
                continue
            for a, b in _close(bits, group):
                if (a, b) not in seen:
                    seen.add((a, b))
                    yield a, b
                    if len(seen) >= _MOST_PAIRS:
                        return


def _close(bits: npt.NDArray[np.uint64], group: npt.NDArray[np.intp]) -> Iterator[tuple[int, int]]:
    own = bits[group]
    for position, number in enumerate(group[:-1]):
        rest = group[position + 1 :]
        differing = np.bitwise_count(own[position + 1 :] ^ own[position])
        for other in rest[differing <= MOST_BITS]:
            yield (int(number), int(other)) if number < other else (int(other), int(number))


class _Small:
    """Pictures at 32 by 32, decoded when first compared; the last few thousand are kept."""

    def __init__(self, root: Path, path_of: dict[int, str], intensity: IntensityRange | None) -> None:
        self._intensity = intensity
        self._root = root
        self._path_of = path_of
        self._kept: dict[int, npt.NDArray[np.float32] | None] = {}

    def alike(self, a: int, b: int) -> bool:
        """Whether two images show the same, by their pixels."""
        first, second = self._of(a), self._of(b)
        if first is None or second is None:
            return False
        difference = first - second
        difference -= difference.mean((0, 1))
        blocks = np.abs(difference).mean(2).reshape(_BLOCKS, _SIDE // _BLOCKS, _BLOCKS, _SIDE // _BLOCKS).mean((1, 3))
        return float(blocks.max()) <= MOST_DIFFERENCE

    def _of(self, id_: int) -> npt.NDArray[np.float32] | None:
        if id_ not in self._kept:
            if len(self._kept) > 4000:
                self._kept.clear()
            try:
                with one_image():
                    picture = load_rgb(self._root / self._path_of[id_], SHORT_SIDE, self._intensity)
                    picture = picture.resize((_SIDE, _SIDE))
                    self._kept[id_] = np.asarray(picture, dtype=np.float32)
            except ImageError:  # it changed since it was checked; the next check says so
                self._kept[id_] = None
        return self._kept[id_]


def _joined(count: int, pairs: list[tuple[int, int]]) -> list[list[int]]:
    """Groups of what is alike, directly or through others."""
    parent = list(range(count))

    def top(number: int) -> int:
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    for a, b in pairs:
        parent[max(top(a), top(b))] = min(top(a), top(b))
    groups: dict[int, list[int]] = {}
    for number in {n for pair in pairs for n in pair}:
        groups.setdefault(top(number), []).append(number)
    return [sorted(group) for group in groups.values()]


def _findings(
    rows: list[Hashed], groups: list[list[int]], same: set[int], path_of: dict[int, str]
) -> Iterator[Finding]:
    for group in groups:
        classes = {rows[number][1] for number in group}
        splits = {rows[number][2] for number in group}
        for number in group:
            other = group[1] if number == group[0] else group[0]
            id_, other_id = rows[number][0], rows[other][0]
            identical = rows[number][3] == rows[other][3]
            words = f"{'The same file as' if identical else 'Almost the same as'} {path_of[other_id]}"
            if len(classes) > 1:
                stranger = next(n for n in group if rows[n][1] != rows[number][1])
                text = f"Here “{rows[number][1]}”, as {path_of[rows[stranger][0]]} “{rows[stranger][1]}”."
                yield id_, "contradiction", text, rows[stranger][0]
            if "train" in splits and len(splits) > 1:
                far = next(n for n in group if rows[n][2] != rows[number][2])
                text = f"In {rows[number][2]}, and in {rows[far][2]} as {path_of[rows[far][0]]}."
                yield id_, "leak", text, rows[far][0]
            yield id_, "duplicate" if number in same else "near-duplicate", f"{words}.", other_id
