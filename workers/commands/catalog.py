"""The pages of the catalog: value streams and the boundary map, and what each role answers for."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.console import Json, emit, fail, setup

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inbox.role_view import Point, Role, Stand
    from workers.console import Setup


def catalog(
    ctx: typer.Context,
    *,
    html: Annotated[Path | None, typer.Option(help="Write one self-contained page.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write one Markdown page, with Mermaid.")] = None,
    json: Json = False,
) -> None:
    """Show all units along their value streams, and who or what does, decides and answers for each step."""
    from inbox.catalog_map import entries
    from workers.pages.catalog import markdown as as_markdown
    from workers.pages.catalog import page

    found = entries(setup(ctx).catalog)
    written = []
    if html:
        from workers.pages.catalog_html import html as as_html

        html.write_text(as_html(found), encoding="utf-8")
        written.append(html)
    if markdown:
        markdown.write_text(as_markdown(found), encoding="utf-8")
        written.append(markdown)
    if json:
        emit({"units": found, "written": [str(path) for path in written]})
    elif written:
        typer.echo("\n".join(f"Written: {path}" for path in written))
    else:
        typer.echo(page(found))


def role(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="ROLE", help="A role; all of them when left out.")] = "",
    *,
    json: Json = False,
) -> None:
    """Show what a role answers for: outcomes, units and decision points, and how they stand."""
    from inbox.role_view import roles
    from workers.pages.role import listing, page
    from workers.pages.tables import table

    there = setup(ctx)
    found = roles(there.catalog)
    if not name:
        if json:
            emit({"roles": [_as_json(one, None) for one in found.values()]})
            return
        headers = ("ROLE", ">OUTCOMES", ">UNITS OWNED", ">DECISIONS ANSWERED FOR", ">DECISIONS TAKEN")
        table(headers, listing(found.values()))
        return
    if name not in found:
        near = difflib.get_close_matches(name, found, n=3, cutoff=0.5)
        there_are = f"did you mean {' or '.join(near)}?" if near else "list them: workunits role"
        fail(f"no unit names such a role; {there_are}", code="unknown_role", field="ROLE")
    stands, why_not = _stands(there, found[name])
    if json:
        emit(_as_json(found[name], stands) | {"ledger": why_not or None})
    else:
        typer.echo(page(found[name], stands, why_not))


def _stands(there: Setup, one: Role) -> tuple[Mapping[str, Stand] | None, str]:
    """How the units of a role stand, or why that is not known; a ledger that does not answer hides no role."""
    from datetime import UTC, datetime

    from inbox.role_view import stands
    from observability.ledger.store import Ledger
    from workunits.core.errors import WorkUnitsError

    if not there.settings.has_ledger:
        return None, "not known, there is no ledger: workunits ledger migrate, then workunits follow"
    try:
        ledger = Ledger(there.settings.ledger_url)
        ledger.check()
        return stands(ledger, there.catalog, one, datetime.now(UTC)), ""
    except WorkUnitsError as error:
        return None, f"not known: {error}"


def _as_json(one: Role, stands: Mapping[str, Stand] | None) -> dict[str, Any]:
    def points(found: Sequence[Point]) -> list[dict[str, Any]]:
        return [{"unit": point.entry.unit, "step": point.step.name, "decides": point.step.decides} for point in found]

    said = {
        "role": one.name,
        "outcomes": [entry.unit for entry in one.outcomes],
        "owns": [entry.unit for entry in one.owned],
        "answers_for": points(one.answers),
        "decides": points(one.decides),
    }
    return said | ({"standing": stands} if stands is not None else {})
