"""Files that leave the centre: made at the moment they are fetched, for one session, and
journalled.

Streamlit's own download addresses need no session and outlive the tab, so nothing
personal goes that way (docs/access.md, section 4).
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qa_core.access.roles import Permission
from qa_core.access.sessions import SignedIn
from qa_core.base import signed_links
from qa_core.base.errors import AccessDenied
from qa_core.storage import audit_log

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""The wide forms too: some spreadsheets read them as the narrow ones."""

_PLACES = r"""(?:^|(?<=[,;|\t\r\n])){}(?=['"]*[=+\-@＝＋－＠])|^{}(?=['"]*[\t\r\n])"""
_FORMULA_PLACES = re.compile(_PLACES.format("", ""))
"""Places of a text where a spreadsheet may start a formula: one whose locale separates
cells by another sign than the comma starts some inside our cells.
"""
_ESCAPES = re.compile(_PLACES.format("'", "'"))


@dataclass(frozen=True)
class Download:
    file_name: str
    media_type: str
    content: bytes


@dataclass(frozen=True)
class DownloadKind:
    """Kind of download: its permission, and what makes it from the viewer and the parameters."""

    permission: Permission
    build: Callable[..., Download]


KINDS: dict[str, DownloadKind] = {}
"""Filled through `declare` when a room is loaded: the page that makes a link loaded its room."""


def declare(name: str, permission: Permission, build: Callable[..., Download]) -> None:
    """Make a kind of download known: `build(viewer, **parameters)`."""
    KINDS[name] = DownloadKind(permission, build)


def make_ticket(signed_in: SignedIn, kind: str, **parameters: Any) -> str:
    """Make a link's end, good while this session lasts. Raises AccessDenied."""
    signed_in.viewer.require(KINDS[kind].permission)
    return signed_links.seal(
        "download",
        {
            "kind": kind,
            "with": parameters,
            "session": signed_in.session_id,
        },
    )


def open_ticket(signed_in: SignedIn, ticket: str) -> Download:
    """Make the file of that link, and journal it. Raises AccessDenied for a link that
    is forged or another session's.
    """
    request = signed_links.unseal("download", ticket)
    if request["session"] != signed_in.session_id or request["kind"] not in KINDS:
        raise AccessDenied()
    kind = KINDS[request["kind"]]
    signed_in.viewer.require(kind.permission)
    download = kind.build(signed_in.viewer, **request["with"])
    hidden = _hide_advisors(request["with"])
    reason = json.dumps(hidden, sort_keys=True) if hidden else ""
    audit_log.note_reading(signed_in.viewer.username, "export", request["kind"], reason)
    return download


def _hide_advisors(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Replace advisors among the parameters of a download by their pseudonyms."""
    hidden = dict(parameters)
    if "advisor_id" in hidden:
        hidden["advisor_id"] = audit_log.name_advisor(hidden["advisor_id"])
    if "values" in hidden:
        hidden["values"] = [
            [name, [who and audit_log.name_advisor(who) for who in chosen]]
            if name == "advisor"
            else [name, chosen]
            for name, chosen in hidden["values"]
        ]
    return hidden


def to_csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """Build a CSV file that spreadsheets of every locale open as text."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([escape(cell) for cell in header])
    writer.writerows([escape(cell) for cell in row] for row in rows)
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def escape(cell: Any) -> Any:
    """Put an apostrophe before what would start a formula; numbers stay numbers."""
    return _FORMULA_PLACES.sub("'", cell) if isinstance(cell, str) else cell


def unescape(cell: str) -> str:
    """Take back the apostrophes of `escape`."""
    return _ESCAPES.sub("", cell)
