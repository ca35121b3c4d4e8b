"""Text from elsewhere (names of files, classes and phases, whatever a received run says) made harmless for the place where it
is shown: a terminal or log, Markdown, a cell of a table."""

from __future__ import annotations

import csv
import io
import json
import logging
import re
from collections.abc import Iterable
from typing import Any, TextIO

_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
"""Control characters, by which a terminal is run_adjusted, line separators, and what changes the direction of writing, by which a
name looks like another (CVE-2021-42574). The joiners of emoji and of Indian and Persian writing are none of them."""

_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""How a cell begins that Excel, LibreOffice or Google Sheets may take for a formula (OWASP, "CSV Injection"), or that was
made harmless before."""

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")

_MARKUP = re.compile(r"([\\`*_{}\[\]()<>#+!|~&:@$=^\"])")
"""What means something in Markdown, in HTML within it, or to what makes links out of addresses."""


def visible(text: str) -> str:
    """One line for a terminal or a log: what would steer it is written as in Python, e.g. ``\\x1b``, ``\\n``, ``\\u202e``."""
    return _UNSEEN.sub(lambda found: found.group().encode("unicode_escape").decode("ascii"), text)


def json_text(value: Any, indent: int | None = None) -> str:
    """JSON that is as harmless on a terminal as `visible`, and still means exactly `value`."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return re.sub("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]", _json_escape, text)


def _json_escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found.group()):04x}"


class LogFormatter(logging.Formatter):
    """Each entry's own text is one line, so that a file's name can't forge another entry; a traceback keeps its lines."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        return visible(super().formatMessage(record))


# --- Markdown -------------------------------------------------------------------------------------------------------


def markdown(text: str) -> str:
    """Plain text within Markdown, in a paragraph, a list or a table: never markup, HTML or a link."""
    escaped = _MARKUP.sub(r"\\\1", visible(text)).replace("www.", r"www\.")
    bare = escaped.lstrip(" ")
    blanks = "&#32;" * (len(escaped) - len(bare))  # four plain ones would begin a block of code
    bare = re.sub(r"^(\d+)\.", r"\1\\.", bare)  # would begin a list, as the next would
    return blanks + re.sub("^-", r"\\-", bare)


def markdown_code(text: str) -> str:
    """Plain text as Markdown's inline code, whatever backticks are in it."""
    shown = visible(text)
    fence = "`" * (max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    padding = " " if shown.startswith("`") or shown.endswith("`") or not shown.strip() else ""
    return f"{fence}{padding}{shown}{padding}{fence}"


# --- tables ---------------------------------------------------------------------------------------------------------


def guarded(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula: an apostrophe is put before what begins like one. Numbers stay numbers.

    `plain_cell` gives back exactly what was there.
    """
    return f"'{cell}" if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell) else cell


def plain_cell(cell: str) -> str:
    """What a cell meant before it was `guarded`."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


class TableWriter:
    """Writes rows of CSV whose cells are `guarded`; they end with a line feed alone.

    Args:
        file: opened with ``newline=""``.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        # Told that lines end with both, `csv` quotes cells that hold either; told "\n", it would leave a "\r" bare, and the
        # row would end there for whoever reads it.
        self._line = io.StringIO(newline="")
        self._writer = csv.writer(self._line, lineterminator="\r\n")

    def row(self, cells: Iterable[str]) -> None:
        """Write one."""
        self._writer.writerow([guarded(cell) for cell in cells])
        self._file.write(self._line.getvalue().removesuffix("\r\n") + "\n")
        self._line.seek(0)
        self._line.truncate()
