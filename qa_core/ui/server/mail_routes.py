"""Addresses of the links in mails: confirm an address, stop mails. They take no sign-in.

Opening a link changes nothing, because mail programs open links by themselves: the page has a
button, and only a POST does the act, from there or from a mail program (RFC 8058).
"""

import html
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from qa_core.access import mail_choices
from qa_core.base import i18n
from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_, _
from qa_core.ui.server import browser
from qa_core.ui.server.identity_routes import limit

PATH = "/mail/"
QUESTIONS = {
    True: (N_("Use this address for your mails from Écoute?"), N_("Confirm")),
    False: (N_("Stop these mails from Écoute?"), N_("Stop")),
}
ANSWERS = {True: N_("Your address is confirmed."), False: N_("You get no more of these mails.")}
"""Questions and answers, by whether the link confirms an address; others stop mails."""


@limit
def _ask(request: Request, _body: bytes) -> Response:
    def build(is_confirmation: bool) -> str:
        question, label = (html.escape(_(text)) for text in QUESTIONS[is_confirmation])
        button = f'<form method="post"><button type="submit">{label}</button></form>'
        return f"<p>{question}</p>{button}"

    return _serve(request, mail_choices.find_act, build)


@limit
def _act(request: Request, _body: bytes) -> Response:
    return _serve(
        request,
        mail_choices.follow,
        lambda is_confirmation: f"<p>{html.escape(_(ANSWERS[is_confirmation]))}</p>",
    )


def _serve(request: Request, use: Callable[[str], str], build: Callable[[bool], str]) -> Response:
    """Use the ticket of the link, and answer with the page built for its act."""
    browser.use_language_of(request)
    try:
        act = use(request.path_params["ticket"])
    except Refusal as refusal:
        return PlainTextResponse(i18n.format_refusal(refusal), 404)
    return _build_page(build(act == mail_choices.CONFIRM))


def _build_page(body: str) -> Response:
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    style = "font:18px/1.5 Helvetica,Arial,sans-serif;max-width:32em;margin:15vh auto;padding:1em"
    return HTMLResponse(
        f'<!DOCTYPE html><html lang="{i18n.language()}"><head>{head}<title>Écoute</title></head>'
        f'<body style="{style}"><h1>Écoute</h1>{body}</body></html>'
    )


ROUTES = (
    Route(PATH + "{ticket}", _ask, methods=["GET"]),
    Route(PATH + "{ticket}", _act, methods=["POST"]),
)
