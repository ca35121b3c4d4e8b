"""Files appear whole or not at all, readable as any new file; what killed processes left is removed, and nothing else."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ftgui.base import files as atomic_files
from ftgui.base.files import replacing, settle, sweep, temporary_name, unfinished_folder, write_atomically


@pytest.fixture(params=[0o022, 0o002, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.skipif(os.name != "posix", reason="only POSIX has a umask")
def test_files_and_folders_have_the_mode_of_any_new_one(tmp_path: Path, umask: int) -> None:
    write_atomically(tmp_path / "bytes", b"1")
    with replacing(tmp_path / "by others") as temporary:
        temporary.write_text("2", encoding="utf-8")
    with unfinished_folder(tmp_path / "folder") as work:
        (work / "file").write_bytes(b"3")
        folder = settle(work, tmp_path / "folder")
    files = [tmp_path / "bytes", tmp_path / "by others", folder / "file"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o666 & ~umask}
    assert folder.stat().st_mode & 0o777 == 0o777 & ~umask
    assert sorted(path.name for path in tmp_path.iterdir()) == ["by others", "bytes", "folder"]


def test_what_fails_leaves_what_was_there_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    write_atomically(file, b"before")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(atomic_files.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(file, b"after")
    assert file.read_bytes() == b"before" and list(tmp_path.iterdir()) == [file]


def test_no_folder_is_made(tmp_path: Path) -> None:
    """It lay on a drive that is unplugged: what is written now would lie on another disk."""
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "gone" / "file", b"1")
    assert not list(tmp_path.iterdir())


def test_a_finished_folder_takes_nobodys_place(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    with unfinished_folder(tmp_path / "model") as work:
        (work / "new").touch()
        assert settle(work, tmp_path / "model") == tmp_path / "model-2"
    assert not any((tmp_path / "model").iterdir()) and (tmp_path / "model-2" / "new").exists()


def test_an_unfinished_folder_is_removed(tmp_path: Path) -> None:
    with unfinished_folder(tmp_path / "model") as work:
        (work / "half").touch()
    assert not list(tmp_path.iterdir())


KILLED = """
import os, sys
from pathlib import Path
from ftgui.base.files import replacing, unfinished_folder
with unfinished_folder(Path(sys.argv[1]) / "model") as work, replacing(Path(sys.argv[1]) / "weights") as temporary:
    (work / "half").write_bytes(b"1")
    temporary.write_bytes(b"1")
    print("now", flush=True)
    sys.stdin.read()
    os._exit(9)
"""


def test_only_what_no_living_process_writes_is_swept(tmp_path: Path) -> None:
    other = tmp_path / ".weights.part"
    other.touch()
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdout.readline()
        with replacing(tmp_path / "mine"):
            sweep(tmp_path)
            assert len(list(tmp_path.iterdir())) == 4, "another process and this one are writing"
        process.stdin.close()
    sweep(tmp_path, tmp_path / "not there")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".weights.part", "mine"]


def test_a_process_that_only_got_the_number_does_not_keep_it(tmp_path: Path) -> None:
    mine = temporary_name(tmp_path / "weights")
    mine.touch()
    os.utime(mine, (1.0, 1.0))  # written before this process began
    sweep(tmp_path)
    assert not mine.exists()


def test_what_another_computer_writes_stays_for_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(atomic_files, "_host", lambda: "0123ab")
        young, old = temporary_name(tmp_path / "a"), temporary_name(tmp_path / "b")
    for file in (young, old):
        file.touch()
    os.utime(old, (time.time() - 2 * 24 * 3600,) * 2)
    sweep(tmp_path)
    assert young.exists() and not old.exists()


def test_the_longest_name_a_file_may_have_can_be_written(tmp_path: Path) -> None:
    file = tmp_path / ("ä" * 120 + ".jpg")
    write_atomically(file, b"1")
    assert file.read_bytes() == b"1"


def test_nothing_else_makes_files_that_only_their_owner_can_read() -> None:
    """`tempfile` gives mode 0600 and 0700; what it makes may only be for this process."""
    package = Path(atomic_files.__file__).parent.parent
    own = {
        "feature_cache.py": "mkstemp",
        "verification.py": "TemporaryDirectory",
    }  # a mapping's room, a proof's playground
    found = {
        (file.name, word)
        for file in package.rglob("*.py")
        for word in ("mkstemp", "mkdtemp", "NamedTemporaryFile", "TemporaryDirectory", "copy2", "chmod")
        if word in file.read_text(encoding="utf-8")
    }
    assert found == set(own.items())
