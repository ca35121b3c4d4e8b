"""Fetching pretrained weights, and what example sets are made of: with progress, to be cancelled, going on where a broken
download ended, and checked.

Weights land where torch and huggingface_hub look for them, so other programs share them. The bytes are fetched here and
not by those libraries: torch.hub and huggingface_hub 1 and later throw a partial file away when a download ends early,
and neither can be asked to stop. The same holds for torchvision's data sets.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import logging
import re
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import huggingface_hub.constants  # the package loads it only when another part of it needs it
import torch
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError

from ftgui.base.files import put_in_place
from ftgui.data.model_zoo import HUB_FILES
from ftgui.engine.downloads.stream import Stream
from ftgui.engine.errors import EngineError

log = logging.getLogger(__name__)

TORCHVISION_HOST = "https://download.pytorch.org"
"""What a mirror of torchvision's files stands in for."""
HUB_HOST = "https://huggingface.co"
"""What a mirror of Hugging Face stands in for."""

WAYS_OUT = "give a weights file, or choose tf_efficientnet_lite0, which comes with ftgui"
TIMEOUT = 10.0
"""Seconds without a single byte after which a connection counts as lost."""
RETRY_PAUSE = 1.0
"""Seconds before a lost connection is tried again."""
TRIES = 3
"""Connections in a row that bring nothing before giving up."""
REPORT_EVERY = 0.1
"""Seconds between two progress reports."""

Report = Callable[[str, int, int], None]
"""Takes what goes on, bytes done and bytes in all (0 = not known); raises `DownloadCancelled` to end it."""


@dataclass(frozen=True)
class Settings:
    """What the person allows and prefers; empty addresses mean the usual ones."""

    offline: bool = False
    hub_mirror: str = ""
    torchvision_mirror: str = ""


class DownloadCancelled(EngineError):
    """The person changed their mind; the partial file stays, to go on from."""


class NoSuchFile(Exception):
    """The server does not have this file; another name may do."""


@dataclass(frozen=True)
class Wanted:
    """What a download is for, as messages say it."""

    name: str
    """In progress reports."""
    things: str
    """After "the", in the plural."""
    ways_out: str
    """What else the person can do."""
    allow: str
    """Where downloads are allowed."""
    mirror: bool = False
    """Another mirror may help."""

    @staticmethod
    def weights(name: str) -> Wanted:
        """Of a model."""
        return Wanted(name, f"pretrained weights of “{name}”", WAYS_OUT, "in the model chooser", mirror=True)


@dataclass(frozen=True)
class _Source:
    """A file on a server, and what it must turn out to be."""

    url: str
    sha256: str = ""
    """Hex digits its SHA-256 starts with; empty = not known."""
    md5: str = ""
    """Its MD5 in hex digits, where nothing better is known; empty = not known."""
    size: int = 0
    """Bytes; 0 = not known."""
    secret_headers: dict[str, str] = field(default_factory=dict)
    """Sent to this server only, never to one it redirects to."""


class Downloader:
    """Finds files on this computer, or brings them here.

    Args:
        settings: whether and from where.
        report: told about progress at most ten times a second.
    """

    def __init__(self, settings: Settings | None = None, report: Report | None = None) -> None:
        self._settings = settings or Settings()
        self._report: Report = report or (lambda _what, _done, _total: None)

    def checkpoint(self, name: str, url: str) -> Path:
        """A file of torch's folder of checkpoints, from the cache or from `url` (or its mirror).

        Raises:
            EngineError: it can't be had; the message names the ways out.
        """
        target = Path(torch.hub.get_dir()) / "checkpoints" / Path(urllib.parse.urlparse(url).path).name
        if target.is_file():
            return target
        wanted = Wanted.weights(name)
        self._allowed(wanted)
        mirror = self._settings.torchvision_mirror.rstrip("/")
        if mirror and url.startswith(TORCHVISION_HOST):
            url = mirror + url.removeprefix(TORCHVISION_HOST)
        digits = re.search(r"-([0-9a-f]{8,64})\.", target.name)
        with self._in_words(wanted, url):
            self._fetch(wanted, _Source(url, digits.group(1) if digits else ""), target)
        return target

    def file(self, wanted: Wanted, url: str, target: Path, md5: str = "") -> None:
        """Any file, unless it is there already: it gets its name only when its checksum is right.

        Raises:
            EngineError: it can't be had; the message names the ways out.
        """
        if target.is_file():
            return
        self._allowed(wanted)
        mirror = self._settings.hub_mirror.rstrip("/")
        if mirror and url.startswith(HUB_HOST + "/"):
            url = mirror + url.removeprefix(HUB_HOST)
        with self._in_words(wanted, url):
            self._fetch(wanted, _Source(url, md5=md5), target)

    def hub(self, name: str, repository: str) -> Path:
        """The weights file of a Hugging Face repository, from huggingface_hub's cache or from the hub (or its mirror).

        Raises:
            EngineError: it can't be had; the message names the ways out.
        """
        for filename in HUB_FILES:
            cached = huggingface_hub.try_to_load_from_cache(repository, filename)
            if isinstance(cached, str):
                return Path(cached)
        wanted = Wanted.weights(name)
        self._allowed(wanted)
        endpoint = self._settings.hub_mirror.rstrip("/") or huggingface_hub.constants.ENDPOINT
        for filename in HUB_FILES:
            with contextlib.suppress(NoSuchFile), self._in_words(wanted, endpoint):
                return self._from_hub(wanted, repository, filename, endpoint)
        raise EngineError(f"{_host(endpoint)} has no weights for “{name}” that ftgui can read.")

    def _allowed(self, wanted: Wanted) -> None:
        if self._settings.offline or huggingface_hub.constants.HF_HUB_OFFLINE:
            raise EngineError(
                f"The {wanted.things} are not on this computer, and ftgui is set to never use the network. Allow "
                f"downloads {wanted.allow}, {wanted.ways_out}."
            )

    @contextlib.contextmanager
    def _in_words(self, wanted: Wanted, url: str) -> Any:
        """Turn what a failed download raises into one sentence."""
        try:
            yield
        except urllib.error.HTTPError as error:
            error.close()
            raise EngineError(_refused(wanted, url, error.code, str(error.reason))) from error
        except HfHubHTTPError as error:
            code = getattr(getattr(error, "response", None), "status_code", 0)
            raise EngineError(_refused(wanted, url, code, "")) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            log.warning("%s from %s: %s", wanted.name, url, error)
            raise EngineError(
                f"The {wanted.things} are not on this computer and could not be downloaded. Connect to the network "
                f"once, {wanted.ways_out}."
            ) from error

    # --- Hugging Face -----------------------------------------------------------------------------------------------

    def _from_hub(self, wanted: Wanted, repository: str, filename: str, endpoint: str) -> Path:
        """Put the file's bytes where huggingface_hub keeps them, then let it do its own bookkeeping."""
        self._report(f"looking for {wanted.name}", 0, 0)
        # A person's access token is for the address they gave it to, not for a mirror somebody recommended.
        token = None if endpoint == huggingface_hub.constants.ENDPOINT else False
        url = huggingface_hub.hf_hub_url(repository, filename, endpoint=endpoint)
        try:
            about = huggingface_hub.get_hf_file_metadata(url, token=token, endpoint=endpoint, timeout=TIMEOUT)
        except EntryNotFoundError as error:
            raise NoSuchFile(filename) from error
        except HfHubHTTPError:
            raise
        except Exception as error:  # which HTTP client it uses, and so what it raises, changes with its version
            raise OSError(f"{type(error).__name__}: {error}") from error
        if not about.etag or not about.commit_hash:
            raise OSError("no ETag or no commit in the answer: this is not a mirror of Hugging Face")
        folder = Path(huggingface_hub.constants.HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}"
        blob = folder / "blobs" / about.etag
        if not blob.is_file():
            sha256 = about.etag if re.fullmatch(r"[0-9a-f]{64}", about.etag) else ""
            secret = huggingface_hub.get_token() if token is None else None
            headers = {"Authorization": f"Bearer {secret}"} if secret else {}
            self._fetch(wanted, _Source(url, sha256, size=about.size or 0, secret_headers=headers), blob)
        return Path(huggingface_hub.hf_hub_download(repository, filename, endpoint=endpoint, token=token))

    # --- any file ---------------------------------------------------------------------------------------------------

    def _fetch(self, wanted: Wanted, source: _Source, target: Path) -> None:
        """Download to a ``.part`` file beside the target, check it, and only then give it its name."""
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(target.name + ".part")
        fruitless = 0
        while True:
            before = _size(part)
            try:
                self._receive(wanted, source, part)
                break
            except urllib.error.HTTPError:
                raise
            except (OSError, http.client.HTTPException) as error:
                fruitless = 0 if _size(part) > before else fruitless + 1
                if fruitless >= TRIES or not _worth_another_try(error):
                    raise
                log.info("the connection for %s broke (%s); trying again", wanted.name, error)
                time.sleep(RETRY_PAUSE)
        if not _is_right(part, source):
            part.unlink()
            mirror = ", use another mirror" if wanted.mirror else ""
            raise EngineError(
                f"The downloaded {wanted.things} are damaged or were changed in transit (their checksum is wrong), so "
                f"they were deleted. Try again{mirror}, {wanted.ways_out}."
            )
        put_in_place(part, target)  # flushed: its checksum is not looked at again

    def _receive(self, wanted: Wanted, source: _Source, part: Path) -> None:
        """One connection's worth of bytes, appended to what is there.

        Raises:
            OSError: the connection ended before the file did.
        """
        done = _size(part)
        if source.size and done == source.size:
            return
        stream = self._from(wanted, source, part, done)
        if stream is None:
            return
        with stream:
            done = done if stream.status == http.client.PARTIAL_CONTENT else 0  # it may send everything again
            total = source.size or (done + stream.coming if stream.coming else 0)
            _room(part, wanted, total - done)

            def tell() -> None:
                self._report(f"downloading {wanted.name}", done, total)

            told = 0.0
            with part.open("r+b" if part.exists() else "wb") as file:
                file.seek(done)
                file.truncate()
                while chunk := stream.next(tell):
                    file.write(chunk)
                    done += len(chunk)
                    if time.monotonic() - told > REPORT_EVERY:
                        told = time.monotonic()
                        tell()
        if done < total:
            raise ConnectionError(f"the connection ended after {done:,} of {total:,} bytes")
        tell()

    def _from(self, wanted: Wanted, source: _Source, part: Path, done: int) -> Stream | None:
        """The answer with what is missing, or with everything; None if nothing is."""

        def tell() -> None:
            self._report(f"connecting for {wanted.name}", done, 0)

        try:
            return Stream(partial(_open, source.url, done, source.secret_headers), tell)
        except urllib.error.HTTPError as error:
            if not done or error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise
            error.close()
        # The part is all of the file, and ftgui ended before it was checked; or it is longer: of something else.
        if (source.sha256 or source.md5) and _is_right(part, source):
            return None
        return Stream(partial(_open, source.url, 0, source.secret_headers), tell)


def _open(url: str, start: int, secret_headers: dict[str, str]) -> Any:
    request = urllib.request.Request(url, headers={"User-Agent": "ftgui"})
    if request.type not in ("http", "https"):
        raise ValueError(f"not an http address: {url}")
    if start:
        request.add_header("Range", f"bytes={start}-")
    for key, value in secret_headers.items():
        request.add_unredirected_header(key, value)
    return urllib.request.urlopen(request, timeout=TIMEOUT)


def _worth_another_try(error: Exception) -> bool:
    """A host that has no address, or a disk that is full, will be no better in a second."""
    reason = getattr(error, "reason", error)
    return isinstance(error, http.client.HTTPException) or isinstance(reason, ConnectionError | TimeoutError)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _is_right(path: Path, source: _Source) -> bool:
    """As far as a checksum of it is known."""
    sha256 = not source.sha256 or _digest(path, "sha256").startswith(source.sha256)
    return sha256 and (not source.md5 or _digest(path, "md5") == source.md5)


def _digest(path: Path, kind: str) -> str:
    with path.open("rb") as file:
        # It guards against accidents on the way; computers set to trust no MD5 refuse it unless told so.
        return hashlib.file_digest(file, lambda: hashlib.new(kind, usedforsecurity=False)).hexdigest()


def _room(part: Path, wanted: Wanted, coming: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if free < coming:
        raise EngineError(
            f"The {wanted.things} need {coming / 1e6:,.0f} MB more, but the disk of {part.parent} has only "
            f"{free / 1e6:,.0f} MB left. Free some space and try again; what is downloaded already is kept."
        )


def _host(url: str) -> str:
    return urllib.parse.urlparse(url).hostname or url


def _refused(wanted: Wanted, url: str, code: int, reason: str) -> str:
    words = f"{code} {reason or http.client.responses.get(code, '')}".strip()
    mirror = ", set another mirror in the model chooser" if wanted.mirror else ""
    return f"{_host(url)} refused to provide the {wanted.things} ({words}). Try again later{mirror}, {wanted.ways_out}."
