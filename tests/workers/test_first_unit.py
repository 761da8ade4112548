"""docs/first-unit.md, followed word for word: what it says to type works, and what it says is printed is printed."""

from __future__ import annotations

import asyncio
import re
import shlex
import time
from functools import partial
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tests.workers.test_init import ROOT, tool

PAGE = (ROOT / "docs" / "first-unit.md").read_text(encoding="utf-8")
TIME = re.compile(r"<?\d+ (?:ms|s|min|h|d)\b( \d+ (?:s|min|h)\b)*")
LOOKS = ("tasks ls", "show P-1")
"""What is typed again when the worker is not as fast as the reader of the page."""
HASH = re.compile(r"definition [0-9a-f]{12}")


def blocks(kind: str) -> list[str]:
    """The page's blocks of one kind, in order."""
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


def said(command: str) -> list[str]:
    """What the page says that a command prints, each time that it is typed."""
    found = []
    for block in blocks("console"):
        for part in block.removeprefix("$ ").split("\n$ "):
            typed, _, printed = part.partition("\n")
            if typed == command:
                found.append(printed)
    return found


def change(folder: Path, diff: str) -> None:
    """Do what one block of changes says, as a reader would: each place is there once."""
    head, _, rest = diff.partition("\n")
    file = folder / head.removeprefix("--- ")
    for hunk in rest.rstrip("\n").split("\n@@\n"):
        lines = hunk.split("\n")
        old, new = (
            "\n".join(line[1:] for line in lines if line[:1] in signs) for signs in (("", " ", "-"), ("", " ", "+"))
        )
        text = file.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{file.name} has {text.count(old)} times:\n{old}"
        file.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture
def purchasing(shell):
    """The folder that the page's second section makes."""
    done = shell.run("init", "purchasing")
    assert said("workunits init purchasing") == [done.stdout]
    shell.folder /= "purchasing"
    return shell


def check(shell):
    """What `workunits check` prints, without the hash, which follows from the versions of libraries, too."""
    return HASH.sub("definition", shell.run("check", "purchase_request").stdout)


def test_every_change_of_the_page(purchasing):
    """Each can be made as it stands; what `check` says in between is what the page says, and in the end all is well."""
    whole, lacking = (HASH.sub("definition", text) for text in said("workunits check purchase_request"))
    assert check(purchasing) == whole

    for number, diff in enumerate(blocks("diff"), 1):
        change(purchasing.folder, diff)
        if number == 5:  # the exception is declared, its rule is forgotten
            assert check(purchasing) == lacking

    tested = tool(purchasing.folder, "pytest", "-p", "no:cacheprovider")
    assert "8 passed" in tested.stdout, tested.stdout
    for command in (("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy", "--follow-imports=silent")):
        done = tool(purchasing.folder, *command)
        assert done.returncode == 0, done.stdout + done.stderr
    assert check(purchasing).endswith("1 unit with all four elements, no warning.\n")


def plainly(text: str) -> list[str]:
    """Its lines, with times and the room between columns left out: both are another thing each time."""
    return [" ".join(TIME.sub("TIME", line).split()) for line in text.splitlines()]


async def test_the_first_case_of_the_page(lab, purchasing):
    """Section 5: what each command prints, on a real engine; not the embedded one, which takes drafts by itself."""
    # A queue of its own: on the usual one the worker of other tests would take the case, and not know its unit.
    at = {
        "TEMPORAL_ADDRESS": lab.client.service_client.config.target_host,
        "WORKUNITS_UNPUBLISHED": "anywhere",
        "WORKUNITS_QUEUE": "first-unit",
    }
    worker = purchasing.spawn("worker", "--unversioned", **at)
    await asyncio.to_thread(worker.until, "polling")
    section = PAGE.partition("\n## 5.")[2].partition("\n---\n")[0]
    typed = [
        line.removeprefix("$ workunits ")
        for block in re.findall(r"```console\n(.*?)```", section, re.DOTALL)
        for line in block.splitlines()
        if line.startswith("$ workunits ") and line != "$ workunits up"
    ]
    for line in typed:
        (wanted,), until = said(f"workunits {line}"), time.monotonic() + PATIENCE
        while True:
            done = await asyncio.to_thread(partial(purchasing.run, *shlex.split(line), **at))
            missing = [one for one in plainly(wanted) if one not in ("...", *plainly(done.stderr + done.stdout))]
            if not missing or line not in LOOKS or time.monotonic() > until:
                break
        assert missing == [], done

    assert typed[0] == "start purchase_request --input example.json"
    assert len(typed) == 6


def test_every_command_of_the_page_exists(shell):
    """A command that is renamed takes this page along."""
    commands = {
        line.split()[2] for block in blocks("console") for line in block.splitlines() if line[:12] == "$ workunits "
    }

    known = shell.run("--help").stdout
    assert commands == {"init", "check", "up", "start", "tasks", "show", "replay"}
    assert all(f"\n  {command} " in known for command in commands)


METHOD = (ROOT / "docs" / "method.md").read_text(encoding="utf-8")


def test_the_worked_example_is_a_unit(shell):
    """The example of docs/method.md stands as it is written there, and `check` has nothing to say to it."""
    shell.write("complaints/__init__.py", "")
    for name, text in zip(("contracts", "unit"), re.findall(r"```python\n(.*?)```", METHOD, re.DOTALL), strict=True):
        shell.write(f"complaints/{name}.py", text)

    done = shell.run("check", "complaints.unit:ComplaintAnswer")
    assert done.stdout.endswith("\n1 unit with all four elements, no warning.\n")


def test_the_same_example_with_a_model_that_prepares_the_decision(shell):
    """The hybrid step of section 3 takes the place of the person's as it stands; then it is a unit, too."""
    contracts, unit = re.findall(r"```python\n(.*?)```", METHOD, re.DOTALL)
    (hybrid,) = re.findall(r"^DECIDE = hybrid\(.*\)$", METHOD, re.MULTILINE)
    changed, times = re.subn(r"DECIDE = human\(.*\)", hybrid, unit)
    shell.write("complaints/__init__.py", "")
    shell.write("complaints/contracts.py", contracts)
    shell.write("complaints/unit.py", changed.replace("import Learning", "import Autonomy, hybrid, Learning"))

    done = shell.run("check", "complaints.unit:ComplaintAnswer")
    assert times == 1
    assert done.stdout.endswith("\n1 unit with all four elements, no warning.\n")


@pytest.mark.parametrize(
    "row", re.findall(r"^\| (.+) \| (.+) \| .+ \|$", METHOD.partition("usual mistakes")[2], re.MULTILINE)[2:]
)
def test_what_check_says_to_a_usual_mistake(row):
    """Each sentence that docs/method.md quotes is one that the gate says."""
    written, sentence = row
    gate = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "workunits" / "core").glob("gate*.py"))
    words = re.split(r"'[a-z_]+'|\d+ \w+|working days", sentence)

    assert written
    assert all(part.strip(" ,") in gate for part in words)
