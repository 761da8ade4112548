"""`workunits init`: a package of the user's own that runs, and passes its test, as it was written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tests.workers.conftest import clean_environment
from workers.console import CommandError
from workers.scaffold import OURS, PLACEHOLDER, TEMPLATE, check_name, write_package
from workunits.units import UNITS

ROOT = Path(__file__).resolve().parent.parent.parent
BIN = Path(sys.executable).parent
MODULES = ("contracts", "package", "performers", "test_purchase_request", "unit", "__init__")


def tool(folder, *command):
    """Run a tool in a folder, as its owner would."""
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    # The checkout is installed by an import hook, which mypy does not follow; what it knows of libraries is kept.
    cache = ROOT / ".mypy_cache" / "package"
    environment = clean_environment(PATH=path, MYPYPATH=str(ROOT), MYPY_CACHE_DIR=str(cache))
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=2 * PATIENCE, check=False
    )


def refusal(folder, name=""):
    """How a package is refused."""
    with pytest.raises(CommandError) as refused:
        write_package(folder, name)
    return str(refused.value)


def test_the_package_passes_its_own_test_and_every_check(shell):
    """In an empty folder: written, tested, linted, formatted, typed, and accepted without a warning."""
    done = shell.run("init", ".", "--name", "buying")
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.name for path in (shell.folder / "buying").iterdir()} == {*(f"{m}.py" for m in MODULES), "budgets.csv"}

    tested = tool(shell.folder, "pytest", "-p", "no:cacheprovider")
    assert tested.returncode == 0, tested.stdout
    assert "5 passed" in tested.stdout
    for check in (
        ("ruff", "check", "."),
        ("ruff", "format", "--check", "."),
        ("mypy", "--strict", "--follow-imports=silent"),
    ):
        said = tool(shell.folder, *check)
        assert said.returncode == 0, said.stdout + said.stderr
    checked = shell.run("check", "buying.unit:PurchaseRequest")
    assert checked.stdout.endswith("1 unit with all four elements, no warning.\n")


def test_the_package_is_as_clean_as_this_repository(tmp_path):
    """What newcomers learn from follows the rules of the house, too."""
    write_package(tmp_path, "buying")

    config = ROOT / "pyproject.toml"
    said = tool(
        tmp_path, "ruff", "check", "--config", config, "--config", "lint.isort.known-first-party=['buying']", "."
    )
    assert "S101" in said.stdout  # in its test: it has run
    assert [line for line in said.stdout.splitlines() if " --> " in line and "test_" not in line] == []


def test_a_case_of_the_package_from_end_to_end(shell, at):
    """A worker serves it from its own folder; a case is started, its task is answered, and it closes."""
    shell.run("init", ".", "--name", "buying")
    own = at | {"WORKUNITS_QUEUE": "buying"}
    worker = shell.spawn("--module", "buying.package", "worker", "--unversioned", **own)
    worker.until(f"units={','.join(unit.unit_name for unit in UNITS)},purchase_request")

    def run(*args):
        done = shell.run("--module", "buying.package", *args, **own)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("start", "purchase_request", "--input", "example.json")
    while not json.loads(run("tasks", "ls", "--json"))["tasks"]:
        pass  # each look is a process of its own, so this is no busy loop
    answered = run("tasks", "complete", "P-1", "--set", "verdict=approve", "--as", "kim", "--json")
    assert json.loads(answered)["state"] == "completed"
    shown = json.loads(run("show", "purchase_request:P-1", "--json"))
    assert shown["state"] == "achieved"
    assert shown["record"]["steps"][-1]["by"] == "kim"


def test_what_is_said_is_what_to_type_next(shell):
    """A new folder is made; its name is the package's; the next commands begin there."""
    done = shell.run("init", "Our Purchasing")

    assert (shell.folder / "Our Purchasing" / "our_purchasing" / "unit.py").exists()
    assert "Written: the package our_purchasing" in done.stdout
    assert "    cd 'Our Purchasing'\n    pytest " in done.stdout
    assert "workunits start purchase_request --input example.json" in done.stdout


def test_as_json(shell):
    """One document with what was written and where."""
    said = json.loads(shell.run("init", "shop", "--name", "buying", "--json").stdout)

    assert (said["folder"], said["package"], said["unit"]) == ("shop", "buying", "buying.unit:PurchaseRequest")
    assert "buying/unit.py" in said["files"]
    assert all((shell.folder / "shop" / file).is_file() for file in said["files"])


def test_no_placeholder_is_left(tmp_path):
    """The package's own name stands everywhere."""
    made = write_package(tmp_path / "buying")

    assert made.name == "buying"
    assert len(made.files) == len([path for path in TEMPLATE.rglob("*") if path.is_file() and path.suffix != ".pyc"])
    assert not [file for file in made.files if PLACEHOLDER in (tmp_path / "buying" / file).read_text(encoding="utf-8")]


def test_a_folder_with_files_is_refused(tmp_path):
    """Nothing of anybody's is written over; what is there is named."""
    for name in "abcdefg":
        (tmp_path / name).touch()

    assert "the folder is not empty: it has a, b, c, d, e and 2 more" in refusal(tmp_path, "buying")
    assert sorted(path.name for path in tmp_path.iterdir()) == list("abcdefg")
    assert "it is a file" in refusal(tmp_path / "a", "buying")


def test_what_people_make_before_they_begin_may_be_there(tmp_path):
    """A repository and an environment are no reason to refuse."""
    (tmp_path / ".git").mkdir()
    (tmp_path / ".venv").mkdir()

    assert write_package(tmp_path, "buying").files


@pytest.mark.parametrize("name", ["Buying", "9lives", "a-b", "a b", "a.b", "../x", "_x", "ä", "a" * 41, "a\n"])
def test_a_name_that_is_none(tmp_path, name):
    """A package's name is a lower-case word."""
    assert "use lower_case_words" in refusal(tmp_path / "new", name)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("class", "a word of Python"),
        ("match", "a word of Python"),
        ("json", "a module of Python's library"),
        ("pydantic", "an installed package"),
        (PLACEHOLDER, "a placeholder"),
        *((name, "one of our own modules") for name in OURS),
    ],
)
def test_a_name_that_is_taken(name, why):
    """A package of that name would hide another, or be hidden."""
    with pytest.raises(CommandError, match=why):
        check_name(name)


def test_a_folder_whose_name_is_no_package_name(tmp_path):
    """The remedy is the option."""
    assert "--name" in refusal(tmp_path / "2026")
    assert "--name" in refusal(tmp_path / "tests")
    assert write_package(tmp_path / "My-Team 2").name == "my_team_2"
