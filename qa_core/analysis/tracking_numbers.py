"""Campaigns of tracking numbers, as they were assigned from one day to another."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pandas as pd

from qa_core.access.roles import Viewer
from qa_core.centre.rules import number_assignments
from qa_core.metrics import query
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.storage import name_merges
from qa_core.storage.records import store

KEY = ["tracking_number", *number_assignments.VALUES]


@dataclass(frozen=True)
class CampaignSpan:
    """Days on which a number was assigned to a campaign (inclusive; None: open), and the
    contacts received in the period and on these days, with the campaign.
    """

    number: str
    source: str | None
    medium: str | None
    campaign: str | None
    first_day: date | None
    last_day: date | None
    contacts: int

    @property
    def campaign_key(self) -> tuple[str | None, str | None, str | None]:
        return self.source, self.medium, self.campaign


def find_spans(viewer: Viewer, period: Period = Period()) -> tuple[CampaignSpan, ...]:
    """Return the assignments that brought contacts of the viewer in the period, by number and
    day. Raise AccessDenied for viewers who may not cut by tracking number.
    """
    received = query.measure(viewer, ("received",), (*KEY, "day"), Filters(period))
    with store.reading() as session:
        spelled = name_merges.find_kept_names(session)["campaign"]
        assigned = number_assignments.build_table(session).to_pandas()
    assigned["campaign"] = assigned["campaign"].replace(spelled)
    pairs = assigned.reset_index(names="place").merge(received, on=KEY)
    days, starts, ends = (pd.to_datetime(pairs[name]) for name in ("day", "starts_on", "ends_on"))
    counts = pairs[(days >= starts) & (days < ends)].groupby("place")["n"].sum()
    spans = [
        CampaignSpan(
            *(_known(getattr(row, name)) for name in KEY),
            None if row.starts_on == date.min else row.starts_on,
            None if row.ends_on == date.max else row.ends_on - timedelta(days=1),
            int(counts[row.Index]),
        )
        for row in assigned.itertuples()
        if counts.get(row.Index)
    ]
    return tuple(sorted(spans, key=lambda span: (span.number, span.first_day or date.min)))


def _known(value: Any) -> str | None:
    return None if pd.isna(value) else value
