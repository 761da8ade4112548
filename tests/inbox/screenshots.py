"""Make the pictures of docs/inbox.md: a shop of cases on a real engine, looked at with a real browser."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from playwright.async_api import Browser, Page, async_playwright
from temporalio.client import Client

from tests.inbox.conftest import site_of
from tests.inbox.shop import CONTRACTS, Shop, open_shop
from workunits.core.lifecycle import Task
from workunits.plugin import work_units
from workunits.testing import Lab, Skipper

FOLDER = Path(__file__).parents[2] / "docs" / "images"
CHROMIUM = "/usr/bin/chromium"
LARGEST = 200_000
"""Bytes of a picture."""
WIDE: dict[str, Any] = {"viewport": {"width": 1180, "height": 900}}
PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 780}}


async def furnish(lab: Lab, shop: Shop) -> tuple[Task, Task]:
    """Fill the shop; gives a task to decide, and the task of a case that has closed."""
    await shop.call("C-77")
    hurry = [await shop.refund(request=f"RR-10{number}") for number in (17, 23, 31)]
    await skip(lab, shop, hurry[0], timedelta(days=2, hours=8))
    done = await shop.refund(request="RR-1008")
    await skip(lab, shop, done, timedelta(hours=2))
    # A time to come counts as the case's own now.
    later = datetime.now(UTC) + timedelta(days=2)
    work: dict[str, Any] = {"actor": "sven", "roles": ["refund approver"], "sent_at": later}
    await shop.cases.act(done.id, "claim", **work)
    await skip(lab, shop, done, timedelta(minutes=40))
    await shop.cases.act(done.id, "start", **work)
    await skip(lab, shop, done, timedelta(minutes=35))
    await shop.cases.act(done.id, "complete", **work, body={"verdict": "pay"})
    await shop.cases.act(hurry[1].id, "claim", **work)
    task = await shop.application(2041, "Maria Garcia")
    await shop.application(2044, "Jonas Lindqvist")
    await asyncio.sleep(2)  # until the call is overdue
    return task, done


async def skip(lab: Lab, shop: Shop, task: Task, by: timedelta) -> None:
    """Let time pass for one case."""
    handle = shop.client.get_workflow_handle(task.id.rpartition("/")[0])
    now = await lab._env.get_current_time(handle)
    await Skipper(lab._env).to(handle, now + by)


async def visit(browser: Browser, url: str, **options: Any) -> Page:
    """A window of an approver."""
    page = await (await browser.new_context(base_url=url, **options)).new_page()
    await page.goto("/login?next=/keys")
    await page.select_option("#name", "marta")
    await page.get_by_role("button", name="Log in").click()
    await page.wait_for_url("**/keys")
    return page


async def take(page: Page, name: str, path: str, *, whole: bool = False) -> None:
    """Take one picture.

    Raises:
        SystemExit: it is too large.
    """
    await page.goto(path)
    file = FOLDER / f"inbox-{name}.png"
    await page.screenshot(path=file, full_page=whole)
    if file.stat().st_size >= LARGEST:
        raise SystemExit(f"{file.name} has {file.stat().st_size} bytes; at most {LARGEST} are wanted")


async def main() -> None:
    """Take them all."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    async with Lab(contracts=CONTRACTS) as lab, async_playwright() as playwright:
        client = await Client.connect(lab.client.service_client.config.target_host, plugins=[work_units(*CONTRACTS)])
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        with tempfile.TemporaryDirectory() as folder:
            async with (
                open_shop(client, Path(folder), temporal_ui="http://127.0.0.1:8233") as shop,
                site_of(shop.doors) as site,
            ):
                task, done = await furnish(lab, shop)
                wide = await visit(browser, site.url, **WIDE)
                await take(wide, "list", "/tasks?scope=groups")
                await take(wide, "task", f"/task/{quote(task.id)}")
                await take(wide, "case", f"/case/{quote(done.id.rpartition('/')[0])}")
                await take(wide, "catalog", "/catalog/refund_request")
                await take(await visit(browser, site.url, **PHONE), "phone", f"/task/{quote(task.id)}")
                dark = await visit(browser, site.url, **WIDE, color_scheme="dark")
                await take(dark, "dark", "/tasks?scope=groups")
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
