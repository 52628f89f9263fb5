"""Teams side by side for who leads several: the score over all evaluations and the mean
of the advisors' means, both named, and why they differ.
"""

from __future__ import annotations

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis import chart_titles, exports, peers
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.base.i18n import _
from qa_core.centre.advisors import normalise_name
from qa_core.metrics import formatting
from qa_core.metrics.dimensions import Filters
from qa_core.metrics.kpis import get_kpi
from qa_core.ui import cached, cards, download_links, drill, peer_dots, segmented_choice, tables
from qa_core.ui.filter_bar import FilterState

BOTH = ("evaluation_score", "advisor_mean_score")
OTHERS = (
    "first_contact_resolution",
    "first_contact_resolution_declared",
    "csat",
    "csat_mean",
    "average_handle_time",
)


def is_offered(viewer: Viewer) -> bool:
    """Whether the viewer sees more than one team."""
    return (
        viewer.can_cut_by("team")
        and sum(team is not None for team, _count in cached.find_values(viewer, "team", Filters()))
        > 1
    )


def show(viewer: Viewer, look: FilterState) -> None:
    """Both ways of averaging, and the bands of teams on one measure."""
    _show_both(viewer, look)
    key = segmented_choice.ask(
        "measure",
        _("Measure"),
        {key: cards.title_of(get_kpi(key)) for key in (BOTH[0], *OTHERS)},
        key="teams_measure",
    )
    group = peer_dots.read_group(viewer, look, key, "team")
    if group is None:
        with st.container(border=True):
            cards.show_heading(ChartTitle(_("No two teams with enough values in this period")))
        return
    peer_dots.show_bands(group, _on_team(f"dots_{key}", key), finding=_find(group))
    st.caption(peers.describe_test(group))


def _find(group: peers.Group) -> ChartTitle:
    everybody, alike = len(group.peers), sum(peer.band == "alike" for peer in group.peers)
    if group.comparison.p_value is None:
        return ChartTitle(_("Too little data to compare the {n} teams", n=everybody))
    if alike == everybody and group.comparison.p_value < chart_titles.SURE:
        return ChartTitle(_("No single one of the {n} teams stands out", n=everybody))
    if alike == everybody:
        return ChartTitle(_("The {n} teams cannot be told apart", n=everybody))
    tone = (
        "attention" if any(group.tone_of(peer) == "attention" for peer in group.peers) else "better"
    )
    return ChartTitle(
        _(
            "{apart} of {n} teams differ from the rest by more than chance",
            apart=everybody - alike,
            n=everybody,
        ),
        tone,
    )


def _show_both(viewer: Viewer, look: FilterState) -> None:
    by = tables.wide(cached.measure(viewer, BOTH, ("team",), look.where), "team")
    of_advisors = cached.measure(viewer, ("evaluations",), ("team", "advisor"), look.where)
    names = sorted((name for name in by if name is not None), key=normalise_name)
    rows, gaps = [], []
    for name in names:
        uneven = peers.find_uneven(
            of_advisors[(of_advisors["team"] == name) & of_advisors["advisor"].notna()]["value"]
        )
        over_all, of_means = (by[name][key] for key in BOTH)
        is_known = not formatting.is_missing(over_all.value) and not formatting.is_missing(
            of_means.value
        )
        gaps += (
            [(abs(over_all.value - of_means.value), name, uneven)] if is_known and uneven else []
        )
        rows.append(
            {
                _("Team"): name,
                _("Over all evaluations"): tables.cell(over_all) or _(formatting.NO_DATA),
                _("Mean of advisors' means"): tables.cell(of_means) or _(formatting.NO_DATA),
                _("Difference"): formatting.change(over_all.value - of_means.value, "score")
                if is_known
                else "",
                _("Evaluations"): uneven.evaluations if uneven else 0,
                _("Advisors"): uneven.advisors if uneven else 0,
                _("Most of one advisor"): uneven.most if uneven else 0,
            }
        )
    with st.container(border=True, gap="xxsmall"):
        cards.show_heading(
            ChartTitle(_("Evaluation score by team, averaged in two ways")),
            _explain(max(gaps, key=lambda gap: gap[0], default=None)),
        )
        counts = (_("Evaluations"), _("Advisors"), _("Most of one advisor"))
        config = {title: tables.count_column(title) for title in counts} | {
            _("Team"): tables.name_column(_("Team"))
        }
        tables.show(
            rows,
            config,
            "table_teams",
            drill.on_row("table_teams", "team", names) if drill.is_open_to(viewer) else None,
            height=420,
        )
        download_links.show_download(
            _("Export"),
            "figures",
            key="teams",
            **exports.parameters((*BOTH, "evaluations"), ("team",), look.where),
        )


def _explain(widest: tuple[float, str, peers.Uneven] | None) -> str:
    said = _(
        "Over all evaluations, each evaluation counts once: who was evaluated more weighs "
        "more. In the mean of means, each advisor counts once."
    )
    if widest is None or round(widest[0], 1) == 0:
        return said
    _gap, name, uneven = widest
    return (
        said
        + " "
        + _(
            "They differ most in {team}: of {evaluations} evaluations of {advisors} advisors, "
            "{most} are of one.",
            team=name,
            evaluations=formatting.number(uneven.evaluations),
            advisors=formatting.number(uneven.advisors),
            most=formatting.number(uneven.most),
        )
    )


def _on_team(chart: str, key: str):
    return drill.on_point(chart, "team", key if get_kpi(key).subject == "contacts" else None)
