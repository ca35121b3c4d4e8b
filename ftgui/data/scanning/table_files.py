"""From a file to rows: CSV in any encoding and dialect, JSON lines, JSON, and plain lists.

Nothing is asked of the person that the file itself tells: encoding, separator, lines above the head, whether there is a
head at all.
"""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import json
import operator
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from ftgui.base.foreign_text import plain_cell
from ftgui.data.images.decoding import EXTENSIONS, is_image_name
from ftgui.data.scanning.names import words

Row = dict[str, Any]

_PORTION = 2000
"""Rows."""

_HEAD = 1 << 16
"""Characters from which the dialect is judged."""
_DELIMITERS = ",;\t|"
_LONGEST_FIELD = 2**31 - 1
"""Characters; more than Python's csv allows by itself: some columns hold embeddings."""
_MOST_LINES_IN_FIELD = 50
"""A quoted field with more of them is one whose quote was never meant to open it."""
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class TableError(ValueError):
    """A table that can't be read; the text says where and why, without a full stop at the end."""


class _Table(NamedTuple):
    """Separated values under a head."""

    names: list[str]
    """Of the columns."""
    records: Iterator[list[str]]

    def portions(self) -> Iterator[list[list[str]]]:
        """Its rows, some thousand at a time."""
        while records := list(itertools.islice(self.records, _PORTION)):
            yield [record for record in records if not _is_aside(record)]


def rows_of(file: Path, names_image: Callable[[str], bool]) -> Iterator[Row]:
    """Every row, as column -> cell.

    Args:
        file: its ending says what it is.
        names_image: whether a cell names an image, which the head of a table never does.

    Raises:
        TableError: it is no such file from some line on.
        OSError: it can't be read.
    """
    with _opened(file, names_image) as content:
        if isinstance(content, _Table):
            for records in content.portions():
                for record in records:
                    cells = itertools.chain(map(plain_cell, record), itertools.repeat(""))
                    yield dict(zip(content.names, cells, strict=False))
        else:
            yield from content


def columns_of(
    file: Path, names_image: Callable[[str], bool], wanted: Collection[str]
) -> Iterator[dict[str, list[Any]]]:
    """Whole columns, some thousand rows at a time: looking at rows one by one takes several times as long.

    Args:
        file, names_image: as for `rows_of`.
        wanted: columns to be given, of those that there are.

    Raises:
        TableError, OSError: as `rows_of`.
    """
    with _opened(file, names_image) as content:
        if isinstance(content, _Table):
            places = {name: place for place, name in enumerate(content.names) if name in wanted}
            for records in content.portions():
                shortest = min(map(len, records), default=0)
                yield {name: _column(records, place, shortest) for name, place in places.items()}
        else:
            while rows := list(itertools.islice(content, _PORTION)):
                keys = [key for key in wanted if any(key in row for row in rows)]
                yield {key: [row.get(key) for row in rows] for key in keys}


def _column(records: list[list[str]], place: int, shortest: int) -> list[Any]:
    if place < shortest:
        cells = list(map(operator.itemgetter(place), records))
    else:
        cells = [record[place] if place < len(record) else "" for record in records]
    return list(map(plain_cell, cells)) if "\n'" in "\n".join(["", *cells]) else cells


@contextmanager
def _opened(file: Path, names_image: Callable[[str], bool]) -> Iterator[_Table | Iterator[Row]]:
    ending = file.suffix.lower()
    try:
        with io.open(file, encoding=encoding_of(file), newline="") as text:  # noqa: UP020
            if ending == ".jsonl":
                yield _json_lines(text)
            elif ending == ".json":
                yield _json_rows(text)
            else:
                yield _separated(text, names_image, ending == ".txt")
    except UnicodeDecodeError as error:
        raise TableError(f"its text is damaged at byte {error.start:,}") from error


def encoding_of(file: Path) -> str:
    """UTF-8 if it is, UTF-16 and 32 by their marks or zeros, else what Windows writes in western Europe.

    Raises:
        OSError: it can't be read.
    """
    with file.open("rb") as binary:
        head = binary.read(4096)
        for mark, name in _BOMS:
            if head.startswith(mark):
                return name
        even, odd = head[::2].count(0), head[1::2].count(0)
        if even + odd > len(head) // 8:
            return "utf-16-le" if odd >= even else "utf-16-be"
        decoder = codecs.getincrementaldecoder("utf-8")()
        chunk = head
        try:
            while chunk:
                decoder.decode(chunk)
                chunk = binary.read(1 << 20)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return _western(file)
    return "utf-8"


def _western(file: Path) -> str:
    """cp1252 leaves five bytes without a letter; latin-1 takes every byte."""
    try:
        with io.open(file, encoding="cp1252") as text:  # noqa: UP020
            while text.read(1 << 20):
                pass
    except UnicodeDecodeError:
        return "latin-1"
    return "cp1252"


# --- JSON -----------------------------------------------------------------------------------------------------------


def _json_lines(text: Iterable[str]) -> Iterator[Row]:
    for number, line in enumerate(text, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise TableError(f"line {number:,} is not JSON") from error
        if not isinstance(row, dict):
            raise TableError(f"line {number:,} is not a JSON object")
        yield row


def _json_rows(text: io.TextIOWrapper) -> Iterator[Row]:
    """``[{"file": …, "label": …}, …]``, or ``{"a.jpg": "cat", …}``."""
    try:
        content = json.load(text)
    except (ValueError, RecursionError) as error:
        line = f"line {error.lineno:,} is" if isinstance(error, json.JSONDecodeError) else "it is"
        raise TableError(f"{line} not JSON") from error
    if isinstance(content, list) and all(isinstance(row, dict) for row in content):
        yield from content
    elif isinstance(content, dict) and content and all(is_image_name(key) for key in content):
        for path, label in content.items():
            yield {"path": path, "label": label}
    else:
        raise TableError("it is not a list of JSON objects")


# --- separated values -----------------------------------------------------------------------------------------------


def _separated(text: io.TextIOWrapper, names_image: Callable[[str], bool], is_list: bool) -> _Table | Iterator[Row]:
    csv.field_size_limit(_LONGEST_FIELD)
    head = text.read(_HEAD)
    cut = len(head) == _HEAD
    text.seek(0)
    delimiter, quoting = _dialect(head, cut)
    known = _head_records(head, cut, delimiter or ",", quoting)
    width = _width(known)
    if is_list and (
        not delimiter or (delimiter == "\t" and width == 2 and any(is_image_name(cell) for cell in known[0]))
    ):
        return _list_rows(text)
    records = _records(text, delimiter or ",", quoting)
    names, first = _head(records, width, names_image)
    return _Table(names, itertools.chain(first, records))


def _dialect(head: str, cut: bool) -> tuple[str, bool]:
    """Separator (empty: there is only one column), and whether quotes mean anything."""
    first = head.lstrip("\ufeff\r\n ").splitlines()[:1]
    if first and first[0].strip('"').lower().startswith("sep=") and len(first[0].strip('"')) > 4:
        return first[0].strip('"')[4], True
    best = (0.0, 0, "", True)
    for delimiter in _DELIMITERS:
        quoting = not _swallows(head, delimiter)
        records = _head_records(head, cut, delimiter, quoting)
        width = _width(records)
        share = sum(len(record) == width for record in records) / max(len(records), 1)
        if width > 1 and (share, width) > best[:2]:
            best = (share, width, delimiter, quoting)
    return best[2], best[3]


def _head_records(head: str, cut: bool, delimiter: str, quoting: bool) -> list[list[str]]:
    """What the head holds beside blank lines, comments and instructions."""
    records = list(_records(io.StringIO(head, newline=""), delimiter, quoting))
    if cut and len(records) > 1:
        del records[-1]
    return [record for record in records if not _is_aside(record)]


def _is_aside(record: list[str]) -> bool:
    if record[0][:1] in _PLAIN_BEGINNINGS:
        return False
    return not any(cell.strip() for cell in record) or record[0].lstrip().startswith("#") or _is_instruction(record)


_PLAIN_BEGINNINGS = frozenset("0123456789_-/.'" + "abcdefghijklmnopqrtuvwxyzABCDEFGHIJKLMNOPQRTUVWXYZ")
"""Of rows that are no comment, no instruction (``sep=;``) and not blank: nearly all, so that these are asked no more."""


def _is_instruction(record: list[str]) -> bool:
    return record[0].strip().lower().startswith("sep=") or (record[0].strip().lower() == "sep" and len(record) == 1)


def _swallows(head: str, delimiter: str) -> bool:
    """A quote that is only a sign would make a field of all that follows."""
    records = csv.reader(io.StringIO(head, newline=""), delimiter=delimiter)
    return any(cell.count("\n") > _MOST_LINES_IN_FIELD for record in records for cell in record)


def _records(text: Iterable[str], delimiter: str, quoting: bool) -> Iterator[list[str]]:
    reader = csv.reader(
        text, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quoting else csv.QUOTE_NONE, skipinitialspace=True
    )
    try:
        for record in reader:
            yield record or [""]
    except csv.Error as error:
        raise TableError(f"line {reader.line_num:,}: {error}") from error


def _width(records: list[list[str]]) -> int:
    """How many columns most records have; of as many the wider."""
    widths = Counter(len(record) for record in records)
    return max(widths, key=lambda width: (widths[width], width), default=0)


def _head(
    records: Iterator[list[str]], width: int, names_image: Callable[[str], bool]
) -> tuple[list[str], list[list[str]]]:
    """Read what stands above the rows.

    Returns:
        the columns' names, and the first row, if it was read to find out that there is no head.
    """
    comment: list[str] = []
    for record in ([plain_cell(cell) for cell in record] for record in records):
        if _is_aside(record):
            if record[0].lstrip().startswith("#") and len(record) == width:
                comment = [record[0].lstrip(" #"), *record[1:]]
            continue
        if len(record) < width and not any(names_image(cell.strip()) for cell in record):
            continue  # a title above the table
        if _is_head(record, names_image):
            return _column_names(record), []
        return _column_names(comment if len(comment) == len(record) else [""] * len(record)), [record]
    return [], []


def _is_head(record: list[str], names_image: Callable[[str], bool]) -> bool:
    cells = [cell.strip() for cell in record]
    if any(is_image_name(cell) for cell in cells):
        return False
    if len({cell.lower() for cell in cells} & _HEADINGS):
        return True
    return not any(names_image(cell) for cell in cells) and not all(_is_number(cell) for cell in cells)


_HEADINGS = frozenset(
    words("file filename file_name filepath path image image_id id id_code label labels class class_name category")
)
"""Cells that are names of columns even where an image is called so."""


def _is_number(cell: str) -> bool:
    with suppress(ValueError):
        float(cell)
        return True
    return False


def _column_names(cells: list[str]) -> list[str]:
    """As written; without a name by their place, and none twice."""
    names: list[str] = []
    for place, cell in enumerate(cells, 1):
        name = cell.strip() or f"column {place}"
        names.append(f"{name} ({place})" if name in names else name)
    return names


def _list_rows(lines: Iterable[str]) -> Iterator[Row]:
    """``path label`` per line, as for ImageNet: the path may hold blanks, so it ends where an image's ending does. Where
    there is none, blanks part the columns."""
    for line in lines:
        words = line.strip()
        if not words or words.startswith("#"):
            continue
        lower = words.lower()
        ends = [lower.find(f"{ending}{blank}") for ending in EXTENSIONS for blank in " \t"]
        end = max((end for end in ends if end > 0), default=-1)
        if end > 0:
            space = min(place for place in (words.find(" ", end), words.find("\t", end)) if place > 0)
            yield {"path": words[:space], "label": words[space:].strip()}
        elif is_image_name(words):
            yield {"path": words}
        else:
            yield {f"column {place}": word for place, word in enumerate(words.split(), 1)}
