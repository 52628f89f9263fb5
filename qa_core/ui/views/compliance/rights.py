"""Acts of the data protection officer on persons and contacts, and what is in force."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base.errors import Misuse
from qa_core.base.i18n import N_, _, ngettext
from qa_core.compliance import restrictions
from qa_core.compliance.conditions import exclusions
from qa_core.ingest.rules import rectified
from qa_core.metrics.kpis import formatting
from qa_core.metrics.law import centre_counts
from qa_core.ui.frame import layout
from qa_core.ui.widgets import act_form, tables
from qa_core.ui.widgets.act_form import ActField
from qa_core.upkeep import audio_deletion, subjects

KINDS = {
    "customer": N_("customer"),
    "advisor": N_("advisor"),
    "account": N_("account"),
    "contact": N_("contact"),
    "line": N_("line"),
}


@dataclass(frozen=True)
class OfficerAct:
    """Act on the page: its title, what the reader needs to know, its fields, and the function
    that does it and returns what it met.
    """

    title: str
    text: str
    build_fields: Callable[[], tuple[ActField, ...]]
    perform: Callable[..., str]


def name_kind(kind: str) -> str:
    """Return the title of a kind of person or thing that an act is about."""
    return _(KINDS[kind])


def name_kinds(*kinds: str) -> dict[str, str]:
    """Return the titles of these kinds."""
    return {kind: name_kind(kind) for kind in kinds}


def build_person_field(name: str) -> ActField:
    """Build the field that names the person or thing."""
    text = _("A number becomes a pseudonym at once; it is stored nowhere.")
    return ActField(name, _("Number, name or id"), help_text=text)


def _build_subject_fields(*kinds: str) -> tuple[ActField, ActField]:
    return ActField("kind", _("Concerns"), name_kinds(*kinds)), build_person_field("who")


def _object(acting: Viewer, kind: str, who: str) -> str:
    if kind == "contact":
        return subjects.object_to(acting, contacts=subjects.read_contacts([who])).describe()
    return subjects.object_to(acting, [subjects.find_customer(who)]).describe()


def _exclude(acting: Viewer, kind: str, who: str, reason: str) -> str:
    what = {
        "line": lambda: {"line": who},
        "advisor": lambda: {"advisor": subjects.find_advisor(who)},
        "contact": lambda: {"contacts": subjects.read_contacts([who])},
    }
    return subjects.exclude(acting, reason, **what[kind]()).describe()


def _restrict(acting: Viewer, kind: str, who: str, reason: str) -> str:
    [contact] = subjects.read_contacts([who])
    found = contact if kind == "contact" else subjects.FIND[kind](who)
    return subjects.restrict(acting, **{kind: found}, reason=reason).describe()


def _erase(acting: Viewer, kind: str, who: str, is_sure: bool) -> str:
    if not is_sure:
        raise Misuse("not_sure", N_("An erasure cannot be undone. Confirm it."))
    counts = subjects.erase(acting, **{kind: subjects.FIND[kind](who)})
    return subjects.ActOutcome(counts.get("contacts", 0), counts.get("recording", 0)).describe()


def _rectify(
    acting: Viewer, who: str, field: str, value: str, reason: str, request: int | None = None
) -> str:
    [contact] = subjects.read_contacts([who])
    return subjects.rectify(acting, contact, {field: value}, reason, request).describe()


def _delete_audio(acting: Viewer, who: str, reason: str, with_forbidden: bool = False) -> str:
    contacts = subjects.read_contacts([who]) if who else []
    made = audio_deletion.delete_audio(acting, contacts, reason, with_forbidden)
    return ngettext(
        "{n} recording deleted. Certificate no. {number}.",
        "{n} recordings deleted. Certificate no. {number}.",
        made.kinds["recordings"].count,
        number=made.number,
    )


def _build_rectification_fields() -> tuple[ActField, ...]:
    return (
        ActField("who", _("Id of the contact")),
        ActField("field", _("Field"), {name: name for name in rectified.FIELDS}),
        ActField("value", _("Right value; empty to delete it"), is_optional=True),
        ActField("reason", _("Reason")),
    )


ACTS: Mapping[str, OfficerAct] = {
    "object": OfficerAct(
        N_("Enter an objection"),
        N_("The audio is deleted at once. Later imports follow the objection too."),
        lambda: _build_subject_fields("customer", "contact"),
        _object,
    ),
    "exclude": OfficerAct(
        N_("Exclude"),
        N_(
            "Lines of staff representatives, private lines and single contacts. Name a line by "
            "its dialled number, or by the advisor or extension. Their contacts count in "
            "figures, but are never kept as audio, drawn, listened to or evaluated. Stored "
            "audio is deleted at once."
        ),
        lambda: (
            *_build_subject_fields("line", "advisor", "contact"),
            ActField(
                "reason", _("Why"), {code: _(text) for code, text in exclusions.REASONS.items()}
            ),
        ),
        _exclude,
    ),
    "restrict": OfficerAct(
        N_("Restrict"),
        N_("Figures, lists, draws and exports leave it out until it is lifted."),
        lambda: (
            *_build_subject_fields("customer", "advisor", "contact"),
            ActField("reason", _("Reason")),
        ),
        _restrict,
    ),
    "rectify": OfficerAct(
        N_("Correct a contact"),
        N_("Later imports do not change the value back."),
        _build_rectification_fields,
        _rectify,
    ),
    "delete_audio": OfficerAct(
        N_("Delete audio"),
        N_("Deleted at once, also in backups that are restored, with a certificate."),
        lambda: (
            ActField("who", _("Id of the contact"), is_optional=True),
            ActField("with_forbidden", _("All audio that a rule forbids to keep"), usual=False),
            ActField("reason", _("Reason")),
        ),
        _delete_audio,
    ),
    "erase": OfficerAct(
        N_("Erase a person"),
        N_("Removed from every store at once and for good."),
        lambda: (
            *_build_subject_fields(*subjects.FIND),
            ActField("is_sure", _("I checked the identity; this is final"), usual=False),
        ),
        _erase,
    ),
}


def show_acts(viewer: Viewer) -> None:
    """Show the form of the chosen act, to whom it is open."""
    if not viewer.can(Permission.MANAGE_COMPLIANCE):
        return
    titles = {name: _(act.title) for name, act in ACTS.items()}
    name = layout.select(st, _("Act"), titles, "officer_act")
    act = ACTS[name]
    act_form.show(f"act_{name}", _(act.title), act.build_fields(), act.perform, _(act.text))


def ask_rectification(request: int) -> None:
    """Ask for the right value of a contact, for a request."""

    def perform(acting: Viewer, **values: str) -> str:
        return _rectify(acting, **values, request=request)

    key = f"request_{request}_rectify"
    act_form.show(key, _(ACTS["rectify"].title), _build_rectification_fields(), perform)


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
            ActField("number", _("In force"), titles),
            ActField("reason", _("Reason, which the person is told")),
        )
        act_form.show("restriction_end", _("Lift"), fields, subjects.lift)


def _name_restricted(item: restrictions.RestrictionEntry) -> str:
    what = item.advisor_id or item.contact_id or f"•• {item.customer_key[-2:]}"
    return f"{what} · {formatting.local_day(item.entered_at)}"


def show_exclusions(viewer: Viewer) -> None:
    """Show what is never recorded or listened to; take an entry off the list."""
    st.subheader(_("Never recorded or listened to"), anchor=False)
    entries = exclusions.find_all(viewer)
    columns = (
        tables.name_column(_("What"), lambda item: item.what, 260),
        tables.text_column(_("Why"), lambda item: _(exclusions.REASONS[item.reason]), 200),
        tables.text_column(_("Entered by"), lambda item: item.entered_by),
        tables.text_column(_("Entered on"), lambda item: formatting.local_day(item.entered_at)),
    )
    tables.show(entries, columns, "exclusions", height=240)
    titles = {item.id: item.what for item in entries}
    if titles and viewer.can(Permission.MANAGE_COMPLIANCE):
        field = ActField("number", _("Remove from the list"), titles)
        act_form.show("exclusion_end", _("Remove"), [field], exclusions.remove)
