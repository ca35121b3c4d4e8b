"""Datasets that come as one file: a zip or tar is unpacked once into the user's data folder, then read like any folder.

Nothing in an archive is trusted: no name leads out of the folder, links and devices are left out, and what would unpack
to far more than a collection of pictures can be is refused before it fills the disk.
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
import re
import shutil
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from ftgui.base import paths
from ftgui.base.files import reason, slug
from ftgui.base.job import Job
from ftgui.data.images.decoding import is_image_name
from ftgui.data.scanning.found import ARCHIVES, TABLE_EXTENSIONS, DatasetError
from ftgui.data.scanning.names import listing
from ftgui.data.scanning.walk import is_junk, is_library

MOST_TIMES = 100
MOST_BYTES = 2**30
"""Pictures hardly shrink in an archive. One that grows more than a hundredfold *and* beyond a gigabyte is a bomb."""

SPARE_BYTES = 2**30
"""Of the disk, that unpacking leaves free."""

_CHUNK = 2**20
_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
)
_UTF8_NAME = 0x800
_ENCRYPTED = 0x1


@dataclass(frozen=True)
class _Member:
    """A picture in an archive."""

    name: str
    size: int
    """Bytes, as the archive says."""
    open: Callable[[], AbstractContextManager[IO[bytes]]]


def is_archive_name(path: Path) -> bool:
    """Whether the file's ending says archive (of a kind that can be opened)."""
    return path.name.lower().endswith(ARCHIVES)


def count_images(archive: Path, job: Job) -> int:
    """How many pictures it holds, without unpacking anything.

    Raises:
        DatasetError: as `unpacked`.
        Cancelled: through `job`.
    """
    with _reading(archive), _members(archive, job) as members:
        return sum(is_image_name(member.name) for member in members)


def unpacked(source: Path, job: Job) -> Path:
    """The folder a dataset can be read from: `source` itself, or where the archive's pictures are now.

    The same archive is unpacked only once; another file of that name, or a newer one, gets a folder of its own.

    Raises:
        DatasetError: the archive can't be read, is locked, wants to write outside of its folder, or would fill the disk.
        Cancelled: through `job`; nothing half unpacked is left.
    """
    if source.is_dir() or not is_archive_name(source):
        return source
    with _reading(source):
        state = source.stat()
        identity = f"{source.resolve()}\n{state.st_size} {state.st_mtime_ns}"
        digest = hashlib.blake2b(identity.encode("utf-8", "surrogateescape"), digest_size=4).hexdigest()
        name = _name(source)
        base = paths.data_dir() / "unpacked"
        target = base / f"{slug(name)}-{digest}"
        if not target.is_dir():
            with _members(source, job) as found:
                members = list(found)
                if not any(is_image_name(member.name) for member in members):
                    raise DatasetError(_why_no_images(source))
                _check_size(source, members, state.st_size, base)
                scratch = paths.scratch_folder(base)
                try:
                    _write(members, scratch / "all" / name, job)
                    (scratch / "all").rename(target)
                finally:
                    shutil.rmtree(scratch, ignore_errors=True)
    return target / name


def _why_no_images(archive: Path) -> str:
    with _members(archive, Job(), every=True) as found:
        inner = [member.name for member in found if is_archive_name(Path(member.name))]
    if not inner:
        return f"There are no images in “{archive.name}”."
    return f"“{archive.name}” holds archives ({listing(inner, 3)}): unpack it, then drop one of them."


def unpack_all(source: Path, folder: Path, job: Job) -> None:
    """Put every file of an archive into a folder, whatever it is: of a data set whose labels lie beside its pictures.

    Raises:
        DatasetError: as `unpacked`.
        Cancelled: through `job`; what is unpacked so far is then in the folder.
    """
    with _reading(source), _members(source, job, every=True) as found:
        members = list(found)
        _check_size(source, members, source.stat().st_size, folder.parent)
        _write(members, folder, job)


@contextmanager
def _reading(archive: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise DatasetError(f"“{archive.name}” is no longer there.") from error
    except PermissionError as error:
        raise DatasetError(f"You have no permission to read “{archive.name}”.") from error
    except _BROKEN as error:
        raise DatasetError(f"“{archive.name}” is damaged or in a format that can't be unpacked: {error}.") from error
    except OSError as error:
        raise DatasetError(f"“{archive.name}” can't be unpacked: {reason(error)}.") from error


def _name(archive: Path) -> str:
    """Of the dataset: the archive's without its ending, as far as any file system takes it for a folder's."""
    ending = max((e for e in ARCHIVES if archive.name.lower().endswith(e)), key=len)
    name = archive.name[: -len(ending)].encode("utf-8", "replace").decode("utf-8").replace("?", "_")
    return name.rstrip(". ") or "archive"


def _check_size(archive: Path, members: list[_Member], packed: int, base: Path) -> None:
    total = sum(member.size for member in members)
    if total > MOST_BYTES and total > MOST_TIMES * packed:
        raise DatasetError(
            f"“{archive.name}” would unpack to {total / 1e9:,.0f} GB, {total // max(packed, 1):,} times its size. Images "
            "don't shrink like that, so it is not opened."
        )
    base.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(base).free - SPARE_BYTES
    if total > free:
        raise DatasetError(
            f"“{archive.name}” unpacks to {total / 1e9:,.1f} GB, more than there is room for on the disk of {base}. Make "
            "room there, or unpack it elsewhere and drop the folder."
        )


def _write(members: list[_Member], folder: Path, job: Job) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for done, member in enumerate(members):
        job.progress(done, len(members))
        target = folder.joinpath(*_parts(member.name))
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            continue  # named twice, or alike for a file system that does not know upper case
        # Neither library reads more of a member than the archive says it has, so the size checked before holds.
        with member.open() as packed, target.open("wb") as file:
            shutil.copyfileobj(packed, file, _CHUNK)


def _parts(name: str) -> list[str]:
    """A member's name as parts of a path below the folder.

    Raises:
        DatasetError: it would lie elsewhere.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", name):
        raise DatasetError(f"The archive would write outside its folder (“{name}”), so it is not opened.")
    if sys.platform == "win32":
        return [paths.safe_name(part) for part in path.parts]
    return list(path.parts)


# --- the two kinds --------------------------------------------------------------------------------------------------


@contextmanager
def _members(archive: Path, job: Job, every: bool = False) -> Iterator[Iterator[_Member]]:
    """Its pictures, or every file; they can be opened as long as the context lasts."""
    if archive.suffix.lower() == ".zip":
        with zipfile.ZipFile(archive) as zipped:
            yield _wanted(_zip_members(archive, zipped), job, every)
    else:
        with tarfile.open(archive) as tar:
            yield _wanted(_tar_members(tar), job, every)


def _wanted(members: Iterator[_Member], job: Job, every: bool) -> Iterator[_Member]:
    for count, member in enumerate(members):
        job.progress(count)
        parts = _parts(member.name)
        path = Path(parts[-1]) if parts else Path()
        # Tables go along: they may say the classes.
        wanted = every or is_image_name(path) or path.suffix.lower() in TABLE_EXTENSIONS
        if parts and wanted and not any(is_junk(part) or is_library(part) for part in parts):
            yield member


def _zip_members(archive: Path, file: zipfile.ZipFile) -> Iterator[_Member]:
    for info in file.infolist():
        if not info.is_dir():
            if info.flag_bits & _ENCRYPTED:
                raise DatasetError(
                    f"“{archive.name}” is protected by a password. Unpack it yourself and drop the folder."
                )
            yield _Member(_zip_name(info), info.file_size, partial(file.open, info))


def _zip_name(info: zipfile.ZipInfo) -> str:
    """Some programs write UTF-8 without saying so; zipfile then reads it as IBM's code page of 1981."""
    if info.flag_bits & _UTF8_NAME:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename


def _tar_members(file: tarfile.TarFile) -> Iterator[_Member]:
    for info in file:
        if info.isreg():
            yield _Member(info.name, info.size, partial(_open_tar, file, info))
    while file.fileobj is not None and file.fileobj.read(_CHUNK):
        pass  # the checksum of a compressed one lies behind the last member and is compared when it is reached


def _open_tar(file: tarfile.TarFile, info: tarfile.TarInfo) -> AbstractContextManager[IO[bytes]]:
    opened = file.extractfile(info)
    assert opened is not None, "only regular files come here"
    return opened
