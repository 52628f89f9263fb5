"""The parts of the server around Streamlit: security headers, closed addresses, uploads
only from those who may, downloads and audio.
"""

import base64
import contextlib
import hashlib
import importlib
import logging
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import streamlit
from h11 import LocalProtocolError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.web.server.starlette.starlette_websocket import is_host_allowed

from qa_core.access import identity, sessions
from qa_core.access.roles import Permission
from qa_core.base import environment, error_log, i18n
from qa_core.base.errors import AccessDenied, Misuse, Refusal
from qa_core.compliance import audit_report, recordings
from qa_core.metrics import downloads
from qa_core.storage import lake, permissions, system_errors
from qa_core.storage.records import store
from qa_core.ui.frame import gate
from qa_core.ui.server import (
    browser,
    connections,
    display_routes,
    health,
    identity_routes,
    kpi_api,
    mail_routes,
    open_metrics,
    proxies,
    session_routes,
)

CLOSED = re.compile(r"/_stcore/(metrics|agent(/.*)?|script-health-check)/?")
UPLOADS = "/_stcore/upload_file/"
UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
"""Signs that do not stand in the name of a file that is handed out."""
DOWNLOAD_ROOMS = (
    "analysis.board_pdf",
    "analysis.exports",
    "analysis.irritants.texts",
    "compliance.audit_report",
    "compliance.documents.printing",
    "compliance.recordings.sealed",
    "upkeep.purge_certificate",
    "ingest.samples",
    "upkeep.subjects",
    "quality.coaching.training_file",
    "quality.scorecards.files",
)
"""Rooms that declare kinds of files, loaded at the first download: a server that has not yet
shown the page of a link knows its file too.
"""
CACHEABLE = ("/static/", "/component/")
"""Addresses of files that are the same for everybody. Nothing else may be kept by a
browser or a proxy.
"""

UPKEEP_SECONDS = 600
"""Seconds between two looks for what is due."""
SWITCH_SECONDS = 0.0005
"""Seconds after which a page that counts gives way to others. A page gives way at each of some
hundred messages, and waits that long to go on where another counts: with Python's own 0.005,
fifty people waited ten times as long.
"""
MIN_CONTACTS_BESIDE = 50_000
"""Contacts from which on the work of the day has a process beside the server."""
MAX_MAILS_HERE = 2
"""Mails and messages up to which the server sends by itself."""
WARMING_SECONDS = 2
"""Seconds between two looks at the version of the lake."""
LISTENING_SECONDS = 2
"""Seconds after which a playback that is still being sent is checked again."""

LOG = logging.getLogger("qa_core")

UPLOADERS = frozenset({Permission.MANAGE_IMPORTS, Permission.EDIT_SCORECARDS})
"""Permissions that allow sending files, each alone; what is done with them is
checked again where it is written.
"""


def _shell_script() -> str:
    # Streamlit's page brings one small script; its digest is allowed, so that
    # no other inline script is.
    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    digests = (
        hashlib.sha256(script.encode()).digest()
        for script in re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    )
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)


def _policy(scripts: str, ancestors: str) -> str:
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' {scripts}".rstrip(),
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "media-src 'self' blob:",
            "connect-src 'self'",
            "worker-src 'self' blob:",
            "frame-src 'self'",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            f"frame-ancestors {ancestors}",
        )
    )


PAGE_POLICY = _policy(f"'unsafe-eval' 'wasm-unsafe-eval' {_shell_script()}", "'none'")
COMPONENT_POLICY = _policy("'unsafe-inline'", "'self'")


def headers_for(path: str) -> dict[str, str]:
    is_component = path.startswith("/component/")
    headers = {
        "Content-Security-Policy": COMPONENT_POLICY if is_component else PAGE_POLICY,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "SAMEORIGIN" if is_component else "DENY",
        "Referrer-Policy": "same-origin",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=(), display-capture=()",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    if not path.startswith(CACHEABLE):
        headers["Cache-Control"] = "no-store"
    return headers


class Wall:
    """ASGI middleware: closed addresses answer 404, uploads need a session that may
    upload, and every answer carries the headers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        is_replaced, body = False, b""

        async def send_with_headers(message: Message) -> None:
            nonlocal is_replaced, body
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if is_replaced := headers.get("content-type", "").startswith(
                    "text/html"
                ) and not _may_be_page(path):
                    # Streamlit's page, which answers for every address: there is nothing here.
                    message["status"] = 404
                    kind, body = _describe_nothing(Request(scope))
                    message["headers"] = [(b"content-type", f"{kind}; charset=utf-8".encode())]
                    headers = MutableHeaders(scope=message)
                    headers["Content-Length"] = str(len(body))
                for name, value in headers_for(path).items():
                    headers[name] = value
                open_metrics.note_answer(message["status"])
            elif is_replaced and message["type"] == "http.response.body":
                message = {**message, "body": b"" if message.get("more_body") else body}
            elif is_replaced:
                return  # the path of a file to send
            # Who sent what is no HTTP was answered by the server below already.
            with contextlib.suppress(LocalProtocolError):
                await send(message)

        host = Headers(scope=scope).get("host")
        if not is_host_allowed(host):
            said = (
                f"This host name is not allowed: {host!s:.200}. See STREAMLIT_SERVER_ALLOWED_HOSTS."
            )
            LOG.warning(said)
            await PlainTextResponse(said, 403)(scope, receive, send_with_headers)
        elif CLOSED.fullmatch(path):
            await PlainTextResponse("Not Found", 404)(scope, receive, send_with_headers)
        elif (
            path.startswith(UPLOADS)
            and scope["method"] != "OPTIONS"
            and not await run_in_threadpool(_may_upload, scope)
        ):
            await PlainTextResponse("Forbidden", 403)(scope, receive, send_with_headers)
        else:
            await self.app(scope, receive, send_with_headers)


def _describe_nothing(request: Request) -> tuple[str, bytes]:
    """Return the kind and the body of "Not Found": for people, a way back."""
    if "text/html" not in request.headers.get("accept", ""):
        return "text/plain", b"Not Found"
    browser.use_language_of(request)
    text, back = i18n._("There is no page at this address."), i18n._("Go to the first page")
    page = f'<!doctype html><meta charset="utf-8"><p>{text} <a href="/">{back}</a></p>'
    return "text/html", page.encode()


def _may_be_page(path: str) -> bool:
    from qa_core.ui.frame import menu

    names = {"", menu.HOME, *(page.key for page in menu.all_pages())}
    own = ("/component/", mail_routes.PATH, display_routes.PATH)
    return path.strip("/") in names or path.startswith(own)


def check_start() -> None:
    """Make or check the secrets and migrate the records; if that fails, print why and exit."""
    error_log.leave_out_values()
    environment.keep_to_owner()
    try:
        if store.has_tables():
            environment.now()  # a moved clock is refused before anything is touched
        for name in environment.SECRETS:
            environment.secret(name)
        environment.find_proxies()
        environment.find_metrics_readers()
        environment.find_mail_server()
        open_metrics.start()
        identity.find_providers()
        store.migrate()
        permissions.protect()
        audit_report.note_from_now_on()
    except Exception as error:
        refusal = system_errors.find_refusal(error)
        if refusal is None:
            raise
        print(i18n.format_for_operator(refusal), file=sys.stderr)
        raise SystemExit(2 if isinstance(refusal, Misuse) else 1) from None
    proxies.install()
    hosts = ", ".join(streamlit.get_option("server.allowedHosts")) or "*"
    print(
        i18n._(
            "Host names served: {hosts}. To serve others, set STREAMLIT_SERVER_ALLOWED_HOSTS.",
            hosts=hosts,
        )
    )
    sys.setswitchinterval(SWITCH_SECONDS)
    # Beside the serving: it waits for an import that another process has under way.
    threading.Thread(target=_work_unattended, name="upkeep", daemon=True).start()
    threading.Thread(target=_keep_warm, name="warming", daemon=True).start()


def _keep_warm() -> None:
    """Have the last questions answered anew after each change of the lake, whichever
    process made it.
    """
    known = None
    while True:
        try:
            before, known = known, lake.versions()
            if before not in (None, known):
                importlib.import_module("qa_core.ui.frame.cached").warm()
        except Exception as error:
            system_errors.log_failure(LOG, "the warming of answers", error)
        time.sleep(WARMING_SECONDS)


def _work_unattended() -> None:
    """Finish interrupted imports; then, as long as the server runs, do what each day asks
    for, whether anybody is signed in or not.
    """
    from qa_core import ingest
    from qa_core.delivery import worker
    from qa_core.metrics.kpi import editions
    from qa_core.upkeep import after_import, integrity, purge

    forgotten = 0
    try:
        forgotten = audit_report.find_last(audit_report.DELETIONS)  # nothing is kept so far
        ingest.resume()
    except Exception as error:  # such as records that are held by others: the rest goes on
        system_errors.log_failure(LOG, "the end of what was interrupted", error)
    # What only pages need, and the sign-in form does not wait for, is there for the first.
    importlib.import_module("qa_core.ui.page_frame")
    while True:
        try:
            after_import.do_due(after_import.QUICK)
            purge.purge_daily(_work_beside)
            if editions.find_due() or integrity.is_due():
                _work_beside()
            if (due := worker.enter_due()) > MAX_MAILS_HERE:
                _run_beside("qa_core.delivery.beside")
            elif due:
                worker.work()
            # By another process, or by a person, as well.
            if (deletion := audit_report.find_last(audit_report.DELETIONS)) != forgotten:
                importlib.import_module("qa_core.ui.frame.cached").forget()
                forgotten = deletion
        except Exception as error:
            system_errors.log_failure(LOG, "what the day asks for", error)
        after_import.wait(UPKEEP_SECONDS)


def _work_beside() -> None:
    """Purge, publish and check the stores, in a process beside the server unless that takes
    longer to start. Raises an error where it fails; it has said why.
    """
    from qa_core.upkeep import beside

    if lake.snapshot("contacts").rows < MIN_CONTACTS_BESIDE:
        beside.work()
        return
    _run_beside("qa_core.upkeep.beside")


def _run_beside(module: str) -> None:
    """Run a module in a process beside the server, until it ends."""
    command = [sys.executable, "-m", module]
    process = subprocess.Popen(command, cwd=environment.PROJECT, stdin=subprocess.PIPE)
    code = process.wait()
    process.stdin.close()  # was open so far: the process ends where it closes
    if code:
        raise subprocess.CalledProcessError(code, command)


def _may_upload(scope: Scope) -> bool:
    try:
        signed_in = _find_ready(Request(scope))
    except Refusal:
        return False
    return signed_in is not None and any(signed_in.viewer.can(one) for one in UPLOADERS)


def _find_ready(request: Request) -> sessions.SignedIn | None:
    """Return the live session behind a plain request, by its cookie and the browser's token;
    None for a stranger, and for who has a password to change, or a second factor to set up,
    first.
    """
    signed_in = sessions.resume(request.cookies.get(browser.COOKIE), browser.build_for(request))
    if signed_in is None or signed_in.must_change_password:
        return None
    return None if gate.misses_second_factor(signed_in.viewer) else signed_in


def load_download_rooms() -> None:
    for room in DOWNLOAD_ROOMS:
        importlib.import_module(f"qa_core.{room}")


def _download(request: Request) -> Response:
    load_download_rooms()
    browser.use_language_of(request)
    try:
        signed_in = _find_ready(request)
        if signed_in is None:
            raise Refusal(
                "session_over",
                "Your session has ended. Sign in, and take the file from its page again.",
            )
        if signed_in.viewer.language:
            i18n.use(signed_in.viewer.language)
        made = downloads.open_ticket(signed_in, request.path_params["ticket"])
    except Refusal as refusal:
        return _refuse(refusal)
    return Response(
        made.content,
        media_type=made.media_type,
        headers={
            # An id of a file, which may hold any sign, is part of some names.
            "Content-Disposition": f'attachment; filename="{UNSAFE.sub("_", made.file_name)}"',
            "Cache-Control": "no-store",
        },
    )


def _audio(request: Request) -> Response:
    if request.method != "GET":
        return PlainTextResponse("Method Not Allowed", 405)
    browser.use_language_of(request)
    try:
        sound = _open_sound(request)
        span = _find_span(request.headers.get("range"), sound.clear_bytes)
        if span is None:
            return PlainTextResponse(
                "Range Not Satisfiable",
                416,
                headers={"Content-Range": f"bytes */{sound.clear_bytes}"},
            )
        start, end, is_part = span
        pieces = recordings.read(sound, start, end)
        # Read before anything is sent, so that a file that is gone or damaged gives 404.
        first = next(pieces, b"")
    except Refusal as refusal:
        return _refuse(refusal)
    except (recordings.DamagedFile, OSError):
        LOG.exception("a recording cannot be read")
        return PlainTextResponse("Not Found", 404)
    headers = {
        "Accept-Ranges": "bytes",
        "Content-Length": str(end - start),
        "Content-Disposition": "inline",
        "Cache-Control": "no-store",
    }
    if is_part:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{sound.clear_bytes}"
    pieces = chain([first], _keep_checking(request, pieces))
    return _Playback(pieces, 206 if is_part else 200, headers, sound.media_type)


class _Playback(StreamingResponse):
    """Response whose connection is closed where its recording may not be heard any more."""

    async def stream_response(self, send: Send) -> None:
        try:
            await super().stream_response(send)
        except (Refusal, recordings.DamagedFile) as ending:
            LOG.warning("a playback was stopped: %s", ending)


def _keep_checking(request: Request, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield pieces of a recording while the listener may hear it. Raises Refusal."""
    checked_at = time.monotonic()
    for piece in pieces:
        if time.monotonic() - checked_at > LISTENING_SECONDS:
            checked_at = time.monotonic()
            _open_sound(request)
        yield piece


def _open_sound(request: Request) -> recordings.Sound:
    signed_in = _find_ready(request)
    if signed_in is None:
        raise AccessDenied()
    return recordings.open_ticket(signed_in, request.path_params["ticket"])


def _refuse(refusal: Refusal) -> Response:
    is_temporary = refusal.code in system_errors.TEMPORARY_CODES
    return PlainTextResponse(i18n.format_refusal(refusal), 503 if is_temporary else 404)


def _find_span(header: str | None, size: int) -> tuple[int, int, bool] | None:
    """Return the first byte that a Range asks for, the byte after the last, and whether
    that is a part: all of them where it asks for none, or for several spans. None: beyond
    the end.
    """
    asked = re.fullmatch(r"\s*bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", header or "")
    if asked is None or asked.groups() == ("", ""):
        return 0, size, False
    first, last = asked.groups()
    if not first:
        return (max(size - int(last), 0), size, True) if int(last) and size else None
    start, end = int(first), min(int(last) + 1, size) if last else size
    return (start, end, True) if start < end else None


ROUTES = (
    *identity_routes.ROUTES,
    *session_routes.ROUTES,
    *kpi_api.ROUTES,
    *mail_routes.ROUTES,
    *display_routes.ROUTES,
    *health.ROUTES,
    *open_metrics.ROUTES,
    Route("/download/{ticket}", _download, methods=["GET"]),
    Route("/audio/{ticket}", _audio, methods=["GET"]),
)
MIDDLEWARE = (Middleware(Wall), Middleware(connections.Connections))
