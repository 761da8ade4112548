"""A place that notices are sent to: a webhook on this machine that remembers, and can be made to refuse."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Letter:
    """One message, as it came."""

    to: str
    title: str
    body: str
    reference: str

    @property
    def tasks(self) -> list[str]:
        """The links in it."""
        return [line for line in self.body.splitlines() if line.startswith("http")]


@dataclass
class Post:
    """What came, and whether anything is taken."""

    url: str = ""
    letters: list[Letter] = field(default_factory=list)
    status: int = 200
    refused: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def channel(self, whose: str, name: str) -> str:
        """A channel of the file, whose messages come here."""
        return f'\n[[channel]]\n{whose} = "{name}"\nurl = "{self.url}/{name.replace(" ", "-")}"\n'

    def of(self, to: str) -> list[Letter]:
        """What came for someone."""
        with self.lock:
            return [letter for letter in self.letters if letter.to == to]

    def take(self, path: str, headers: Any, said: dict[str, Any]) -> int:
        """Take a message, or refuse it."""
        with self.lock:
            if self.status != 200:
                self.refused += 1
            else:
                reference = headers["X-Workunits-Message"]
                self.letters.append(Letter(path.strip("/"), said["title"], said["message"], reference))
            return self.status


@contextmanager
def open_post() -> Iterator[Post]:
    """Open a post office on a free port of this machine."""
    post = Post()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(post.take(self.path, self.headers, said))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    post.url = f"json://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield post
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
