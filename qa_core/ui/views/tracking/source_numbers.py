"""Tracking numbers over time: which campaign each carried when, and what to do about
contacts that came on a number without one.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis import charts, exports
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.analysis.tracking_numbers import GAP, NEVER, UNSEEN, CampaignSpan, UnassignedContacts
from qa_core.base.i18n import N_, _, ngettext
from qa_core.metrics import dimensions, formatting
from qa_core.ui import cached, cards, download_links, drill, tables
from qa_core.ui.filter_bar import FilterState

MOST_NUMBERS = 16
ADVICE = {
    GAP: N_(
        "Its assignments leave these days out: add the days to the file of assignments and "
        "import it again."
    ),
    UNSEEN: N_(
        "The call tracking reported other contacts of this number, not these: import its "
        "export again, or assign the number to its campaign."
    ),
    NEVER: N_(
        "No campaign is known for it: assign the number to one. If it is a main number, "
        "nothing needs to be done."
    ),
}


def show(viewer: Viewer, look: FilterState) -> None:
    """The stretches on a time line and as a table, and the contacts on a number without
    a campaign.
    """
    if not viewer.can_cut_by("tracking_number") or look.last_day is None:
        return
    history = cached.find_numbers(viewer, look.where.period)
    chosen = dict(look.where.values)
    stretches = [
        one
        for one in history.stretches
        if all(
            getattr(one, name) in chosen[name] for name in ("source", "campaign") if name in chosen
        )
    ]
    left, right = st.columns([3, 2], gap="small")
    with left:
        _show_stretches(viewer, look, stretches)
    with right:
        _show_loose(viewer, look, history.loose)


def _show_stretches(viewer: Viewer, look: FilterState, stretches: Sequence[CampaignSpan]) -> None:
    with st.container(border=True, height="stretch", gap="xxsmall"):
        if not stretches:
            cards.show_heading(
                ChartTitle(_("No tracking number is known")),
                _(
                    "Contacts need the number that was dialled; a file of assignments says "
                    "which campaign each number belongs to, and from when until when."
                ),
            )
            return
        cards.show_heading(
            _describe(stretches),
            _(
                "Which number carried which campaign when, over all data; pale: seen on "
                "contacts, assigned by no file"
            ),
        )
        busiest: dict[str, int] = {}
        for one in stretches:
            busiest[one.number] = busiest.get(one.number, 0) + one.contacts
        drawn = set(sorted(busiest, key=lambda number: (-busiest[number], number))[:MOST_NUMBERS])
        spans = [
            charts.DatedSpan(
                one.number,
                _name(one),
                one.first_day or look.first_day,
                one.last_day or look.last_day,
                _count_contacts(one.contacts),
                one.is_assigned,
            )
            for one in stretches
            if one.number in drawn
        ]
        alt = ". ".join(
            f"{span.label}: {span.title}, {formatting.day(span.first_day, year=True)} – "
            f"{formatting.day(span.last_day, year=True)}"
            for span in spans
        )
        cards.show_figure(
            charts.build_spans(spans, look.first_day, look.last_day, dark=cards.is_dark()),
            "numbers",
            alt,
        )
        if len(busiest) > len(drawn):
            st.caption(
                ngettext(
                    "{n} other number is in the table alone.",
                    "{n} other numbers are in the table alone.",
                    len(busiest) - len(drawn),
                )
            )
        number, campaign, source, first, last = (
            _number(),
            _("Campaign"),
            _("Source"),
            _("From"),
            _("Until"),
        )
        inside, whole, how = _("In this period"), _("In all"), _("How it is known")
        rows = [
            {
                number: one.number,
                campaign: one.campaign or "",
                source: " / ".join(filter(None, (one.source, one.medium))),
                first: _("always")
                if one.first_day is None
                else formatting.day(one.first_day, year=True),
                last: _("still")
                if one.last_day is None
                else formatting.day(one.last_day, year=True),
                inside: one.inside,
                whole: one.contacts,
                how: (_("assigned") if one.is_assigned else _("seen on contacts"))
                + (" · " + _("with others") if one.is_shared else ""),
            }
            for one in stretches
        ]
        config = {
            number: tables.name_column(number, 122),
            campaign: st.column_config.TextColumn(campaign, width=170),
        }
        config |= {inside: tables.count_column(inside, 96), whole: tables.count_column(whole, 80)}
        clickable = drill.is_open_to(viewer)
        on_select = (
            drill.on_row("table_numbers", "tracking_number", [one.number for one in stretches])
            if clickable
            else None
        )
        tables.show(rows, config, "table_numbers", on_select, height=330)
        download_links.show_download(
            _("Export"), "numbers", key="stretches", **exports.number_parameters(look.where.period)
        )


def _describe(stretches: Sequence[CampaignSpan]) -> ChartTitle:
    carried: dict[str, set[tuple[str | None, ...]]] = {}
    for one in stretches:
        carried.setdefault(one.number, set()).add(one.carried)
    reused = sum(len(kinds) > 1 for kinds in carried.values())
    if reused:
        return ChartTitle(
            _(
                "Numbers that carried several campaigns: {n} of {whole}",
                n=reused,
                whole=len(carried),
            )
        )
    return ChartTitle(
        ngettext(
            "{n} number, always for the same campaign",
            "{n} numbers, each always for the same campaign",
            len(carried),
        )
    )


def _number() -> str:
    return _(dimensions.get_dimension("tracking_number").title)


def _name(one: CampaignSpan) -> str:
    return one.campaign or " / ".join(filter(None, (one.source, one.medium))) or _("Not known")


def _count_contacts(count: int) -> str:
    return ngettext("{count} contact", "{count} contacts", count, count=formatting.number(count))


def _show_loose(viewer: Viewer, look: FilterState, loose: Sequence[UnassignedContacts]) -> None:
    with st.container(border=True, height="stretch", gap="xxsmall"):
        count = sum(one.contacts for one in loose)
        if not count:
            cards.show_heading(
                ChartTitle(
                    _("Every contact on a tracking number has its campaign or source"), "better"
                ),
                look.period_title,
            )
            return
        among = sum(one.among for one in loose)
        cards.show_heading(
            ChartTitle(
                ngettext(
                    "{count} contact came on a number without a campaign",
                    "{count} contacts came on a number without a campaign",
                    count,
                    count=formatting.number(count),
                ),
                "attention",
            ),
            _(
                "{share} of the {n} contacts on these numbers, {period}",
                share=formatting.percent(count / among, 0),
                n=formatting.number(among),
                period=look.period_title,
            ),
        )
        number, contacts, of, days, usual = (
            _number(),
            _("Contacts"),
            _("of"),
            _("Days"),
            _("Last campaign"),
        )
        rows = [
            {
                number: one.number,
                contacts: one.contacts,
                of: one.among,
                days: formatting.day(one.first_day)
                + ("" if one.first_day == one.last_day else f" – {formatting.day(one.last_day)}"),
                usual: _name(one.usual) if one.usual else "",
            }
            for one in loose
        ]
        config = {
            number: tables.name_column(number, 122),
            contacts: tables.count_column(contacts, 68),
            of: tables.count_column(of, 48),
        }
        clickable = drill.is_open_to(viewer)
        on_select = (
            drill.on_row("table_loose", "tracking_number", [one.number for one in loose])
            if clickable
            else None
        )
        tables.show(rows, config, "table_loose", on_select, height=330)
        for why in (GAP, UNSEEN, NEVER):
            listed = [one.number for one in loose if one.why == why]
            if listed:
                named = formatting.listing(
                    listed
                    if len(listed) <= 3
                    else [*listed[:2], _("{n} others", n=len(listed) - 2)]
                )
                st.markdown(f":small[**{cards.escape(named)}** – {_(ADVICE[why])}]")
        st.caption(
            _(
                "An administrator can import assignments: a file with the number, its "
                "campaign, and from when until when."
            )
        )
        download_links.show_download(
            _("Export"),
            "numbers",
            key="loose",
            **exports.number_parameters(look.where.period, loose=True),
        )
