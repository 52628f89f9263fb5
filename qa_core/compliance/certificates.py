"""Certificates of deletion: what a purge, or a deletion before its time, deleted."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from qa_core.storage import signatures
from qa_core.storage.records.retention import Purge
from qa_core.storage.retention import DueData

_DAYS = ("oldest", "newest", "since")


@dataclass(frozen=True)
class Certificate:
    """Certificate of a purge: kind → number and days of the oldest and newest, the
    place in the audit log, and a signature over all of it. No content.
    """

    number: int
    as_of: date
    finished_at: datetime
    actor: str
    kinds: Mapping[str, DueData]
    seq: int
    mac: str
    signature: str

    @property
    def is_genuine(self) -> bool:
        """Return whether the signature fits what the certificate says."""
        return signatures.is_signature(self.signature, *name_content(self))

    def as_json(self) -> dict[str, Any]:
        """Build the certificate as docs/contract.md, section 3 prints it."""
        return {
            "number": self.number,
            "as_of": self.as_of.isoformat(),
            "finished_at": self.finished_at.isoformat(),
            "actor": self.actor,
            "kinds": {kind: note(due) for kind, due in self.kinds.items()},
            "journal": {"seq": self.seq, "seal": self.mac},
            "signature": self.signature,
        }


def note(due: DueData) -> dict[str, Any]:
    """Build what the row of a purge holds of one kind."""
    days = {name: getattr(due, name).isoformat() for name in _DAYS}
    return {"count": due.count, **days}


def certify(row: Purge) -> Certificate:
    kinds = {
        kind: DueData(kind, note["count"], *(date.fromisoformat(note[name]) for name in _DAYS))
        for kind, note in row.kinds.items()
    }
    return Certificate(
        row.id, row.as_of, row.finished_at, row.actor, kinds, row.seq, row.mac, row.signature
    )


def name_content(certificate: Certificate) -> tuple[int | str, ...]:
    """List what the signature of a certificate is over."""
    kinds = (
        f"{kind} {due.count} {due.oldest} {due.newest} {due.since}"
        for kind, due in sorted(certificate.kinds.items())
    )
    return (
        "purge",
        certificate.number,
        certificate.as_of.isoformat(),
        certificate.finished_at.isoformat(timespec="seconds"),
        certificate.actor,
        certificate.seq,
        certificate.mac,
        *kinds,
    )
