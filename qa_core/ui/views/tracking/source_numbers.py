"""Tracking numbers: their campaigns, from day to day."""

from collections.abc import Sequence

from qa_core.access.roles import Viewer
from qa_core.analysis import exports
from qa_core.analysis.tracking_numbers import CampaignSpan
from qa_core.base.i18n import _, ngettext
from qa_core.metrics.kpis import formatting
from qa_core.ui.frame import cached
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.widgets import cards, download_links, drill, tables


def show(viewer: Viewer, state: FilterState) -> None:
    """Show the campaigns of numbers with their contacts."""
    filters = dict(state.where.values)
    spans = [
        span
        for span in cached.find_numbers(viewer, state.where.period)
        if all(
            getattr(span, name) in filters[name]
            for name in ("source", "campaign")
            if name in filters
        )
    ]
    if not spans:
        text = _(
            "Contacts need the number that was dialled. A file of assignments gives each "
            "number its campaign, with a first and last day."
        )
        cards.card(_("No tracking number is known"), text)
        return
    text = _("Days as assigned, or of the first and last contact; contacts of the period.")
    with cards.card(_describe(spans), text, is_stretched=True):
        on_number = drill.on_value(viewer, "tracking_number")
        columns = (
            tables.name_column(
                formatting.dimension("tracking_number"), lambda span: span.number, 124
            ),
            tables.text_column(_("Campaign"), lambda span: span.campaign or "", 166),
            tables.text_column(_("Source"), _name_source, 136),
            tables.day_text_column(_("From"), lambda span: span.first_day, 88, _("always")),
            tables.day_text_column(_("Until"), lambda span: span.last_day, 88, _("open")),
            tables.count_column(_("Contacts"), lambda span: span.contacts, 66),
            tables.text_column(
                _("Known"), lambda span: _("assigned") if span.is_assigned else _("seen"), 80
            ),
        )
        on_line = (lambda span: on_number(span.number)) if on_number else None
        tables.show(spans, columns, "table_numbers", on_line, height=330, room=tables.IN_SECTION)
        download_links.show_download(
            "numbers", key="spans", **exports.build_number_parameters(state.where.period)
        )


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
