"""Genesys Cloud: conversation details. What the platform says is available comes from a job,
whose results do not move; what is newer comes page by page.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from qa_core.sources.protocol.declaration import (
    COUNT,
    Page,
    SourceAccess,
    SourceFailed,
    SourcePlatform,
    Span,
    as_documented,
)
from qa_core.sources.protocol.http import Client, build_basic

PAGE_ROWS = 100
JOB_ROWS = 1000
WALL = 100_000
"""Number of conversations of one query that the pages reach."""
SHORTEST = timedelta(seconds=1)
"""Time that is not halved any more."""
JOB_SECONDS, MAX_LOOKS = 5, 360
"""Seconds between two looks at a job, and the number of looks."""
_DETAILS = "/api/v2/analytics/conversations/details"


def read(access: SourceAccess, span: Span) -> Iterator[Page]:
    """Read the conversations of a span. The secret is `client:secret` of an OAuth client with
    client credentials.
    """
    headers = _build_renewal(access)
    with Client(access.address, headers, access.wait, may_renew=True) as client:
        yield Page((), _count(client, span))
        if _find_available(client) >= span.until:
            yield from _read_job(client, span, access.wait)
        else:
            yield from _read_pages(client, span)
        yield Page((), _count(client, span))


def _build_renewal(access: SourceAccess) -> Callable[[], Mapping[str, str]]:
    """Build the function that asks the login host for a new token."""
    address = access.address.replace("://api.", "://login.", 1)

    def renew() -> Mapping[str, str]:
        with Client(address, build_basic(access.secret or ""), access.wait) as login:
            form = "application/x-www-form-urlencoded"
            answer = login.send("POST", "/oauth/token", b"grant_type=client_credentials", form)
        return {"Authorization": f"Bearer {_take(answer, 'access_token')}"}

    return renew


def _take(answer: Any, name: str) -> Any:
    with as_documented():
        return answer[name]


def _build_query(span: Span) -> dict[str, Any]:
    moments = (
        f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.000Z}" for moment in (span.since, span.until)
    )
    return {"interval": "/".join(moments), "order": "asc", "orderBy": "conversationStart"}


def _post(client: Client, path: str, content: Mapping[str, Any]) -> Any:
    return client.send("POST", path, json.dumps(content).encode())


def _find(client: Client, span: Span, page: int, rows: int) -> Any:
    paging = {"pageSize": rows, "pageNumber": page}
    return _post(client, f"{_DETAILS}/query", _build_query(span) | {"paging": paging})


def _count(client: Client, span: Span) -> int:
    return int(_take(_find(client, span, 1, 1), "totalHits"))


def _read_pages(client: Client, span: Span) -> Iterator[Page]:
    is_within = _count(client, span) < WALL
    for number in range(1, WALL // PAGE_ROWS + 1) if is_within else ():
        # The key is left out of an answer without conversations.
        answer = _find(client, span, number, PAGE_ROWS)
        yield Page(answer.get("conversations") or [])
        if number * PAGE_ROWS >= _take(answer, "totalHits"):
            return
    # More than the pages reach, or more have come meanwhile.
    if span.until - span.since <= SHORTEST:
        return  # the count shows what is missing
    middle = span.since + (span.until - span.since) / 2
    yield from _read_pages(client, Span(span.since, middle))
    yield from _read_pages(client, Span(middle, span.until))


def _find_available(client: Client) -> datetime:
    """Find the moment before which the platform has every conversation."""
    text = _take(client.get(f"{_DETAILS}/jobs/availability"), "dataAvailabilityDate")
    with as_documented():
        return datetime.fromisoformat(text)


def _read_job(client: Client, span: Span, wait: Callable[[float], None]) -> Iterator[Page]:
    job = quote(str(_take(_post(client, f"{_DETAILS}/jobs", _build_query(span)), "jobId")), safe="")
    for _look in range(MAX_LOOKS):
        state = _take(client.get(f"{_DETAILS}/jobs/{job}"), "state")
        if state == "FULFILLED":
            break
        if state not in ("QUEUED", "PENDING"):
            raise SourceFailed("refused")
        wait(JOB_SECONDS)
    else:
        raise SourceFailed("unreachable")
    cursor = None
    while True:
        answer = client.get(f"{_DETAILS}/jobs/{job}/results", pageSize=JOB_ROWS, cursor=cursor)
        yield Page(answer.get("conversations") or [])
        cursor = answer.get("cursor")
        if not cursor:
            return


PLATFORM = SourcePlatform(
    title="Genesys Cloud",
    basis=COUNT,
    settle=timedelta(days=2),
    read=read,
    key="conversationId",
    profile="genesys_cloud",
    asks=("address", "secret"),
)
