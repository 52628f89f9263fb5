"""The published evaluations as an Arrow table that stands beside the lake, remade only when an evaluation changed."""

from __future__ import annotations

import threading
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core import facts
from qa_core.records.model import Evaluation, EvaluationAnswer, Grid

_lock = threading.Lock()
_kept: dict[str, tuple[tuple[Any, ...], pa.Table]] = {}


def change_counter(session: Session) -> tuple[Any, ...]:
    """A value that differs after any change of an evaluation."""
    counted = sa.select(sa.func.count(), sa.func.max(Evaluation.id), sa.func.max(Evaluation.changed_at), sa.func.sum(Evaluation.id))
    return tuple(session.execute(counted.where(Evaluation.state == "published", Evaluation.kind == "scored")).one())


def load(session: Session) -> pa.Table:
    """All published evaluations, one row per answered criterion (facts.ANSWERS). The scope of the viewer stands in the statement that reads it."""
    address, counter = str(session.get_bind().url), change_counter(session)
    with _lock:
        kept = _kept.get(address)
        if kept is None or kept[0] != counter:
            kept = _kept[address] = (counter, _read(session))
        return kept[1]


def _read(session: Session) -> pa.Table:
    first = sa.func.row_number().over(partition_by=Evaluation.id, order_by=EvaluationAnswer.criterion) == 1
    statement = (
        sa.select(
            Evaluation.id,
            first,
            Evaluation.source_system,
            Evaluation.contact_id,
            Evaluation.advisor_id,
            Evaluation.team,
            Evaluation.local_day,
            Evaluation.evaluator,
            sa.func.coalesce(Grid.title, Evaluation.grid_name),
            EvaluationAnswer.section,
            EvaluationAnswer.criterion,
            Evaluation.score,
            Evaluation.outcome,
            EvaluationAnswer.earned,
            EvaluationAnswer.possible,
            EvaluationAnswer.applied_weight,
            Evaluation.grid_id,
        )
        .outerjoin(EvaluationAnswer, EvaluationAnswer.evaluation_id == Evaluation.id)
        .outerjoin(Grid, Grid.id == Evaluation.grid_id)
        .where(Evaluation.state == "published", Evaluation.kind == "scored")
    )
    schema = facts.arrow_schema(facts.ANSWERS)
    columns = list(zip(*session.execute(statement), strict=True)) or [()] * len(schema)
    classes, criteria = _find_critical(session), columns[schema.get_field_index("criterion")]
    columns[-1] = tuple(classes.get(key) for key in zip(columns[-1], criteria, strict=True))
    arrays = []
    for field, values in zip(schema, columns, strict=True):
        if field.name == "is_first":
            arrays.append(pa.array(map(bool, values), field.type))
        elif field.name == "local_start":
            arrays.append(pa.array(values, pa.date32()).cast(field.type))
        else:
            arrays.append(pa.array(values, field.type))
    return pa.Table.from_arrays(arrays, schema=schema)


def _find_critical(session: Session) -> dict[tuple[int, str], str]:
    """The class of each critical criterion, by grid and key, as the grid says it."""
    found = {}
    for grid_id, content in session.execute(sa.select(Grid.id, Grid.content)):
        criteria = (criterion for section in content.get("section", ()) for criterion in section.get("criterion", ()))
        found |= {(grid_id, criterion.get("key")): criterion["critical"] for criterion in criteria if criterion.get("critical")}
    return found
