"""Addresses at which a browser gets the cookie of its session, and loses a useless one.

Only a response of the server can set a cookie that scripts of the page cannot read.
"""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from qa_core.access import sessions
from qa_core.base.errors import Refusal
from qa_core.ui.server import browser


def set_cookie(request: Request, response: Response, token: str) -> None:
    """Give the browser the id of its session."""
    response.set_cookie(
        browser.COOKIE,
        token,
        max_age=int(sessions.MAX_AGE.total_seconds()),
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )


def _give(request: Request) -> Response:
    """Exchange a ticket for the cookie, and lead on to the page that was asked for."""
    try:
        token, page = sessions.exchange(request.path_params["ticket"], browser.build_for(request))
    except Refusal:
        return RedirectResponse("/", 303)  # where who has no session signs in
    response = RedirectResponse(page, 303)
    set_cookie(request, response, token)
    return response


def _take_back(request: Request) -> Response:
    """Delete the cookie of a session that is over. A live session's stays: any page may
    lead here.
    """
    response = RedirectResponse("/", 303)
    try:
        is_live = sessions.is_live(request.cookies.get(browser.COOKIE), browser.build_for(request))
    except Refusal:  # no records yet
        is_live = False
    if not is_live:
        response.delete_cookie(browser.COOKIE)
    return response


ROUTES = (
    Route("/session/{ticket}", _give, methods=["GET"]),
    Route("/session", _take_back, methods=["GET"]),
)
