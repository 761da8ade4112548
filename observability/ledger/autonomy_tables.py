"""The tables of how far models may go: what was signed, what was stopped, and what audits found."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Double, Index, String, Table, Text

from observability.ledger.columns import column, maybe, metadata, of_case
from observability.ledger.moment import Moment

grants = Table(
    "autonomy_grants",
    metadata,
    column("grant_id", String(40), "Names it.", primary_key=True),
    column("unit", String(60), "The unit."),
    column("version", String(40), "Its version."),
    column("step", String(60), "The hybrid step."),
    column("segment", String(100), "The segment of cases; empty: all."),
    column("executor", String(200), "Model, prompt and tools that it was signed for."),
    column("level", String(2), "The level."),
    maybe("threshold", Double, "Calibrated confidence from which on the model decides."),
    column("points", JSON, "The calibration: raw confidence and what it is worth."),
    column("calibration", String(40), "Its version.", default=""),
    column("certificate", JSON, "What it was signed on."),
    column("signed_at", Moment, "When."),
    column("signed_by", String(200), "By whom."),
    column("role", String(120), "In which role: the step's accountable one."),
    maybe("expires_at", Moment, "When it ends by itself."),
    maybe("ended_at", Moment, "When it was revoked, or fell."),
    maybe("ended_by", String(200), "By whom; `system` when it fell by itself."),
    maybe("ended_why", Text, "Why."),
    Index(None, "unit", "step"),
    comment="Signed levels of autonomy.",
)

stops = Table(
    "autonomy_stops",
    metadata,
    column("unit", String(60), "The unit.", primary_key=True),
    column("step", String(60), "The step: a hybrid one, or one that is a model's alone.", primary_key=True),
    column("at", Moment, "Since when its model decides nothing.", primary_key=True),
    column("actor", String(200), "Who stopped it."),
    column("reason", Text, "Why."),
    maybe("lifted_at", Moment, "Until when."),
    maybe("lifted_by", String(200), "Who lifted it."),
    maybe("lifted_why", Text, "Why."),
    comment="The kill switch of each step that has a model.",
)

audits = Table(
    "autonomy_audits",
    metadata,
    of_case(),
    column("key", String(80), "The performance that was audited.", primary_key=True),
    column("at", Moment, "When."),
    column("auditor", String(200), "Who looked at it."),
    column("wrong", Boolean, "Whether the decision was wrong."),
    column("severe", Boolean, "Whether badly so."),
    column("note", Text, "What was found.", default=""),
    comment="What people found who looked at a model's decision afterwards.",
)
