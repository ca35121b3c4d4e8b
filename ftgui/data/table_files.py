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
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from ftgui.data.foreign import plain_cell
from ftgui.data.formats import EXTENSIONS, is_image_name
from ftgui.data.names import words

Row = dict[str, Any]
Numbered = tuple[int, Row]
"""Number of its line in the file, from 1; the row."""

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


def rows_of(file: Path, names_image: Callable[[str], bool]) -> Iterator[Numbered]:
    """Every row, as column -> cell.

    Args:
        file: its ending says what it is.
        names_image: whether a cell names an image, which the head of a table never does.

    Raises:
        TableError: it is no such file from some line on.
        OSError: it can't be read.
    """
    ending = file.suffix.lower()
    try:
        with io.open(file, encoding=encoding_of(file), newline="") as text:  # noqa: UP020
            if ending == ".jsonl":
                yield from _json_lines(text)
            elif ending == ".json":
                yield from _json_rows(text)
            else:
                yield from _separated(text, names_image, ending == ".txt")
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


def _json_lines(text: Iterable[str]) -> Iterator[Numbered]:
    for number, line in enumerate(text, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise TableError(f"line {number:,} is no JSON") from error
        if not isinstance(row, dict):
            raise TableError(f"line {number:,} is no JSON object")
        yield number, row


def _json_rows(text: io.TextIOWrapper) -> Iterator[Numbered]:
    """``[{"file": …, "label": …}, …]``, or ``{"a.jpg": "cat", …}``."""
    try:
        content = json.load(text)
    except (ValueError, RecursionError) as error:
        line = f"line {error.lineno:,} is" if isinstance(error, json.JSONDecodeError) else "it is"
        raise TableError(f"{line} no JSON") from error
    if isinstance(content, list) and all(isinstance(row, dict) for row in content):
        yield from enumerate(content, 1)
    elif isinstance(content, dict) and content and all(is_image_name(key) for key in content):
        for number, (path, label) in enumerate(content.items(), 1):
            yield number, {"path": path, "label": label}
    else:
        raise TableError("it is no list of JSON objects")


# --- separated values -----------------------------------------------------------------------------------------------


def _separated(text: io.TextIOWrapper, names_image: Callable[[str], bool], is_list: bool) -> Iterator[Numbered]:
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
        yield from _list_rows(text)
    else:
        yield from _under_head(_records(text, delimiter or ",", quoting), width, names_image)


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
    records = [record for _, record in _records(io.StringIO(head, newline=""), delimiter, quoting)]
    if cut and len(records) > 1:
        del records[-1]
    return [record for record in records if not _is_aside(record)]


def _is_aside(record: list[str]) -> bool:
    return not any(cell.strip() for cell in record) or record[0].lstrip().startswith("#") or _is_instruction(record)


def _is_instruction(record: list[str]) -> bool:
    return record[0].strip().lower().startswith("sep=") or (record[0].strip().lower() == "sep" and len(record) == 1)


def _swallows(head: str, delimiter: str) -> bool:
    """A quote that is only a sign would make a field of all that follows."""
    records = csv.reader(io.StringIO(head, newline=""), delimiter=delimiter)
    return any(cell.count("\n") > _MOST_LINES_IN_FIELD for record in records for cell in record)


def _records(text: Iterable[str], delimiter: str, quoting: bool) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(
        text, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quoting else csv.QUOTE_NONE, skipinitialspace=True
    )
    number = 1
    while True:
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise TableError(f"line {reader.line_num:,}: {error}") from error
        yield number, [plain_cell(cell) for cell in record] or [""]
        number = reader.line_num + 1


def _width(records: list[list[str]]) -> int:
    """How many columns most records have; of as many the wider."""
    widths = Counter(len(record) for record in records)
    return max(widths, key=lambda width: (widths[width], width), default=0)


def _under_head(
    records: Iterator[tuple[int, list[str]]], width: int, names_image: Callable[[str], bool]
) -> Iterator[Numbered]:
    names: list[str] | None = None
    comment: list[str] = []
    for number, record in records:
        if _is_aside(record):
            if record[0].lstrip().startswith("#") and len(record) == width:
                comment = [record[0].lstrip(" #"), *record[1:]]
            continue
        if names is None:
            if len(record) < width and not any(names_image(cell.strip()) for cell in record):
                continue  # a title above the table
            if _is_head(record, names_image):
                names = _column_names(record)
                continue
            names = _column_names(comment if len(comment) == len(record) else [""] * len(record))
        yield number, dict(zip(names, itertools.chain(record, itertools.repeat("")), strict=False))


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


def _list_rows(lines: Iterable[str]) -> Iterator[Numbered]:
    """``path label`` per line, as for ImageNet: the path may hold blanks, so it ends where an image's ending does. Where
    there is none, blanks part the columns."""
    for number, line in enumerate(lines, 1):
        words = line.strip()
        if not words or words.startswith("#"):
            continue
        lower = words.lower()
        ends = [lower.find(f"{ending}{blank}") for ending in EXTENSIONS for blank in " \t"]
        end = max((end for end in ends if end > 0), default=-1)
        if end > 0:
            space = min(place for place in (words.find(" ", end), words.find("\t", end)) if place > 0)
            yield number, {"path": words[:space], "label": words[space:].strip()}
        elif is_image_name(words):
            yield number, {"path": words}
        else:
            yield number, {f"column {place}": word for place, word in enumerate(words.split(), 1)}
