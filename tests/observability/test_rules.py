"""The rules: each alert fires when it should and only then, has its runbook, and asks for what there is."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import typer.main

from observability.metrics.contract import METRICS, SERIES
from observability.prometheus.rule import Recording, Terms
from observability.prometheus.rules import alerts, files, groups, write
from tests.observability import alerting, alerting_boundary
from tests.observability.alerting import Generous, Strict, Usual
from tests.workers.conftest import Shell
from workers.catalog import OWN
from workers.cli import app
from workunits.registry import Catalog, Package
from workunits.units import UNITS as OURS

ROOT = Path(__file__).parents[2]
PROMETHEUS, ALERTMANAGER = ROOT / "observability" / "prometheus", ROOT / "observability" / "alertmanager"
RUNBOOKS = ROOT / "docs" / "runbooks"
UNITS = (Usual, Generous, Strict)
CATALOG = Catalog([Package("promising", UNITS, ("tests.lab.contracts",), ())])
TERMS = Terms()
TRIALS = (*alerting.TRIALS, *alerting_boundary.TRIALS)
KNOWN = {alert.name: alert for alert in alerts(CATALOG, TERMS)}
RULES = [rule for held in groups(CATALOG, TERMS).values() for group in held for rule in group.rules]
HEADINGS = ["## Meaning", "## Impact", "## How to find the cause", "## Remedy"]


def tool(*args: str, cwd: Path | None = None) -> str:
    """What promtool or amtool says when all is well."""
    done = subprocess.run(args, capture_output=True, text=True, check=False, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("slow", [False, True], ids=["minutes", "days"])
def test_each_alert_fires_and_does_not(tmp_path, slow):
    """By promtool: with its labels and its sentence, from the moment on; not by what merely comes close."""
    write(tmp_path, CATALOG, TERMS)
    (tmp_path / "test.yml").write_text(
        json.dumps(
            {
                "rule_files": ["workunits-*.yml"],
                "group_eval_order": [group.name for held in groups(CATALOG, TERMS).values() for group in held],
                "evaluation_interval": "10m" if slow else "1m",
                "tests": [test for trial in TRIALS if trial.slow is slow for test in trial.tests(KNOWN)],
            }
        )
    )

    assert "SUCCESS" in tool("promtool", "test", "rules", str(tmp_path / "test.yml"))


def test_no_alert_is_untried():
    """Each has series by which it fires, and others by which it does not."""
    assert {trial.alert for trial in TRIALS} == set(KNOWN)
    assert all(trial.fires and trial.silent for trial in TRIALS)


def test_each_alert_has_a_runbook_and_each_runbook_an_alert():
    """What it means, whom it hurts, how to find the cause and what to do; the index names it with its severity."""
    index = (RUNBOOKS / "README.md").read_text(encoding="utf-8")
    pages = {page.stem for page in RUNBOOKS.glob("*.md")} - {"README"}

    assert pages == set(KNOWN)
    for alert in KNOWN.values():
        page = (ROOT / alert.runbook).read_text(encoding="utf-8")
        assert [line for line in page.splitlines() if line.startswith("#")] == [f"# {alert.name}", *HEADINGS]
        assert "$ " in page.partition(HEADINGS[2])[2]
        assert f"| [{alert.name}]({alert.name}.md) | {alert.severity} |" in index
        assert alert.severity in ("page", "ticket", "info")
        assert alert.summary


def test_the_commands_of_the_runbooks_exist():
    """Each with its subcommand and options, as the command line has them today."""
    root = typer.main.get_command(app)
    seen = set()
    for page in RUNBOOKS.glob("*.md"):
        text = page.read_text(encoding="utf-8")
        for said in re.findall(r"(?:^\$ |`)workunits ([^`#\n]+)", text, re.MULTILINE):
            command, words = root, said.split()
            while hasattr(command, "commands") and words:
                assert words[0] in command.commands, (page.name, said)
                command = command.commands[words.pop(0)]
            options = {name for parameter in command.params for name in parameter.opts}
            assert {word for word in words if word.startswith("-")} <= options, (page.name, said)
            seen.add(command.name)
    assert len(seen) > 10


def test_rules_ask_for_what_the_contract_has():
    """Each metric, each label in a matcher or an aggregation, each series that another rule records."""
    labels = {label for metric in METRICS for label in metric.labels} | {"instance"}
    recorded = {rule.name for rule in RULES if isinstance(rule, Recording)}
    for rule in RULES:
        asked = re.findall(r"\b(workunit_\w+)(?:\{([^}]*)\})?", rule.expr)
        assert asked or "workunit:" in rule.expr
        for name, matchers in asked:
            assert name in SERIES, rule.name
            assert set(re.findall(r"(\w+)=", matchers)) <= set(SERIES[name].labels), rule.name
        assert set(re.findall(r"workunit:\w+:\w+", rule.expr)) <= recorded, rule.name
        for names in re.findall(r"(?:by|without) \(([^)]*)\)", rule.expr):
            assert set(names.split(", ")) <= labels, rule.name
    for alert in KNOWN.values():
        assert set(re.findall(r"\$labels\.(\w+)", alert.summary)) <= labels


def test_windows_that_could_never_fire_are_left_out():
    """Fourteen times a budget of 20 % is no threshold; where nothing may be missed, there is no ratio."""
    names = {unit: [alert.name for alert in alerts(Catalog([Package("p", (unit,), (), ())]), TERMS)] for unit in UNITS}
    sla = {unit.unit_name: [name for name in found if "Sla" in name] for unit, found in names.items()}

    assert sla == {
        "usual": ["WorkunitSlaBurnFast", "WorkunitSlaBurnSlow", "WorkunitSlaBurnTrend", "WorkunitSlaBreached"],
        "generous": ["WorkunitSlaBurnTrend", "WorkunitSlaMostMissed", "WorkunitSlaBreached"],
        "strict": ["WorkunitSlaBreached"],
    }
    for rule in RULES:
        for threshold in re.findall(r"ratio_rate\w+\{.*?\} > (\S+)", rule.expr):
            assert 0 < float(threshold) < 1


def test_the_committed_rules_are_up_to_date():
    """Those of our own units, and no others."""
    there = {path.name: path.read_text(encoding="utf-8") for path in (PROMETHEUS / "rules").iterdir()}

    assert there == dict(files(Catalog([OWN]), TERMS)), "make rules"


def test_someone_elses_units_get_rules_by_the_same_command(tmp_path):
    """Their own objective is in them; files of units that are gone go, other files stay."""
    shell = Shell(tmp_path, [])
    shell.write_loans()
    shell.write("rules/workunits-unit-gone.yml", "old")
    shell.write("rules/mine.yml", "groups: []")
    done = shell.run("--module", "loans.package", "metrics", "rules", "--out", "rules", "--retention", "8", "--json")
    said = json.loads(done.stdout)
    loan = (tmp_path / "rules" / "workunits-unit-loan.yml").read_text()

    assert "workunits-unit-loan.yml" in said["files"]
    assert {path.name for path in (tmp_path / "rules").iterdir()} == {*said["files"], "mine.yml"}
    assert 'ratio_rate1h{unit="loan",target="unit"} > 0.72' in loan
    assert "> 172800" in (tmp_path / "rules" / "workunits-runtime.yml").read_text()
    tool("promtool", "check", "rules", *(str(path) for path in (tmp_path / "rules").glob("*.yml")))


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    """In a sentence, with no traceback."""
    shell = Shell(tmp_path, [])
    shell.write("rules", "a file")
    done = shell.run("metrics", "rules", "--out", "rules/in")

    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_prometheus_takes_its_configuration():
    """With the rules that it names; every file of targets is there."""
    said = tool("promtool", "check", "config", "prometheus.yml", cwd=PROMETHEUS)
    named = re.findall(r"targets/\w+\.json", (PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8"))

    assert f"{len(OURS) + 1} rule files found" in said
    assert {f"targets/{path.name}" for path in (PROMETHEUS / "targets").iterdir()} == set(named)
    for name in named:
        assert json.loads((PROMETHEUS / name).read_text(encoding="utf-8"))[0]["targets"]


def test_alertmanager_takes_its_configuration_and_routes_by_severity():
    """Pages and tickets go apart, and what is to be seen nowhere; what it holds back, and why, are alerts."""
    config = ALERTMANAGER / "alertmanager.yml"
    tool("amtool", "check-config", str(config))
    route = ("amtool", "config", "routes", "test", f"--config.file={config}")
    named = set(re.findall(r"Workunit[A-Z]\w+", config.read_text(encoding="utf-8"))) - {"WorkunitSla"}

    assert tool(*route, "severity=page", "alertname=WorkunitCaseWedged").split() == ["pages"]
    assert tool(*route, "severity=ticket", "alertname=WorkunitCasesHeld").split() == ["tickets"]
    assert tool(*route, "severity=info", "alertname=WorkunitAiStopped").split() == ["nobody"]
    assert named <= set(KNOWN)
    assert len(named) > 5
