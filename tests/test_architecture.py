"""The rules of the house that no type can state, each with the reason in its test's name."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
REPLAYED = ("workunits/core", "workunits/catalog")

# Put together from parts, so that this file does not hold what it looks for.
REGISTRY_HOSTS = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("yarnpkg", "com"),
        ("crates", "io"),
        ("rubygems", "org"),
        ("proxy", "golang", "org"),
        ("deb", "debian", "org"),
        ("archive", "ubuntu", "com"),
    )
)
MACHINE_PATH = re.compile(r"(?<![\w.~$)}\]*-])/(?:home|root|work|Users)/[\w.-]|\b[A-Z]:\\Users\\")

# Built-ins that reach outside the workflow, or whose answer differs from one process to the next.
IMPURE_BUILTINS = frozenset({"__import__", "breakpoint", "eval", "exec", "hash", "input", "open", "print"})


def files(*patterns: str) -> list[Path]:
    """List the files that belong to the repository: tracked ones, and new ones that nothing ignores."""
    listed = subprocess.run(
        # The checkout may belong to another user than the one who runs the tests.
        ["git", "-c", "safe.directory=*", "ls-files", "-co", "--exclude-standard", "-z", "--", *patterns],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def relative(path: Path) -> str:
    """Name a file as people do, from the root of the repository."""
    return path.relative_to(ROOT).as_posix()


def texts() -> Iterator[tuple[Path, str]]:
    """Read every text file of the repository."""
    for path in files():
        try:
            yield path, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def test_imports_go_one_way():
    """The import contracts of pyproject.toml hold."""
    done = subprocess.run([BIN / "lint-imports", "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_package_is_under_the_import_contracts():
    """A top-level package that the contracts do not know could import anything."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    known = set(config["tool"]["importlinter"]["root_packages"])
    found = {path.parent.name for path in files("*/__init__.py") if path.parent.parent == ROOT}
    assert found - {"bench", "tests"} == known


def test_core_stands_on_the_standard_library_pydantic_and_three_modules_of_temporalio():
    """Replayed code imports nothing else: import-linter cannot tell a library's modules apart."""
    allowed = sys.stdlib_module_names | {"pydantic", "pydantic_core", "typing_extensions", "workunits"}
    temporal = {"temporalio.workflow", "temporalio.common", "temporalio.exceptions"}
    strangers = [
        f"{relative(path)}:{line} imports {name}"
        for path in files("workunits/core/*.py")
        for line, name in imported(ast.parse(path.read_text(encoding="utf-8")))
        if name.split(".")[0] not in allowed and ".".join(name.split(".")[:2]) not in temporal
    ]
    assert strangers == []


def imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Name every module that a file imports from elsewhere, and the line of it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            # `from temporalio import workflow` names a module too.
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def test_init_files_of_the_library_are_empty():
    """Each runs again in the sandbox of every case."""
    assert [relative(path) for path in files("workunits/*__init__.py") if path.read_bytes().strip()] == []


def test_no_file_names_a_package_registry():
    """Everybody's packages come from wherever their own machine gets them."""
    named = [f"{relative(path)}: {host}" for path, text in texts() for host in REGISTRY_HOSTS if host in text]
    assert named == []


def test_no_file_holds_a_path_of_a_machine():
    """A path that exists on one machine only breaks on all others."""
    here = str(ROOT) + "/"
    named = [
        f"{relative(path)}:{number}: {line.strip()[:120]}"
        for path, text in texts()
        for number, line in enumerate(text.splitlines(), start=1)
        if MACHINE_PATH.search(line) or here in line
    ]
    assert named == []


def test_files_stay_short_enough_to_be_read():
    """One noun, one file: at 400 lines it is two nouns."""
    long = {
        relative(path): lines
        for path in files("*.py")
        if not relative(path).startswith("tests/")
        and (lines := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert long == {}


@pytest.mark.parametrize(
    ("statement", "ban"),
    [
        ("import random", "TID251"),
        ("from random import choice", "TID251"),
        ("import os", "TID251"),
        ("import os.path", "TID251"),
        ("from os import environ", "TID251"),
        ("import urllib.request", "TID251"),
        ("import time", "TID251"),
        ("from time import monotonic", "TID251"),
        ("import pathlib", "TID251"),
        ("import socket", "TID251"),
        ("import subprocess", "TID251"),
        ("import requests", "TID251"),
        ("import httpx", "TID251"),
        ("import secrets", "TID251"),
        ("import io", "TID251"),
        ("import threading", "TID251"),
        ("import builtins", "TID251"),
        ("from uuid import uuid4", "TID251"),
        ("import uuid; X = uuid.uuid4()", "TID251"),
        ("import datetime; X = datetime.datetime.now()", "TID251"),
        ("import datetime as dt; X = dt.datetime.now(dt.UTC)", "TID251"),
        ("from datetime import datetime; X = datetime.utcnow()", "TID251"),
        ("from datetime import datetime; X = datetime.today()", "TID251"),
        ("from datetime import date; X = date.today()", "TID251"),
        ("def late():\n    from random import choice", "TID251"),
        ("import asyncio; X = asyncio.wait([])", "TID251"),
        ("from temporalio import client", "TID251"),
        ("import temporalio.activity", "TID251"),
        ("from temporalio.worker import Worker", "TID251"),
        ("X = open('x').read()", "PTH123"),
        ("def late():\n    with open('x') as file:\n        return file.read()", "PTH123"),
    ],
)
@pytest.mark.parametrize("folder", REPLAYED)
def test_ruff_refuses_what_a_replay_cannot_repeat(folder, statement, ban, tmp_path):
    """Each ban is shown to bite, since a misspelt one is silent and the sandbox accepts some of these."""
    for config in ("pyproject.toml", "workunits/core/ruff.toml", "workunits/catalog/ruff.toml"):
        (tmp_path / config).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / config).write_bytes((ROOT / config).read_bytes())
    bad = tmp_path / folder / "bad.py"
    bad.write_text(f"{statement}\n", encoding="utf-8")
    assert ban in reported(bad)


def test_ruff_lets_performers_use_the_world(tmp_path):
    """The bans hold for replayed code alone."""
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    performer = tmp_path / "activities" / "performer.py"
    performer.parent.mkdir()
    performer.write_text("import os\nimport random\nimport time\n", encoding="utf-8")
    assert "TID251" not in reported(performer)


def reported(path: Path) -> set[str]:
    """Run ruff on one file, with the settings it finds beside it, and give the codes of what it reports."""
    done = subprocess.run(
        [BIN / "ruff", "check", "--no-cache", "--output-format=json", path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    return {finding["code"] for finding in json.loads(done.stdout)}


def test_replayed_code_calls_no_impure_builtin():
    """Ruff bans what is imported; a built-in is in scope without an import."""
    used = [
        f"{relative(path)}:{node.lineno}: {node.id}"
        for folder in REPLAYED
        for path in files(f"{folder}/*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in IMPURE_BUILTINS
    ]
    assert used == []
