"""How many people get in at their first try, and after how long, who sign in within the
same second on a server that has just started. Prints; fails nothing.

`bench_sign_in.py 20 5`: twenty people, five times; without numbers 4, 6 and 20 people,
once. With QA_HOME set to a demo centre, that one is served; else one is made in a
temporary folder first. Everybody has a browser of their own on this same machine: their
work is part of what is measured.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from itertools import cycle, islice
from math import inf, isfinite
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

import chromium
from builders.servers import FLAGS, serve
from playwright.async_api import Browser, Error, Page, async_playwright

from qa_core.access.roles import Viewer
from qa_core.cli import demo
from qa_core.storage import lake
from qa_core.storage.records import store

AIM_SECONDS = 10
PATIENCE = 90_000
"""Milliseconds after which somebody who is not in counts as left outside."""


async def fill_in(browser: Browser, url: str, username: str, password: str) -> Page:
    """The sign-in form in a browser of its own, filled in as soon as it is there."""
    page = await (
        await browser.new_context(
            base_url=url, locale="en-GB", viewport={"width": 1440, "height": 900}
        )
    ).new_page()
    page.set_default_timeout(PATIENCE)
    await page.goto("/")
    await page.get_by_label("Username", exact=True).fill(username)
    await page.get_by_label("Password", exact=True).fill(password)
    return page


async def send(page: Page) -> float:
    """Send the form; the seconds until the person is in, infinite where they stay
    outside.
    """
    began = time.perf_counter()
    await page.get_by_role("button", name="Sign in").click()
    try:
        await page.get_by_role("button", name="Sign out").wait_for()
    except Error:
        return inf
    return time.perf_counter() - began


async def stay(page: Page, delay: float) -> tuple[float, float]:
    """Send the form after that many seconds; the seconds until the person is in, and
    until their first page is complete.
    """
    await asyncio.sleep(delay)
    began = time.perf_counter()
    inside = await send(page)
    await page.wait_for_timeout(150)
    await page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()
    return inside, time.perf_counter() - began


async def come_back(page: Page, address: str | None) -> tuple[bool, bool]:
    """Send the form, and at once reload or go to that address: whether the person was
    in, and still is.
    """
    if not isfinite(await send(page)):
        return False, False
    await (page.goto(address) if address else page.reload())
    try:
        await (
            page.get_by_role("button", name="Sign out")
            .or_(page.get_by_label("Password", exact=True))
            .first.wait_for()
        )
    except Error:
        return True, False
    return True, await page.get_by_role("button", name="Sign out").count() > 0


async def measure_waits(browser: Browser, url: str, people: list[tuple[str, str]]) -> str:
    """Everybody has the form filled in; then all send it within one second."""
    began = time.perf_counter()
    pages = await asyncio.gather(*(fill_in(browser, url, *who) for who in people))
    filled = time.perf_counter() - began
    seen = await asyncio.gather(
        *(stay(page, number / len(pages)) for number, page in enumerate(pages))
    )
    inside = sorted(took for took, _complete in seen if isfinite(took))
    times = (
        f" (first {inside[0]:.1f} s, median {inside[len(inside) // 2]:.1f} s, last "
        f"{inside[-1]:.1f} s; aim: {AIM_SECONDS})"
        if inside
        else ""
    )
    return (
        f"{filled:.1f} s until all had the form; in at the first try: {len(inside)}{times}; "
        f"all pages complete after {max(done for _, done in seen):.1f} s"
    )


async def measure_returns(browser: Browser, url: str, people: list[tuple[str, str]]) -> str:
    """Everybody sends the form as soon as it is there, and reloads or follows a link as
    soon as they are in.
    """

    async def visit(number: int, who: tuple[str, str]) -> tuple[bool, bool]:
        return await come_back(
            await fill_in(browser, url, *who), "/my_account" if number % 2 else None
        )

    seen = await asyncio.gather(*(visit(number, who) for number, who in enumerate(people)))
    reloaded, linked = seen[::2], seen[1::2]
    return (
        f"in a hurry, in at the first try: {sum(inside for inside, _kept in seen)}; still in "
        f"after a reload: {sum(kept for _, kept in reloaded)} "
        f"of {len(reloaded)}; after a deep link: {sum(kept for _, kept in linked)} of {len(linked)}"
    )


async def measure(
    url: str, count: int, way: Callable[[Browser, str, list[tuple[str, str]]], Awaitable[str]]
) -> str:
    people = list(
        islice(cycle((entry["username"], entry["password"]) for entry in demo.sign_ins()), count)
    )
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium.find(), args=list(FLAGS)
        )
        said = await way(browser, url, people)
        await browser.close()
    return f"{count} people, {said}"


def main() -> None:
    counts, trials = (
        [int(sys.argv[1])] if len(sys.argv) > 1 else [4, 6, 20],
        int(sys.argv[2]) if len(sys.argv) > 2 else 1,
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(os.environ.setdefault("QA_HOME", temporary))
        store.migrate()
        if lake.span() is None:
            demo.build(Viewer.SYSTEM)
        for count in counts:
            for _trial in range(trials):
                for way in (measure_waits, measure_returns):
                    with serve(folder) as server:
                        print(asyncio.run(measure(server.url, count, way)), flush=True)


if __name__ == "__main__":
    main()
