"""Evaluation of the alert rules: one query per dimension and grain."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pandas as pd
import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.analysis import targets
from qa_core.analysis.alerts import rules
from qa_core.analysis.alerts.rules import Rule, RuleKind
from qa_core.analysis.series import Series, build_series, read_start
from qa_core.base import environment
from qa_core.base.i18n import _
from qa_core.metrics import query
from qa_core.metrics.kpi.result_rows import SMALL_SAMPLE
from qa_core.metrics.kpis import Unit, formatting, get_kpi, periods
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.stats import control_charts
from qa_core.storage import audit_log
from qa_core.storage.records import due_work, store
from qa_core.storage.records.alerts import AlertEvent
from qa_core.storage.records.base import now
from qa_core.storage.records.imports import ALERTS

PERIODS_BACK = {"day": 35, "week": 26, "month": 14}
"""Periods looked at: as many as the trends on the pages show."""
PERIODS_WITHOUT_DATA = {"day": 28, "week": 4, "month": 3}
"""With no usable period among the last so many, a rule neither opens nor keeps an alert."""
RECENT_PERIODS = 4
"""Last periods, left out of the baseline."""


@dataclass(frozen=True)
class EvaluationResult:
    """Result of an evaluation: alerts opened, closed, and not closed after it."""

    opened: int
    closed: int
    standing: int


@dataclass(frozen=True)
class Firing:
    """Signal in one period: `threshold`, `beyond_limit`, `two_of_three`, `run` or
    `target`; `side`: −1 below, 1 above `reference`.
    """

    fired: str
    side: int
    reference: float | None


@dataclass(frozen=True)
class _RuleResult:
    """Result of one rule on one slice: usable positions, and those at which it held."""

    rule: Rule
    name: str | None
    series: Series
    usable: Sequence[int]
    firings: Mapping[int, Firing]

    @property
    def is_current(self) -> bool:
        oldest = len(self.series.points) - PERIODS_WITHOUT_DATA[self.rule.grain]
        return bool(self.usable) and self.usable[-1] >= oldest


def evaluate(viewer: Viewer) -> EvaluationResult:
    """Evaluate every rule on the current data: open, update and close alerts. Needs
    MANAGE_IMPORTS. Idempotent.

    An alert opens when its rule holds in the last usable period, and closes once the
    rule did not hold in `clear_after` periods in a row, or had no data for long.
    """
    viewer.require(Permission.MANAGE_IMPORTS)
    with store.reading() as session:
        active = rules.read_rules(session)
    asked_at = due_work.find(ALERTS)
    if not active and asked_at is None:
        return EvaluationResult(0, 0, 0)
    span = query.data_span(Viewer.SYSTEM)
    results = (
        [rule_result for group in _group(active) for rule_result in _measure(group, *span)]
        if span and active
        else []
    )
    result = _store(viewer, results)
    if asked_at:
        due_work.settle(ALERTS, asked_at)
    return result


def describe_unjudged(rule: Rule) -> str:
    """Say that a rule cannot be judged: all its values of the last four weeks of data leave out
    missed contacts that it needs. Empty where it can.
    """
    span = query.data_span(Viewer.SYSTEM)
    if span is None or rule.dimension is None:
        return ""
    values = ((rule.dimension, (rule.name,)),) if rule.name else ()
    where = Filters(Period(span[1] - timedelta(days=27), span[1]), values)
    rows = query.measure(Viewer.SYSTEM, (rule.kpi,), (rule.dimension,), where)
    notes = rows.loc[rows[rule.dimension].notna(), "notes"]
    if notes.empty or not all(query.leaves_out_missed(rule.kpi, one) for one in notes):
        return ""
    return _(
        "The rule is saved, but no alert can open for now: missed contacts have no value of "
        "“{dimension}”.",
        dimension=formatting.dimension(rule.dimension),
    )


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
    frame = frame.loc[
        [
            "provisional_spend" not in notes and not query.leaves_out_missed(key, notes)
            for key, notes in zip(frame["kpi"], frame["notes"], strict=True)
        ]
    ]
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
        usable = find_usable(series)
        gaps = (
            {read_start(row[grain]): row for row in part.to_dict("records")}
            if "target" in part.columns
            else {}
        )
        for rule in concerned:
            yield _RuleResult(rule, name, series, usable, find_firings(rule, series, gaps, usable))


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


def _store(viewer: Viewer, results: Sequence[_RuleResult]) -> EvaluationResult:
    opened, closed, followed = 0, 0, set()
    with store.writing() as session:
        active = {rule.id for rule in rules.read_rules(session)}
        events = session.scalars(sa.select(AlertEvent).where(AlertEvent.state != "closed"))
        unclosed = {(event.rule_id, event.dimension_value): event for event in events}
        for result in results:
            event = unclosed.get((result.rule.id, result.name))
            if not result.is_current or result.rule.id not in active:
                continue
            followed.add((result.rule.id, result.name))
            firing_positions = find_alert_positions(
                result.firings, result.usable, result.rule.clear_after
            )
            if event is None and firing_positions and firing_positions[-1] == result.usable[-1]:
                first_day = result.series.points["at"].iat[firing_positions[0]]
                event = unclosed[(result.rule.id, result.name)] = AlertEvent(
                    rule_id=result.rule.id,
                    dimension_value=result.name,
                    first_day=first_day,
                    state="open",
                )
                session.add(event)
                opened += 1
            if event is None:
                continue
            if firing_positions:
                _update(event, result, firing_positions[-1])
            else:
                followed.discard((result.rule.id, result.name))
        # Close alerts that were clear for long enough, or without data.
        for event in (event for key, event in unclosed.items() if key not in followed):
            event.state, event.closed_by, event.closed_at = "closed", viewer.username, now()
            closed += 1
        if opened or closed:
            audit_log.record(
                session, viewer.username, "alerts_evaluated", f"opened={opened} closed={closed}"
            )
        return EvaluationResult(
            opened, closed, sum(event.state != "closed" for event in unclosed.values())
        )


def _update(event: AlertEvent, result: _RuleResult, position: int) -> None:
    """Update an alert to the last period in which its rule held."""
    point, firing = result.series.points.iloc[position], result.firings[position]
    event.starts_on, event.ends_on = point["at"], periods.end_of(result.rule.grain, point["at"])
    event.fired, event.side, event.reference = firing.fired, firing.side, firing.reference
    for name in ("value", "low", "high", "n"):
        setattr(event, name, None if formatting.is_missing(point[name]) else float(point[name]))
    event.last_seen = now()


def find_usable(series: Series) -> list[int]:
    """Return the positions of complete periods with enough contacts."""
    points = series.points
    enough = series.kpi.is_amount | (points["n"] >= SMALL_SAMPLE)
    return [
        position
        for position, keep in enumerate(points["value"].notna() & ~points["provisional"] & enough)
        if keep
    ]


def find_firings(
    rule: Rule, series: Series, gaps: Mapping[date, Mapping[str, Any]], usable: Sequence[int]
) -> dict[int, Firing]:
    """Return usable positions where the rule held. `gaps`: day → row of `targets.add_gaps`."""
    judged = {
        position: _evaluate(rule, series, gaps, usable[: number + 1])
        for number, position in enumerate(usable)
    }
    return {position: firing for position, firing in judged.items() if firing is not None}


def find_alert_positions(
    firings: Mapping[int, Firing], usable: Sequence[int], clear_after: int
) -> list[int]:
    """Return the positions of the current alert: those at which the rule held, back to
    the first gap of `clear_after` periods; empty where such a gap ends the series.
    """
    positions: list[int] = []
    clear = 0
    for position in reversed(usable):
        if position in firings:
            positions.insert(0, position)
            clear = 0
        else:
            clear += 1
            if clear >= clear_after:
                break
    return positions


def _evaluate(
    rule: Rule, series: Series, gaps: Mapping[date, Mapping[str, Any]], known: Sequence[int]
) -> Firing | None:
    if rule.kind == RuleKind.THRESHOLD:
        side = 1 if rule.side == "above" else -1
        last = [float(series.points["value"].iat[position]) for position in known[-rule.periods :]]
        holds = len(last) == rule.periods and all(
            side * (value - rule.threshold) > 0 for value in last
        )
        return Firing("threshold", side, rule.threshold) if holds else None
    if rule.kind == RuleKind.TARGET:
        gap = gaps.get(series.points["at"].iat[known[-1]])
        missed = gap is not None and gap["is_met"] is False and gap["is_sure"] is True
        return (
            Firing("target", 1 if gap["gap"] > 0 else -1, float(gap["target"])) if missed else None
        )
    return _evaluate_control(series, known[-1])


def _evaluate_control(series: Series, position: int) -> Firing | None:
    """Evaluate the control chart as of that position; later points do not count."""
    span = series.spans[-1]
    if span.control is None or position < span.first:
        return None
    control, points = span.control, series.points
    values = [
        float(value)
        if span.first <= index <= position and not flag and not formatting.is_missing(value)
        else None
        for index, (value, flag) in enumerate(
            zip(points["value"], points["provisional"], strict=True)
        )
    ]
    signals = control_charts.find_signals(values, control)
    side = dict(signals.positions).get(position)
    if side is None or side == {"up": 1, "down": -1}.get(series.kpi.better):
        return None
    if signals.below or signals.above:
        return Firing("beyond_limit", side, (control.high if side > 0 else control.low)[position])
    return Firing(
        "run" if abs(signals.run) >= control_charts.RUN else "two_of_three", side, control.centre
    )
