"""Edits: each one transaction, each undone exactly, none lost by a crash, no file touched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ftgui.data.catalog import edits
from ftgui.data.catalog.catalog import Catalog
from ftgui.data.catalog.query import Query
from ftgui.data.project import Project
from tests.conftest import Maker, picture

ROOT = Path(__file__).resolve().parents[3]


def opened(root: Path) -> Catalog:
    project = Project.for_dataset(root)
    project.take_in(root)
    return project.catalog()


def state(catalog: Catalog) -> tuple:
    rows = catalog.rows(catalog.find(Query()))
    pinned = [catalog.detail(row.id).pinned for row in rows]
    return rows, pinned, catalog.counts()


def test_images_move_between_classes(make_dataset: Maker) -> None:
    with opened(make_dataset(count=10)) as catalog:
        ids = catalog.find(Query(class_name="red"))
        edits.relabel(catalog, ids[:3], "blue")
        edits.relabel(catalog, ids[3:4], "green")
        assert {name: splits.total() for name, splits in catalog.counts().items()} == {"blue": 13, "green": 1, "red": 6}
        assert catalog.detail(ids[0]).found_class == "red", "what the folder says is kept"


def test_excluded_images_are_not_trained_on(make_dataset: Maker) -> None:
    with opened(make_dataset(count=10)) as catalog:
        ids = catalog.find(Query())
        edits.exclude(catalog, ids[:5], True)
        assert len(catalog.samples()) == 15 and catalog.contents().excluded == 5
        edits.exclude(catalog, ids[:2], False)
        assert len(catalog.samples()) == 17


def test_classes_are_renamed_merged_and_made(make_dataset: Maker) -> None:
    with opened(make_dataset(classes=("red", "blue", "green"), count=10)) as catalog:
        edits.create_class(catalog, "yellow")
        assert catalog.counts()["yellow"].total() == 0 and catalog.class_names() == ["blue", "green", "red"]
        merged = edits.rename_class(catalog, "red", "blue")
        assert {name: s.total() for name, s in catalog.counts().items()} == {"blue": 20, "green": 10, "yellow": 0}
        edits.rename_class(catalog, "yellow", "gold")
        assert "gold" in catalog.counts() and "yellow" not in catalog.counts()
        edits.write(catalog, merged)
        assert {name: s.total() for name, s in catalog.counts().items()}["red"] == 10


def test_a_chain_of_renames_leads_to_the_last_name(make_dataset: Maker) -> None:
    root = make_dataset(count=5)
    with opened(root) as catalog:
        edits.rename_class(catalog, "red", "rot")
        edits.rename_class(catalog, "rot", "rouge")
    picture((9, 9, 9), 3).save(root / "red" / "new.jpg")
    with opened(root) as catalog:
        assert {row.class_name for row in catalog.rows(catalog.find(Query(text="red/")))} == {"rouge"}


def test_images_from_elsewhere_stay_where_they_are(make_dataset: Maker, tmp_path: Path) -> None:
    root = make_dataset(count=10)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    files = [elsewhere / f"{n}.png" for n in range(5)]
    for number, file in enumerate(files):
        picture((200, 0, 0), number).save(file)
    (elsewhere / "notes.txt").write_text("no image", encoding="utf-8")
    with opened(root) as catalog:
        added, refused = edits.add_images(
            catalog, [*files, elsewhere / "notes.txt", elsewhere / "gone.png", root / "red" / "red0.jpg"], "red"
        )
        assert len(added) == 5
        assert [file.name for file in refused] == ["notes.txt", "gone.png", "red0.jpg"]
        assert catalog.counts()["red"] == {"train": 12, "val": 3}
        assert {sample.path for sample in catalog.samples()} >= set(files)
    with opened(root) as catalog:
        assert catalog.counts()["red"].total() == 15, "a rescan of the folder keeps them"
        edits.remove_images(catalog, added)
        assert catalog.counts()["red"].total() == 10
    assert all(file.exists() for file in files)


actions = st.lists(
    st.tuples(
        st.sampled_from(["relabel", "exclude", "include", "move", "rename", "create"]),
        st.lists(st.integers(0, 11), min_size=1, max_size=12, unique=True),
        st.sampled_from(["red", "blue", "green"]),
        st.sampled_from(["train", "val", "test"]),
    ),
    min_size=1,
    max_size=8,
)


def _do(catalog: Catalog, what: str, chosen: list[int], name: str, split: str) -> edits.Values:
    match what:
        case "relabel":
            return edits.relabel(catalog, chosen, name)
        case "move":
            return edits.move(catalog, chosen, split)
        case "rename":
            return edits.rename_class(catalog, name, "green")
        case "create":
            return edits.create_class(catalog, f"{name} 2")
        case _:
            return edits.exclude(catalog, chosen, what == "exclude")


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(actions)
def test_any_sequence_of_edits_is_undone_and_redone_exactly(make_dataset: Maker, tmp_path: Path, steps) -> None:
    root = tmp_path / "pictures"
    if not root.exists():
        make_dataset(count=6)
    Project.for_dataset(root).catalog_path.unlink(missing_ok=True)
    with opened(root) as catalog:
        ids = catalog.find(Query())
        states, undo = [state(catalog)], []
        for what, numbers, name, split in steps:
            chosen = [ids[number] for number in numbers]
            undo.append(_do(catalog, what, chosen, name, split))
            states.append(state(catalog))
        redo = []
        for before, values in zip(states[-2::-1], undo[::-1], strict=True):
            redo.append(edits.write(catalog, values))
            assert state(catalog) == before
        for after, values in zip(states[1:], redo[::-1], strict=True):
            edits.write(catalog, values)
            assert state(catalog) == after


def test_ten_thousand_at_once(make_dataset: Maker) -> None:
    with opened(make_dataset(count=2)) as catalog:
        with catalog.transaction() as db:
            db.executemany(
                """INSERT INTO images (path, found_class, class_name, found_split, split, size, mtime)
                VALUES (?, 'red', 'red', '', 'train', 1, 1)""",
                ((f"red/{n}.png",) for n in range(10_000)),
            )
        ids = catalog.find(Query(class_name="red"))
        before = edits.relabel(catalog, ids, "blue")
        assert catalog.counts()["blue"].total() == 10_004 and len(before.classes) == 1
        edits.write(catalog, before)
        assert catalog.counts()["red"].total() == 10_002


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_crash_a_moment_later_loses_no_edit(make_dataset: Maker) -> None:
    root = make_dataset(count=6)
    opened(root).close()
    catalog_path = Project.for_dataset(root).catalog_path
    script = """
import sys, time
from pathlib import Path
from ftgui.data.catalog import edits
from ftgui.data.catalog.catalog import Catalog
from ftgui.data.catalog.query import Query
catalog = Catalog(Path(sys.argv[1]))
ids = catalog.find(Query(class_name="red"))
edits.relabel(catalog, ids[:4], "blue")
edits.exclude(catalog, ids[4:5], True)
with catalog.transaction() as db:
    db.execute("UPDATE images SET class_name = 'half done'")
    print("ready", flush=True)
    time.sleep(60)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(catalog_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout.readline() == "ready\n"
        os.kill(process.pid, signal.SIGKILL)
    with Catalog(catalog_path) as catalog:
        assert {name: splits.total() for name, splits in catalog.counts().items()} == {"blue": 10, "red": 1}
        assert catalog.contents().excluded == 1


def test_no_edit_changes_a_file(make_dataset: Maker) -> None:
    root = make_dataset(count=4)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in root.rglob("*.jpg")}
    with opened(root) as catalog:
        ids = catalog.find(Query())
        edits.relabel(catalog, ids, "x")
        edits.exclude(catalog, ids, True)
        edits.move(catalog, ids, "test")
        edits.rename_class(catalog, "x", "y")
        edits.remove_images(catalog, ids)
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in root.rglob("*.jpg")} == before
