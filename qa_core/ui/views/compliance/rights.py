"""Acts of the data protection officer on persons and contacts, and what is in force."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base import declared
from qa_core.base.i18n import N_, _, ngettext
from qa_core.compliance import restrictions
from qa_core.compliance.conditions import exclusions
from qa_core.ingest.rules import rectified
from qa_core.metrics.kpis import formatting
from qa_core.metrics.law import centre_counts
from qa_core.storage.records.retention import Objection
from qa_core.ui.frame import layout
from qa_core.ui.widgets import act_form, segmented_choice, tables
from qa_core.ui.widgets.act_form import ActField
from qa_core.upkeep import person_copy, subjects

KINDS = {
    "customer": N_("Customer"),
    "advisor": N_("Advisor"),
    "account": N_("Account"),
    "contact": N_("Contact"),
    "line": N_("Line"),
}


def _object(acting: Viewer, kind: str, who: str) -> str:
    if kind == "contact":
        return subjects.object_to(acting, contacts=subjects.read_contacts([who])).describe()
    return subjects.object_to(acting, **{f"{kind}s": [subjects.FIND[kind](who)]}).describe()


def _exclude(acting: Viewer, kind: str, who: str, reason: str) -> str:
    if kind == "contact":
        return subjects.exclude(acting, reason, contacts=subjects.read_contacts([who])).describe()
    found = subjects.find_advisor(who) if kind == "advisor" else who
    return subjects.exclude(acting, reason, **{kind: found}).describe()


def _restrict(acting: Viewer, kind: str, who: str, reason: str) -> str:
    [contact] = subjects.read_contacts([who])
    found = contact if kind == "contact" else subjects.FIND[kind](who)
    return subjects.restrict(acting, **{kind: found}, reason=reason).describe()


def _erase(acting: Viewer, kind: str, who: str, **_is_sure: bool) -> str:
    return subjects.erase_and_count(acting, **{kind: subjects.FIND[kind](who)}).describe()


def _erase_words(acting: Viewer, words: str, is_final: bool) -> str:
    counts = subjects.erase_words(acting, words, is_final)
    if not counts:
        return _("No text has these words.")
    tables_named = (
        f"{person_copy.translate(person_copy.name_table(name))} {formatting.number(count)}"
        for name, count in counts.items()
    )
    items = formatting.listing(list(tables_named))
    return (
        _("Erased in texts: {items}.", items=items)
        if is_final
        else _("Found in texts: {items}.", items=items)
    )


def _rectify(
    acting: Viewer, who: str, field: str, value: str, reason: str, request: int | None = None
) -> str:
    [contact] = subjects.read_contacts([who])
    return subjects.rectify(acting, contact, {field: value}, reason, request).describe()


def _delete_audio(acting: Viewer, who: str, with_forbidden: bool, reason: str) -> str:
    contacts = subjects.read_contacts([who]) if who else []
    made = subjects.delete_audio(acting, contacts, reason, with_forbidden)
    return ngettext(
        "{n} recording deleted. Certificate no. {number}.",
        "{n} recordings deleted. Certificate no. {number}.",
        made.kinds["recordings"].count,
        number=made.number,
    )


PERFORM: Mapping[str, Callable[..., str]] = {
    "object": _object,
    "exclude": _exclude,
    "restrict": _restrict,
    "rectify": _rectify,
    "delete_audio": _delete_audio,
    "erase": _erase,
    "erase_words": _erase_words,
}
"""Function of each declared act; it returns the outcome in words."""
CHOICES = {"reason": exclusions.REASONS, "field": {name: name for name in rectified.FIELDS}}


def _build(name: str, label: str, **more: Any) -> ActField:
    """Build a declared field; `concerns`: kinds of persons and things to choose from."""
    if kinds := more.pop("concerns", None):
        more["titles"] = {kind: KINDS[kind] for kind in kinds}
    elif more.pop("is_choice", False):
        more["titles"] = CHOICES[name]
    return ActField(name, label, **more)


_DECLARED = declared.read(__file__)
FIELDS = {key: _build(**entry) for key, entry in _DECLARED["field"].items()}
ACTS: Mapping[str, Mapping[str, Any]] = _DECLARED["act"]


def show_acts(viewer: Viewer) -> None:
    """Show the form of the chosen act, to whom it is open."""
    if not viewer.can(Permission.MANAGE_COMPLIANCE):
        return
    titles = {name: _(act["title"]) for name, act in ACTS.items()}
    name = layout.select(st, _("Act"), titles, "officer_act")
    show_act(name)


def show_act(name: str, **more: int) -> None:
    """Show the form of an act; `more` goes to it, such as the request that it answers."""
    act = ACTS[name]
    key = "_".join(map(str, ("act", name, *more.values())))
    fields, perform = [FIELDS[field] for field in act["fields"]], partial(PERFORM[name], **more)
    act_form.show(key, act["title"], fields, perform, act.get("text", ""))


def show_restrictions(viewer: Viewer) -> None:
    """Show restrictions and how many contacts they exclude; lift one."""
    st.subheader(_("Restricted"), anchor=False)
    entries = restrictions.find_all(viewer)
    count = centre_counts.count_restricted(viewer)
    text = ngettext(
        "{count} contact is excluded from figures, lists, draws and exports.",
        "{count} contacts are excluded from figures, lists, draws and exports.",
        count,
        count=formatting.number(count),
    )
    st.caption(text)
    titles = {item.id: _name_restricted(item) for item in entries}
    if titles and viewer.can(Permission.MANAGE_COMPLIANCE):
        fields = (
            ActField("number", N_("In force"), titles),
            ActField("reason", N_("Reason for the person")),
        )
        act_form.show("restriction_end", N_("Lift"), fields, subjects.lift)


def show_objections(viewer: Viewer) -> None:
    """Show the objections in force; lift one."""
    st.subheader(_("Objections"), anchor=False)
    entries = restrictions.find_all(viewer, Objection)
    columns = (
        tables.name_column(_("What"), lambda item: item.title, 260),
        tables.text_column(_("By"), lambda item: item.entered_by),
        tables.day_text_column(_("When"), lambda item: item.entered_at),
    )
    tables.show(entries, columns, "objections", height=240)
    titles = {item.id: _name_restricted(item) for item in entries}
    if titles and viewer.can(Permission.MANAGE_COMPLIANCE):
        fields = ActField("number", N_("In force"), titles), ActField("reason", N_("Reason"))

        def lift(acting: Viewer, number: int, reason: str) -> str:
            return subjects.lift_objection(acting, number, reason).describe()

        act_form.show("objection_end", N_("Lift"), fields, lift)


def _name_restricted(item: restrictions.LastingEntry) -> str:
    what = item.advisor_id or item.contact_id or f"•• {item.customer_key[-2:]}"
    return f"{what} · {formatting.local_day(item.entered_at)}"


def show_exclusions(viewer: Viewer) -> None:
    """Show what is never recorded or listened to; take an entry off the list."""
    st.subheader(_("Never recorded or listened to"), anchor=False)
    entries = exclusions.find_all(viewer)
    columns = (
        tables.name_column(_("What"), lambda item: item.what, 260),
        tables.text_column(_("Why"), lambda item: _(exclusions.REASONS[item.reason]), 200),
        tables.text_column(_("By"), lambda item: item.entered_by),
        tables.day_text_column(_("When"), lambda item: item.entered_at),
    )
    states = {
        code: (title, lambda item, code=code: item.reason == code)
        for code, title in exclusions.REASONS.items()
    }
    shown = segmented_choice.ask_state("exclusions", entries, states, segmented_choice.ALL)
    tables.show(shown, columns, "exclusions", height=240)
    titles = {item.id: item.what for item in entries}
    if titles and viewer.can(Permission.MANAGE_COMPLIANCE):
        field = ActField("number", N_("In force"), titles)
        act_form.show("exclusion_end", N_("Remove"), [field], exclusions.remove)
