"""Advisors side by side: one measure in depth, all measures, criteria or teams; who can
be told apart and who cannot, and never a rank.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.analysis import exports, peers
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.base.i18n import N_, _
from qa_core.centre.advisors import normalise_name
from qa_core.metrics import formatting
from qa_core.metrics.kpis import get_kpi
from qa_core.ui import (
    cached,
    cards,
    download_links,
    drill,
    peer_dots,
    segmented_choice,
    tables,
    trend_cards,
)
from qa_core.ui.filter_bar import FilterState
from qa_core.ui.views.quality import adjusted_scores, criteria, disputes, teams

KPIS = ("evaluation_score", "first_contact_resolution", "csat", "average_handle_time")
MEASURES = (
    "evaluation_score",
    "first_contact_resolution",
    "first_contact_resolution_declared",
    "csat",
    "csat_mean",
    "average_handle_time",
)
LISTENED = "listened_rate"
"""No measure of an advisor, but of those who listen: nobody is to be listened to far
more than the rest.
"""
VIEWS = {
    "measure": N_("One measure"),
    "all": N_("All measures"),
    "criteria": N_("Criteria"),
    "teams": N_("By team"),
}


def show_tiles(viewer: Viewer, look: FilterState) -> None:
    """The team as a whole."""
    rows = cached.headline(viewer, KPIS, look.where, look.compare)
    series = trend_cards.read_series(viewer, look, KPIS)
    cards.show_tiles([cards.build_tile(rows[key], look, series[key]) for key in KPIS])


def show_views(viewer: Viewer, look: FilterState) -> None:
    """One of four ways to look, chosen by the reader; only that one is worked out."""
    offered = {
        key: _(title) for key, title in VIEWS.items() if key != "teams" or teams.is_offered(viewer)
    }
    chosen = segmented_choice.ask("view", _("View"), offered)
    if chosen == "measure":
        _show_measure(viewer, look)
    elif chosen == "all":
        _show_table(viewer, look)
    elif chosen == "criteria":
        criteria.show(viewer, look)
        if not viewer.can(Permission.DECIDE_DISPUTES):  # who decides has a page for it
            disputes.show_criteria(viewer, look)
    else:
        teams.show(viewer, look)


def _show_measure(viewer: Viewer, look: FilterState) -> None:
    """Bands of those who cannot be told apart, the funnel, and how much more data it
    would take.
    """
    key = segmented_choice.ask(
        "measure",
        _("Measure"),
        {key: cards.title_of(get_kpi(key)) for key in (*MEASURES, LISTENED)},
        key="advisors_measure",
    )
    group = peer_dots.read_group(viewer, look, key)
    if group is None:
        peer_dots.show_nobody(key)
        return
    left, right = st.columns([5, 4], gap="small")
    with left:
        peer_dots.show_bands(group, _on_point(viewer, look, f"dots_{key}", key), with_shrunk=True)
    with right:
        peer_dots.show_funnel(group, _on_point(viewer, look, f"funnel_{key}", key))
    st.caption(" ".join((peers.describe_test(group), _format_between(group))))
    peer_dots.show_needed(
        group, _("Advisor"), lambda table, names: _on_row(viewer, look, table, names, key)
    )
    download_links.show_download(
        _("Export"),
        "figures",
        key="measure",
        **exports.parameters((key,), ("advisor",), look.where),
    )


def _format_between(group: peers.Group) -> str:
    """How far apart they truly are, as far as it can be known, and what that does to
    the estimates.
    """
    if group.between <= 0:
        return _(
            "They lie no farther apart than chance puts them: the best estimate of each is "
            "that of the group."
        )
    amount = formatting.change(group.between, group.kpi.unit).lstrip("+")
    return _(
        "Beyond chance they lie about {amount} apart (one standard deviation); estimates are "
        "drawn to the group by what chance did.",
        amount=amount,
    )


def _on_point(viewer: Viewer, look: FilterState, chart: str, key: str) -> Callable[[], None]:
    """The callback of a chart whose points carry the name of an advisor: open their
    page on that measure.
    """
    return lambda: _open(viewer, look, next(iter(drill.clicked(chart)), None), key)


def _on_row(
    viewer: Viewer, look: FilterState, table: str, names: list[str], key: str = MEASURES[0]
) -> Callable[[], None]:
    def open_row() -> None:
        cells = st.session_state[table]["selection"]["cells"]
        _open(viewer, look, names[cells[0][0]] if cells else None, key)

    return open_row


def _open(viewer: Viewer, look: FilterState, name: str | None, key: str) -> None:
    ids = {
        advisor.name: advisor.advisor_id
        for advisor in cached.find_advisors(viewer, look.where.period)
    }
    if name in ids:
        drill.to_advisor(ids[name], **({} if key == MEASURES[0] else {"measure": key}))


def _show_table(viewer: Viewer, look: FilterState) -> None:
    """Everybody, by name, with intervals; a click opens the advisor."""
    shown = (*MEASURES, "answered", "evaluations")
    by = tables.wide(cached.measure(viewer, shown, ("advisor",), look.where), "advisor")
    names = sorted((name for name in by if name is not None), key=normalise_name)
    scores = adjusted_scores.read(viewer, look)
    with st.container(border=True, gap="xxsmall"):
        cards.show_heading(
            ChartTitle(_("Side by side")),
            _("By name, not by rank: value and 95 % interval.")
            + " "
            + _("Click a line to see the advisor beside the team."),
        )
        rows: list[dict[str, Any]] = []
        for name in names:
            line: dict[str, Any] = {
                _("Advisor"): name,
                _("Answered"): by[name]["answered"].value,
                _("Evaluations"): by[name]["evaluations"].value,
            }
            for key in MEASURES:
                row = by[name][key]
                line[cards.column_of(key)] = (
                    tables.cell(row)
                    if not formatting.is_missing(row.value)
                    else _(formatting.NO_DATA)
                )
                if key == "evaluation_score" and scores.is_connected:
                    line[_(adjusted_scores.TITLE)] = adjusted_scores.cell(scores, name)
            rows.append(line)
        config = {
            title: tables.count_column(title) for title in (_("Answered"), _("Evaluations"))
        } | {_("Advisor"): tables.name_column(_("Advisor"))}
        tables.show(
            rows,
            config,
            "table_advisors",
            _on_row(viewer, look, "table_advisors", names),
            height=640,
        )
        left, right = st.columns([5, 1])
        with left:
            tables.note_definitions(MEASURES, look)
            adjusted_scores.show_note(scores)
        with right:
            download_links.show_download(
                _("Export"),
                "figures",
                key="all",
                **exports.parameters(shown, ("advisor",), look.where),
            )
