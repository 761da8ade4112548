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
    column("state", String(20), "`running`, `waiting` (for a person), `incident` (for an operator), or how it closed."),
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
    maybe(
        "counted",
        JSON(none_as_null=True),
        "What of it the totals have: marks of facts, each counted once; none: not counted yet.",
    ),
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
    maybe("undoes", String(80), "The performance that this one compensates."),
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
    column("level", Integer, "How often it was escalated.", default=0),
    column("excluded", JSON, "Who may not do it: they performed what it checks.", default=list),
    maybe("accountable", String(120), "The role that answers for its decision."),
    column("external", Boolean, "For a party outside the organisation.", default=False),
    maybe("because", String(100), "The exception that led here."),
    column("ready_at", Moment, "When it opened."),
    maybe("expires_at", Moment, "When it expires unanswered."),
    maybe("due_at", Moment, "The nearest promise: when the case's outcome is due, or the task itself."),
    maybe("warned_at", Moment, "When the case counted as at risk."),
    column("also", Text, "Further roles to which it went up, each on a line of its own.", default=""),
    column("urgency", Integer, "From 0 to 100, by the rungs that have fired.", default=0),
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
    column(
        "routed_to",
        String(60),
        "The step that took over, or `close`, `incident` (an operator decides) or `compensate`.",
    ),
    Index(None, "code", "at"),
    comment="Business exceptions and technical failures for good, and the rule that was taken.",
)

incidents = Table(
    "incidents",
    metadata,
    of_case(),
    column("key", String(80), "The performance of the machine step that failed for good.", primary_key=True),
    column("step", String(60), "The machine step."),
    column("code", String(100), "The kind of technical failure, of the last try."),
    column("opened_at", Moment, "When it opened."),
    maybe("closed_at", Moment, "When it was settled, or its case ended."),
    column("tries", Integer, "How often the step failed for good."),
    column("attempts", Integer, "Attempts of all tries together."),
    column("state", String(12), "`open`, `retrying`, `resolved`, `failed` (decided so) or `closed` (its case ended)."),
    maybe("who", String(200), "Who decided last."),
    maybe("why", Text, "The reason that was given."),
    Index(None, "state", "code"),
    comment="Machine steps that failed for good and waited, or wait, for an operator.",
)

clocks = Table(
    "clocks",
    metadata,
    of_case(),
    column("target", String(80), "The clock: `unit`, or `decide-2.finish_by` and the like.", primary_key=True),
    column("promise", String(80), "The promise: `unit`, `decide.finish_by`, or a name.", default="unit"),
    column("budget_us", BigInteger, "The budget in microseconds."),
    column("state", String(10), "`running`, `paused`, `stopped` or `void`."),
    maybe("result", String(10), "`met`, `breached` or `void`; none while it runs."),
    maybe("due_at", Moment, "When it is or was due."),
    maybe("breached_at", Moment, "The due time that was passed."),
    maybe("consumed_us", BigInteger, "Time that counted, by its calendar and without pauses, in microseconds."),
    maybe("started_at", Moment, "When it started."),
    maybe("stopped_at", Moment, "When what was promised came, or could come no more."),
    maybe("raw_us", BigInteger, "From its start to its end, nights and pauses included, in microseconds."),
    span("paused_us", "How long it stood still, nights included"),
    column("generation", Integer, "How often it was armed: after each pause and each adjustment anew.", default=1),
    maybe("calendar", String(80), "The calendar and its version, for working time."),
    maybe("task", String(80), "The performance that it is about."),
    Index(None, "target", "due_at"),
    Index(None, "promise", "due_at"),
    comment="SLA clocks.",
)

_ENTRY = (
    "A rung: `goal`, `warn`, `deadline`, `passed`, `withdrawn`, `expiry`, `resume`; "
    "or a deed: `pause`, `resume`, `adjust`, `void`, `reproject`."
)

clock_entries = Table(
    "clock_entries",
    metadata,
    of_case(),
    column("seq", Integer, "Its place in the case's record.", primary_key=True),
    column("target", String(80), "The clock, or the task whose expiry it is."),
    column("entry", String(20), _ENTRY),
    column("due_at", Moment, "When it was due."),
    column("at", Moment, "When it fired: later than due after an outage."),
    column("generation", Integer, "Of the clock, when it fired.", default=1),
    column("number", Integer, "Of `passed`: which of its reminders.", default=0),
    column("reached", JSON, "The roles that the ladder told, or gave the tasks to.", default=list, nullable=True),
    maybe("actor", String(200), "Who did it; none: the clock itself."),
    maybe("acting_for", String(200), "For whom."),
    maybe("reason", Text, "Why."),
    maybe("evidence", Text, "Where that is written."),
    maybe("amount_us", BigInteger, "Of `adjust`: what the budget is longer by, in microseconds."),
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
    column("outcome", String(12), "`proposed`, `by_hand` (an operator gave the result), or how it failed."),
    maybe("code", String(100), "The kind of failure."),
    column("latency_us", BigInteger, "Work of the attempt that ended it, in microseconds."),
    column("attempts", Integer, "Attempts."),
    Index(None, "step", "at"),
    comment="What AI steps proposed.",
)
