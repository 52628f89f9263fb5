"""The webhook: one address outside that receives new alerts, in the scope of one person.

The operator allows its host (QA_OUTSIDE_HOSTS). Messages are signed, redirects are not
followed, and no private network is reached: a name that leads there is refused.
"""

import hashlib
import hmac
import html
import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

import sqlalchemy as sa
import urllib3

from qa_core.access.roles import Permission, Viewer
from qa_core.base import outside, signed_links
from qa_core.base.errors import AccessDenied, Refusal, require_known
from qa_core.base.i18n import N_
from qa_core.base.outside import NotAllowed
from qa_core.delivery.mail import Refused, Unreachable
from qa_core.storage import audit_log
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.deliveries import Webhook

NAME = "alerts"
TIMEOUT_SECONDS = 10
_USE = "webhook"


@dataclass(frozen=True)
class WebhookSettings:
    """The webhook without its address, which is a secret: host, format, whose scope."""

    host: str
    format: str
    username: str


@dataclass(frozen=True)
class AlertMessage:
    """New alerts in sentences; `id` is the same again where it is sent twice; `link` is empty
    where nobody said under which address Écoute is opened.
    """

    id: str
    title: str
    lines: tuple[str, ...]
    link: str
    foot: str


def find(viewer: Viewer) -> WebhookSettings | None:
    """Find the webhook. Needs MANAGE_ALERTS or SEE_HEALTH."""
    if not viewer.can(Permission.MANAGE_ALERTS):
        viewer.require(Permission.SEE_HEALTH)
    with store.reading() as session:
        row = session.get(Webhook, NAME)
        return row and WebhookSettings(row.host, row.format, row.username)


def enter(viewer: Viewer, address: str, format_name: str) -> str:
    """Enter the webhook, in the viewer's own scope; it replaces an earlier one. Returns its
    secret, which is shown once. Raises Refusal for an address that may not be reached.
    """
    if viewer.is_system:
        raise AccessDenied()
    viewer.require(Permission.MANAGE_ALERTS)
    viewer.require(Permission.SEE_ALERTS)  # the webhook tells what the person sees
    require_known(format_name, FORMATS, "unknown_format")
    try:
        parts = outside.parse_allowed(address.strip())
    except OSError as error:
        message = N_("No server is found under this address. Check the spelling.")
        raise Refusal("outside_name", message) from error
    secret = secrets.token_hex(32)
    with store.writing() as session:
        session.execute(sa.delete(Webhook))
        session.add(
            Webhook(
                name=NAME,
                address=signed_links.seal(_USE, {"address": address.strip()}),
                host=parts.hostname,
                format=format_name,
                username=viewer.username,
                secret=signed_links.seal(_USE, {"secret": secret}),
                created_by=viewer.username,
            )
        )
        audit_log.record(session, viewer.username, "webhook_entered", parts.hostname)
    return secret


def remove(viewer: Viewer) -> None:
    """Remove the webhook. Needs MANAGE_ALERTS."""
    viewer.require(Permission.MANAGE_ALERTS)
    with store.writing() as session:
        if session.execute(sa.delete(Webhook)).rowcount:
            audit_log.record(session, viewer.username, "webhook_removed", NAME)


def post(username: str, message: AlertMessage) -> None:
    """Send a message to the webhook of that person. Raises NotAllowed, Refused, Unreachable."""
    with store.reading() as session:
        row = session.get(Webhook, NAME)
    if row is None or row.username != username:
        raise NotAllowed
    address = urlsplit(signed_links.unseal(_USE, row.address)["address"])
    key = signed_links.unseal(_USE, row.secret)["secret"].encode()
    body = json.dumps(FORMATS[row.format](message), ensure_ascii=False).encode()
    moment = str(int(now().timestamp()))
    mac = hmac.new(key, moment.encode() + b"." + body, hashlib.sha256).hexdigest()
    headers = {
        "Host": address.netloc.rpartition("@")[2],
        "Content-Type": "application/json",
        "X-Ecoute-Delivery": message.id,
        "X-Ecoute-Timestamp": moment,
        "X-Ecoute-Signature": f"sha256={mac}",
    }
    with _connect(address) as pool:
        target = (address.path or "/") + (f"?{address.query}" if address.query else "")
        try:
            answer = pool.urlopen(
                "POST", target, body, headers, retries=False, redirect=False, preload_content=False
            )
        except urllib3.exceptions.HTTPError as error:
            raise Unreachable from error
        status = answer.status
        answer.close()
    if status == 429 or status >= 500:
        raise Unreachable(status)
    if not 200 <= status < 300:
        raise Refused(status)


def _connect(address: SplitResult) -> urllib3.HTTPConnectionPool:
    try:
        return outside.connect(address, TIMEOUT_SECONDS)
    except OSError as error:
        raise Unreachable from error


def _write_plain(message: AlertMessage) -> dict[str, Any]:
    return {
        "id": message.id,
        "kind": NAME,
        "title": message.title,
        "lines": [line.replace("**", "") for line in message.lines],
        "link": message.link or None,
        "version": message.foot,
    }


def _write_slack(message: AlertMessage) -> dict[str, Any]:
    escaped = (html.escape(line, quote=False) for line in message.lines)
    lines = [f"• {line.replace('**', '*')}" for line in escaped]
    links = [f"<{message.link}>"] if message.link else []
    return {"text": "\n".join((f"*{message.title}*", *lines, *links, message.foot))}


def _write_teams(message: AlertMessage) -> dict[str, Any]:
    lines = [re.sub(r"[\\[]", r"\\\g<0>", line) for line in message.lines]  # no link from a name
    blocks = [
        {"type": "TextBlock", "text": message.title, "weight": "Bolder", "size": "Medium"},
        *({"type": "TextBlock", "text": f"- {line}", "wrap": True} for line in lines),
        {"type": "TextBlock", "text": message.foot, "isSubtle": True, "wrap": True},
    ]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": blocks,
    }
    if message.link:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Écoute", "url": message.link}]
    content_type = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": content_type, "content": card}]}


FORMATS: Mapping[str, Callable[[AlertMessage], dict[str, Any]]] = {
    "json": _write_plain,
    "slack": _write_slack,
    "teams": _write_teams,
}
"""Bodies by format: our own, Slack's incoming webhooks, the Workflows of Teams."""
