"""The demo centre in order with the law, but for one request and one document."""

from contextlib import suppress
from datetime import timedelta

import sqlalchemy as sa

from qa_core.access import service_tokens
from qa_core.access.accounts import AccountTerms, confirm, find_requests, get_viewer
from qa_core.access.roles import Role, Viewer
from qa_core.access.sessions import SignedIn
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.centre.rules import name_decisions
from qa_core.cli.demo.recordings import BATCH
from qa_core.compliance import exclusions, requests
from qa_core.compliance.documents import printing
from qa_core.compliance.recordings import playback
from qa_core.ingest import subjects
from qa_core.ingest.rules import due
from qa_core.storage.guard import Scoped
from qa_core.storage.records import store
from qa_core.storage.records.listening import Recording

DETAILS = {
    "organisation_name": "Centre de démonstration (inventé)",
    "organisation_contact": "1 place de l’Exemple, 00000 Modèle",
    "dpo_contact": "dpo@exemple.invalid",
    "processors": "aucun",
    "refusal_key": "9",
}
NOT_PRINTED = "impact_assessment"
"""What the data protection officer still has to do."""
LISTENERS = {
    Role.EVALUATOR: (5, "evaluation", "Écoute tirée au sort"),
    Role.TEAM_LEAD: (3, "training", "Préparer un entretien"),
}
"""Per role: how many calls, what for, and the reason in the journal."""
REPRESENTATIVES_LINE = "+33199001299"
TOKENS = {
    "tableau-direction": "Tableau de bord de la direction",
    "rapport-mensuel": "Rapport mensuel",
}
"""Service tokens and what they are for; the first is confirmed, the other waits."""
SPELLINGS = ("Fibre toute l'annee", "Fibre toute l'année")
"""Campaign as one tool writes it, and as it is counted."""
ANSWERED_AFTER, WAITING_FOR = timedelta(days=24), timedelta(days=9)


def set_up(sign_ins: list[dict[str, str]]) -> None:
    """Let the invited people do what the law asks for, through the doors of the product."""
    with store.reading() as session:
        # Of two evaluators the first one listens.
        people = {Role(one["role"]): get_viewer(session, one["username"]) for one in sign_ins[::-1]}
        of_batch = sa.select(Recording).where(Recording.batch_id == BATCH)
        kept = session.scalars(
            Scoped(of_batch.order_by(Recording.local_day.desc(), Recording.id), Viewer.SYSTEM)
        ).all()
    officer = people[Role.DPO]
    printing.enter_details(officer, DETAILS)
    # The demo's own advisor sees who listened.
    first = sorted(kept, key=lambda one: one.advisor_id != people[Role.ADVISOR].advisor_id)
    for role, (count, purpose, reason) in LISTENERS.items():
        _listen(people[role], first[:1] + kept, count, purpose, reason)
    if kept:
        subjects.object_to(officer, contacts=[(kept[-1].source_system, kept[-1].contact_id)])
    advisor_id, today = people[Role.ADVISOR].advisor_id, environment.today()
    number = requests.add(officer, "access", "advisor", advisor_id, today - ANSWERED_AFTER)
    requests.answer(officer, number, "Copie remise en main propre.", identity_checked=True)
    requests.add(officer, "rectification", "advisor", advisor_id, today - WAITING_FOR)
    with store.writing() as session:
        exclusions.add(session, officer, "representative", number=REPRESENTATIVES_LINE)
    admin = people[Role.ADMIN]
    for name, purpose in TOKENS.items():
        service_tokens.add(admin, name, AccountTerms(Role.EXECUTIVE, purpose))
    confirm(officer, find_requests(officer)[0].id)
    with suppress(AccessDenied, Refusal):  # a small centre has no call of both campaigns
        name_decisions.merge(admin, "campaign", *SPELLINGS)
        due.apply_due()
    for kind in printing.ALL:
        if kind.name != NOT_PRINTED:
            printing.print_document(officer, kind.name, "fr", "pdf")


def _listen(viewer: Viewer, kept: list[Recording], count: int, purpose: str, reason: str) -> None:
    signed_in = SignedIn(viewer, 0, False)
    for recording in kept:
        with suppress(AccessDenied, Refusal):
            address = playback.make_ticket(signed_in, recording.id, purpose, reason)
            playback.open_ticket(signed_in, address.removeprefix("/audio/"))
            count -= 1
        if not count:
            return
