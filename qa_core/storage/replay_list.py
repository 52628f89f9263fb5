"""Replay list: the erasures, objections and periods that a restored backup must not undo.

It lies beside the secrets and in no backup, sealed, and is noted in a second place where
QA_ANCHOR names one. Persons who were erased are in it by a keyed digest, which tells
nobody who they were. Its writers hold the lock of imports, or write a row of the audit log.
"""

import json
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.storage import signatures

LOG = logging.getLogger("qa_core.journal")
FILE = "replay.json"
CUSTOMER, CONTACT, ADVISOR_NAME = OF_IMPORTS = ("customer", "contact", "advisor_name")
"""Kinds that imports ask for (`storage.erased_people`)."""


@dataclass(frozen=True)
class ReplayEntry:
    """One act to repeat: `kind` and `key`.

    `customer`, `advisor`: erased, by `digest` · `contact`, `advisor_name`: of erased ones, by
    a digest likewise · `objection`: what it is against, as JSON ·
    `audio`: a contact whose audio was forbidden, as JSON, with the reason as `value` ·
    `exclusion`, `restriction`: what is left out, as JSON, with the reason as `value` ·
    `rectification`: a contact and its corrected field, as JSON; the value is in no list ·
    `words`: erased words, by a digest, with their number as `value` · kinds
    of `audit_log.WITHDRAWALS`: from whom something was taken, by a digest ·
    `purge`: its key day, where later than the day of the purge · `period`: a kind of
    data, with its period as `value`.
    """

    at: datetime
    kind: str
    key: str
    value: str = ""


@dataclass(frozen=True)
class ReplayList:
    """All entries since `complete_since`; `number` grows with each entry."""

    complete_since: datetime
    number: int = 0
    entries: tuple[ReplayEntry, ...] = ()


def digest(kind: str, value: str) -> str:
    """Compute the digest by which an erased person is found again in a restored store."""
    return find_digests(kind, value)[0]


def find_digests(kind: str, value: str, secrets: Sequence[bytes] = ()) -> list[str]:
    """Compute the digests of a person: one for each secret that the audit log has had
    (`secrets`, where they were read already).
    """
    return signatures.find_signatures("erased", kind, value, keys=secrets)


def find_named(kind: str, entries: Iterable[ReplayEntry], values: Iterable[str]) -> list[str]:
    """Find the values whose digest is the key of one of these entries, in order."""
    digests, secrets = {entry.key for entry in entries}, environment.find_keys("journal")
    return sorted(
        value
        for value in (set(values) if digests else ())
        if not digests.isdisjoint(find_digests(kind, value, secrets))
    )


def ensure() -> ReplayList:
    """Return the list; begin one where there is none, complete from now on."""
    known = find()
    if known is None:
        known = ReplayList(environment.now())
        write(known)
    return known


def add(kind: str, *keys: str, value: str = "") -> None:
    """Add acts that happen now; an earlier entry for the same gives way."""
    fresh_keys = dict.fromkeys(keys)
    with _one_writer():
        known, at = ensure(), environment.now()
        kept = [item for item in known.entries if item.kind != kind or item.key not in fresh_keys]
        fresh = [ReplayEntry(at, kind, key, value) for key in fresh_keys]
        write(replace(known, number=known.number + len(fresh), entries=(*kept, *fresh)))


def drop(kind: str, *keys: str) -> None:
    """Drop acts that were taken back since."""
    with _one_writer():
        if (known := find()) is None:
            return
        kept = [entry for entry in known.entries if entry.kind != kind or entry.key not in keys]
        if len(kept) < len(known.entries):
            write(replace(known, number=known.number + 1, entries=tuple(kept)))


def forget_before(moment: datetime, erased_before: datetime) -> None:
    """Drop the entries from before that moment; older backups cannot be restored then. What
    keeps erased people out of later files stays until `erased_before`.
    """
    ends = dict.fromkeys(OF_IMPORTS, min(moment, erased_before))
    with _one_writer():
        if (known := find()) is None:
            return
        kept = tuple(item for item in known.entries if item.at >= ends.get(item.kind, moment))
        if len(kept) < len(known.entries):
            write(replace(known, complete_since=max(moment, known.complete_since), entries=kept))


@contextmanager
def _one_writer() -> Iterator[None]:
    with environment.lock(environment.current().secrets_folder / f".{FILE}.lock"):
        yield


def find() -> ReplayList | None:
    """Read the list, the longer of two copies; or None. Raises Refusal if it was changed."""
    lists = [_read(path) for path in _find_files() if path.exists()]
    return max(lists, key=lambda known: known.number, default=None)


def write(known: ReplayList) -> None:
    document = {
        "complete_since": known.complete_since.isoformat(),
        "number": known.number,
        "entries": [
            [entry.at.isoformat(), entry.kind, entry.key, entry.value] for entry in known.entries
        ],
    }
    content = json.dumps(
        {**document, "seal": signatures.sign(*_name_content(document))}, indent=0
    ).encode()
    first, *others = _find_files()
    environment.write_private(first, content, overwrite=True)
    for path in others:
        try:
            environment.write_private(path, content, overwrite=True)
        except OSError:
            LOG.exception("the replay list cannot be noted in %s", path)


def _find_files() -> list[Path]:
    elsewhere = os.environ.get("QA_ANCHOR")
    files = [environment.current().secrets_folder / FILE]
    if elsewhere:
        anchor = Path(elsewhere).expanduser().resolve()
        files.append(anchor.with_name(f"{anchor.name}.{FILE}"))
    return files


def _read(path: Path) -> ReplayList:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        seal = document.pop("seal")
        if not signatures.is_signature(seal, *_name_content(document)):
            raise ValueError("seal")
        entries = [
            ReplayEntry(datetime.fromisoformat(at), kind, _key_ids(key), value)
            for at, kind, key, value in document["entries"]
        ]
        complete_since = datetime.fromisoformat(document["complete_since"])
        return ReplayList(complete_since, document["number"], tuple(entries))
    except (ValueError, KeyError, TypeError) as error:
        raise Refusal(
            "replay_list_damaged",
            "{file} was changed or belongs to other secrets. It lists erasures and objections "
            "for restored backups. Put the right file back, or move it away. A new one is "
            "then begun, and restoring older backups needs your consent.",
            file=str(path),
        ) from error


def _key_ids(key: str) -> str:
    """Return a key with the ids of contacts as they are stored: earlier versions wrote numbers."""
    from qa_core.base import masking  # its patterns take time at every start

    if not masking.has_number(key) or key[0] not in "[{":
        return key
    what = json.loads(key)
    if isinstance(what, list):
        return json.dumps([text and masking.key_number(text) for text in what])
    contact_id = what.get("contact_id")
    return json.dumps(what | {"contact_id": masking.key_number(contact_id)}) if contact_id else key


def _name_content(document: dict[str, object]) -> tuple[str, str]:
    return "replay list", json.dumps(document, sort_keys=True)
