from tests.inbox.test_browser import *
import pytest
@pytest.mark.parametrize("n", range(4))
async def test_dbg(shop, visit, n):
    task = await shop.refund()
    logs=[]
    listing = await visit("marta", f"/tasks?scope=groups&q={key_of(task)}")
    listing.on("console", lambda m: logs.append(m.text))
    await listing.evaluate("""() => { const t0=performance.now(); for (const n of ['tasks','health','htmx:before:request','htmx:after:swap','htmx:sse:error','htmx:sse:after:connection','htmx:sse:close','htmx:error','htmx:response:error','visibilitychange']) document.addEventListener(n, e => console.log(n+' '+Math.round(performance.now()-t0)+' '+(e.target.id||e.target.tagName)+' '+document.visibilityState)); }""")
    page = await visit("marta", href(task))
    sven = await visit("sven", href(task))
    await sven.get_by_role("button", name="Claim").click()
    await expect(sven.get_by_text("you have claimed it")).to_be_visible()
    try:
        await expect(listing.get_by_text("claimed by Sven Svensson")).to_be_visible(timeout=6000)
    except AssertionError:
        print("LOGS", logs, await listing.evaluate("[document.visibilityState, document.querySelector('#live').outerHTML, !!document.querySelector('#live')._htmx?.sse]"))
        raise AssertionError("no")
    print("OK", logs)
