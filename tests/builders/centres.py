"""Small centres for tests: contacts from short dicts, landed in a real lake;
evaluations, spend and people in real records.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from qa_core.access.roles import Viewer
from qa_core.metrics.kpi import editions
from qa_core.storage import lake
from qa_core.storage.facts.schema import (
    CONTACT_KEY,
    CONTACTS,
    DERIVED,
    INTERVAL_KEY,
    INTERVALS,
    NEIGHBOURS,
    SPEND,
    arrow_schema,
)
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.evaluations import Evaluation, EvaluationAnswer
from qa_core.storage.records.people import Advisor, Site, Team

ENVIRONMENT = (
    "QA_DATABASE_URL",
    "QA_LAKE_URL",
    "QA_ENGINE_URL",
    "QA_ENGINE_SECONDS",
    "QA_ENGINE_LAKE_URL",
    "QA_TIMEZONE",
    "QA_COUNTRY",
    "QA_PROXIES",
    "QA_ANCHOR",
    "QA_LANGUAGE",
    "QA_CLOCK",
)
"""What a test must not take over from whoever runs it."""

PARIS = ZoneInfo("Europe/Paris")
NOT_GIVEN = (*NEIGHBOURS, *DERIVED["contacts"], "batch_id")
GIVEN = [column.name for column in CONTACTS.columns if column.name not in NOT_GIVEN]


def contact(local_start: datetime | str, contact_id: str = "", **columns: Any) -> dict[str, Any]:
    """One contact at that wall-clock time in Paris; answered and inbound unless said
    otherwise.
    """
    clock = datetime.fromisoformat(local_start) if isinstance(local_start, str) else local_start
    started_at = clock.replace(tzinfo=PARIS).astimezone(UTC).replace(tzinfo=None)
    row = dict.fromkeys(GIVEN) | {
        "source_system": "generic",
        "contact_id": contact_id,
        "direction": "inbound",
        "channel": "phone",
        "outcome": "answered",
    }
    return (
        row | {"started_at": started_at, "local_start": clock, "month": f"{clock:%Y-%m}"} | columns
    )


def land(contacts: Iterable[Mapping[str, Any]], batch_id: str = "first") -> None:
    """Merge contacts into the lake; those without an id are numbered."""
    rows = [
        {**row, "contact_id": row["contact_id"] or f"c{position}"}
        for position, row in enumerate(contacts)
    ]
    schema = arrow_schema(CONTACTS)
    table = pa.Table.from_pylist(rows, schema=pa.schema([schema.field(name) for name in GIVEN]))
    lake.merge_contacts(
        table, [name for name in GIVEN if name not in (*CONTACT_KEY, "month")], batch_id
    )


def close_month(month: str) -> None:
    """Land one contact of the day after the month (`YYYY-MM`): in the data it is over. Publish
    all such months: executives see them.
    """
    following = (date.fromisoformat(f"{month}-01") + timedelta(days=32)).replace(day=1)
    land([contact(f"{following} 10:00", "after", advisor_id="a0")], "after")
    publish()


def publish(*months: str) -> None:
    """Publish the months (`YYYY-MM`) that are over in the data, all by default: executives
    see them. Each takes a second.
    """
    editions.publish(Viewer.SYSTEM, months)


def land_spend(
    rows: Iterable[tuple[str, str | None, str | None, float, str]], batch_id: str = "money"
) -> None:
    """Merge spend from (day, source, campaign, amount, currency)."""
    made = [
        {
            "day": date.fromisoformat(day),
            "month": day[:7],
            "source": source,
            "campaign": campaign,
            "amount": amount,
            "currency": currency,
            "batch_id": batch_id,
        }
        for day, source, campaign, amount, currency in rows
    ]
    lake.merge_spend(pa.Table.from_pylist(made, schema=arrow_schema(SPEND)), batch_id)


def interval(
    local_start: datetime | str, length_minutes: int = 1440, **columns: Any
) -> dict[str, Any]:
    """The totals of some minutes from that wall-clock time in Paris on; of no queue
    unless said otherwise.
    """
    clock = datetime.fromisoformat(local_start) if isinstance(local_start, str) else local_start
    started_at = clock.replace(tzinfo=PARIS).astimezone(UTC).replace(tzinfo=None)
    row = {column.name: None for column in INTERVALS.columns if column.name != "batch_id"} | {
        "source_system": "acd",
        "channel": "phone",
    }
    return (
        row
        | {
            "started_at": started_at,
            "local_start": clock,
            "month": f"{clock:%Y-%m}",
            "length_minutes": length_minutes,
        }
        | columns
    )


def land_intervals(
    intervals: Iterable[Mapping[str, Any]],
    batch_id: str = "totals",
    carried: Iterable[str] | None = None,
) -> lake.MergeResult:
    """Merge totals into the lake; `carried`: the columns that the file carries
    (default: all).
    """
    schema = arrow_schema(INTERVALS)
    given = [name for name in schema.names if name != "batch_id"]
    table = pa.Table.from_pylist(
        list(intervals), schema=pa.schema([schema.field(name) for name in given])
    )
    measures = [name for name in given if name not in (*INTERVAL_KEY, "local_start", "month")]
    return lake.merge_intervals(table, list(measures if carried is None else carried), batch_id)


def add_people(advisors: Mapping[str, str] = {}, teams: Mapping[str, str | None] = {}) -> None:
    """Add advisors (id → name) and teams (team → site)."""
    with store.writing() as session:
        session.add_all(
            Site(name=site) for site in sorted({site for site in teams.values() if site})
        )
        session.flush()
        session.add_all(Team(name=team, site_name=site) for team, site in teams.items())
        session.add_all(
            Advisor(advisor_id=advisor_id, name=name) for advisor_id, name in advisors.items()
        )


def evaluation(
    of: Mapping[str, Any],
    score: float | None,
    answers: Mapping[tuple[str, str], tuple[float | None, float]] = {},
    **columns: Any,
) -> Evaluation:
    """An evaluation of a contact; `answers` are (section, criterion) → (earned,
    possible).
    """
    made = Evaluation(
        source_system=of["source_system"],
        contact_id=of["contact_id"],
        advisor_id=of["advisor_id"],
        team=of["team"],
        local_day=of["local_start"].date(),
        score=score,
        **{"evaluated_at": now(), "evaluator": "eve", "grid_name": "Service"} | columns,
    )
    made.answers = [
        EvaluationAnswer(
            section=section,
            criterion=criterion,
            earned=earned,
            possible=possible,
            applied_weight=0.0,
            applicable=earned is not None,
        )
        for (section, criterion), (earned, possible) in answers.items()
    ]
    return made
