"""A terminal for tests of commands: each is a process of its own, but all share one import of the code.

Run as a program, this file imports the command line once and forks for every order that it reads.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.patience import PATIENCE
from tests.workers.conftest import COMMAND, clean_environment

if TYPE_CHECKING:
    from workers.engine.embedded import Engine

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
    def error(self) -> Any:
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
            assert self._server.stdin
            assert self._server.stdout
            self._server.stdin.write(json.dumps(order) + "\n")
            self._server.stdin.flush()
            code = int(self._server.stdout.readline())
            ended = Ended(code, streams[1].read_text("utf-8"), streams[2].read_text("utf-8"))
        assert "Traceback" not in ended.err
        return ended

    def start(self, case: dict[str, Any], **variables: Any) -> str:
        """Start a refund request and give its case."""
        file = self.write("case.json", case)
        said = self.run("start", "refund_request", "--json", "--input", file, **variables).json
        return str(said["cases"][0]["case"])

    def shown(self, case: str, look: Callable[[Any], Any] = lambda said: said["tasks"]) -> Any:
        """A case as `show --json` says, once there is what is looked for: by default, an open task."""

        def find() -> Any:
            said = self.run("show", case, "--json").json
            return said if look(said) else None

        return waits(find)

    def listed(self, case: str, *args: str, **variables: Any) -> str:
        """The row of a case in `list`, once it is there."""

        def find() -> str | None:
            rows = self.run("list", "--limit", "1000", *args, **variables).out.splitlines()
            return next((row for row in rows if case in row), None)

        return str(waits(find))

    def write(self, name: str, content: Any) -> str:
        """Write a file into the folder: bytes and text as they are, all else as JSON."""
        path = self.folder / name
        text = content if isinstance(content, str | bytes) else json.dumps(content)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return name


def waits(look: Callable[[], Any]) -> Any:
    """What is found, once something is."""
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < deadline
    return found


def refund(order: str = "R-1001", **more: Any) -> dict[str, Any]:
    """A refund request with a number of its own: the policy pays R-1001 and asks a person about R-1017."""
    return {
        "request": f"RR-{uuid.uuid4().int % 10**12}",
        "order": order,
        "amount": {"minor": 100 if order == "R-1001" else 15900, "currency": "EUR"},
        "cause": "damaged",
        "requested_on": "2025-06-02",
        "email": "ana@example.com" if order == "R-1001" else "quinn@example.com",
        **more,
    }


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


@contextmanager
def served(engine: Engine, folder: Path, queue: str) -> Iterator[Terminal]:
    """Open a terminal on an engine, with a worker that polls a queue of its own."""
    env = clean_environment(
        TEMPORAL_ADDRESS=engine.address.host, WORKUNITS_QUEUE=queue, WORKUNITS_DATA=str(folder / "data")
    )
    with (folder / "worker.log").open("wb") as log:
        worker = subprocess.Popen([*COMMAND, "worker", "--unversioned"], cwd=folder, env=env, stdout=log, stderr=log)
        try:
            with terminal(folder, env) as opened:
                yield opened
        finally:
            worker.terminate()
            worker.wait(PATIENCE)


def _serve() -> None:
    # Before the fork, not for each command.
    import workers.batch
    import workers.catalog
    import workers.cli
    import workers.engine.connect
    import workers.pages.case
    import workers.pages.tables
    import workers.pages.task

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
