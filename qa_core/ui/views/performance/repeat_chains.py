"""Chains of repeat contacts, without who they are; on demand, and journalled."""

from qa_core.access.roles import Viewer
from qa_core.base.i18n import _, capitalise, ngettext
from qa_core.metrics import query
from qa_core.metrics.kpis import formatting
from qa_core.metrics.query import RepeatChain
from qa_core.ui.frame import cached, open_once
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.views.performance.resolution_window import Window
from qa_core.ui.widgets import cards, drill, tables


def show(viewer: Viewer, state: FilterState, window: Window) -> None:
    """Show the longest chains of the period; a click opens one as a time line."""
    chains = open_once.read(
        "chains_read",
        (state.where, window.days),
        lambda: query.read_chains(viewer, state.where, window.overrides),
        lambda: cached.find_chains(viewer, state.where, window.overrides),
    )
    title = _("No repeat contact within the window")
    if chains:
        title = ngettext(
            "Up to {n} repeat contact of one customer",
            "Up to {n} repeat contacts of one customer",
            chains[0].repeats,
        )
    rule = _(
        "Contacts of one customer, each within {days} of the previous one. Most repeat contacts "
        "first.",
        days=formatting.days(window.days),
    )
    with cards.card(title, rule):
        if chains:
            _show_table(viewer, chains)


def _show_table(viewer: Viewer, chains: list[RepeatChain]) -> None:
    numbers = {id(chain): number for number, chain in enumerate(chains, 1)}
    columns = (
        tables.name_column(
            _("Customer"), lambda chain: f"{numbers[id(chain)]}. {chain.customer or ''}".strip(), 78
        ),
        tables.count_column(_("Repeats"), lambda chain: chain.repeats, 62),
        tables.count_column(_("Contacts"), lambda chain: len(chain.links), 66),
        tables.count_column(capitalise(_("days")), lambda chain: round(chain.days, 1), 50),
        tables.count_column(_("Elsewhere"), lambda chain: chain.elsewhere, 72)
        if any(chain.elsewhere for chain in chains)
        else None,
        tables.text_column(_("Outcome"), _describe_chain_end, 118),
        tables.text_column(_("Reasons"), lambda chain: _list(chain, "reason")),
        tables.text_column(_("Queues"), lambda chain: _list(chain, "queue")),
        tables.count_column(_("Advisors"), lambda chain: len(_find_names(chain, "advisor")), 84)
        if viewer.can_cut_by("advisor") and not viewer.advisor_id
        else None,
    )
    tables.show(chains, columns, "chains_table", _open, height=420, room=tables.IN_SECTION)


def _open(chain: RepeatChain) -> None:
    last = chain.links[-1]
    drill.to_contact("first_contact", last.source_system, last.contact_id)


def _find_names(chain: RepeatChain, name: str) -> set[str]:
    return {getattr(link, name) for link in chain.links} - {None, ""}


def _list(chain: RepeatChain, name: str) -> str:
    return formatting.listing(sorted(_find_names(chain, name)))


def _describe_chain_end(chain: RepeatChain) -> str:
    last = chain.links[-1]
    if chain.ends_elsewhere:
        return _("Outside your scope")
    return describe_end(last.outcome, last.declared_resolved)


def describe_end(outcome: str | None, declared_resolved: bool | None) -> str:
    """Return how a contact ended, or what its advisor declared."""
    if declared_resolved is None:
        return formatting.name("outcome", outcome)
    return _("Declared resolved") if declared_resolved else _("Declared not resolved")
