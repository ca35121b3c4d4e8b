"""A web server on this machine that gives what it is told to, as badly as it is told to."""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "c" * 40


@dataclass
class Mirror:
    """A server of files by path; also plays the few endpoints of the hub that a download uses."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    cut_after: list[int] = field(default_factory=list)
    """For each coming answer, how many bytes of it to send before the connection ends."""
    hold_after: int = 0
    """Bytes of every answer after which to wait for `go_on`; 0: never."""
    go_on: threading.Event = field(default_factory=threading.Event)
    ranges: bool = True
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path, Range of every request."""
    status: int = 0
    """Answer everything with this error; 0 = no."""
    etag: str = ""
    """Instead of the SHA-256."""
    tokens: set[str] = field(default_factory=set)
    """Authorization of every request."""


def _handler(mirror: Mirror) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.answer(with_body=False)

        def do_GET(self) -> None:
            self.answer(with_body=True)

        def answer(self, with_body: bool) -> None:
            wanted = self.headers.get("Range", "")
            mirror.asked.append((self.command, self.path, wanted))
            mirror.tokens.add(self.headers.get("Authorization", ""))
            content = mirror.files.get(self.path)
            if mirror.status or content is None:
                self.send_response(mirror.status or 404)
                if not mirror.status:
                    self.send_header("X-Error-Code", "EntryNotFound")
                self.send_header("Content-Length", "0")
                self.send_header("Connection", "close")
                self.end_headers()
                return
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and mirror.ranges else 0
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(content) - start))
            self.send_header("ETag", f'"{mirror.etag or hashlib.sha256(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Connection", "close")
            self.send_header("X-Linked-Size", str(len(content)))
            self.end_headers()
            if with_body:
                end = start + mirror.cut_after.pop(0) if mirror.cut_after else len(content)
                middle = min(start + mirror.hold_after, end) if mirror.hold_after else end
                with contextlib.suppress(OSError):  # who asked may have gone
                    self.wfile.write(content[start:middle])
                    if middle < end:
                        mirror.go_on.wait(30)
                        # Not all at once: who was to stop it meanwhile may be heard only now.
                        for place in range(middle, end, 1 << 16):
                            self.wfile.write(content[place : min(place + (1 << 16), end)])
                            time.sleep(0.01)

        def log_message(self, *_args: object) -> None:
            pass

    return Handler


@contextmanager
def serving() -> Iterator[Mirror]:
    """A mirror without files, until the end of the context."""
    made = Mirror()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(made))
    made.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield made
    finally:
        made.go_on.set()
        server.shutdown()
        thread.join()
        server.server_close()
