"""Erasure of a customer from all that imports keep. No other module knows every place
where a customer's key can be.
"""

import json
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from qa_core.access.roles import Viewer
from qa_core.base.errors import AccessDenied
from qa_core.compliance import recordings, restrictions
from qa_core.files import uploads
from qa_core.ingest.load import recovery
from qa_core.ingest.matching import attach
from qa_core.ingest.staging.staged import unscoped_import_rows
from qa_core.ingest.watch import queue_log
from qa_core.storage import audit_log, lake, replay_list
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.evaluations import Evaluation
from qa_core.storage.records.imports import BeforeImage, WaitingRow
from qa_core.storage.records.retention import Restriction
from qa_core.storage.records.store import Session

References = set[tuple[str, str | None]]
"""Ids or tickets with their system, and each of them also with None, since a row
without a system may mean any.
"""


@dataclass(frozen=True)
class ErasureCounts:
    """Numbers of contacts that were removed or lost the key, of rows that waited or had
    waited for their contact, and of events of calls in progress.
    """

    contacts: int
    pending_rows: int
    events: int


def erase_customer(viewer: Viewer, customer_key: str) -> ErasureCounts:
    """Remove every trace of the customer with that pseudonym from the stores. Only
    `Viewer.SYSTEM` may call it, after a decision on a request of a person. It can be
    repeated, also after an interruption.

    A customer's key can be in these places:

    - `contacts` of the lake, as `customer_key` and, for a shared number, as
      `given_customer_key`; also the before-images by which imports are undone:
      removed by `lake.erase`. `lake.vacuum` deletes files of earlier versions.
    - rows that wait for their contact, or had waited: removed, with what the customer
      wrote. Surveys and tracking rows are removed also where they name an erased
      contact or its ticket without a key. Pending evaluations have no key of a
      customer, and stay, since they are about the advisor.
    - evaluations of the customer's contacts: they stay, without the evaluator's comment
      and tags, which are removed from before-images and pending rows too. The action
      list of irritants has single words and counts, never a sentence or a contact.
    - recordings of the customer's contacts: audio and waveform are deleted, the row
      says when. Playbacks stay, since they are about who listened.
    - events of calls in progress in a log that is followed (`watching/`): the call
      stays, without its customer.
    - temporary files (`tmp/`) of killed imports and uploads: removed. A file that is
      being read at this moment is loaded afterwards; then erase again.

    The quarantine and the rest of the records (before-images of advisors and
    evaluations, counts, decisions, the audit log) have no key.

    Not erased, since they are not ours to change: files as they were delivered, with
    clear numbers, also in `.taken` and `.refused` of a watched folder (`watch --keep
    DAYS` deletes them in time), the logs of the telephony, and backups; a backup that
    is restored is erased from again (`upkeep.restore`).
    """
    if not viewer.is_system:
        raise AccessDenied()
    with store.one_import_at_a_time():
        recovery.finish_interrupted()
        replay_list.add("customer", replay_list.digest("customer", customer_key))
        replay_list.drop("restriction", restrictions.write_key(customer_key=customer_key))
        contacts, tickets = _find_references(customer_key)
        with store.writing() as session:
            session.execute(sa.delete(Restriction).where(Restriction.customer_key == customer_key))
            pending_rows = _erase_pending(session, customer_key, contacts, tickets)
            _erase_notes(session, contacts)
            recordings.delete_of(
                session,
                {(system, contact_id) for contact_id, system in contacts if system},
                "erased",
                viewer.username,
            )
            audit_log.record(session, viewer.username, "customer_erased", "imports")
        # Contacts are erased last: after an interruption, a second call still finds by
        # them what waits for them.
        contact_count = lake.erase(customer_key)
        events = queue_log.erase_customer(customer_key)
    store.empty_log()
    uploads.remove_leftovers()
    lake.remove_dead_folders()
    lake.vacuum(at_once=True)
    return ErasureCounts(contact_count, pending_rows, events)


def _find_references(customer_key: str) -> tuple[References, References]:
    """Find the customer's contacts, and their tickets."""
    with lake.working() as connection:
        rows = connection.execute(
            "SELECT source_system, contact_id, ticket FROM contacts WHERE customer_key = ?",
            [customer_key],
        ).fetchall()
    contacts, tickets = set(), set()
    for system, contact_id, ticket in rows:
        contacts |= {(contact_id, system), (contact_id, None)}
        tickets |= {(ticket, system), (ticket, None)} if ticket is not None else set()
    return contacts, tickets


def _erase_pending(
    session: Session, customer_key: str, contacts: References, tickets: References
) -> int:
    def is_theirs(kind: str, contact_id: str | None, content: dict[str, Any]) -> bool:
        system = content.get("system")
        is_named = (contact_id, system) in contacts or (content.get("ticket"), system) in tickets
        return customer_key in json.dumps(content) or (kind in attach.VALUES and is_named)

    rows = sa.select(WaitingRow.id, WaitingRow.kind, WaitingRow.contact_id, WaitingRow.content)
    pending_rows = session.execute(unscoped_import_rows(rows))
    row_ids = [row_id for row_id, *row in pending_rows if is_theirs(*row)]
    for row_id in row_ids:
        session.execute(sa.delete(WaitingRow).filter_by(id=row_id))
    return len(row_ids)


def _erase_notes(session: Session, contacts: References) -> None:
    """Delete what evaluators wrote about those contacts."""
    blank = {"comment": None, "tags": None}
    keys = sa.select(Evaluation.id, Evaluation.source_system, Evaluation.contact_id)
    noted_keys = Unscoped(
        keys.where(sa.or_(Evaluation.comment.is_not(None), Evaluation.tags.is_not(None))),
        "A customer's request covers every text about their contacts, in all teams. Keys are "
        "read, and the texts are deleted.",
    )
    numbers = [
        number
        for number, system, contact_id in session.execute(noted_keys).all()
        if (contact_id, system) in contacts
    ]
    if numbers:
        session.execute(
            sa.update(Evaluation),
            [{"id": number, **blank, "changed_at": now()} for number in numbers],
        )
    images = session.scalars(
        unscoped_import_rows(sa.select(BeforeImage).where(BeforeImage.object == "evaluation"))
    )
    for image in images.all():
        content = image.content or {}
        if (content.get("contact_id"), content.get("source_system")) in contacts:
            image.content = {**content, **blank}
    pending_rows = sa.select(WaitingRow).where(WaitingRow.kind == "evaluations")
    for row in session.scalars(unscoped_import_rows(pending_rows)):
        if (row.contact_id, row.content.get("system")) in contacts:
            row.content = {**row.content, "values": {**row.content["values"], **blank}}
