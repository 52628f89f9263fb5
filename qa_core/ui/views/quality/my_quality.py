"""The My quality page: own results, the team's median, and who listened why."""

from typing import Any

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis import charts
from qa_core.analysis.headline import OWN
from qa_core.base.i18n import NN_, _, ngettext
from qa_core.delivery import notices
from qa_core.metrics import query
from qa_core.metrics.kpis import formatting, get_kpi
from qa_core.metrics.rows import scorecard_texts
from qa_core.quality.evaluations.advisor_response import News, find_news
from qa_core.ui.frame import cached, layout, styles
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.widgets import cards, drill, empty_states, evaluation_tables, tables, trend_cards

PAGE = "my_quality"
CORRECTIONS = NN_(
    "{n} evaluation corrected since you read it", "{n} evaluations corrected since you read them"
)


def show_top(viewer: Viewer, state: FilterState) -> None:
    """Show four tiles with the team's median, a trend, and the parts of the scorecard."""
    rows = cached.headline(viewer, OWN, state.where, state.compare)
    series = trend_cards.read_series(viewer, state, OWN)
    extra = {
        key: _(
            "team median {value} ({n} advisors)",
            value=formatting.value(value, get_kpi(key).unit),
            n=count,
        )
        for key, (value, count) in cached.team_medians(viewer, OWN, state.where.period).items()
    }
    lately = trend_cards.describe_lately(viewer, state.where, OWN, series)
    tiles = [
        cards.build_tile(rows[key], state, series[key], extra.get(key, ""), lately.get(key, ""))
        for key in OWN
    ]
    cards.show_tiles(tiles)
    left, right = st.columns(2, gap="small")
    with left:
        trend = series["first_contact_resolution"]
        trend_cards.show_trend(viewer, state, trend, has_title=True)
    with right:
        _show_sections(viewer, state)


def show_unlinked() -> None:
    """Show that the account belongs to no advisor, and who can link it."""
    empty_states.card(
        ":material/link_off:",
        _("Your account is not linked to an advisor yet"),
        _(
            "Until then, no contact counts as yours. An administrator links you to an advisor, "
            "under Administration, People."
        ),
    )


def show_news(viewer: Viewer) -> News:
    """Show what is to be read: new evaluations, decided disputes, corrections."""
    news = find_news(viewer)
    kinds = (
        (news.unread, notices.EVALUATIONS, "mark_email_unread"),
        (news.decided, notices.DECISIONS, "gavel"),
        (news.corrected, CORRECTIONS, "edit_note"),
    )
    if any(found for found, _forms, _symbol in kinds):
        with layout.row("medium"):
            for found, forms, symbol in kinds:
                if found:
                    label, act = ngettext(*forms, len(found)), (drill.to_evaluation, PAGE, found[0])
                    layout.show_quiet_button(symbol, label, f"new_{symbol}", *act)
    return news


def show_evaluations(viewer: Viewer, state: FilterState, news: News) -> None:
    """Show one's own evaluations in the longer period, and who made them."""
    period = state.trend.period
    entries = query.find_own_evaluations(viewer, period)

    def describe_new(entry: dict[str, Any]) -> str:
        if entry["id"] in news.unread:
            return _("to read")
        return _("decided") if entry["id"] in news.decided else ""

    with cards.card(_("My evaluations"), formatting.period(period)):
        evaluation_tables.show(
            entries,
            ("date", "score", "outcome", "scorecard", "evaluator", "evaluated_on", "purpose"),
            scorecard_texts.find_scorecard_texts(viewer),
            PAGE,
            "my_evaluations",
            height=420,
            extra=(tables.text_column(_("New"), describe_new),),
        )
    text = _(
        "Écoute is here to help people improve, not to watch them. Colleagues do not see your "
        "results, and you see everybody who listened to your contacts."
    )
    st.caption(text)


def _show_sections(viewer: Viewer, state: FilterState) -> None:
    """Show the parts of the scorecard over the longer period: a month has few evaluations.
    Imported scorecards may have criteria alone.
    """
    for part in ("section", "criterion"):
        frame = cached.measure(viewer, ("evaluation_score",), (part,), state.trend)
        frame = frame[frame[part].notna() & frame["value"].notna()]
        if not frame.empty:
            break
    else:
        cards.card(_("No evaluation in this period"))
        return
    texts = scorecard_texts.find_scorecard_texts(viewer)
    frame = frame.sort_values("value", ascending=False).assign(key=lambda rows: rows[part])
    frame["label"] = [texts.name(part, key) for key in frame[part]]
    best, worst = frame.iloc[0], frame.iloc[-1]
    finding = _("No section stands out") if part == "section" else _("Score by criterion")
    # Comparisons with a missing end are False.
    if len(frame) > 1 and worst["high"] < best["low"]:
        finding = _(
            "Strongest: {best}; most to gain: {worst}", best=best["label"], worst=worst["label"]
        )
    caption = _(
        "With 95 % confidence interval, {period}", period=formatting.period(state.trend.period)
    )
    figure = charts.build_dots(
        frame, "score", dark=styles.is_dark(), bounds=(0, 100), row_height=56
    )
    cards.show_chart(figure, finding, caption, "sections")
