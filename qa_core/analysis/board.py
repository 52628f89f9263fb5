"""Sheet for a board: four KPIs over whole months, each with its sentence, its target and
a year of trend, and what satisfaction goes with. Never a person.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pandas as pd

from qa_core.access.roles import Permission, Role, Viewer
from qa_core.analysis import chart_titles, exports, note_texts, targets
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.analysis.series import Series, build_series
from qa_core.analysis.targets import TargetStep
from qa_core.base import environment
from qa_core.base.errors import require_known
from qa_core.base.i18n import _, capitalise, ngettext
from qa_core.metrics import query
from qa_core.metrics.kpi import editions
from qa_core.metrics.kpis import Kpi, formatting, get_kpi, periods
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.metrics.query import Drivers

DEFAULT = "3m"
MAX_TEAMS = 6
"""Teams up to which the sheet names them."""
KPIS = ("csat", "first_contact_resolution", "service_level", "cost_per_resolved")
"""KPIs of the sheet in their order."""


@dataclass(frozen=True)
class BoardFigures:
    """Figures of the sheet as they were read. `rows`: one per KPI, with its gap to the
    target; `trend`: by month; `changes`: days on which the rules of a KPI changed.
    """

    period: Period
    trend_period: Period
    first_day: date
    last_day: date
    rows: pd.DataFrame
    trend: pd.DataFrame
    changes: Mapping[str, tuple[date, ...]]
    steps: Mapping[str, tuple[TargetStep, ...]]
    drivers: Drivers | None
    currency: str | None
    teams: tuple[str | None, ...] | None
    """Teams that the figures are of (None: what has no team); None: the whole centre."""
    corrections: tuple[tuple[str, datetime], ...]
    """Months recently published anew, and when; only for viewers of published figures."""


@dataclass(frozen=True)
class BoardLine:
    """One KPI of the sheet, ready to be shown and printed."""

    kpi: Kpi
    row: Any
    series: Series
    steps: tuple[TargetStep, ...]
    currency: str | None

    @property
    def title(self) -> str:
        """Title of the KPI, with the currency where each has its own line."""
        title, currency = formatting.short_title(self.kpi), getattr(self.row, "currency", None)
        return f"{title} ({currency})" if isinstance(currency, str) else title

    @property
    def sentence(self) -> ChartTitle:
        """The end of its trend, as on every page."""
        return chart_titles.prefix(self.title, self.series.finding)

    @property
    def value(self) -> str:
        if self.row.status == "suppressed":
            return _("hidden")
        return formatting.value(self.row.value, self.kpi.unit, self.currency)

    @property
    def basis(self) -> str:
        """Basis of the value: interval, number of contacts, how many are pending."""
        row = self.row
        if row.status == "suppressed":
            return _(
                "Based on fewer than five advisors or ten contacts, or would reveal such a figure."
            )
        if formatting.is_missing(row.value):
            return ""
        between = formatting.interval(row.low, row.high, self.kpi.unit, self.currency)
        parts = [_("95 % confidence interval {interval}", interval=between)] if between else []
        n = int(row.n)
        count = formatting.number(n)
        parts.append(
            ngettext("based on {count} contact", "based on {count} contacts", n, count=count)
        )
        parts += note_texts.describe_sample(row)
        if not formatting.is_missing(row.pending) and row.pending:
            parts.append(_("{n} pending", n=formatting.number(row.pending)))
        return capitalise(" · ".join(parts))

    @property
    def target(self) -> ChartTitle:
        """Its target and the gap, as on every page."""
        if formatting.is_missing(self.row.target):
            return ChartTitle(_("No target is set."))
        found = targets.describe(self.row, self.kpi.unit, self.currency)
        return ChartTitle(capitalise(found.text), found.severity)

    @property
    def notes(self) -> list[str]:
        """Notes of the value that a reader must know."""
        return note_texts.describe(self.row.notes or ())


def find_figures(viewer: Viewer, choice: str = DEFAULT) -> BoardFigures | None:
    """Find the figures of the sheet over that many whole months (`periods.MONTHS`), those
    that the viewer may see. None while no month is over. Needs SEE_BOARD.
    """
    viewer.require(Permission.SEE_BOARD)
    require_known(choice, periods.MONTHS, "unknown_period")
    span = query.data_span(viewer)
    end = span and periods.last_closed_day(span[1], environment.today())
    if span is None or end < span[0]:
        return None
    period = periods.build_period(choice, end, span[0])
    grain, trend_period = periods.build_trend(period, whole_months=True)
    where, trend = Filters(period), Filters(trend_period)
    keys = tuple(key for key in KPIS if viewer.can(get_kpi(key).needs))
    changes = query.find_changes(viewer, trend_period, keys) if keys else ()
    drivers = query.find_drivers(viewer, where) if viewer.can(Permission.SEE_SATISFACTION) else None
    return BoardFigures(
        period,
        trend_period,
        span[0],
        end,
        targets.add_gaps(viewer, query.measure(viewer, keys, where=where), (), where),
        query.measure(viewer, keys, (grain,), trend),
        {key: tuple(change.day for change in changes if key in change.kpis) for key in keys},
        {key: targets.find(viewer, key, trend) for key in keys},
        drivers,
        exports.find_currency(viewer),
        _find_teams(viewer),
        tuple(editions.find_corrections(viewer)) if viewer.needs_suppression else (),
    )


def describe_period(figures: BoardFigures) -> str:
    """Name the months of the sheet, and the first day of the data if that is later."""
    return formatting.period_of_data(figures.period, figures.first_day)


def describe_scope(figures: BoardFigures) -> str:
    """Say whose contacts the figures are of."""
    if figures.teams is None:
        return _("The whole centre") + "."
    named = [team for team in figures.teams if team]
    if len(named) > MAX_TEAMS:
        return _("Your {n} teams.", n=formatting.number(len(named)))
    names = formatting.listing(team or _("without a team") for team in figures.teams)
    return _("Teams: {names}.", names=names or _("none"))


def describe_corrections(figures: BoardFigures) -> str:
    """Name the months whose figures are not those that were published first; empty without any."""
    if not figures.corrections:
        return ""
    months = [
        f"{formatting.month(month)} ({formatting.local_day(at)})"
        for month, at in figures.corrections
    ]
    return _("Published anew, with corrected data: {months}.", months=" · ".join(months))


def build_lines(figures: BoardFigures) -> list[BoardLine]:
    """Build the lines of the sheet; of several currencies, one line each."""
    lines = []
    for row in figures.rows.itertuples():
        kpi, trend = get_kpi(row.kpi), figures.trend
        currency = getattr(row, "currency", None)
        if isinstance(currency, str):
            trend = trend[(trend["kpi"] != kpi.key) | (trend.get("currency") == currency)]
        else:
            currency = figures.currency
        series = build_series(
            trend,
            kpi,
            "month",
            figures.trend_period,
            figures.first_day,
            figures.last_day,
            figures.period.first_day,
            figures.changes[kpi.key],
        )
        steps = figures.steps[kpi.key]
        lines.append(BoardLine(kpi, row, series, steps, currency))
    return lines


def _find_teams(viewer: Viewer) -> tuple[str | None, ...] | None:
    if viewer.role != Role.MANAGER:
        return None
    return (*viewer.managed_teams, None) if viewer.sees_unassigned else viewer.managed_teams
