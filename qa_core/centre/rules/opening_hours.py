"""Opening hours of each site: dated weekly hours, public holidays, and single closed days."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, time
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment, i18n
from qa_core.base.arguments import parse_day
from qa_core.base.errors import Misuse, Refusal
from qa_core.base.row_values import read_fields
from qa_core.storage import audit_log
from qa_core.storage.records import due_work, store
from qa_core.storage.records.centre_rules import ClosedDay, OpeningHours, SiteCalendar
from qa_core.storage.records.imports import CENTRE_RULES
from qa_core.storage.records.people import Site

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
NO_HOLIDAYS = "none"
ALSACE_MOSELLE = ("FR", "57")
"""Region as the library names it: the département of Moselle represents all three."""
FIRST_YEAR, YEARS_AHEAD = 2000, 2
_SPAN = re.compile(r"(\d{1,2})[:hH](\d{2})?-(\d{1,2})[:hH](\d{2})?")
_END = "24:00"


@dataclass(frozen=True)
class OpeningSpan:
    """Span on a weekday (1: Monday) from `opens_at` until `closes_at`, both HH:MM, the
    second exclusive and up to 24:00.
    """

    weekday: int
    opens_at: str
    closes_at: str


@dataclass(frozen=True)
class SiteHours:
    """Hours of one site: `versions` by their first day (None: always), oldest first,
    and the days on which it is closed.
    """

    site: str
    versions: tuple[tuple[date | None, tuple[OpeningSpan, ...]], ...]
    closed_days: frozenset[date] = frozenset()

    def is_open(self, start: str) -> str:
        """Write whether the site is open at that moment of its clock (SQL on SQL)."""
        day = f"CAST({start} AS DATE)"
        cases = [
            f"WHEN {day} >= DATE '{first}' THEN {_build_span_condition(spans, start)}"
            for first, spans in reversed(self.versions)
            if first is not None
        ]
        always = next((spans for first, spans in self.versions if first is None), None)
        # Before the first hours entered, nothing is known to be closed.
        rest = "true" if always is None else _build_span_condition(always, start)
        weekly = f"CASE {' '.join(cases)} ELSE {rest} END" if cases else rest
        if not self.closed_days:
            return weekly
        days = ", ".join(f"DATE '{closed_day}'" for closed_day in sorted(self.closed_days))
        return f"({weekly} AND {day} NOT IN ({days}))"


def _build_span_condition(spans: Sequence[OpeningSpan], start: str) -> str:
    clock = f"strftime({start}, '%H:%M')"
    by_times: dict[tuple[str, str], list[int]] = {}
    for span in spans:
        by_times.setdefault((span.opens_at, span.closes_at), []).append(span.weekday)
    conditions = (
        f"(isodow({start}) IN ({', '.join(map(str, sorted(days)))}) AND {clock} >= '{opens}' "
        f"AND {clock} < '{closes}')"
        for (opens, closes), days in by_times.items()
    )
    return f"({' OR '.join(conditions)})" if spans else "false"


def parse_hours(texts: Iterable[str]) -> tuple[OpeningSpan, ...]:
    """Parse hours as people write them: `mon-fri=09:00-18:00`, `sat=9h-12h,14h-17h`.
    Raises Misuse, showing how.
    """
    spans: list[OpeningSpan] = []
    for text in texts:
        days, equals, times = text.strip().lower().partition("=")
        first, _dash, last = days.partition("-")
        if not equals or first not in WEEKDAYS or (last and last not in WEEKDAYS):
            raise _refuse_hours(text)
        start, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
        weekdays = [number % 7 + 1 for number in range(start, end + 1 if end >= start else end + 8)]
        for piece in times.split(","):
            opens_at, closes_at = _parse_span(piece.strip())
            spans += [OpeningSpan(weekday, opens_at, closes_at) for weekday in weekdays]
    return tuple(sorted(set(spans), key=lambda span: (span.weekday, span.opens_at)))


def _parse_span(piece: str) -> tuple[str, str]:
    match = _SPAN.fullmatch(piece) or _SPAN.fullmatch(
        re.sub(r"^(\d{1,2})-(\d{1,2})$", r"\1h-\2h", piece)
    )
    if match is None:
        raise _refuse_span(piece)
    opens, closes = (
        f"{int(match[hour]):02d}:{match[minute] or '00'}" for hour, minute in ((1, 2), (3, 4))
    )
    for clock in (opens, closes):
        if clock != _END:
            try:
                time.fromisoformat(clock)
            except ValueError:
                raise _refuse_span(piece) from None
    if opens >= closes:
        raise _refuse_span(piece)
    return opens, closes


def _refuse_span(text: str) -> Misuse:
    return Misuse(
        "bad_hours",
        "“{text}” is not a span of hours. Write 09:00-18:00, or 09:00-12:00, 14:00-17:00 (until "
        "24:00).",
        text=text,
    )


def _refuse_hours(text: str) -> Misuse:
    return Misuse(
        "bad_hours",
        "{text} are not opening hours. Write them as mon-fri=09:00-18:00 or "
        "sat=09:00-12:00,14:00-17:00 (until 24:00).",
        text=text,
    )


def parse_calendar(text: str) -> tuple[str, str | None] | None:
    """Parse whose public holidays: `FR`, `FR-57` (or `alsace-moselle`), `none`. Raises
    Misuse for a country or region that the library does not know.
    """
    if text.strip().lower() in (NO_HOLIDAYS, ""):
        return None
    if text.strip().lower().replace("_", "-") == "alsace-moselle":
        return ALSACE_MOSELLE
    country, _dash, region = text.strip().upper().partition("-")
    _find_holidays(country, region or None, [environment.today().year])
    return country, region or None


def parse_days(text: str) -> list[date]:
    """Parse days, `2026-12-24, 2026-12-31`. Raises Misuse, naming the one that is none."""
    return [parse_day(piece) for piece in re.split(r"[\s,;]+", text.strip()) if piece]


def load_hours(session: Session) -> tuple[SiteHours, ...]:
    """Load the hours of every site that has any."""
    spans: dict[str, dict[date | None, list[OpeningSpan]]] = {}
    rows = sa.select(OpeningHours).order_by(
        OpeningHours.site_name, OpeningHours.weekday, OpeningHours.opens_at
    )
    for row in session.scalars(rows):
        spans.setdefault(row.site_name, {}).setdefault(row.starts_on, []).append(
            OpeningSpan(row.weekday, row.opens_at, row.closes_at)
        )
    closed_days: dict[str, set[date]] = {}
    for site, day in session.execute(sa.select(ClosedDay.site_name, ClosedDay.day)):
        closed_days.setdefault(site, set()).add(day)
    years = range(FIRST_YEAR, environment.today().year + YEARS_AHEAD + 1)
    for calendar in session.scalars(
        sa.select(SiteCalendar).where(SiteCalendar.site_name.in_(spans))
    ):
        closed_days.setdefault(calendar.site_name, set()).update(
            _find_holidays(calendar.country, calendar.region, years)
        )
    return tuple(
        SiteHours(
            site,
            tuple(
                (first, tuple(hours))
                for first, hours in sorted(versions.items(), key=lambda entry: entry[0] or date.min)
            ),
            frozenset(closed_days.get(site, ())),
        )
        for site, versions in sorted(spans.items())
    )


def find_holidays(
    country: str, region: str | None, year: int, language: str | None = None
) -> dict[date, str]:
    """Find the public holidays of a year, by day, with their names."""
    return dict(
        sorted(_find_holidays(country, region, [year], language or i18n.language()).items())
    )


def _find_holidays(
    country: str, region: str | None, years: Iterable[int], language: str | None = None
) -> Mapping[date, str]:
    import holidays

    try:
        return holidays.country_holidays(country, subdiv=region, years=years, language=language)
    except NotImplementedError:
        raise Misuse(
            "unknown_calendar",
            "There is no public-holiday calendar {calendar}. Write a country (FR), a region "
            "(FR-57, Alsace-Moselle) or none.",
            calendar=f"{country}-{region}" if region else country,
        ) from None


def find_sites(viewer: Viewer) -> list[dict[str, Any]]:
    """List every site with its hours, calendar and closed days. Needs MANAGE_SETTINGS."""
    viewer.require(Permission.MANAGE_SETTINGS)
    with store.reading() as session:
        hours: dict[str, list[OpeningHours]] = {}
        for row in session.scalars(
            sa.select(OpeningHours).order_by(
                OpeningHours.starts_on, OpeningHours.weekday, OpeningHours.opens_at
            )
        ):
            hours.setdefault(row.site_name, []).append(row)
        calendars = {row.site_name: row for row in session.scalars(sa.select(SiteCalendar))}
        closed_days: dict[str, list[date]] = {}
        for site, day in session.execute(
            sa.select(ClosedDay.site_name, ClosedDay.day).order_by(ClosedDay.day)
        ):
            closed_days.setdefault(site, []).append(day)
        return [
            {
                "site": site,
                "hours": [
                    {"from": row.starts_on} | read_fields(row, ("weekday", "opens_at", "closes_at"))
                    for row in hours.get(site, ())
                ],
                "holidays": "-".join(
                    filter(None, (calendars[site].country, calendars[site].region))
                )
                if site in calendars
                else NO_HOLIDAYS,
                "closed_days": closed_days.get(site, []),
            }
            for site in session.scalars(sa.select(Site.name).order_by(Site.name))
        ]


def set_opening(
    viewer: Viewer,
    site: str,
    hours: Sequence[OpeningSpan] | None = None,
    starts_on: date | None = None,
    calendar: str | None = None,
    closed_days: Iterable[date] | None = None,
) -> None:
    """Set the given parts and leave the rest. Requests that past contacts follow. Needs
    MANAGE_SETTINGS.

    `hours` hold from `starts_on` (None: always; without any hours, no contact of the
    site counts as closed). `calendar` is read by `opening_hours.parse_calendar`. Raises
    Refusal for an unknown site, Misuse for an unknown calendar.
    """
    viewer.require(Permission.MANAGE_SETTINGS)
    region = parse_calendar(calendar) if calendar is not None else None
    store.require_ready()
    with store.writing() as session:
        _require_site(session, site)
        if hours is not None:
            _write_hours(session, site, hours, starts_on)
            reason = f"from {starts_on}" if starts_on else ""
            audit_log.record(session, viewer.username, "opening_hours_changed", site, reason)
        if calendar is not None:
            session.execute(sa.delete(SiteCalendar).filter_by(site_name=site))
            if region is not None:
                session.add(SiteCalendar(site_name=site, country=region[0], region=region[1]))
            reason = "-".join(filter(None, region)) if region else NO_HOLIDAYS
            audit_log.record(session, viewer.username, "holidays_changed", site, reason)
        if closed_days is not None:
            session.execute(sa.delete(ClosedDay).filter_by(site_name=site))
            session.add_all(ClosedDay(site_name=site, day=day) for day in sorted(set(closed_days)))
            audit_log.record(session, viewer.username, "closed_days_changed", site)
        due_work.request(session, CENTRE_RULES)


def _write_hours(
    session: Session, site: str, spans: Sequence[OpeningSpan], starts_on: date | None
) -> None:
    """Write the weekly hours from that day on; the first come with the country's holidays."""
    import holidays

    is_first = session.scalar(sa.select(OpeningHours.id).filter_by(site_name=site).limit(1)) is None
    old = sa.delete(OpeningHours).where(OpeningHours.site_name == site)
    session.execute(old if starts_on is None else old.where(OpeningHours.starts_on >= starts_on))
    session.add_all(
        OpeningHours(site_name=site, starts_on=starts_on, **asdict(span)) for span in spans
    )
    country = environment.current().country
    if (
        is_first
        and spans
        and session.get(SiteCalendar, site) is None
        and country in holidays.list_supported_countries()
    ):
        session.add(SiteCalendar(site_name=site, country=country, region=None))


def _require_site(session: Session, site: str) -> None:
    if session.get(Site, site) is None:
        site_names = ", ".join(session.scalars(sa.select(Site.name).order_by(Site.name))) or "–"
        raise Refusal(
            "unknown_site",
            "There is no site {site}. Known sites: {known}. To add one, import advisors with "
            "their team and site.",
            site=site,
            known=site_names,
        )
