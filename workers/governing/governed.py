"""Which definitions may run on an engine: outside of the embedded one, published ones. See docs/governance.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client

from workers.engine.embedded import MARK
from workers.settings import Settings
from workunits.cases import view_of
from workunits.core.errors import Refused
from workunits.core.unit import WorkUnit
from workunits.governance import STARTED, GovernanceError
from workunits.judged import Judged, judge, judge_all
from workunits.registry import Catalog


async def is_embedded(client: Client) -> bool:
    """Whether the engine is an embedded one, as its namespace says.

    Raises:
        RPCError: it does not say.
    """
    request = DescribeNamespaceRequest(namespace=client.namespace)
    said = await client.workflow_service.describe_namespace(request, retry=True)
    return MARK.items() <= dict(said.namespace_info.data).items()


async def is_governed(client: Client, settings: Settings) -> bool:
    """Whether only published definitions may run.

    Raises:
        RPCError: the engine does not say whether it is an embedded one.
    """
    return settings.unpublished != "anywhere" and not await is_embedded(client)


async def open_cases_of(client: Client, unit: str, version: str = "") -> int:
    """How many cases of a unit are open, as the engine lists them.

    Args:
        client: Connected.
        unit: Its name.
        version: Only those of this version, and those that have not said theirs yet; all when empty.

    Raises:
        RPCError.
    """
    mine = f"WorkflowType = '{unit}' AND ExecutionStatus = 'Running'"
    counted = (await client.count_workflows(mine)).count
    if not version or not counted:
        return counted
    listed = [(await view_of(client, one)).record async for one in client.list_workflows(mine)]
    return sum(record is None or record.version == version for record in listed)


@dataclass(frozen=True, slots=True)
class Admitted:
    """What a worker loads, and what it leaves out."""

    catalog: Catalog
    left_out: tuple[Judged, ...] = ()
    notes: tuple[str, ...] = ()
    """What is loaded, and yet is to be known."""


async def admit(client: Client, settings: Settings, catalog: Catalog) -> Admitted:
    """Choose the units that a worker may serve.

    Raises:
        GovernanceError: none is left; says why and what to do.
        RPCError.
    """
    if not await is_governed(client, settings):
        return Admitted(catalog)
    left_out, notes, served = [], [], []
    for found in judge_all(catalog):
        if found.stage in STARTED:
            served.append(found.unit)
            notes += [f"{found.unit} version {found.version} {found.why}"] if found.why else []
        elif found.stage == "retired" and (left := await open_cases_of(client, found.unit)):
            served.append(found.unit)
            notes.append(f"{found.unit} version {found.version} is retired; it is served while {left} case(s) are open")
        else:
            left_out.append(found)
    if not served and left_out:
        first = left_out[0]
        more = f" (and {len(left_out) - 1} more unit(s) in such a way)" if len(left_out) > 1 else ""
        elsewhere = "on an engine for development: WORKUNITS_UNPUBLISHED=anywhere"
        raise GovernanceError(f"nothing to serve: {first}{more}; {elsewhere}")
    return Admitted(catalog.only(served), tuple(left_out), tuple(notes))


@dataclass
class Gate:
    """Refuses new cases of units that are not published; what it found once holds for the process."""

    client: Client
    settings: Settings
    catalog: Catalog
    warn: Callable[[str], None]
    """Told of a deprecated unit, once."""
    _governed: bool | None = None
    _known: dict[str, Judged] = field(default_factory=dict)

    async def __call__(self, unit: type[WorkUnit]) -> None:
        """Refuse a unit whose cases may not be started here.

        Raises:
            Refused: `not_published`, `retired`: says why and what to do.
            RPCError.
        """
        if self._governed is None:
            self._governed = await is_governed(self.client, self.settings)
        if not self._governed or unit.unit_name in self._known:
            self._refuse(self._known.get(unit.unit_name))
            return
        found = judge(unit, self.catalog.package_of(unit.unit_name))
        self._known[unit.unit_name] = found
        self._refuse(found)
        if found.stage == "deprecated":
            self.warn(str(found))

    @staticmethod
    def _refuse(found: Judged | None) -> None:
        if found and found.stage not in STARTED:
            code = "retired" if found.stage == "retired" else "not_published"
            raise Refused(code, f"no case can be started: {found}")
