"""A case that somebody holds: paused in the engine, a step paused, or a task suspended."""

from __future__ import annotations

from collections.abc import Iterator

from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse as Described

from workers.watching.engine import OpenCase, moment
from workers.watching.finding import Finding


def held(case: OpenCase, described: Described) -> Iterator[Finding]:
    """What the engine itself holds of a case."""
    pause = described.workflow_extended_info.pause_info
    if case.paused:
        yield Finding(
            "held",
            f"operations paused it{_by(pause.identity, pause.reason)}: no timer, message or step moves it",
            f"temporal workflow unpause --workflow-id '{case.id}', when the reason is gone",
            since=moment(pause.paused_time),
            case=case.id,
            unit=case.unit,
        )
    for activity in described.pending_activities:
        if activity.paused:
            manual = activity.pause_info.manual
            yield Finding(
                "held",
                f"operations paused its step {activity.activity_id}{_by(manual.identity, manual.reason)}",
                f"temporal activity unpause --workflow-id '{case.id}' --activity-id {activity.activity_id}",
                since=moment(activity.pause_info.pause_time),
                case=case.id,
                unit=case.unit,
                about=activity.activity_id,
            )


def suspended(case: OpenCase) -> Iterator[Finding]:
    """Tasks of a case that somebody suspended."""
    record = case.record
    for task in case.tasks:
        if task.state == "suspended" and record:
            key = task.id.rpartition("/")[2]
            work = next((work for work in record.steps if work.key == key), None)
            act = next((a for a in reversed(record.actions) if (a.task, a.action) == (key, "suspend")), None)
            yield Finding(
                "held",
                f"its task {key} is suspended" + (_by(act.by, str(act.said.get("reason", ""))) if act else ""),
                f"whoever answers for it resumes it: workunits tasks resume '{task.id}'",
                since=record.when(work.since) if work and work.since is not None else None,
                case=case.id,
                unit=case.unit,
                about=key,
            )


def _by(who: str, why: str) -> str:
    return (f" by {who}" if who else "") + (f" ({' '.join(why.split())[:200]})" if why else "")
