"""Aircall: calls by the time of their start. Pages end at 10,000 calls, so none is turned: each
request begins where the last one ended, and days of more calls are halved.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from qa_core.sources.protocol.declaration import (
    COUNT,
    Page,
    SourceAccess,
    SourcePlatform,
    Span,
    as_documented,
)
from qa_core.sources.protocol.http import Client, build_basic

PAGE_ROWS = 50
WALL = 10_000
"""Number of calls of one search that the API gives, however many there are."""
Calls = list[dict[str, Any]]


def read(access: SourceAccess, span: Span) -> Iterator[Page]:
    """Read the calls of a span, and state how many there are before and after."""
    with Client(access.address, build_basic(access.secret or ""), access.wait) as client:
        first, last = int(span.since.timestamp()), int(span.until.timestamp()) - 1
        yield Page((), _count(client, first, last))
        yield from _read_part(client, first, last)
        yield Page((), _count(client, first, last))


def _count(client: Client, first: int, last: int) -> int:
    """Count the calls of these seconds: the sum of parts that are each below the wall."""
    _calls, total = _find(client, first, last, rows=1)
    if total < WALL or first >= last:
        return total
    middle = (first + last) // 2
    return _count(client, first, middle) + _count(client, middle + 1, last)


def _read_part(client: Client, first: int, last: int) -> Iterator[Page]:
    page = 1
    while True:
        calls, total = _find(client, first, last, page)
        yield Page(calls)
        if not calls or page * PAGE_ROWS >= total:
            return
        end = max(_read_start(call) for call in calls)
        if end > first:
            first, page = end, 1
        elif page * PAGE_ROWS < min(total, WALL):
            page += 1  # more calls in one second than a page holds
        else:
            first, page = first + 1, 1
        if first > last:
            return


def _find(
    client: Client, first: int, last: int, page: int = 1, rows: int = PAGE_ROWS
) -> tuple[Calls, int]:
    answer = client.get(
        "/v1/calls", order="asc", per_page=rows, page=page, **{"from": first}, to=last
    )
    with as_documented():
        return answer["calls"], int(answer["meta"]["total"])


def _read_start(call: dict[str, Any]) -> int:
    with as_documented():
        return int(call["started_at"])


PLATFORM = SourcePlatform(
    title="Aircall",
    basis=COUNT,
    settle=timedelta(days=1),
    read=read,
    key="id",
    profile="aircall",
    address="https://api.aircall.io",
)
