"""Addresses at which a browser gets the cookie of its session, and loses a useless one.

Only a response of the server can set a cookie that scripts of the page cannot read.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from qa_core.access import sessions
from qa_core.base.errors import Refusal
from qa_core.ui.server import browser, connections


def lead_on(
    request: Request,
    page: str,
    token: str,
    cookie: str = browser.COOKIE,
    seconds: int = int(sessions.MAX_AGE.total_seconds()),
    **options: Any,
) -> Response:
    """Lead to a page with a cookie that scripts cannot read, by default the session's id;
    `options` go to `set_cookie`.
    """
    response = RedirectResponse(page, 303)
    given = {"samesite": "strict", **options}
    is_secure = request.url.scheme == "https"
    response.set_cookie(cookie, token, seconds, secure=is_secure, httponly=True, **given)
    return response


def _give(request: Request) -> Response:
    """Exchange a ticket for the cookie, and lead on to the page that was asked for."""
    try:
        token, page = sessions.exchange(request.path_params["ticket"], browser.build_for(request))
    except Refusal:
        return RedirectResponse("/", 303)  # where who has no session signs in
    return lead_on(request, page, token)


def _take_back(request: Request) -> Response:
    """Delete the cookie of a session that is over. A live session's stays: any page may
    lead here.
    """
    response = RedirectResponse("/", 303)
    if not connections.is_live(request.cookies.get(browser.COOKIE), browser.build_for(request)):
        response.delete_cookie(browser.COOKIE)
    return response


ROUTES = (
    Route("/session/{ticket}", _give, methods=["GET"]),
    Route("/session", _take_back, methods=["GET"]),
)
