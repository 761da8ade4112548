"""`workunits check`: the four elements of every unit, and what any class of the user's own lacks."""

from __future__ import annotations

import json
import sys

import pytest

from tests.workers.conftest import UNIT
from workers.console import CommandError, Exit
from workers.targets import find_class
from workunits.units import UNITS

WORKFLOW = '''
from temporalio import workflow


@workflow.defn
class Greeting:
    """Greets."""

    @workflow.run
    async def run(self, name: str) -> str:
        return await workflow.execute_activity("greet", name)

    @workflow.signal
    def approve(self) -> None:
        """Someone approves."""
'''


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder, whose modules leave no trace in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def refusal(target):
    """How a target is refused."""
    with pytest.raises(CommandError) as refused:
        find_class(target)
    return str(refused.value), refused.value.exit_code


def test_every_unit_with_its_four_elements(shell):
    """Without a target the catalog is listed, readable at 100 columns."""
    done = shell.run("check")

    assert (done.returncode, done.stderr) == (0, "")
    assert max(len(line) for line in done.stdout.splitlines()) <= 100
    for said in (
        "refund_request  version 1  key request  definition ",
        "The refund is paid, or refused with a reason, and the customer is told within 3 days.",
        "SLA 3 d, at risk after 2 d 6 h; accountable: head of customer care",
        "order_unknown in find_order: correct_number mends the input, once",
        "decide          human      refund approver  accountable: head of customer care",
        "cycle_time p85 at most 8 h; baseline: the first 100 cases of version 1",
        "owner: head of customer care; reviewed every 30 d",
        f"{len(UNITS)} units with all four elements, no warning.",
    ):
        assert said in done.stdout


def test_every_unit_as_json(shell):
    """One document with the contract of each unit and what was found."""
    done = shell.run("check", "--json")

    said = json.loads(done.stdout)
    assert (done.returncode, said["ok"]) == (0, True)
    first, second, *_ = said["checked"]
    assert set(first) == {"class", "kind", "ok", "definition", "missing", "problems", "unit"}
    assert second["class"] == "workunits.catalog.refund_request:RefundRequest"
    assert (second["kind"], second["missing"], second["problems"]) == ("unit", [], [])
    assert second["unit"]["outcome"]["accountable"] == "head of customer care"
    assert len(second["definition"]) == 12


def test_one_unit_by_its_name(shell):
    """A unit of the catalog is named as everywhere; a mistyped one with the near names."""
    assert "1 unit with all four elements" in shell.run("check", "refund_request").stdout

    done = shell.run("check", "refund_reqest")
    assert done.returncode == Exit.USAGE
    assert "did you mean refund_request" in done.stderr


def test_a_unit_of_ones_own(shell):
    """It lies in the current folder, and is named by its module or by its file; its warnings are shown."""
    shell.write_loans(unit=UNIT.replace("The loan is granted within 24 hours.", "Grant the loan within 2 days."))

    by_module = shell.run("check", "loans.unit:Loan")
    by_file = shell.run("check", "loans/unit.py:Loan")

    assert (by_module.returncode, by_module.stderr) == (0, "")
    assert by_module.stdout == by_file.stdout
    assert "outcome.statement: warning: it promises 2 days, and the SLA is 24 h" in by_module.stdout
    assert "structure.advise.rules: warning: when the model fails nobody takes over" in by_module.stdout
    assert "structure.advise.kind: warning: its output reaches the outcome without a person" in by_module.stdout
    assert "1 unit with all four elements, 3 warnings." in by_module.stdout


def test_a_unit_with_open_decisions(shell):
    """All of them are listed, with the warnings; the exit code is that of a finding."""
    text = UNIT.replace('accountable="head of loans"', 'accountable=""').replace(
        "The loan is granted within 24 hours.", "Loans."
    )
    shell.write_loans(unit=text.replace('owner="loans owner"', 'owner=""'))

    done = shell.run("check", "loans.unit:Loan")
    assert done.returncode == Exit.FINDING
    assert done.stdout.startswith("Loan is no unit yet: 2 design decisions open\n")
    assert "  outcome.accountable: no accountable role\n      Name the one role" in done.stdout
    assert "learning.owner: nobody owns the unit's improvement" in done.stdout
    assert "warning: it has no time bound" in done.stdout

    done = shell.run("--module", "loans.package", "check", "--json")
    said = json.loads(done.stdout)
    assert (done.returncode, said["ok"]) == (Exit.FINDING, False)
    *others, refused = said["checked"]
    assert [report["ok"] for report in others] == [True] * len(UNITS)
    assert (refused["kind"], said["not_examined"]) == ("unit", [])
    assert refused["problems"][0] == {
        "element": "outcome",
        "field": "accountable",
        "what": "no accountable role",
        "remedy": 'Name the one role that answers for it: accountable="head of onboarding"',
        "warning": False,
    }


def test_what_cannot_be_loaded_because_of_another_is_said(shell):
    """A question about one unit is not answered with another's findings alone."""
    shell.write_loans(unit=UNIT.replace('accountable="head of loans"', 'accountable=""'))

    for target in ("refund_request", "loans.unit:Other"):
        done = shell.run("--module", "loans.package", "check", target)
        told = json.loads(shell.run("--module", "loans.package", "check", target, "--json").stdout)
        assert done.returncode == Exit.FINDING
        assert "Loan is no unit yet" in done.stdout
        assert f"{target} was not examined: it cannot be loaded before" in done.stdout
        assert told["not_examined"] == [target]


def test_a_plain_workflow_is_a_process_waiting_to_be_designed(shell):
    """Each of the four elements is named as missing, with what to state, and what the workflow itself suggests."""
    shell.write("greet.py", WORKFLOW)

    done = shell.run("check", "greet:Greeting")
    assert done.returncode == Exit.FINDING
    assert "greet:Greeting is a plain Temporal workflow: a process waiting to be designed" in done.stdout
    assert "cannot be found: outcome, logic, structure, learning" in done.stdout
    assert "State what done looks like" in done.stdout
    assert "waits for approve: who sends that" in " ".join(done.stdout.split())

    said = json.loads(shell.run("check", "greet:Greeting", "--json").stdout)["checked"][0]
    assert (said["kind"], said["ok"], said["unit"], said["definition"]) == ("workflow", False, None, None)
    assert said["missing"] == ["outcome", "logic", "structure", "learning"]


def test_what_a_module_prints_does_not_mix_with_the_document(shell):
    """A module may print while it is imported; stdout holds one document all the same."""
    shell.write("greet.py", f"print('hello')\n{WORKFLOW}")

    done = shell.run("check", "greet:Greeting", "--json")
    assert json.loads(done.stdout)["checked"][0]["kind"] == "workflow"
    assert "hello" in done.stderr


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("nowhere:X", "there is no module nowhere, neither in this folder nor installed"),
        ("pack.nowhere:X", "there is no module pack.nowhere"),
        ("pack/nowhere.py:X", "there is no file pack/nowhere.py"),
        ("pack.greet", "name the class, too: pack.greet:Greeting"),
        ("pack/greet.py", "name the class, too: pack/greet.py:Greeting"),
        ("pack.greet:", "name the class, too: pack.greet:Greeting"),
        ("pack.greet:Greetin", "pack.greet has no class Greetin; did you mean Greeting?"),
        ("pack.greet:Other", "pack.greet has no class Other; it has Greeting"),
        ("pack.greet:workflow", "pack.greet:workflow is no class; it has Greeting"),
        ("pack.greet:Greeting.run", "pack.greet:Greeting.run is no class"),
        ("pack greet:X", "name a class as module:Class, such as acme.unit:Leave"),
        (":", "name a class as module:Class"),
        ("../x:Y", "there is no file ../x"),
    ],
)
def test_a_target_that_names_no_class(here, target, why):
    """What is wrong with it is said with what to type instead."""
    (here / "pack").mkdir()
    (here / "pack" / "__init__.py").touch()
    (here / "pack" / "greet.py").write_text(WORKFLOW, encoding="utf-8")

    said, code = refusal(target)
    assert why in said
    assert code == Exit.USAGE


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x = 1\ny = 1 +\n", "importing broken fails at broken.py:2: SyntaxError: invalid syntax"),
        ("\nraise ValueError('no')\n", "importing broken fails at broken.py:2: ValueError: no"),
        ("import sys\nsys.exit(3)\n", "importing broken fails at broken.py:2: SystemExit: 3"),
        ("import nowhere_at_all\n", "fails at broken.py:1: ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("from pydantic import Nothing\n", "importing broken fails at broken.py:1: ImportError: cannot import name"),
        ("raise ValueError('x' * 5000)\n", "ValueError: xxx"),
    ],
)
def test_a_module_that_cannot_be_imported(here, text, why):
    """The line is named, no traceback is shown, and the exit code is that of a finding."""
    (here / "broken.py").write_text(text, encoding="utf-8")

    said, code = refusal("broken:X")
    assert why in said
    assert code == Exit.FINDING
    assert len(said) < 400


def test_a_class_inside_another_one(here):
    """A nested class has a dotted name."""
    (here / "outer.py").write_text("class A:\n    class B:\n        pass\n", encoding="utf-8")

    assert find_class("outer:A.B").__qualname__ == "A.B"
