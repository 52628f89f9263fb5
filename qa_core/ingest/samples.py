"""Sample files to try an import: an invented centre in the four weeks before today. Its
phone numbers are in the ranges that ARCEP reserves for fiction.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, time, timedelta
from random import Random
from typing import Any

from qa_core.access.roles import Permission, Viewer
from qa_core.base import declared, environment
from qa_core.base.errors import require_known
from qa_core.metrics import downloads

DAYS, CALLS_A_DAY, SEED = 28, 16, 7
CAMPAIGN_NUMBER, OTHER_NUMBER = "0033199001901", "0033199001900"
_DECLARED = declared.read(__file__)
SITE: str = _DECLARED["site"]
ADVISORS: dict[str, dict[str, str]] = _DECLARED["advisors"]
REASONS: dict[str, str] = _DECLARED["reasons"]
"""Reasons and the queue of each."""
CRITERIA: dict[str, int] = _DECLARED["criteria"]
"""Criteria of the sample scorecard and their points."""

Row = dict[str, Any]


def _list_advisors() -> Iterator[Row]:
    for advisor_id, advisor in ADVISORS.items():
        yield {"advisor_id": advisor_id, **advisor, "site": SITE}


def _list_calls() -> Iterator[Row]:
    chance = Random(SEED)
    today = environment.today()
    days = [today - timedelta(days=age) for age in range(DAYS, 0, -1)]
    calls = [
        (day, time(9 + number_of_day * 9 // CALLS_A_DAY, int(60 * chance.random())))
        for day in days
        if day.weekday() < 5
        for number_of_day in range(CALLS_A_DAY)
    ]
    for number, (day, clock) in enumerate(calls, 1):
        reason = chance.choice(list(REASONS))
        is_answered = chance.random() < 0.9
        by_campaign = reason == "Facture" and chance.random() < 0.5
        yield {
            "contact_id": f"EX{number:04d}",
            "started_at": datetime.combine(day, clock),
            "direction": "inbound",
            "channel": "phone",
            "queue": REASONS[reason],
            "reason": reason,
            "customer": f"00331990010{chance.randrange(80):02d}",
            "advisor": chance.choice(list(ADVISORS)) if is_answered else "",
            "outcome": "answered" if is_answered else "abandoned",
            "wait_seconds": round((12 if is_answered else 70) * (0.3 + 2 * chance.random())),
            "talk_seconds": round(120 + 360 * chance.random()) if is_answered else "",
            "tracking_number": CAMPAIGN_NUMBER if by_campaign else OTHER_NUMBER,
        }


def _list_answered(every: int) -> list[Row]:
    return [call for call in _list_calls() if call["outcome"] == "answered"][::every]


def _list_surveys() -> Iterator[Row]:
    for number, call in enumerate(_list_answered(every=4)):
        csat = (1, 4, 3, 5)[number % 4] if call["reason"] == "Facture" else (5, 4, 5, 3)[number % 4]
        yield {
            "contact_id": call["contact_id"],
            "answered_at": call["started_at"] + timedelta(hours=3),
            "csat": csat,
            "nps": 2 * csat,
            "comment": "Facture difficile à comprendre." if csat < 3 else "",
        }


def _list_campaign_calls() -> Iterator[Row]:
    for call in _list_calls():
        if call["tracking_number"] == CAMPAIGN_NUMBER:
            yield {
                "tracking_number": CAMPAIGN_NUMBER,
                "started_at": call["started_at"] + timedelta(seconds=4),
                "source": "newsletter",
                "medium": "email",
                "campaign": "Nouvelle facture (exemple)",
            }


def _list_evaluations() -> Iterator[Row]:
    for number, call in enumerate(_list_answered(every=20)):
        for criterion_number, (criterion, possible) in enumerate(CRITERIA.items()):
            yield {
                "contact_id": call["contact_id"],
                "advisor": call["advisor"],
                "evaluator": "Jo Exemple",
                "evaluated_at": call["started_at"] + timedelta(hours=4),
                "grid": "Grille exemple",
                "criterion": criterion,
                "points": possible - (number + criterion_number) % 2,
                "possible": possible,
            }


SAMPLES: dict[str, Callable[[], Iterator[Row]]] = {
    "advisors": _list_advisors,
    "contacts": _list_calls,
    "surveys": _list_surveys,
    "tracking": _list_campaign_calls,
    "evaluations": _list_evaluations,
}
"""Sample files by the kind of their import, in the order in which they are tried."""


def build_file(viewer: Viewer, name: str, form: str = "csv") -> downloads.Download:
    """Build a sample file. Raises Misuse for a kind without one."""
    require_known(name, SAMPLES, "unknown_kind")
    rows = list(SAMPLES[name]())
    content = downloads.to_csv(list(rows[0]), (list(row.values()) for row in rows))
    return downloads.Download(f"sample_{name}.{form}", "text/csv", content)


downloads.declare("sample", Permission.MANAGE_IMPORTS, build_file)
