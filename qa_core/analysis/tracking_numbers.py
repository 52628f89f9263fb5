"""Campaigns of tracking numbers, from one day to another: as assigned, or as contacts say."""

from collections.abc import Iterator
from dataclasses import dataclass
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

KEY = ["tracking_number", *SOURCE_COLUMNS]


@dataclass(frozen=True)
class CampaignSpan:
    """Days on which a number carried a campaign: of an assignment (inclusive; None: open),
    else of the first and last contact. `contacts`: in the period and on these days, with
    the campaign.
    """

    number: str
    source: str | None
    medium: str | None
    campaign: str | None
    first_day: date | None
    last_day: date | None
    is_assigned: bool
    contacts: int

    @property
    def campaign_key(self) -> tuple[str | None, str | None, str | None]:
        return self.source, self.medium, self.campaign


def find_spans(viewer: Viewer, period: Period = Period()) -> tuple[CampaignSpan, ...]:
    """Return the campaigns of numbers by number and day, with the viewer's contacts of the
    period.

    Numbers with contacts only outside the viewer's scope are left out. Raise AccessDenied
    for viewers who may not cut by tracking number.
    """
    uses = query.find_number_uses(viewer)
    is_inside = uses["day"].between(
        pd.Timestamp(period.first_day or date.min), pd.Timestamp(period.last_day or date.max)
    )
    uses["inside"] = uses["contacts"].where(is_inside, 0)
    of_number = uses.groupby("tracking_number")[["contacts", "foreign"]].sum()
    hidden = set(of_number.index[(of_number["contacts"] == 0) & (of_number["foreign"] > 0)])
    with store.reading() as session:
        spelled = name_merges.find_kept_names(session)["campaign"]
        assigned = number_assignments.build_table(session).to_pandas()
    assigned["campaign"] = assigned["campaign"].replace(spelled)
    counts = _count_contacts(assigned, uses)
    spans = [
        CampaignSpan(
            *_read_key(row),
            None if row.starts_on == date.min else row.starts_on,
            None if row.ends_on == date.max else row.ends_on - timedelta(days=1),
            True,
            int(counts.get(row.Index, 0)),
        )
        for row in assigned.itertuples()
        if row.tracking_number not in hidden
    ]
    known = {(span.number, *span.campaign_key) for span in spans}
    spans += [span for span in _find_seen(uses) if (span.number, *span.campaign_key) not in known]
    return tuple(sorted(spans, key=lambda span: (span.number, span.first_day or date.min)))


def _count_contacts(assigned: pd.DataFrame, uses: pd.DataFrame) -> pd.Series:
    """Count the contacts of each assignment, by its place: on its number, with its campaign, on
    its days.
    """
    pairs = assigned.reset_index(names="place").merge(uses, on=KEY)
    starts, ends = (pd.to_datetime(pairs[name]) for name in ("starts_on", "ends_on"))
    on_its_days = (pairs["day"] >= starts) & (pairs["day"] < ends)
    return pairs[on_its_days].groupby("place")["inside"].sum()


def _find_seen(uses: pd.DataFrame) -> Iterator[CampaignSpan]:
    """Yield the campaigns that contacts carry, with the days of the first and the last one."""
    is_known = uses["source"].notna() | uses["campaign"].notna()
    groups = uses[is_known & (uses["contacts"] > 0)].groupby(KEY, dropna=False, as_index=False)
    seen = groups.agg(first=("day", "min"), last=("day", "max"), inside=("inside", "sum"))
    for row in seen.itertuples():
        yield CampaignSpan(
            *_read_key(row), row.first.date(), row.last.date(), False, int(row.inside)
        )


def _read_key(row: Any) -> list[str | None]:
    """Return number, source, medium and campaign of a row."""
    return [None if pd.isna(getattr(row, name)) else getattr(row, name) for name in KEY]
