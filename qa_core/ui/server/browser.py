"""A browser's claims about itself: cookie, token, language; `sign_in` judges them."""

from collections.abc import Iterable, Mapping
from urllib.parse import urlencode, urlsplit

import streamlit as st
from starlette.requests import HTTPConnection
from streamlit.web.server.starlette.starlette_app_utils import decode_xsrf_token_string
from streamlit.web.server.starlette.starlette_server_config import XSRF_COOKIE_NAME

from qa_core.access.sessions import Browser, is_loopback
from qa_core.base import i18n
from qa_core.base.i18n import LANGUAGES
from qa_core.ui.server.proxies import parse_address

COOKIE = "ecoute_session"
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
PROXY_HEADERS = ("x-forwarded-for", "x-forwarded-host", "x-real-ip", "forwarded", "via")


def cookie() -> str | None:
    """Return the id in this connection's session cookie."""
    return st.context.cookies.get(COOKIE)


def current() -> Browser:
    """Return the browser at the other end of this connection."""
    headers = {name.lower(): value for name, value in st.context.headers.to_dict().items()}
    address = st.context.ip_address or "127.0.0.1"  # Streamlit says None for this machine
    return build(st.context.cookies.to_dict(), headers, address)


def build(cookies: Mapping[str, str], headers: Mapping[str, str], address: str) -> Browser:
    """Build the browser of a request: cookies, headers (lower-case names), address."""
    token, _at = decode_xsrf_token_string(cookies.get(XSRF_COOKIE_NAME, ""))
    # A proxy on this machine makes every visitor look local: none of its marks may be
    # there, and every name asked for must be this machine's.
    names = [
        f"//{headers.get('host', '')}",
        *(headers[name] for name in ("origin", "referer") if name in headers),
    ]
    is_local = (
        is_loopback(address)
        and all(_host(name) in LOCAL_NAMES for name in names)
        and not any(name in headers for name in PROXY_HEADERS)
    )
    known = parse_address(address)
    return Browser(token or b"", headers.get("user-agent", ""), str(known or ""), is_local)


def build_for(request: HTTPConnection) -> Browser:
    """Build the browser behind a plain request or a WebSocket."""
    address = request.client.host if request.client else ""
    return build(request.cookies, dict(request.headers), address)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:  # such as "[::1" without its end
        return ""


def home() -> str:
    """Return the address of the front page, as this browser knows it."""
    parts = urlsplit(st.context.url or "")
    return f"{parts.scheme}://{parts.netloc}/"


def page() -> str:
    """Return the address of the page that this browser is on, without the host."""
    names = st.query_params
    query = urlencode([(name, value) for name in names for value in names.get_all(name)])
    path = "/" + urlsplit(st.context.url or "").path.lstrip("/\\")
    return f"{path}?{query}" if query else path


def language() -> str:
    """Return the first of our languages that the browser prefers."""
    return first_known(
        [st.context.locale or "", *(st.context.headers.get("Accept-Language") or "").split(",")]
    )


def use_language_of(request: HTTPConnection) -> None:
    """Use the first of our languages that the browser behind a plain request prefers."""
    i18n.use(first_known((request.headers.get("accept-language") or "").split(",")))


def first_known(wishes: Iterable[str]) -> str:
    """Return the first of our languages among wishes such as `fr-CA;q=0.9`, or English."""
    for wish in wishes:
        code = wish.strip().split(";")[0].split("-")[0].lower()
        if code in LANGUAGES:
            return code
    return "en"
