"""CallRail: calls by links from page to page. Such pages state no number of calls."""

from collections.abc import Iterator
from datetime import timedelta

from qa_core.base.environment import to_local
from qa_core.sources.protocol.declaration import (
    NONE,
    Page,
    SourceAccess,
    SourcePlatform,
    Span,
    as_documented,
)
from qa_core.sources.protocol.http import Client

PAGE_ROWS = 250
FIELDS = (
    "source,medium,campaign,keywords,landing_page_url,agent_email,utm_source,utm_medium,"
    "utm_campaign,utm_term"
)
"""Fields that are given only when they are asked for."""


def read(access: SourceAccess, span: Span) -> Iterator[Page]:
    """Read the calls of a span. The secret is `account:key`."""
    account, _colon, key = (access.secret or "").partition(":")
    token = {"Authorization": f'Token token="{key}"'}
    with Client(access.address, lambda: token, access.wait) as client:
        answer = client.get(
            f"/v3/a/{account}/calls.json",
            start_date=to_local(span.since).isoformat(),
            end_date=to_local(span.until - timedelta(seconds=1)).isoformat(),
            relative_pagination="true",
            sort="start_time",
            order="asc",
            per_page=PAGE_ROWS,
            fields=FIELDS,
        )
        while True:
            with as_documented():
                yield Page(answer["calls"])
                has_next, link = answer["has_next_page"], answer.get("next_page")
            if not has_next:
                return
            answer = client.follow(link)


PLATFORM = SourcePlatform(
    title="CallRail",
    basis=NONE,
    settle=timedelta(days=7),
    read=read,
    key="id",
    profile="callrail",
    address="https://api.callrail.com",
)
