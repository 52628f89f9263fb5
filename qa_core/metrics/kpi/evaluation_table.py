"""Arrow table of published evaluations, registered with DuckDB; only changes, and months that
nobody asked for yet, are read.
"""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from qa_core.storage.facts import schema
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import (
    SCORED,
    Evaluation,
    EvaluationAnswer,
    ScorecardVersion,
)
from qa_core.storage.records.store import Session

AT_ONCE = 2_000
"""Evaluations per piece that is read: it bounds the memory that rows take as Python objects."""
MAX_PIECES = 64
"""Beyond so many pieces, each with its own list of texts, they are put together."""
MARGIN_DAYS = 31
"""Days before a month from which its contacts' evaluations may be dated."""
ASKED_BY_NAME = 500
"""Up to so many changed evaluations are asked for by their ids; beyond, all are read."""


@dataclass(frozen=True)
class _CachedTable:
    """Table of evaluations from a day on (None: all), with the counter and the grids at the time
    of reading.
    """

    counter: tuple[Any, ...]
    critical: dict[tuple[int, str], str]
    titles: dict[int, str]
    since: date | None
    table: pa.Table


_lock = threading.Lock()
_tables: dict[str, _CachedTable] = {}
COUNTED = (Evaluation.state == "published", Evaluation.kind == SCORED)
_OF_EVALUATION = (
    "evaluation_id", "source_system", "contact_id", "advisor_id", "team", "local_start",
    "evaluator", "grid", "score", "outcome",
)  # fmt: skip
_COLUMNS = (
    Evaluation.id, Evaluation.source_system, Evaluation.contact_id, Evaluation.advisor_id,
    Evaluation.team, Evaluation.local_day, Evaluation.evaluator, Evaluation.grid_name,
    Evaluation.score, Evaluation.outcome, Evaluation.grid_id,
)  # fmt: skip
_SCHEMA = pa.schema(
    [
        pa.field(
            field.name,
            pa.dictionary(pa.int32(), pa.string()) if field.type == pa.string() else field.type,
        )
        for field in schema.arrow_schema(schema.ANSWERS)
    ]
)
"""Texts repeat on every answer: as a list and places in it they take a tenth of the memory."""


def change_counter(
    session: Session, conditions: Iterable[sa.ColumnElement[bool]] = ()
) -> tuple[Any, ...]:
    """Return a value that differs after any change of an evaluation that fulfils conditions."""
    counts = sa.select(
        sa.func.count(),
        sa.func.max(Evaluation.id),
        sa.func.max(Evaluation.changed_at),
        sa.func.sum(Evaluation.id),
    )
    return tuple(_execute(session, counts.where(*COUNTED, *conditions)).one())


def beside(first_month: str | None = None, **_last: str | None) -> dict[str, pa.Table]:
    """Return what a statement on evaluations of these months reads besides the lake, by name."""
    first_day = first_month and date.fromisoformat(f"{first_month}-01") - timedelta(MARGIN_DAYS)
    with store.reading() as session:
        return {"answers": load(session, first_day or None)}


def load(session: Session, since: date | None = None) -> pa.Table:
    """Load the published evaluations of contacts from a day on (default: all), one row per
    answered criterion (schema.ANSWERS); earlier ones may be among them. The engine restricts
    them to the viewer of a statement.
    """
    address, counter = str(session.get_bind().url), change_counter(session)
    with _lock:
        cached = _tables.get(address)
        if cached is None or cached.counter != counter:
            critical, titles = _read_grids(session)
            table = (
                _bring_up_to_date(session, cached, counter, titles, critical)
                if cached and (cached.critical, cached.titles) == (critical, titles)
                else None
            )
            if table is None:
                table = _join(list(_read(session, titles, critical, _from(since))))
                cached = _CachedTable(counter, critical, titles, since, table)
            cached = _tables[address] = replace(cached, counter=counter, table=table)
        if cached.since is not None and (since is None or since < cached.since):
            before = [*_from(since), Evaluation.local_day < cached.since]
            older = _read(session, cached.titles, cached.critical, before)
            table = _join([*older, cached.table])
            cached = _tables[address] = replace(cached, since=since, table=table)
        return cached.table


def _from(since: date | None) -> list[sa.ColumnElement[bool]]:
    return [] if since is None else [Evaluation.local_day >= since]


def _bring_up_to_date(
    session: Session,
    previous: _CachedTable,
    counter: tuple[Any, ...],
    titles: dict[int, str],
    critical: dict[tuple[int, str], str],
) -> pa.Table | None:
    """Return the cached table with the rows that changed since replaced; None where too
    many changed, or where rows may have been deleted.

    Writers of evaluations hold the write lock until they commit, so no row older than
    the newest one read can appear later.
    """
    newest: datetime | None = previous.counter[2]
    if newest is None:
        return None
    since = sa.select(Evaluation.id).where(Evaluation.changed_at >= newest)
    changed_ids = list(_execute(session, since.limit(ASKED_BY_NAME + 1)).scalars())
    if len(changed_ids) > ASKED_BY_NAME:
        return None
    table = previous.table
    ids = table["evaluation_id"]
    if changed_ids and pc.any(pc.is_in(ids, value_set=pa.array(changed_ids, pa.int32()))).as_py():
        table = table.filter(pc.invert(pc.is_in(ids, value_set=pa.array(changed_ids, pa.int32()))))
    within = _from(previous.since)
    changed = [*within, Evaluation.id.in_(changed_ids)]
    table = pa.concat_tables([table, *_read(session, titles, critical, changed)])
    firsts = table.filter(table["is_first"])["evaluation_id"]
    # Deleted or withdrawn, an evaluation leaves no newer moment behind: then the sums
    # do not come out.
    counted = change_counter(session, within) if within else counter
    if (len(firsts), pc.sum(firsts).as_py()) != (counted[0], counted[3]):
        return None
    return _join([table]) if table["grid"].num_chunks > MAX_PIECES else table


def _read(
    session: Session,
    titles: dict[int, str],
    critical: dict[tuple[int, str], str],
    conditions: Iterable[sa.ColumnElement[bool]],
) -> Iterator[pa.Table]:
    """Yield the evaluations that fulfil conditions with their answers, piece by piece."""
    statement = sa.select(*_COLUMNS).where(*COUNTED, *conditions).order_by(Evaluation.id)
    # Of the table, not of the class, whose rows would take as long again.
    answer = EvaluationAnswer.__table__.c
    answers = sa.select(
        answer.evaluation_id,
        answer.criterion,
        answer.section,
        answer.earned,
        answer.possible,
        answer.applied_weight,
    ).order_by(answer.evaluation_id, answer.criterion)
    after = None
    while True:
        piece = statement if after is None else statement.where(Evaluation.id > after)
        evaluations = _execute(session, piece.limit(AT_ONCE)).all()
        if not evaluations:
            return
        after = evaluations[-1].id
        ids = [evaluation.id for evaluation in evaluations]
        answer_rows = _execute(session, answers.where(answer.evaluation_id.in_(ids)))
        yield _build(evaluations, answer_rows.cursor.fetchall(), titles, critical)


def _execute(session: Session, statement: sa.Executable) -> sa.CursorResult:
    return session.execute(
        Unscoped(
            statement,
            "Published evaluations are cached once for all viewers. The engine limits the table "
            "to each viewer's scope.",
        )
    )


def _build(
    evaluations: list[Any],
    answers: list[Any],
    titles: dict[int, str],
    critical: dict[tuple[int, str], str],
) -> pa.Table:
    """Build one row per answer, and one for each evaluation without any."""
    ids = np.array([evaluation[0] for evaluation in evaluations], np.int64)  # in their order
    of = np.fromiter((answer[0] for answer in answers), np.int64, len(answers))
    rows = np.searchsorted(ids, of)
    is_known = ids[np.minimum(rows, len(ids) - 1)] == of
    bare = np.setdiff1d(np.arange(len(ids)), rows[is_known])
    if len(bare) or not is_known.all():
        matches = [answer for answer, is_match in zip(answers, is_known, strict=True) if is_match]
        answers = sorted(
            [*matches, *((int(ids[place]), None, None, None, None, None) for place in bare)],
            key=lambda answer: answer[0],
        )  # stable
        rows = np.searchsorted(
            ids, np.fromiter((answer[0] for answer in answers), np.int64, len(answers))
        )
    _ids, *rest = zip(*answers, strict=True)
    columns = dict(
        zip(
            _OF_EVALUATION,
            zip(*(evaluation[:10] for evaluation in evaluations), strict=True),
            strict=True,
        )
    )
    grids = [evaluation[10] for evaluation in evaluations]
    columns["grid"] = [
        titles.get(grid, name) for grid, name in zip(grids, columns["grid"], strict=True)
    ]
    arrays = {"is_first": pa.array(np.diff(rows, prepend=-1) != 0)}
    for name, values in columns.items():
        kind = _SCHEMA.field(name).type
        array = (
            pa.array(values, pa.date32()).cast(kind)
            if name == "local_start"
            else _encode(values, kind)
        )
        arrays[name] = array.take(pa.array(rows))
    for name, values in zip(
        ("criterion", "section", "earned", "possible", "applied_weight"), rest, strict=True
    ):
        arrays[name] = _encode(values, _SCHEMA.field(name).type)
    harm = (
        [
            critical.get((grids[row], criterion))
            for row, criterion in zip(rows.tolist(), rest[0], strict=True)
        ]
        if critical
        else [None] * len(rows)
    )
    arrays["critical"] = _encode(harm, _SCHEMA.field("critical").type)
    return pa.Table.from_arrays([arrays[name] for name in _SCHEMA.names], schema=_SCHEMA)


def _encode(values: Any, kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(kind):
        return pa.array(values, pa.string()).dictionary_encode()
    return pa.array(values, kind)


def _join(pieces: list[pa.Table]) -> pa.Table:
    if pieces:
        return pa.concat_tables(pieces).unify_dictionaries().combine_chunks()
    return _SCHEMA.empty_table()


def _read_grids(session: Session) -> tuple[dict[tuple[int, str], str], dict[int, str]]:
    """Read the class of each critical criterion, by grid and key, and the titles of the grids."""
    harm_classes, titles = {}, {}
    for grid_id, title, content in session.execute(
        sa.select(ScorecardVersion.id, ScorecardVersion.title, ScorecardVersion.content)
    ):
        titles[grid_id] = title
        criteria = (
            criterion
            for section in content.get("section", ())
            for criterion in section.get("criterion", ())
        )
        harm_classes |= {
            (grid_id, criterion.get("key")): criterion["critical"]
            for criterion in criteria
            if criterion.get("critical")
        }
    return harm_classes, titles
