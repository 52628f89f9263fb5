"""The distribution of survey answers, month by month."""

import pandas as pd

from qa_core.access.roles import Viewer
from qa_core.analysis import charts
from qa_core.base.i18n import N_, _
from qa_core.metrics import formatting, periods
from qa_core.metrics.dimensions import Period
from qa_core.metrics.query.ratings import MARKS
from qa_core.ui import cached, cards, styles
from qa_core.ui.filter_bar import FilterState

NAMES = {
    "detractor": N_("Detractors (0–6)"),
    "passive": N_("Passives (7–8)"),
    "promoter": N_("Promoters (9–10)"),
}


def show(viewer: Viewer, state: FilterState, kpi: str) -> None:
    """Show stacked bars of `csat` or `nps`; unanswered or hidden months have none."""
    period = Period(state.trend.period.first_day.replace(day=1), state.trend.period.last_day)
    frame = cached.find_ratings(viewer, kpi, state.trend.with_period(period))
    is_rating = kpi == "csat"
    title = _("How customers rated") if is_rating else _("Who would recommend the centre")
    if frame.empty:
        cards.show_message(
            _("{title}: nothing to show", title=title),
            _("No value is known, or all are pending or hidden."),
        )
        return
    names = {mark: _(NAMES[mark]) if mark in NAMES else mark for mark in MARKS[kpi]}
    caption = (
        _("Share of ratings by month, each brought to 1–5")
        if is_rating
        else _("Share of answers by month")
    )
    if viewer.needs_suppression and frame["month"].nunique() < periods.count_months(
        state.trend.period
    ):
        caption += "; " + _("months with a small part are hidden")
    cards.show_chart(
        charts.build_shares(frame, names, dark=styles.is_dark()),
        _("{title}: {share}", title=title, share=_describe_last(frame, kpi)),
        caption,
        f"answers_{kpi}",
    )


def _describe_last(frame: pd.DataFrame, kpi: str) -> str:
    """Describe the ends of the scale in the last month shown."""
    last = frame["month"].max()
    counts = frame[frame["month"] == last].set_index("mark")["n"]

    def share(*marks: str) -> str:
        return formatting.percent(sum(counts.get(mark, 0) for mark in marks) / counts.sum(), 0)

    month = formatting.month(last)
    if kpi == "nps":
        return _(
            "{promoters} promoters, {detractors} detractors in {month}",
            promoters=share("promoter"),
            detractors=share("detractor"),
            month=month,
        )
    return _(
        "{best} gave a 5, {worst} a 1 or 2 in {month}",
        best=share("5"),
        worst=share("1", "2"),
        month=month,
    )
