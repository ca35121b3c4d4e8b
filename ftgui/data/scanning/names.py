"""Names that people write in several ways: of splits, of classes, of files."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple


def words(text: str) -> tuple[str, ...]:
    """A list of words, written without a quote around each."""
    return tuple(text.split())


SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "trainval": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
"""Words (in lower case) that mean a split."""

_FILLERS = frozenset(
    words(
        "set sets data dataset datasets image images img imgs picture pictures pic pics photo photos folder folders dir "
        "split splits sample samples file files list lists label labels jpg jpeg png raw resized cropped all"
    )
)
"""Words beside a split's that say nothing."""


def split_of(name: str) -> str:
    """The split that a word means; empty: none."""
    return SPLIT_NAMES.get(name.strip().lower(), "")


class SplitName(NamedTuple):
    """What a folder's or file's name says of splits."""

    split: str
    """Empty: nothing."""
    rest: str
    """The other words, as far as they say something: ``"seg"`` of ``seg_train``. Parts of one set have the same."""


@lru_cache(4096)
def split_name(name: str) -> SplitName:
    """Look for a split's word within a name: ``training_set``, ``seg_train``, ``Train_Data``, ``train2017``."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", unicodedata.normalize("NFKC", name)).casefold()
    parts = [word for word in re.split(r"[\W_\d]+", apart) if word]
    found = [split for word in parts if (split := _split_in(word))]
    if len(set(found)) != 1:
        return SplitName("", "")
    rest = " ".join(word for word in parts if not _split_in(word) and word not in _FILLERS)
    return SplitName(found[0], rest)


def _split_in(word: str) -> str:
    if word in SPLIT_NAMES:
        return SPLIT_NAMES[word]
    stem = next((word.removesuffix(ending) for ending in _FILLERS if word.endswith(ending)), "")
    return SPLIT_NAMES.get(stem, "")


def fold(name: str) -> str:
    """The form in which names of classes are compared: composed letters, no case, single blanks, none at the ends.

    A single letter keeps its case: sets of handwriting have a class “a” and a class “A”.
    """
    plain = " ".join(unicodedata.normalize("NFC", name).split())
    return plain if len(plain) == 1 else unicodedata.normalize("NFC", plain.casefold())


def fold_path(path: str) -> str:
    """The form in which paths are compared: composed letters, no case, ``/``, no blanks at the ends."""
    plain = path.strip().replace("\\", "/").removeprefix("./")
    return plain.lower() if plain.isascii() else unicodedata.normalize("NFC", plain.casefold())


class ClassNames:
    """Spellings of one class become one: the first that was seen.

    Args:
        known: spellings that come first, as of a model's classes.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._first: dict[str, str] = {}
        self._known = frozenset(known)
        self._shown: dict[str, str] = {name: name for name in self._known}
        self.joined: dict[str, list[str]] = {}
        """Name as shown -> the other spellings that were met."""
        for name in self._known:
            self._first.setdefault(fold(name) or name, name)

    def __call__(self, written: str) -> str:
        """The name that a spelling is shown as."""
        shown = self._shown.get(written)
        if shown is None:
            shown = self._shown[written] = self._first.setdefault(fold(written) or written, written)
            if shown != written and shown not in self._known:
                self.joined.setdefault(shown, []).append(written)
        return shown


def listing(names: Iterable[str], most: int = 4) -> str:
    """Names in words, e.g. ``"“a”, “b” and “c”"``; of many the first and how many more."""
    quoted = [f"“{name}”" for name in names]
    if len(quoted) > most:
        return f"{', '.join(quoted[:most])} and {len(quoted) - most:,} more"
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)
