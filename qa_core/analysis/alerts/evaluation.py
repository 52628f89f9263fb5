"""Evaluation of the alert rules: one query per dimension and grain."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd
import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.analysis import targets
from qa_core.analysis.alerts import rule_evaluation, rules
from qa_core.analysis.alerts.rule_evaluation import Firing
from qa_core.analysis.alerts.rules import Rule, RuleKind
from qa_core.analysis.series import Series, build_series, read_start
from qa_core.base import environment
from qa_core.metrics import formatting, periods, query
from qa_core.metrics.dimensions import Filters, Period
from qa_core.metrics.kpis import Unit, get_kpi
from qa_core.storage import audit_log, system_errors
from qa_core.storage.records import store
from qa_core.storage.records.alerts import AlertEvent
from qa_core.storage.records.base import now
from qa_core.storage.records.imports import ALERTS, DueWork

LOG = logging.getLogger("qa_core")
PERIODS_BACK = {"day": 35, "week": 26, "month": 14}
"""Periods looked at: as many as the trends on the pages show."""
RECENT_PERIODS = 4
"""Last periods, left out of the baseline."""


@dataclass(frozen=True)
class EvaluationResult:
    """Result of an evaluation: alerts opened, closed, and not closed after it."""

    opened: int
    closed: int
    standing: int


@dataclass(frozen=True)
class _RuleResult:
    """Result of one rule on one slice: usable positions, and those at which it held."""

    rule: Rule
    name: str | None
    series: Series
    usable: Sequence[int]
    firings: Mapping[int, Firing]


def evaluate_after_import() -> None:
    """Evaluate the rules after an import. Never fails the import: an error is logged,
    audited and stored for `doctor`.
    """
    try:
        evaluate(Viewer.SYSTEM)
    except Exception as error:
        system_errors.log_failure(LOG, "the evaluation of the alert rules", error)
        # Records that stopped it may stop its note as well; the next import tries again.
        with suppress(sa.exc.OperationalError), store.writing() as session:
            session.merge(DueWork(name=ALERTS))
            audit_log.record(session, Viewer.SYSTEM.username, "alerts_failed", type(error).__name__)


def evaluate(viewer: Viewer) -> EvaluationResult:
    """Evaluate every rule on the current data: open, update and close alerts. Needs
    MANAGE_IMPORTS. Idempotent.

    An alert opens when its rule holds in the last whole period, and closes once the
    rule did not hold in `clear_after` periods in a row.
    """
    viewer.require(Permission.MANAGE_IMPORTS)
    with store.reading() as session:
        active = rules.read_rules(session)
        is_idle = not active and session.get(DueWork, ALERTS) is None
    if is_idle:
        return EvaluationResult(0, 0, 0)
    span = query.data_span(Viewer.SYSTEM)
    found = (
        [one for group in _group(active) for one in _measure(group, *span)]
        if span and active
        else []
    )
    return _store(viewer, found)


def _group(active: Sequence[Rule]) -> list[list[Rule]]:
    """Group the rules that one query answers: by dimension and grain."""
    groups: dict[tuple[str | None, str], list[Rule]] = {}
    for rule in active:
        groups.setdefault((rule.dimension, rule.grain), []).append(rule)
    return list(groups.values())


def _measure(group: Sequence[Rule], first_day: date, last_day: date) -> Iterator[_RuleResult]:
    dimension, grain = group[0].dimension, group[0].grain
    # Leave out today: it is not complete.
    yesterday = environment.today() - timedelta(days=1)
    period, last_day = _look_back(grain, last_day), min(last_day, yesterday)
    where, by = Filters(period), (*([dimension] if dimension else []), grain)
    keys = tuple(dict.fromkeys(rule.kpi for rule in group))
    frame = query.measure(Viewer.SYSTEM, keys, by, where, has_percentiles=False)
    if "currency" in frame.columns:
        frame = frame.loc[[get_kpi(key).unit != Unit.MONEY for key in frame["kpi"]]]
    frame = frame.loc[["provisional_spend" not in notes for notes in frame["notes"]]]
    if any(rule.kind == RuleKind.TARGET for rule in group):
        frame = targets.add_gaps(Viewer.SYSTEM, frame, by, where)
    changes = query.find_changes(Viewer.SYSTEM, period, keys)
    starts = periods.starts_of(grain, period)
    for (key, name), part in _slices(frame, dimension):
        concerned = [
            rule for rule in group if rule.kpi == key and (rule.name is None or rule.name == name)
        ]
        if not concerned:
            continue
        restarts = [change.day for change in changes if key in change.kpis]
        series = build_series(
            part,
            get_kpi(key),
            grain,
            period,
            first_day,
            last_day,
            starts[-min(RECENT_PERIODS, len(starts))],
            restarts,
        )
        usable = rule_evaluation.find_usable(series)
        gaps = (
            {read_start(row[grain]): row for row in part.to_dict("records")}
            if "target" in part.columns
            else {}
        )
        for rule in concerned:
            yield _RuleResult(
                rule, name, series, usable, rule_evaluation.find_firings(rule, series, gaps, usable)
            )


def _look_back(grain: str, last_day: date) -> Period:
    count = PERIODS_BACK[grain]
    enough = Period(last_day - timedelta(days=31 * count), last_day)
    return Period(periods.starts_of(grain, enough)[-count], last_day)


def _slices(
    frame: pd.DataFrame, dimension: str | None
) -> Iterator[tuple[tuple[str, str | None], pd.DataFrame]]:
    if dimension is None:
        for key, part in frame.groupby("kpi", sort=False):
            yield (key, None), part
        return
    for (key, name), part in frame.groupby(["kpi", dimension], sort=False):
        yield (key, name), part


def _store(viewer: Viewer, found: Sequence[_RuleResult]) -> EvaluationResult:
    opened, closed, followed = 0, 0, set()
    with store.writing() as session:
        active = {rule.id for rule in rules.read_rules(session)}
        events = session.scalars(sa.select(AlertEvent).where(AlertEvent.state != "closed"))
        unclosed = {(event.rule_id, event.dimension_value): event for event in events}
        for one in found:
            event = unclosed.get((one.rule.id, one.name))
            if not one.usable or one.rule.id not in active:
                continue
            followed.add((one.rule.id, one.name))
            held = rule_evaluation.find_alert_positions(
                one.firings, one.usable, one.rule.clear_after
            )
            if event is None and held and held[-1] == one.usable[-1]:
                first_day = one.series.points["at"].iat[held[0]]
                event = unclosed[(one.rule.id, one.name)] = AlertEvent(
                    rule_id=one.rule.id, dimension_value=one.name, first_day=first_day, state="open"
                )
                session.add(event)
                opened += 1
            if event is None:
                continue
            if held:
                _update(event, one, held[-1])
            else:
                followed.discard((one.rule.id, one.name))
        # Close alerts that were clear for long enough, or without data.
        for event in (event for key, event in unclosed.items() if key not in followed):
            event.state, event.closed_by, event.closed_at = "closed", viewer.username, now()
            closed += 1
        session.execute(sa.delete(DueWork).filter_by(name=ALERTS))
        if opened or closed:
            audit_log.record(
                session, viewer.username, "alerts_evaluated", f"opened={opened} closed={closed}"
            )
        return EvaluationResult(
            opened, closed, sum(event.state != "closed" for event in unclosed.values())
        )


def _update(event: AlertEvent, one: _RuleResult, position: int) -> None:
    """Update an alert to the last period in which its rule held."""
    point, held = one.series.points.iloc[position], one.firings[position]
    event.starts_on, event.ends_on = point["at"], periods.end_of(one.rule.grain, point["at"])
    event.fired, event.side, event.reference = held.fired, held.side, held.reference
    for name in ("value", "low", "high", "n"):
        setattr(event, name, None if formatting.is_missing(point[name]) else float(point[name]))
    event.last_seen = now()
