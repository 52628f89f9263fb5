"""Twilio: calls by links from page to page, asked for by days of UTC. No number is stated."""

from collections.abc import Iterator
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime

from qa_core.sources.protocol.declaration import (
    NONE,
    Page,
    Row,
    SourceAccess,
    SourcePlatform,
    Span,
    as_documented,
)
from qa_core.sources.protocol.http import Client, build_basic

PAGE_ROWS = 1000


def read(access: SourceAccess, span: Span) -> Iterator[Page]:
    """Read the calls that began in a span. The secret is `account:token`, or
    `account:key:secret` with an API key.
    """
    account, _colon, rest = (access.secret or "").partition(":")
    headers = build_basic(rest if ":" in rest else f"{account}:{rest}")
    last = span.until - timedelta(seconds=1)
    with Client(access.address, headers, access.wait) as client:
        answer = client.get(
            f"/2010-04-01/Accounts/{account}/Calls.json",
            PageSize=PAGE_ROWS,
            **{
                "StartTime>": f"{span.since.astimezone(UTC):%Y-%m-%d}",
                "StartTime<": f"{last.astimezone(UTC) + timedelta(days=1):%Y-%m-%d}",
            },
        )
        while True:
            with as_documented():
                yield Page([call for call in answer["calls"] if _is_within(call, span)])
                link = answer["next_page_uri"]
            if not link:
                return
            answer = client.follow(link)


def _is_within(call: Row, span: Span) -> bool:
    started = call["start_time"] or call["date_created"]  # not started while it is queued
    return span.since <= parsedate_to_datetime(started) < span.until


PLATFORM = SourcePlatform(
    title="Twilio",
    basis=NONE,
    settle=timedelta(days=7),
    read=read,
    key="sid",
    profile="twilio",
    address="https://api.twilio.com",
)
