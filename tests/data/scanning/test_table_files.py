"""Rows and whole columns of a file say the same, however it is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftgui.data.images.decoding import is_image_name
from ftgui.data.scanning import table_files
from ftgui.data.scanning.table_files import columns_of, rows_of

CSV = [
    "file,label,note",
    "# a comment, in between",
    "a.jpg,cat,x",
    "",
    "b.jpg,dog",
    "  ",
    "c.jpg,'=cat,'=x",
    "sam.jpg,it's,x",
    "d.jpg,dog,x,one too many",
]
JSON = [{"file": "a.jpg", "label": "cat"}, {"file": "b.jpg"}, {"file": "c.jpg", "label": True}, {"label": 1}]


@pytest.fixture(params=["table.csv", "table.jsonl", "list.txt", "table.json"])
def file(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(table_files, "_PORTION", 2)  # so that there are several
    path = tmp_path / request.param
    content = {
        ".csv": "\n".join(CSV),
        ".jsonl": "\n".join(map(json.dumps, JSON)),
        ".txt": "a.jpg 1\nb c.jpg 2\nd.jpg\n",
        ".json": json.dumps(JSON),
    }
    path.write_text(content[path.suffix], encoding="utf-8")
    return path


def test_columns_are_those_of_the_rows(file: Path) -> None:
    rows = list(rows_of(file, is_image_name))
    wanted = ["label", "file", "path", "nowhere"]
    columns: dict[str, list[object]] = {}
    for portion in columns_of(file, is_image_name, wanted):
        length = max(map(len, portion.values()), default=0)
        for name in wanted:
            columns.setdefault(name, []).extend(portion.get(name, [None] * length))
    assert columns == {name: [row.get(name) for row in rows] for name in wanted}
    assert len(rows) == {".csv": 5, ".jsonl": 4, ".json": 4, ".txt": 3}[file.suffix]


def test_cells_made_harmless_are_what_they_were(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("\n".join(CSV), encoding="utf-8")
    labels = [row["label"] for row in rows_of(tmp_path / "t.csv", is_image_name)]
    assert labels == ["cat", "dog", "=cat", "it's", "dog"]
