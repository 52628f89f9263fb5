"""Addresses of the sign-in by an identity provider: there, and back."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from qa_core.access import identity, sessions
from qa_core.base import i18n
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.ui import browser

KEPT = "ecoute_identity"
"""Cookie of a sign-in under way; its content is sealed."""


def _begin(request: Request) -> Response:
    here = _find_browser(request)
    try:
        provider = _find_provider(request)
        if not here.token:
            return RedirectResponse("/", 303)
        redirect_uri = str(request.url_for("identity_callback", provider=provider.name))
        address, kept = identity.begin(provider, redirect_uri, here)
    except Refusal as refusal:
        return _refuse(refusal)
    response = RedirectResponse(address, 303)
    response.set_cookie(
        KEPT,
        kept,
        max_age=identity.SECONDS,
        path="/sign-in",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )
    return response


def _finish(request: Request) -> Response:
    try:
        token = identity.finish(
            _find_provider(request),
            request.cookies.get(KEPT, ""),
            request.query_params.get("state", ""),
            request.query_params.get("code", ""),
            _find_browser(request),
        )
    except Refusal as refusal:
        return _refuse(refusal)
    response = RedirectResponse("/", 303)
    response.delete_cookie(KEPT, path="/sign-in")
    # Not HttpOnly: the page replaces it after a sign-in by password.
    response.set_cookie(
        browser.COOKIE,
        token,
        max_age=int(sessions.MAX_AGE.total_seconds()),
        secure=request.url.scheme == "https",
        samesite="lax",
    )
    return response


def _find_provider(request: Request) -> identity.Provider:
    i18n.use(browser.first_known((request.headers.get("accept-language") or "").split(",")))
    provider = identity.find_providers().get(request.path_params["provider"])
    if provider is None:
        raise AccessDenied()
    return provider


def _find_browser(request: Request) -> sessions.Browser:
    address = request.client.host if request.client else ""
    return browser.build(request.cookies, dict(request.headers), address)


def _refuse(refusal: Refusal) -> Response:
    response = PlainTextResponse(i18n.format_refusal(refusal), 403)
    response.delete_cookie(KEPT, path="/sign-in")
    return response


ROUTES = (
    Route("/sign-in/{provider}", _begin, methods=["GET"]),
    Route("/sign-in/{provider}/callback", _finish, methods=["GET"], name="identity_callback"),
)
