"""The ledger's own tables: what it was told later, what was done to it, and how far it has followed."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Double, Index, Integer, String, Table, Text

from observability.ledger.columns import column, maybe, metadata, of_case
from observability.ledger.moment import Moment

evidence = Table(
    "evidence",
    metadata,
    column("evidence_id", String(64), "Of what it says: told twice, it is kept once.", primary_key=True),
    of_case(primary=False),
    column("measure", String(60), "The unit's quality measure."),
    column("value", Double, "What was found; yes is 1, no is 0."),
    column("source", String(200), "Where it comes from: a complaint's number, an audit."),
    column("occurred_at", Moment, "When it happened."),
    column("recorded_at", Moment, "When the ledger was told."),
    column("recorded_by", String(200), "Who told it."),
    column("counts", Boolean, "It happened within the measure's window after the close."),
    Index(None, "case_id", "measure"),
    comment="Evidence of a case's quality that came after its close.",
)

corrections = Table(
    "corrections",
    metadata,
    column("correction_id", String(64), "Of what it corrects.", primary_key=True),
    of_case(primary=False),
    column("at", Moment, "Since when it holds."),
    column("kind", String(20), "`evidence`, `reset` or `vanished`."),
    column("from_close", String(20), "How the case counted before."),
    maybe("to_close", String(20), "How it counts since; none: it is open again."),
    column("why", Text, "Why."),
    column("recorded_at", Moment, "When the ledger learned of it."),
    Index(None, "case_id", "at"),
    Index(None, "recorded_at"),
    comment="Changes of a closed case's outcome, dated; what was first is never overwritten.",
)

inputs = Table(
    "inputs",
    metadata,
    of_case(),
    column("input", JSON, "The start argument, of units that keep it."),
    comment="Inputs of cases, for units that declare `keep_inputs`.",
)

definitions = Table(
    "definitions",
    metadata,
    column("unit", String(60), "The unit.", primary_key=True),
    column("version", String(40), "Its version.", primary_key=True),
    column("hash", String(12), "Of the definition.", primary_key=True),
    column("definition", JSON, "The four elements, as `workunits check --json` gives them."),
    column("first_seen_at", Moment, "When the ledger saw it first."),
    comment="Every definition of a unit that has run.",
)

audit = Table(
    "audit",
    metadata,
    column("audit_id", String(32), "Its id.", primary_key=True),
    column("at", Moment, "When."),
    column("actor", String(200), "Who."),
    column(
        "what",
        String(40),
        "`evidence`, `forget`, `prune`, `repair`, `baseline`, `learn_...`; `vanished`, by the follower.",
    ),
    maybe("case_id", String(400), "The case, where it was one."),
    column("detail", JSON, "What was done, without the personal data that it was about."),
    Index(None, "case_id"),
    Index(None, "at"),
    comment="What was done to the ledger itself, and by whom; rows are only ever added.",
)

forgotten = Table(
    "forgotten",
    metadata,
    column("mark", String(64), "A keyed hash of a case's id or of a person's name: it names nobody.", primary_key=True),
    column("kind", String(10), "`case` or `subject`."),
    column("at", Moment, "When it was asked for."),
    comment="Whose personal data is not kept; the follower, a repair and a restore honour it.",
)

prunings = Table(
    "prunings",
    metadata,
    column("unit", String(60), "The unit.", primary_key=True),
    column("before", Moment, "Cases that closed before it are not kept."),
    column("at", Moment, "When they were pruned last."),
    comment="Up to when closed cases were pruned; the follower does not bring them back.",
)

dead_letters = Table(
    "dead_letters",
    metadata,
    column("case_id", String(400), "The case.", primary_key=True),
    column("run_id", String(40), "Its run.", primary_key=True),
    column("unit", String(60), "The unit."),
    column("reason", Text, "Why its row could not be made or stored."),
    column("payload", Text, "What the engine listed, as base64 of its bytes."),
    column("code", String(40), "The version of the ledger's code that tried last."),
    column("first_at", Moment, "When it was refused first."),
    column("last_at", Moment, "When it was tried last."),
    column("attempts", Integer, "How often it was tried."),
    comment="Cases that could not be read or stored; they are tried again and hold nothing else up.",
)

followers = Table(
    "followers",
    metadata,
    column("namespace", String(200), "The engine's namespace.", primary_key=True),
    column("watermark", Moment, "Everything that changed before it is in the ledger."),
    column("passed_at", Moment, "When the last whole pass ended."),
    maybe("swept_at", Moment, "When the last wide pass ended."),
    column("rows", BigInteger, "Rows written so far.", default=0),
    maybe("lag_us", BigInteger, "Longest time from a close to its row in the last pass that had one, in microseconds."),
    maybe("error", Text, "Why a pass failed last; kept when it follows again."),
    maybe("error_at", Moment, "When; later than the last whole pass: it cannot follow now."),
    comment="How far the follower is.",
)

learning = Table(
    "learning",
    metadata,
    column("unit", String(60), "The unit.", primary_key=True),
    column("seq", Integer, "The entry's place among those of the unit, from 1.", primary_key=True),
    column("at", Moment, "When."),
    column("actor", String(200), "Who."),
    column(
        "entry",
        String(12),
        "`proposed`, `decided`, `reviewed` or `baseline`; of autonomy, `asked`, `granted` or `ended`.",
    ),
    maybe("change", Integer, "The change that it is about, from 1; none: it is about the unit."),
    maybe("from_version", String(40), "The version that is changed."),
    maybe("to_version", String(40), "The version that the change makes; of `baseline`, the one it was frozen from."),
    maybe("measure", String(60), "The primary measure, declared before anyone looked."),
    maybe("owner", String(120), "The role that owned the unit then."),
    maybe("hypothesis", Text, "Why it should get better."),
    maybe("expected", Text, "By how much."),
    maybe("verdict", String(12), "`better`, `not_worse`, `worse` or `undecided`: computed, never told."),
    maybe("decision", String(12), "`adopt`, `drop` or `keep` (it goes on running)."),
    maybe("reason", Text, "Why."),
    maybe("baseline", String(100), "Of `baseline`: its name."),
    column("detail", JSON, "The comparison or the shift that it stands on.", default=dict),
    Index(None, "unit", "change"),
    comment="The learning ledger: changes, verdicts, decisions, reviews, baselines; rows are only ever added.",
)

baselines = Table(
    "baselines",
    metadata,
    column("baseline_id", String(64), "Of its unit, name and source.", primary_key=True),
    column("unit", String(60), "The unit that is compared with it; it need not exist yet."),
    column("name", String(100), "Its name."),
    column("source", String(400), "The log, or the version's cases, that it was made from."),
    column("source_hash", String(64), "SHA-256 of the log's bytes and of the map."),
    column("frozen_at", Moment, "When it was made."),
    maybe("window_from", Moment, "The first event."),
    maybe("window_to", Moment, "The last event."),
    column("n", Integer, "Cases."),
    column("n_open", Integer, "Of them, those without a declared end."),
    column("metrics", String(20), "The version of the metric definitions."),
    column("mapping", JSON, "How activities, resources and ends were read."),
    column("figures", JSON, "The frozen figures: each with n, quantiles and intervals."),
    column("segments", JSON, "The mix of segments: share by segment.", default=dict),
    Index(None, "unit", "frozen_at"),
    comment="Frozen baselines.",
)

baseline_cases = Table(
    "baseline_cases",
    metadata,
    column("baseline_id", String(64), "The baseline.", primary_key=True),
    column("case_no", Integer, "The trace's place in the log, from 1.", primary_key=True),
    column("name", String(200), "The trace's name in the log, cut to 200 characters."),
    column("started_at", Moment, "Its first event."),
    column("ended_at", Moment, "Its last event."),
    maybe("close", String(20), "`achieved`, `not_achieved`; none: it has no declared end."),
    maybe("reason", String(100), "The end's reason."),
    maybe("segment", String(100), "Its segment."),
    column("exceptions", JSON, "The codes of its business exceptions."),
    maybe("reworked", Boolean, "A step was repeated because of a return; none: the map does not say what one is."),
    comment="The traces of a baseline.",
)

baseline_intervals = Table(
    "baseline_intervals",
    metadata,
    column("baseline_id", String(64), "The baseline.", primary_key=True),
    column("case_no", Integer, "The trace.", primary_key=True),
    column("seq", Integer, "Its place in the trace.", primary_key=True),
    column("item", Integer, "The piece of work: one that was suspended has several intervals."),
    column("step", String(60), "The step."),
    column("kind", String(20), "The executor kind."),
    maybe("performer", String(100), "Who or what performed it: people are numbered, not named."),
    maybe("ready_at", Moment, "When it was put in the queue; none: the log does not say."),
    maybe("begun_at", Moment, "When work began; none: the log does not say."),
    maybe("done_at", Moment, "When it ended; none: it did not, in the log."),
    maybe("ended", String(10), "`complete`, `suspend`, `withdraw` or `abort`; none: it did not, in the log."),
    comment="The raw intervals that a baseline was computed from.",
)
