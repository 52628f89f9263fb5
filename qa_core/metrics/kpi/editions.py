"""Editions: publishing the months that executives see, each once, and correcting one only
where the difference gives nobody away.

An edition holds what is shown, and of what is hidden only that it is. It stays as published
whatever comes later: late contacts, merged names, undone imports, restrictions, erasures.
"""

import hashlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.access.roles import (
    GRANTS,
    MINIMUM_ADVISORS,
    MINIMUM_CONTACTS,
    Permission,
    Role,
    Viewer,
)
from qa_core.base import environment, memory
from qa_core.base.errors import Refusal, build_malformed
from qa_core.centre import settings
from qa_core.metrics.kpi import (
    closed_months,
    edition_schedule,
    evaluation_table,
    published_tables,
)
from qa_core.metrics.kpi.edition_schedule import Scheduled
from qa_core.metrics.kpi.measure import collect, find_costs
from qa_core.metrics.kpi.metric_query import build_query
from qa_core.metrics.kpi.publication import Cells, Sums, load, read_cells, read_rows
from qa_core.metrics.kpi.published_families import (
    COSTS,
    COUNTED_WITH_SOURCE,
    DIMENSIONS,
    FAMILIES,
    KIND_OF,
    WITH_SOURCE,
    family_of,
)
from qa_core.metrics.kpi.published_tables import Cell, Table, Tables
from qa_core.metrics.kpi.shared_cuts import SharedCuts
from qa_core.metrics.kpi.statements import MetricQuery
from qa_core.metrics.kpis import ALL, FactTable, Kpi, KpiKind, periods
from qa_core.metrics.kpis.dimensions import Filters
from qa_core.storage import audit_log, lake
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.editions import Edition, EditionTable
from qa_core.storage.records.evaluations import Evaluation
from qa_core.storage.records.people import Team

DAYS_NAMED = 90
"""Days for which the board sheet names a month that was published anew."""
LAKE_TABLES = ("contacts", "intervals", "spend")
GROUPS = {"evaluations": closed_months.ANALYSES, "contacts": closed_months.IDENTITIES}
"""Kind of published tables → the group of months whose people are deleted with it."""
ALWAYS_SHOWN = frozenset({"spend"})
"""Amounts spent: they say nothing of a person."""
KPIS = tuple(
    kpi
    for kpi in ALL
    if kpi.needs in GRANTS[Role.EXECUTIVE] and kpi.subject != FactTable.CALIBRATED
)
"""All that an executive may ask for."""
PUBLISHED_BY = {
    family.kpi: family.dimensions
    for families in FAMILIES.values()
    for family in families
    if family.dimensions is not None
}
"""The dimensions of KPIs that are published by fewer than they can be cut by."""
ADDED = ("n", "hits", "negative", "sum", "required_rows")
"""Sums that add up over cells."""


@dataclass(frozen=True)
class MonthState:
    """A month and its newest edition. `state`: published, due (it, or a correction, can be
    published now), waiting (until `settles_on`) or changed (the data differs from what was
    published, and a correction would give people away).
    """

    month: str
    state: str
    settles_on: date
    edition: int | None = None
    published_at: datetime | None = None
    published_by: str | None = None


@dataclass(frozen=True)
class EditionContent:
    """Content of an edition: dimension → cells, and the tables that decided about it."""

    cells: dict[str, Cells]
    tables: dict[str, Tables]

    @property
    def evidence(self) -> list[list[Any]]:
        return [
            [family, *cell, counts]
            for tables in self.tables.values()
            for family, cells in tables.evidence.items()
            for cell, counts in cells.items()
        ]


def list_states() -> list[MonthState]:
    """List the months that are over in the data, and every month with an edition."""
    with store.reading() as session:
        newest = _find_newest(session)
    scheduled = {schedule.month: schedule for schedule in edition_schedule.list_months()}
    states = []
    for month in sorted({*scheduled, *newest}):
        schedule, edition = scheduled.get(month), newest.get(month)
        settles_on = schedule.settles_on if schedule else date.fromisoformat(f"{month}-01")
        is_due = schedule is not None and schedule.is_settled
        if edition is None:
            states.append(MonthState(month, "due" if is_due else "waiting", settles_on))
            continue
        present = _find_state(month)
        if edition.state.split()[0] == present:
            state = "published"
        elif schedule is None or _is_done(edition, present):
            state = "changed"
        else:
            state = "due" if is_due else "waiting"
        states.append(
            MonthState(
                month, state, settles_on, edition.number, edition.published_at, edition.published_by
            )
        )
    return states


def publish(viewer: Viewer, months: Sequence[str] = ()) -> list[str]:
    """Publish months whose days after their end are over, whenever they were imported
    (default: all that have no edition). Returns those published. Raises Refusal for others,
    Misuse for what is no month.
    """
    viewer.require(Permission.MANAGE_IMPORTS)
    known = {schedule.month: schedule for schedule in edition_schedule.list_months()}
    for month in months:
        if not periods.MONTH.fullmatch(month):
            raise build_malformed("bad_date", month, "2026-10")
        if month not in known or not known[month].is_old:
            raise Refusal(
                "month_not_over",
                "{month} cannot be published: the data must hold it to its end, and that end "
                "must be some days ago.",
                month=month,
            )
    chosen = [
        schedule
        for schedule in known.values()
        if schedule.is_old and schedule.month in (months or known)
    ]
    return _publish(viewer, chosen)


def publish_due(viewer: Viewer = Viewer.SYSTEM) -> list[str]:
    """Publish the months that are settled, and corrections that give nobody away. Returns
    the months published.
    """
    viewer.require(Permission.MANAGE_IMPORTS)
    return _publish(
        viewer, [schedule for schedule in edition_schedule.list_months() if schedule.is_settled]
    )


def find_due() -> list[str]:
    """Find the settled months whose data no edition was made from, or corrected by."""
    with store.reading() as session:
        newest = _find_newest(session)
    settled = [one.month for one in edition_schedule.list_months() if one.is_settled]
    return [one for one in settled if not _is_done(newest.get(one), _find_state(one))]


def publish_before_deletion(through: date) -> None:
    """Publish the months through the month of that day before their people are deleted.
    The caller holds the lock of imports.
    """
    for schedule in edition_schedule.list_months():
        if schedule.month <= f"{through:%Y-%m}":
            _publish_month(Viewer.SYSTEM, schedule.month)


def forget_evidence(session: Session, through: date) -> None:
    """Delete the evidence that could correct the months through the month of that day. They
    cannot be worked out again, and so are no longer compared with what is declared.
    """
    for edition in session.scalars(sa.select(Edition).where(Edition.month <= f"{through:%Y-%m}")):
        edition.evidence = []
        edition.state = " ".join(state.partition("-")[0] for state in edition.state.split())


def _publish(viewer: Viewer, months: Sequence[Scheduled]) -> list[str]:
    published = []
    for schedule in months:
        with store.one_import_at_a_time():
            if _publish_month(viewer, schedule.month):
                published.append(schedule.month)
    return published


def _publish_month(viewer: Viewer, month: str) -> bool:
    """Publish a month without an edition, or a correction where one is allowed."""
    state = _find_state(month)
    with store.reading() as session:
        last = _find_newest(session).get(month)
    if _is_done(last, state):
        return False
    salt = last.salt if last else secrets.token_hex(8)
    content = make_content(month, salt)
    with store.writing() as session:
        earlier = _find_editions(session, month)
        newest = earlier[-1] if earlier else None
        if (newest.number if newest else 0) != (last.number if last else 0):
            return False  # another process was first
        if newest:
            if _read_tables(session, newest, content) == content.cells:
                newest.state = state
                return False
            # Readers may have kept an older edition too.
            if not all(
                _may_correct(edition, _read_tables(session, edition, content), content)
                for edition in earlier
            ):
                # Looked at; the first state is the one that was published.
                newest.state = f"{newest.state.split()[0]} {state}"
                return False
        number = newest.number + 1 if newest else 1
        edition = Edition(
            month=month,
            number=number,
            published_by=viewer.username,
            state=state,
            salt=salt,
            evidence=content.evidence,
        )
        session.add(edition)
        session.flush()
        session.add_all(
            EditionTable(edition_id=edition.id, dimension=dimension, entries=_write_cells(cells))
            for dimension, cells in content.cells.items()
        )
        audit_log.record(session, viewer.username, "edition_published", month, reason=f"{number}")
    return True


def _is_done(last: Edition | None, state: str) -> bool:
    return last is not None and state in last.state.split()


def _write_cells(cells: Cells) -> list[list[Any]]:
    return [[value, kpi, sums] for value, by_kpi in cells.items() for kpi, sums in by_kpi.items()]


def _find_newest(session: Session) -> dict[str, Edition]:
    statement = sa.select(Edition).order_by(Edition.month, Edition.number)
    return {edition.month: edition for edition in session.scalars(statement)}


def _find_editions(session: Session, month: str) -> Sequence[Edition]:
    statement = sa.select(Edition).where(Edition.month == month).order_by(Edition.number)
    return session.scalars(statement).all()


def _read_tables(session: Session, edition: Edition, content: EditionContent) -> dict[str, Cells]:
    statement = sa.select(EditionTable.dimension, EditionTable.entries)
    found = session.execute(statement.where(EditionTable.edition_id == edition.id))
    tables = {dimension: read_cells(entries) for dimension, entries in found}
    return {name: tables.get(name, {}) for name in content.cells}


def _find_state(month: str) -> str:
    """Compute digests of what an edition of the month is made from, as far as it is known
    without reading it: of its files, and, unless the month is closed, of its evaluations and
    of what is declared.
    """
    lineages = [lake.find_lineage(name, month) for name in LAKE_TABLES]
    files = hashlib.sha256(repr(lineages).encode()).hexdigest()
    if closed_months.is_closed(month):
        return files
    declared = [(kpi.key, kpi.dimensions) for kpi in KPIS]
    besides = repr((declared, DIMENSIONS, _count_evaluations(month)))
    return f"{files}-{hashlib.sha256(besides.encode()).hexdigest()}"


def _count_evaluations(month: str) -> tuple[int, int, float]:
    """Count the evaluations of a month, their versions and points, except evaluations made
    within the last `edition_days`.
    """
    days = periods.period_of("month", month)
    with store.reading() as session:
        settled = environment.now() - timedelta(days=settings.current(session).edition_days)
        counts = sa.select(
            sa.func.count(), sa.func.sum(Evaluation.version), sa.func.sum(Evaluation.score)
        ).where(
            *evaluation_table.COUNTED,
            Evaluation.local_day.between(days.first_day, days.last_day),
            sa.func.coalesce(Evaluation.submitted_at, Evaluation.evaluated_at) <= settled,
        )
        statement = Unscoped(counts, "Whether a month has changed; no figure of it is shown.")
        count, versions, points = session.execute(statement).one()
    return count, versions or 0, round(points or 0, 3)


def make_content(month: str, salt: str) -> EditionContent:
    """Work out what an edition of the month would hold now."""
    closed_tables = {kind: closed_months.find_published(group) for kind, group in GROUPS.items()}
    is_empty = not any(month in closed for closed in closed_tables.values()) and _is_empty(month)
    if is_empty and _OF_EMPTY_MONTHS:
        return _OF_EMPTY_MONTHS[0]
    question = build_query(
        Viewer.SYSTEM, DIMENSIONS["evaluations"], Filters(periods.period_of("month", month))
    )
    tables = {
        kind: _read_closed(closed_tables[kind][month])
        if month in closed_tables[kind]
        else published_tables.work_out(question, kind, salt)
        for kind in GROUPS
    }
    cells: dict[str, Cells] = {name: {} for name in ("", *DIMENSIONS["evaluations"])}
    for dimension, value, kpi, sums in _find_sums(question):
        is_shown = _is_shown(tables, kpi.key, (dimension, value))
        cells[dimension].setdefault(value, {})[kpi.key] = sums if is_shown else None
    # What is hidden is said even where there is nothing to hide.
    for kpi in KPIS:
        for dimension in ("", *(name for name in cells if name in kpi.dimensions)):
            values = {*cells[dimension]} | {
                value for name, value in _find_table(tables, kpi.key) if name == dimension
            }
            for value in values:
                if not _is_shown(tables, kpi.key, (dimension, value)):
                    cells[dimension].setdefault(value, {})[kpi.key] = None
    content = EditionContent(cells, tables)
    if is_empty:
        _OF_EMPTY_MONTHS.append(content)
    return content


EARLIER = "mark"
"""Dimension of the answers of customers, which earlier versions published too."""
_OF_EMPTY_MONTHS: list[EditionContent] = []
"""Content of months without any row, once it is worked out: it is the same for all."""


def _is_empty(month: str) -> bool:
    """Return whether the stores hold no row of the month."""
    if any(lake.snapshot(name).files(month, month) for name in LAKE_TABLES):
        return False
    days = periods.period_of("month", month)
    of_month = sa.select(Evaluation.id).where(
        Evaluation.local_day.between(days.first_day, days.last_day)
    )
    statement = Unscoped(of_month.limit(1), "Whether a month is empty; nothing of it is shown.")
    with store.reading() as session:
        return session.scalar(statement) is None


def _read_closed(published: Mapping[str, Sequence[Sequence[Any]]]) -> Tables:
    """Read what was decided before editions were kept; nothing else is shown of a month
    whose people are deleted.
    """
    shown = {
        kpi: {(dimension, value): is_shown is True for dimension, value, is_shown in cells}
        for kpi, cells in published.items()
    }
    return Tables(shown, {}, [], is_closed=True)


def _find_table(tables: Mapping[str, Tables], kpi: str) -> Table:
    family = family_of(kpi)
    return tables[KIND_OF[family]].shown.get(family, {}) if family in KIND_OF else {}


def _is_shown(tables: Mapping[str, Tables], kpi: str, cell: Cell) -> bool:
    """Return whether a KPI is shown in a cell; one without rows is shown as no data."""
    family = family_of(kpi)
    if kpi in ALWAYS_SHOWN:
        return True
    if family not in KIND_OF or (cell[0] and cell[0] not in PUBLISHED_BY.get(kpi, (cell[0],))):
        return False
    table, is_closed = _find_table(tables, kpi), tables[KIND_OF[family]].is_closed
    return all(table.get(covered, not is_closed) for covered in list_cells(kpi, cell))


def list_cells(kpi: str, cell: Cell) -> list[Cell]:
    """List the cells of its family's table that decide about a KPI in a cell."""
    if kpi not in COUNTED_WITH_SOURCE or cell[0] == "source":
        return [cell]
    with_source = WITH_SOURCE + cell[0], cell[1]
    return [with_source] if kpi in COSTS else [cell, with_source]


def _find_sums(
    question: MetricQuery, is_whole: bool = False
) -> Iterator[tuple[str, str | None, Kpi, Sums]]:
    """Find the sums of every KPI in the month as a whole and, unless `is_whole`, by each
    dimension.
    """
    for kind, dimensions in DIMENSIONS.items():
        cuts = ((), *((name,) for name in dimensions if not is_whole))
        some = [
            replace(kpi, has_percentiles=False)
            for kpi in KPIS
            if KIND_OF.get(family_of(kpi.key), "contacts") == kind
            and (family_of(kpi.key) in KIND_OF or kpi.key in ALWAYS_SHOWN)
        ]
        adding, others = (
            [kpi for kpi in some if closed_months.adds_up(kpi) == is_adding]
            for is_adding in (True, False)
        )
        yield from _find_sums_by(question, adding, cuts)
        yield from _find_sums_by(question, others, cuts)


def _find_sums_by(
    question: MetricQuery, some: list[Kpi], cuts: tuple[tuple[str, ...], ...]
) -> Iterator[tuple[str, str | None, Kpi, Sums]]:
    memory.give_back()
    together = SharedCuts(cuts, is_asked_once=True)
    for by in cuts if some else ():
        asked = replace(question, by=by)
        name = by[0] if by else ""
        for kpis, records, _notes in collect(asked, some, together):
            for record in records or ([] if by else [{}]):
                value = asked.group_of(record)[name] if by else None
                found = _find_sums_of(record)
                pairs = [(kpi, found.get(kpi.key, {})) for kpi in kpis]
                if by and not record["present"] and not any(sums.get("n") for _, sums in pairs):
                    continue
                yield from ((name, value, kpi, sums) for kpi, sums in pairs)
        costs = [kpi for kpi in some if kpi.subject == FactTable.SPEND]
        if costs and (not by or name in costs[0].dimensions):
            yield from _find_money(asked, costs, name)


def _find_money(
    question: MetricQuery, kpis: list[Kpi], dimension: str
) -> Iterator[tuple[str, str | None, Kpi, Sums]]:
    for group, amounts, contacts in find_costs(question, kpis):
        money = {
            spend["currency"]: [float(spend["amount"]), int(spend["rows"])] for spend in amounts
        }
        for kpi in kpis:
            n = 0 if kpi.kind == KpiKind.TOTAL else int(contacts.get(f"{kpi.key}__n", 0))
            yield dimension, group.get(dimension), kpi, {"n": n, "money": money}


def _find_sums_of(record: Mapping[str, Any]) -> dict[str, Sums]:
    """Return the sums of each KPI as JSON holds them; none of a KPI whose sums are all zero."""
    found: dict[str, Sums] = {}
    for name, value in record.items():
        kpi, mark, suffix = name.partition("__")
        is_group = kpi.startswith("by_")
        if mark and not is_group and suffix != "histogram" and value is not None and value == value:
            # The last digits of a sum depend on the order of the rows: they correct nothing.
            number = float(f"{float(value):.12g}")
            is_whole = number.is_integer() and suffix != "deviation"
            found.setdefault(kpi, {})[suffix] = int(number) if is_whole else number
    return {kpi: sums for kpi, sums in found.items() if any(sums.values())}


def _may_correct(edition: Edition, before: Mapping[str, Cells], content: EditionContent) -> bool:
    """Return whether somebody who has the edition, and is given this content too, finds out
    about few people: the same cells are shown and hidden, and in each, and in what is left
    of one beside those in it, nothing changed, or enough contacts of enough advisors came or
    went. Then the audits of one edition hold for all of them. A KPI without any row so far
    gives nothing to compare with.
    """
    if not edition.evidence:
        return False
    known, new = (
        {
            (dimension, value, kpi): sums
            for dimension, cells in tables.items()
            for value, by_kpi in cells.items()
            for kpi, sums in by_kpi.items()
        }
        for tables in (before, content.cells)
    )
    kpis = {kpi for _dimension, _value, kpi in known}
    of_none = {kpi for kpi in kpis if known.get(("", None, kpi)) == {}}
    if any(new.get(("", None, kpi)) is None for kpi in of_none):
        return False  # a few rows of what there was none of: more may come
    shown = {
        kpi for cells in (known, new) for (_, _, kpi), sums in cells.items() if sums is not None
    }
    of_old = (kpis & shown) - of_none
    known = {place: sums for place, sums in known.items() if place[2] in of_old}
    if {place: sums is None for place, sums in known.items()} != {
        place: sums is None for place, sums in new.items() if place[2] in of_old
    }:
        return False
    old_counts = {(family, dim, value): counts for family, dim, value, counts in edition.evidence}
    changes: dict[tuple[str, str, str | None], np.ndarray] = {}
    for family, dimension, value, counts in content.evidence:
        if (family, dimension, value) in old_counts:
            old = np.array(old_counts[family, dimension, value])
            changes[family, dimension, value] = np.array(counts) - old
    zero = np.zeros(published_tables.BUCKETS + 1, int)

    def change_of(dimension: str, value: str | None, kpi: str) -> np.ndarray:
        place = dimension, value, kpi
        return _add_up(new.get(place) or {}) - _add_up(known.get(place) or {})

    for (dimension, value, kpi), sums in known.items():
        if sums is None or dimension == EARLIER or kpi in ALWAYS_SHOWN:
            continue
        by_cell = [
            changes.get((family_of(kpi), *cell), zero)
            for cell in list_cells(kpi, (dimension, value))
        ]
        moved = change_of(dimension, value, kpi)
        changed = [change for change in by_cell if change.any()] or [zero]
        if not all(_is_large(change, moved) for change in changed):
            return False
    for tables in content.tables.values():
        for family, cell, parts in tables.remainders:
            kpis = [kpi for kpi in of_old if family_of(kpi) == family and kpi not in COSTS]
            left = changes.get((family, *cell), zero) - sum(
                (changes.get((family, *part), zero) for part in parts), zero
            )
            for kpi in kpis:
                moved = change_of(*cell, kpi) - sum(
                    (change_of(*part, kpi) for part in parts), np.zeros(len(ADDED) + 1)
                )
                if not _is_large(left, moved):
                    return False
    return True


def _add_up(sums: Sums) -> np.ndarray:
    """Return what adds up over cells: the sums, and for a mean the sum of squares."""
    n, total = sums.get("n", 0), sums.get("sum", 0)
    squares = (n - 1) * sums.get("deviation", 0) ** 2 + total**2 / n if n else 0
    return np.array([*(float(sums.get(name, 0)) for name in ADDED), squares])


def _is_large(change: np.ndarray, moved: np.ndarray) -> bool:
    """Return whether nothing changed, or at least enough contacts of enough advisors: each
    group of advisors in which rows came, or went, has one.
    """
    rows, groups = change[0], change[1:]
    if not change.any() and np.allclose(moved, 0, atol=1e-6):
        return True
    advisors = max((groups > 0).sum(), (groups < 0).sum())
    return abs(rows) >= MINIMUM_CONTACTS and advisors >= MINIMUM_ADVISORS


@dataclass(frozen=True)
class EditionDifference:
    """KPI of a month that is not what its edition says. `published`, `now`: rows counted in the
    whole centre; None for those who see a part of it.
    """

    month: str
    kpi: str
    published: int | None
    now: int | None


def find_differences(viewer: Viewer) -> list[EditionDifference]:
    """Find the KPIs of whole months whose data differs from their edition. Executives, who
    see what is published alone, are given none. Values are of the whole centre: none is given.
    """
    viewer.require(Permission.SEE_BOARD)
    if viewer.needs_suppression:
        return []
    sees_all = _sees_whole_centre(viewer)
    changed = [one.month for one in list_states() if one.edition and one.state != "published"]
    published, differences = load("", changed), []
    for month in changed:
        known = published.get(month, {}).get(None, {})
        question = build_query(Viewer.SYSTEM, (), Filters(periods.period_of("month", month)))
        present = {kpi.key: sums for *_place, kpi, sums in _find_sums(question, is_whole=True)}
        for kpi in KPIS:
            before, now = known.get(kpi.key), present.get(kpi.key, {})
            if before is not None and _read_values(kpi, before) != _read_values(kpi, now):
                counts = (before.get("n", 0), now.get("n", 0)) if sees_all else (None, None)
                differences.append(EditionDifference(month, kpi.key, *counts))
    return differences


def find_corrections(viewer: Viewer) -> list[tuple[str, datetime]]:
    """Find the months that were published anew in the last `DAYS_NAMED` days, the last first, and
    when.
    """
    viewer.require(Permission.SEE_BOARD)
    since = environment.now() - timedelta(days=DAYS_NAMED)
    with store.reading() as session:
        newest = _find_newest(session).values()
        found = [(one.published_at, one.month) for one in newest if one.number > 1]
    return [(month, at) for at, month in sorted(found, reverse=True) if at >= since]


def _sees_whole_centre(viewer: Viewer) -> bool:
    with store.reading() as session:
        teams = set(session.scalars(sa.select(Team.name)))
    return viewer.is_system or (viewer.sees_unassigned and teams <= set(viewer.managed_teams))


def _read_values(kpi: Kpi, sums: Sums) -> list[tuple[Any, ...]]:
    return [(row.by.get("currency"), row.value, row.n) for row in read_rows(kpi, [sums])]
