"""One contact in full: what happened, where it came from, what the customer said, and
what its evaluations found.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from qa_core.access.roles import Permission, Role, Viewer
from qa_core.analysis import charts
from qa_core.base import environment
from qa_core.base.i18n import N_, _, ngettext
from qa_core.compliance import recordings
from qa_core.metrics import formatting, query
from qa_core.metrics.query import scorecard_texts
from qa_core.metrics.query.scorecard_texts import GridTexts
from qa_core.ui import cards, drill, player, readings

TIMES = {
    "wait_seconds": N_("Wait"),
    "talk_seconds": N_("Talk"),
    "hold_seconds": N_("Hold"),
    "wrap_seconds": N_("After-contact work"),
}
PLACES = {
    "channel": N_("Channel"),
    "direction": N_("Direction"),
    "queue": N_("Queue"),
    "reason": N_("Reason"),
    "team": N_("Team"),
    "advisor": N_("Advisor"),
    "customer": N_("Customer"),
}
TRACKING = {
    "source": N_("Source"),
    "medium": N_("Medium"),
    "campaign": N_("Campaign"),
    "keyword": N_("Keyword"),
    "tracking_number": N_("Tracking number"),
    "landing_page": N_("Landing page"),
}
MATCHES = {
    "id": N_("Joined by the contact's id."),
    "number_and_time": N_("Joined by number and time."),
}
FLAGS = {
    "recorded": (N_("Recorded"), N_("Not recorded")),
    "notice_played": (
        N_("The caller was told of the recording"),
        N_("The caller was not told of a recording"),
    ),
    "customer_objected": (N_("The customer objected to the recording"), None),
    "stopped_by_advisor": (N_("The advisor stopped the recording"), None),
    "private_line": (N_("Private line"), None),
}


def show_head(contact: dict[str, Any]) -> None:
    """When it was, how it ended, and how long it took."""
    start = contact["local_start"]
    day = formatting.full_day(start.date())
    st.title(f"{day[0].upper()}{day[1:]}, {start:%H:%M}", anchor=False)
    outcome = formatting.name("outcome", contact["outcome"])
    with st.container(horizontal=True, gap="xsmall"):
        st.badge(
            outcome,
            icon=":material/call:",
            color="green" if contact["outcome"] == "answered" else "orange",
        )
        if contact.get("transfers"):
            st.badge(
                ngettext("{n} transfer", "{n} transfers", int(contact["transfers"])),
                icon=":material/call_split:",
                color="gray",
            )
        if contact.get("declared_resolved") is not None:
            st.badge(
                _("Declared resolved")
                if contact["declared_resolved"]
                else _("Declared not resolved"),
                color="green" if contact["declared_resolved"] else "orange",
            )


def show_course(contact: dict[str, Any]) -> None:
    """Its times on one bar, and what the customer did before and after."""
    parts = [(_(title), contact[key]) for key, title in TIMES.items() if contact.get(key)]
    with st.container(border=True, gap="xxsmall"):
        total = sum(seconds for _title, seconds in parts)
        st.markdown(
            "##### "
            + (
                _("{duration} in all", duration=formatting.duration(total))
                if parts
                else _("No times known")
            )
        )
        if parts:
            st.plotly_chart(
                charts.build_stretch(parts, dark=cards.is_dark()),
                theme=None,
                config={"displayModeBar": False},
                alt=", ".join(
                    f"{title} {formatting.duration(seconds)}" for title, seconds in parts
                ),
            )
        st.caption(
            " · ".join(f"{title} {formatting.duration(seconds)}" for title, seconds in parts)
        )
        st.caption(" ".join(_neighbours(contact)))


def show_player(viewer: Viewer, contact: dict[str, Any]) -> None:
    """Its recording, for who may listen: advisors to their own call, those who lead
    them with a purpose and a reason.
    """
    key = (contact["source_system"], contact["contact_id"])
    if not viewer.can(Permission.LISTEN) or not (
        contact.get("recorded") or recordings.find_playable(viewer, *key)
    ):
        return
    purpose, reason = (
        (recordings.OWN, _("my own call")) if viewer.role == Role.ADVISOR else (None, None)
    )
    with st.container(border=True, gap="xxsmall", key="listen"):
        st.markdown("##### " + _("Listen"))
        player.show(viewer, *key, purpose, reason, key="player_" + "_".join(key))


def show_details(viewer: Viewer, contact: dict[str, Any]) -> None:
    """Place, tracking and recording on the left; survey and evaluations on the right."""
    left, right = st.columns(2, gap="small")
    with left:
        _show_facts(
            _("Where and who"),
            [
                (
                    title,
                    formatting.name(key, contact.get(key))
                    if key in ("channel", "direction")
                    else contact.get(key),
                )
                for key, title in PLACES.items()
                if key in contact
            ],
        )
        if any(contact.get(key) for key in TRACKING):
            _show_facts(
                _("Where it came from"),
                [(title, contact.get(key)) for key, title in TRACKING.items() if contact.get(key)],
                _(MATCHES.get(contact.get("tracking_match"), "")),
            )
        _show_recording(contact)
    with right:
        _show_survey(contact)
        _show_evaluations(contact, scorecard_texts.find_grid_texts(viewer))
        _show_facts(
            _("Record"),
            [(N_("System"), contact["source_system"]), (N_("Id"), contact["contact_id"])],
        )


def read(viewer: Viewer, source_system: str, contact_id: str) -> dict[str, Any]:
    """The contact of that address."""
    return readings.read(
        "contact_read",
        (source_system, contact_id),
        lambda: query.read_contact(viewer, source_system, contact_id),
        lambda: query.get_contact(viewer, source_system, contact_id),
    )


def _neighbours(contact: dict[str, Any]) -> list[str]:
    said = []
    if contact.get("seconds_since_previous") is not None:
        said.append(
            _(
                "The same customer was answered {duration} before.",
                duration=_span(contact["seconds_since_previous"]),
            )
        )
    if contact.get("seconds_to_next") is not None:
        said.append(
            _(
                "The customer came back {duration} later.",
                duration=_span(contact["seconds_to_next"]),
            )
        )
    elif contact.get("customer") is not None:
        said.append(_("No further contact of this customer is known within 31 days."))
    if contact.get("outcome") != "answered" and contact.get("seconds_to_reached") is not None:
        said.append(
            _("They were reached {duration} later.", duration=_span(contact["seconds_to_reached"]))
        )
    return said


def _span(seconds: float) -> str:
    days = seconds / 86_400
    return (
        ngettext("{n} day", "{n} days", round(days)) if days >= 2 else formatting.duration(seconds)
    )


def _show_facts(title: str, entries: list[tuple[str, Any]], caption: str = "") -> None:
    with st.container(border=True, gap="xxsmall"):
        st.markdown(f"##### {title}")
        for name, value in entries:
            head, tail = st.columns([2, 3], gap="small", wrap=False)
            head.caption(_(name))
            tail.text("–" if formatting.is_missing(value) else str(value))
        if caption:
            st.caption(caption)


def _show_recording(contact: dict[str, Any]) -> None:
    lines = [
        texts[0] if contact[key] else texts[1]
        for key, texts in FLAGS.items()
        if contact.get(key) is not None
    ]
    lines = [line for line in lines if line]
    if lines:
        with st.container(border=True, gap="xxsmall"):
            st.markdown("##### " + _("Recording"))
            for line in lines:
                st.caption(_(line))


def _show_survey(contact: dict[str, Any]) -> None:
    if not any(
        contact.get(key) is not None
        for key in ("csat", "nps", "ces", "survey_resolved", "survey_comment")
    ):
        sent = contact.get("survey_sent")
        if sent is not None:
            with st.container(border=True):
                st.markdown("##### " + _("Survey"))
                st.caption(_("Sent, no answer.") if sent else _("Not asked."))
        return
    with st.container(border=True, gap="xxsmall"):
        st.markdown("##### " + _("What the customer said"))
        answers = []
        if contact.get("csat") is not None:
            answers.append(
                (
                    N_("Rating"),
                    _(
                        "{mark} on {scale}",
                        mark=formatting.number(
                            contact["csat"], 0 if float(contact["csat"]).is_integer() else 1
                        ),
                        scale=contact.get("csat_scale") or "?",
                    ),
                )
            )
        if contact.get("nps") is not None:
            answers.append((N_("Would recommend (0–10)"), formatting.number(contact["nps"])))
        if contact.get("ces") is not None:
            answers.append((N_("Made it easy (1–7)"), formatting.number(contact["ces"])))
        if contact.get("survey_resolved") is not None:
            answers.append((N_("Resolved"), _("yes") if contact["survey_resolved"] else _("no")))
        for name, value in answers:
            head, tail = st.columns([2, 3], gap="small", wrap=False)
            head.caption(_(name))
            tail.text(value)
        if contact.get("survey_comment"):
            st.text(contact["survey_comment"])


def _show_evaluations(contact: dict[str, Any], texts: GridTexts) -> None:
    if "evaluations" not in contact:
        return
    with st.container(border=True, gap="xxsmall"):
        st.markdown("##### " + _("Evaluations"))
        if not contact["evaluations"]:
            st.caption(_("Nobody evaluated this contact."))
        for entry in contact["evaluations"]:
            score = (
                _(formatting.NO_DATA)
                if formatting.is_missing(entry["score"])
                else _("{score} of 100", score=formatting.value(entry["score"], "score"))
            )
            st.markdown(f"**{score}**")
            by = [
                texts.name("grid", entry["grid"]) if entry["grid"] else None,
                entry.get("evaluator"),
            ]
            st.text(
                " · ".join(
                    [
                        *filter(None, by),
                        formatting.moment(environment.to_local(entry["evaluated_at"])),
                    ]
                )
            )
            st.button(
                _("Read the evaluation"),
                key=f"read_{entry['id']}",
                icon=":material/rate_review:",
                type="tertiary",
                on_click=drill.to_evaluation,
                args=("contact", entry["id"]),
            )
