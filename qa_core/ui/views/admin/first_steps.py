"""First steps page: each step with its reason, its state, and the page where it is done."""

import streamlit as st
from babel import Locale

from qa_core.access.roles import Permission, Viewer
from qa_core.base import declared, environment, i18n
from qa_core.base.i18n import _, ngettext
from qa_core.centre import settings
from qa_core.compliance.conditions import gates
from qa_core.ingest import samples
from qa_core.ingest.first_steps import NEEDED_ROLES, SetUp, Step, find_set_up
from qa_core.metrics.kpi.freshness import SOURCE_TITLES
from qa_core.metrics.kpis import formatting
from qa_core.storage.records import store
from qa_core.ui.frame import cached, menu
from qa_core.ui.frame.markdown import escape
from qa_core.ui.views.admin import imports
from qa_core.ui.views.admin.names import KIND_TITLES
from qa_core.ui.widgets import actions, cards, download_links

STEPS = {Step(name): entry for name, entry in declared.read(__file__).items() if name in set(Step)}
"""Title of each step, why it is needed, and the page where it is done, if any."""


def show(viewer: Viewer) -> None:
    """Show all steps, the next one marked, and the sample files."""
    imports.forget_outcome()
    set_up = find_set_up(viewer)
    done = {step for step in Step if set_up.is_done(step)}
    if _count_pairs(viewer):  # Names never hold a step open: each import brings some.
        done.discard(Step.NAMES)
    if len(done) == len(Step):
        text = _("All steps are done. This page is no longer in the menu.")
        st.success(text, icon=":material/check_circle:")
    else:
        st.progress(len(done) / len(Step), _("{n} of {all}", n=len(done), all=len(Step)))
    for number, step in enumerate(Step, 1):
        _show_step(viewer, set_up, step, number, step in done)
    if viewer.can(Permission.MANAGE_IMPORTS):
        imports.show_waiting(viewer)
    _show_samples()


def show_way_back(viewer: Viewer, entry: menu.MenuPage) -> None:
    """Link back to the first steps from a page that they lead to, while they last."""
    page = menu.find_page("first_steps")
    if (
        any(step.get("page") == entry.key for step in STEPS.values())
        and page.is_open_to(viewer)
        and page.is_listed_for(viewer)
    ):
        menu.show_page_link(page.key, _("Back to the first steps"), "arrow_back")


def _show_step(viewer: Viewer, set_up: SetUp, step: Step, number: int, is_done: bool) -> None:
    title, page = STEPS[step]["title"], STEPS[step].get("page")
    reason = STEPS[step].get("reason") or menu.find_page(page).about
    is_next = step == set_up.next_step
    icon = ":green[:material/check_circle:]" if is_done else ":material/radio_button_unchecked:"
    next_title = _("Next")
    mark = f" :blue-badge[{next_title}]" if is_next else ""
    with cards.card(key=f"step_{step}"):
        left, right = st.columns([4, 1], vertical_alignment="center")
        with left:
            st.markdown(f"{icon} **{number}. {_(title)}**{mark}")
            st.caption(_(reason))
            if state := _describe_state(viewer, set_up, step):
                st.markdown(escape(state))
        with right:
            if step == Step.CENTRE:
                _ask_name(set_up)
            elif page:
                menu.show_page_link(page, query={"kind": step} if page == "imports" else {})


def _describe_state(viewer: Viewer, set_up: SetUp, step: Step) -> str:
    match step:
        case Step.CENTRE:
            return _describe_centre(set_up)
        case Step.ADVISORS if set_up.placed_sites:
            sites = formatting.listing(set_up.placed_sites)
            return _("{what}: {text}", what=_("Sites"), text=sites)
        case Step.ADVISORS if set_up.sites:
            return _("No advisor has a team yet. Import the list again, with their teams.")
        case Step.OPENING_HOURS if set_up.sites:
            return _describe_hours(set_up)
        case Step.CONTACTS if set_up.span:
            first, last = map(formatting.local_day, set_up.span)
            return _(
                "{count} contacts, from {first} to {last}.",
                count=formatting.number(set_up.contacts),
                first=first,
                last=last,
            )
        case Step.NAMES if set_up.span:
            return _describe_names(viewer)
        case Step.ACCOUNTS:
            return _describe_accounts(set_up)
        case Step.LISTENING if set_up.closed_gates:
            titles = (_(gates.BY_NAME[name].title) for name in set_up.closed_gates)
            return _("Missing: {titles}", titles=formatting.listing(titles))
        case Step.FIRST_FIGURE if not set_up.has_reader:
            return _("No manager has signed in yet.")
    return ""


def _describe_centre(set_up: SetUp) -> str:
    here = environment.current()
    clock = _(
        "Time zone {zone}: it is now {moment}. Country of phone numbers and holidays: {country}.",
        zone=here.timezone,
        moment=formatting.local_moment(environment.now()),
        country=Locale(i18n.language()).territories.get(here.country, here.country),
    )
    if set_up.span is None:
        clock += " " + _(
            "If one is wrong, the operator sets QA_TIMEZONE or QA_COUNTRY before the first import."
        )
    return f"{set_up.organisation}. {clock}" if set_up.organisation else clock


def _describe_hours(set_up: SetUp) -> str:
    with_hours = [site for site, has_hours in set_up.sites.items() if has_hours]
    without = [site for site in set_up.sites if site not in with_hours]
    texts = []
    if with_hours:
        texts.append(_("With hours: {sites}.", sites=formatting.listing(with_hours)))
    if without:
        texts.append(
            _("Without hours, so never closed: {sites}.", sites=formatting.listing(without))
        )
    return " ".join(texts)


def _count_pairs(viewer: Viewer) -> int:
    return sum(len(cached.find_suggestions(viewer, kind)) for kind in KIND_TITLES)


def _describe_names(viewer: Viewer) -> str:
    pairs = _count_pairs(viewer)
    if not pairs:
        return _("There are no similar names.")
    return ngettext("{n} pair of names looks similar.", "{n} pairs of names look similar.", pairs)


def _describe_accounts(set_up: SetUp) -> str:
    counts = [f"{menu.name_role(role)} {count}" for role, count in set_up.accounts.items()]
    missing = [menu.name_role(role) for role in NEEDED_ROLES if not set_up.accounts.get(role)]
    text = _("{what}: {text}", what=_("Accounts"), text=", ".join(counts))
    if missing:
        text += ". " + _("Missing: {titles}", titles=formatting.listing(missing))
    return text


def _ask_name(set_up: SetUp) -> None:
    label = _("Edit") if set_up.organisation else _("Enter")
    # Under another key it is another popover, and closed.
    popover = st.popover(label, icon=":material/edit:", key=f"name_{set_up.organisation}")
    with popover, st.form("organisation", border=False):
        name = st.text_input(
            _("Name of the centre or its organisation"), set_up.organisation or "", max_chars=200
        )
        if st.form_submit_button(_("Save"), type="primary") and name.strip():
            with (
                actions.perform(Permission.MANAGE_SETTINGS, "") as acting,
                store.writing() as session,
            ):
                settings.set_value(session, acting, "organisation_name", name)


def _show_samples() -> None:
    with st.expander(_("No file at hand? Try it with invented files"), icon=":material/science:"):
        text = _(
            "Six invented advisors, and their calls of the last four weeks. Import the files "
            "in this order; evaluations need the legal conditions, and advisors who are "
            "informed. Afterwards, undo each import on the page Imports. Only advisors entered "
            "as informed stay, as proof of it: the data protection officer erases them."
        )
        st.caption(text)
        for kind in samples.SAMPLES:
            download_links.show_download(
                "sample", label=_(SOURCE_TITLES[kind]), key=kind, forms=("csv",), name=kind
            )
