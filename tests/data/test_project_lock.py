"""One process at a time writes to a project, and whoever was killed is in nobody's way."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import psutil
import pytest

from ftgui.base import process_identity as process_mark
from ftgui.base.process_identity import ProcessMark, encode, own_mark, process_identity, read_mark
from ftgui.cli import prepare_training
from ftgui.cli.main import main
from ftgui.data.catalog.reading import CatalogReader
from ftgui.data.project import Project
from ftgui.data.project_lock import LOCK_FILE, TERMINAL, WINDOW, ProjectHeld, ProjectLocks
from ftgui.protocol import recipe_file
from ftgui.protocol.recipe import Dataset, Recipe
from ftgui.runs.index import list_runs
from ftgui.runs.run_folders import continuable
from ftgui.runs.running import RUNNING_FILE, marked_as_running, running_process
from tests.conftest import Maker, leave_checkpoint


@pytest.fixture
def other_process() -> subprocess.Popen[bytes]:
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    yield child
    child.kill()
    child.communicate()


def mark_of(child: subprocess.Popen[bytes], **changes: object) -> ProcessMark:
    mark = msgspec.structs.replace(own_mark(WINDOW), pid=child.pid, identity=process_identity(child.pid))
    return msgspec.structs.replace(mark, **changes)


def test_another_living_process_holds_it_and_is_named(tmp_path: Path, other_process) -> None:
    (tmp_path / LOCK_FILE).write_bytes(encode(mark_of(other_process, since=time.time())))
    locks = ProjectLocks(WINDOW)
    with pytest.raises(ProjectHeld, match=f"open in another window .process {other_process.pid}, since"):
        locks.take(tmp_path)
    assert not locks.holds(tmp_path)
    locks.keep_only(None)
    assert read_mark(tmp_path / LOCK_FILE).pid == other_process.pid, "what is another's is not given back"
    locks.take(tmp_path, by_force=True)
    assert locks.holds(tmp_path) and read_mark(tmp_path / LOCK_FILE).pid == os.getpid()
    locks.keep_only(None)
    assert sorted(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_stale(tmp_path: Path, other_process) -> None:
    (tmp_path / LOCK_FILE).write_bytes(encode(mark_of(other_process)))
    other_process.kill()
    psutil.wait_procs([psutil.Process(other_process.pid)], timeout=10)
    ProjectLocks(WINDOW).take(tmp_path)
    assert read_mark(tmp_path / LOCK_FILE).pid == os.getpid()


def test_a_number_used_again_by_another_process_is_not_taken_for_the_old_one(tmp_path: Path, other_process) -> None:
    (tmp_path / LOCK_FILE).write_bytes(encode(mark_of(other_process, identity="of an earlier process")))
    ProjectLocks(WINDOW).take(tmp_path)


def test_where_the_kernels_ticks_are_not_told_the_time_of_the_start_counts(monkeypatch, other_process) -> None:
    monkeypatch.setattr(process_mark, "_BOOT_ID", Path("/there/is/none"))
    identity = process_identity(other_process.pid)
    assert float(identity) == pytest.approx(psutil.Process(other_process.pid).create_time(), abs=0.1)
    assert process_identity(2**22 + 12345) == ""


def test_a_process_of_another_computer_counts_as_alive(tmp_path: Path) -> None:
    far = msgspec.structs.replace(own_mark(TERMINAL), host="lab-7", identity="x", pid=1)
    (tmp_path / LOCK_FILE).write_bytes(encode(far))
    with pytest.raises(ProjectHeld, match=r"a training run in a terminal \(process 1 on lab-7"):
        ProjectLocks(WINDOW).take(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid": "x"}', b'{"host": "\xff"}'])
def test_a_damaged_mark_is_in_nobodys_way(tmp_path: Path, content: bytes) -> None:
    (tmp_path / LOCK_FILE).write_bytes(content)
    locks = ProjectLocks(WINDOW)
    locks.take(tmp_path)
    assert locks.holds(tmp_path)


def test_taken_over_it_is_no_longer_ours(tmp_path: Path) -> None:
    first, second = ProjectLocks(WINDOW), ProjectLocks(WINDOW)
    first.take(tmp_path)
    first.take(tmp_path)
    with pytest.raises(ProjectHeld):
        second.take(tmp_path)
    second.take(tmp_path, by_force=True)
    assert second.holds(tmp_path) and not first.holds(tmp_path)
    first.keep_only(None)
    assert second.holds(tmp_path)


# --- runs -------------------------------------------------------------------------------------------------------------


def test_a_run_that_trains_is_told_as_training_and_one_that_was_killed_as_crashed(
    tmp_path: Path, other_process
) -> None:
    run = tmp_path / "0001-head"
    run.mkdir()
    recipe_file.save(Recipe(), run / "recipe.toml")
    leave_checkpoint(run, Recipe(), step=12)
    (run / RUNNING_FILE).write_bytes(encode(mark_of(other_process)))
    (record,) = list_runs(tmp_path)
    assert (record.ended, record.ending, record.can_continue) == ("training", "It is training now.", False)
    assert continuable(run) is None
    other_process.kill()
    other_process.communicate()
    (record,) = list_runs(tmp_path)
    assert (record.ended, record.can_continue) == ("crashed", True) and "was killed" in record.ending
    assert continuable(run).step == 12


def test_the_mark_of_a_run_goes_with_its_end(tmp_path: Path) -> None:
    with marked_as_running(tmp_path):
        assert running_process(tmp_path).pid == os.getpid()
    assert running_process(tmp_path) is None and not list(tmp_path.iterdir())


# --- a terminal -------------------------------------------------------------------------------------------------------


def test_a_terminal_does_not_train_in_a_project_that_a_window_has_open(
    tmp_path: Path, make_dataset: Maker, capsys: pytest.CaptureFixture[str]
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    recipe = Recipe(dataset=Dataset(folder=str(make_dataset())))
    recipe_file.save(recipe, project / "recipe.toml")
    window = ProjectLocks(WINDOW)
    window.take(project)
    assert main(["train", str(project / "recipe.toml")]) == 1
    assert "This project is open in another window" in (said := capsys.readouterr().err) and "--project" in said
    assert {path.name for path in project.iterdir()} == {"recipe.toml", LOCK_FILE}, "nothing was touched"


def test_trainings_in_terminals_are_in_nobodys_way(tmp_path: Path) -> None:
    first, second = ProjectLocks(TERMINAL), ProjectLocks(TERMINAL)
    assert first.take(tmp_path) is None and first.take(tmp_path) is None
    assert second.take(tmp_path) == read_mark(tmp_path / LOCK_FILE)
    second.keep_only(None)
    assert first.holds(tmp_path)


def test_the_second_of_two_trainings_in_terminals_says_so_and_changes_nothing_for_the_first(
    tmp_path: Path, make_dataset: Maker
) -> None:
    data = make_dataset(count=4)
    recipe = Recipe(dataset=Dataset(folder=str(data)))
    path = tmp_path / "recipe.toml"
    recipe_file.save(recipe, path)
    first, second = ProjectLocks(TERMINAL), ProjectLocks(TERMINAL)
    project = Project(tmp_path / "project")
    project.folder.mkdir()
    first.take(project.folder)
    with pytest.raises(ProjectHeld, match="a training run in a terminal"):  # still looks through the images
        prepare_training.prepare(path, project.folder, locks=second)
    prepare_training.prepare(path, project.folder, locks=first)
    prepared = prepare_training.prepare(path, project.folder, locks=second)
    assert f"A training run in a terminal (process {os.getpid()}, since" in prepared.problems[0].message
    before = splits_of(project)
    recipe_file.save(msgspec.structs.replace(recipe, dataset=Dataset(folder=str(data), val_fraction=0.5)), path)
    with pytest.raises(ProjectHeld):
        prepare_training.prepare(path, project.folder, locks=second)
    assert splits_of(project) == before and len(list(project.runs_folder.iterdir())) == 2


def splits_of(project: Project) -> list[tuple[str, str, str]]:
    with CatalogReader(project.catalog_path) as catalog:
        return sorted(catalog.entries())


def test_in_a_terminal_it_is_told_what_to_do(
    tmp_path: Path, make_dataset: Maker, other_process, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe_file.save(Recipe(dataset=Dataset(folder=str(make_dataset()))), tmp_path / "recipe.toml")
    mark = msgspec.structs.replace(mark_of(other_process), doing=TERMINAL)
    (tmp_path / LOCK_FILE).write_bytes(encode(mark))
    assert main(["train", str(tmp_path / "recipe.toml")]) == 1
    said = capsys.readouterr().err
    assert (
        "open in a training run in a terminal" in said
        and "Wait until it is over, or train elsewhere with --project" in said
    )


def test_a_run_that_trains_is_not_continued_beside_itself(tmp_path: Path, other_process, capsys) -> None:
    run = tmp_path / "runs" / "0001-head"
    run.mkdir(parents=True)
    leave_checkpoint(run, Recipe())
    (run / RUNNING_FILE).write_bytes(encode(mark_of(other_process)))
    assert main(["train", "--continue", str(run)]) == 1
    assert f"0001-head is training now (process {other_process.pid})" in capsys.readouterr().err
