"""A visitor without a browser: speaks Streamlit's own protocol, with whatever cookies
and session id it was given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.web.server.starlette.starlette_app_utils import generate_xsrf_token_string
from websockets.sync.client import connect


@dataclass
class Seen:
    """What the server sent for one run of the script."""

    session_id: str = ""
    text: str = ""
    labels: list[str] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)
    is_hidden_menu: bool = False

    @property
    def met_the_sign_in(self) -> bool:
        return "Password" in self.labels


def visit(
    host: str,
    page: str = "",
    query: str = "",
    cookies: Mapping[str, str] | None = None,
    session_id: str = "",
) -> Seen:
    """Connect, ask for that page, and return all that came back."""
    cookies = {"_streamlit_xsrf": generate_xsrf_token_string(), **(cookies or {})}
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
    protocols = ["streamlit", cookies["_streamlit_xsrf"], *([session_id] if session_id else [])]
    seen = Seen()
    with connect(
        f"ws://{host}/_stcore/stream",
        subprotocols=protocols,
        origin=f"http://{host}",
        additional_headers=headers,
        max_size=None,
    ) as socket:
        ask = BackMsg()
        ask.rerun_script.page_name = page
        ask.rerun_script.query_string = query
        socket.send(ask.SerializeToString())
        while True:
            message = ForwardMsg.FromString(socket.recv(timeout=30))
            kind = message.WhichOneof("type")
            if kind == "new_session":
                seen.session_id = message.new_session.initialize.session_id or seen.session_id
            elif kind == "navigation":
                seen.is_hidden_menu = (
                    message.navigation.position == message.navigation.Position.HIDDEN
                )
            elif kind == "delta":
                element = message.delta.new_element
                seen.text += str(element)
                if element.WhichOneof("type") == "text_input":
                    seen.labels.append(element.text_input.label)
                if element.WhichOneof("type") == "heading" and element.heading.tag == "h1":
                    seen.titles.append(element.heading.body)
            elif (
                kind == "script_finished"
                and message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY
            ):
                return seen
