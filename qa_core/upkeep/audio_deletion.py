"""Deletion of audio by the data protection officer, with a certificate."""

import json
from collections.abc import Sequence

from qa_core.access.roles import Permission, Viewer
from qa_core.base import masking
from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_
from qa_core.compliance import recordings, requests
from qa_core.compliance.recordings import deletion
from qa_core.compliance.rules.findings import RuleFacts
from qa_core.storage import replay_list
from qa_core.storage.records import store
from qa_core.upkeep import purge
from qa_core.upkeep.purge import Certificate

BY_HAND = "by_hand"
"""Why audio was deleted: the officer decided it."""


def count_forbidden(viewer: Viewer) -> int:
    """Count the recordings that a rule forbids to keep, in the whole centre."""
    viewer.require(Permission.SEE_COMPLIANCE)
    with store.reading() as session:
        return len(RuleFacts(session, list).forbidden)


def delete_audio(
    viewer: Viewer,
    contacts: Sequence[tuple[str | None, str]],
    reason: str,
    with_forbidden: bool = False,
) -> Certificate:
    """Delete the audio of contacts (system or None, id), and all that a rule forbids to keep
    with `with_forbidden`, at once and also in restored backups. Raises Refusal where there is
    none.
    """
    viewer.require(Permission.MANAGE_COMPLIANCE)
    reason = masking.clean_text(reason, requests.MAX_TEXT, "no_reason")
    with store.one_import_at_a_time():
        with store.reading() as session:
            live = deletion.find_live(session, [number for _system, number in contacts])
            wanted = {(None, number) for system, number in contacts if not system} | {*contacts}
            days = {
                (item.source_system, item.contact_id): item.local_day
                for item in live
                if {(item.source_system, item.contact_id), (None, item.contact_id)} & wanted
            }
            if with_forbidden:
                days |= RuleFacts(session, list).forbidden
        if not days:
            raise Refusal("no_audio", N_("No audio is kept of this. Check the id."))
        replay_list.add("audio", *map(json.dumps, days), value=BY_HAND)
        with store.writing() as session:
            recordings.delete_of(session, days, BY_HAND, viewer.username)
            number = purge.begin_certificate(session, viewer, "recordings", [*days.values()])
        return purge.close_certificate(number, reason)
