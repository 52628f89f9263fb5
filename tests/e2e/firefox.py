"""A Firefox of its own, spoken to over WebDriver BiDi: what the tests of the sign-in need."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from builders.servers import MAX_MILLISECONDS
from websockets.sync.client import ClientConnection, connect

NAMES = ("firefox-esr", "firefox")
MAX_SECONDS = MAX_MILLISECONDS / 1000
LISTENING = re.compile(r"WebDriver BiDi listening on (ws://\S+)")


def find() -> str | None:
    """The path of a Firefox on the PATH."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@dataclass
class Firefox:
    """A running Firefox. `call` sends a command of the protocol and returns its result."""

    socket: ClientConnection
    number: int = 0

    def call(self, command: str, **parameters: Any) -> dict[str, Any]:
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": command, "params": parameters}))
        while True:
            answer = json.loads(self.socket.recv(timeout=MAX_SECONDS))
            if answer.get("id") == self.number:
                assert answer["type"] == "success", answer
                return answer["result"]

    def new_tab(self, user_context: str) -> Tab:
        made = self.call("browsingContext.create", type="tab", userContext=user_context)
        return Tab(self, made["context"])


@dataclass
class Tab:
    """A tab, whose elements are found by a selector and the text in them."""

    firefox: Firefox
    context: str

    def open(self, url: str) -> None:
        self.firefox.call(
            "browsingContext.navigate", context=self.context, url=url, wait="complete"
        )

    def reload(self) -> None:
        self.firefox.call("browsingContext.reload", context=self.context, wait="complete")

    def ask(self, expression: str) -> Any:
        """The value of an expression in the page: text, number, true, false or none."""
        answer = self.firefox.call(
            "script.evaluate",
            expression=expression,
            target={"context": self.context},
            awaitPromise=False,
        )
        return answer["result"].get("value") if answer["type"] == "success" else None

    def wait_for(self, expression: str) -> None:
        """Wait until that is true in the page, whichever page it is by then."""
        deadline = time.monotonic() + MAX_SECONDS
        while self.ask(f"Boolean({expression})") is not True:
            assert time.monotonic() < deadline, (expression, self.ask("document.body.innerText"))
            time.sleep(0.1)

    def press(self, selector: str) -> None:
        self.wait_for(f"document.querySelector({selector!r})")
        self.ask(f"document.querySelector({selector!r}).click()")

    def type(self, selector: str, text: str) -> None:
        """Type a text as a keyboard does."""
        self.wait_for(f"document.querySelector({selector!r})")
        self.ask(f"document.querySelector({selector!r}).focus()")
        keys = [{"type": kind, "value": sign} for sign in text for kind in ("keyDown", "keyUp")]
        actions = [{"type": "key", "id": "keyboard", "actions": keys}]
        self.firefox.call("input.performActions", context=self.context, actions=actions)


@contextmanager
def run(path: str) -> Iterator[Firefox]:
    """Run a Firefox without a window and with a new profile."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [
                path,
                "--headless",
                "--no-remote",
                "--profile",
                profile,
                "--remote-debugging-port",
                "0",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            found = next(filter(None, map(LISTENING.search, process.stderr)))
            with connect(f"{found[1]}/session", max_size=None, open_timeout=MAX_SECONDS) as socket:
                firefox = Firefox(socket)
                firefox.call("session.new", capabilities={})
                yield firefox
        finally:
            process.terminate()
            process.wait(timeout=60)
