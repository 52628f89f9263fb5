"""The wallboard: figures of today for a screen, each with its age. It names no person."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from statistics import median

import sqlalchemy as sa

from qa_core.access.roles import MINIMUM_ADVISORS, MINIMUM_CONTACTS, Permission, Viewer
from qa_core.analysis import call_backs, note_texts
from qa_core.base import environment, i18n
from qa_core.base.i18n import _, ngettext
from qa_core.ingest.watch import queue_log
from qa_core.metrics import query
from qa_core.metrics.kpis import formatting, get_kpi
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.quality.data_version import find_version
from qa_core.storage.records import store
from qa_core.storage.records.imports import ImportBatch

WEEKS = 8
"""Same weekdays before today whose median is the usual number."""
RATES = ("service_level", "answer_rate")
MIN_AGE = timedelta(minutes=2)
"""Age up to which a number is never called old."""


@dataclass(frozen=True)
class BoardNumber:
    """Number of the board as text, with what it is compared with. `as_of`: when its source last
    brought something (aware). `is_old`: for longer than twice the usual time.
    """

    title: str
    value: str
    note: str
    as_of: datetime
    is_old: bool = False


@dataclass(frozen=True)
class Wallboard:
    """Whose figures these are, the numbers, and what is left out and why."""

    scope: str
    numbers: tuple[BoardNumber, ...]
    notes: tuple[str, ...]


def build(viewer: Viewer) -> Wallboard:
    """Build the board of today in the viewer's scope."""
    viewer.require(Permission.HANDLE_CALLBACKS)
    teams = sorted(name for name in viewer.teams if name)
    teams += [_("contacts without a team")] if viewer.sees_unassigned_contacts else []
    scope = formatting.listing(teams)
    arrival = _find_arrival(viewer)
    if arrival is None:
        return Wallboard(scope, (), (_("No data yet"),))
    as_of, is_old = arrival
    numbers = [
        BoardNumber(title, value, note, as_of, is_old)
        for title, value, note in _measure(
            viewer, find_version().code, environment.today(), i18n.language()
        )
    ]
    own = query.find_own_queues(viewer)
    unknown = ("–", _("The queues of your teams are not known"))
    due = _count_due(viewer) if own else unknown
    numbers.append(BoardNumber(_("Open call-backs"), *due, as_of, is_old))
    waiting = queue_log.find_waiting(viewer)
    if waiting is None:
        notes = (_("Callers waiting now are not shown: no followed log tells of them."),)
    else:
        callers = _count_waiting(own, waiting) if own else unknown
        read_at = environment.to_local(waiting.as_of)
        board_number = BoardNumber(_("Waiting now"), *callers, read_at, _is_old(waiting.as_of))
        numbers.insert(0, board_number)
        notes = ()
    return Wallboard(scope, tuple(numbers), notes)


def _find_arrival(viewer: Viewer) -> tuple[datetime, bool] | None:
    """Find when contacts last came, and whether that is long ago for their source."""
    sources = [item for item in query.find_freshness(viewer) if item.kind == "contacts"]
    if not sources:
        return None
    newest = sources[-1]
    statement = (
        sa.select(ImportBatch.finished_at)
        .where(ImportBatch.kind == "contacts", ImportBatch.system == newest.system)
        .where(ImportBatch.state == "done", ImportBatch.finished_at.is_not(None))
        .order_by(ImportBatch.finished_at.desc())
        .limit(2)
    )
    with store.reading() as session:
        last, *before = session.scalars(statement).all()
    interval = last - before[0] if before else timedelta()
    return newest.imported_at, _is_old(newest.imported_at, interval)


def _is_old(as_of: datetime, interval: timedelta = timedelta()) -> bool:
    return environment.now() - as_of > max(MIN_AGE, 2 * interval)


@functools.lru_cache(maxsize=64)
def _measure(
    viewer: Viewer, _version: str, today: date, _language: str
) -> tuple[tuple[str, str, str], ...]:
    """Measure what came today: title, value and note of each number of the viewer's KPIs."""
    kpis, viewer = viewer.kpis, replace(viewer, kpis=())  # others decide what may be shown
    through = query.data_through(viewer)
    nothing = (_("Received today"), "–", _("Nothing of today has come yet."))
    if through is None or through.date() < today:
        return (nothing,)
    end = through.replace(minute=through.minute // 30 * 30, second=0, microsecond=0)
    days = [today - timedelta(weeks=week) for week in range(WEEKS, -1, -1)]
    received, *before = _count_until(viewer, days[::-1], f"{end:%H:%M}")
    if received is None:  # of the others alone
        return (nothing,)
    note = _("{n} by {time}", n=formatting.number(received), time=f"{end:%H:%M}")
    if usual := [count for count in before if count is not None]:
        number = formatting.number(median(usual))
        text = ngettext(
            "{usual} last time", "usually {usual} (median of {n} days)", len(usual), usual=number
        )
        note += f" · {text}"
    where = Filters(Period(today, today))
    rows = query.measure(viewer, ("received", *RATES), (), where).set_index("kpi")
    note = " · ".join([note, *note_texts.describe_populations([rows.loc["received"]])])
    advisors = query.measure(viewer, ("answered",), ("advisor",), where)
    is_shown = (advisors["value"] > 0).sum() >= MINIMUM_ADVISORS
    shown = rows.loc["received", "value"]
    numbers = {"received": (_("Received today"), formatting.value(shown, "count"), note)}
    for key in RATES:
        row, kpi = rows.loc[key], get_kpi(key)
        if is_shown and row["denominator"] >= MINIMUM_CONTACTS:
            text = formatting.value(row["value"], kpi.unit)
            note = _("of {n} contacts", n=formatting.number(row["denominator"]))
        else:
            text, note = "–", _("Too few contacts or advisors, or missed calls out of scope")
        numbers[key] = _(kpi.title), text, note
    return tuple(number for key, number in numbers.items() if key in (kpis or numbers))


def _count_until(viewer: Viewer, days: Sequence[date], time: str) -> list[int | None]:
    """Count what was received on each of these days before a time of day (HH:MM); None: nothing
    came all day.
    """
    where = Filters(Period(min(days), max(days)))
    rows = query.measure(viewer, ("received",), ("day", "half_hour"), where)
    rows = rows[rows["value"] > 0]
    early = rows["value"].where(rows["half_hour"].astype(str) < time, 0)
    counts = early.groupby(rows["day"].astype(str)).sum()
    return [int(counts[name]) if (name := str(day)) in counts else None for day in days]


def _count_due(viewer: Viewer) -> tuple[str, str]:
    due = call_backs.find_due(viewer)
    taken = sum(item.state is not None for item in due)
    return formatting.number(len(due)), _("{n} taken or tried", n=formatting.number(taken))


def _count_waiting(own: Sequence[str | None], waiting: queue_log.WaitingCallers) -> tuple[str, str]:
    entered = [at for queue, moments in waiting.entered.items() if queue in own for at in moments]
    note = ""
    if entered:
        longest = environment.now().replace(tzinfo=None) - min(entered)
        note = _("longest for {duration}", duration=formatting.duration(longest.total_seconds()))
    return formatting.number(len(entered)), note
