"""Populations that a viewer does not see (docs/contract.md, section 5): missed contacts
without a team, answered ones of other teams, and earlier periods with most days missing.

Both are decided from the whole centre; none of its figures are shown.
"""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from qa_core.access.roles import Role, Viewer
from qa_core.base import environment
from qa_core.centre.settings import Settings, find_settings_history
from qa_core.metrics import kpis as declared
from qa_core.metrics.kpi import data_span, interval_totals, month_sums, statements
from qa_core.metrics.kpi.metric_query import build_query
from qa_core.metrics.kpi.result_rows import Row
from qa_core.metrics.kpi.statements import MetricQuery
from qa_core.metrics.kpis import FactTable, Kpi, KpiKind
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.storage import lake
from qa_core.storage.records import store

MISSED_OUT_OF_SCOPE = "missed_out_of_scope"
ANSWERED_ONLY = "answered_only"
MISSED_WITHOUT_TEAM = "missed_without_team"
MISSED_WITHOUT_VALUE = "missed_without_value"
MISSED_OF_ALL = "missed_of_all"
BEFORE_INCOMPLETE = "before_incomplete"
MAX_UNSEEN_SHARE = 0.01
"""Largest share of the centre's contacts that may be unseen without a note."""
DIMENSIONS = frozenset({"day", "week", "month", "weekday", "hour", "half_hour", "channel", "queue"})
"""Dimensions by whose values a row's missed contacts are counted in the whole centre."""
TEAMS = ("team", "site")
"""Dimensions without a value for a contact that has no team."""
OF_ANSWERED = ("advisor", "reason")
"""Dimensions whose value many sources give answered contacts alone."""
DAYS_AROUND = timedelta(weeks=4)
OF_DAYS = frozenset(FactTable) - {
    FactTable.EVALUATION_ANSWERS, FactTable.ADVISORS, FactTable.CALIBRATED,
}  # fmt: skip
"""Subjects whose KPIs need the days of contacts; evaluations have their own days."""


def mark_missed(question: MetricQuery, kpis: Sequence[Kpi], rows: list[Row]) -> None:
    """Take the numbers from rows that need missed contacts the viewer does not see, and
    note which of the others count answered contacts alone. A viewer who sees contacts
    without a team keeps the numbers, with that note in rows of a team. Beside teams that
    they do not manage, their other rows have a note that missed contacts are of all teams;
    the rates of both have no value for who manages none of the teams.
    """
    viewer = question.viewer
    sees_missed = viewer.sees_unassigned_contacts
    is_manager = viewer.role == Role.MANAGER
    settings = [settings for _, settings in question.pieces]
    needing = {kpi.key: kpi for kpi in kpis if _needs_missed(kpi, settings)}
    noted = {kpi.key for kpi in kpis if kpi.includes_missed or kpi.key in needing}
    rows = [row for row in rows if row.kpi in noted]
    for name in OF_ANSWERED:
        _note_unnamed(question, name, rows)
    if sees_missed and not is_manager:
        rows = [row for row in rows if _is_of(TEAMS, question.where, row)]
    if not rows:
        return
    missed = _find_unseen(question, "missed", lambda team: team is None)
    own = (None, *viewer.managed_teams)
    others = (
        _find_unseen(question, "answered", lambda team: team not in own)
        if sees_missed and is_manager and any(missed.values())
        else {}
    )
    for row in rows:
        group = _read_group(question, row)
        if missed.get(group, 0) <= MAX_UNSEEN_SHARE:
            continue
        if sees_missed and not _is_of(TEAMS, question.where, row):
            if others.get(group) == 1 and _relates_missed(needing.get(row.kpi)):
                row.withhold("no_data", MISSED_OF_ALL)
            elif others.get(group, 0) > MAX_UNSEEN_SHARE:
                row.notes = (*row.notes, MISSED_OF_ALL)
        elif row.kpi in needing and not sees_missed:
            row.withhold("no_data", MISSED_OUT_OF_SCOPE)
        else:
            row.notes = (*row.notes, ANSWERED_ONLY)


def _note_unnamed(question: MetricQuery, name: str, rows: Iterable[Row]) -> None:
    """Note in rows of one value of a dimension that missed contacts have no value of it."""
    rows = [row for row in rows if _is_of((name,), question.where, row)]
    missed = _find_unseen(question, "missed", lambda value: value is None, name) if rows else {}
    for row in rows:
        if missed.get(_read_group(question, row), 0) > MAX_UNSEEN_SHARE:
            row.notes = (*row.notes, MISSED_WITHOUT_VALUE)


def _read_group(question: MetricQuery, row: Row) -> tuple[Any, ...]:
    return tuple(row.by[name] for name in question.by if name in DIMENSIONS)


def note_published(kpis: Sequence[Kpi], where: Filters, rows: list[Row]) -> None:
    """Note in published rows of a site that missed contacts may be outside them. Whether they
    are is not said: contacts without a team are few advisors' or nobody's, and so hidden.
    """
    with store.reading() as session:
        settings = [settings for _, settings in find_settings_history(session)]
    noted = {kpi.key for kpi in kpis if kpi.includes_missed or _needs_missed(kpi, settings)}
    for row in rows:
        if row.kpi in noted and row.value is not None and _is_of(TEAMS, where, row):
            row.notes = (*row.notes, MISSED_WITHOUT_TEAM)


def _needs_missed(kpi: Kpi, settings: Iterable[Settings]) -> bool:
    return kpi.needs_missed is not None and any(map(kpi.needs_missed, settings))


def leaves_out_missed(key: str, notes: Sequence[str]) -> bool:
    """Return whether a value with these notes is of a KPI that needs missed contacts and counts
    answered ones alone: it is shown, and not judged.
    """
    is_without = ANSWERED_ONLY in notes or MISSED_WITHOUT_VALUE in notes
    return is_without and declared.get_kpi(key).needs_missed is not None


def _relates_missed(kpi: Kpi | None) -> bool:
    """Return whether it divides missed and answered contacts by each other."""
    return kpi is not None and kpi.kind == KpiKind.RATIO and kpi.subject == FactTable.CONTACTS


def _is_of(names: Sequence[str], where: Filters, row: Row) -> bool:
    """Return whether no contact without a value of these dimensions is part of the row."""
    return any(name in names and None not in kept for name, kept in where.values) or any(
        row.by.get(name) is not None for name in names
    )


def find_out_of_scope(viewer: Viewer, kpis: Sequence[str]) -> list[str]:
    """Find which of these KPIs have no value for the viewer over the last four weeks of data,
    because they need missed contacts out of scope. Those that the viewer may not see are none.
    """
    seen = [kpi for key in kpis if viewer.can((kpi := declared.get_kpi(key)).needs)]
    span = data_span.find_span()
    last_weeks = Period(span[1] - DAYS_AROUND, span[1]) if span else Period()
    question = build_query(viewer, (), Filters(last_weeks))
    rows = [Row(kpi.key, status="ok") for kpi in seen]
    mark_missed(question, seen, rows)
    return [row.kpi for row in rows if is_out_of_scope(row)]


def is_out_of_scope(row: Row) -> bool:
    """Return whether the row has no value because it needs contacts the viewer does not see."""
    return row.status == "no_data" and (
        MISSED_OUT_OF_SCOPE in row.notes or MISSED_OF_ALL in row.notes
    )


def _find_unseen(
    question: MetricQuery,
    total: str,
    is_unseen: Callable[[str | None], bool],
    dimension: str = "team",
) -> dict[tuple[Any, ...], float]:
    """Find the share of the centre's contacts of a total with an unseen value of a dimension."""
    by = tuple(name for name in question.by if name in DIMENSIONS)
    values = tuple(pair for pair in question.where.values if pair[0] in DIMENSIONS)
    where = replace(question.where, values=values)
    counts: dict[tuple[Any, ...], dict[bool, int]] = {}
    for group, n in _count_centre(question, total, (*by, dimension), where):
        counts_of_group = counts.setdefault(tuple(group[name] for name in by), {True: 0, False: 0})
        counts_of_group[is_unseen(group[dimension])] += n
    return {key: n[True] / (n[True] + n[False]) for key, n in counts.items() if n[True] + n[False]}


def is_incomplete(compare: Period) -> bool:
    """Return whether the centre has data on fewer than half as many days of the period as
    on the same weekdays of the eight weeks around it, as far as its data reaches.
    """
    span = data_span.find_span()
    if span is None or compare.first_day is None or compare.last_day is None:
        return False
    versions = (lake.version("contacts"), lake.version("intervals"))
    return _is_incomplete(environment.current().lake_url, versions, compare, span)


@functools.lru_cache(maxsize=64)
def _is_incomplete(
    _lake_url: str, _versions: tuple[int, int], compare: Period, span: tuple[date, date]
) -> bool:
    """Count the days; once per version of the lake."""
    around = Period(compare.first_day - DAYS_AROUND, compare.last_day + DAYS_AROUND)
    question = build_query(Viewer.SYSTEM, ("day",), Filters(around))
    counted = _count_centre(question, "received", ("day",), question.where)
    days = {group["day"] for group, n in counted if n}
    reached = _list_days(max(around.first_day, span[0]), min(around.last_day, span[1]))
    asked = _list_days(compare.first_day, compare.last_day)
    beside = [day for day in reached if not compare.first_day <= day <= compare.last_day]
    expected = 0.0
    for day in asked:
        same = [other in days for other in beside if other.weekday() == day.weekday()]
        expected += sum(same) / len(same) if same else 0.0
    return sum(day in days for day in asked) < expected / 2


def _list_days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=offset) for offset in range((last - first).days + 1)]


def _count_centre(
    question: MetricQuery, key: str, by: tuple[str, ...], where: Filters
) -> list[tuple[Mapping[str, Any], int]]:
    """Count the contacts of a total in the whole centre, in kept sums as any question."""
    centre = replace(question, viewer=Viewer.SYSTEM, by=by, where=where, cuts=())
    kpis = (declared.get_kpi(key),)
    build: Callable[[MetricQuery], Any] = functools.partial(statements.on_contacts, kpis=kpis)
    records = interval_totals.add_totals(centre, kpis, month_sums.collect(centre, build))
    counts = ((record, record.get(f"{key}__n")) for record in records)
    return [(centre.group_of(record), int(n) if n == n and n else 0) for record, n in counts]
