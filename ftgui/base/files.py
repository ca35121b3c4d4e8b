"""Files and folders that appear whole or not at all, whatever happens meanwhile: a crash, a full disk, a power cut.

The one place where ftgui writes what is to last. Everything is written under a temporary name beside its place, flushed
to the disk, and then renamed. Files have the mode that the process's umask gives, as any new file has, so that others
who share a folder can read them.

A temporary name says which process on which computer writes it: what killed processes left is told from what others
are still writing, and `sweep` removes it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import platform
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

_TEMPORARY = re.compile(r"\.ftgui-(?P<host>[0-9a-f]{6})-(?P<process>\d+)-[0-9a-f]{8}\.part$")

_FOREIGN_SECONDS = 24 * 3600.0
"""Whether another computer still writes can't be asked; nothing is written for so long."""

_CLOCK_SECONDS = 5.0
"""File systems and processes may tell the time differently by so much."""

_LONGEST = 40
"""Letters of the final name in the temporary one: both together must not be longer than a name may be."""

_PIECE = 2**22
"""Bytes that are compared at once."""

_NO_FOLDER_FLUSH = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EPERM, errno.EBADF})


def reason(error: Exception) -> str:
    """Why the system refused, in its words, e.g. ``"No space left on device"``: without the number and the path that the
    text of an `OSError` has."""
    return getattr(error, "strerror", None) or str(error).rstrip(".")


def refusal(error: OSError) -> str:
    """What it refused and why, e.g. ``"/media/lab: Read-only file system."``; of a temporary file its folder."""
    if error.filename is None:
        return f"{reason(error)}."
    path = Path(os.fsdecode(error.filename))
    return f"{path.parent if path.name.startswith('.') else path}: {reason(error)}."


def write_atomically(path: Path, content: bytes) -> None:
    """Write or replace a file.

    Args:
        path: in a folder that exists. None is made: one that was deleted, or lay on a drive that is unplugged, would come
            back empty, and on another disk.
        content: all of it.

    Raises:
        OSError: it can't be written; what was there before still is.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_proved(path: Path, content: bytes) -> None:
    """As `write_atomically`, and read back: for what nobody can make again.

    Raises:
        OSError: it can't be written, or what is there is not what was written.
    """
    write_atomically(path, content)
    view = memoryview(content)
    with path.open("rb") as file:
        place = 0
        while piece := file.read(_PIECE):
            if piece != view[place : place + len(piece)]:
                break
            place += len(piece)
    if place != len(content):
        raise OSError(errno.EIO, "What was written can't be read back", str(path))


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file that something else writes: gives an empty file to write to, which takes the place of `path` at the end.

    Raises:
        OSError: as `write_atomically`.
    """
    temporary = temporary_name(path)
    # Made with the mode of any new file: asking for the umask would mean setting it, for all threads.
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield temporary
        put_in_place(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):  # a drive that is gone: the first error says more
            temporary.unlink(missing_ok=True)
        raise


def put_in_place(temporary: Path, path: Path) -> None:
    """Flush a finished file to the disk and give it its name, in the place of what had it before.

    Raises:
        OSError: it can't be flushed or renamed.
    """
    _flush(temporary)
    temporary.replace(path)
    _flush_folder(path.parent)


@contextlib.contextmanager
def unfinished_folder(wanted: Path) -> Iterator[Path]:
    """A new folder beside `wanted` to be filled and then named by `settle`; removed at the end if it was not.

    What killed processes left beside it is removed.

    Raises:
        OSError: it can't be made.
    """
    sweep(wanted.parent)
    work = temporary_name(wanted)
    work.mkdir()
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def settle(work: Path, wanted: Path) -> Path:
    """Give a finished folder its name, or that with a number if there is one already.

    Returns:
        where it is now.

    Raises:
        OSError: it can't be flushed or renamed.
    """
    for folder, _, names in os.walk(work):
        for name in names:
            _flush(Path(folder, name))
        _flush_folder(Path(folder))
    number = 1
    while True:
        target = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
        number += 1
        if target.exists():  # an empty folder would be replaced by `rename`
            continue
        try:
            work.rename(target)
        except FileExistsError:
            continue
        _flush_folder(target.parent)
        return target


def temporary_name(path: Path) -> Path:
    """A name beside `path` for as long as this process writes it; nothing is made."""
    token = secrets.token_hex(4)
    return path.with_name(f".{path.name[:_LONGEST]}.ftgui-{_host()}-{os.getpid()}-{token}.part")


def sweep(*folders: Path) -> None:
    """Remove what processes that live no more left half written in these folders, but not below them.

    What another process is writing, here or on another computer, stays. A folder that can't be read is left alone.
    """
    for folder in folders:
        try:
            with os.scandir(folder) as entries:
                left = [Path(entry.path) for entry in entries if _is_left(entry)]
        except OSError:
            continue  # it is not there, or nobody may look into it: then there is nothing to be removed either
        for path in left:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):  # read-only, or another window was faster: the next time, then
                    path.unlink()


def _is_left(entry: os.DirEntry[str]) -> bool:
    match = _TEMPORARY.search(entry.name)
    if match is None:
        return False
    changed = entry.stat(follow_symlinks=False).st_mtime
    if match["host"] != _host():
        return time.time() - changed > _FOREIGN_SECONDS
    import psutil  # not needed for the window's first paint

    try:
        began: float = psutil.Process(int(match["process"])).create_time()
    except psutil.NoSuchProcess:
        return True
    except (psutil.Error, OverflowError):
        return False
    # A process that began later has only been given the number of the one that wrote.
    return began > changed + _CLOCK_SECONDS


def _host() -> str:
    return hashlib.blake2b(platform.node().encode("utf-8", "surrogateescape"), digest_size=3).hexdigest()


def _flush(path: Path) -> None:
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """So that the new name is on the disk too; only POSIX has that."""
    if os.name != "posix":
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in _NO_FOLDER_FLUSH:  # some network file systems can't, and need not
            raise


def is_text(name: str) -> bool:
    """Whether the name can be shown and stored; names from old archives may hold bytes that are no UTF-8."""
    return name.isascii() or shown(name) == name


def shown(name: str) -> str:
    """A name as it can be shown and stored: bytes that are not UTF-8 (from old archives) become question marks."""
    return name.encode("utf-8", "replace").decode("utf-8")


def slug(text: str) -> str:
    """A file name part: letters and digits of any script, the rest as single hyphens, at most 40 characters."""
    return re.sub(r"[\W_]+", "-", text.lower()).strip("-")[:40] or "untitled"
