"""Severity of evaluators, and its effect on the scores of advisors: the additive model
over all published evaluations of a period.

The model is fitted on the whole centre, so that everybody meets the same severity; what
is handed out stays within the viewer's scope. Who evaluated is shown to nobody but
those who may know: a team lead meets the adjusted scores of their advisors alone.
"""

import statistics as plain
from dataclasses import dataclass

import pandas as pd
import sqlalchemy as sa

from qa_core.access import people
from qa_core.access.roles import Permission, Viewer
from qa_core.metrics.kpi import dimension_sql, evaluation_table
from qa_core.metrics.kpi.dimension_sql import Names
from qa_core.metrics.kpi.measure import build_query
from qa_core.metrics.kpi.statements import evaluations_of
from qa_core.metrics.kpis import EVALUATED
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.stats.severity import RaterEffect, Severity, fit_severity
from qa_core.storage import engine
from qa_core.storage.facts.guard import Scoped, Unscoped
from qa_core.storage.facts.schema import ANSWERS
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import SCORED, Evaluation


@dataclass(frozen=True)
class Adjusted:
    """The scores of advisors as an average evaluator would give them on an average
    grid, by id; None where the evaluations of the period do not connect all evaluators
    and grids. `disconnected`: the number of evaluators and grids without a link to the
    rest.
    """

    advisors: dict[str, RaterEffect]
    names: dict[str, str]
    evaluators: int
    disconnected: tuple[int, int] = (0, 0)

    @property
    def is_connected(self) -> bool:
        return bool(self.advisors)


@dataclass(frozen=True)
class EvaluatorFigures:
    """Figures of one evaluator in the viewer's scope: mean and standard deviation of
    their scores; severity in points (positive: stricter than the others), None where
    nothing connects them with the rest; the median duration of an evaluation in
    seconds, where durations are known.
    """

    evaluator: str | None
    name: str | None
    n: int
    mean: float
    deviation: float | None
    severity: RaterEffect | None
    median_seconds: float | None


@dataclass(frozen=True)
class Evaluators:
    """All evaluators in the viewer's scope by name; `disconnected`: the names of
    evaluators who share too few contacts with the rest for a severity;
    `disconnected_scorecards` likewise.
    """

    figures: tuple[EvaluatorFigures, ...]
    disconnected: tuple[str, ...]
    disconnected_scorecards: tuple[str, ...]
    n: int
    """Evaluations that the model was fitted on."""


def find_adjusted_scores(viewer: Viewer, where: Filters) -> Adjusted:
    """Find the severity-adjusted scores of the advisors in the viewer's scope and
    filters. Raises AccessDenied for who may not see advisors, or filter so.
    """
    viewer.require(Permission.SEE_ADVISORS)
    viewer.require(Permission.SEE_SCORES)
    dimension_sql.require_filters(viewer, where)
    severity, evaluators = _fit(viewer, where)
    with store.reading() as session:
        names = Names.load(session, frozenset({"advisor"}))
    adjusted = {
        advisor: effect
        for (advisor, is_own), effect in severity.advisors.items()
        if is_own and advisor is not None
    }
    disconnected = (len(severity.disconnected_evaluators), len(severity.disconnected_scorecards))
    return Adjusted(
        adjusted,
        {advisor: names.advisor_label(advisor) or advisor for advisor in adjusted},
        evaluators,
        disconnected,
    )


def find_evaluators(viewer: Viewer, period: Period) -> Evaluators:
    """Find what each evaluator gave in the period, for those who may know who evaluated."""
    viewer.require(Permission.SEE_EVALUATORS)
    viewer.require(Permission.SEE_SCORES)
    where = Filters(period)
    severity, _count = _fit(viewer, where)
    statement = sa.select(ANSWERS.c.evaluator, ANSWERS.c.score).where(
        *dimension_sql.within(period, ANSWERS.c), ANSWERS.c.is_first
    )
    frame = _run(Scoped(statement.where(ANSWERS.c.score.is_not(None)), viewer), where)
    seconds = _read_seconds(viewer, period)
    with store.reading() as session:
        names = people.find_names(session)
    figures = []
    for evaluator, scores in frame.groupby("evaluator", dropna=False)["score"]:
        name = evaluator if isinstance(evaluator, str) else None
        deviation = float(scores.std()) if len(scores) > 1 else None
        times = seconds.get(name)
        median = plain.median(times) if times else None
        figures.append(
            EvaluatorFigures(
                name,
                names.get(name, name),
                len(scores),
                float(scores.mean()),
                deviation,
                severity.evaluators.get(name),
                median,
            )
        )
    figures.sort(key=lambda item: (item.name is None, (item.name or "").casefold()))
    in_scope = {item.evaluator for item in figures}
    disconnected = [
        names.get(name, name)
        for name in severity.disconnected_evaluators
        if name in in_scope and name is not None
    ]
    return Evaluators(
        tuple(figures),
        tuple(disconnected),
        tuple(grid for grid in severity.disconnected_scorecards if grid),
        severity.n,
    )


def _fit(viewer: Viewer, where: Filters) -> tuple[Severity, int]:
    """Fit the model over the centre and period; advisors are (id, whether they count here)."""
    source, _columns, complete = evaluations_of(build_query(viewer, (), where), with_errors=False)
    in_scope = complete(sa.select(EVALUATED.c.evaluation_id).select_from(source))
    own_ids = set(_run(in_scope, where)["evaluation_id"])
    names = ("evaluation_id", "advisor_id", "evaluator", "grid", "score")
    columns = [ANSWERS.c[name] for name in names]
    conditions = [ANSWERS.c[name].is_not(None) for name in ("score", "advisor_id", "evaluator")]
    everyone = Unscoped(
        sa.select(*columns).where(
            *dimension_sql.within(where.period, ANSWERS.c), ANSWERS.c.is_first, *conditions
        ),
        "The severity of an evaluator depends on all their scores, also in other teams. Only "
        "effects of advisors and evaluators in scope are returned.",
    )
    frame = _run(everyone, where)
    advisors = [
        (advisor, number in own_ids)
        for advisor, number in zip(frame["advisor_id"], frame["evaluation_id"], strict=True)
    ]
    grids = [grid if isinstance(grid, str) else None for grid in frame["grid"]]
    return fit_severity(
        frame["score"].tolist(), advisors, frame["evaluator"].tolist(), grids
    ), frame["evaluator"].nunique()


def _run(statement: Scoped | Unscoped, where: Filters) -> pd.DataFrame:
    months = dimension_sql.months(where.period)
    return engine.current().run(statement, evaluation_table.beside(**months), **months)


def _read_seconds(viewer: Viewer, period: Period) -> dict[str | None, list[float]]:
    conditions = [
        Evaluation.state == "published",
        Evaluation.kind == SCORED,
        Evaluation.seconds_spent.is_not(None),
    ]
    conditions += [] if period.first_day is None else [Evaluation.local_day >= period.first_day]
    conditions += [] if period.last_day is None else [Evaluation.local_day <= period.last_day]
    seconds_by_evaluator: dict[str | None, list[float]] = {}
    statement = sa.select(Evaluation.evaluator, Evaluation.seconds_spent).where(*conditions)
    with store.reading() as session:
        for evaluator, seconds in session.execute(Scoped(statement, viewer)):
            seconds_by_evaluator.setdefault(evaluator, []).append(seconds)
    return seconds_by_evaluator
