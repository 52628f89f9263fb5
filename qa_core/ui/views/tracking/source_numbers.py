"""Tracking numbers over time: their campaigns, and contacts without one."""

from collections import Counter
from collections.abc import Sequence

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis import charts, exports
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.analysis.tracking_numbers import GAP, NEVER, UNSEEN, CampaignSpan, UnassignedContacts
from qa_core.base.i18n import N_, _, ngettext
from qa_core.metrics.kpis import dimensions, formatting
from qa_core.ui.frame import cached, styles
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.frame.markdown import escape
from qa_core.ui.widgets import cards, download_links, drill, peer_dots, tables

MAX_NUMBERS = 16
ADVICE = {
    GAP: N_(
        "Its assignments do not cover these days. Add the days to the file of assignments and "
        "import it again."
    ),
    UNSEEN: N_(
        "The call tracking reported other contacts of this number, but not these. Import its "
        "export again, or assign the number to its campaign."
    ),
    NEVER: N_("No campaign is known for it. Assign the number to one, unless it is a main number."),
}


def show(viewer: Viewer, state: FilterState) -> None:
    """Show the spans on a time line and as a table, and contacts without a campaign."""
    history = cached.find_numbers(viewer, state.where.period)
    filters = dict(state.where.values)
    spans = [
        span
        for span in history.spans
        if all(
            getattr(span, name) in filters[name]
            for name in ("source", "campaign")
            if name in filters
        )
    ]
    _show_spans(viewer, state, spans)
    _show_unassigned(viewer, state, history.unassigned)


def _number_column() -> tables.TableColumn:
    title = _(dimensions.get_dimension("tracking_number").title)
    return tables.name_column(title, lambda line: line.number, 124)


def _show_spans(viewer: Viewer, state: FilterState, spans: Sequence[CampaignSpan]) -> None:
    if not spans:
        text = _(
            "Contacts need the number that was dialled. A file of assignments gives each "
            "number its campaign, with a first and last day."
        )
        cards.show_message(_("No tracking number is known"), text)
        return
    text = _(
        "Campaigns of each number over all data. Pale: seen on contacts, not in a file of "
        "assignments"
    )
    with cards.card(_describe(spans), text, is_stretched=True):
        _show_time_line(state, spans)
        on_number = drill.on_value(viewer, "tracking_number")
        columns = (
            _number_column(),
            tables.text_column(_("Campaign"), lambda span: span.campaign or "", 166),
            tables.text_column(_("Source"), _name_source, 136),
            tables.day_text_column(_("From"), lambda span: span.first_day, 88, _("always")),
            tables.day_text_column(_("Until"), lambda span: span.last_day, 88, _("ongoing")),
            tables.count_column(_("Contacts"), lambda span: span.inside, 66),
            tables.count_column(_("Total"), lambda span: span.contacts, 58),
            tables.text_column(_("Known"), _describe_assignment, 80),
        )
        on_line = (lambda span: on_number(span.number)) if on_number else None
        tables.show(spans, columns, "table_numbers", on_line, height=330, room=tables.IN_SECTION)
        download_links.show_download(
            "numbers", key="stretches", **exports.build_number_parameters(state.where.period)
        )


def _show_time_line(state: FilterState, spans: Sequence[CampaignSpan]) -> None:
    contacts = Counter()
    for span in spans:
        contacts[span.number] += span.contacts
    drawn = set(sorted(contacts, key=lambda number: (-contacts[number], number))[:MAX_NUMBERS])
    bars = [
        charts.DatedSpan(
            span.number,
            _name(span),
            span.first_day or state.first_day,
            span.last_day or state.last_day,
            ngettext(
                "{count} contact",
                "{count} contacts",
                span.contacts,
                count=formatting.number(span.contacts),
            ),
            span.is_assigned,
        )
        for span in spans
        if span.number in drawn
    ]
    alt = ". ".join(
        f"{bar.label}: {bar.title}, {formatting.day(bar.first_day, year=True)} – "
        f"{formatting.day(bar.last_day, year=True)}"
        for bar in bars
    )
    figure = charts.build_spans(bars, state.first_day, state.last_day, dark=styles.is_dark())
    cards.show_figure(figure, "numbers", alt)
    if others := len(contacts) - len(drawn):
        st.caption(peer_dots.describe_left_out(others))


def _describe(spans: Sequence[CampaignSpan]) -> str:
    carried: dict[str, set[tuple[str | None, ...]]] = {}
    for span in spans:
        carried.setdefault(span.number, set()).add(span.campaign_key)
    if reused := sum(len(kinds) > 1 for kinds in carried.values()):
        return _(
            "Numbers that carried several campaigns: {n} of {whole}", n=reused, whole=len(carried)
        )
    return ngettext(
        "{n} number, always with the same campaign",
        "{n} numbers, each always with the same campaign",
        len(carried),
    )


def _name_source(span: CampaignSpan) -> str:
    return " / ".join(filter(None, (span.source, span.medium)))


def _name(span: CampaignSpan) -> str:
    return span.campaign or _name_source(span) or _("Not known")


def _describe_assignment(span: CampaignSpan) -> str:
    known = _("assigned") if span.is_assigned else _("seen")
    return known + (" · " + _("shared") if span.is_shared else "")


def _show_unassigned(
    viewer: Viewer, state: FilterState, unassigned: Sequence[UnassignedContacts]
) -> None:
    count = sum(entry.contacts for entry in unassigned)
    if not count:
        title = _("Every contact on a tracking number has its campaign or source")
        cards.show_message(ChartTitle(title, "better"), state.period_title)
        return
    title = ngettext(
        "{count} contact came on a number without a campaign",
        "{count} contacts came on a number without a campaign",
        count,
        count=formatting.number(count),
    )
    among = sum(entry.among for entry in unassigned)
    caption = _(
        "{share} of the {n} contacts on these numbers, {period}",
        share=formatting.percent(count / among, 0),
        n=formatting.number(among),
        period=state.period_title,
    )
    on_number = drill.on_value(viewer, "tracking_number")
    columns = (
        _number_column(),
        tables.count_column(_("Contacts"), lambda entry: entry.contacts, 68),
        tables.count_column(_("Total"), lambda entry: entry.among, 58),
        tables.text_column(_("Days"), _describe_days),
        tables.text_column(
            _("Last campaign"), lambda entry: _name(entry.last_span) if entry.last_span else ""
        ),
    )
    with cards.card(ChartTitle(title, "attention"), caption, is_stretched=True):
        on_line = (lambda entry: on_number(entry.number)) if on_number else None
        tables.show(unassigned, columns, "table_loose", on_line, height=330, room=tables.IN_SECTION)
        for reason, advice in ADVICE.items():
            numbers = [entry.number for entry in unassigned if entry.reason == reason]
            if len(numbers) > 3:
                numbers = [*numbers[:2], _("{n} others", n=len(numbers) - 2)]
            if numbers:
                named = escape(formatting.listing(numbers))
                st.markdown(f":small[**{named}** – {_(advice)}]")
        download_links.show_download(
            "numbers",
            key="loose",
            **exports.build_number_parameters(state.where.period, loose=True),
        )


def _describe_days(entry: UnassignedContacts) -> str:
    first, last = formatting.day(entry.first_day), formatting.day(entry.last_day)
    return first if entry.first_day == entry.last_day else f"{first} – {last}"
