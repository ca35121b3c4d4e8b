"""Finding the image file that a table means, however its name is written there."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from functools import cached_property

from ftgui.data.scanning.names import fold_path, split_name


class FileIndex:
    """Finds the file that a table means: by its path or the end of it, without its ending, in any case and kind of accents.

    Args:
        files: paths of images, with ``/``.
    """

    def __init__(self, files: Iterable[str]) -> None:
        self._files = dict.fromkeys(files)

    @cached_property
    def _paths(self) -> dict[str, Sequence[str]]:
        """Folded path -> the paths."""
        return _grouped(self._folded, list(self._files))

    @cached_property
    def _names(self) -> dict[str, Sequence[str]]:
        """Folded file name -> the paths."""
        return _grouped([path.rpartition("/")[2] for path in self._folded], list(self._files))

    @cached_property
    def _stems(self) -> dict[str, Sequence[str]]:
        """Folded file name without its ending -> the paths."""
        return _grouped([path.rpartition("/")[2].rpartition(".")[0] for path in self._folded], list(self._files))

    @cached_property
    def _folded(self) -> list[str]:
        return [fold_path(path) for path in self._files]

    @cached_property
    def _only(self) -> dict[str, str]:
        """File name -> the path, if no two files have the same name; else nothing."""
        found = {path.rpartition("/")[2]: path for path in self._files}
        return found if len(found) == len(self._files) else {}

    def exact(self, written: Sequence[str]) -> Sequence[str] | None:
        """The paths that are meant if all are written as they are: whole, or as file names that are there once.

        Many times faster than `find`; None: some are not, and must be looked for one by one.
        """
        if self._files.keys() >= set(written):
            return written
        found = list(map(self._only.get, written))
        return [path for path in found if path is not None] if None not in found else None

    def __len__(self) -> int:
        return len(self._files)

    def find(self, written: str, near: str = "", split: str = "") -> str | None:
        """The path of the one file that is meant, or None.

        Args:
            written: a path, perhaps another computer's, or only the end of one.
            near: folder of the table, whose files are meant first.
            split: of the table, whose folder's files are meant first.
        """
        if not written:
            return None
        if not near and written in self._files:
            return written
        if written in self._only:
            return self._only[written]
        plain = fold_path(written)
        for whole in [f"{fold_path(near)}/{plain}", plain] if near else [plain]:
            if paths := self._paths.get(whole):
                return _exact(paths, written)
        name = plain.rpartition("/")[2]
        candidates = [*self._names.get(name, ()), *self._stems.get(name, ())] if name else []
        if not candidates:
            return None
        return _meant(candidates, plain, near, split)


def _grouped(keys: Sequence[str], paths: Sequence[str]) -> dict[str, Sequence[str]]:
    unique: dict[str, Sequence[str]] = dict(zip(keys, zip(paths, strict=True), strict=True))
    if len(unique) == len(keys):
        return unique
    found: dict[str, list[str]] = {}
    for key, path in zip(keys, paths, strict=True):
        found.setdefault(key, []).append(path)
    return dict(found)


def _exact(paths: Sequence[str], written: str) -> str | None:
    """Of paths that differ in case only, the one that is written so."""
    if len(paths) == 1:
        return paths[0]
    plain = written.strip().replace("\\", "/").removeprefix("./")
    return next((path for path in paths if path.endswith(plain)), None)


def _meant(candidates: list[str], plain: str, near: str, split: str) -> str | None:
    """Of files of one name the one whose path ends most like what is written; of two equally good ones neither."""
    if len(candidates) == 1:
        return candidates[0]
    parts = plain.split("/")[:-1]

    def likeness(path: str) -> tuple[int, bool, bool, bool]:
        own = fold_path(path).split("/")
        alike = sum(
            1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(own[-2::-1], parts[::-1], strict=False))
        )
        whole = own[-1] == plain.split("/")[-1]
        in_split = bool(split) and any(split_name(part).split == split for part in own[:-1])
        return alike, whole, bool(near) and path.startswith(f"{near}/"), in_split

    ranked = sorted(candidates, key=likeness, reverse=True)
    best = likeness(ranked[0])
    if best == likeness(ranked[1]) or (parts and best[0] == 0 and not (best[2] or best[3])):
        return None
    return ranked[0]
