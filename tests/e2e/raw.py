"""A visitor without a browser: speaks Streamlit's own protocol, with whatever cookies
and session id it was given.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.web.server.starlette.starlette_app_utils import generate_xsrf_token_string
from websockets.exceptions import InvalidMessage
from websockets.sync.client import ClientConnection, connect


@dataclass
class Seen:
    """What the server sent for one run of the script."""

    session_id: str = ""
    text: str = ""
    labels: list[str] = field(default_factory=list)
    ids: dict[str, str] = field(default_factory=dict)
    """Of fields and buttons, by their labels."""
    values: dict[str, str] = field(default_factory=dict)
    """Of fields, by their labels."""
    titles: list[str] = field(default_factory=list)
    is_hidden_menu: bool = False
    leads_to: str = ""
    """Address that the browser is sent to."""

    @property
    def met_the_sign_in(self) -> bool:
        return "Password" in self.labels


@dataclass
class Visitor:
    """Somebody who is connected, and what they typed so far, by the id of its field."""

    socket: ClientConnection
    typed: dict[str, str] = field(default_factory=dict)

    def send(self, page: str = "", query: str = "", press: str = "") -> None:
        """Ask for a run of that page, with a press on the button of that id."""
        ask = BackMsg()
        ask.rerun_script.page_name = page
        ask.rerun_script.query_string = query
        ask.rerun_script.context_info.url = f"http://{self.socket.request.headers['Host']}/{page}"
        for widget, text in self.typed.items():
            ask.rerun_script.widget_states.widgets.add(id=widget, string_value=text)
        if press:
            ask.rerun_script.widget_states.widgets.add(id=press, trigger_value=True)
        self.socket.send(ask.SerializeToString())

    def read(self) -> Seen:
        """All that comes until a run is over."""
        seen = Seen()
        while True:
            message = ForwardMsg.FromString(self.socket.recv(timeout=180))
            kind = message.WhichOneof("type")
            if kind == "new_session":
                seen.session_id = message.new_session.initialize.session_id or seen.session_id
            elif kind == "navigation":
                seen.is_hidden_menu = (
                    message.navigation.position == message.navigation.Position.HIDDEN
                )
            elif kind == "auth_redirect":
                seen.leads_to = message.auth_redirect.url
            elif kind == "delta":
                element = message.delta.new_element
                seen.text += str(element)
                if (kind := element.WhichOneof("type")) in ("text_input", "text_area"):
                    widget = getattr(element, kind)
                    seen.labels.append(widget.label)
                    seen.ids[widget.label] = widget.id
                    seen.values[widget.label] = widget.value or widget.default
                if element.WhichOneof("type") == "button":
                    seen.ids[element.button.label] = element.button.id
                if element.WhichOneof("type") == "heading" and element.heading.tag == "h1":
                    seen.titles.append(element.heading.body)
            elif (
                kind == "script_finished"
                and message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY
            ):
                return seen


@contextmanager
def visitor(
    host: str,
    cookies: Mapping[str, str] | None = None,
    session_id: str = "",
    headers: Mapping[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
    address: str | None = None,
) -> Iterator[Visitor]:
    """Connect, with those cookies, to the session of that id: over TLS, and from that
    address, where they are given.
    """
    cookies = {"_streamlit_xsrf": generate_xsrf_token_string(), **(cookies or {})}
    line = "; ".join(f"{name}={value}" for name, value in cookies.items())
    headers = {**(headers or {}), "Cookie": line}
    protocols = ["streamlit", cookies["_streamlit_xsrf"], *([session_id] if session_id else [])]
    secure = "s" if tls else ""

    def open_socket() -> ClientConnection:
        return connect(
            f"ws{secure}://{host}/_stcore/stream",
            ssl=tls,
            source_address=address and (address, 0),
            subprotocols=protocols,
            origin=f"http{secure}://{host}",
            additional_headers=headers,
            max_size=None,
            open_timeout=180,  # a process that serves others first may take long to answer
        )

    attempts = 8
    for attempt in range(attempts):
        try:
            socket = open_socket()
            break
        # Closed before an answer, as on a busy machine: a browser waits a little longer each
        # time and tries again.
        except (InvalidMessage, ConnectionError):
            if attempt == attempts - 1:
                raise
            time.sleep(0.25 * 2**attempt)
    with socket:
        yield Visitor(socket)


def visit(
    host: str,
    page: str = "",
    query: str = "",
    cookies: Mapping[str, str] | None = None,
    session_id: str = "",
) -> Seen:
    """Connect, ask for that page, and return all that came back."""
    with visitor(host, cookies, session_id) as connected:
        connected.send(page, query)
        return connected.read()
