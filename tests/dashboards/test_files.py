"""The dashboards' files: up to date, well-formed, within the contract."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from observability.dashboards.files import FOLDER, rendered
from tests.dashboards.linter import panels, problems

PAGES: dict[str, dict[str, Any]] = {path.name: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}


def provisioned(folder: str) -> Any:
    """What Grafana is told."""
    return YAML(typ="safe").load((FOLDER.parent / "provisioning" / folder / "workunits.yml").read_text())


def test_the_files_are_up_to_date():
    """What is committed is what the code gives: make dashboards."""
    assert {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()} == rendered(), "make dashboards"


@pytest.mark.parametrize("name", PAGES)
def test_there_is_nothing_to_complain_of(name):
    """Frame, panels, PromQL, and each metric and label in the contract."""
    assert problems(PAGES[name]) == []


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("workunit_open_tasks", "workunit_tasks_open", "no contract has workunit_tasks_open"),
        ("(unit, role) (max", "(unit, role)) (max", "workunits-people: Open tasks"),
        ('{job=~\\"$job\\",', '{person=\\"ann\\",', "has no label person"),
        ("[$__rate_interval]", "[5m]", "looks back a fixed 5m"),
        ('"editable": false', '"editable": true', "it can be edited"),
        (
            "(max without (instance) (workunit_open",
            "((workunit_open",
            "two exporters' workunit_open_tasks are added up",
        ),
    ],
)
def test_a_mistake_is_found(before, after, said):
    """A renamed metric, broken PromQL, an unknown label, a fixed span, a page that can be edited."""
    text = (FOLDER / "workunits-people.json").read_text(encoding="utf-8")

    assert before in text
    assert said in "\n".join(problems(json.loads(text.replace(before, after))))


def test_links_lead_somewhere():
    """Each link to a dashboard leads to one that there is; exemplars lead to the case, its history and its trace."""
    text = "".join(rendered().values())
    assert "/d/workunits-unit?" in text
    assert "workunits-unit.json" in PAGES
    for page in PAGES.values():
        for panel in panels(page):
            links = "".join(link["url"] for link in panel.get("fieldConfig", {}).get("defaults", {}).get("links", ()))
            links += "".join(link["url"] for link in panel.get("options", {}).get("dataLinks", ()))
            wrong = "__field.labels" if panel["type"] == "table" else "__data.fields"
            assert wrong not in links, "a table has labels in columns, and nothing else has"
    source = provisioned("datasources")["datasources"][0]
    assert source["uid"] == "workunits-prometheus"
    names = [one["name"] for one in source["jsonData"]["exemplarTraceIdDestinations"]]
    assert names == ["workflow_id", "workflow_id", "trace_id"]
    provider = provisioned("dashboards")["providers"][0]
    assert (provider["disableDeletion"], provider["allowUiUpdates"]) == (True, False)
    assert Path(provider["options"]["path"]).name == FOLDER.name
