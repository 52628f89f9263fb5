"""Addresses: what is not there is not found, in the form of its neighbours; and who may open
a WebSocket.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import streamlit as st
from builders.wires import Wire
from prometheus_client.openmetrics import parser
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Mount

from qa_core import ingest
from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.delivery import ledger
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.ui import asgi
from qa_core.ui.frame import menu
from qa_core.ui.server import connections


@pytest.fixture
def page_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Serve Streamlit's page for every other address, as Streamlit does."""
    page = Mount("/", HTMLResponse("<html>the page</html>"))
    monkeypatch.setattr(asgi, "ROUTES", (*asgi.ROUTES, page))


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("address", ["/api", "/api/x", "/api/kpi/x", "/api/v2/kpi?kpi=received"])
def test_an_unknown_address_of_the_api_is_not_found_in_json(
    centre: Path, page_everywhere: None, address: str, method: str
) -> None:
    status, headers, body = Wire(None).ask(address, method=method)

    assert status == 404 and headers["content-type"] == "application/json"
    assert method == "HEAD" or json.loads(body)["error"]["code"] == "unknown_address"


@pytest.mark.parametrize(
    "address",
    ["/openapi.json", "/docs", "/metrics/x", "/admin", "/healthz/x", "/audio", "/overview/x",
     "/_stcore/x", "/static/x.js", "/.env"],
)  # fmt: skip
def test_any_other_unknown_address_is_not_found_without_a_page(
    centre: Path, page_everywhere: None, address: str
) -> None:
    status, headers, body = Wire(None).ask(address)

    assert (status, body) == (404, b"Not Found")
    assert headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    ("language", "text"),
    [("fr-FR,fr", "Il n’y a pas de page à cette adresse."), ("en", "There is no page at this")],
)
def test_a_browser_at_an_unknown_address_is_led_back(
    centre: Path, page_everywhere: None, language: str, text: str
) -> None:
    wanted = {"accept": "text/html,*/*;q=0.8", "accept-language": language}
    status, headers, body = Wire(None).ask("/overview/x", **wanted)

    assert status == 404 and headers["content-type"].startswith("text/html")
    assert text in body.decode() and b'<a href="/">' in body and b"the page" not in body


def test_every_page_of_the_menu_is_found(centre: Path, page_everywhere: None) -> None:
    for address in ("", *(page.key for page in menu.all_pages())):
        assert Wire(None).ask(f"/{address}")[0] == 200


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize("address", ["/api/kpi?kpi=received", "/api/kpis", "/api/openapi.json"])
def test_the_api_answers_get_alone(centre: Path, address: str, method: str) -> None:
    status, headers, _body = Wire(None).ask(address, method=method)

    assert (status, headers["allow"]) == (405, "GET")


@pytest.mark.parametrize(
    ("readers", "client", "status"),
    [
        (None, "127.0.0.1", 200),
        (None, "::1", 200),
        (None, "192.0.2.7", 404),
        ("192.0.2.0/24", "192.0.2.7", 200),
        ("192.0.2.0/24", "127.0.0.1", 404),
        ("", "127.0.0.1", 404),
        (None, "127.0.0.1 behind a proxy", 404),
    ],
)
def test_metrics_are_shown_to_the_named_addresses_alone(
    centre: Path,
    monkeypatch: pytest.MonkeyPatch,
    readers: str | None,
    client: str,
    status: int,
) -> None:
    if readers is not None:
        monkeypatch.setenv("QA_METRICS_ADDRESSES", readers)

    address, _space, is_behind = client.partition(" ")
    said = {"x-forwarded-for": "192.0.2.7"} if is_behind else {}

    assert Wire(None).ask("/metrics", client=address, **said)[0] == status


def test_metrics_count_imports_rows_deliveries_and_answers(
    centre: Path, add_person: Callable[..., str]
) -> None:
    add_person("max", "manager")
    with store.writing() as session:
        ledger.enter(session, "max", "digest", "2026-W20", now())
    path = centre / "calls.csv"
    path.write_text("contact_id,started_at,outcome\nc1,2026-05-04T10:00:00,answered\n")
    ingest.run(Viewer.SYSTEM, "contacts", [path])
    Wire(None).ask("/api/kpi")

    status, headers, body = Wire(None).ask("/metrics")

    text = body.decode()
    assert status == 200 and headers["content-type"].startswith("application/openmetrics-text")
    assert 'ecoute_imports{kind="contacts",state="done"} 1.0' in text
    assert 'ecoute_lake_rows{table="contacts"} 1.0' in text
    assert 'ecoute_deliveries{state="due"} 1.0' in text
    assert 'ecoute_http_responses_total{status="401"}' in text
    assert text.endswith("# EOF\n")
    parsed = {family.name for family in parser.text_string_to_metric_families(text)}
    assert {"ecoute_ready", "ecoute_import_age_seconds", "ecoute_rights_requests"} <= parsed


def test_a_bad_list_of_readers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QA_METRICS_ADDRESSES", "prometheus.local")
    with pytest.raises(Refusal, match=r"prometheus\.local"):
        environment.find_metrics_readers()


def close_code(origin: str | None, host: str, scheme: str) -> int | None:
    """Open a WebSocket from a page of that origin; the code by which it was closed at once."""
    sent: list[dict] = []
    names = {"host": host} | ({} if origin is None else {"origin": origin})
    scope = {
        "type": "websocket",
        "path": "/_stcore/stream",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in names.items()],
        "client": ("192.0.2.7", 5000),
        "server": ("127.0.0.1", 8501),
        "scheme": scheme,
    }

    async def receive() -> dict:
        return {"type": "websocket.connect"}

    async def send(message: dict) -> None:
        sent.append(message)

    app = connections.Connections(Starlette())
    asyncio.run(app(scope, receive, send))
    # An application without the route closes with 1000, once the connection is let through.
    return sent[0].get("code")


@pytest.mark.parametrize(
    ("origin", "host", "scheme", "is_let_in"),
    [
        ("https://quality.example", "quality.example", "wss", True),
        ("https://Quality.example:443", "quality.example", "wss", True),
        ("http://localhost:8501", "localhost:8501", "ws", True),
        ("https://other.example", "localhost:8501", "ws", True),
        ("http://localhost:9999", "localhost:8501", "ws", False),
        ("https://quality.example:8443", "quality.example", "wss", False),
        ("http://quality.example", "quality.example", "wss", False),
        ("https://quality.example", "quality.example", "ws", False),
        ("https://quality.example.evil.example", "quality.example", "wss", False),
        ("null", "quality.example", "wss", False),
        ("", "quality.example", "wss", False),
        (None, "quality.example", "wss", False),
        ("https://[::1", "quality.example", "wss", False),
    ],
)
def test_a_websocket_is_opened_from_the_same_scheme_host_and_port(
    centre: Path,
    monkeypatch: pytest.MonkeyPatch,
    origin: str | None,
    host: str,
    scheme: str,
    is_let_in: bool,
) -> None:
    monkeypatch.setattr(
        st.config, "get_option", {"server.corsAllowedOrigins": ["https://other.example"]}.get
    )
    monkeypatch.setattr(st, "get_option", st.config.get_option)

    assert (close_code(origin, host, scheme) != connections.POLICY_VIOLATION) is is_let_in
