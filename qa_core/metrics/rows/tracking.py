"""Uses of tracking numbers: the campaigns of each number's contacts, day by day; and the
currencies of the spend.
"""

import pandas as pd
import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base.errors import AccessDenied
from qa_core.metrics.kpi import month_sums
from qa_core.metrics.kpi.metric_query import build_query
from qa_core.metrics.kpi.statements import MetricQuery, conditions_on, select_groups
from qa_core.metrics.kpis import COUNTED_DIRECTION
from qa_core.metrics.kpis.dimensions import Filters
from qa_core.storage import engine
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.facts.schema import CONTACTS, EVERY_CONTACT, SPEND, on_every_contact

SOURCE_COLUMNS = ("source", "medium", "campaign")


def find_number_uses(viewer: Viewer) -> pd.DataFrame:
    """Find one row per tracking number, source, medium, campaign and day, over all contacts of
    the whole lake.

    Columns: `tracking_number`, `source`, `medium`, `campaign`, `day`, `contacts` (those
    in the viewer's scope) and `foreign` (those beyond it). Raises AccessDenied where the
    viewer may not cut by tracking number.
    """
    viewer.require(Permission.SEE_TRACKING)
    if not viewer.can_cut_by("tracking_number"):
        raise AccessDenied()
    names = ("tracking_number", *SOURCE_COLUMNS, "day")
    found = month_sums.collect(build_query(viewer, names, Filters()), _count_by_day)
    uses = pd.DataFrame(found, columns=[*(f"by_{name}" for name in names), "contacts", "foreign"])
    uses.columns = [*names, "contacts", "foreign"]
    uses["day"] = pd.to_datetime(uses["day"])
    return uses


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


def find_currencies(viewer: Viewer) -> list[str]:
    """Find the currencies of all spend, in alphabetical order."""
    viewer.require(Permission.SEE_TRACKING)
    statement = sa.select(SPEND.c.currency).distinct().order_by(SPEND.c.currency)
    frame = engine.current().run(Scoped(statement, viewer))
    return list(frame["currency"])
