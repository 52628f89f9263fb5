"""How long pages take in a real Chromium, against the bare page in the same browser: the
first load of each page of a manager, and a change of a filter, asked before and not.
Prints; fails nothing.

With QA_HOME set to a demo centre, that one is served; else one is made in a temporary
folder.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

import chromium
from bench_people import serve_bare
from builders.servers import FLAGS, serve
from playwright.sync_api import Browser, Page, sync_playwright

from qa_core.access.roles import Role, Viewer
from qa_core.cli import demo
from qa_core.storage import lake
from qa_core.storage.records import store
from qa_core.ui.frame import menu

TURNS = 3
QUIET = 300
"""Milliseconds without a running script after which a page counts as whole."""
WAIT = """quiet => new Promise(done => {
    const began = performance.now();
    let last = began;
    const look = () => {
        const app = document.querySelector('[data-testid=stApp]');
        const state = app && app.getAttribute('data-test-script-state');
        const now = performance.now();
        const waits = document.querySelector('[data-testid=stSkeleton]');
        if (state !== 'notRunning' || waits) last = now;
        if (now - last > quiet) done(last - began); else setTimeout(look, 10);
    };
    look();
})"""


def open_page(browser: Browser, address: str, cookies: Sequence[dict] = ()) -> tuple[Page, float]:
    """Open an address in a browser without a cache; returns the page and its seconds."""
    context = browser.new_context(locale="en-GB", viewport={"width": 1440, "height": 900})
    context.set_default_timeout(120_000)
    context.add_cookies(list(cookies))
    page, began = context.new_page(), time.perf_counter()
    page.goto(address)
    page.wait_for_selector("h1")
    page.evaluate(WAIT, QUIET)
    return page, time.perf_counter() - began - QUIET / 1000


def change(page: Page, act: Callable[[], None]) -> float:
    """Return the seconds from an act until the page is whole again."""
    began = time.perf_counter()
    act()
    page.evaluate(WAIT, QUIET)
    return time.perf_counter() - began - QUIET / 1000


def measure_bare(browser: Browser, host: str) -> tuple[float, float]:
    loads = []
    for _turn in range(TURNS):
        page, seconds = open_page(browser, f"http://{host}/")
        loads.append(seconds)
        last = page
        if _turn < TURNS - 1:
            page.context.close()
    changes = [
        change(last, last.get_by_role("radio", name=f"queue {number}", exact=True).click)
        for number in range(1, 7)
    ]
    last.context.close()
    return statistics.median(loads), statistics.median(changes)


def sign_in(browser: Browser, url: str) -> list[dict]:
    """Sign in as the demo's manager and return the cookies."""
    manager = next(entry for entry in demo.sign_ins() if entry["role"] == "manager")
    context = browser.new_context(base_url=url, locale="en-GB")
    page = context.new_page()
    page.goto("/")
    page.get_by_label("Username", exact=True).fill(manager["username"])
    page.get_by_label("Password", exact=True).fill(manager["password"])
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Sign out").wait_for(timeout=120_000)
    page.evaluate(WAIT, QUIET)
    cookies = context.cookies()
    context.close()
    return cookies


def choose_queue(page: Page, position: int) -> Callable[[], None]:
    """Return the click that adds or takes away a queue in the open list."""
    return page.get_by_test_id("stPopoverBody").get_by_role("button").nth(position).click


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(os.environ.setdefault("QA_HOME", temporary))
        store.migrate()
        if lake.span() is None:
            demo.build(Viewer.SYSTEM)
        viewer = Viewer("manager", Role.MANAGER)
        pages = [
            page
            for entries in menu.find_sections(viewer).values()
            for page in entries
            if page.is_listed_for(viewer)
        ]
        with sync_playwright() as playwright, serve_bare() as (host, _process):
            browser = playwright.chromium.launch(executable_path=chromium.find(), args=list(FLAGS))
            bare_load, bare_change = measure_bare(browser, host)
            print(f"bare page: first load {bare_load:.2f} s, a change {bare_change:.2f} s")
            with serve(folder) as server:
                cookies = sign_in(browser, server.url)
                for entry in pages:
                    seconds = []
                    for _turn in range(TURNS):
                        page, took = open_page(browser, f"{server.url}/{entry.key}", cookies)
                        seconds.append(took)
                        page.context.close()
                    again = statistics.median(seconds[1:])
                    print(
                        f"{entry.key}: first load {seconds[0]:.2f} s, again {again:.2f} s "
                        f"({again / bare_load:.2f} × the bare page)",
                        flush=True,
                    )
                for key in ("overview", "first_contact", "traffic", "satisfaction"):
                    page, _took = open_page(browser, f"{server.url}/{key}", cookies)
                    page.get_by_role("button", name="Queue", exact=True).click()
                    page.evaluate(WAIT, QUIET)
                    new, known = [], []
                    for number in range(3):
                        new.append(change(page, choose_queue(page, number)))
                        known.append(change(page, choose_queue(page, number)))
                    page.context.close()
                    fresh, kept = statistics.median(new), statistics.median(known)
                    print(
                        f"{key}: a filter {fresh:.2f} s ({fresh / bare_change:.2f} ×), one that "
                        f"was chosen before {kept:.2f} s ({kept / bare_change:.2f} ×), load "
                        f"{os.getloadavg()[0]:.1f}",
                        flush=True,
                    )
            browser.close()


if __name__ == "__main__":
    main()
