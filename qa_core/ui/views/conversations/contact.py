"""The Contact page: the contact, those before and after it, its survey and evaluations."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from qa_core.access.roles import Permission, Role, Viewer
from qa_core.base.i18n import _, capitalise, ngettext
from qa_core.compliance import recordings, requests
from qa_core.ingest.reading import field_titles
from qa_core.metrics import query
from qa_core.metrics.kpis import Unit, formatting
from qa_core.metrics.query import ChainContact, CustomerHistory
from qa_core.metrics.rows import scorecard_texts
from qa_core.quality import sampling, scorecards
from qa_core.quality.sampling import labels, manual_pick
from qa_core.storage.facts.schema import NEIGHBOUR_DAYS
from qa_core.ui.frame import layout, open_once
from qa_core.ui.frame.markdown import escape
from qa_core.ui.views.performance.repeats import describe_end
from qa_core.ui.widgets import actions, cards, drill, player, scorecard_answers, tables

Contact = dict[str, Any]
TIMES = ("wait_seconds", "talk_seconds", "hold_seconds", "wrap_seconds")
CODED = ("channel", "direction")
PLACES = (*CODED, "queue", "reason", "team", "advisor", "customer")
TRACKING = ("source", "medium", "campaign", "keyword", "tracking_number", "landing_page")
FLAGS = ("recorded", "notice_played", "customer_objected", "stopped_by_advisor", "private_line")
ANSWERS = ("csat", "nps", "ces", "survey_resolved", "survey_comment")


def show_head(contact: Contact) -> None:
    """Show when it was, how it ended, and its transfers."""
    start, is_answered = contact["local_start"], contact["outcome"] == "answered"
    day = formatting.full_day(start.date())
    st.title(f"{capitalise(day)}, {start:%H:%M}", anchor=False)
    with st.container(horizontal=True, gap="xsmall"):
        st.badge(
            formatting.name("outcome", contact["outcome"]),
            icon=":material/call:",
            color="green" if is_answered else "orange",
        )
        if count := int(contact.get("transfers") or 0):
            text = ngettext("{n} transfer", "{n} transfers", count)
            st.badge(text, icon=":material/call_split:", color="gray")
        resolved = contact.get("declared_resolved")
        if resolved is not None:
            text = _("Declared resolved") if resolved else _("Declared not resolved")
            st.badge(text, color="green" if resolved else "orange")


def show_course(contact: Contact) -> None:
    """Show its times."""
    parts = [(field_titles.find_title(key), contact[key]) for key in TIMES if contact.get(key)]
    durations = [f"{title} {formatting.duration(seconds)}" for title, seconds in parts]
    total = formatting.duration(sum(seconds for _title, seconds in parts))
    title = _("{duration} in all", duration=total) if parts else _("No times known")
    with cards.card(title):
        st.caption(" · ".join(durations))


def show_player(viewer: Viewer, contact: Contact) -> None:
    """Show its recording, to its advisor and, with purpose and reason, to their leads."""
    key = (contact["source_system"], contact["contact_id"])
    if not viewer.can(Permission.LISTEN):
        return
    if not contact.get("recorded") and not recordings.find_playable(viewer, *key):
        return
    default = (recordings.OWN, _("my own call"))
    with cards.card(_("Listen"), key="listen"):
        player.show(
            *key,
            *(default if viewer.role == Role.ADVISOR else (None, None)),
            key="player_" + "_".join(key),
        )


def show_details(viewer: Viewer, contact: Contact) -> None:
    """Show place, tracking and recording on the left, survey and evaluations on the right."""
    left, right = st.columns(2, gap="small")
    with left:
        places = {key: contact[key] for key in PLACES if key in contact}
        places |= {key: formatting.name(key, contact[key]) for key in CODED if key in contact}
        tracking = {key: contact[key] for key in TRACKING if contact.get(key)}
        flags = {key: _name_flag(contact[key]) for key in FLAGS if contact.get(key) is not None}
        _show_facts(_("Where and who"), places)
        if tracking:
            _show_facts(_("Where it came from"), tracking)
        if flags:
            _show_facts(_("Recording"), flags)
    with right:
        _show_survey(contact)
        if "evaluations" in contact:
            _show_evaluations(viewer, contact["evaluations"])
        _show_facts(_("Record"), {key: contact[key] for key in ("source_system", "contact_id")})


def read(viewer: Viewer, source_system: str, contact_id: str) -> Contact:
    key = (source_system, contact_id)
    return open_once.read("contact_read", key, query.read_contact, query.get_contact, viewer, *key)


def _show_facts(title: str, facts: Mapping[str, Any]) -> None:
    """Show values under the titles of their fields."""
    with cards.card(title):
        for field, value in facts.items():
            head, tail = st.columns([2, 3], gap="small", wrap=False)
            head.caption(escape(field_titles.find_title(field)))
            tail.text("–" if formatting.is_missing(value) else str(value))


def _name_flag(is_set: Any) -> str:
    return _("yes") if is_set else _("no")


def _show_survey(contact: Contact) -> None:
    csat, nps, ces, resolved, comment = (contact.get(key) for key in ANSWERS)
    facts = {}
    if csat is not None:
        mark = formatting.number(csat, 0 if float(csat).is_integer() else 1)
        scale = contact.get("csat_scale") or "?"
        facts["csat"] = _("{mark} on {scale}", mark=mark, scale=scale)
    if nps is not None:
        facts["nps"] = formatting.number(nps)
    if ces is not None:
        facts["ces"] = formatting.number(ces)
    if resolved is not None:
        facts["survey_resolved"] = _name_flag(resolved)
    if comment:
        facts["survey_comment"] = comment
    if not facts and contact.get("survey_sent") is not None:
        facts["survey_sent"] = _name_flag(contact["survey_sent"])
    if facts:
        _show_facts(_("Survey"), facts)


def _show_evaluations(viewer: Viewer, evaluations: list[dict[str, Any]]) -> None:
    texts = scorecard_texts.find_scorecard_texts(viewer)
    with cards.card(_("Evaluations")):
        if not evaluations:
            st.caption(_("None yet."))
        for entry in evaluations:
            score = _(formatting.NO_DATA)
            if not formatting.is_missing(entry["score"]):
                score = _("{n} of {all}", n=formatting.value(entry["score"], "score"), all=100)
            scorecard = texts.name("grid", entry["grid"]) if entry["grid"] else None
            moment = formatting.local_moment(entry["evaluated_at"])
            st.markdown(f"**{score}**")
            st.text(" · ".join(filter(None, (scorecard, entry.get("evaluator"), moment))))
            title, key, number = _("Read the evaluation"), f"read_{entry['id']}", entry["id"]
            layout.show_quiet_button(
                "rate_review", title, key, drill.to_evaluation, "contact", number
            )


def show_exclusion_request(viewer: Viewer, contact: dict[str, Any]) -> None:
    """Show the request for this contact and its answer, or offer to ask."""
    if not viewer.can(Permission.SEE_OWN_QUALITY) or viewer.advisor_id is None:
        return
    key = (contact["source_system"], contact["contact_id"])
    requested = requests.find_own(viewer)
    asked = next((item for item in requested if (item.source_system, item.contact_id) == key), None)
    with cards.card(_("Exclude this contact from recording and listening")):
        if asked is None:
            st.caption(
                _("For a private call or another reason. The data protection officer answers you.")
            )
            if st.button(_("Send"), icon=":material/front_hand:"):
                with actions.perform(Permission.SEE_OWN_QUALITY) as acting:
                    requests.ask_exclusion(acting, *key)
        elif asked.is_open:
            asked_on = formatting.day(asked.received_on, year=True)
            due = formatting.day(asked.due_on, year=True)
            st.text(_("Requested on {day}; answer due by {due}.", day=asked_on, due=due))
        else:
            day = formatting.day(asked.answered_on, year=True)
            st.markdown(escape(_("Answered on {day}: {answer}", day=day, answer=asked.answer)))


def show_manual_pick(viewer: Viewer, contact: dict[str, Any]) -> None:
    """Show the form on demand, to those who manage listening."""
    if not viewer.can(Permission.MANAGE_LISTENING):
        return
    with st.popover(_("Have it evaluated"), icon=":material/assignment_ind:", type="tertiary"):
        st.caption(_(scorecard_answers.PICKED))
        evaluators = dict(manual_pick.find_evaluators(viewer))
        published = {version.key: version.title for version in scorecards.find_published(viewer)}
        if not evaluators or not published:
            st.info(_("Needs an evaluator accredited today and a published scorecard."))
            return
        reasons = {key: labels.name_reason(key) for key in manual_pick.PICK_REASONS}
        reason = layout.select(st, _("Reason"), reasons)
        evaluator = layout.select(st, _("Evaluator"), evaluators)
        scorecard = layout.select(st, _("Scorecard"), published)
        if st.button(_("Assign"), type="primary"):
            key = (contact["source_system"], contact["contact_id"])
            with actions.perform(Permission.MANAGE_LISTENING) as acting:
                sampling.pick(acting, *key, reason, evaluator, scorecard)


def show_history(viewer: Viewer, contact: dict[str, Any]) -> None:
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
    scope = ""
    if history.elsewhere:
        scope = ngettext(
            "Before and after this contact; {n} is outside your scope and only counted.",
            "Before and after this contact; {n} are outside your scope and only counted.",
            history.elsewhere,
        )
    with cards.card(title, scope):
        if len(history.links) < 2:
            return
        here = next(link for link in history.links if (link.source_system, link.contact_id) == key)
        _show_table(viewer, history, here)


def _show_table(viewer: Viewer, history: CustomerHistory, here: ChainContact) -> None:
    def distance(link: ChainContact) -> str:
        if link is here:
            return _("this contact")
        return _describe_distance((link.local_start - here.local_start).total_seconds())

    def open_contact(link: ChainContact) -> None:
        if link is not here:  # the link back stays
            st.query_params.from_dict({"system": link.source_system, "id": link.contact_id})

    text = tables.text_column
    columns = (
        tables.moment_column(_("Started"), lambda link: link.local_start, pinned=True),
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
        text(_("Outcome"), lambda link: describe_end(link.outcome, link.declared_resolved), 170),
        tables.value_column(_("Talk"), lambda link: link.talk_seconds, Unit.SECONDS, 100),
    )
    tables.show(
        history.links,
        columns,
        # A row selected for one contact is not selected for the next.
        f"history_{here.source_system}_{here.contact_id}",
        open_contact,
        height=320,
    )


def _describe_distance(seconds: float) -> str:
    """Describe the time between two contacts: from two days on in days."""
    days = abs(seconds) / 86_400
    duration = formatting.days(round(days)) if days >= 2 else formatting.duration(abs(seconds))
    if seconds < 0:
        return _("{duration} before", duration=duration)
    return _("{duration} later", duration=duration)
