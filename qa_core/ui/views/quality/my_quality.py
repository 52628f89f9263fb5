"""My quality: an advisor's own results, the team's median where it is large enough, and
who listened to what, and why.
"""

from __future__ import annotations

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis import charts
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.base import environment
from qa_core.base.i18n import N_, _, ngettext
from qa_core.metrics import formatting, query
from qa_core.metrics.kpis import get_kpi
from qa_core.metrics.query import scorecard_texts
from qa_core.quality.evaluations import advisor_response
from qa_core.ui import cached, cards, drill, trend_cards
from qa_core.ui.filter_bar import FilterState

KPIS = ("evaluation_score", "first_contact_resolution", "csat", "average_handle_time")
PURPOSES = {
    "training": N_("training"),
    "evaluation": N_("evaluation"),
    "quality": N_("quality of service"),
}


def show_top(viewer: Viewer, look: FilterState) -> None:
    """Four tiles with the team's median, and two trends."""
    rows = cached.headline(viewer, KPIS, look.where, look.compare)
    series = trend_cards.read_series(viewer, look, KPIS)
    medians = cached.team_medians(viewer, KPIS, look.where.period)
    extra = {
        key: _(
            "team median {value} ({n} advisors)",
            value=formatting.value(value, get_kpi(key).unit),
            n=count,
        )
        for key, (value, count) in medians.items()
    }
    cards.show_tiles(
        [cards.build_tile(rows[key], look, series[key], extra.get(key, "")) for key in KPIS]
    )
    left, right = st.columns(2, gap="small")
    with left:
        trend_cards.show_trend(
            viewer,
            look,
            series["first_contact_resolution"],
            title=cards.title_of(get_kpi("first_contact_resolution")),
        )
    with right:
        _show_sections(viewer, look)


def show_unlinked() -> None:
    """What an account of no advisor shows: nothing of anybody, and who mends it."""
    with st.container(border=True):
        st.markdown("#### :material/link_off: " + _("Your account is not linked to an advisor yet"))
        st.write(
            _(
                "Until it is, no contact is yours. An administrator says which advisor you "
                "are, under Administration, People."
            )
        )


def show_news(viewer: Viewer) -> advisor_response.News:
    """One line of what waits to be read: new evaluations, disputes that were decided,
    and corrections; nothing where there is none.
    """
    news = advisor_response.find_news(viewer)
    if news.unread or news.decided or news.corrected:
        with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
            if news.unread:
                _show_new(
                    ngettext("{n} evaluation to read", "{n} evaluations to read", len(news.unread)),
                    ":material/mark_email_unread:",
                    news.unread[0],
                )
            if news.decided:
                _show_new(
                    ngettext(
                        "{n} answer to your disputes",
                        "{n} answers to your disputes",
                        len(news.decided),
                    ),
                    ":material/gavel:",
                    news.decided[0],
                )
            if news.corrected:
                said = ngettext(
                    "{n} evaluation corrected since you read it",
                    "{n} evaluations corrected since you read them",
                    len(news.corrected),
                )
                _show_new(said, ":material/edit_note:", news.corrected[0])
    return news


def show_evaluations(viewer: Viewer, look: FilterState, news: advisor_response.News) -> None:
    """One's own evaluations in the longer period, and who made them."""
    entries = query.find_own_evaluations(viewer, look.trend.period)
    with st.container(border=True, gap="xxsmall"):
        cards.show_heading(
            ChartTitle(_("My evaluations")),
            _(
                "Who listened, when and what for, in {period}. Click a line to read it.",
                period=formatting.period(look.trend.period),
            ),
        )
        if not entries:
            st.caption(_("Nobody evaluated a contact of yours in this period."))
            return

        def open_row() -> None:
            cells = st.session_state["my_evaluations"]["selection"]["cells"]
            entry = entries[cells[0][0]] if cells else None
            if entry:
                drill.to_evaluation("my_quality", entry["id"])

        texts = scorecard_texts.find_grid_texts(viewer)
        rows = [
            {
                _("Contact of"): formatting.day(entry["local_day"], year=True),
                _("New"): _("to read")
                if entry["id"] in news.unread
                else _("answered")
                if entry["id"] in news.decided
                else "",
                _("Score"): formatting.value(entry["score"], "score"),
                _("Outcome"): {"pass": _("passed"), "fail": _("not passed")}.get(
                    entry["outcome"], "–"
                ),
                _("Grid"): texts.name("grid", entry["grid"]) if entry["grid"] else None,
                _("Listened by"): entry["evaluator"],
                _("Listened on"): formatting.day(
                    environment.to_local(entry["evaluated_at"]).date(), year=True
                ),
                _("For"): _(PURPOSES.get(entry["purpose"], entry["purpose"])),
            }
            for entry in entries
        ]
        st.dataframe(
            rows,
            hide_index=True,
            key="my_evaluations",
            on_select=open_row,
            selection_mode="single-cell",
            height=min(420, 36 * (len(rows) + 1) + 3),
            row_height=36,
            placeholder="–",
        )
    st.caption(
        _(
            "Écoute is here to help people improve, not to watch them: your colleagues do not "
            "see your results, and you see everybody who listened to yours."
        )
    )


def _show_new(label: str, icon: str, evaluation_id: int) -> None:
    st.button(
        label,
        icon=icon,
        type="tertiary",
        on_click=drill.to_evaluation,
        args=("my_quality", evaluation_id),
        help=_("Opens the newest"),
    )


def _show_sections(viewer: Viewer, look: FilterState) -> None:
    """The parts of the grid, over the longer period: a few evaluations a month say
    little.
    """
    frame = cached.measure(viewer, ("evaluation_score",), ("section",), look.trend)
    frame = frame[frame["section"].notna() & frame["value"].notna()].sort_values(
        "value", ascending=False
    )
    if frame.empty:
        with st.container(border=True, height="stretch"):
            cards.show_heading(ChartTitle(_("No evaluation in this period")))
            st.caption(
                _(
                    "A few contacts a month are drawn by chance and listened to; what the "
                    "evaluator finds appears here."
                )
            )
        return
    texts = scorecard_texts.find_grid_texts(viewer)
    frame = frame.assign(
        key=frame["section"], label=[texts.name("section", key) for key in frame["section"]]
    )
    best, worst = frame.iloc[0], frame.iloc[-1]
    apart = (
        len(frame) > 1
        and not formatting.is_missing(worst["high"])
        and not formatting.is_missing(best["low"])
        and worst["high"] < best["low"]
    )
    finding = ChartTitle(
        _("Strongest: {best}; most to gain: {worst}", best=best["label"], worst=worst["label"])
        if apart
        else _("No part of the grid stands out")
    )
    caption = _(
        "Score by part of the grid, 95 % interval, {period}",
        period=formatting.period(look.trend.period),
    )
    cards.show_chart(
        charts.build_dots(frame, "score", dark=cards.is_dark(), bounds=(0, 100), row_height=56),
        finding,
        caption,
        "sections",
    )
