"""Who performs a machine step: a function bound to a declared step.

`@performs(Unit.STEP)` marks a function, or a method of a class whose constructor names what it needs by type;
the worker collects them, builds the classes, and refuses to start when a step has no performer or two.
A performer gets the step's input, returns its output or raises one of the step's business exceptions; whatever
else it raises is a technical failure, which the platform retries.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import math
import time
import types
import typing
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

from pydantic import BaseModel, ValidationError
from pydantic_core import to_json
from temporalio import activity
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from workunits.core import strict_json
from workunits.core.approving import STALE, is_approved
from workunits.core.errors import BadInput, BusinessException, WorkUnitsError
from workunits.core.proposal import Asked, Offered
from workunits.core.record import TIMING, Failure
from workunits.core.sealed import require_open
from workunits.core.spec import I, O, Step
from workunits.proposing import Declared, Proposal, Standings, offer, perform_unless_stopped

S = TypeVar("S")
_MARK = "__performs__"
_TOLD_NOTHING = RawValue(Payload(metadata={"encoding": b"json/plain"}, data=b"{}"))
_GUARDS: Mapping[str, Callable[..., Awaitable[Any]]] = {"hybrid": offer, "ai": perform_unless_stopped}
"""What stands before a model: how far it may go, and whether somebody stopped it."""
_MESSAGE_LIMIT, _SHOWN = 1000, 300
THREADS = 64
"""Threads for performers that block; one that never returns keeps its thread until the process ends."""

_threads = ThreadPoolExecutor(THREADS, thread_name_prefix="performer")


class PerformersError(WorkUnitsError):
    """Steps and performers do not match."""


class _Binder(Generic[I, O]):
    """Binds one function to one step and returns it unchanged."""

    def __init__(self, step: Step[I, O]) -> None:
        self._step = step

    @overload
    def __call__(self, fn: Callable[[I], Awaitable[Proposal[O]]]) -> Callable[[I], Awaitable[Proposal[O]]]: ...
    @overload
    def __call__(self, fn: Callable[[S, I], Awaitable[Proposal[O]]]) -> Callable[[S, I], Awaitable[Proposal[O]]]: ...
    @overload
    def __call__(self, fn: Callable[[I], Awaitable[O]]) -> Callable[[I], Awaitable[O]]: ...
    @overload
    def __call__(self, fn: Callable[[I], O]) -> Callable[[I], O]: ...
    @overload
    def __call__(self, fn: Callable[[S, I], Awaitable[O]]) -> Callable[[S, I], Awaitable[O]]: ...
    @overload
    def __call__(self, fn: Callable[[S, I], O]) -> Callable[[S, I], O]: ...
    def __call__(self, fn: Any) -> Any:
        setattr(fn, _MARK, self._step)
        return fn


def performs(step: Step[I, O]) -> _Binder[I, O]:
    """Bind the decorated function or method to `step`.

    Async functions run on the worker's loop; plain ones run in a thread, so blocking clients belong there.
    """
    return _Binder(step)


def effect_key() -> str:
    """The idempotency key of the running step, `<case>/<step>`: the same over all its attempts."""
    info = activity.info()
    return f"{info.workflow_id}/{info.activity_id}"


@dataclass(frozen=True)
class Performer:
    """A step and the function that performs it."""

    step: Step[Any, Any]
    fn: Callable[[Any], Any]
    where: str
    """Module and name, for messages."""

    def as_activity(self, standings: Standings | None = None) -> Callable[..., Any]:
        """The Temporal activity: reads the input, checks the output, and reports attempt and times with it.

        Args:
            standings: Says how far the model of a step may go; as it is declared, when omitted.
        """
        step, fn = self.step, self.fn
        is_async = inspect.iscoroutinefunction(fn)

        async def perform(raw: RawValue, told: RawValue = _TOLD_NOTHING) -> RawValue:
            began = time.monotonic()
            try:
                require_open(raw)
                what = step.takes.model_validate_json(raw.payload.data)
                asked = Asked.model_validate_json(told.payload.data)
                _require_approval(step, what, asked)

                def run() -> Awaitable[Any]:
                    return fn(what) if is_async else _in_thread(fn, what)

                guard = _GUARDS.get(step.kind)
                async with _heartbeat():
                    out = await (guard(step, run, asked, standings or Declared()) if guard else run())
                return _answer(step, out, began)
            except BusinessException as error:
                raise _business(step, error, began) from error
            except ApplicationError as error:
                raise _technical(error, error.type or "ApplicationError", began) from error
            except Exception as error:
                raise _technical(error, type(error).__name__, began) from error

        async def plain(raw: RawValue) -> RawValue:
            return await perform(raw)

        # The SDK drops the types of all arguments where their number differs from that of the parameters.
        told_more = step.kind == "hybrid" or step.approved_by is not None
        return activity.defn(name=step.activity)(perform if told_more else plain)


def collect(modules: Iterable[types.ModuleType], resources: Mapping[type, object]) -> list[Performer]:
    """Find the performers in `modules`, building the classes that hold some.

    Args:
        modules: Modules with decorated functions, or classes with decorated methods.
        resources: What a class may ask for in its constructor, by type.

    Raises:
        PerformersError: a class asks for something that is not there, or its constructor fails.
    """
    found: list[Performer] = []
    for module in modules:
        for name, member in vars(module).items():
            if getattr(member, "__module__", None) != module.__name__:
                continue
            where = f"{module.__name__}.{name}"
            if isinstance(getattr(member, _MARK, None), Step):
                found.append(Performer(getattr(member, _MARK), member, where))
            elif inspect.isclass(member):
                methods = {n: getattr(m, _MARK) for n, m in vars(member).items() if hasattr(m, _MARK)}
                if methods:
                    built = _build(member, where, resources)
                    found += [Performer(step, getattr(built, n), f"{where}.{n}") for n, step in methods.items()]
    return found


def match(steps: Iterable[Step[Any, Any]], performers: Iterable[Performer]) -> list[Performer]:
    """Give each machine step its performer, in the order of the steps.

    Raises:
        PerformersError: names every step without a performer and every step with two.
    """
    by_name: dict[str, list[Performer]] = {}
    for performer in performers:
        by_name.setdefault(performer.step.activity, []).append(performer)
    chosen, problems = [], []
    for step in steps:
        if not step.has_performer:
            continue
        there = by_name.get(step.activity, [])
        if len(there) == 1:
            chosen.append(there[0])
        elif there:
            problems.append(
                f"{step.activity} has {len(there)} performers: {', '.join(p.where for p in there)}; keep one"
            )
        else:
            problems.append(f"{step.activity} ({step.kind}) has no performer: write @performs on a function for it")
    if problems:
        raise PerformersError("Steps and performers do not match:\n" + "\n".join(f"  - {p}" for p in problems))
    return chosen


def _build(cls: type, where: str, resources: Mapping[type, object]) -> object:
    init = vars(cls).get("__init__")
    try:
        hints = typing.get_type_hints(init) if init else {}
    except NameError as error:
        raise PerformersError(f"{where} asks for a type that is not there at run time: {error}; import it") from None
    wanted = {name: hints.get(name) for name in list(inspect.signature(cls).parameters)}
    lacking = [f"{name}: {hint}" for name, hint in wanted.items() if hint not in resources]
    if lacking:
        known = ", ".join(sorted(t.__name__ for t in resources))
        raise PerformersError(f"{where} asks for {', '.join(lacking)}; the worker has {known}")
    try:
        return cls(**{name: resources[hint] for name, hint in wanted.items() if hint is not None})
    except Exception as error:
        why = f"{type(error).__name__}: {error}"[:_SHOWN]
        raise PerformersError(f"{where} cannot be made: {why}; mend its constructor") from error


async def _in_thread(fn: Callable[[Any], Any], what: BaseModel) -> Any:
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(_threads, context.run, fn, what)


@asynccontextmanager
async def _heartbeat() -> AsyncIterator[None]:
    """Tell the server that the worker is alive, so that a killed one is noticed before the attempt's limit."""
    every = activity.info().heartbeat_timeout
    if not every:
        yield
        return

    async def beat() -> None:
        while True:
            activity.heartbeat()
            await asyncio.sleep(every.total_seconds() / 3)

    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        beating.cancel()
        with suppress(asyncio.CancelledError):
            await beating


def _timing(began: float) -> list[int]:
    """Attempt, then microseconds spent on earlier attempts, waiting for this one, and in it.

    Differences only: a worker's clock may be wrong, and cases under test have a clock of their own.
    """
    info = activity.info()
    retried = info.current_attempt_scheduled_time - info.scheduled_time if info.attempt > 1 else None
    waited = info.started_time - (info.current_attempt_scheduled_time if retried else info.scheduled_time)
    if info.is_local:  # reports one scheduling time only, and that as the first attempt's
        retried, waited = (waited if info.attempt > 1 else None), (waited * 0 if info.attempt > 1 else waited)
    worked = int((time.monotonic() - began) * 1e6)
    return [info.attempt, *(max(0, int(d.total_seconds() * 1e6)) if d else 0 for d in (retried, waited)), worked]


def _answer(step: Step[Any, Any], out: Any, began: float) -> RawValue:
    """Check the result here, in the worker, where a misfit fails the step and not the case's workflow task."""
    gives = Offered if step.kind == "hybrid" else step.gives
    if not isinstance(out, gives):
        raise ApplicationError(
            f"{step.activity} must give {gives.__name__}, not {type(out).__name__}",
            type="bad_result",
            non_retryable=True,
        )
    try:
        # A model writes NaN as null, which an optional field would take for "nothing".
        if not _is_finite(out.model_dump(warnings=False)):
            raise ValueError("it holds NaN or an infinity")
        data = to_json(out)
        strict_json.parse(gives, data, limit=strict_json.VALUE_LIMIT)
    except (BadInput, ValidationError, ValueError) as error:
        raise ApplicationError(
            f"{step.activity} gave a result that is not fit: {error}", type="bad_result", non_retryable=True
        ) from None
    timing = to_json(_timing(began))
    return RawValue(Payload(metadata={"encoding": b"json/plain", TIMING: timing}, data=data))


def _require_approval(step: Step[Any, Any], what: BaseModel, asked: Asked) -> None:
    if step.approved_by is not None and not is_approved(step, what, asked):
        decided = step.approved_by.name
        why = f"{step.activity} was given something else than {decided!r} has decided, or nothing was decided"
        raise ApplicationError(why, type=STALE, non_retryable=True)


def _is_finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    return not isinstance(value, list | tuple | set | frozenset) or all(map(_is_finite, value))


def _business(step: Step[Any, Any], error: BusinessException, began: float) -> ApplicationError:
    if type(error) not in step.raises:
        why = f"{step.activity} raised {type(error).__name__}, which it does not declare in raises=(...)"
        return _technical(ApplicationError(why, non_retryable=True), "undeclared_exception", began)
    evidence = None if error.evidence is None else error.evidence.model_dump_json()
    if evidence and len(evidence.encode()) > strict_json.BODY_LIMIT:
        why = f"{step.activity} raised {error.code} with over {strict_json.BODY_LIMIT} bytes of evidence"
        return _technical(ApplicationError(why, non_retryable=True), "too_large", began)
    said = Failure(business=True, evidence=evidence, timing=_timing(began))
    return ApplicationError(
        error.message[:_MESSAGE_LIMIT],
        said.model_dump(mode="json"),
        type=error.code,
        non_retryable=True,
        category=ApplicationErrorCategory.BENIGN,
    )


def _technical(error: Exception, code: str, began: float) -> ApplicationError:
    known = error if isinstance(error, ApplicationError) else None
    said = Failure(timing=_timing(began))
    return ApplicationError(
        (known.message if known else str(error))[:_MESSAGE_LIMIT],
        said.model_dump(mode="json"),
        type=code,
        non_retryable=bool(known and known.non_retryable),
        next_retry_delay=known.next_retry_delay if known else None,
    )
