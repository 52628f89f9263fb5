"""Metrics of marks given blind in closed calibrations, pooled over the sessions a viewer
may see: how far they are aligned, and how far they agree.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import selectinload

from qa_core import scoring
from qa_core.access.roles import Permission, Role, Viewer
from qa_core.metrics.kpi import dimension_sql
from qa_core.metrics.kpi.result_rows import Row, finish_row, read_row
from qa_core.metrics.kpi.statements import MetricQuery
from qa_core.metrics.kpis import ALIGNMENT, Kpi
from qa_core.stats.agreement import (
    Alignment,
    alignment_interval,
    compare_points,
    find_pairs,
    measure_agreement,
    sum_alignments,
)
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import (
    CALIBRATION,
    Evaluation,
    EvaluationAnswer,
    ScorecardVersion,
)
from qa_core.storage.records.listening import Calibration, CalibrationContact
from qa_core.storage.records.store import Session

ONE_CRITERION = "one_criterion"
"""Note where an agreement covers several criteria: it is computed for one at a time."""
Group = tuple[Any, ...]


@dataclass(frozen=True)
class CriterionMarks:
    """One criterion on one contact of a closed session. `marks`: evaluator → points
    (None: not applicable) of all who handed this contact in.
    """

    contact: int
    local_start: datetime
    grid: str
    section: str
    criterion: str
    most: float
    reference: str | None
    marks: Mapping[str, float | None]


@dataclass(frozen=True)
class MarkPair:
    """Two marks of one criterion on one contact; `subjects`: its evaluators, not the reference."""

    of: CriterionMarks
    subjects: tuple[str, ...]
    points: Alignment


def is_visible(viewer: Viewer) -> sa.ColumnElement[bool]:
    """Return which sessions the viewer may know of: who manages, those whose contacts are
    all in their scope; evaluators are asked for one by one (`find_calibrations`).
    """
    if viewer.can(Permission.MANAGE_CALIBRATIONS):
        contact = CalibrationContact.__table__
        outside = sa.select(contact.c.id).where(
            contact.c.calibration_id == Calibration.id,
            sa.not_(sa.func.coalesce(viewer.scope(contact), sa.false())),
        )
        return sa.not_(sa.exists(outside))
    return sa.true() if viewer.role == Role.EVALUATOR else sa.false()


def find_calibrations(
    session: Session, viewer: Viewer, *conditions: sa.ColumnElement[bool]
) -> list[Calibration]:
    """Find the viewer's sessions (managed or taken part in), oldest first, contacts loaded."""
    visible = sa.select(Calibration).where(is_visible(viewer), *conditions)
    calibrations = Unscoped(
        visible.options(selectinload(Calibration.contacts)).order_by(Calibration.id),
        "A manager sees a session if all its contacts are in scope. So the statement searches "
        "for contacts outside.",
    )
    manages = viewer.can(Permission.MANAGE_CALIBRATIONS)
    rows = session.scalars(calibrations)
    return [row for row in rows if manages or viewer.username in row.evaluators]


def on_marks(statement: sa.Select) -> Unscoped:
    """Build a statement on the evaluations of sessions in scope (`find_calibrations`)."""
    return Unscoped(
        statement,
        "A viewer of a session compares the scores of all its evaluators, which are in no other "
        "scope. The permission was checked. Open sessions show only counts.",
    )


def measure_rounds(question: MetricQuery, kpis: Sequence[Kpi]) -> list[Row]:
    """Measure calibrations: one row per KPI and group, as `measure` gives them."""
    marks = find_marked(question)
    rows = []
    for kpi in kpis:
        if kpi.key == ALIGNMENT:
            groups: Mapping[Group, Sequence[Any]] = _group(question, _compare(question, marks))
            work_out: Callable[..., Row] = _align
        else:
            groups, work_out = _group(question, marks), _agree
        if not question.by and not groups:
            groups = {(): ()}
        for key, members in groups.items():
            by = dict(zip(question.by, key, strict=True))
            row = (
                work_out(kpi, members)
                if kpi.key == ALIGNMENT or "criterion" in by or _names_one(question)
                else replace(read_row(kpi, {}), notes=(ONE_CRITERION,))
            )
            rows.append(replace(row, by=by))
    return rows


def count_places(question: MetricQuery, kpi: Kpi) -> dict[int, int]:
    """Count the comparisons, or contacts, by place of their exclusion (past the last: counted)."""
    marks = find_marked(question)
    if kpi.key == ALIGNMENT:
        places = [
            2 if pair.points.n else 0 if pair.points.unmatched_pairs else 1
            for pair in _compare(question, marks)
        ]
    else:
        places = [int(len(_shares_of(mark)) >= 2) for mark in marks] if _names_one(question) else []
    return {place: places.count(place) for place in sorted(set(places))}


def find_marked(question: MetricQuery) -> list[CriterionMarks]:
    """Find every criterion of every contact in the closed sessions that the viewer may
    see, within the period and filters, in the order of the sessions.
    """
    filter_values = {
        name: {
            None if value is None else dimension_sql.parse_value(name, value) for value in values
        }
        for name, values in question.where.values
        if name != "evaluator"
    }
    with store.reading() as session:
        calibrations = find_calibrations(
            session, question.viewer, Calibration.closed_at.is_not(None)
        )
        versions = session.execute(
            sa.select(ScorecardVersion.id, ScorecardVersion.title, ScorecardVersion.content).where(
                ScorecardVersion.id.in_({row.grid_id for row in calibrations})
            )
        )
        grids = {
            number: (title, scoring.parse_scorecard(content)) for number, title, content in versions
        }
        marks = _read_marks(session, [row.id for row in calibrations])
        criterion_marks = []
        for row in calibrations:
            title, plan = grids[row.grid_id]
            for contact in sorted(row.contacts, key=lambda contact: contact.id):
                marks_by_evaluator = {
                    name: marks.get((row.id, contact.source_system, contact.contact_id, name))
                    for name in row.evaluators
                }
                present = {name: of for name, of in marks_by_evaluator.items() if of is not None}
                day = contact.local_start.date()
                if not present or not question.where.period.meets(day, day):
                    continue
                for section in plan.sections:
                    for criterion in section.criteria:
                        points = {name: of.get(criterion.key) for name, of in present.items()}
                        place = (title, section.name, criterion.key, float(criterion.points))
                        criterion_marks.append(
                            CriterionMarks(
                                contact.id,
                                contact.local_start,
                                *place,
                                contact.reference_evaluator,
                                points,
                            )
                        )
    return [
        mark
        for mark in criterion_marks
        if all(_value(mark, name) in values for name, values in filter_values.items())
    ]


def _read_marks(
    session: Session, calibrations: Sequence[int]
) -> dict[tuple[int, str, str, str], dict[str, float | None]]:
    """(session, system, contact, evaluator) → criterion → points, of all handed in; no drafts."""
    handed_in = (
        Evaluation.calibration_id.in_(calibrations),
        Evaluation.kind == CALIBRATION,
        Evaluation.state != "draft",
    )
    key = (
        Evaluation.id,
        Evaluation.calibration_id,
        Evaluation.source_system,
        Evaluation.contact_id,
        Evaluation.evaluator,
    )
    evaluations = session.execute(on_marks(sa.select(*key).where(*handed_in)))
    places = {row[0]: tuple(row[1:]) for row in evaluations}
    marks: dict[Any, dict[str, float | None]] = {place: {} for place in places.values()}
    answers = sa.select(
        EvaluationAnswer.evaluation_id,
        EvaluationAnswer.criterion,
        EvaluationAnswer.earned,
        EvaluationAnswer.applicable,
    )
    of_these = answers.join(Evaluation, Evaluation.id == EvaluationAnswer.evaluation_id)
    for number, criterion, earned, applies in session.execute(on_marks(of_these.where(*handed_in))):
        marks[places[number]][criterion] = earned if applies else None
    return marks


def _names_one(question: MetricQuery) -> bool:
    return len(dict(question.where.values).get("criterion", ())) == 1


def _value(mark: CriterionMarks, dimension: str) -> Any:
    day = mark.local_start.date()
    match dimension:
        case "day":
            return day
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return f"{day:%Y-%m}"
        case "weekday":
            return day.isoweekday()
        case _:
            return getattr(mark, dimension)


def _compare(question: MetricQuery, marks: Iterable[CriterionMarks]) -> list[MarkPair]:
    """Compare every pair of marks, of the evaluators that the filters leave."""
    evaluators = dict(question.where.values).get("evaluator")
    pairs = []
    for mark in marks:
        for pair in find_pairs(tuple(mark.marks), mark.reference):
            subjects = tuple(
                name
                for name in pair
                if name != mark.reference and (evaluators is None or name in evaluators)
            )
            if subjects:
                pairs.append(
                    MarkPair(
                        mark,
                        subjects,
                        compare_points(*(mark.marks[name] for name in pair), mark.most),
                    )
                )
    return pairs


def _group(question: MetricQuery, members: Iterable[Any]) -> dict[Group, list[Any]]:
    """By the dimensions asked for; a pair without a reference is of both its evaluators."""
    groups: dict[Group, list[Any]] = {}
    for member in members:
        names: tuple[str | None, ...] = member.subjects if "evaluator" in question.by else (None,)
        mark = member.of if isinstance(member, MarkPair) else member
        for name in names:
            key = tuple(
                name if dimension == "evaluator" else _value(mark, dimension)
                for dimension in question.by
            )
            groups.setdefault(key, []).append(member)
    return groups


def _align(kpi: Kpi, pairs: Sequence[MarkPair]) -> Row:
    of_contact: dict[int, Alignment] = {}
    for pair in pairs:
        of_contact[pair.of.contact] = of_contact.get(pair.of.contact, Alignment()) + pair.points
    whole = sum_alignments(of_contact.values())
    row = Row(kpi.key, n=whole.n, denominator=whole.possible)
    if whole.value is not None:
        row.value, row.numerator = whole.value, whole.agreed_points
        row.low, row.high = alignment_interval(of_contact.values()) or (None, None)
    finish_row(row)
    return row


def _agree(kpi: Kpi, marks: Sequence[CriterionMarks]) -> Row:
    shares = [_shares_of(mark) for mark in marks]
    table = np.full((len(shares), max(map(len, shares), default=0)), np.nan)
    for line, points in enumerate(shares):
        table[line, : len(points)] = points
    agreement = measure_agreement(table)
    row = Row(
        kpi.key,
        agreement.value,
        n=agreement.contacts,
        denominator=agreement.contacts,
        low=agreement.low,
        high=agreement.high,
    )
    finish_row(row)
    return row


def _shares_of(mark: CriterionMarks) -> list[float]:
    """Return the marks that are points, as shares of the points possible in their version."""
    return [points / mark.most for points in mark.marks.values() if points is not None]
