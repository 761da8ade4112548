"""`workunits explain` and `workunits forecast` as people and scripts meet them, and as docs/explain.md says."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from observability.ledger.store import Ledger
from tests.observability.invented import fill
from tests.workers.conftest import Shell

PAGE = Path(__file__).parents[2] / "docs" / "explain.md"


@pytest.fixture(scope="module")
def explain(tmp_path_factory):
    """Runs the command beside a ledger of 1,500 invented cases."""
    folder = tmp_path_factory.mktemp("explain")
    address = f"sqlite:///{folder / 'ledger.sqlite'}"
    ledger = Ledger(address)
    ledger.migrate()
    fill(ledger, 1500)
    ledger.close()
    shell = Shell(folder, [])

    def run(*args, command="explain"):
        return shell.run(command, *args, WORKUNITS_LEDGER=address)

    return run


def examples() -> list[tuple[str, str]]:
    """Each command of the page with what it prints there."""
    blocks = re.findall(r"```console\n\$ workunits (.+)\n((?:.*\n)*?)```", PAGE.read_text())
    return [(command, printed) for command, printed in blocks]


@pytest.mark.parametrize(("command", "printed"), examples())
def test_the_examples_of_the_page_are_what_it_says(explain, command, printed):
    """To the letter."""
    name, *args = shlex.split(command)
    said = explain(*args, command=name)

    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout == printed


def test_one_json_document(explain):
    """Of a case and of a unit; both add up to the microsecond."""
    case = json.loads(explain("X-7", "--json").stdout)
    unit = json.loads(explain("refund_request", "--late", "--json").stdout)

    assert {"case", "elapsed_seconds", "parts", "steps", "sentence", "trace"} <= case.keys()
    assert case["case"] == "refund_request:X-7"
    assert round(sum(case["parts"].values()) * 1e6) == round(case["elapsed_seconds"] * 1e6)
    assert round(sum(step["seconds"] for step in case["steps"]) * 1e6) == round(case["elapsed_seconds"] * 1e6)
    assert [step["kind"] for step in case["steps"]] == ["automated", "external", "automated", "human", None]
    assert len(examples()) == 3
    for split in ("shares", "parts", "steps", "exceptions"):
        assert round(sum(one["seconds"] for one in unit[split]) * 1e6) == round(unit["lateness_seconds"] * 1e6)


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("refund_reqest", "--late"), "unknown_unit"),
        (("X-7", "--since", "2026-01-01"), "invalid_field"),
        (("refund_request", "--late", "--since", "soon"), "invalid_field"),
    ],
)
def test_bad_input_is_one_error_and_exit_code_2(explain, args, code):
    """Nothing on stdout."""
    said = explain(*args, "--json")

    assert (said.returncode, said.stdout) == (2, "")
    assert json.loads(said.stderr)["error"]["code"] == code


def test_forecasts_as_one_json_document(explain):
    """None of a ledger without open cases; the back-test tells its bins; it wants a unit."""
    said = json.loads(explain("--json", command="forecast").stdout)
    tested = json.loads(explain("--backtest", "refund_request", "--json", command="forecast").stdout)
    nothing = explain("--backtest", "customer_onboarding", command="forecast")
    refused = explain("--backtest", "--json", command="forecast")

    assert (said["cases"], said["more"]) == ([], False)
    assert tested["brier"] < tested["brier_share"]
    assert sum(one["broken"]["n"] for one in tested["bins"]) == tested["n"]
    assert nothing.stdout.startswith("Too little has closed for a forecast of customer_onboarding")
    assert (refused.returncode, json.loads(refused.stderr)["error"]["field"]) == (2, "unit")
