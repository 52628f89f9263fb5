"""The demo centre in order with the law, but for one request and one document."""

from contextlib import suppress
from datetime import timedelta

import sqlalchemy as sa

from qa_core.access import service_tokens
from qa_core.access.accounts import AccountTerms, confirm, find_requests
from qa_core.access.roles import Role, Viewer
from qa_core.access.sessions import SignedIn
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.centre.rules import name_decisions
from qa_core.cli.demo.accounts import Cast
from qa_core.cli.demo.recordings import BATCH
from qa_core.cli.demo.story import STORY, Entry
from qa_core.compliance import requests
from qa_core.compliance.conditions import exclusions
from qa_core.compliance.documents import printing
from qa_core.compliance.recordings import playback
from qa_core.ingest.load import recovery
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.records import store
from qa_core.storage.records.listening import Recording
from qa_core.upkeep import subjects

RIGHTS = STORY.rights


def set_up(cast: Cast) -> None:
    """Let the invited people do what the law asks for, through the doors of the product."""
    officer, admin = cast.view(Role.DPO), cast.view(Role.ADMIN)
    newest = sa.select(Recording).where(Recording.batch_id == BATCH)
    newest = newest.order_by(Recording.local_day.desc(), Recording.id)
    with store.reading() as session:
        kept = session.scalars(Scoped(newest, Viewer.SYSTEM)).all()
    printing.enter_details(officer, RIGHTS.details)
    # The demo's own advisor sees who listened.
    first = sorted(kept, key=lambda one: one.advisor_id != cast.advisor_id)[:1]
    for listener in RIGHTS.listeners:
        _listen(cast.view(listener.role), [*first, *kept], listener)
    if kept:
        subjects.object_to(officer, contacts=[(kept[-1].source_system, kept[-1].contact_id)])
    person, today = ("advisor", cast.advisor_id), environment.today()
    asked_on = today - timedelta(days=RIGHTS.answered_after)
    number = requests.add(officer, "access", *person, asked_on)
    requests.answer(officer, number, RIGHTS.answer, identity_checked=True)
    asked_on = today - timedelta(days=RIGHTS.waiting_for)
    requests.add(officer, "rectification", *person, asked_on)
    with store.writing() as session:
        exclusions.add(session, officer, "representative", number=RIGHTS.representatives_line)
    for name, purpose in RIGHTS.tokens.items():
        service_tokens.add(admin, name, AccountTerms(Role.EXECUTIVE, purpose))
    confirm(officer, find_requests(officer)[0].id)
    with suppress(AccessDenied, Refusal):  # a small centre has no call of both campaigns
        name_decisions.merge(admin, "campaign", *RIGHTS.spellings)
        recovery.apply_due_rules()
    for kind in printing.ALL:
        if kind.name != RIGHTS.not_printed:
            printing.print_document(officer, kind.name, "fr", "pdf")


def _listen(viewer: Viewer, kept: list[Recording], listener: Entry) -> None:
    """Play as many of these recordings as the listener has in the story."""
    signed_in, count = SignedIn(viewer, 0, False), listener.calls
    for recording in kept:
        with suppress(AccessDenied, Refusal):
            address = playback.make_ticket(
                signed_in, recording.id, listener.purpose, listener.reason
            )
            playback.open_ticket(signed_in, address.removeprefix("/audio/"))
            count -= 1
        if not count:
            return
