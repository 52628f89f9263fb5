"""The titles of the fields of an import; commands and mappings use their codes."""

from qa_core.base.i18n import N_, _
from qa_core.metrics.kpis import formatting

TITLES = {
    "file": N_("File"), "customer_key": N_("Customer"),
    # contacts, and what files of other kinds share with them
    "contact_id": N_("Contact ID"), "ticket": N_("Ticket"), "source_system": N_("Tool"),
    "started_at": N_("Start (UTC or with time zone)"),
    "local_start": N_("Start"), "date": N_("Day"), "time": N_("Time of day"),
    "answered_at": N_("Answered at"), "ended_at": N_("End"),
    "updated_at": N_("Last change"), "direction": N_("Direction"), "channel": N_("Channel"),
    "queue": N_("Queue"), "reason": N_("Reason"),
    "advisor": N_("Advisor"), "advisor_name": N_("Advisor"), "team": N_("Team"),
    "site": N_("Site"), "customer": N_("Customer"),
    "caller": N_("Caller number"), "called": N_("Called number"), "outcome": N_("Outcome"),
    "answered": N_("Answered"), "abandoned": N_("Abandoned"),
    "missed": N_("Missed"), "voicemail": N_("Voicemail"),
    "wait_seconds": N_("Wait"), "talk_seconds": N_("Talk"), "hold_seconds": N_("Hold"),
    "wrap_seconds": N_("After-contact work"),
    "duration": N_("Total duration"),
    "handle_seconds": N_("Handle time"),
    "call_seconds": N_("Duration with the wait"),
    "transfers": N_("Transfers"),
    "transferred": N_("Transferred"), "declared_resolved": N_("Declared resolved"),
    "tracking_number": N_("Tracking number"), "source": N_("Source"), "medium": N_("Medium"),
    "campaign": N_("Campaign"), "keyword": N_("Keyword"),
    "landing_page": N_("Landing page"), "survey_sent": N_("Survey sent"), "csat": N_("Rating"),
    "nps": N_("Would recommend (0–10)"),
    "ces": N_("Made it easy (1–7)"), "survey_resolved": N_("Resolved"),
    "survey_contacts": N_("Contacts needed"),
    "survey_comment": N_("Comment"), "recorded": N_("Recorded"),
    "notice_played": N_("Informed of the recording"),
    "customer_objected": N_("Objected to the recording"),
    "stopped_by_advisor": N_("Recording stopped by the advisor"),
    "private_line": N_("Private line"), "recording_purpose": N_("Recording purpose"),
    # the other kinds
    "from": N_("From"), "to": N_("To"), "sent_at": N_("Sent at"),
    "resolved": N_("Resolved"), "contacts": N_("Contacts needed"),
    "comment": N_("Comment"), "day": N_("Day"), "amount": N_("Amount"), "currency": N_("Currency"),
    "start": N_("Start"), "hour": N_("Hour"),
    "period": N_("Week or month"),
    "advisor_id": N_("Advisor ID"), "name": N_("Name"), "first_name": N_("First name"),
    "last_name": N_("Last name"), "aliases": N_("Other names"),
    "evaluation_id": N_("Evaluation ID"), "evaluator": N_("Evaluator"),
    "evaluated_at": N_("Evaluation date"), "grid": N_("Scorecard"),
    "section": N_("Section"), "criterion": N_("Criterion"), "points": N_("Points"),
    "possible": N_("Points possible"), "score": N_("Score"),
}  # fmt: skip


def title(field: str) -> str:
    """Return the title of a field, or its code where it has no title."""
    return _(TITLES[field]) if field in TITLES else field


def title_of_meaning(word: str) -> str:
    """Return how a meaning of a word is called on the page."""
    words = {"yes": N_("yes"), "no": N_("no"), "missing": N_("no value")}
    if word in words:
        return _(words[word])
    named = {**formatting.OUTCOMES, **formatting.DIRECTIONS}
    return _(named[word]) if word in named else word


def title_and_code(field: str) -> str:
    """Return both, where a person chooses a field that the command line names by its code."""
    return f"{_(TITLES[field])} · {field}" if field in TITLES else field
