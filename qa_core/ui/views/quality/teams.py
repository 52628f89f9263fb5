"""Teams side by side: score over evaluations, mean of advisors, and why they differ."""

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis import peers
from qa_core.base.i18n import _
from qa_core.centre.advisors import normalise_name
from qa_core.metrics.kpis import formatting, get_kpi
from qa_core.metrics.kpis.dimensions import Filters
from qa_core.ui.frame import cached
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.widgets import cards, download_links, drill, peer_dots, segmented_choice, tables

BOTH = OVER_ALL, OF_MEANS = ("evaluation_score", "advisor_mean_score")
OTHERS = (
    "first_contact_resolution",
    "first_contact_resolution_declared",
    "csat",
    "csat_mean",
    "average_handle_time",
)


def is_offered(viewer: Viewer) -> bool:
    """Return whether the viewer sees more than one team."""
    if not viewer.can_cut_by("team"):
        return False
    teams = [team for team, _count in cached.find_values(viewer, "team", Filters())]
    return sum(team is not None for team in teams) > 1


def show(viewer: Viewer, state: FilterState) -> None:
    """Show both ways of averaging, and the bands of teams on one measure."""
    _show_both(viewer, state)
    titles = {key: cards.title_of(get_kpi(key)) for key in (OVER_ALL, *OTHERS)}
    key = segmented_choice.ask("measure", _("Measure"), titles, key="teams_measure")
    group = peer_dots.read_group(viewer, state, key, "team")
    if group is None:
        peer_dots.show_nobody(key)
        return
    behind = key if get_kpi(key).subject == "contacts" else None
    peer_dots.show_bands(group, drill.on_point(viewer, f"dots_{key}", "team", behind))
    st.caption(peers.describe_test(group))


def _show_both(viewer: Viewer, state: FilterState) -> None:
    by = tables.index_rows(cached.measure(viewer, BOTH, ("team",), state.where), "team")
    names = sorted((name for name in by if name is not None), key=normalise_name)
    frame = cached.measure(viewer, ("evaluations",), ("team", "advisor"), state.where)
    frame = frame[frame["advisor"].notna()]
    uneven = {
        name: peers.find_evaluation_spread(frame[frame["team"] == name]["value"]) for name in names
    }

    def counted(name: str, field: str) -> int:
        return getattr(uneven[name], field) if uneven[name] else 0

    def describe_gap(name: str) -> str:
        values = [by[name][key].value for key in BOTH]
        is_known = not any(map(formatting.is_missing, values))
        return formatting.change(values[0] - values[1], "score") if is_known else ""

    no_data = _(formatting.NO_DATA)
    columns = (
        tables.name_column(_("Team"), lambda name: name),
        tables.interval_column(
            OVER_ALL, lambda name: by[name][OVER_ALL], no_data, _("Over all evaluations")
        ),
        tables.interval_column(
            OF_MEANS, lambda name: by[name][OF_MEANS], no_data, _("Mean of advisors' means")
        ),
        tables.text_column(_("Difference"), describe_gap),
        tables.count_column(_("Evaluations"), lambda name: counted(name, "evaluations")),
        tables.count_column(_("Advisors"), lambda name: counted(name, "advisors")),
        tables.count_column(_("Most for one advisor"), lambda name: counted(name, "most")),
    )
    hint = _(
        "Over all evaluations: each evaluation counts once, so advisors with more weigh more. "
        "Mean of means: each advisor counts once."
    )
    with cards.card(_("Evaluation score by team, averaged in two ways"), hint):
        tables.show(names, columns, "table_teams", drill.on_value(viewer, "team"), height=420)
        download_links.show_figures("teams", (*BOTH, "evaluations"), ("team",), state.where)
