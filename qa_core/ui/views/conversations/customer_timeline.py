"""The time line of a customer: contacts within 31 days that the viewer may see."""

from typing import Any

from qa_core.access.roles import Viewer
from qa_core.analysis import charts
from qa_core.base.i18n import _, ngettext
from qa_core.metrics import formatting, query
from qa_core.metrics.query import ChainContact, CustomerHistory
from qa_core.storage.schema import NEIGHBOUR_DAYS
from qa_core.ui import cards, drill, styles, tables
from qa_core.ui.views.performance.repeat_chains import describe_end


def show(viewer: Viewer, contact: dict[str, Any]) -> None:
    """Show the card; nothing if the customer is unknown or came only once."""
    key = (contact["source_system"], contact["contact_id"])
    history = query.find_history(viewer, *key)
    count = len(history.links) + history.elsewhere
    if count < 2:
        return
    title = ngettext(
        "{n} contact of this customer within {days} days",
        "{n} contacts of this customer within {days} days",
        count,
        days=NEIGHBOUR_DAYS,
    )
    with cards.card(title, _describe_scope(history)):
        if len(history.links) < 2:
            return
        here = next(
            place
            for place, link in enumerate(history.links)
            if (link.source_system, link.contact_id) == key
        )
        texts = [_describe(link) for link in history.links]
        figure = charts.build_history(
            [link.local_start for link in history.links],
            [link.outcome == "answered" for link in history.links],
            texts,
            here,
            dark=styles.is_dark(),
        )
        cards.show_figure(figure, "history_line", "; ".join(texts))
        _show_table(viewer, history, history.links[here])


def _describe_scope(history: CustomerHistory) -> str:
    if not history.elsewhere:
        return _("Before and after this contact, all within your scope.")
    return ngettext(
        "Before and after this contact; {n} is outside your scope and only counted.",
        "Before and after this contact; {n} are outside your scope and only counted.",
        history.elsewhere,
    )


def _show_table(viewer: Viewer, history: CustomerHistory, here: ChainContact) -> None:
    def distance(link: ChainContact) -> str:
        if link is here:
            return _("this contact")
        return _describe_distance((link.local_start - here.local_start).total_seconds())

    def talk(link: ChainContact) -> str | None:
        return None if link.talk_seconds is None else formatting.duration(link.talk_seconds)

    def open_contact(link: ChainContact) -> None:
        if link is not here:
            drill.to_neighbour(link.source_system, link.contact_id)

    text = tables.text_column
    columns = (
        tables.moment_column(_("Start"), lambda link: link.local_start, pinned=True),
        text(_("Time between"), distance, 120),
        text(
            _("Direction"),
            lambda link: formatting.name("direction", link.direction or "inbound"),
            90,
        ),
        text(_("Channel"), lambda link: formatting.name("channel", link.channel), 90),
        text(_("Queue"), lambda link: link.queue, 150),
        text(_("Reason"), lambda link: link.reason, 130),
        text(_("Advisor"), lambda link: link.advisor, 150)
        if viewer.can_cut_by("advisor") and not viewer.advisor_id
        else None,
        text(_("Ended"), lambda link: describe_end(link.outcome, link.declared_resolved), 170),
        text(_("Talk"), talk, 100),
    )
    tables.show(
        history.links,
        columns,
        # A line chosen in the table of one contact is not chosen in that of the next.
        f"history_{here.source_system}_{here.contact_id}",
        open_contact,
        height=320,
    )


def format_span(seconds: float) -> str:
    """Return a time between two contacts: from two days on in days."""
    days = seconds / 86_400
    return formatting.days(round(days)) if days >= 2 else formatting.duration(seconds)


def _describe_distance(seconds: float) -> str:
    duration = format_span(abs(seconds))
    if seconds < 0:
        return _("{duration} before", duration=duration)
    return _("{duration} later", duration=duration)


def _describe(link: ChainContact) -> str:
    """Describe a contact of the customer for who cannot see the picture."""
    parts = (
        f"{formatting.moment(link.local_start)}, "
        f"{describe_end(link.outcome, link.declared_resolved)}"
    )
    where = " · ".join(filter(None, (link.queue, link.reason)))
    return f"{parts}, {where}" if where else parts
