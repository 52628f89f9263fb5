"""The real server on a free port, and a real Chromium in front of it. Without a browser
these tests say so and are skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import chromium
import pytest
from builders.forked_python import forked_python
from builders.servers import FLAGS, Server, find_patience, living_in, serve
from builders.visitors import PASSWORD
from streamlit.web.server.starlette.starlette_app_utils import generate_xsrf_token_string
from streamlit.web.server.starlette.starlette_server_config import XSRF_COOKIE_NAME

from qa_core.access import accounts, sessions
from qa_core.access.roles import Viewer
from qa_core.storage.records import store
from qa_core.ui.server import browser as web_browser

USUAL = {
    "locale": "en-GB",
    "viewport": {"width": 1440, "height": 900},
    "reduced_motion": "reduce",  # animations are drawn sixty times a second
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server over a centre without data, for one file of tests. This process works on
    the same centre.
    """
    folder = tmp_path_factory.mktemp("centre")
    with living_in(folder):
        store.migrate()
        accounts.add(Viewer.SYSTEM, "root", "admin", password=PASSWORD)
        with serve(folder, python=forked_python()) as running:
            yield running


@pytest.fixture(scope="module")
def browser():
    """A Chromium: `QA_CHROMIUM`, the system's, or Playwright's own.

    For one file only: while it runs its event loop counts as running in this thread,
    and tests of other files that start one would be refused.
    """
    sync_api = pytest.importorskip(
        "playwright.sync_api",
        reason="playwright is not installed: pip install -r requirements-dev.txt",
    )
    found = chromium.find()
    if found is None:
        pytest.skip(
            "no Chromium was found (QA_CHROMIUM, chromium, google-chrome, playwright's own): "
            "python tests/e2e/chromium.py installs one"
        )
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        yield running
        running.close()


@pytest.fixture(scope="module")
def idle_contexts(server: Server) -> list:
    """Browsers that earlier tests of this server have left empty: one that has read the scripts
    of the app once opens a page in half the time.
    """
    return []


@pytest.fixture
def new_page(browser, server: Server, idle_contexts: list) -> Iterator[Callable[..., object]]:
    """Open a page in a browser of its own, with no cookie: `new_page(locale="fr-FR")`."""
    usual, others = [], []

    def open_page(**options):
        if options:
            others.append(browser.new_context(**USUAL | {"base_url": server.url} | options))
        elif idle_contexts:
            usual.append(idle_contexts.pop())
        else:
            usual.append(browser.new_context(**USUAL, base_url=server.url))
        opened = (others if options else usual)[-1]
        opened.set_default_timeout(find_patience())
        return opened.new_page()

    yield open_page
    for context in others:
        context.close()
    for context in usual:
        _empty(context, server.url)
        idle_contexts.append(context)


def _empty(context, origin: str) -> None:
    """Close all pages of a browser, and take away what they have left in it."""
    for page in context.pages:
        page.close()
    page = context.new_page()
    storages = {"origin": origin, "storageTypes": "cookies,local_storage,indexeddb"}
    context.new_cdp_session(page).send("Storage.clearDataForOrigin", storages)
    page.close()
    context.clear_cookies()


@pytest.fixture
def sign_in_as() -> Callable[..., None]:
    """Fill in the sign-in form that the page shows, and wait until the person is in."""

    def fill(page, username: str, password: str = PASSWORD, wait: bool = True) -> None:
        page.get_by_label("Username", exact=True).wait_for()
        # A form sent into a page that is still being drawn may be forgotten.
        page.locator("[data-test-script-state='notRunning']").wait_for(state="attached")
        page.get_by_label("Username", exact=True).fill(username)
        page.get_by_label("Password", exact=True).fill(password)
        page.get_by_role("button", name="Sign in").click()
        if wait:
            page.get_by_role("button", name="Sign out").wait_for()
            # The bare address leads on to the first page; a click in between may be
            # forgotten.
            page.wait_for_timeout(300)
            page.locator("[data-test-script-state='notRunning']").wait_for(state="attached")

    return fill


@pytest.fixture
def let_in(server: Server) -> Callable[..., None]:
    """Give a browser the cookie of a session before it opens its first page: for tests of
    what comes after the sign-in. `test_browser_sign_in.py` signs in by the form.
    """

    def give(page, username: str, password: str = PASSWORD) -> None:
        cookies = {XSRF_COOKIE_NAME: generate_xsrf_token_string()}
        headers = {"host": server.host, "user-agent": page.evaluate("navigator.userAgent")}
        here = web_browser.build(cookies, headers, "127.0.0.1")
        cookies[web_browser.COOKIE] = sessions.sign_in(username, password, here, one_time_days=7)
        page.context.add_cookies(
            [{"name": name, "value": value, "url": server.url} for name, value in cookies.items()]
        )

    return give
