"""People or teams side by side on one KPI: dots in bands against chance, the funnel,
and how much more data it would take.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st

from qa_core import stats
from qa_core.access.roles import Viewer
from qa_core.analysis import chart_titles, charts, peers
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.analysis.peers import Group, Peer
from qa_core.base.i18n import N_, _, ngettext
from qa_core.centre.advisors import fold
from qa_core.metrics import formatting
from qa_core.metrics.kpis import get_kpi
from qa_core.ui import cached, cards, drill, segmented_choice, tables
from qa_core.ui.filter_bar import FilterState

MOST_ROWS = 24
MOST_NAMES = 6
SHRUNK = N_("Shrunken estimate")


def read_group(
    viewer: Viewer, look: FilterState, key: str, dimension: str = "advisor"
) -> Group | None:
    """The members in the viewer's scope compared on one KPI; None where there are fewer
    than two.
    """
    return peers.build_group(
        get_kpi(key), cached.measure(viewer, (key,), (dimension,), look.where), dimension
    )


def show_nobody(key: str) -> None:
    """In place of a comparison of fewer than two."""
    kpi = get_kpi(key)
    with st.container(border=True, height="stretch", gap="xxsmall"):
        finding = ChartTitle(_("{title}: nobody to compare with", title=cards.title_of(kpi)))
        cards.show_heading(
            finding,
            _(
                "It takes two advisors with at least {n} values each in this period.",
                n=peers.least(kpi),
            ),
        )


def show_dots(viewer: Viewer, look: FilterState, key: str, with_title: bool = False) -> None:
    """One KPI by advisor: dot and interval, the grey bar that chance alone would fill
    with as many contacts, who stands out and who does not.
    """
    group = read_group(viewer, look, key)
    if group is None:
        show_nobody(key)
        return
    counts_contacts = key if group.kpi.subject == "contacts" else None
    on_select = (
        drill.on_point(f"dots_{key}", "advisor", counts_contacts)
        if drill.is_open_to(viewer)
        else None
    )
    show_bands(group, on_select, with_title=with_title)


def show_bands(
    group: Group,
    on_select: Callable[[], None] | None,
    with_title: bool = False,
    with_shrunk: bool = False,
    finding: ChartTitle | None = None,
) -> None:
    """Dots and intervals, band by band and by name: never an order of merit. `finding`:
    what to say above, where the members are no advisors.
    """
    kpi, names = group.kpi, {peer.name: peer.name for peer in group.peers}
    finding = finding or chart_titles.describe_comparison(group.comparison, names, kpi.better)
    if with_title:
        finding = ChartTitle(
            _(
                "{title}: {finding}",
                title=cards.title_of(kpi),
                finding=finding.text[0].lower() + finding.text[1:],
            ),
            finding.tone,
        )
    drawn, hidden = _choose(group)
    caption = _(
        "{start}95 % interval; grey: what chance alone would give. {rest}",
        start="" if with_title else cards.title_of(kpi) + ", ",
        rest=chart_titles.name_the_rest(group.comparison, names, kpi.better),
    )
    if with_shrunk:
        caption += " " + _("Ring: estimate shrunk to the group.")
    if hidden:
        caption += " " + ngettext("{n} other is not drawn.", "{n} others are not drawn.", hidden)
    if group.few:
        caption += " " + ngettext(
            "{n} with too few values is left out.",
            "{n} with too few values are left out.",
            len(group.few),
        )
    frame = _frame(group, drawn)
    figure = charts.build_dots(
        frame if with_shrunk else frame.drop(columns="shrunk"),
        kpi.unit,
        dark=cards.is_dark(),
        centre=group.centre,
        bounds=kpi.bounds,
        row_height=_row_height(len(drawn)),
        breaks=[row for row in range(1, len(drawn)) if drawn[row].band != drawn[row - 1].band],
    )
    cards.show_chart(
        figure,
        finding,
        caption[0].upper() + caption[1:].strip(),
        f"dots_{kpi.key}",
        on_select=on_select,
        kpi=kpi.key,
    )


def show_funnel(group: Group, on_select: Callable[[], None] | None) -> None:
    """Value against number of values, between limits that widen where little is known."""
    beyond = [
        peer
        for peer in group.peers
        if abs(peer.value - group.centre) > group.funnel.half_width(peer.n, stats.OUTER)
    ]
    outside = [
        peer
        for peer in group.peers
        if abs(peer.value - group.centre) > group.funnel.half_width(peer.n)
    ]
    if beyond:
        text = ngettext(
            "{n} of {all} lies beyond the outer limits",
            "{n} of {all} lie beyond the outer limits",
            len(beyond),
            all=len(group.peers),
        )
    else:
        text = _("All lie within the outer limits of the funnel")
    caption = _(
        "Across: number of values. Dashed: 95 % of values lie within by chance; line: 99.8 %."
    )
    if outside:
        said = {"all": len(group.peers), "by_chance": formatting.number(0.05 * len(group.peers), 1)}
        caption += " " + ngettext(
            "{n} lies beyond the dashed ones; chance alone would put {by_chance} of {all} there.",
            "{n} lie beyond the dashed ones; chance alone would put {by_chance} of {all} there.",
            len(outside),
            **said,
        )
    if any(peer.band == "alike" for peer in beyond):
        caption += " " + _(
            "The funnel looks at each alone, the bands at all at once: only these say who can "
            "be told apart."
        )
    if group.funnel.spread >= 1.05:
        spread = formatting.number(group.funnel.spread, 1)
        caption += " " + _(
            "The limits are {spread} times wider than chance alone asks, because they differ "
            "that much as a rule.",
            spread=spread,
        )
    named = {
        peer.name
        for peer in (beyond or [peer for peer in group.peers if peer.band != "alike"])[:MOST_NAMES]
    }
    frame = _frame(group, group.peers)
    rows = min(len(group.peers), MOST_ROWS)
    figure = charts.build_funnel_plot(
        frame.assign(is_named=[name in named for name in frame["key"]]),
        group.funnel,
        group.kpi.unit,
        dark=cards.is_dark(),
        bounds=group.kpi.bounds,
        height=max(300, 46 + rows * _row_height(rows)),
    )
    cards.show_chart(
        figure,
        ChartTitle(text),
        caption,
        f"funnel_{group.kpi.key}",
        on_select=on_select,
        kpi=group.kpi.key,
    )


def show_needed(
    group: Group, title: str, on_row: Callable[[str, list[str]], Callable[[], None]] | None
) -> None:
    """Everybody by name: value, interval, shrunken estimate, and how many more values
    until a difference would show.
    """
    kpi = group.kpi
    sizes = peers.DIFFERENCES[kpi.unit]
    titles = {f"{size:g}": formatting.change(size, kpi.unit).lstrip("+") for size in sizes}
    counted = _("evaluations") if kpi.subject == "answers" else _("contacts")
    with st.container(border=True, gap="xxsmall"):
        top, right = st.columns([3, 2], vertical_alignment="top")
        with right:
            size = float(segmented_choice.ask("difference", _("Difference to be seen"), titles))
        missing = [group.more_needed(peer, size) for peer in group.peers]
        with top:
            cards.show_heading(
                ChartTitle(_describe_needed(missing, titles[f"{size:g}"], counted)),
                _explain_needed(group, counted),
            )
        ordered = sorted(group.peers, key=lambda peer: fold(peer.name))
        rows = [
            {
                title: peer.name,
                _("Band"): _(peers.BANDS[peer.band]),
                "n": peer.n,
                cards.column_of(kpi.key): _with_interval(peer, kpi.unit),
                _(SHRUNK): formatting.value(peer.shrunk, kpi.unit),
                _("Still needed"): group.more_needed(peer, size),
                _("Shows today"): "± "
                + formatting.change(group.detectable(peer), kpi.unit).lstrip("+"),
            }
            for peer in ordered
        ]
        key, names = f"needed_{kpi.key}", [peer.name for peer in ordered]
        config = {head: tables.count_column(head) for head in ("n", _("Still needed"))} | {
            title: tables.name_column(title)
        }
        tables.show(rows, config, key, on_row(key, names) if on_row else None, height=520)


def _describe_needed(missing: list[int], difference: str, counted: str) -> str:
    waiting = [count for count in missing if count]
    if not waiting:
        return _("There is enough data to see {difference} in anybody", difference=difference)
    if len(waiting) == len(missing):
        least, most = formatting.number(min(waiting)), formatting.number(max(waiting))
        return _(
            "To see {difference}, everybody needs more {counted}: {least} to {most}",
            difference=difference,
            counted=counted,
            least=least,
            most=most,
        )
    return ngettext(
        "To see {difference}, {n} of {all} needs more {counted}",
        "To see {difference}, {n} of {all} need more {counted}",
        len(waiting),
        difference=difference,
        all=len(missing),
        counted=counted,
    )


def _explain_needed(group: Group, counted: str) -> str:
    return " ".join(
        (
            _("By name, not by rank; within a band nobody is above anybody else."),
            _(
                "Still needed: {counted} until a true difference of that size from the group "
                "would be seen in 80 % of cases.",
                counted=counted,
            ),
            _("Shows today: the smallest difference that the present number shows."),
        )
    )


def _with_interval(peer: Peer, unit: str) -> str:
    between = formatting.interval(peer.low, peer.high, unit)
    return formatting.value(peer.value, unit) + (f"  ({between})" if between else "")


def _row_height(rows: int) -> int:
    return min(28, max(18, 440 // rows))


def _choose(group: Group) -> tuple[list[Peer], int]:
    """All; where they are many, those who stand out and the first of the others by
    name.
    """
    apart = [peer for peer in group.peers if peer.band != "alike"][:MOST_ROWS]
    others = [peer for peer in group.peers if peer.band == "alike"][: MOST_ROWS - len(apart)]
    drawn = [peer for peer in group.peers if peer in apart or peer in others]
    return drawn, len(group.peers) - len(drawn)


def _frame(group: Group, chosen: Any) -> pd.DataFrame:
    records = []
    for peer in chosen:
        # As wide as chance alone asks: the funnel beside it has its own, wider limits.
        half = stats.Z95 * group.deviation / peer.n**0.5
        edges = {"chance_low": group.centre - half, "chance_high": group.centre + half}
        values = {
            "value": peer.value,
            "low": peer.low,
            "high": peer.high,
            "n": peer.n,
            "shrunk": peer.shrunk,
        }
        records.append(
            {"key": peer.name, "label": peer.name, **values, **edges, "tone": group.tone_of(peer)}
        )
    return pd.DataFrame(records).astype({"low": float, "high": float})
