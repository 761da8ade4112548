"""Each figure is the one that its title promises: by promtool, of invented series that two exporters tell."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from observability.dashboards.files import FOLDER
from tests.dashboards.linter import Query, queries

pytestmark = pytest.mark.skipif(shutil.which("promtool") is None, reason="apt-get install prometheus")
SPANS = {"rate_interval": "2m", "range": "1h"}
MINUTES = 180
CASE = 'unit="u",version="1"'
STEP = f'{CASE},step="s"'
TARGET, RARE = 'unit="u",target="unit"', 'unit="rare",target="unit"'

SERIES = {
    f'workunit_open_cases{{{CASE},state="waiting"}}': f"3x{MINUTES}",
    f'workunit_closed_total{{{CASE},close="achieved"}}': f"0+1x{MINUTES}",
    f'workunit_effort_seconds_total{{{CASE},kind="human"}}': f"0+90x{MINUTES}",
    'workunit_watchdog_findings{unit="u",kind="held"}': f"1x{MINUTES}",
    # One in ten is missed: twice what an objective of 95 % allows. Where none may be missed, there is no budget.
    f'workunit_sla_total{{{TARGET},version="1",result="met"}}': f"0+9x{MINUTES}",
    f'workunit_sla_total{{{TARGET},version="1",result="breached"}}': f"0+1x{MINUTES}",
    f"workunit_sla_objective_ratio{{{TARGET}}}": f"0.95x{MINUTES}",
    'workunit_sla_total{unit="none",target="unit",version="1",result="met"}': f"0+1x{MINUTES}",
    'workunit_sla_total{unit="none",target="unit",version="1",result="breached"}': f"0x{MINUTES}",
    'workunit_sla_objective_ratio{unit="none",target="unit"}': f"1x{MINUTES}",
    # As many are missed, and all of it was fifty minutes ago.
    f'workunit_sla_total{{{RARE},version="1",result="met"}}': "0x120 9x60",
    f'workunit_sla_total{{{RARE},version="1",result="breached"}}': "0x120 1x60",
    f"workunit_sla_objective_ratio{{{RARE}}}": f"0.95x{MINUTES}",
    # Half of the proposals came, at ten cents each; of the others the model was stopped.
    f'workunit_proposals_total{{{STEP},route="review",level="A2"}}': f"0+2x{MINUTES}",
    f"workunit_ai_cost_usd_total{{{STEP}}}": f"0+0.1x{MINUTES}",
    f"workunit_proposal_latency_seconds_count{{{STEP}}}": f"0+1x{MINUTES}",
    f'workunit_proposal_reasons_total{{{STEP},reason="KeyError"}}': f"0+1x{MINUTES}",
    f'workunit_proposal_reasons_total{{{STEP},reason="suggest"}}': f"0+1x{MINUTES}",
    # A step that nobody performed has no median.
    f'workunit_step_work_seconds_bucket{{{STEP},executor="human",le="60.0"}}': f"0+1x{MINUTES}",
    f'workunit_step_work_seconds_bucket{{{STEP},executor="human",le="+Inf"}}': f"0+1x{MINUTES}",
    f'workunit_step_work_seconds_bucket{{{CASE},step="idle",executor="human",le="60.0"}}': f"0x{MINUTES}",
    f'workunit_step_work_seconds_bucket{{{CASE},step="idle",executor="human",le="+Inf"}}': f"0x{MINUTES}",
}
SHOWN: Mapping[str, Mapping[str, float]] = {
    "outcomes: Open cases": {'{unit="u",state="waiting"}': 3},
    "outcomes: Cases closed": {'{unit="u",close="achieved"}': 2},
    "unit: Work of people and machines": {'{kind="human"}': 90},
    "unit: Work in each step": {'{step="s",executor="human"}': 30},
    "runtime: The watchdog's findings": {'{kind="held"}': 1},
    "budget: SLA met": {f"{{{TARGET}}}": 0.9, f"{{{RARE}}}": 0.9, '{unit="none",target="unit"}': 1},
    "budget: Error budget left": {f"{{{TARGET}}}": -1, f"{{{RARE}}}": -1},
    "budget: Burn rate": {f"{{{TARGET}}}": 2, f"{{{RARE}}}": 2},
    "boundary: Cost of a proposal": {'{unit="u",step="s"}': 0.1},
    "boundary: Failures that went to a person": {'{unit="u",step="s",reason="KeyError"}': 2},
}
"""Of panels, each series that there is to be and its figure."""


def asked(title: str) -> Query:
    """The query of a panel that has one."""
    page, _, panel = title.partition(": ")
    text = (FOLDER / f"workunits-{page}.json").read_text(encoding="utf-8")
    found: list[Query] = [query for query in queries(json.loads(text)) if query.where.endswith(f": {panel}")]
    return found[0]


def told(series: Mapping[str, str]) -> list[dict[str, str]]:
    """As two exporters tell it."""
    return [
        {"series": f'{name[:-1]},job="ours",instance="{one}"}}', "values": values}
        for name, values in series.items()
        for one in "ab"
    ]


def expected(title: str) -> dict[str, Any]:
    """What promtool is to find, to the millionth."""
    expr = f"round({asked(title).filled(**SPANS)}, 0.000001)"
    samples = [{"labels": labels, "value": value} for labels, value in SHOWN[title].items()]
    return {"expr": expr, "eval_time": "170m", "exp_samples": samples}


def test_the_figures(tmp_path: Path) -> None:
    """No more and no fewer series, each with its figure."""
    test = {"interval": "1m", "input_series": told(SERIES), "promql_expr_test": [expected(title) for title in SHOWN]}
    file = tmp_path / "test.yml"
    file.write_text(json.dumps({"evaluation_interval": "1m", "tests": [test]}), encoding="utf-8")
    done = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
