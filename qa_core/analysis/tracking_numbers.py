"""Campaigns of tracking numbers over time, and contacts without a campaign."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import pandas as pd

from qa_core.access.roles import Viewer
from qa_core.centre.rules import number_assignments
from qa_core.metrics import query
from qa_core.metrics.kpis.dimensions import Period
from qa_core.metrics.rows.tracking import SOURCE_COLUMNS
from qa_core.storage import name_merges
from qa_core.storage.records import store

GAP = "gap"
NEVER = "never"
UNSEEN = "unseen"
"""Reasons why contacts on a number have no campaign: outside its assignments; never
assigned; campaigns known call by call, but not for these.
"""


@dataclass(frozen=True)
class CampaignSpan:
    """Days on which a number carried one campaign (inclusive): of an assignment as
    entered (None: open), else of the first and last contact. `contacts`: all of them;
    `inside`: those in the period; `is_shared`: another campaign overlaps these days.
    """

    number: str
    source: str | None
    medium: str | None
    campaign: str | None
    first_day: date | None
    last_day: date | None
    is_assigned: bool
    contacts: int = 0
    inside: int = 0
    is_shared: bool = False

    @property
    def campaign_key(self) -> tuple[str | None, str | None, str | None]:
        return self.source, self.medium, self.campaign


@dataclass(frozen=True)
class UnassignedContacts:
    """Contacts of a period on a number without campaign and source: `contacts` of
    `among`. `reason`: GAP, NEVER or UNSEEN; `last_span`: the last known campaign of the
    number.
    """

    number: str
    contacts: int
    among: int
    first_day: date
    last_day: date
    reason: str
    last_span: CampaignSpan | None


@dataclass(frozen=True)
class NumberHistory:
    """Campaign spans by number and day; contacts without one, most first."""

    spans: tuple[CampaignSpan, ...] = ()
    unassigned: tuple[UnassignedContacts, ...] = ()


def find_history(viewer: Viewer, period: Period = Period()) -> NumberHistory:
    """Return the history of each tracking number from the viewer's contacts and the
    assignments, over all data; `inside` and `unassigned` for the period.

    Numbers with contacts only outside the viewer's scope are left out, with their
    assignments. Raise AccessDenied for viewers who may not cut by tracking number.
    """
    with store.reading() as session:
        spelled = name_merges.find_kept_names(session)["campaign"]
        table = number_assignments.build_table(session)
    assigned = [_read_assignment(row, spelled) for row in table.to_pylist()]
    frame = query.find_number_uses(
        viewer, period, table.select(["tracking_number", "starts_on", "ends_on"]).to_pandas()
    )
    totals = frame.groupby("tracking_number")[["contacts", "foreign", "inside"]].sum()
    hidden = set(totals.index[(totals["contacts"] == 0) & (totals["foreign"] > 0)])
    uses = [row for row in frame.itertuples() if row.contacts]
    spans = [*_count_assigned(assigned, uses, hidden), *_find_seen(assigned, uses)]
    spans.sort(
        key=lambda span: (
            span.number,
            span.first_day or date.min,
            span.last_day or date.max,
            str(span.campaign_key),
        )
    )
    shared = tuple(replace(span, is_shared=_is_shared(span, spans)) for span in spans)
    unassigned = _find_unassigned(uses, shared, totals["inside"])
    return NumberHistory(
        shared, tuple(sorted(unassigned, key=lambda span: (-span.contacts, span.number)))
    )


def _read_assignment(row: Mapping[str, Any], spelled: Mapping[str, str]) -> CampaignSpan:
    campaign = spelled.get(row["campaign"], row["campaign"])
    first_day = None if row["starts_on"] == date.min else row["starts_on"]
    last_day = None if row["ends_on"] == date.max else row["ends_on"] - timedelta(days=1)
    number, source = row["tracking_number"], row["source"]
    return CampaignSpan(number, source, row["medium"], campaign, first_day, last_day, True)


def _count_assigned(
    assigned: Sequence[CampaignSpan], uses: Sequence[Any], hidden: set[str]
) -> Iterator[CampaignSpan]:
    """Yield the assignments with the contacts that carry their campaign."""
    counts: dict[int, tuple[int, int]] = {}
    for row in uses:
        position = _read_place(row)
        if position is not None and _read_campaign(row) == assigned[position].campaign_key:
            whole, inside = counts.get(position, (0, 0))
            counts[position] = (whole + int(row.contacts), inside + int(row.inside))
    for position, span in enumerate(assigned):
        if span.number not in hidden:
            whole, inside = counts.get(position, (0, 0))
            yield replace(span, contacts=whole, inside=inside)


def _find_seen(assigned: Sequence[CampaignSpan], uses: Sequence[Any]) -> Iterator[CampaignSpan]:
    """Yield unassigned campaigns of contacts; consecutive months are one span."""
    seen: dict[tuple[Any, ...], dict[str, CampaignSpan]] = {}
    for row in uses:
        campaign_key, position = _read_campaign(row), _read_place(row)
        if (campaign_key[0] is None and campaign_key[2] is None) or (
            position is not None and campaign_key == assigned[position].campaign_key
        ):
            continue
        span = CampaignSpan(
            row.tracking_number,
            *campaign_key,
            _to_date(row.first_day),
            _to_date(row.last_day),
            False,
            int(row.contacts),
            int(row.inside),
        )
        months = seen.setdefault((row.tracking_number, *campaign_key), {})
        months[row.month] = _merge(months[row.month], span) if row.month in months else span
    for months in seen.values():
        runs: list[CampaignSpan] = []
        for month in sorted(months):
            if runs and _is_next_month(runs[-1].last_day, month):
                runs[-1] = _merge(runs[-1], months[month])
            else:
                runs.append(months[month])
        yield from runs


def _find_unassigned(
    uses: Sequence[Any], spans: Sequence[CampaignSpan], inside: pd.Series
) -> Iterator[UnassignedContacts]:
    rows: dict[str, list[Any]] = {}
    for row in uses:
        source, _medium, campaign = _read_campaign(row)
        if source is None and campaign is None and row.inside:
            rows.setdefault(row.tracking_number, []).append(row)
    for number, numbered in rows.items():
        of_number = [span for span in spans if span.number == number]
        first_day = min(_to_date(row.first_inside) for row in numbered)
        last_day = max(_to_date(row.last_inside) for row in numbered)
        before = [
            span for span in of_number if span.contacts and (span.first_day or date.min) <= last_day
        ]
        last_span = max(
            before, key=lambda span: (span.last_day or date.max, span.contacts), default=None
        )
        reason = (
            GAP if any(span.is_assigned for span in of_number) else UNSEEN if of_number else NEVER
        )
        yield UnassignedContacts(
            number,
            int(sum(row.inside for row in numbered)),
            int(inside[number]),
            first_day,
            last_day,
            reason,
            last_span,
        )


def _is_shared(span: CampaignSpan, spans: Sequence[CampaignSpan]) -> bool:
    return any(
        other.number == span.number
        and other.campaign_key != span.campaign_key
        and (other.first_day or date.min) <= (span.last_day or date.max)
        and (span.first_day or date.min) <= (other.last_day or date.max)
        for other in spans
    )


def _merge(span: CampaignSpan, other: CampaignSpan) -> CampaignSpan:
    return replace(
        span,
        first_day=min(span.first_day, other.first_day),
        last_day=max(span.last_day, other.last_day),
        contacts=span.contacts + other.contacts,
        inside=span.inside + other.inside,
    )


def _is_next_month(last_day: date, month: str) -> bool:
    return (last_day.replace(day=1) + timedelta(days=31)).strftime("%Y-%m") == month


def _read_campaign(row: Any) -> tuple[str | None, ...]:
    return tuple(
        None if pd.isna(getattr(row, name)) else getattr(row, name) for name in SOURCE_COLUMNS
    )


def _read_place(row: Any) -> int | None:
    return None if pd.isna(row.place) else int(row.place)


def _to_date(moment: Any) -> date:
    return pd.Timestamp(moment).date()
