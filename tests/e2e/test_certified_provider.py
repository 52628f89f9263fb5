"""Sign-in, sign-out and logout with a certified identity provider: `oidc-provider` of npm."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import raw
import requests
from builders import identity_provider
from builders.servers import Server, living_in, serve
from builders.visitors import PASSWORD

from qa_core.access import accounts
from qa_core.access.roles import Viewer
from qa_core.storage.records import store
from qa_core.ui.server import browser

PACKAGE = "oidc-provider@9.13.3"
SCRIPT = Path(__file__).with_name("identity_provider.mjs")


@pytest.fixture
def package(pytestconfig: pytest.Config) -> Path:
    """The folder with the provider's package, installed once."""
    folder = pytestconfig.cache.mkdir("oidc-provider")
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("node and npm are not installed")
    command = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode:
        pytest.skip(f"npm could not install {PACKAGE}: {done.stderr[-200:]}")
    shutil.copy(SCRIPT, folder)
    return folder


@contextmanager
def run(package: Path, port: int, app: str) -> Iterator[None]:
    command = ["node", str(package / SCRIPT.name), str(port), app]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            yield
        finally:
            process.terminate()


class Person:
    """A browser with the cookies of the app and of the provider, which share a host name."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.here, self.there = requests.Session(), requests.Session()
        self.here.cookies.set("_streamlit_xsrf", raw.generate_xsrf_token_string())

    def sign_in(self) -> None:
        url = f"{self.server.url}/sign-in/corporate"
        address = self.here.get(url, allow_redirects=False).headers["Location"]
        for answers in (
            {"prompt": "login", "login": "dora", "password": "x"},
            {"prompt": "consent"},
        ):
            page = self.there.get(address)
            [action] = re.findall(r'<form[^>]* action="([^"]+)"', page.text)
            address = self.there.post(action, data=answers, allow_redirects=False).headers[
                "Location"
            ]
        while not address.startswith(self.server.url):
            address = self.there.get(address, allow_redirects=False).headers["Location"]
        assert self.here.get(address, allow_redirects=False).status_code == 303

    @property
    def cookies(self) -> dict[str, str]:
        return {name: self.here.cookies[name] for name in ("_streamlit_xsrf", browser.COOKIE)}

    def is_in(self) -> bool:
        seen = raw.visit(self.server.host, "journal", cookies=self.cookies)
        return seen.titles == ["Audit log"]

    def sign_out_here(self) -> str:
        """Press the button; the address that it leads to."""
        with raw.visitor(self.server.host, self.cookies) as person:
            person.send("journal")
            person.send("journal", press=person.read().ids["Sign out"])
            return person.read().leads_to

    def sign_out_there(self, address: str) -> requests.Response:
        """Say yes to the provider's question."""
        page = self.there.get(address)
        [action] = re.findall(r'<form[^>]* action="([^"]+)"', page.text)
        [secret] = re.findall(r'name="xsrf" value="([^"]+)"', page.text)
        answers = {"xsrf": secret, "logout": "yes"}
        return self.there.post(action, data=answers, allow_redirects=False)


@pytest.mark.long
def test_a_certified_provider_signs_in_and_out_and_its_word_ends_sessions(
    package: Path, tmp_path: Path
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    issuer = f"http://localhost:{port}"
    with living_in(tmp_path):
        store.migrate()
        accounts.add(Viewer.SYSTEM, "root", "admin", password=PASSWORD)
        identity_provider.configure(corporate=issuer)
        with serve(tmp_path) as server, run(package, port, server.url):
            one, two = Person(server), Person(server)
            one.sign_in()
            two.sign_in()
            assert one.is_in() and two.is_in()

            two.sign_out_there(f"{issuer}/session/end")
            assert one.is_in() and not two.is_in()

            address = one.sign_out_here()
            assert not one.is_in()
            answer = one.sign_out_there(address)
            assert answer.headers["Location"] == f"{server.url}/"
