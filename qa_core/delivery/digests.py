"""Content of digests: the figures of the reader's own pages, read as that person.

Every number is made by the functions that the page calls. No contact, customer, comment or
name of a person is in a mail: it cannot be deleted later.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from qa_core.access.roles import Role, Viewer
from qa_core.analysis import alerts, attention, board, exports, headline, note_texts
from qa_core.analysis.alerts import Alert
from qa_core.analysis.attention import AttentionItem
from qa_core.analysis.headline import Headline
from qa_core.base import environment
from qa_core.base.i18n import _, ngettext
from qa_core.delivery import notices
from qa_core.metrics import query
from qa_core.metrics.kpis import formatting
from qa_core.metrics.kpis.dimensions import Period
from qa_core.quality import data_version, this_week
from qa_core.quality.evaluations.advisor_response import find_news

NAMING = frozenset({"advisor", "evaluator"})
"""Dimensions whose alerts stay on the pages: they name a person."""


@dataclass(frozen=True)
class MailSection:
    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Digest:
    """Content of a mail, in the language spoken; `page` and `parameters` of its link."""

    subject: str
    title: str
    period: str
    sections: tuple[MailSection, ...]
    link_label: str
    page: str
    parameters: Mapping[str, str]
    foot: tuple[str, ...]

    def as_values(self, home: str) -> dict[str, Any]:
        """Return the values of a template; `home`: address of this server."""
        names = ("subject", "title", "period", "sections", "link_label", "foot")
        return {
            **{name: getattr(self, name) for name in names},
            "link": build_address(home, self.page, self.parameters),
        }


def build_address(home: str, page: str, parameters: Mapping[str, str] = {}) -> str:
    """Build the address of a page, which asks for a sign-in."""
    query_text = urlencode(parameters)
    return f"{home}/{page}?{query_text}" if query_text else f"{home}/{page}"


def build(viewer: Viewer, period: str) -> Digest | None:
    """Build the digest of that week or month; None where it is not one of the viewer's role,
    or where there is nothing to show.
    """
    is_weekly = "W" in period
    match viewer.role:
        case Role.TEAM_LEAD | Role.MANAGER if is_weekly:
            return _build_of_teams(viewer)
        case Role.ADVISOR if is_weekly and viewer.advisor_id:
            return _build_own(viewer)
        case Role.EXECUTIVE if not is_weekly:
            return _build_board(viewer, period)
    return None


def is_open_to(viewer: Viewer) -> bool:
    """Return whether a viewer has rows to read a digest of."""
    if viewer.role == Role.ADVISOR:
        return viewer.advisor_id is not None
    if viewer.role in (Role.TEAM_LEAD, Role.MANAGER):
        return bool(viewer.teams_on(environment.today())) or viewer.sees_unassigned_contacts
    return viewer.role == Role.EXECUTIVE


def describe_alerts(viewer: Viewer, events: Iterable[Alert]) -> tuple[str, ...]:
    """Describe alerts that name nobody, as the pages do."""
    currency = exports.find_currency(viewer)
    return tuple(
        clean(f"**{alerts.describe_slice(event)}** – {alerts.describe(event, currency)}")
        for event in filter(_names_nobody, events)
    )


def _names_nobody(event: Alert) -> bool:
    return event.rule.dimension not in NAMING


def clean(line: str) -> str:
    """Return a line without control characters: names of queues come from files."""
    return re.sub(r"[\x00-\x1f\x7f\u2028\u2029]+", " ", line)


def build_foot(viewer: Viewer) -> tuple[str, ...]:
    """Build the lines at the end of a mail: how far the data goes, and its version."""
    through = query.data_through(viewer)
    return (
        *([_("Data through {moment}", moment=formatting.moment(through))] if through else []),
        _("Data version {code}", code=data_version.find_version().code),
    )


def _build_of_teams(viewer: Viewer) -> Digest | None:
    """Build what leads and managers get: the Overview, and what waits for them."""
    found = headline.find_headline(viewer, (*headline.FIRST, *headline.SECOND))
    if found is None:
        return None
    opened = [*filter(_names_nobody, alerts.find(viewer))]
    seen = attention.find_attention(viewer, found.where, found.compare, found.series, opened)
    trends = [f"**{formatting.short_title(one.kpi)}** – {one.finding.text}" for one in seen.trends]
    events = [*describe_alerts(viewer, seen.alerts)]
    if seen.more:
        events.append(attention.describe_more(len(seen.more)))
    waiting = []
    for key, lines in this_week.find_groups(viewer).items():
        # One line stands for all disputes; the others name an advisor, a plan or a session each.
        text = lines[0].reason if key == "disputes" else formatting.number(len(lines))
        waiting.append(_("{what}: {text}", what=_(this_week.TITLES[key]), text=text))
    look = (*events, *trends, *_texts(seen.items, "attention"))
    better = _texts(seen.items, "better")
    if not look and not better:
        look = (attention.conclude((), (), seen.was_tried).text,)
    sections = (
        (_("What needs a look"), look),
        (_("What stands out"), better),
        (_("Waiting for you"), tuple(waiting)),
        (_("Figures"), _describe_figures(found)),
    )
    return _build(viewer, _("Your teams"), found.where.period, sections, "overview", found.compare)


def _build_own(viewer: Viewer) -> Digest | None:
    """Build what an advisor gets: what is to be read, and their own figures."""
    found = headline.find_headline(viewer, headline.OWN, headline.OWN_PERIOD)
    if found is None:
        return None
    news, lines = find_news(viewer), []
    if n := len(news.unread):
        lines.append(ngettext(*notices.EVALUATIONS, n))
    if n := len(news.decided):
        lines.append(ngettext(*notices.DECISIONS, n))
    sections = (
        (_("Waiting for you"), tuple(lines)),
        (_("Figures"), _describe_figures(found)),
    )
    return _build(
        viewer, _("Your own results"), found.where.period, sections, "my_quality", found.compare
    )


def _build_board(viewer: Viewer, month: str) -> Digest | None:
    """Build what executives get once a month is published: the board sheet."""
    figures = board.find_figures(viewer)
    if figures is None or f"{figures.last_day:%Y-%m}" != month:
        return None
    lines = [
        line for line in board.build_lines(figures) if not formatting.is_missing(line.row.value)
    ]
    rows = []
    for line in lines:
        text = _("{what}: {text}", what=line.title, text=f"**{line.value}**")
        parts = [text, *note_texts.describe_sample(line.row)]
        parts += [] if formatting.is_missing(line.row.target) else [line.target.text]
        rows.append(" · ".join(parts))
    if corrections := board.describe_corrections(figures):
        rows.append(corrections)
    sections = (
        (_("In short"), tuple(line.sentence.text for line in lines)),
        (_("Figures"), tuple(rows)),
    )
    title = _("The board sheet for {month}", month=formatting.month(month))
    return _build(viewer, title, figures.period, sections, "board")


def _build(
    viewer: Viewer,
    title: str,
    period: Period,
    sections: Iterable[tuple[str, tuple[str, ...]]],
    page: str,
    compare: Period | None = None,
) -> Digest:
    """Build a digest. `compare`: the period before, where the link names its own days."""
    data_start, _last_day = query.data_span(viewer)
    days = {"period": "days", "from": period.first_day, "to": period.last_day}
    return Digest(
        f"{title} – {formatting.period(period)}",
        title,
        formatting.period_of_data(period, data_start, compare),
        tuple(MailSection(name, tuple(map(clean, lines))) for name, lines in sections if lines),
        _("Open in Écoute"),
        page,
        {name: str(value) for name, value in days.items()} if compare else {},
        build_foot(viewer),
    )


def _describe_figures(found: Headline) -> tuple[str, ...]:
    lines = []
    for key in found.rows:
        title, value, change = found.describe(key)
        text = _("{what}: {text}", what=title, text=f"**{value}**")
        text += f" ({change})" if change else ""
        lines.append(" · ".join([text, *note_texts.describe_sample(found.rows[key])]))
    return (*lines, *note_texts.describe_populations(found.rows.values()))


def _texts(items: Iterable[AttentionItem], severity: str) -> tuple[str, ...]:
    return tuple(item.text for item in items if item.severity == severity)
