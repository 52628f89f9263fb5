"""What KPIs ask of the lake, as one SQLAlchemy Core select per subject, with the scope of the viewer in each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, time
from typing import Any

import sqlalchemy as sa

from qa_core.access import Viewer
from qa_core.facts import ANSWERS, CONTACTS, NEIGHBOUR_DAYS, SPEND
from qa_core.kpis import ATTRIBUTED, COUNTED_DIRECTION, EVALUATED, MISSED, MISSES, RECEIVED, Given, Kind, Kpi, Note, Parts, Subject
from qa_core.query import cuts
from qa_core.query.cuts import Names
from qa_core.settings import Settings
from qa_core.slices import Filters, Period

PERCENTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95}
EVALUATION_DIMENSIONS = frozenset({"day", "week", "month", "weekday", "site", "team", "advisor", "evaluator", "criterion", "section", "grid"})
"""What an evaluation knows by itself; for the others its contact is looked up."""

Pieces = tuple[tuple[date | None, Settings], ...]


@dataclass(frozen=True)
class Question:
    """One call of `measure`, after its names were checked: what every statement of it is made from."""

    viewer: Viewer
    by: tuple[str, ...]
    where: Filters
    names: Names
    pieces: Pieces
    give: Callable[[Settings], Given]
    by_advisor: bool = False
    """Also one row per advisor: what the suppression of small cells needs to know who stands behind a value."""

    def groups(self, columns: sa.ColumnCollection) -> list[sa.ColumnElement[Any]]:
        """The expressions to group by, labelled `by_<dimension>`."""
        made = [cuts.expression(dimension, columns, self.names).label(f"by_{dimension}") for dimension in self.by]
        return [*made, columns.advisor_id.label("behind_advisor")] if self.by_advisor else made

    def filters(self, columns: sa.ColumnCollection, only: Callable[[str], bool] = lambda dimension: True) -> list[sa.ColumnElement[bool]]:
        """The filters on dimensions, without the period."""
        return [cuts.predicate(dimension, chosen, columns, self.names) for dimension, chosen in self.where.values if only(dimension)]


def on_contacts(question: Question, kpis: Sequence[Kpi]) -> sa.Select:
    """The contacts: counted once each, whatever else hangs on them."""
    conditions = [question.viewer.scope(CONTACTS), COUNTED_DIRECTION, *cuts.within(question.where.period, CONTACTS.c), *question.filters(CONTACTS.c)]
    present = sa.func.count().filter(RECEIVED).label("present")
    return grouped(question.groups(CONTACTS.c), [present, *_aggregates(question, kpis, CONTACTS.c)]).where(*conditions)


def on_misses(question: Question, kpis: Sequence[Kpi]) -> sa.Select:
    """Missed contacts, where a caller's further misses within the recovery window of the one before are the same miss."""
    before = sa.func.lag(CONTACTS.c.started_at).over(
        partition_by=CONTACTS.c.customer_key, order_by=(CONTACTS.c.started_at, CONTACTS.c.source_system, CONTACTS.c.contact_id)
    )
    gap = sa.extract("epoch", CONTACTS.c.started_at - before)
    window = _by_piece(question.pieces, CONTACTS.c.local_start, ("recovery_hours",), lambda settings: question.give(settings).recovery_seconds)
    repeated = sa.and_(CONTACTS.c.customer_key.is_not(None), before.is_not(None), gap <= window).label("is_repeated")
    missed = sa.select(*CONTACTS.c, repeated).where(question.viewer.scope(CONTACTS), COUNTED_DIRECTION, MISSED).cte("every_miss")
    misses = sa.select(*(missed.c[column.name] for column in MISSES.c)).where(sa.not_(missed.c.is_repeated)).cte("misses")
    conditions = [*cuts.within(question.where.period, MISSES.c), *question.filters(MISSES.c)]
    return grouped(question.groups(MISSES.c), [sa.func.count().label("present"), *_aggregates(question, kpis, MISSES.c)]).where(*conditions).add_cte(misses)


def on_answers(question: Question, kpis: Sequence[Kpi]) -> sa.Select:
    """The evaluations: each once, or once per criterion or section when these are asked for."""
    touched = cuts.dimensions_of(question.by, question.where)
    own = EVALUATION_DIMENSIONS.__contains__
    conditions = [question.viewer.scope(ANSWERS), *cuts.within(question.where.period, ANSWERS.c), *question.filters(ANSWERS.c, own)]
    parts = touched & {"criterion", "section"}
    whole = [column for column in ANSWERS.c if column.name in EVALUATED.c and column.name not in ("is_first", "section", "criterion", "score")]
    kept = [ANSWERS.c[name] if name in question.by else sa.null().label(name) for name in ("section", "criterion")]
    if parts:
        score = 100.0 * sa.func.sum(ANSWERS.c.earned) / sa.func.nullif(sa.func.sum(ANSWERS.c.possible), 0)
        rows = sa.select(*whole, *kept, score.label("score")).where(*conditions, ANSWERS.c.criterion.is_not(None))
        rows = rows.group_by(*whole, *(column for column in kept if isinstance(column, sa.Column)))
    else:
        rows = sa.select(*whole, *kept, ANSWERS.c.score).where(*conditions, ANSWERS.c.is_first)
    evaluated = rows.cte("evaluated")
    if touched <= EVALUATION_DIMENSIONS:
        return grouped(question.groups(EVALUATED.c), _counted(question, kpis)).select_from(EVALUATED).add_cte(evaluated)
    columns = _Joined(EVALUATED.c, CONTACTS.c)
    joined = EVALUATED.outerjoin(CONTACTS, sa.and_(EVALUATED.c.source_system == CONTACTS.c.source_system, EVALUATED.c.contact_id == CONTACTS.c.contact_id))
    statement = grouped(question.groups(columns), _counted(question, kpis)).select_from(joined).add_cte(evaluated)
    return statement.where(*question.filters(columns, lambda dimension: not own(dimension)))


def on_spend(question: Question) -> sa.Select:
    """The money, by currency; it belongs to no advisor, so that costs are shown only where all contacts of a cell are the viewer's."""
    conditions = [*cuts.within(question.where.period, SPEND.c), *question.filters(SPEND.c)]
    groups = [cuts.expression(dimension, SPEND.c, question.names).label(f"by_{dimension}") for dimension in question.by]
    sums = [sa.func.sum(SPEND.c.amount).label("amount"), sa.func.count().label("rows"), sa.func.max(SPEND.c.day).label("last_day")]
    return grouped([*groups, SPEND.c.currency], sums).where(*conditions)


def on_attributed(question: Question, kpis: Sequence[Kpi]) -> sa.Select:
    """The contacts that spend is divided by, how many of their cell are the viewer's, and how many the viewer may not count."""
    mine = sa.func.coalesce(question.viewer.scope(CONTACTS), sa.false())
    rows = sa.func.count().filter
    columns: list[sa.ColumnElement[Any]] = [sa.cast(sa.func.max(CONTACTS.c.local_start), sa.Date).label("last_day")]
    columns += [rows(mine).label("mine"), rows(sa.not_(mine)).label("foreign")]
    for kpi in kpis:
        parts = parts_of(question, kpi, CONTACTS.c)
        columns.append(rows(sa.and_(mine, parts.counted)).label(f"{kpi.key}__n"))
        if question.by_advisor:
            columns.append(rows(sa.and_(mine, parts.behind)).label(f"{kpi.key}__behind"))
    conditions = [COUNTED_DIRECTION, ATTRIBUTED, *cuts.within(question.where.period, CONTACTS.c), *question.filters(CONTACTS.c)]
    return grouped(question.groups(CONTACTS.c), columns).where(*conditions)


BUILDERS = {Subject.CONTACTS: on_contacts, Subject.MISSES: on_misses, Subject.ANSWERS: on_answers, Subject.SPEND: on_attributed}


def months_of(question: Question, subject: Subject) -> dict[str, str | None]:
    """What the engine must read for a statement: misses look back, to know whether they are the first; evaluations find their contact in its month."""
    return cuts.months(question.where.period, before=NEIGHBOUR_DAYS if subject == Subject.MISSES else 0)


def pieces_within(pieces: Pieces, period: Period) -> Pieces:
    """The pieces of the settings' history that hold on some day of the period."""
    kept = []
    for position, (first_day, settings) in enumerate(pieces):
        until = pieces[position + 1][0] if position + 1 < len(pieces) else None
        if (period.last_day and first_day and first_day > period.last_day) or (period.first_day and until and until <= period.first_day):
            continue
        kept.append((first_day, settings))
    return tuple(kept)


class _Joined:
    """The columns of an evaluation and its contact under one roof: the clock is the contact's where the hour matters."""

    def __init__(self, evaluation: sa.ColumnCollection, contact: sa.ColumnCollection) -> None:
        self._evaluation, self._contact = evaluation, contact
        self.advisor_id, self.team, self.local_start = evaluation.advisor_id, evaluation.team, sa.func.coalesce(contact.local_start, evaluation.local_start)

    def __contains__(self, name: str) -> bool:
        return name != "month" and (name in self._evaluation or name in self._contact)

    def __getitem__(self, name: str) -> sa.ColumnElement[Any]:
        # Both have an outcome: as a dimension it is how the contact ended.
        return self._evaluation[name] if name in EVALUATION_DIMENSIONS else self._contact[name]


def grouped(groups: list[sa.ColumnElement[Any]], columns: list[sa.ColumnElement[Any]]) -> sa.Select:
    return sa.select(*groups, *columns).group_by(*groups)


def _counted(question: Question, kpis: Sequence[Kpi]) -> list[sa.ColumnElement[Any]]:
    return [sa.func.count().label("present"), *_aggregates(question, kpis, EVALUATED.c)]


def _aggregates(question: Question, kpis: Sequence[Kpi], columns: sa.ColumnCollection) -> list[sa.ColumnElement[Any]]:
    made: list[sa.ColumnElement[Any]] = []
    for kpi in kpis:
        for suffix, aggregate in _aggregates_of(kpi, parts_of(question, kpi, columns), question.by_advisor):
            made.append(aggregate.label(f"{kpi.key}__{suffix}"))
    return made


def _aggregates_of(kpi: Kpi, parts: Parts, by_advisor: bool) -> list[tuple[str, sa.ColumnElement[Any]]]:
    rows = sa.func.count().filter
    if by_advisor:
        left_out = sa.or_(sa.false(), *(getattr(parts, name) for name in kpi.leaves_out))
        return [("n", rows(parts.counted)), ("behind", rows(parts.counted if parts.behind is None else parts.behind)), ("left_out", rows(left_out))]
    made: list[tuple[str, sa.ColumnElement[Any]]] = []
    if kpi.kind == Kind.MEAN:
        made += [("n", sa.func.count(parts.amount)), ("sum", sa.func.sum(parts.amount)), ("deviation", sa.func.stddev_samp(parts.amount))]
        if kpi.has_percentiles:
            made += [(name, sa.func.percentile_cont(sa.literal_column(str(share))).within_group(parts.amount)) for name, share in PERCENTILES.items()]
    elif kpi.kind == Kind.DISTINCT:
        made += [(name, sa.func.count(sa.distinct(sa.case((test, parts.identity))))) for name, test in (("n", parts.counted), ("hits", parts.hits))]
    else:
        made += [("n", rows(parts.counted)), ("hits", rows(parts.hits))]
    if parts.against is not None:
        made.append(("against", rows(parts.against)))
    made += [(name, rows(test)) for name in ("evidence", *kpi.leaves_out) if (test := getattr(parts, name)) is not None]
    made += [(f"note:{note.code}", rows(note.rows)) for note in parts.notes]
    return made


def parts_of(question: Question, kpi: Kpi, columns: sa.ColumnCollection) -> Parts:
    """What rows contribute, each by the settings of its own day."""
    made: dict[Any, Parts] = {}

    def given(settings: Settings) -> Parts:
        key = tuple(getattr(settings, name) for name in kpi.settings)
        if key not in made:
            made[key] = kpi.parts(question.give(settings))
        return made[key]

    runs = runs_of(question.pieces, kpi.settings)
    if len(runs) == 1:
        return given(runs[0][1])
    merged: dict[str, Any] = {}
    for field in fields(Parts):
        values = [getattr(given(settings), field.name) for _, settings in runs]
        if values[0] is None:
            continue
        if field.name == "notes":
            notes = zip(*values, strict=True)
            merged["notes"] = tuple(Note(same[0].code, switch(runs, [note.rows for note in same], columns.local_start), same[0].with_count) for same in notes)
        else:
            merged[field.name] = values[0] if field.name == "identity" else switch(runs, values, columns.local_start)
    return Parts(**merged)


def _by_piece(pieces: Pieces, clock: sa.ColumnElement[datetime], names: tuple[str, ...], make: Callable[[Settings], Any]) -> sa.ColumnElement[Any]:
    runs = runs_of(pieces, names)
    return make(runs[0][1]) if len(runs) == 1 else switch(runs, [make(settings) for _, settings in runs], clock)


def runs_of(pieces: Pieces, names: tuple[str, ...]) -> Pieces:
    """The pieces where one of these settings changes; neighbours that agree are one."""
    runs: list[tuple[date | None, Settings]] = []
    for first_day, settings in pieces:
        if not runs or any(getattr(runs[-1][1], name) != getattr(settings, name) for name in names):
            runs.append((first_day, settings))
    return tuple(runs)


def switch(runs: Pieces, values: Sequence[sa.ColumnElement[Any]], clock: sa.ColumnElement[datetime]) -> sa.ColumnElement[Any]:
    until = [sa.literal(datetime.combine(first_day, time.min)) for first_day, _ in runs[1:]]
    return sa.case(*((clock < moment, value) for moment, value in zip(until, values, strict=False)), else_=values[-1])
