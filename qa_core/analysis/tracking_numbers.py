"""Campaigns of tracking numbers, from one day to another, as assigned."""

from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd

from qa_core.access.roles import Viewer
from qa_core.centre.rules import number_assignments
from qa_core.metrics import query
from qa_core.metrics.kpis.dimensions import Period
from qa_core.metrics.rows.tracking import SOURCE_COLUMNS
from qa_core.storage import name_merges
from qa_core.storage.records import store


@dataclass(frozen=True)
class NumberAssignment:
    """Days on which a number was assigned to a campaign (inclusive; None: open).
    `contacts`: those of the period on these days that carry the campaign.
    """

    number: str
    source: str | None
    medium: str | None
    campaign: str | None
    first_day: date | None
    last_day: date | None
    contacts: int = 0

    @property
    def campaign_key(self) -> tuple[str | None, str | None, str | None]:
        return self.source, self.medium, self.campaign


def find_assignments(viewer: Viewer, period: Period = Period()) -> tuple[NumberAssignment, ...]:
    """Return the assignments by number and day, with the viewer's contacts of the period.

    Numbers with contacts only outside the viewer's scope are left out. Raise AccessDenied
    for viewers who may not cut by tracking number.
    """
    uses = query.find_number_uses(viewer)
    of_number = uses.groupby("tracking_number")[["contacts", "foreign"]].sum()
    hidden = set(of_number.index[(of_number["contacts"] == 0) & (of_number["foreign"] > 0)])
    with store.reading() as session:
        spelled = name_merges.find_kept_names(session)["campaign"]
        assigned = number_assignments.build_table(session).to_pandas()
    assigned["campaign"] = assigned["campaign"].replace(spelled)
    counts = _count_contacts(assigned, uses, period)
    found = [
        NumberAssignment(
            row.tracking_number,
            *(
                None if pd.isna(value) else value
                for value in (row.source, row.medium, row.campaign)
            ),
            None if row.starts_on == date.min else row.starts_on,
            None if row.ends_on == date.max else row.ends_on - timedelta(days=1),
            int(counts.get(row.Index, 0)),
        )
        for row in assigned.itertuples()
        if row.tracking_number not in hidden
    ]
    return tuple(sorted(found, key=lambda one: (one.number, one.first_day or date.min)))


def _count_contacts(assigned: pd.DataFrame, uses: pd.DataFrame, period: Period) -> pd.Series:
    """Count the contacts of each assignment, by its place: on its number, with its campaign, on
    its days.
    """
    is_inside = uses["day"].between(
        pd.Timestamp(period.first_day or date.min), pd.Timestamp(period.last_day or date.max)
    )
    pairs = assigned.reset_index(names="place").merge(
        uses[is_inside], on=["tracking_number", *SOURCE_COLUMNS]
    )
    starts, ends = (pd.to_datetime(pairs[name]) for name in ("starts_on", "ends_on"))
    on_its_days = (pairs["day"] >= starts) & (pairs["day"] < ends)
    return pairs[on_its_days].groupby("place")["contacts"].sum()
