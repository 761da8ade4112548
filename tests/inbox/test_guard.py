"""What no request gets past."""

from __future__ import annotations


async def test_a_login(enter):
    """Log in."""
    ann = await enter("ann")
    page = await ann.get("/login")
    assert page.status_code == 200, page.text
    assert page.headers["content-security-policy"]


async def test_a_site(site):
    """A real server answers."""
    import httpx2

    async with httpx2.AsyncClient(base_url=site.url) as client:
        assert (await client.get("/health")).text == "ok"
