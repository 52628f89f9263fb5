"""A centre of twenty accounts of all roles whose mails are sent over two weeks, with the
clock change of 25 October 2026 between them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta

from builders.centres import add_people, contact, evaluation, land
from qa_core.access.accounts import get_viewer
from qa_core.access.roles import Viewer
from qa_core.base import i18n
from qa_core.compliance.conditions import gates
from qa_core.delivery import ledger, schedule
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.deliveries import MailChoice

FIRST_DAY, LAST_DAY = date(2026, 6, 1), date(2026, 10, 30)
TEAMS = {"Nord": "Lille", "Sud": "Lille", "Est": "Nice"}
ADVISORS = {f"a{n}": f"Person {n}" for n in range(9)}
TEAM_OF = {f"a{n}": ("Nord", "Sud", "Est")[n % 3] for n in range(9)}
PEOPLE: dict[str, tuple[str, dict[str, object]]] = {
    "nora": ("team_lead", {"teams": ("Nord",)}),
    "sam": ("team_lead", {"teams": ("Sud",)}),
    "esther": ("team_lead", {"teams": ("Est",)}),
    "both": ("team_lead", {"teams": ("Nord", "Est")}),
    "lil": ("manager", {"sites": ("Lille",)}),
    "nic": ("manager", {"sites": ("Nice",)}),
    "all": ("manager", {"sites": ("Lille", "Nice"), "sees_unassigned": True}),
    "boss": ("executive", {}),
    "chief": ("executive", {}),
    "eve": ("evaluator", {}),
    "evan": ("evaluator", {}),
    **{f"adv{n}": ("advisor", {"advisor_id": f"a{n}"}) for n in range(5)},
    "dana": ("dpo", {}),
    "dora": ("dpo", {}),
    "root": ("admin", {}),
    "ada": ("admin", {}),
}


DIGESTS = ("esther", "boss", "adv0")
"""People who want a digest: one of each role that has one. All have a confirmed address."""


def address_of(username: str) -> str:
    return f"{username}@example.org"


def build(add_person: Callable[..., str]) -> None:
    """Build it, with data until 17 October, the gate open, and every address confirmed."""
    add_people(ADVISORS, TEAMS)
    for username, (role, bounds) in PEOPLE.items():
        add_person(username, role, **bounds)
    draw = random.Random(29)
    rows = []
    for day in range((LAST_DAY - FIRST_DAY).days + 1):
        moment = datetime.combine(FIRST_DAY + timedelta(days=day), time(9))
        for advisor, team in TEAM_OF.items():
            for call in range(2):
                queue = draw.choice(("billing", "sales"))
                is_late = team == "Est" and moment.date() >= date(2026, 10, 5)
                rows.append(
                    contact(
                        moment + timedelta(minutes=draw.randrange(480)),
                        f"{day}-{advisor}-{call}",
                        advisor_id=advisor,
                        team=team,
                        queue=queue,
                        outcome="abandoned"
                        if draw.random() < (0.6 if is_late else 0.1)
                        else "answered",
                        wait_seconds=float(draw.randrange(60)),
                        talk_seconds=float(draw.randrange(60, 400)),
                        csat=draw.choice((None, 3, 4, 5)),
                        csat_scale="1-5",
                        customer_key=f"k{draw.randrange(400)}",
                    )
                )
    land(row for row in rows if row["local_start"].date() < date(2026, 10, 18))
    with store.writing() as session:
        for advisor in ADVISORS:
            row = next(row for row in rows if row["advisor_id"] == advisor)
            session.add(evaluation(row, 60.0 + len(advisor) + int(advisor[1:])))
    confirm_all()
    gates.set_gate(Viewer.SYSTEM, "delivery_since", "2026-10-01")


def confirm_all() -> None:
    """Confirm the address of every account."""
    with store.writing() as session:
        for username in PEOPLE:
            session.add(
                MailChoice(
                    username=username,
                    address=address_of(username),
                    confirmed_at=now(),
                    digest=username in DIGESTS,
                    language="en",
                )
            )


def viewer_of(username: str) -> Viewer:
    with store.reading() as session:
        return get_viewer(session, username)


def want_digest(*usernames: str) -> None:
    """Have these people and nobody else want a digest."""
    with store.writing() as session:
        for row in session.query(MailChoice):
            row.digest = row.username in usernames


def settle_week() -> None:
    """Let what is due now count as settled, so that no digest of this week is built."""
    schedule.enter_due(now())
    ledger.drop_open("nothing_new")


def find_outcomes() -> dict[str, tuple[str, str | None]]:
    """The state and cause of each person's newest delivery."""
    entries = ledger.find_all(Viewer.SYSTEM)
    return {entry.username: (entry.state, entry.cause) for entry in reversed(entries)}


def find_link(text: str) -> str:
    """The ticket of the link of our server in a mail."""
    return text.partition("https://ecoute.example.org/mail/")[2].split()[0]


@contextmanager
def speaking(username: str) -> Iterator[None]:
    """Speak the language of that person's mails."""
    with store.reading() as session:
        language = session.get(MailChoice, username).language
    with i18n.in_language(language):
        yield
