"""The wallboard at `/display`: a page without scripts that a token opens, and nothing else.

The token is entered once on the screen and kept in a cookie of that address alone.
"""

import html
import logging
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from qa_core.access import service_tokens
from qa_core.access.roles import MAX_TOKEN_DAYS
from qa_core.base import environment, i18n
from qa_core.base.errors import Refusal
from qa_core.base.i18n import _
from qa_core.delivery import wallboard
from qa_core.delivery.wallboard import BoardNumber
from qa_core.metrics.kpis import formatting
from qa_core.storage.system_errors import find_refusal
from qa_core.ui.server import browser, session_routes
from qa_core.ui.server.identity_routes import limit

PATH, COOKIE = "/display", "ecoute_display"
REFRESH_SECONDS = 60
LOG = logging.getLogger("qa_core")
STYLE = """
body{font:max(16px,min(1.7vw,3vh))/1.4 Inter,Helvetica,Arial,sans-serif;background:#0E1418;
color:#E6EAEC;margin:0;padding:3vh 3vw;box-sizing:border-box;min-height:100vh;display:flex;
flex-direction:column}h1{font-size:1.1em;font-weight:600;margin:0 0 2vh}main{display:grid;flex:1;
gap:1.5vw;grid-template-columns:repeat(auto-fit,minmax(min(24em,100%),1fr))}section{
background:#18222A;padding:.8em 1.2em;border-radius:12px}h2{font-size:1em;font-weight:500;margin:0}
b{font-size:4.5em;font-weight:600;line-height:1.2;display:block}p{margin:.2em 0;color:#B4BEC4}
main:has(>:nth-child(5)){grid-template-columns:repeat(auto-fit,minmax(min(16em,100%),1fr))}
main:has(>:nth-child(5)) b{font-size:3.5em}.old b,.old h2{color:#7C878D}main+p{margin-top:2vh}
input,button{font:inherit;padding:.5em;margin:.5em 0;max-width:100%;box-sizing:border-box}
"""


@limit
def _show(request: Request, _body: bytes) -> Response:
    browser.use_language_of(request)
    secret = request.cookies.get(COOKIE)
    if not secret:
        return _ask_token(401)
    try:
        viewer = service_tokens.open_token(secret, browser.build_for(request), is_display=True)
        board = wallboard.build(viewer)
    except service_tokens.TokenRefused as refusal:
        response = _ask_token(404, i18n.format_refusal(refusal))
        response.delete_cookie(COOKIE, PATH)
        return response
    except Exception as error:  # the screen tries again by itself, with its token
        refusal = find_refusal(error)
        if refusal is None:
            LOG.exception("the wallboard failed")
            refusal = Refusal("failed", "Unexpected error. The server log has the cause.")
        text = html.escape(i18n.format_refusal(refusal))
        return _build_page(f"<h1>Écoute</h1><p>{text}</p>", is_board=True, status=503)
    title = html.escape(" · ".join(filter(None, ("Écoute", viewer.display_name, board.scope))))
    numbers = "".join(map(_format_number, board.numbers))
    notes = "".join(f"<p>{html.escape(note)}</p>" for note in board.notes)
    return _build_page(f"<h1>{title}</h1><main>{numbers}</main>{notes}", is_board=True)


@limit
def _enter(request: Request, body: bytes) -> Response:
    browser.use_language_of(request)
    secret = parse_qs(body.decode(errors="replace")).get("token", [""])[0].strip()
    try:
        service_tokens.open_token(secret, browser.build_for(request), is_display=True)
    except Refusal as refusal:
        return _ask_token(404, i18n.format_refusal(refusal))
    return session_routes.lead_on(request, PATH, secret, COOKIE, MAX_TOKEN_DAYS * 86_400, path=PATH)


def _ask_token(status: int, refusal: str = "") -> Response:
    label = html.escape(_("Token of the wallboard"))
    return _build_page(
        f'<p>{html.escape(refusal)}</p><form method="post"><label>{label}<br><input name="token" '
        'type="password" size="50" autocomplete="off"></label> '
        f'<button type="submit">{html.escape(_("Open"))}</button></form>',
        status=status,
    )


def _format_number(number: BoardNumber) -> str:
    age = (environment.now() - number.as_of).total_seconds()
    arrived = _("Data came {age} ago", age=formatting.duration(max(0, round(age))))
    title, value, note, arrived = map(
        html.escape, (number.title, number.value, number.note, arrived)
    )
    mark = ' class="old"' if number.is_old else ""
    return f"<section{mark}><h2>{title}</h2><b>{value}</b><p>{note}</p><p>{arrived}</p></section>"


def _build_page(body: str, is_board: bool = False, status: int = 200) -> Response:
    refresh = f'<meta http-equiv="refresh" content="{REFRESH_SECONDS}">' if is_board else ""
    return HTMLResponse(
        f'<!DOCTYPE html><html lang="{i18n.language()}"><head><meta charset="utf-8">{refresh}'
        '<meta name="viewport" content="width=device-width"><title>Écoute</title>'
        f"<style>{STYLE}</style></head><body>{body}</body></html>",
        status,
    )


ROUTES = (
    Route(PATH, _show, methods=["GET"]),
    Route(PATH, _enter, methods=["POST"]),
)
