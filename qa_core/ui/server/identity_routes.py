"""Addresses of an identity provider's sign-in, its return, and its sign-out."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from qa_core.access import identity
from qa_core.base import i18n
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.ui.server import browser, connections, session_routes

KEPT = "ecoute_identity"
"""Cookie of a sign-in under way; its content is sealed."""
STATE = re.compile(r"[A-Za-z0-9_-]{1,128}")
BODY_BYTES, BODY_SECONDS = 16_384, 10
_at_once = asyncio.Semaphore(8)
"""Requests that may wait for a provider: threads of the server are left for everybody else."""
_budgets = connections.Budgets()


def limit(handle: Callable[[Request, bytes], Response]) -> Callable[..., Awaitable[Response]]:
    """Limit requests of strangers: short, few at a time, few failures by address."""

    async def answer(request: Request) -> Response:
        budget = _budgets[browser.build_for(request).network]
        if budget.take():
            budget.give_back()  # nobody waits longer for asking again
            return PlainTextResponse("Too Many Requests", 429)
        body = b""
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for piece in request.stream():
                    body += piece
                    if len(body) > BODY_BYTES:
                        return PlainTextResponse("Content Too Large", 413)
        except (TimeoutError, ClientDisconnect):
            return PlainTextResponse("Request Timeout", 408)
        async with _at_once:
            response = await run_in_threadpool(handle, request, body)
        if response.status_code < 400:
            budget.give_back()
        return response

    return answer


@limit
def _begin(request: Request, _body: bytes) -> Response:
    here = browser.build_for(request)
    try:
        provider = _find_provider(request)
        if not here.token:
            return RedirectResponse("/", 303)
        redirect_uri = str(request.url_for("identity_callback", provider=provider.name))
        address, kept = identity.begin(provider, redirect_uri, here)
    except Refusal as refusal:
        return _refuse(refusal)
    options = {"path": "/sign-in", "samesite": "lax"}
    return session_routes.lead_on(request, address, kept, KEPT, identity.SECONDS, **options)


@limit
def _finish(request: Request, _body: bytes) -> Response:
    query = request.query_params
    try:
        provider = _find_provider(request)
        if not STATE.fullmatch(query.get("state", "")):
            return PlainTextResponse("Bad Request", 400)
        token = identity.finish(
            provider,
            request.cookies.get(KEPT, ""),
            query.get("state", ""),
            query.get("code", ""),
            browser.build_for(request),
            query.get("iss", ""),
        )
    except Refusal as refusal:
        return _refuse(refusal)
    response = session_routes.lead_on(request, "/", token)
    response.delete_cookie(KEPT, path="/sign-in")
    return response


@limit
def _end_sessions(request: Request, body: bytes) -> Response:
    """Answer a logout token: of a provider, which has no cookie here."""
    try:
        [token] = parse_qs(body.decode("ascii"), max_num_fields=10).get("logout_token", [""])
        identity.end_sessions(_find_provider(request), token)
    except (Refusal, ValueError):
        return PlainTextResponse("Bad Request", 400)
    return Response()


def _find_provider(request: Request) -> identity.Provider:
    browser.use_language_of(request)
    provider = identity.find_providers().get(request.path_params["provider"])
    if provider is None:
        raise AccessDenied()
    return provider


def _refuse(refusal: Refusal) -> Response:
    response = PlainTextResponse(i18n.format_refusal(refusal), 403)
    response.delete_cookie(KEPT, path="/sign-in")
    return response


ROUTES = (
    Route("/sign-in/{provider}", _begin, methods=["GET"]),
    Route("/sign-in/{provider}/callback", _finish, methods=["GET"], name="identity_callback"),
    Route("/sign-in/{provider}/logout", _end_sessions, methods=["POST"]),
)
