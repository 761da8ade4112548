"""The tables of cases: one row for each case, and what it consists of.

Durations are whole microseconds. Nothing here is the truth of an open case: that is Temporal's.
"""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Double, Index, Integer, String, Table, Text

from observability.ledger.columns import column, maybe, metadata, of_case, span
from observability.ledger.moment import Moment
from workunits.core.parts import PARTS

cases = Table(
    "cases",
    metadata,
    column("case_id", String(400), "Temporal's workflow id: `<unit>:<business key>`.", primary_key=True),
    column("unit", String(60), "The unit."),
    column("version", String(40), "The unit's version; `unknown` when the case ended before it wrote a record."),
    column("business_key", String(200), "The key by which people know the case."),
    column("run_id", String(40), "The run of the workflow that was seen last."),
    column("run_started_at", Moment, "When that run started; a later run wins over an earlier one."),
    column("changed_at", Moment, "When the engine saw the last change; an older view never overwrites a newer one."),
    column("written_at", Moment, "When this row was written last."),
    column("state", String(20), "`running`, `waiting` (for a person), or how it closed."),
    maybe("close", String(20), "How it closed: one of the six closes; none while it is open."),
    maybe("reason", String(100), "The close's reason, such as an exception's code."),
    maybe("why", Text, "The reason in words."),
    column("closed_outside", Boolean, "Ended past our doors: terminated or timed out by the engine.", default=False),
    column("vanished", Boolean, "Was open and is deleted from the engine.", default=False),
    column("started_at", Moment, "When the case started, its start delay included."),
    maybe("accepted_at", Moment, "When the request was accepted, when that was before the start."),
    maybe("closed_at", Moment, "When it closed, judged by the times of what people did."),
    maybe("due_at", Moment, "When the outcome is due."),
    maybe("warned_at", Moment, "When it counted as at risk."),
    maybe("breached_at", Moment, "The due time that was passed; a fact of its own, whatever the close."),
    maybe("sla", String(10), "`met`, `breached`, `void` (ended in time, without an outcome) or `running`."),
    maybe("cancelled_by", Text, "Who asked for the cancel, and why."),
    column("facts", JSON, "The unit's declared facts: no personal data.", default=dict),
    maybe("segment", String(100), "The case's segment."),
    maybe("trace_id", String(32), "The trace that started it."),
    column("runs", Integer, "How many runs it took, continue-as-new included.", default=1),
    column("ignored", Integer, "Messages that had no effect.", default=0),
    maybe("cycle_us", BigInteger, "Cycle time: closed minus started, in microseconds; none while open."),
    maybe("lead_us", BigInteger, "Lead time: closed minus accepted (else started), in microseconds."),
    *(span(f"{part}_us", f"Part of the elapsed time: {part.replace('_', ' ')}") for part in PARTS),
    span("human_effort_us", "Sum of people's work intervals"),
    span("machine_effort_us", "Sum of machines' work intervals"),
    span("active_us", "Length of the union of all work intervals"),
    span("external_us", "Length of the union of waits for outsiders, without the union of work"),
    span("rework_effort_us", "Work inside repeats"),
    column(
        "human_touches", Integer, "Human steps that someone worked on or completed, outsiders' left out.", default=0
    ),
    column("unmeasured", Integer, "Of them, those of which nobody said when work began.", default=0),
    column("exceptions", Integer, "Business exceptions that were raised.", default=0),
    column("reworked", Boolean, "A step was repeated because of a return, rejection or correction.", default=False),
    *(
        column(f"handoffs_{kind}", Integer, f"Handoffs from {words}.", default=0)
        for kind, words in (
            ("hh", "a person to another"),
            ("hm", "a person to a machine"),
            ("mh", "a machine to a person"),
            ("mm", "one kind of machine to another"),
        )
    ),
    maybe("cost", Double, "People's measured time times the declared rates; none where one is missing."),
    maybe("currency", String(3), "Of the cost."),
    column("quality", JSON, "Quality measures taken from the result at the close.", default=dict),
    maybe("definition", String(12), "The hash of the unit's definition that was in the catalog at the close."),
    maybe("first_close", String(20), "How it closed first; a reset or late evidence does not change it."),
    maybe("first_closed_at", Moment, "When it closed first."),
    maybe("forgotten_at", Moment, "Since when its personal data is erased."),
    maybe("record", JSON, "The whole record, as the case wrote it."),
    column("record_hash", String(64), "SHA-256 of the record and of how the engine says it ended."),
    Index(None, "unit", "closed_at"),
    Index(None, "state", "changed_at"),
    Index(None, "closed_at"),
    Index(None, "started_at"),
    Index(None, "business_key"),
    comment="One row for each case, open or closed.",
)

steps = Table(
    "steps",
    metadata,
    of_case(),
    column("key", String(80), "The step's name, with `-2`, `-3` when it was performed again.", primary_key=True),
    column("step", String(60), "The step."),
    column("kind", String(20), "`automated`, `ai` or `human`."),
    column("ready_at", Moment, "When it could be worked on."),
    maybe("claimed_at", Moment, "When a person took it."),
    maybe("begun_at", Moment, "When work first began; none when nobody said."),
    maybe("done_at", Moment, "When it ended."),
    maybe("ended", String(12), "`done`, `exception`, `failed`, `skipped`, `expired` or `cancelled`."),
    maybe("code", String(100), "The exception's code, or the kind of technical failure."),
    maybe("performer", String(200), "The person; machine steps are named by their step."),
    maybe("acting_for", String(200), "Whom the person stood in for."),
    column("attempts", Integer, "Attempts of a machine step.", default=1),
    column("external", Boolean, "A party outside the organisation did it.", default=False),
    column("assigned_only", Boolean, "Nobody said when work began: its touch time is unknown.", default=False),
    maybe("redo_of", String(80), "The performance that this one repeats."),
    maybe("queue_us", BigInteger, "Ready until claimed (a machine: until work began), in microseconds."),
    span("work_us", "Sum of its work intervals"),
    span("retry_us", "Failed attempts and the pauses between them"),
    column("intervals", JSON, "Its work intervals, as microseconds since the case started.", default=list),
    Index(None, "step", "done_at"),
    comment="One row for each performance of a step.",
)

tasks = Table(
    "tasks",
    metadata,
    column("task_id", String(480), "`<case>/<step>`.", primary_key=True),
    of_case(primary=False),
    column("unit", String(60), "The unit."),
    column("business_key", String(200), "The case's key."),
    column("step", String(60), "The human step."),
    column("role", String(120), "Who may do it."),
    column("state", String(20), "A state of docs/concepts.md: `ready`, `claimed`, `in_progress`, `waiting` and so on."),
    column("open", Boolean, "Whether someone may still act on it."),
    column("revision", Integer, "Counts its changes; an action names the one that its sender saw."),
    maybe("owner", String(200), "Who has claimed it."),
    maybe("delegator", String(200), "Whose task it is while the owner has it for them."),
    maybe("person", String(200), "The one person to whom it was passed on, whatever their roles."),
    column("level", Integer, "How often it was escalated; above 0 the accountable role may take it too.", default=0),
    column("excluded", JSON, "Who may not do it: they performed what it checks.", default=list),
    maybe("accountable", String(120), "The role that answers for its decision."),
    column("external", Boolean, "For a party outside the organisation.", default=False),
    maybe("because", String(100), "The exception that led here."),
    column("ready_at", Moment, "When it opened."),
    maybe("expires_at", Moment, "When it expires unanswered."),
    maybe("due_at", Moment, "When the case's outcome is due."),
    maybe("warned_at", Moment, "When the case counted as at risk."),
    maybe("done_at", Moment, "When it ended."),
    maybe("performer", String(200), "Who completed it."),
    Index(None, "open", "due_at", "task_id"),
    # A list is merged from one scan for each step, since each step's usual work time shifts its order.
    Index(None, "open", "role", "unit", "step", "due_at", "task_id"),
    Index(None, "open", "owner", "unit", "step", "due_at", "task_id"),
    Index(None, "open", "person"),
    Index(None, "open", "level"),
    Index(None, "open", "business_key", postgresql_ops={"business_key": "text_pattern_ops"}),
    Index(None, "case_id"),
    comment="One row for each human task, open or ended; a view, the workflow stays the authority.",
)

exceptions = Table(
    "exceptions",
    metadata,
    of_case(),
    column("seq", Integer, "Its place in the case's record.", primary_key=True),
    column("at", Moment, "When the rule was taken."),
    column("key", String(80), "The performance that raised it; empty when the unit itself did."),
    column("code", String(100), "The exception's code, or the kind of technical failure."),
    column("business", Boolean, "A business exception; else a technical failure for good."),
    column("routed_to", String(60), "The step that took over, or `close`."),
    Index(None, "code", "at"),
    comment="Business exceptions and technical failures for good, and the rule that was taken.",
)

clocks = Table(
    "clocks",
    metadata,
    of_case(),
    column("target", String(80), "What was promised; `unit` for the outcome itself.", primary_key=True),
    column("budget_us", BigInteger, "The budget in microseconds."),
    column("state", String(10), "`running`, `paused`, `stopped` or `void`."),
    maybe("result", String(10), "`met`, `breached` or `void`; none while it runs."),
    maybe("due_at", Moment, "When it is or was due."),
    maybe("breached_at", Moment, "The due time that was passed."),
    maybe("consumed_us", BigInteger, "Time consumed when it stopped, in microseconds."),
    Index(None, "target", "due_at"),
    comment="SLA clocks.",
)

clock_entries = Table(
    "clock_entries",
    metadata,
    of_case(),
    column("seq", Integer, "Its place in the case's record.", primary_key=True),
    column("target", String(80), "The clock, or the task whose expiry it is."),
    column("entry", String(20), "`warn`, `deadline`, `withdrawn`, `expiry` or `resume`."),
    column("due_at", Moment, "When it was due."),
    column("at", Moment, "When it fired: later than due after an outage."),
    comment="What happened on SLA clocks.",
)

actions = Table(
    "actions",
    metadata,
    of_case(),
    column("action_id", String(100), "The sender's id: the same id has the same answer.", primary_key=True),
    column("at", Moment, "When it counts: when its sender acted."),
    column("key", String(80), "The task's step."),
    column("action", String(40), "`claim`, `start`, `complete` and the like."),
    column("actor", String(200), "Who acted."),
    maybe("acting_for", String(200), "Whom the actor stood in for."),
    column("state", String(20), "The task's state after it."),
    column("revision", Integer, "The task's revision after it."),
    comment="Every accepted action of a person: who did what, when.",
)

proposals = Table(
    "proposals",
    metadata,
    of_case(),
    column("key", String(80), "The performance of the AI step.", primary_key=True),
    column("step", String(60), "The AI step."),
    column("at", Moment, "When it ended."),
    column("outcome", String(12), "`proposed`, or how it failed."),
    maybe("code", String(100), "The kind of failure."),
    column("latency_us", BigInteger, "Work of the attempt that ended it, in microseconds."),
    column("attempts", Integer, "Attempts."),
    Index(None, "step", "at"),
    comment="What AI steps proposed.",
)
