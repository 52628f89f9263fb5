"""The parts of the Opening hours page: the week of a site, its public holidays and its
closed days.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import streamlit as st
from babel import Locale

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment, i18n
from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_, _, ngettext
from qa_core.centre.rules import opening_hours, site_hours
from qa_core.ingest.rules import due
from qa_core.ui import gate, url_state

WEEKDAY_TITLES = (
    N_("Monday"),
    N_("Tuesday"),
    N_("Wednesday"),
    N_("Thursday"),
    N_("Friday"),
    N_("Saturday"),
    N_("Sunday"),
)
OUTCOME = "opening_outcome"


def show_outcome() -> None:
    """What came of the last change."""
    if said := st.session_state.pop(OUTCOME, None):
        st.success(said, icon=":material/check:")


def choose_site(viewer: Viewer) -> dict[str, Any] | None:
    """Which site is meant; None while there is none."""
    known = opening_hours.find_sites(viewer)
    if not known:
        st.info(
            _(
                "There is no site yet. Sites come with teams: import advisors with their team "
                "and site."
            )
        )
        return None
    names = [site["site"] for site in known]
    if len(names) == 1:
        st.markdown(f"**{gate.escape(names[0])}**")
        return known[0]
    url_state.take("opening_hours", "at", names, names[0])
    chosen = st.segmented_control(_("Site"), names, key="at", required=True)
    url_state.give("opening_hours", "at", chosen, names[0])
    return next(site for site in known if site["site"] == chosen)


def ask_hours(viewer: Viewer, site: dict[str, Any]) -> None:
    """Change the hours, holidays and closed days of that site."""
    name = site["site"]
    versions = sorted({row["from"] for row in site["hours"]}, key=lambda day: day or date.min)
    newest = versions[-1] if versions else None
    with st.form(f"opening_{name}", border=True):
        st.subheader(_("Week"), anchor=False)
        st.caption(_("Hours as 09:00-18:00, two spans with a comma; empty: closed all day."))
        written = {}
        for column, (number, title) in zip(
            st.columns(len(WEEKDAY_TITLES)), enumerate(WEEKDAY_TITLES, 1), strict=True
        ):
            present = ",".join(
                f"{row['opens_at']}-{row['closes_at']}"
                for row in site["hours"]
                if row["weekday"] == number and row["from"] == newest
            )
            written[number] = column.text_input(
                _(title), value=present, key=f"hours_{name}_{number}"
            )
        left, middle, right = st.columns(3)
        starts_on = left.date_input(
            _("From (empty: always)"), value=newest, key=f"hours_from_{name}", format="DD/MM/YYYY"
        )
        calendar = middle.selectbox(
            _("Public holidays"),
            _calendars(site["holidays"], bool(versions)),
            format_func=_calendar_title,
            key=f"calendar_{name}",
            accept_new_options=True,
        )
        closed = right.text_input(
            _("Other closed days"),
            value=", ".join(day.isoformat() for day in site["closed_days"]),
            placeholder="2026-12-24, 2026-12-31",
            key=f"closed_{name}",
        )
        sent = st.form_submit_button(_("Save"), type="primary")
    if sent:
        _save(
            name,
            written,
            starts_on if isinstance(starts_on, date) else None,
            calendar or opening_hours.NO_HOLIDAYS,
            closed,
        )
    _show_holidays(calendar)


def _calendars(present: str, is_set: bool) -> list[str]:
    """The calendars to choose from, the present one first; before there are any hours,
    the country's is proposed.
    """
    country = environment.current().country
    first = present if is_set else country
    return list(
        dict.fromkeys(
            (first, country, "-".join(opening_hours.ALSACE_MOSELLE), opening_hours.NO_HOLIDAYS)
        )
    )


def _calendar_title(calendar: str) -> str:
    if calendar == opening_hours.NO_HOLIDAYS:
        return _("none: open on public holidays")
    if calendar == "-".join(opening_hours.ALSACE_MOSELLE):
        return _("Alsace-Moselle")
    country, dash, part = calendar.partition("-")
    return Locale(i18n.language()).territories.get(country, country) + dash + part


def _save(
    site: str, written: dict[int, str], starts_on: date | None, calendar: str, closed: str
) -> None:
    try:
        texts = [
            f"{opening_hours.WEEKDAYS[number - 1]}={hours.replace(' ', '')}"
            for number, hours in written.items()
            if hours.strip()
        ]
        days = opening_hours.parse_days(closed)
        with st.spinner(_("Past contacts follow …")):
            site_hours.set_opening(
                gate.current_viewer(Permission.MANAGE_SETTINGS),
                site,
                opening_hours.parse_hours(texts),
                starts_on,
                calendar,
                days,
            )
            count = due.apply_due()
    except Refusal as refusal:
        gate.show_refusal(refusal)
        return
    st.session_state[OUTCOME] = ngettext(
        "Done: {n} contact reads otherwise for it.",
        "Done: {n} contacts read otherwise for it.",
        count,
    )
    st.rerun()


def _show_holidays(calendar: str | None) -> None:
    """The public holidays of this year, so that it can be seen which days are meant."""
    try:
        parsed = opening_hours.parse_calendar(calendar or opening_hours.NO_HOLIDAYS)
    except Refusal as refusal:
        gate.show_refusal(refusal)
        return
    if parsed is None:
        return
    year = date.today().year
    with st.expander(_("Public holidays of {year}", year=year)):
        days = opening_hours.find_holidays(*parsed, year)
        st.dataframe(
            [{_("Day"): day, _("Holiday"): title} for day, title in days.items()], hide_index=True
        )
