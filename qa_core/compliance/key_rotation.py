"""Rotation of secrets while others work: a new key writes, and an old one reads as long as
something needs it (docs/backup.md, section 6).
"""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from qa_core.access.roles import Viewer
from qa_core.access.sessions import MAX_AGE
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Refusal, require_known
from qa_core.centre import settings
from qa_core.compliance.recordings import vault
from qa_core.metrics.kpis.dimensions import add_months
from qa_core.storage import audit_log
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.listening import Recording

LOCK = ".rotation.lock"


@dataclass(frozen=True)
class KeyFile:
    """Key of a secret in a file. `since`: made or, where it no longer writes, replaced."""

    name: str
    file: Path
    key_id: str
    writes: bool
    since: datetime


def find_key_files() -> list[KeyFile]:
    """List the keys in files, by secret, those that write first."""
    folder = environment.current().secrets_folder
    keys = []
    for name in environment.SECRETS:
        for path in filter(Path.exists, (folder / name, *environment.find_old_files(name))):
            key_id = environment.compute_key_id(path.read_bytes())
            since = datetime.fromtimestamp(path.stat().st_mtime, UTC)
            keys.append(KeyFile(name, path, key_id, path.name == name, since))
    return keys


def rotate(viewer: Viewer, name: str) -> KeyFile:
    """Make a new key for that secret, and keep the old one to read. Returns the old one. Only
    `Viewer.SYSTEM` may.

    Raises Misuse for an unknown name, Refusal for pseudonyms and for a secret that comes
    from the environment.
    """
    if not viewer.is_system:
        raise AccessDenied()
    require_known(name, environment.SECRETS, "no_secret")
    if name == "pseudonyms":
        raise Refusal(
            "fixed_secret",
            "The pseudonym key cannot be replaced: no earlier caller would be recognised. If it "
            "has leaked, see docs/backup.md, section 6.",
        )
    if not (environment.current().secrets_folder / name).exists():
        raise Refusal(
            "outside_secret",
            "The secret {name} is not in a file. If it comes from the environment, set "
            "{variable} to a new key and {variable}_OLD to the present key. Then restart "
            "every process.",
            name=name,
            variable=f"QA_SECRET_{name.upper()}",
        )
    with store.writing() as session:  # one rotation at a time, between two rows of the log
        audit_log.record(session, viewer.username, "secret_rotated", name)
        environment.replace_secret(name)
    return next(item for item in find_key_files() if item.name == name and not item.writes)


def finish() -> None:
    """Encrypt again what is still under an old key of the recordings, file by file, and
    destroy the keys that nothing needs any more. What is interrupted goes on the next time.
    """
    if not any(map(environment.find_old_files, environment.SECRETS)) and not _has_old_key():
        return
    with environment.lock(environment.current().folder / LOCK, waits=False) as is_held:
        if not is_held:
            return  # another process is at it
        # Listed before: what is encrypted now may be under a key that is replaced meanwhile.
        old_keys = [key for key in find_key_files() if not key.writes]
        done = _encrypt_recordings()
        # No import is under way that writes with a key it read before.
        with store.one_import_at_a_time():
            needs_old = any(map(vault.is_under_old_key, _find_files() - done))
        for key in old_keys:
            if not (needs_old if key.name == "recordings" else _is_needed(key)):
                with store.writing() as session:
                    audit_log.record(session, "system", "secret_destroyed", key.name, key.key_id)
                    key.file.unlink(missing_ok=True)


def find_under_old_key() -> set[str]:
    """Find the recordings that still have to be encrypted again."""
    names = _find_files() if _has_old_key() else set()
    return {name for name in names if vault.is_under_old_key(name)}


def _has_old_key() -> bool:
    return environment.has_secret("recordings") and len(environment.find_keys("recordings")) > 1


def _is_needed(key: KeyFile) -> bool:
    """Return whether an old key is needed. The audit log's key always is: it verifies the
    rows, certificates and lists of its time.
    """
    if key.name == "cookie":
        return environment.now() - key.since < MAX_AGE
    if key.name == "backup":
        with store.reading() as session:
            months = settings.current(session).backup_retention_months
        return environment.today() <= add_months(environment.to_local(key.since).date(), months)
    return True


def _encrypt_recordings() -> set[str]:
    """Encrypt again what is under an old key. Returns the files that are not."""
    for left in vault.folder().glob(f".*{vault.DRAFT}"):
        left.unlink()
    names = _find_files() if _has_old_key() else set()
    for name in sorted(names):
        if not vault.is_under_old_key(name):
            continue
        try:
            draft = vault.encrypt_again(name)
        except (vault.DamagedFile, OSError):
            logging.getLogger("qa_core").exception("a recording stays under its old key")
            names.discard(name)
            continue
        with store.writing() as session:  # so that one that is deleted meanwhile stays so
            if session.scalar(_of_anybody(_FILES.where(Recording.file_name == name))):
                draft.replace(vault.folder() / name)
                environment.sync((vault.folder() / name).parent)
        draft.unlink(missing_ok=True)
    return names


_FILES = sa.select(Recording.file_name).where(Recording.file_name.is_not(None))


def _find_files() -> set[str]:
    with store.reading() as session:
        return set(session.scalars(_of_anybody(_FILES)))


def _of_anybody(statement: sa.Select) -> Unscoped:
    return Unscoped(
        statement, "Audio of all teams is encrypted again. Only names of files are read."
    )
