"""Attention: open alerts, unusual trends, and rates that changed clearly, for page and mail."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qa_core.access.roles import Viewer
from qa_core.analysis import chart_titles
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.analysis.series import Series
from qa_core.base.i18n import _, ngettext
from qa_core.metrics import query
from qa_core.metrics.kpis import formatting, get_kpi
from qa_core.metrics.kpis.dimensions import Filters, Period, get_dimension
from qa_core.stats import control_charts

WATCHED = ("answer_rate", "first_contact_resolution", "csat")
"""Rates compared value by value."""
CUTS = ("queue", "reason", "channel")
"""Dimensions whose values are compared where a page names none."""
CAUTION = 1.6
"""Factor for intervals of about 99.8 %: dozens are tried at once."""
MAX_ITEMS, MAX_ALERTS, MAX_TRENDS = 5, 4, 3


@dataclass(frozen=True)
class AttentionItem:
    """A change that may need a look.

    `strength`: in units of its uncertainty. `severity`: empty without a clear
    difference. A click opens the contacts of `values` that `behind` counts.
    """

    strength: float
    text: str
    severity: str
    values: Mapping[str, Any]
    behind: str


@dataclass(frozen=True)
class Attention:
    """Open alerts, trends without an alert of their own, and rates that changed clearly, each
    by strength. `tried`: number of rates looked at, `compared`: with enough contacts.
    `more`: open alerts that have no room beside the others.
    """

    alerts: Sequence[Any]
    more: Sequence[Any]
    trends: Sequence[Series]
    worse: Sequence[AttentionItem]
    better: Sequence[AttentionItem]
    tried: int
    compared: int
    was_tried: bool
    """True: a rate could be compared, or a trend has enough points for limits."""

    @property
    def items(self) -> list[AttentionItem]:
        """The changed rates that have room beside alerts and trends."""
        room = max(1, MAX_ITEMS - len(self.trends) - len(self.alerts))
        return [*self.worse, *self.better][:room]

    @property
    def heading(self) -> ChartTitle:
        worse = [*self.alerts, *self.trends, *self.worse]
        return conclude(worse, self.better, self.was_tried)


def find_attention(
    viewer: Viewer,
    where: Filters,
    compare: Period | None,
    series: Mapping[str, Series],
    alerts: Sequence[Any],
    read: Callable[..., Any] = query.measure_cuts,
    escape: Callable[[str], str] = str,
    cuts: Sequence[str] = CUTS,
) -> Attention:
    """Find what needs a look. `series`: the trend of each KPI; `alerts`: the open ones.
    Without `compare`, no rate is compared. `read`: `measure_cuts`, or a cache of it.
    `escape`: makes markdown of a name. `cuts`: dimensions whose values are compared.
    """
    alerted = {event.rule.kpi for event in alerts if event.rule.dimension is None}
    tried = _compare_rates(viewer, where, compare, series, read, escape, cuts) if compare else []
    compared = [item for item in tried if item is not None]
    return Attention(
        alerts[:MAX_ALERTS],
        alerts[MAX_ALERTS:],
        [
            trend
            for trend in series.values()
            if trend.finding.severity == "attention" and trend.kpi.key not in alerted
        ][:MAX_TRENDS],
        *_split(compared),
        len(tried),
        len(compared),
        bool(compared) or any(trend.signals for trend in series.values()),
    )


def _build_change(
    row: Any, dimension: str, spread: float, escape: Callable[[str], str], is_shared: bool
) -> AttentionItem | None:
    """Build the item of a changed rate; None where there is too little data to compare.

    `row`: of `measure`, compared with the period before. `spread`: widens the interval.
    `escape`: makes markdown of a name. `is_shared`: another dimension beside it has that
    name too.
    """
    interval = control_charts.interval_of_change(row, spread)
    if formatting.is_missing(row.delta) or interval is None:
        return None
    kpi, value = get_kpi(row.kpi), getattr(row, dimension)
    name = formatting.name(dimension, value)
    if is_shared:
        name = f"{_(get_dimension(dimension).title)} {name}"
    text = _(
        "**{name}**: {kpi} {change}, now {value}",
        name=escape(name),
        kpi=formatting.heading(kpi),
        change=formatting.change(row.delta, kpi.unit),
        value=formatting.value(row.value, kpi.unit),
    )
    severity = chart_titles.describe_change("", row.delta, interval, kpi.unit, kpi.better).severity
    strength = 2 * abs(row.delta) / (interval[1] - interval[0])
    return AttentionItem(strength, text, severity, {dimension: value}, kpi.key)


def describe_more(count: int) -> str:
    """Describe how many entries follow those that are shown."""
    return ngettext("{n} more after these", "{n} more after these", count)


def describe_tried(period: str, compared: int, whole: int) -> str:
    """Describe how many of the rates could be compared with that period."""
    return _(
        "Clearly changed since {period}, or outside its limits. {count} of {whole} rates had "
        "enough contacts to compare",
        period=period,
        count=formatting.number(compared),
        whole=formatting.number(whole),
    )


def conclude(
    worse: Sequence[Any], better: Sequence[Any], was_tried: bool, cuts: Sequence[str] = CUTS
) -> ChartTitle:
    """Return the heading of what is worse and better. `was_tried`: something could be compared,
    by these dimensions.
    """
    if worse:
        return ChartTitle(_("What needs a look"), "attention")
    if better:
        return ChartTitle(_("What stands out"), "better")
    if was_tried:
        names = formatting.listing(formatting.dimension(name).lower() for name in cuts)
        return ChartTitle(_("Nothing stands out by {dimensions}", dimensions=names))
    return ChartTitle(_("Too little data to see what stands out"))


def _split(items: Iterable[AttentionItem]) -> tuple[list[AttentionItem], list[AttentionItem]]:
    """Return the worse ones and the better ones, each by strength."""
    ordered = sorted(items, key=lambda item: -item.strength)
    worse = [item for item in ordered if item.severity == "attention"]
    return worse, [item for item in ordered if item.severity == "better"]


def _compare_rates(
    viewer: Viewer,
    where: Filters,
    compare: Period,
    series: Mapping[str, Series],
    read: Callable[..., Any],
    escape: Callable[[str], str],
    dimensions: Sequence[str],
) -> list[AttentionItem | None]:
    """Compare each watched rate by each dimension; None: too little data."""
    keys = tuple(key for key in WATCHED if key in series and series[key].known_points)
    cuts = [
        (name,)
        for name in dimensions
        if viewer.can_cut_by(name) and query.may_cut(viewer, where, name)
    ]
    frames = read(viewer, keys, tuple(cuts), where, compare)
    names = Counter(
        value for (name,), frame in zip(cuts, frames, strict=True) for value in {*frame[name]}
    )
    return [
        _build_change(
            row,
            dimension,
            CAUTION * series[row.kpi].spread,
            escape,
            names[getattr(row, dimension)] > 1,
        )
        for (dimension,), frame in zip(cuts, frames, strict=True)
        for row in frame.itertuples()
        if not formatting.is_missing(getattr(row, dimension))
    ]
