"""Uses of tracking numbers: the campaigns of each number's contacts, month by month; and
the currencies of the spend.
"""

from datetime import date

import pandas as pd
import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base.errors import AccessDenied
from qa_core.metrics.kpi import month_sums
from qa_core.metrics.kpi.metric_query import build_query
from qa_core.metrics.kpi.statements import MetricQuery, conditions_on, select_groups
from qa_core.metrics.kpis import COUNTED_DIRECTION
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.storage import engine
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.facts.schema import CONTACTS, EVERY_CONTACT, SPEND, on_every_contact

SOURCE_COLUMNS = ("source", "medium", "campaign")


def find_number_uses(viewer: Viewer, period: Period, assignments: pd.DataFrame) -> pd.DataFrame:
    """Find one row per tracking number, source, medium, campaign, month and assignment
    that covers the day, over all contacts of the whole lake.

    `assignments`: `tracking_number`, `starts_on`, `ends_on` (the day after the last),
    never two for one number and day. Columns: `tracking_number`, `source`, `medium`,
    `campaign`, `month`, `place` (in `assignments`; missing: none covers the day),
    `contacts` (those in the viewer's scope), `first_day`, `last_day`, and of these inside
    the period `inside`, `first_inside`, `last_inside`; `foreign`: contacts out of scope.
    Raises AccessDenied where the viewer may not cut by tracking number.
    """
    viewer.require(Permission.SEE_TRACKING)
    if not viewer.can_cut_by("tracking_number"):
        raise AccessDenied()
    names = ("tracking_number", *SOURCE_COLUMNS, "day")
    found = month_sums.collect(build_query(viewer, names, Filters()), _count_by_day)
    columns = [*(f"by_{name}" for name in names), "contacts", "foreign"]
    days = pd.DataFrame(found, columns=columns)
    days.columns = [*names, "contacts", "foreign"]
    days["day"] = pd.to_datetime(days["day"])
    days["month"] = days["day"].dt.strftime("%Y-%m")
    days["place"] = _find_places(days, assignments)
    days["own_day"] = days["day"].where(days["contacts"] > 0)
    is_inside = days["own_day"].between(
        pd.Timestamp(period.first_day or date.min), pd.Timestamp(period.last_day or date.max)
    )
    days["inside"] = days["contacts"].where(is_inside, 0)
    days["day_inside"] = days["day"].where(is_inside)
    groups = days.groupby(
        ["tracking_number", *SOURCE_COLUMNS, "month", "place"], dropna=False, as_index=False
    )
    return groups.agg(
        contacts=("contacts", "sum"),
        foreign=("foreign", "sum"),
        first_day=("own_day", "min"),
        last_day=("own_day", "max"),
        inside=("inside", "sum"),
        first_inside=("day_inside", "min"),
        last_inside=("day_inside", "max"),
    )


def _count_by_day(question: MetricQuery) -> Scoped:
    """Count the contacts on tracking numbers, in the viewer's scope and beyond it."""
    mine, rows = EVERY_CONTACT.c.is_own, sa.func.count().filter
    counts = [rows(mine).label("contacts"), rows(sa.not_(mine)).label("foreign")]
    statement = select_groups(question.groups(CONTACTS.c), counts).where(
        COUNTED_DIRECTION, CONTACTS.c.tracking_number.is_not(None), *conditions_on(question)
    )
    return Scoped(
        on_every_contact(statement),
        question.viewer,
        beyond="The assignment of a tracking number concerns all its contacts. Contacts of other "
        "teams are only counted.",
    )


def _find_places(days: pd.DataFrame, assignments: pd.DataFrame) -> pd.Series:
    """Return the place of the assignment that covers each row, by number and day."""
    known = assignments.assign(place=range(len(assignments)))
    pairs = days[["tracking_number", "day"]].drop_duplicates().merge(known, on="tracking_number")
    starts, ends = (pd.to_datetime(pairs[name]) for name in ("starts_on", "ends_on"))
    covers = (pairs["day"] >= starts) & (pairs["day"] < ends)
    places = pairs[covers].set_index(["tracking_number", "day"])["place"]
    return places.reindex(pd.MultiIndex.from_frame(days[["tracking_number", "day"]])).array


def find_currencies(viewer: Viewer) -> list[str]:
    """Find the currencies of all spend, in alphabetical order."""
    viewer.require(Permission.SEE_TRACKING)
    statement = sa.select(SPEND.c.currency).distinct().order_by(SPEND.c.currency)
    frame = engine.current().run(Scoped(statement, viewer))
    return list(frame["currency"])
