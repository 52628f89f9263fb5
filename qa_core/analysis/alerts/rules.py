"""Alert rules on KPIs and slices, never on a single advisor."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.access.roles import Permission, Role, Viewer
from qa_core.analysis import targets
from qa_core.base.errors import AccessDenied, Misuse, require_known, require_number
from qa_core.base.i18n import _
from qa_core.base.row_values import build_from_row, read_fields
from qa_core.metrics.kpis import BY_KEY, get_kpi
from qa_core.storage import audit_log, name_merges
from qa_core.storage.records import due_work, store
from qa_core.storage.records.alerts import AlertEvent, AlertRule
from qa_core.storage.records.base import now
from qa_core.storage.records.imports import ALERTS

DIMENSIONS = (
    "queue", "team", "site", "channel", "reason", "direction", "source", "medium", "campaign",
    "grid",
)  # fmt: skip
"""Dimensions of a rule besides the whole centre: one value, or each of them."""
GRAINS = ("day", "week", "month")
SIDES = ("above", "below")
MAX_PERIODS = 12


class RuleKind(StrEnum):
    """`threshold`: on one side of a value for some periods in a row; `control`: signal
    of the control chart on the worse side (on either, where neither is better);
    `target`: significantly missed.
    """

    THRESHOLD = "threshold"
    CONTROL = "control"
    TARGET = "target"


@dataclass(frozen=True)
class Rule:
    """Alert rule. `dimension` None: the whole centre; `name` None with a dimension:
    each value. `side`, `threshold`, `periods`: of a threshold. `clear_after`: periods
    in a row without the condition that close an alert.
    """

    kpi: str
    kind: str
    grain: str = "week"
    dimension: str | None = None
    name: str | None = None
    side: str | None = None
    threshold: float | None = None
    periods: int = 1
    clear_after: int = 2
    id: int = 0
    created_by: str = ""
    is_mine: bool = False
    """Whether the viewer who reads it may end it."""

    @property
    def is_known(self) -> bool:
        """Return whether its KPI still exists and can be cut so."""
        return self.kpi in BY_KEY and (
            self.dimension is None or self.dimension in BY_KEY[self.kpi].dimensions
        )

    def as_json(self) -> dict[str, Any]:
        names = (
            "id", "kpi", "kind", "grain", "dimension", "name", "side", "threshold", "periods",
            "clear_after", "created_by",
        )  # fmt: skip
        return read_fields(self, names)


SUGGESTED = (
    Rule("answer_rate", RuleKind.CONTROL),
    Rule("answer_rate", RuleKind.CONTROL, dimension="queue"),
    Rule("average_speed_of_answer", RuleKind.CONTROL, dimension="queue"),
    Rule("first_contact_resolution", RuleKind.CONTROL),
    Rule("csat", RuleKind.CONTROL),
    Rule("csat", RuleKind.CONTROL, "month", "queue", clear_after=1),
    Rule("answer_rate", RuleKind.TARGET),
    Rule("csat", RuleKind.TARGET, "month", clear_after=1),
)
"""Rules suggested to a new centre."""


def find_rules(viewer: Viewer) -> tuple[Rule, ...]:
    """Return the active rules that the viewer may change or see, oldest first."""
    with store.reading() as session:
        all_rules, reach = read_rules(session), targets.find_managed_sites(session, viewer)
    marked = [replace(rule, is_mine=_may_manage(viewer, rule, reach)) for rule in all_rules]
    return tuple(rule for rule in marked if rule.is_mine or _may_see(viewer, rule))


def find_missing(viewer: Viewer) -> tuple[Rule, ...]:
    """Return the suggested rules that are not active and that the viewer may add."""
    present = {_identify(rule) for rule in find_rules(viewer)}
    with store.reading() as session:
        reach = targets.find_managed_sites(session, viewer)
    return tuple(
        rule
        for rule in SUGGESTED
        if _identify(rule) not in present and _may_manage(viewer, rule, reach)
    )


def add(viewer: Viewer, rule: Rule) -> Rule:
    """Add a rule and record it in the audit log; return the existing one if it is
    active already.

    Managers set rules on their teams and sites, and on the centre if all of it is
    theirs, administrators on everything. Raise Misuse for an inconsistent rule, Refusal
    for a KPI that cannot be cut so and for an unknown place, AccessDenied for another
    scope.
    """
    viewer.require(Permission.MANAGE_ALERTS)
    _check(rule)
    with store.writing() as session:
        if not _may_manage(viewer, rule, targets.find_managed_sites(session, viewer)):
            raise AccessDenied()
        if rule.name is not None:
            targets.require_place(session, rule.dimension, rule.name)
        return _insert(session, viewer, rule)


def add_suggested(viewer: Viewer) -> tuple[Rule, ...]:
    """Add every suggested rule that is not active; return those added."""
    viewer.require(Permission.MANAGE_ALERTS)
    missing = find_missing(viewer)
    with store.writing() as session:
        return tuple(_insert(session, viewer, rule) for rule in missing)


def end(viewer: Viewer, number: int) -> None:
    """End a rule, close its alerts and record it in the audit log. Raise AccessDenied
    for one unknown, ended, or not the viewer's to end.
    """
    viewer.require(Permission.MANAGE_ALERTS)
    with store.writing() as session:
        row = session.get(AlertRule, number)
        if (
            row is None
            or row.ended_at is not None
            or not _may_manage(viewer, build_rule(row), targets.find_managed_sites(session, viewer))
        ):
            raise AccessDenied()
        row.ended_by, row.ended_at = viewer.username, now()
        open_alerts = sa.update(AlertEvent).where(
            AlertEvent.rule_id == number, AlertEvent.state != "closed"
        )
        session.execute(
            open_alerts.values(state="closed", closed_by=viewer.username, closed_at=row.ended_at)
        )
        audit_log.record(session, viewer.username, "alert_rule_ended", _describe(build_rule(row)))


def read_rules(session: Session) -> list[Rule]:
    """Return every active rule, oldest first, under the name that its value counts as now."""
    rows = session.scalars(
        sa.select(AlertRule).where(AlertRule.ended_at.is_(None)).order_by(AlertRule.id)
    )
    return [
        replace(rule, name=name_merges.find_kept_name(session, rule.dimension, rule.name))
        for rule in map(build_rule, rows)
        if rule.is_known
    ]


def _may_manage(viewer: Viewer, rule: Rule, reach: targets.ManagedSites) -> bool:
    if not viewer.can(Permission.MANAGE_ALERTS):
        return False
    if viewer.role != Role.MANAGER:
        return True
    if not viewer.can(get_kpi(rule.kpi).needs):
        return False
    return reach.covers((rule.dimension, rule.name))


def _may_see(viewer: Viewer, rule: Rule) -> bool:
    if not viewer.can(Permission.SEE_ALERTS) or not viewer.can(get_kpi(rule.kpi).needs):
        return False
    if rule.dimension == "team" and rule.name is not None and not viewer.is_system:
        return rule.name in viewer.teams
    return rule.dimension is None or viewer.can_cut_by(rule.dimension)


def _check(rule: Rule) -> None:
    kpi = get_kpi(rule.kpi)
    require_known(rule.kind, RuleKind, "bad_rule")
    require_known(rule.grain, GRAINS, "bad_grain")
    if rule.dimension is not None:
        require_known(rule.dimension, DIMENSIONS, "bad_scope")
        kpi.require_cut(rule.dimension)
    for count in (rule.periods, rule.clear_after):
        require_number(_("Periods in a row"), count, 1, MAX_PERIODS, "bad_periods")
    if rule.kind == RuleKind.THRESHOLD and (rule.side not in SIDES or rule.threshold is None):
        raise Misuse(
            "no_threshold",
            "Give the value of {kpi} that needs a look, and the side: above or below.",
            ("--above VALUE", "--below VALUE"),
            kpi=kpi.key,
        )
    if rule.kind == RuleKind.CONTROL and rule.grain == "day":
        raise Misuse(
            "bad_grain",
            "A control chart needs weeks or months, because weekdays differ from each "
            "other. Choose one of them.",
        )
    if rule.kind == RuleKind.CONTROL and kpi.is_amount:
        raise Misuse(
            "bad_rule",
            "{kpi} adds up over time and has no control chart. Set a threshold instead.",
            kpi=kpi.key,
        )
    if rule.kind == RuleKind.TARGET and kpi.better == "neither":
        raise Misuse(
            "bad_rule",
            "Neither a high nor a low {kpi} is better, so it cannot miss a target. "
            "Choose another kind of rule.",
            kpi=kpi.key,
        )


def _insert(session: Session, viewer: Viewer, rule: Rule) -> Rule:
    present = next(
        (other for other in read_rules(session) if _identify(other) == _identify(rule)), None
    )
    if present is not None:
        return present
    if rule.kind != RuleKind.THRESHOLD:
        rule = replace(rule, side=None, threshold=None, periods=1)
    names = ("kpi", "grain", "dimension", "side", "threshold", "periods", "clear_after")
    due_work.request(session, ALERTS)
    row = AlertRule(
        **read_fields(rule, names),
        kind=str(rule.kind),
        dimension_value=rule.name,
        created_by=viewer.username,
    )
    session.add(row)
    session.flush()
    audit_log.record(session, viewer.username, "alert_rule_added", _describe(build_rule(row)))
    return build_rule(row)


def _identify(rule: Rule) -> Rule:
    """Return the rule without what does not distinguish it from others."""
    return replace(rule, id=0, created_by="", is_mine=False, clear_after=1, kind=str(rule.kind))


def build_rule(row: AlertRule) -> Rule:
    return build_from_row(Rule, row, name=row.dimension_value, is_mine=False)


def _describe(rule: Rule) -> str:
    fields = (
        f"{rule.side} {rule.threshold:g} {rule.periods}" if rule.kind == RuleKind.THRESHOLD else ""
    )
    return " ".join(
        part
        for part in (rule.kpi, rule.kind, fields, rule.grain, rule.dimension or "centre", rule.name)
        if part
    )
