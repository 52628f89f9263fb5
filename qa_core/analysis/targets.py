"""Targets of KPIs for the whole centre, a site, a team or a queue, from a day to a day,
and the gap of a measured value.

The most specific target applies: team, queue, site, centre; within a scope the one with
the latest first day, then the one entered last. Targets of amounts, such as contacts
received, apply to exactly their scope and period.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.access.roles import Permission, Role, Viewer
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.base import environment
from qa_core.base.errors import (
    AccessDenied,
    Misuse,
    build_unknown,
    require_known,
    require_number,
)
from qa_core.base.i18n import _
from qa_core.base.row_values import build_from_row, read_fields
from qa_core.metrics import query
from qa_core.metrics.kpis import BY_KEY, Kpi, Unit, formatting, get_kpi, periods
from qa_core.metrics.kpis.dimensions import Filters, Period, get_dimension
from qa_core.storage import audit_log, name_merges
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.people import Site, Team
from qa_core.storage.records.targets import Target

SCOPES = ("team", "queue", "site")
"""Dimensions of a target besides the whole centre, most specific first."""
Scope = tuple[str | None, str | None]
CENTRE: Scope = (None, None)


@dataclass(frozen=True)
class TargetValue:
    """Target in the KPI's unit. `dimension` and `name` None: the whole centre. Days
    inclusive, None is open.
    """

    id: int
    kpi: str
    value: float
    dimension: str | None
    name: str | None
    starts_on: date | None
    ends_on: date | None
    set_by: str
    set_at: datetime

    @property
    def scope(self) -> Scope:
        return self.dimension, self.name

    def holds_on(self, day: date) -> bool:
        return Period(self.starts_on, self.ends_on).meets(day, day)

    def as_json(self) -> dict[str, Any]:
        """Return the target as `targets list --json` shows it."""
        fields = read_fields(self, ("id", "kpi", "value", "dimension", "name"))
        return fields | {"from": self.starts_on, "to": self.ends_on}


@dataclass(frozen=True)
class TargetStep:
    """Days on which one target applies; None is open."""

    first_day: date | None
    last_day: date | None
    target: TargetValue


@dataclass(frozen=True)
class TargetGap:
    """Comparison of a value with its target. `gap`: value − target, in the KPI's unit.
    `is_met` None: neither side is better. `is_sure` False: the target lies within the
    value's 95 % interval. All None without a value.
    """

    target: float
    gap: float | None
    is_met: bool | None
    is_sure: bool | None


def find_all(viewer: Viewer) -> tuple[TargetValue, ...]:
    """Return every target that the viewer may see or set, by KPI, scope and first day."""
    with store.reading() as session:
        targets = [target for target in _read(session) if target.kpi in BY_KEY]
        reach = find_managed_sites(session, viewer)
    seen = [
        target
        for target in targets
        if _may_see(viewer, target)
        or (may_set_kpi(viewer, BY_KEY[target.kpi]) and _may_set(viewer, target.scope, reach))
    ]
    return tuple(
        sorted(
            seen,
            key=lambda target: (
                target.kpi,
                target.dimension or "",
                target.name or "",
                target.starts_on or date.min,
                target.id,
            ),
        )
    )


def find(viewer: Viewer, kpi: str, where: Filters = Filters()) -> tuple[TargetStep, ...]:
    """Return the targets of a slice over its period, one step per change, oldest first.

    Raise AccessDenied for a KPI that the viewer may not see, Misuse for an unknown one.
    """
    declared = get_kpi(kpi)
    viewer.require(declared.needs)
    with store.reading() as session:
        targets = [target for target in _read(session, (kpi,)) if _may_see(viewer, target)]
        site_of = find_sites_of_teams(session)
    return _build_steps(declared, targets, dict(where.values), where.period, site_of)


def add_gaps(
    viewer: Viewer, frame: pd.DataFrame, by: Sequence[str] = (), where: Filters = Filters()
) -> pd.DataFrame:
    """Add `target`, `gap`, `is_met` and `is_sure` (see `TargetGap`) to a frame of
    `query.measure` with the same arguments; missing without a target. A value that leaves
    out the missed contacts it needs gets its target alone. A value of several days is
    compared with the target of the last day that is not in the future.
    """
    with store.reading() as session:
        matches = [
            target
            for target in _read(session, frame["kpi"].unique().tolist())
            if _may_see(viewer, target)
        ]
        site_of = find_sites_of_teams(session)
    gaps = [
        _compute_gap(record, matches, by, where, site_of) for record in frame.to_dict("records")
    ]
    kinds = {"target": "float64", "gap": "float64", "is_met": object, "is_sure": object}
    return frame.assign(
        **{
            name: pd.Series(
                [None if gap is None else getattr(gap, name) for gap in gaps],
                index=frame.index,
                dtype=kind,
            )
            for name, kind in kinds.items()
        }
    )


def compare(
    kpi: Kpi,
    target: float,
    value: float | None,
    low: float | None = None,
    high: float | None = None,
) -> TargetGap:
    if value is None or value != value:
        return TargetGap(target, None, None, None)
    is_met = (
        None
        if kpi.better == "neither"
        else value >= target
        if kpi.better == "up"
        else value <= target
    )
    has_interval = not (low is None or high is None or low != low or high != high)
    return TargetGap(target, value - target, is_met, not (has_interval and low <= target <= high))


def describe(row: Any, unit: str, currency: str | None) -> ChartTitle:
    """Describe the target of a row of `add_gaps` and the gap. The severity says whether it is
    met, where chance does not explain it.
    """
    target = formatting.value(row.target, unit, currency)
    if formatting.is_missing(row.gap):
        return ChartTitle(_("target {value}", value=target))
    size, none = (formatting.change(gap, unit, currency).lstrip("+") for gap in (abs(row.gap), 0.0))
    if row.gap == 0 or (size == none and row.is_met is not False):
        text = _("target {target}, reached", target=target)
    elif row.gap > 0:
        text = _("target {target}, {size} above", target=target, size=size)
    else:
        text = _("target {target}, {size} below", target=target, size=size)
    severities = {True: "better", False: "attention"}
    return ChartTitle(text, severities.get(row.is_met, "") if row.is_sure else "")


def may_set_kpi(viewer: Viewer, kpi: Kpi) -> bool:
    """Return whether the viewer may set targets for that KPI: if they see it, or administer."""
    return viewer.role == Role.ADMIN or viewer.can(kpi.needs)


def find_scopes(viewer: Viewer) -> tuple[Scope, ...]:
    """Return the scopes the viewer may set targets for, the widest first."""
    if not viewer.can(Permission.EDIT_TARGETS):
        return ()
    with store.reading() as session:
        reach = find_managed_sites(session, viewer)
    reader = viewer if viewer.can(Permission.SEE_CALL_STATISTICS) else Viewer.SYSTEM
    return tuple(scope for scope in list_scopes(reader) if _may_set(viewer, scope, reach))


def list_scopes(reader: Viewer) -> list[Scope]:
    """List the centre, its sites and teams, and the queues that a reader sees."""
    with store.reading() as session:
        sites = session.scalars(sa.select(Site.name).order_by(Site.name)).all()
        teams = session.scalars(sa.select(Team.name).order_by(Team.name)).all()
    queues = sorted(name for name, _count in query.find_values(reader, "queue") if name is not None)
    named = (("site", sites), ("team", teams), ("queue", queues))
    return [CENTRE, *((dimension, name) for dimension, names in named for name in names)]


def set_target(
    viewer: Viewer,
    kpi: str,
    text: str,
    dimension: str | None = None,
    name: str | None = None,
    period: Period = Period(),
) -> TargetValue:
    """Set the target of a KPI and record it in the audit log; the same KPI, scope and
    days replace the value.

    Managers set targets of their sites and teams (of everything, if they manage the
    whole centre), executives of the centre, its sites and queues, administrators all.
    Raise Misuse for a bad value or scope, Refusal for an unknown place or a KPI that
    cannot be cut so, AccessDenied for a scope or a KPI that is not the viewer's.
    """
    viewer.require(Permission.EDIT_TARGETS)
    declared = get_kpi(kpi)
    if not may_set_kpi(viewer, declared):
        raise AccessDenied()
    value = parse_value(declared, text)
    _check_scope(declared, dimension, period)
    with store.writing() as session:
        if dimension == "queue":
            name = name_merges.find_kept_name(session, dimension, name)
        if not _may_set(viewer, (dimension, name), find_managed_sites(session, viewer)):
            raise AccessDenied()
        require_place(session, dimension, name)
        key = {
            "kpi": kpi,
            "dimension": dimension,
            "dimension_value": name,
            "starts_on": period.first_day,
            "ends_on": period.last_day,
        }
        row = session.scalar(sa.select(Target).filter_by(**key)) or Target(**key)
        row.value, row.set_by, row.set_at = value, viewer.username, now()
        session.add(row)
        session.flush()
        what = f"{kpi}={value:g} {dimension or 'centre'} {name or ''}".strip()
        audit_log.record(session, viewer.username, "target_set", what, reason=_describe(period))
        return _build_target(row)


def remove(viewer: Viewer, number: int) -> None:
    """Remove a target, audited. Raise AccessDenied if unknown or not the viewer's to set."""
    viewer.require(Permission.EDIT_TARGETS)
    with store.writing() as session:
        row = session.get(Target, number)
        if (
            row is None
            or (row.kpi in BY_KEY and not may_set_kpi(viewer, BY_KEY[row.kpi]))
            or not _may_set(
                viewer, (row.dimension, row.dimension_value), find_managed_sites(session, viewer)
            )
        ):
            raise AccessDenied()
        session.delete(row)
        what = f"{row.kpi} {row.dimension or 'centre'} {row.dimension_value or ''}".strip()
        audit_log.record(session, viewer.username, "target_removed", what)


def parse_value(kpi: Kpi, text: str) -> float:
    """Parse a target: a rate as 0.85 or 85 %, a time in seconds. Raise Misuse."""
    written = (
        str(text).replace("\u202f", "").replace("\u00a0", "").replace(" ", "").replace(",", ".")
    )
    is_share = written.endswith("%") and kpi.unit == Unit.RATE
    low, high = kpi.bounds or (0.0, float("inf"))
    try:
        value = float(written.removesuffix("%")) / 100 if is_share else float(written)
    except ValueError:
        value = float("nan")
    if low <= value <= high and value != float("inf"):
        return value
    if kpi.unit == Unit.RATE:
        raise Misuse(
            "bad_target",
            "A target for {kpi} is a share from 0 to 1 or a percentage: 0.85 or 85%.",
            kpi=_(kpi.title),
        )
    if high < float("inf"):
        require_number(_(kpi.title), value, low, high, "bad_target")
    raise Misuse(
        "bad_target",
        "A target for {kpi} is a number from 0 up; times are in seconds.",
        kpi=_(kpi.title),
    )


def require_place(session: Session, dimension: str | None, name: str | None) -> None:
    """Refuse an unknown team or site, and a value that no contact has."""
    if dimension is None:
        return
    if table := {"team": Team, "site": Site}.get(dimension):
        code, is_known = f"unknown_{dimension}", session.get(table, name) is not None
    else:
        values = query.find_values(Viewer.SYSTEM, dimension)
        code, is_known = "unknown_value", name in {str(value) for value, _count in values}
    if not is_known:
        raise build_unknown(code, get_dimension(dimension).title, name)


@dataclass(frozen=True)
class ManagedSites:
    """Teams of a manager, and their sites. `is_whole`: they are the whole centre."""

    teams: frozenset[str]
    sites: frozenset[str]
    is_whole: bool

    def covers(self, scope: Scope) -> bool:
        dimension, name = scope
        managed = {"team": self.teams, "site": self.sites}.get(dimension, frozenset())
        return self.is_whole or name in managed


def find_managed_sites(session: Session, viewer: Viewer) -> ManagedSites:
    site_of = find_sites_of_teams(session)
    managed = frozenset(viewer.managed_teams)
    sites = frozenset(
        site for name, site in site_of.items() if name in managed and site is not None
    )
    is_whole = bool(site_of) and viewer.sees_unassigned and set(site_of) <= managed
    return ManagedSites(managed, sites, is_whole)


def _check_scope(kpi: Kpi, dimension: str | None, period: Period) -> None:
    if dimension is not None:
        require_known(dimension, SCOPES, "bad_scope")
        kpi.require_cut(dimension)
    if kpi.is_amount and not period.is_bounded:
        raise Misuse(
            "no_period",
            "{kpi} adds up over time, so its target needs a first and a last day.",
            ("--from DAY --to DAY",),
            kpi=kpi.key,
        )


def _may_see(viewer: Viewer, target: TargetValue) -> bool:
    """Return whether the viewer sees the KPI, and the team if the target is one's."""
    if not viewer.can(BY_KEY[target.kpi].needs) or (
        target.dimension is not None and not viewer.can_cut_by(target.dimension)
    ):
        return False
    return target.dimension != "team" or viewer.is_system or target.name in viewer.teams


def _may_set(viewer: Viewer, scope: Scope, reach: ManagedSites) -> bool:
    if not viewer.can(Permission.EDIT_TARGETS):
        return False
    if viewer.role == Role.MANAGER:
        return reach.covers(scope)
    return viewer.role != Role.EXECUTIVE or scope[0] is None or viewer.can_cut_by(scope[0])


def find_sites_of_teams(session: Session) -> dict[str, str | None]:
    """Return team → site, None for a team without one."""
    return dict(session.execute(sa.select(Team.name, Team.site_name)).all())


def _read(session: Session, kpis: Iterable[str] | None = None) -> list[TargetValue]:
    """Read targets under the names that count now; one of a merged queue gives way to its own."""
    chosen = [] if kpis is None else [Target.kpi.in_(list(kpis))]
    rows = session.scalars(sa.select(Target).where(*chosen).order_by(Target.id))
    targets = [_build_target(row) for row in rows if row.kpi in BY_KEY]
    own = {(target.kpi, target.scope) for target in targets}
    named = ((target, name_merges.find_kept_name(session, *target.scope)) for target in targets)
    return [
        replace(target, name=name)
        for target, name in named
        if name == target.name or (target.kpi, (target.dimension, name)) not in own
    ]


def _build_target(row: Target) -> TargetValue:
    return build_from_row(TargetValue, row, name=row.dimension_value)


def _find_applicable_scopes(
    kpi: Kpi, chosen: Mapping[str, tuple[Any, ...]], site_of: Mapping[str, str | None]
) -> tuple[Scope, ...]:
    """Return the scopes whose targets apply, most specific first."""
    single = {
        dimension: values[0]
        for dimension, values in chosen.items()
        if len(values) == 1 and values[0] is not None
    }
    if kpi.is_amount:
        exact = [(dimension, single[dimension]) for dimension in SCOPES if dimension in single]
        return (CENTRE,) if not chosen else tuple(exact) if len(chosen) == len(exact) == 1 else ()
    if site := site_of.get(single.get("team")):
        single = {"site": site} | single
    return (
        *((dimension, single[dimension]) for dimension in SCOPES if dimension in single),
        CENTRE,
    )


def _build_steps(
    kpi: Kpi,
    targets: Sequence[TargetValue],
    chosen: Mapping[str, tuple[Any, ...]],
    period: Period,
    site_of: Mapping[str, str | None],
) -> tuple[TargetStep, ...]:
    scopes = _find_applicable_scopes(kpi, chosen, site_of)
    near = _find_applicable(kpi, targets, scopes, period)
    first, last = period.first_day or date.min, period.last_day or date.max
    starts = {target.starts_on for target in near if target.starts_on} | {
        target.ends_on + timedelta(days=1) for target in near if target.ends_on
    }
    days = sorted({first} | {day for day in starts if first < day <= last})
    steps: list[TargetStep] = []
    for day, following in zip(days, [*days[1:], None], strict=True):
        target = _select_current(near, scopes, day)
        until = following - timedelta(days=1) if following else period.last_day
        if target and steps and steps[-1].target == target:
            steps[-1] = TargetStep(steps[-1].first_day, until, target)
        elif target:
            steps.append(TargetStep(None if day == date.min else day, until, target))
    return tuple(steps)


def _find_applicable(
    kpi: Kpi, targets: Sequence[TargetValue], scopes: Sequence[Scope], period: Period
) -> list[TargetValue]:
    """Return the applicable targets; of amounts, for exactly their days."""
    days = (period.first_day, period.last_day)
    return [
        target
        for target in targets
        if target.kpi == kpi.key
        and target.scope in scopes
        and (not kpi.is_amount or (target.starts_on, target.ends_on) == days)
    ]


def _select_current(
    targets: Sequence[TargetValue], scopes: Sequence[Scope], day: date
) -> TargetValue | None:
    holding = [target for target in targets if target.holds_on(day)]
    return min(
        holding,
        key=lambda target: (
            scopes.index(target.scope),
            -(target.starts_on or date.min).toordinal(),
            -target.id,
        ),
        default=None,
    )


def _compute_gap(
    record: Mapping[str, Any],
    targets: Sequence[TargetValue],
    by: Sequence[str],
    where: Filters,
    site_of: Mapping[str, str | None],
) -> TargetGap | None:
    kpi, chosen, period = get_kpi(record["kpi"]), dict(where.values), where.period
    if isinstance(record.get("currency"), str):  # a target has no currency
        return None
    for dimension in by:
        if dimension in ("day", "week", "month"):
            period = _narrow(period, dimension, record[dimension])
        else:
            chosen[dimension] = (
                None if record[dimension] != record[dimension] else record[dimension],
            )
    scopes = _find_applicable_scopes(kpi, chosen, site_of)
    target = _select_current(
        _find_applicable(kpi, targets, scopes, period), scopes, _find_reference_day(period)
    )
    if target is None:
        return None
    if query.leaves_out_missed(kpi.key, record["notes"]):
        return TargetGap(target.value, None, None, None)
    return compare(kpi, target.value, record["value"], record["low"], record["high"])


def _narrow(period: Period, grain: str, start: Any) -> Period:
    """Return the days of the period that lie in one day, week or month."""
    span = Period(start, start) if grain == "day" else periods.period_of(grain, str(start))
    return Period(
        max(span.first_day, period.first_day or date.min),
        min(span.last_day, period.last_day or date.max),
    )


def _find_reference_day(period: Period) -> date:
    today = environment.today()
    is_over = period.last_day is not None and (
        period.last_day <= today or (period.first_day is not None and period.first_day > today)
    )
    return period.last_day if is_over else today


def _describe(period: Period) -> str:
    return " ".join(
        f"{word} {day}"
        for word, day in (("from", period.first_day), ("to", period.last_day))
        if day
    )
