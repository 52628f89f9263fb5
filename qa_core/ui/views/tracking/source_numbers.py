"""Tracking numbers: the campaigns that they were assigned to, from day to day."""

from collections.abc import Sequence

from qa_core.access.roles import Viewer
from qa_core.analysis import exports
from qa_core.analysis.tracking_numbers import NumberAssignment
from qa_core.base.i18n import _, ngettext
from qa_core.metrics.kpis import dimensions
from qa_core.ui.frame import cached
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.widgets import cards, download_links, drill, tables


def show(viewer: Viewer, state: FilterState) -> None:
    """Show the assignments with their contacts."""
    filters = dict(state.where.values)
    assignments = [
        assignment
        for assignment in cached.find_numbers(viewer, state.where.period)
        if all(
            getattr(assignment, name) in filters[name]
            for name in ("source", "campaign")
            if name in filters
        )
    ]
    if not assignments:
        text = _("A file of assignments gives each number its campaign, with a first and last day.")
        cards.show_message(_("No tracking number is assigned to a campaign"), text)
        return
    text = _("Assignments as imported, with the contacts of the period that carry the campaign.")
    with cards.card(_describe(assignments), text, is_stretched=True):
        on_number = drill.on_value(viewer, "tracking_number")
        columns = (
            tables.name_column(
                _(dimensions.get_dimension("tracking_number").title),
                lambda assignment: assignment.number,
                124,
            ),
            tables.text_column(_("Campaign"), lambda assignment: assignment.campaign or "", 166),
            tables.text_column(_("Source"), _name_source, 136),
            tables.day_text_column(
                _("From"), lambda assignment: assignment.first_day, 88, _("always")
            ),
            tables.day_text_column(
                _("Until"), lambda assignment: assignment.last_day, 88, _("ongoing")
            ),
            tables.count_column(_("Contacts"), lambda assignment: assignment.contacts, 66),
        )
        on_line = (lambda assignment: on_number(assignment.number)) if on_number else None
        tables.show(
            assignments, columns, "table_numbers", on_line, height=330, room=tables.IN_SECTION
        )
        download_links.show_download(
            "numbers", key="assignments", **exports.build_number_parameters(state.where.period)
        )


def _describe(assignments: Sequence[NumberAssignment]) -> str:
    carried: dict[str, set[tuple[str | None, ...]]] = {}
    for assignment in assignments:
        carried.setdefault(assignment.number, set()).add(assignment.campaign_key)
    if reused := sum(len(kinds) > 1 for kinds in carried.values()):
        return _(
            "Numbers that carried several campaigns: {n} of {whole}", n=reused, whole=len(carried)
        )
    return ngettext(
        "{n} number, always with the same campaign",
        "{n} numbers, each always with the same campaign",
        len(carried),
    )


def _name_source(assignment: NumberAssignment) -> str:
    return " / ".join(filter(None, (assignment.source, assignment.medium)))
