"""The public names of the library: whoever removes or renames one breaks somebody's unit, and sees it here first."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil

import pytest

import workunits

PUBLIC = {
    "workunits.core.errors": [
        "BadInput",
        "BusinessException",
        "DefinitionError",
        "NoQuorum",
        "Refused",
        "WorkUnitsError",
    ],
    "workunits.core.spec": [
        "CLOSES",
        "Close",
        "Learning",
        "MEASURES",
        "Measure",
        "OPEN_STATES",
        "On",
        "OnFailure",
        "Outcome",
        "Quality",
        "Rate",
        "Rule",
    ],
    "workunits.core.steps": [
        "After",
        "KINDS",
        "Kind",
        "SilenceApproves",
        "Step",
        "UNSTATED",
        "Votes",
        "ai",
        "automated",
        "human",
        "hybrid",
        "unit_step",
    ],
    "workunits.core.autonomy": [
        "Autonomy",
        "DECLARABLE",
        "FEWEST_UNSEEN",
        "Facts",
        "LEVELS",
        "Level",
        "RISKS",
        "ROUTES",
        "Risk",
        "Route",
        "Routing",
        "STOPPED",
        "ceiling",
        "route",
        "routine",
    ],
    "workunits.proposing": ["Declared", "Proposal", "Standings", "UNKNOWN", "offer", "perform_unless_stopped"],
    "workunits.core.promise": [
        "Between",
        "Budget",
        "Elapsed",
        "OPERATIONS_HOLD",
        "Passed",
        "Pause",
        "Rise",
        "RungName",
        "Target",
        "Urgency",
        "WorkingDays",
        "WorkingHours",
        "as_target",
        "elapsed",
        "working_days",
        "working_hours",
    ],
    "workunits.core.unit": ["WorkUnit"],
    "workunits.ai": [
        "LONGEST_PAUSE",
        "Model",
        "ModelNameError",
        "OLLAMA",
        "PATIENCE",
        "PROVIDERS",
        "REQUESTS",
        "BYTES",
        "TOKENS",
    ],
    "workunits.calendars.store": ["OWN", "Published", "PublishedError", "Store", "UnknownCalendarError", "shipped"],
    "workunits.cases": [
        "CaseView",
        "TaskView",
        "UnreadableError",
        "is_unknown",
        "read_execution",
        "start_note",
        "view_of",
    ],
    "workunits.keys": ["business_key"],
    "workunits.client": [
        "Cases",
        "DuplicateCaseError",
        "Memory",
        "QUEUE",
        "Started",
        "UnknownCaseError",
        "case_of",
    ],
    "workunits.delivery": ["size_of", "UndeliveredError", "after_close", "deliver"],
    "workunits.messages": ["FileOutbox", "SENDER", "SmtpTransport", "TIMEOUT", "Transport", "compose"],
    "workunits.operating": [
        "PATIENCE",
        "RetryEnd",
        "Trouble",
        "decide",
        "end_of_retry",
        "open_troubles",
        "troubles_of",
    ],
    "workunits.performs": ["Performer", "PerformersError", "THREADS", "collect", "effect_key", "match", "performs"],
    "workunits.plugin": ["TotalPayloadConverter", "work_units"],
    "workunits.described": ["describe"],
    "workunits.rule_source": ["UNKNOWN", "digest"],
    "workunits.registry": [
        "Catalog",
        "CatalogError",
        "ENTRY_POINTS",
        "Package",
        "UnknownUnitError",
        "definition_hash",
        "discover",
        "hash_of",
    ],
    "workunits.testing": [
        "Answer",
        "Cancel",
        "Canned",
        "ENGINE_FLAGS",
        "Lab",
        "NobodyAnswersError",
        "Proposed",
        "Settle",
        "Skipper",
        "drive",
        "temporal_binary",
    ],
}
"""Module -> what it defines for others. Adding a name here is a promise to keep it."""


def defined(module):
    """The public names that a module's own file defines: classes, functions, constants and type aliases."""
    names = set()
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            made = ast.unparse(node.value.func) if isinstance(node.value, ast.Call) else ""
            if made not in ("TypeVar", "logging.getLogger"):
                names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return sorted(name for name in names if not name.startswith("_"))


@pytest.mark.parametrize("name", PUBLIC)
def test_the_public_names_are_these(name):
    """Neither fewer, which breaks users, nor more, which promises them something by accident."""
    assert defined(importlib.import_module(name)) == sorted(PUBLIC[name])


@pytest.mark.parametrize("name", PUBLIC)
def test_what_is_public_says_what_it_is(name):
    """Each class and function has a docstring of its own."""
    module = importlib.import_module(name)
    silent = [
        each for each in PUBLIC[name] if inspect.isroutine(vars(module)[each]) or inspect.isclass(vars(module)[each])
    ]

    assert [each for each in silent if not vars(module)[each].__doc__] == []


def test_the_package_itself_exports_nothing():
    """Its `__init__` runs in the sandbox of every case."""
    public = {name for name in vars(workunits) if not name.startswith("_")}

    assert public <= {module.name for module in pkgutil.iter_modules(workunits.__path__)}
