"""How much memory the real server takes with five people of five roles in five
browsers, each opening every page of theirs. Prints; fails nothing.

With QA_HOME set to a demo centre, that one is served; else one is made in a temporary
folder first.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

import chromium
from builders.servers import FLAGS, serve
from playwright.sync_api import Page, sync_playwright

from qa_core.access.roles import Viewer
from qa_core.cli import demo
from qa_core.storage import lake
from qa_core.storage.records import store

AIM_MEGABYTES = 500
ROLES = ("manager", "lead", "executive", "evaluator", "admin")
ROUNDS = 3


def server_process(folder: Path) -> int:
    """The process that serves this folder."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            arguments, environment = (
                (entry / "cmdline").read_bytes(),
                (entry / "environ").read_bytes(),
            )
        except OSError:
            continue
        if b"streamlit" in arguments and f"QA_HOME={folder}".encode() in environment.split(b"\0"):
            return int(entry.name)
    raise SystemExit("the server's process was not found")


def megabytes(process: int, name: str) -> float:
    line = next(
        line
        for line in Path(f"/proc/{process}/status").read_text().splitlines()
        if line.startswith(name)
    )
    return int(line.split()[1]) * 1024 / 1e6


def settle(page: Page) -> None:
    """Wait until the page's script has run."""
    page.wait_for_timeout(150)
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for(
        timeout=60_000
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(os.environ.setdefault("QA_HOME", temporary))
        store.migrate()
        if lake.span() is None:
            demo.build(Viewer.SYSTEM)
        known = {entry["username"]: entry["password"] for entry in demo.sign_ins()}
        with serve(folder) as server, sync_playwright() as playwright:
            process = server_process(folder)
            print(f"idle: {megabytes(process, 'VmRSS'):.0f} MB")
            running = playwright.chromium.launch(executable_path=chromium.find(), args=list(FLAGS))
            pages = {}
            for role in ROLES:
                page = pages[role] = running.new_context(
                    base_url=server.url, locale="en-GB", viewport={"width": 1440, "height": 900}
                ).new_page()
                page.goto("/")
                page.get_by_label("Username", exact=True).fill(role)
                page.get_by_label("Password", exact=True).fill(known[role])
                page.get_by_role("button", name="Sign in").click()
                page.get_by_role("button", name="Sign out").wait_for(timeout=60_000)
                settle(page)
            print(f"five signed in: {megabytes(process, 'VmRSS'):.0f} MB")
            for turn in range(ROUNDS):
                began, opened = time.perf_counter(), 0
                links = {
                    role: page.locator('[data-testid="stSidebarNavLink"]').count()
                    for role, page in pages.items()
                }
                for position in range(max(links.values())):
                    for role, page in pages.items():
                        if position < links[role]:
                            page.locator('[data-testid="stSidebarNavLink"]').nth(position).click()
                            opened += 1
                    for page in pages.values():
                        settle(page)
                print(
                    f"round {turn + 1}: {opened} pages in {time.perf_counter() - began:.0f} s, "
                    f"now {megabytes(process, 'VmRSS'):.0f} MB, "
                    f"at most {megabytes(process, 'VmHWM'):.0f} MB (aim: under {AIM_MEGABYTES})",
                    flush=True,
                )
            running.close()


if __name__ == "__main__":
    main()
