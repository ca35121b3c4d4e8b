"""The list of what was open last: in order, bounded, and whatever stands in its file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftgui.base import paths
from ftgui.data import recent_projects
from ftgui.data.recent_projects import MOST, forget, read_open, read_recent, remember, remember_none


def file() -> Path:
    return paths.data_dir() / "recent.json"


def names() -> list[str]:
    return [each.folder.name for each in read_recent()]


def test_the_newest_is_first_and_none_is_there_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_recent() == [] and read_open() is None
    for moment, name in enumerate(["ants", "bees", "cäts", "ants"]):
        monkeypatch.setattr(recent_projects.time, "time", lambda moment=moment: 1000.0 + moment)
        remember(tmp_path / name, tmp_path / "images" / name, ["b", "a"])
    assert names() == ["ants", "cäts", "bees"]
    first = read_recent()[0]
    assert (first.dataset, first.only, first.opened) == (tmp_path / "images" / "ants", ("b", "a"), 1003.0)
    assert read_open() == first


def test_what_was_closed_is_listed_and_not_opened_again(tmp_path: Path) -> None:
    remember(tmp_path / "ants", tmp_path)
    remember(tmp_path / "bees", tmp_path)
    remember_none()
    assert names() == ["bees", "ants"] and read_open() is None
    remember(tmp_path / "ants", tmp_path)
    forget(tmp_path / "bees")
    assert names() == ["ants"] and read_open() is not None
    forget(tmp_path / "ants")
    assert names() == [] and read_open() is None


def test_the_list_is_bounded(tmp_path: Path) -> None:
    for number in range(MOST + 5):
        remember(tmp_path / str(number), tmp_path)
    assert len(names()) == MOST and names()[0] == str(MOST + 4)


def test_a_name_that_is_no_text_comes_back(tmp_path: Path) -> None:
    folder = Path(tmp_path, "caf\udce9")
    remember(folder, folder)
    assert read_recent()[0].dataset == folder


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"\xff\xfe",
        b'{"projects": 7}',
        b'{"projects": [null, 7, {"project": 1}, {"project": "x", "dataset": "y", "only": "z"}], "open": []}',
        b"[" * 100_000,
        json.dumps({"projects": [{"project": "/p", "dataset": "/d", "opened": "x" * 10}]}).encode(),
    ],
)
def test_whatever_stands_there_the_program_begins(tmp_path: Path, content: bytes) -> None:
    file().write_bytes(content)
    assert len(read_recent()) <= 1 and read_open() is None
    remember(tmp_path / "ants", tmp_path)
    assert names()[0] == "ants"
