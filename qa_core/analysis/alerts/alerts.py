"""Alerts shown to viewers who see the whole slice, and their acknowledgement."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

import sqlalchemy as sa

from qa_core.access import people
from qa_core.access.roles import Permission, Viewer
from qa_core.analysis.alerts.rules import Rule, RuleKind, build_rule
from qa_core.base import declared
from qa_core.base.errors import AccessDenied
from qa_core.base.i18n import _, ngettext, uncapitalise
from qa_core.base.row_values import build_from_row, read_fields
from qa_core.metrics import query
from qa_core.metrics.kpis import dimensions, formatting, get_kpi
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.storage import audit_log
from qa_core.storage.records import store
from qa_core.storage.records.alerts import AlertEvent, AlertRule
from qa_core.storage.records.base import now

STATES = ("open", "acknowledged", "closed")

_SIGNALS: dict[str, dict[str, str]] = declared.read(__file__)


@dataclass(frozen=True)
class Alert:
    """Alert. `period`: the last in which its rule held, with its `value`, `low`, `high`
    and `n`; `first_day`: of the first such period; `reference`: what it is compared
    with (None: hidden); `side`: −1 below it, 1 above; `name` None: the whole centre.
    """

    id: int
    rule: Rule
    name: str | None
    first_day: date
    period: Period
    fired: str
    side: int
    value: float
    low: float | None
    high: float | None
    n: float | None
    reference: float | None
    first_seen: datetime
    last_seen: datetime
    state: str
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    closed_by: str | None
    closed_at: datetime | None

    @property
    def values(self) -> dict[str, str]:
        """Return the slice as filters."""
        return {} if self.rule.dimension is None else {self.rule.dimension: self.name}

    def as_json(self) -> dict[str, object]:
        names = (
            "id", "name", "fired", "side", "value", "low", "high", "n", "reference", "state",
            "acknowledged_by", "closed_by",
        )  # fmt: skip
        days = {"from": self.period.first_day, "to": self.period.last_day, "since": self.first_day}
        moments = ("first_seen", "last_seen", "acknowledged_at", "closed_at")
        return (
            read_fields(self, names)
            | days
            | {name: (at := getattr(self, name)) and at.isoformat() for name in moments}
            | {"rule": self.rule.as_json()}
        )


def find(viewer: Viewer, states: Sequence[str] = ("open",)) -> tuple[Alert, ...]:
    """Return the alerts in these states, newest period first, whose value equals the
    viewer's own from `query.measure`, so that no contact outside their scope is behind
    it.
    """
    if not viewer.can(Permission.SEE_ALERTS):
        return ()
    with store.reading() as session:
        joined = sa.select(AlertEvent, AlertRule).join(
            AlertRule, AlertRule.id == AlertEvent.rule_id
        )
        rows = session.execute(
            joined.where(AlertEvent.state.in_(states)).order_by(
                AlertEvent.ends_on.desc(), AlertEvent.id
            )
        )
        alerts = [
            event
            for event in (_build_alert(row, build_rule(rule)) for row, rule in rows)
            if event.rule.is_known
        ]
    return tuple(alerts if viewer.is_system else _keep_visible(viewer, alerts))


def find_acknowledged(viewer: Viewer) -> list[tuple[Alert, str]]:
    """Find the acknowledged alerts, each with the name of who acknowledged it."""
    with store.reading() as session:
        names = people.find_names(session)
    return [
        (event, names.get(str(event.acknowledged_by), str(event.acknowledged_by)))
        for event in find(viewer, ("acknowledged",))
    ]


def acknowledge(viewer: Viewer, number: int) -> None:
    """Acknowledge an open alert: it is not shown again until it has closed. Audited.
    Raise AccessDenied for one that the viewer cannot see.
    """
    viewer.require(Permission.EDIT_ALERTS)
    event = next((event for event in find(viewer) if event.id == number), None)
    if event is None:
        raise AccessDenied()
    with store.writing() as session:
        row = session.get_one(AlertEvent, number)
        if row.state != "open":
            return
        row.state, row.acknowledged_by, row.acknowledged_at = "acknowledged", viewer.username, now()
        rule = event.rule
        what = " ".join(filter(None, (rule.kpi, rule.kind, rule.dimension or "centre", event.name)))
        audit_log.record(session, viewer.username, "alert_acknowledged", what)


def describe_slice(event: Alert) -> str:
    """Name the KPI of an alert, and its slice unless it is the whole centre."""
    title = _(get_kpi(event.rule.kpi).title)
    if event.rule.dimension is None:
        return title
    dimension = _(dimensions.get_dimension(event.rule.dimension).title)
    name = formatting.name(event.rule.dimension, event.name)
    return f"{title}, {uncapitalise(dimension)} {name}"


def describe(event: Alert, currency: str | None = None) -> str:
    """Describe an alert in one line: value, period, reference."""
    unit, grain = get_kpi(event.rule.kpi).unit, event.rule.grain
    start = event.period.first_day
    when = formatting.name(grain, f"{start:%Y-%m}" if grain == "month" else start)
    value, reference = (
        formatting.value(amount, unit, currency) for amount in (event.value, event.reference)
    )
    texts = _SIGNALS["above" if event.side > 0 else "below"]
    text = texts["unusual" if event.reference is None else event.fired]
    return _(text, value=value, when=f"({when})", reference=reference)


def describe_rule(rule: Rule) -> str:
    """Describe the condition of a rule in one line."""
    kpi = get_kpi(rule.kpi)
    if rule.kind == RuleKind.CONTROL:
        return _("unusual by its control chart")
    if rule.kind == RuleKind.TARGET:
        return _("clearly misses its target")
    value = formatting.value(rule.threshold, kpi.unit)
    if rule.side == "above":
        return ngettext(
            "above {value}", "above {value}, {n} times in a row", rule.periods, value=value
        )
    return ngettext("below {value}", "below {value}, {n} times in a row", rule.periods, value=value)


def _keep_visible(viewer: Viewer, alerts: Sequence[Alert]) -> list[Alert]:
    kpis_by_slice: dict[tuple[str | None, Period], set[str]] = {}
    open_to = [event for event in alerts if _may_ask(viewer, event)]
    for event in open_to:
        kpis_by_slice.setdefault((event.rule.dimension, event.period), set()).add(event.rule.kpi)
    if viewer.needs_suppression:
        published = {
            (*slice_key, *cell): counted
            for slice_key, kpis in kpis_by_slice.items()
            for cell, counted in _count(viewer, sorted(kpis), *slice_key).items()
        }
        return [
            _without_history(event)
            for event in open_to
            if published.get((event.rule.dimension, event.period, event.rule.kpi, event.name))
            == (event.value, event.n)
        ]
    seen = {
        (dimension, period): _compare(viewer, sorted(kpis), dimension, period)
        for (dimension, period), kpis in kpis_by_slice.items()
    }
    return [
        event
        for event in open_to
        if (event.rule.kpi, event.name) in seen[event.rule.dimension, event.period]
    ]


def _without_history(event: Alert) -> Alert:
    """Drop what comes from other months, which may be hidden: reference and first day."""
    kept = event.reference if event.rule.kind in (RuleKind.THRESHOLD, RuleKind.TARGET) else None
    return replace(event, reference=kept, first_day=event.period.first_day)


def _may_ask(viewer: Viewer, event: Alert) -> bool:
    if not viewer.can(get_kpi(event.rule.kpi).needs):
        return False
    if event.rule.dimension is not None and not viewer.can_cut_by(event.rule.dimension):
        return False
    return not viewer.needs_suppression or query.is_published(event.period)


def _compare(
    viewer: Viewer, kpis: Sequence[str], dimension: str | None, period: Period
) -> set[tuple[str, str | None]]:
    """Return the values of that period that viewer and system count the same way."""
    theirs, whole = (_count(reader, kpis, dimension, period) for reader in (viewer, Viewer.SYSTEM))
    return {key for key, counted in theirs.items() if counted == whole.get(key)}


def _count(
    viewer: Viewer, kpis: Sequence[str], dimension: str | None, period: Period
) -> dict[tuple[str, str | None], tuple[float, float]]:
    by = (dimension,) if dimension else ()
    return {
        (
            row["kpi"],
            None if dimension is None or formatting.is_missing(row[dimension]) else row[dimension],
        ): (row["value"], row["n"])
        for row in query.measure(viewer, kpis, by, Filters(period)).to_dict("records")
        if not formatting.is_missing(row["value"])
    }


def _build_alert(row: AlertEvent, rule: Rule) -> Alert:
    period = Period(row.starts_on, row.ends_on)
    return build_from_row(Alert, row, rule=rule, name=row.dimension_value, period=period)
