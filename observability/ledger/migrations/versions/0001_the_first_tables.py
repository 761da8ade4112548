"""The first tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column

from observability.ledger.moment import Moment

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply it."""
    op.create_table(
        "audit",
        Column("audit_id", sa.String(length=32), nullable=False),
        Column("at", Moment(), nullable=False),
        Column("actor", sa.String(length=200), nullable=False),
        Column("what", sa.String(length=40), nullable=False),
        Column("case_id", sa.String(length=400), nullable=True),
        Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("audit_id", name="pk_audit"),
    )
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_index("ix_audit_case_id", "audit", ["case_id"])

    op.create_table(
        "baseline_cases",
        Column("baseline_id", sa.String(length=64), nullable=False),
        Column("case_no", sa.Integer(), nullable=False),
        Column("name", sa.String(length=200), nullable=False),
        Column("started_at", Moment(), nullable=False),
        Column("ended_at", Moment(), nullable=False),
        Column("close", sa.String(length=20), nullable=True),
        Column("reason", sa.String(length=100), nullable=True),
        Column("segment", sa.String(length=100), nullable=True),
        Column("exceptions", sa.JSON(), nullable=False),
        Column("reworked", sa.Boolean(), nullable=True),
        sa.PrimaryKeyConstraint("baseline_id", "case_no", name="pk_baseline_cases"),
    )
    op.create_table(
        "baseline_intervals",
        Column("baseline_id", sa.String(length=64), nullable=False),
        Column("case_no", sa.Integer(), nullable=False),
        Column("seq", sa.Integer(), nullable=False),
        Column("item", sa.Integer(), nullable=False),
        Column("step", sa.String(length=60), nullable=False),
        Column("kind", sa.String(length=20), nullable=False),
        Column("performer", sa.String(length=100), nullable=True),
        Column("ready_at", Moment(), nullable=True),
        Column("begun_at", Moment(), nullable=True),
        Column("done_at", Moment(), nullable=True),
        Column("ended", sa.String(length=10), nullable=True),
        sa.PrimaryKeyConstraint("baseline_id", "case_no", "seq", name="pk_baseline_intervals"),
    )
    op.create_table(
        "baselines",
        Column("baseline_id", sa.String(length=64), nullable=False),
        Column("unit", sa.String(length=60), nullable=False),
        Column("name", sa.String(length=100), nullable=False),
        Column("source", sa.String(length=400), nullable=False),
        Column("source_hash", sa.String(length=64), nullable=False),
        Column("frozen_at", Moment(), nullable=False),
        Column("window_from", Moment(), nullable=True),
        Column("window_to", Moment(), nullable=True),
        Column("n", sa.Integer(), nullable=False),
        Column("n_open", sa.Integer(), nullable=False),
        Column("metrics", sa.String(length=20), nullable=False),
        Column("mapping", sa.JSON(), nullable=False),
        Column("figures", sa.JSON(), nullable=False),
        Column("segments", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("baseline_id", name="pk_baselines"),
    )
    op.create_index("ix_baselines_unit_frozen_at", "baselines", ["unit", "frozen_at"])

    op.create_table(
        "cases",
        Column("case_id", sa.String(length=400), nullable=False),
        Column("unit", sa.String(length=60), nullable=False),
        Column("version", sa.String(length=40), nullable=False),
        Column("business_key", sa.String(length=200), nullable=False),
        Column("run_id", sa.String(length=40), nullable=False),
        Column("run_started_at", Moment(), nullable=False),
        Column("changed_at", Moment(), nullable=False),
        Column("written_at", Moment(), nullable=False),
        Column("state", sa.String(length=20), nullable=False),
        Column("close", sa.String(length=20), nullable=True),
        Column("reason", sa.String(length=100), nullable=True),
        Column("why", sa.Text(), nullable=True),
        Column("closed_outside", sa.Boolean(), nullable=False),
        Column("vanished", sa.Boolean(), nullable=False),
        Column("started_at", Moment(), nullable=False),
        Column("accepted_at", Moment(), nullable=True),
        Column("closed_at", Moment(), nullable=True),
        Column("due_at", Moment(), nullable=True),
        Column("warned_at", Moment(), nullable=True),
        Column("breached_at", Moment(), nullable=True),
        Column("sla", sa.String(length=10), nullable=True),
        Column("cancelled_by", sa.Text(), nullable=True),
        Column("facts", sa.JSON(), nullable=False),
        Column("segment", sa.String(length=100), nullable=True),
        Column("trace_id", sa.String(length=32), nullable=True),
        Column("runs", sa.Integer(), nullable=False),
        Column("ignored", sa.Integer(), nullable=False),
        Column("cycle_us", sa.BigInteger(), nullable=True),
        Column("lead_us", sa.BigInteger(), nullable=True),
        Column("rework_us", sa.BigInteger(), nullable=False),
        Column("touch_human_us", sa.BigInteger(), nullable=False),
        Column("touch_machine_us", sa.BigInteger(), nullable=False),
        Column("retry_us", sa.BigInteger(), nullable=False),
        Column("external_wait_us", sa.BigInteger(), nullable=False),
        Column("off_hours_us", sa.BigInteger(), nullable=False),
        Column("queue_us", sa.BigInteger(), nullable=False),
        Column("idle_us", sa.BigInteger(), nullable=False),
        Column("human_effort_us", sa.BigInteger(), nullable=False),
        Column("machine_effort_us", sa.BigInteger(), nullable=False),
        Column("active_us", sa.BigInteger(), nullable=False),
        Column("external_us", sa.BigInteger(), nullable=False),
        Column("rework_effort_us", sa.BigInteger(), nullable=False),
        Column("human_touches", sa.Integer(), nullable=False),
        Column("unmeasured", sa.Integer(), nullable=False),
        Column("exceptions", sa.Integer(), nullable=False),
        Column("reworked", sa.Boolean(), nullable=False),
        Column("handoffs_hh", sa.Integer(), nullable=False),
        Column("handoffs_hm", sa.Integer(), nullable=False),
        Column("handoffs_mh", sa.Integer(), nullable=False),
        Column("handoffs_mm", sa.Integer(), nullable=False),
        Column("cost", sa.Double(), nullable=True),
        Column("currency", sa.String(length=3), nullable=True),
        Column("quality", sa.JSON(), nullable=False),
        Column("definition", sa.String(length=12), nullable=True),
        Column("first_close", sa.String(length=20), nullable=True),
        Column("first_closed_at", Moment(), nullable=True),
        Column("forgotten_at", Moment(), nullable=True),
        Column("record", sa.JSON(), nullable=True),
        Column("record_hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("case_id", name="pk_cases"),
    )
    op.create_index("ix_cases_business_key", "cases", ["business_key"])
    op.create_index("ix_cases_closed_at", "cases", ["closed_at"])
    op.create_index("ix_cases_started_at", "cases", ["started_at"])
    op.create_index("ix_cases_state_changed_at", "cases", ["state", "changed_at"])
    op.create_index("ix_cases_unit_closed_at", "cases", ["unit", "closed_at"])

    op.create_table(
        "dead_letters",
        Column("case_id", sa.String(length=400), nullable=False),
        Column("run_id", sa.String(length=40), nullable=False),
        Column("unit", sa.String(length=60), nullable=False),
        Column("reason", sa.Text(), nullable=False),
        Column("payload", sa.Text(), nullable=False),
        Column("code", sa.String(length=40), nullable=False),
        Column("first_at", Moment(), nullable=False),
        Column("last_at", Moment(), nullable=False),
        Column("attempts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("case_id", "run_id", name="pk_dead_letters"),
    )
    op.create_table(
        "definitions",
        Column("unit", sa.String(length=60), nullable=False),
        Column("version", sa.String(length=40), nullable=False),
        Column("hash", sa.String(length=12), nullable=False),
        Column("definition", sa.JSON(), nullable=False),
        Column("first_seen_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("unit", "version", "hash", name="pk_definitions"),
    )
    op.create_table(
        "followers",
        Column("namespace", sa.String(length=200), nullable=False),
        Column("watermark", Moment(), nullable=False),
        Column("passed_at", Moment(), nullable=False),
        Column("swept_at", Moment(), nullable=True),
        Column("rows", sa.BigInteger(), nullable=False),
        Column("lag_us", sa.BigInteger(), nullable=True),
        Column("error", sa.Text(), nullable=True),
        Column("error_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("namespace", name="pk_followers"),
    )
    op.create_table(
        "forgotten",
        Column("mark", sa.String(length=64), nullable=False),
        Column("kind", sa.String(length=10), nullable=False),
        Column("at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("mark", name="pk_forgotten"),
    )
    op.create_table(
        "actions",
        Column("case_id", sa.String(length=400), nullable=False),
        Column("action_id", sa.String(length=100), nullable=False),
        Column("at", Moment(), nullable=False),
        Column("key", sa.String(length=80), nullable=False),
        Column("action", sa.String(length=40), nullable=False),
        Column("actor", sa.String(length=200), nullable=False),
        Column("acting_for", sa.String(length=200), nullable=True),
        Column("state", sa.String(length=20), nullable=False),
        Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"], name="fk_actions_case_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("case_id", "action_id", name="pk_actions"),
    )
    op.create_table(
        "clock_entries",
        Column("case_id", sa.String(length=400), nullable=False),
        Column("seq", sa.Integer(), nullable=False),
        Column("target", sa.String(length=80), nullable=False),
        Column("entry", sa.String(length=20), nullable=False),
        Column("due_at", Moment(), nullable=False),
        Column("at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"], name="fk_clock_entries_case_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("case_id", "seq", name="pk_clock_entries"),
    )
    op.create_table(
        "clocks",
        Column("case_id", sa.String(length=400), nullable=False),
        Column("target", sa.String(length=80), nullable=False),
        Column("budget_us", sa.BigInteger(), nullable=False),
        Column("state", sa.String(length=10), nullable=False),
        Column("result", sa.String(length=10), nullable=True),
        Column("due_at", Moment(), nullable=True),
        Column("breached_at", Moment(), nullable=True),
        Column("consumed_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"], name="fk_clocks_case_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("case_id", "target", name="pk_clocks"),
    )
    op.create_index("ix_clocks_target_due_at", "clocks", ["target", "due_at"])

    op.create_table(
        "corrections",
        Column("correction_id", sa.String(length=64), nullable=False),
        Column("case_id", sa.String(length=400), nullable=False),
        Column("at", Moment(), nullable=False),
        Column("kind", sa.String(length=20), nullable=False),
        Column("from_close", sa.String(length=20), nullable=False),
        Column("to_close", sa.String(length=20), nullable=True),
        Column("why", sa.Text(), nullable=False),
        Column("recorded_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"], name="fk_corrections_case_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("correction_id", name="pk_corrections"),
    )
    op.create_index("ix_corrections_case_id_at", "corrections", ["case_id", "at"])
    op.create_index("ix_corrections_recorded_at", "corrections", ["recorded_at"])

    op.create_table(
        "evidence",
        Column("evidence_id", sa.String(length=64), nullable=False),
        Column("case_id", sa.String(length=400), nullable=False),
        Column("measure", sa.String(length=60), nullable=False),
        Column("value", sa.Double(), nullable=False),
        Column("source", sa.String(length=200), nullable=False),
        Column("occurred_at", Moment(), nullable=False),
        Column("recorded_at", Moment(), nullable=False),
        Column("recorded_by", sa.String(length=200), nullable=False),
        Column("counts", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"], name="fk_evidence_case_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("evidence_id", name="pk_evidence"),
    )
    op.create_index("ix_evidence_case_id_measure", "evidence", ["case_id", "measure"])

    op.create_table(
        "exceptions",
        Column("case_id", sa.String(length=400), nullable=False),
        Column("seq", sa.Integer(), nullable=False),
        Column("at", Moment(), nullable=False),
        Column("key", sa.String(length=80), nullable=False),
        Column("code", sa.String(length=100), nullable=False),
        Column("business", sa.Boolean(), nullable=False),
        Column("routed_to", sa.String(length=60), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"], name="fk_exceptions_case_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("case_id", "seq", name="pk_exceptions"),
    )
    op.create_index("ix_exceptions_code_at", "exceptions", ["code", "at"])

    op.create_table(
        "inputs",
        Column("case_id", sa.String(length=400), nullable=False),
        Column("input", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"], name="fk_inputs_case_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("case_id", name="pk_inputs"),
    )
    op.create_table(
        "prunings",
        Column("unit", sa.String(length=60), nullable=False),
        Column("before", Moment(), nullable=False),
        Column("at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("unit", name="pk_prunings"),
    )
    op.create_table(
        "proposals",
        Column("case_id", sa.String(length=400), nullable=False),
        Column("key", sa.String(length=80), nullable=False),
        Column("step", sa.String(length=60), nullable=False),
        Column("at", Moment(), nullable=False),
        Column("outcome", sa.String(length=12), nullable=False),
        Column("code", sa.String(length=100), nullable=True),
        Column("latency_us", sa.BigInteger(), nullable=False),
        Column("attempts", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"], name="fk_proposals_case_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("case_id", "key", name="pk_proposals"),
    )
    op.create_index("ix_proposals_step_at", "proposals", ["step", "at"])

    op.create_table(
        "steps",
        Column("case_id", sa.String(length=400), nullable=False),
        Column("key", sa.String(length=80), nullable=False),
        Column("step", sa.String(length=60), nullable=False),
        Column("kind", sa.String(length=20), nullable=False),
        Column("ready_at", Moment(), nullable=False),
        Column("claimed_at", Moment(), nullable=True),
        Column("begun_at", Moment(), nullable=True),
        Column("done_at", Moment(), nullable=True),
        Column("ended", sa.String(length=12), nullable=True),
        Column("code", sa.String(length=100), nullable=True),
        Column("performer", sa.String(length=200), nullable=True),
        Column("acting_for", sa.String(length=200), nullable=True),
        Column("attempts", sa.Integer(), nullable=False),
        Column("external", sa.Boolean(), nullable=False),
        Column("assigned_only", sa.Boolean(), nullable=False),
        Column("redo_of", sa.String(length=80), nullable=True),
        Column("queue_us", sa.BigInteger(), nullable=True),
        Column("work_us", sa.BigInteger(), nullable=False),
        Column("retry_us", sa.BigInteger(), nullable=False),
        Column("intervals", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"], name="fk_steps_case_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("case_id", "key", name="pk_steps"),
    )
    op.create_index("ix_steps_step_done_at", "steps", ["step", "done_at"])

    op.create_table(
        "tasks",
        Column("task_id", sa.String(length=480), nullable=False),
        Column("case_id", sa.String(length=400), nullable=False),
        Column("unit", sa.String(length=60), nullable=False),
        Column("business_key", sa.String(length=200), nullable=False),
        Column("step", sa.String(length=60), nullable=False),
        Column("role", sa.String(length=120), nullable=False),
        Column("state", sa.String(length=20), nullable=False),
        Column("open", sa.Boolean(), nullable=False),
        Column("revision", sa.Integer(), nullable=False),
        Column("owner", sa.String(length=200), nullable=True),
        Column("delegator", sa.String(length=200), nullable=True),
        Column("person", sa.String(length=200), nullable=True),
        Column("level", sa.Integer(), nullable=False),
        Column("excluded", sa.JSON(), nullable=False),
        Column("accountable", sa.String(length=120), nullable=True),
        Column("external", sa.Boolean(), nullable=False),
        Column("because", sa.String(length=100), nullable=True),
        Column("ready_at", Moment(), nullable=False),
        Column("expires_at", Moment(), nullable=True),
        Column("due_at", Moment(), nullable=True),
        Column("warned_at", Moment(), nullable=True),
        Column("done_at", Moment(), nullable=True),
        Column("performer", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"], name="fk_tasks_case_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("task_id", name="pk_tasks"),
    )
    op.create_index("ix_tasks_case_id", "tasks", ["case_id"])
    op.create_index("ix_tasks_open_due_at_task_id", "tasks", ["open", "due_at", "task_id"])
    by_key = {"business_key": "text_pattern_ops"}
    op.create_index("ix_tasks_open_business_key", "tasks", ["open", "business_key"], postgresql_ops=by_key)
    op.create_index("ix_tasks_open_level", "tasks", ["open", "level"])
    for who in ("owner", "role"):
        columns = ["open", who, "unit", "step", "due_at", "task_id"]
        op.create_index(f"ix_tasks_{'_'.join(columns)}", "tasks", columns)
    op.create_index("ix_tasks_open_person", "tasks", ["open", "person"])
    _only_ever_add("audit")


def _only_ever_add(table: str) -> None:
    """Have the database refuse to change or delete rows, whoever asks."""
    refuse = f"{table}: rows are only ever added"
    if op.get_bind().dialect.name == "sqlite":
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{refuse}'); END"
            )
        return
    op.execute(
        f"CREATE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{refuse}'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuse()"
    )
