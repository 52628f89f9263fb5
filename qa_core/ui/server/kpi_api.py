"""The API: `GET /api/kpi` and `/api/kpis` answer as the commands `kpi` and `kpis` do with
`--json`, with limits (docs/api.md); `/api/openapi.json` describes both.
"""

import functools
import hashlib
import json
import logging
import re
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import anyio
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from qa_core.access import service_tokens
from qa_core.access.roles import Viewer
from qa_core.base import i18n
from qa_core.base.errors import AccessDenied, Misuse, Refusal, require_known
from qa_core.base.i18n import N_
from qa_core.metrics import downloads, kpi_question, kpis
from qa_core.metrics.kpis import dimensions
from qa_core.storage import bounds
from qa_core.storage.system_errors import TEMPORARY_CODES, find_refusal
from qa_core.ui.server import browser
from qa_core.ui.server.connections import Budget

PARAMETERS = ("kpi", "by", "from", "to", "where", "set", "explain")
"""Parameters of the address: the options of the command `kpi`, by the same names."""
REPEATABLE = ("kpi", "by", "where", "set")
JSON, CSV = "application/json", "text/csv"
COLUMNS = (
    "kpi", "value", "numerator", "denominator", "n", "low", "high", "status", "pending",
    "unknown_identity", "previous_value",
)  # fmt: skip
PERCENTILES = ("p50", "p90", "p95")
"""Columns of a CSV after its dimensions."""
A_MINUTE, AT_ONCE, MAX_QUEUE = 60, 2, 8
"""Requests of one token: in a minute, worked on at once, and waiting for those."""
WORKERS, MAX_WAITING = 4, 40
"""Requests of all tokens: worked on at once, and waiting."""
MAX_ROWS, MAX_SECONDS, MAX_QUERY = 50_000, 30, 8_000
"""Rows of an answer, seconds that it may take, characters of a question."""
ADDRESS_STATUS = {"unknown_address": 404, "method_not_allowed": 405}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
UNAVAILABLE = TEMPORARY_CODES | {"store_read_only", "lake_damaged", "busy"}
"""Codes of refusals that say nothing against the question."""

LOG = logging.getLogger("qa_core")


class Limits:
    """Budget of each token, by its name, and its queue, by the digest of its secret."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.budgets: dict[str, Budget] = {}
        self.queues: dict[bytes, anyio.CapacityLimiter] = {}

    def take(self, token: str) -> None:
        """Count one request of a token. Raises Refusal `too_many_requests`."""
        with self.lock:
            budget = self.budgets.setdefault(token, Budget(A_MINUTE, A_MINUTE / 60))
            if wait := budget.take():
                budget.give_back()
                raise _build_too_many(wait)

    @asynccontextmanager
    async def queue(self, secret: str) -> AsyncIterator[None]:
        """Wait until fewer than `AT_ONCE` requests with that secret are under way. They
        take no place from other tokens meanwhile. Raises Refusal `too_many_requests`.
        """
        key = hashlib.sha256(secret.encode()).digest()
        queue = self.queues.setdefault(key, anyio.CapacityLimiter(AT_ONCE))
        if queue.statistics().tasks_waiting >= MAX_QUEUE:
            raise _build_too_many(1.0)
        try:
            async with queue:
                yield
        finally:
            if not queue.borrowed_tokens and not queue.statistics().tasks_waiting:
                self.queues.pop(key, None)


def _build_too_many(wait: float) -> Refusal:
    return Refusal(
        "too_many_requests",
        "A token may send {minute} requests a minute and {at_once} at once. Wait {seconds} seconds "
        "and try again.",
        minute=A_MINUTE,
        at_once=AT_ONCE + MAX_QUEUE,
        seconds=-int(-wait // 1),
    )


class Endpoint(HTTPEndpoint):
    """Address that answers `GET`; other methods answer 405, `HEAD` too."""

    async def get(self, request: Request) -> Response:
        return await anyio.to_thread.run_sync(_describe, request)

    async def head(self, request: Request) -> Response:
        return await self.method_not_allowed(request)

    async def method_not_allowed(self, request: Request) -> Response:
        response = _refuse_address(request, "method_not_allowed")
        response.headers["Allow"] = "GET"
        return response


class TokenEndpoint(Endpoint):
    """Address that answers a service token, within limits."""

    async def get(self, request: Request) -> Response:
        try:
            async with LIMITS.queue(_read_secret(request)):
                if WAITING.statistics().tasks_waiting > MAX_WAITING:
                    return _refuse(BUSY)
                respond = functools.partial(_respond, request, self.answer)
                return await anyio.to_thread.run_sync(respond, limiter=WAITING)
        except Refusal as refusal:
            browser.use_language_of(request)
            return _refuse(refusal)

    def answer(self, request: Request, viewer: Viewer) -> Response:
        """Answer the holder of a token. Raises Refusal."""
        raise NotImplementedError


class KpiEndpoint(TokenEndpoint):
    """`GET /api/kpi`: figures, as JSON or CSV."""

    def answer(self, request: Request, viewer: Viewer) -> Response:
        names, cuts, refused = [], [], "failed"
        try:
            question = _read(request)
            # What is no declared name is not written into the audit log.
            names = [name for name in kpis.BY_KEY if name in question.names]
            filters = {text.partition("=")[0] for text in question.where}
            cuts = [name for name in dimensions.BY_KEY if name in {*question.by, *filters}]
            answer = kpi_question.answer(viewer, question)
            response = _encode_csv(answer) if _wants_csv(request) else _encode(answer.as_json())
            refused = ""
            return response
        except Refusal as refusal:
            refused = refusal.code
            raise
        finally:
            service_tokens.note_use(viewer, names, cuts, refused)


class GlossaryEndpoint(TokenEndpoint):
    """`GET /api/kpis`: the KPIs that the token may ask for."""

    def answer(self, request: Request, viewer: Viewer) -> Response:
        asked = [kpi for kpi in kpis.ALL if not viewer.kpis or kpi.key in viewer.kpis]
        return _encode([kpi.as_json() for kpi in asked if viewer.can(kpi.needs)])


LIMITS, WAITING = Limits(), anyio.CapacityLimiter(WORKERS)
BUSY = Refusal("busy", "The server is too busy. Try again in a moment.")


def _respond(request: Request, answer: Callable[[Request, Viewer], Response]) -> Response:
    browser.use_language_of(request)
    try:
        viewer = _open_token(request)
        with bounds.bounded(MAX_ROWS, MAX_SECONDS):
            return answer(request, viewer)
    except Exception as error:
        if refusal := find_refusal(error):
            return _refuse(refusal)
        LOG.exception("a question to the API failed")
        return _refuse(Refusal("failed", "Unexpected error. The server log has the cause."))


def _open_token(request: Request) -> Viewer:
    secret = _read_secret(request)
    if not secret:
        raise service_tokens.TokenRefused(
            "no_token",
            N_("Send the token in the header Authorization only, after the word Bearer."),
        )
    viewer = service_tokens.open_token(secret, browser.build_for(request))
    LIMITS.take(viewer.username)
    return viewer


def _read_secret(request: Request) -> str:
    scheme, _space, secret = request.headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


def _read(request: Request) -> kpi_question.KpiQuestion:
    if len(request.url.query) > MAX_QUERY:
        message = N_("The address is too long: at most {most} characters after the question mark.")
        raise Misuse("too_long", message, most=MAX_QUERY)
    given = request.query_params
    for name in given:
        require_known(name, PARAMETERS, "unknown_parameter")
        if name not in REPEATABLE and len(given.getlist(name)) > 1:
            raise Misuse("repeated", "The parameter {name} occurs twice. Send it once.", name=name)
    if "kpi" not in given:
        raise Misuse("no_kpi", "Name a KPI: kpi=answer_rate; several are allowed.")
    explain = given.get("explain", "0")
    require_known(explain, ("0", "1"), "bad_value")
    return kpi_question.KpiQuestion(
        given.getlist("kpi"),
        given.getlist("by"),
        given.get("from"),
        given.get("to"),
        given.getlist("where"),
        given.getlist("set"),
        explain == "1",
    )


def _wants_csv(request: Request) -> bool:
    """Return whether the client names CSV before JSON in `Accept`, and does not rule it out."""
    parts = request.headers.get("accept", "").replace(" ", "").split(",")
    named = [part.partition(";")[0] for part in parts if not part.endswith((";q=0", ";q=0.0"))]
    return next((name for name in named if name in (CSV, JSON)), JSON) == CSV


def _encode_csv(answer: kpi_question.KpiAnswer) -> Response:
    """Write the rows as CSV: a column per dimension, then the keys of a row; notes in one
    cell, separated by spaces.
    """
    cuts = list(dict.fromkeys(name for row in answer.rows for name in row["by"]))
    lines = [
        [
            *(row["by"].get(name) for name in cuts),
            *(row.get(name) for name in COLUMNS),
            *((row.get("percentiles") or {}).get(name) for name in PERCENTILES),
            " ".join(row.get("notes", ())),
        ]
        for row in answer.rows
    ]
    content = downloads.to_csv([*cuts, *COLUMNS, *PERCENTILES, "notes"], lines)
    return Response(content, media_type=f"{CSV}; charset=utf-8")


def _describe(_request: Request) -> Response:
    text = {"type": "string"}
    number = {"type": ["number", "null"]}
    row = {
        "by": {"type": "object"},
        "kpi": text,
        "status": {"enum": ["ok", "small_sample", "no_data", "pending", "suppressed"]},
        "notes": {"type": "array", "items": text},
        "percentiles": {"type": "object"},
    } | {name: number for name in COLUMNS if name not in ("kpi", "status")}
    choices = {"kpi": [*kpis.BY_KEY], "by": [*dimensions.BY_KEY], "explain": ["0", "1"]}
    formats = {"from": "date", "to": "date"}
    parameters = []
    for name in PARAMETERS:
        schema = text | ({"enum": choices[name]} if name in choices else {})
        schema |= {"format": formats[name]} if name in formats else {}
        is_list = name in REPEATABLE
        parameters.append(
            {
                "name": name,
                "in": "query",
                "required": name == "kpi",
                "schema": {"type": "array", "items": schema} if is_list else schema,
            }
        )
    rows = {"type": "array", "items": {"type": "object", "properties": row}}
    figures = {
        "type": "object",
        "properties": {
            "rows": rows,
            "data_through": {"type": ["string", "null"]},
            "explanation": {"type": "array", "items": {"type": "object"}},
        },
    }
    error = {"type": "object", "properties": {"code": text, "message": text, "options": {}}}
    refused = {JSON: {"schema": {"type": "object", "properties": {"error": error}}}}
    refusals = {
        str(status): {"description": HTTPStatus(status).phrase, "content": refused}
        for status in (400, 401, 403, 429, 500, 503)
    }
    glossary = {"type": "array", "items": {"type": "object"}}

    def answer(**content: Any) -> dict[str, Any]:
        found = {kind: {"schema": schema} for kind, schema in content.items()}
        return {"200": {"description": HTTPStatus.OK.phrase, "content": found}, **refusals}

    paths = {
        "/api/kpi": {"parameters": parameters, "responses": answer(**{JSON: figures, CSV: text})},
        "/api/kpis": {"responses": answer(**{JSON: glossary})},
    }
    return _encode(
        {
            "openapi": "3.1.0",
            "info": {"title": "Écoute", "version": "1"},
            "security": [{"token": []}],
            "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
            "paths": {path: {"get": declared} for path, declared in paths.items()},
        }
    )


def _refuse_address(request: Request, code: str) -> Response:
    browser.use_language_of(request)
    return _refuse(Refusal(code, N_("The API answers only GET /api/kpi and GET /api/kpis.")))


def _refuse(refusal: Refusal) -> Response:
    headers = {}
    if refusal.code in ADDRESS_STATUS:
        status = ADDRESS_STATUS[refusal.code]
    elif isinstance(refusal, service_tokens.TokenRefused):
        status, headers = 401, {"WWW-Authenticate": "Bearer"}
    elif refusal.code in ("too_many_tries", "too_many_requests"):
        status, headers = 429, {"Retry-After": str(refusal.params["seconds"])}
    elif refusal.code in UNAVAILABLE:
        status, headers = 503, {"Retry-After": "5"}
    elif isinstance(refusal, AccessDenied):
        status = 403
    else:
        status = 500 if refusal.code == "failed" else 400
    error = {
        "code": refusal.code,
        "message": i18n.format_refusal(refusal),
        # The options of the command are the parameters of the address.
        "options": [re.sub(r"--(\w+) ", r"\1=", option) for option in refusal.answers],
    }
    return _encode({"error": error}, status, headers)


def _encode(document: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    content = json.dumps(document, ensure_ascii=False, default=str)
    return Response(content, status, headers, JSON)


ROUTES = (
    Route("/api/kpi", KpiEndpoint),
    Route("/api/kpis", GlossaryEndpoint),
    Route("/api/openapi.json", Endpoint),
    *(
        Route(path, lambda request: _refuse_address(request, "unknown_address"), methods=METHODS)
        for path in ("/api", "/api/{rest:path}")
    ),
)
