"""A terminal for tests of commands: each is a process of its own, but all share one import of the code.

Run as a program, this file imports the command line once and forks for every order that it reads.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The document on stdout."""
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, str]:
        """The error on stderr of a command with `--json`."""
        return json.loads(self.err)["error"]


@dataclass
class Terminal:
    """Runs commands in one folder, with one set of variables."""

    folder: Path
    variables: dict[str, str]
    _server: subprocess.Popen[str]

    def run(self, *args: str, stdin: bytes = b"", **variables: str) -> Ended:
        """Run a command to its end."""
        with tempfile.TemporaryDirectory() as place:
            streams = [Path(place) / name for name in ("in", "out", "err")]
            streams[0].write_bytes(stdin)
            order = {
                "args": list(args),
                "folder": str(self.folder),
                "variables": self.variables | variables,
                "streams": [str(stream) for stream in streams],
            }
            assert self._server.stdin and self._server.stdout
            self._server.stdin.write(json.dumps(order) + "\n")
            self._server.stdin.flush()
            code = int(self._server.stdout.readline())
            ended = Ended(code, streams[1].read_text("utf-8"), streams[2].read_text("utf-8"))
        assert "Traceback" not in ended.err
        return ended

    def write(self, name: str, content: Any) -> str:
        """Write a file into the folder: bytes and text as they are, all else as JSON."""
        path = self.folder / name
        text = content if isinstance(content, str | bytes) else json.dumps(content)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return name


@contextmanager
def terminal(folder: Path, variables: dict[str, str]) -> Iterator[Terminal]:
    """Open a terminal."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    with subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": path},
        text=True,
    ) as server:
        try:
            yield Terminal(folder, variables, server)
        finally:
            assert server.stdin
            server.stdin.close()


def _serve() -> None:
    import workers.batch
    import workers.case_page
    import workers.catalog
    import workers.connect
    import workers.task_page
    import workers.tables  # noqa: F401, imported before the fork, not for each command
    import workers.cli

    workers.catalog.load_catalog()
    while order := sys.stdin.readline():
        child = os.fork()
        if not child:
            _become(**json.loads(order))
            workers.cli.main()
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)  # noqa: T201, that is the answer


def _become(args: list[str], folder: str, variables: dict[str, str], streams: list[str]) -> None:
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(folder)
    for number, stream in enumerate(streams):
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT
        os.dup2(os.open(stream, flags, 0o600), number)
    sys.argv = ["workunits", *args]


if __name__ == "__main__":
    _serve()
