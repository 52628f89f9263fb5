"""The Opening hours page: the week of a site, its public holidays and its closed days."""

from datetime import date
from typing import Any

import streamlit as st
from babel import Locale

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment, i18n
from qa_core.base.i18n import _
from qa_core.centre.rules import opening_hours
from qa_core.metrics.kpis import formatting
from qa_core.ui.frame import layout
from qa_core.ui.frame.markdown import escape
from qa_core.ui.views.admin import names
from qa_core.ui.widgets import actions, segmented_choice


def choose_site(viewer: Viewer) -> dict[str, Any] | None:
    """Ask for the site; None while there is none."""
    sites = {site["site"]: site for site in opening_hours.find_sites(viewer)}
    if not sites:
        st.info(_("There is no site yet. Import advisors with their team and site to create one."))
        return None
    if len(sites) == 1:
        (name,) = sites
        st.markdown(f"**{escape(name)}**")
        return sites[name]
    titles = {name: name for name in sites}
    return sites[segmented_choice.ask("at", _("Site"), titles, has_label=True)]


def ask_hours(viewer: Viewer, site: dict[str, Any]) -> None:
    """Show the form with the hours, holidays and closed days of that site, or of all."""
    name = site["site"]
    sites = [one["site"] for one in opening_hours.find_sites(viewer)]
    versions = sorted({row["from"] for row in site["hours"]}, key=lambda day: day or date.min)
    newest = versions[-1] if versions else None
    with st.form(f"opening_{name}", border=True):
        st.subheader(_("Week"), anchor=False)
        text = _("Hours as 09:00-18:00, with a comma between two spans. Empty: closed all day.")
        st.caption(text)
        week = {}
        for number, column in enumerate(st.columns(7), 1):
            title = formatting.name("weekday", number)
            present = ",".join(
                f"{row['opens_at']}-{row['closes_at']}"
                for row in site["hours"]
                if row["weekday"] == number and row["from"] == newest
            )
            week[number] = column.text_input(title, value=present, key=f"hours_{name}_{number}")
        left, middle, right = st.columns(3)
        starts_on = layout.ask_day(left, _("From (empty: always)"), newest, f"hours_from_{name}")
        calendar = middle.selectbox(
            _("Public holidays"),
            _list_calendars(site["holidays"] if versions else None),
            format_func=_name_calendar,
            key=f"calendar_{name}",
            accept_new_options=True,
        )
        closed = right.text_input(
            _("Other closed days"),
            value=", ".join(day.isoformat() for day in site["closed_days"]),
            placeholder="2026-12-24, 2026-12-31",
            key=f"closed_{name}",
        )
        label = _("The same for all {n} sites", n=len(sites))
        if len(sites) < 2 or not st.checkbox(label, key=f"everywhere_{name}"):
            sites = [name]
        sent = st.form_submit_button(_("Save"), type="primary")
    calendar = calendar or opening_hours.NO_HOLIDAYS
    if sent:
        _save(sites, week, starts_on, calendar, closed)
    with actions.show_refusals():
        _show_holidays(calendar)


def _list_calendars(present: str | None) -> list[str]:
    """Return the calendars to choose from, the present one first (None: the country's)."""
    country = environment.current().country
    alsace = "-".join(opening_hours.ALSACE_MOSELLE)
    return list(dict.fromkeys((present or country, country, alsace, opening_hours.NO_HOLIDAYS)))


def _name_calendar(calendar: str) -> str:
    if calendar == opening_hours.NO_HOLIDAYS:
        return _("none: open on public holidays")
    if calendar == "-".join(opening_hours.ALSACE_MOSELLE):
        return _("Alsace-Moselle")
    country, dash, part = calendar.partition("-")
    return Locale(i18n.language()).territories.get(country, country) + dash + part


def _save(
    sites: list[str], week: dict[int, str], starts_on: date | None, calendar: str, closed: str
) -> None:
    texts = [
        f"{opening_hours.WEEKDAYS[number - 1]}={hours.replace(' ', '')}"
        for number, hours in week.items()
        if hours.strip()
    ]

    def set_all(acting: Viewer) -> None:
        days, hours = opening_hours.parse_days(closed), opening_hours.parse_hours(texts)
        for site in sites:
            opening_hours.set_opening(acting, site, hours, starts_on, calendar, days)

    names.update_contacts(Permission.MANAGE_SETTINGS, set_all)


def _show_holidays(calendar: str) -> None:
    """Show the public holidays of this year. Raises Refusal for an unknown calendar."""
    parsed = opening_hours.parse_calendar(calendar)
    if parsed is None:
        return
    year = environment.today().year
    with st.expander(_("Public holidays of {year}", year=year)):
        days = opening_hours.find_holidays(*parsed, year)
        lines = [
            {_("Day"): formatting.full_day(day), _("Holiday"): title} for day, title in days.items()
        ]
        st.dataframe(lines, hide_index=True)
