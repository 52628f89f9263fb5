"""Remarks of customers in surveys and of evaluators on contacts, with who was
unhappy: for those who follow contacts up, within their scope.
"""

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base.errors import AccessDenied
from qa_core.metrics.kpi import dimension_sql
from qa_core.metrics.kpi.measure import build_query
from qa_core.metrics.kpi.statements import MetricQuery, parts_of
from qa_core.metrics.kpis import COUNTED_DIRECTION, get_kpi
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.metrics.rows.contacts import COMMENT_READERS
from qa_core.storage import engine, lake
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.facts.schema import CONTACTS
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import SCORED, Evaluation

UNHAPPY = "unhappy_rate"
MAX_REMARKS = 25_000
"""The newest so many: beyond, more remarks change what is counted no more, and only take time."""
MONTHS_AT_ONCE = 6
FAILED = "fail"

_NOTES_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("source_system", "contact_id", "text", "tags", "outcome")]
)
_NOTES = sa.table("notes", *(sa.column(name, sa.Text) for name in _NOTES_SCHEMA.names))
_KEY = (CONTACTS.c.source_system, CONTACTS.c.contact_id)


def may_read_remarks(viewer: Viewer) -> bool:
    """Return whether this viewer reads what customers and evaluators wrote at all."""
    return viewer.is_system or (
        viewer.role in COMMENT_READERS
        and viewer.can(Permission.SEE_CONTACTS)
        and viewer.can(Permission.SEE_SATISFACTION)
    )


def find_remarks(viewer: Viewer, where: Filters = Filters()) -> pd.DataFrame:
    """Find the remarks on contacts in the viewer's scope, newest contact first:
    `origin` (`customer`, `evaluator`), `source_system`, `contact_id`, `local_start`,
    `queue`, `reason`, `text`, `tags` (the evaluator's, one per line) and `is_unhappy`.

    A customer's remark counts if it has a rating, and is unhappy by `unhappy_rate`. An
    evaluator's remark is unhappy if the customer was or the evaluation failed; without a
    known contact it is left out. Raises AccessDenied where the viewer may not read
    remarks.
    """
    if not may_read_remarks(viewer):
        raise AccessDenied()
    dimension_sql.require_filters(viewer, where)
    question = build_query(viewer, (), where)
    unhappy = parts_of(question, get_kpi(UNHAPPY), CONTACTS.c)
    conditions = [
        COUNTED_DIRECTION,
        *dimension_sql.within(where.period, CONTACTS.c),
        *question.filters(CONTACTS.c),
    ]
    places = (*_KEY, CONTACTS.c.local_start, CONTACTS.c.queue, CONTACTS.c.reason)
    remarks = sa.select(
        sa.literal_column("'customer'", sa.Text).label("origin"),
        *places,
        CONTACTS.c.survey_comment.label("text"),
    )
    remarks = remarks.add_columns(
        sa.cast(sa.null(), sa.Text).label("tags"),
        sa.func.coalesce(unhappy.hits, sa.false()).label("is_unhappy"),
    )
    remarks = remarks.where(
        *conditions, unhappy.denominator, CONTACTS.c.survey_comment.is_not(None)
    )
    newest = CONTACTS.c.local_start.desc(), *_KEY
    remarks = Scoped(remarks.order_by(*newest).limit(MAX_REMARKS), viewer)
    frames = [_read_newest(remarks, where.period)]
    notes = _find_notes(question)
    if notes.num_rows:
        source = CONTACTS.join(
            _NOTES, sa.and_(*(column == _NOTES.c[column.name] for column in _KEY))
        )
        is_unhappy = sa.or_(
            sa.func.coalesce(unhappy.hits, sa.false()),
            sa.func.coalesce(_NOTES.c.outcome == sa.literal(FAILED), sa.false()),
        )
        comments = sa.select(
            sa.literal_column("'evaluator'", sa.Text).label("origin"),
            *places,
            _NOTES.c.text,
            _NOTES.c.tags,
            is_unhappy.label("is_unhappy"),
        )
        comments = Scoped(comments.select_from(source).where(*conditions).order_by(*newest), viewer)
        months = dimension_sql.months(where.period)
        frames.append(engine.current().run(comments, {"notes": notes}, **months))
    return pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]


def _read_newest(remarks: Scoped, period: Period) -> pd.DataFrame:
    """Read the newest remarks, some months at a time, until there are enough."""
    run, bounds = engine.current().run, dimension_sql.months(period)
    first, last = bounds["first_month"] or "", bounds["last_month"] or "9999"
    months = sorted(month for month in lake.snapshot("contacts").months if first <= month <= last)
    frames: list[pd.DataFrame] = []
    while months and sum(map(len, frames)) < MAX_REMARKS:
        together = months[-MONTHS_AT_ONCE:]
        del months[-MONTHS_AT_ONCE:]
        frames.append(run(remarks, first_month=together[0], last_month=together[-1]))
    return pd.concat(frames).head(MAX_REMARKS) if frames else run(remarks, **bounds)


def _find_notes(question: MetricQuery) -> pa.Table:
    """Find the published evaluations of these days in scope that say something in words."""
    period, viewer = question.where.period, question.viewer
    if not viewer.can(Permission.SEE_SCORES):
        return _NOTES_SCHEMA.empty_table()
    conditions = [
        Evaluation.state == "published",
        Evaluation.kind == SCORED,
        Evaluation.contact_id.is_not(None),
    ]
    conditions += [Evaluation.local_day >= period.first_day] if period.first_day else []
    conditions += [Evaluation.local_day <= period.last_day] if period.last_day else []
    columns = (
        Evaluation.source_system,
        Evaluation.contact_id,
        Evaluation.comment,
        Evaluation.tags,
        Evaluation.outcome,
    )
    statement = sa.select(*columns).where(
        *conditions, sa.or_(Evaluation.comment.is_not(None), Evaluation.tags.is_not(None))
    )
    with store.reading() as session:
        newest = statement.order_by(Evaluation.local_day.desc(), Evaluation.id)
        rows = session.execute(Scoped(newest.limit(MAX_REMARKS), viewer)).all()
    notes = [
        (system, contact, comment or "", "\n".join(tags or ()), outcome)
        for system, contact, comment, tags, outcome in rows
    ]
    if notes:
        return pa.table([list(column) for column in zip(*notes, strict=True)], schema=_NOTES_SCHEMA)
    return _NOTES_SCHEMA.empty_table()
