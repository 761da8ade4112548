"""The tables of notices: in the inbox's own store, with a schema of their own."""

from __future__ import annotations

from sqlalchemy import JSON, Index, Integer, MetaData, String, Table

from observability.ledger.columns import column, maybe
from observability.ledger.moment import Moment

metadata = MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s"},
)

notices = Table(
    "inbox_notices",
    metadata,
    column("notice_id", String(560), "`notice:<task>:<rung>`; the id of its workflow.", primary_key=True),
    column("task_id", String(480), "The task."),
    column("rung", String(40), "Such as `warn`; with a number when it is repeated, and of `passed` with its clock."),
    column("state", String(10), "`new`, `begun`, `nobody` or `capped`."),
    column("made_at", Moment, "When it was due, as the notifier saw it."),
    column("body", JSON, "The whole notice."),
    Index(None, "state"),
    Index(None, "task_id"),
)

parcels = Table(
    "inbox_parcels",
    metadata,
    column("notice_id", String(560), "The notice.", primary_key=True),
    column("recipient", String(220), "`person:<name>` or `role:<role>`.", primary_key=True),
    column("state", String(10), "`waiting`, `sending`, `sent`, `withdrawn` or `failed`."),
    column("changed_at", Moment, "Since when."),
    maybe("message", String(32), "The message that it travels in."),
    maybe("led_by", String(560), "The notice whose workflow sends that message."),
    maybe("first_tried_at", Moment, "When its delivery failed first."),
    column("attempts", Integer, "How often it was sent, or tried.", default=0),
    maybe("error", String(300), "Why the last attempt failed."),
    Index(None, "recipient", "state"),
    Index(None, "state"),
)

marks = Table(
    "inbox_notice_marks",
    metadata,
    column("name", String(20), "`notices`.", primary_key=True),
    maybe("watermark", Moment, "Up to which row of the ledger it has followed."),
    maybe("passed_at", Moment, "When the last pass ended."),
    maybe("error", String(1000), "Why the last pass failed; empty when it did not."),
)
