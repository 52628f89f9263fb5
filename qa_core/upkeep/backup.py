"""Backup: the stores of this centre in one encrypted file, without the secrets
(docs/backup.md). The file is a line in the clear, then an encrypted tar archive.
"""

import io
import json
import os
import secrets
import shutil
import tarfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import sqlalchemy as sa

from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Misuse, Refusal, build_unopened
from qa_core.base.i18n import N_
from qa_core.compliance.recordings import vault
from qa_core.files.archives import refuse_special
from qa_core.ingest.load import recovery
from qa_core.storage import audit_log, lake, replay_list, sealed_files
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.lake import tables
from qa_core.storage.records import data_map, store
from qa_core.storage.records.listening import Recording

FIRST_LINE = "ecoute backup 1"
"""Format of the file; it is followed by a check of the key."""
SECRET = "backup"
NEEDED = ("backup", "pseudonyms", "recordings", "journal")
"""Secrets without which a restored centre is not the same."""
MANIFEST, RECORDS = "backup.json", "records.sqlite"
PARTS = tuple(name for name, stored in reversed(data_map.FILES.items()) if stored.is_backed_up)
"""Parts of a home that a backup holds; a restoration moves them into place in this order,
the records last: with them it is done.
"""
BLOCK = 1024 * 1024
FORGOTTEN = timedelta(days=1)
"""Age of a draft that was left by a killed backup."""


@dataclass(frozen=True)
class Backup:
    """A backup: its file, the moment its stores are of, and what is in it. `number`: the
    last entry of the replay list at that moment. `checks`: a digest of each secret, by name.
    """

    file: Path
    made_at: datetime
    number: int
    checks: dict[str, str]
    files: int = 0
    clear_bytes: int = 0

    def as_json(self) -> dict[str, Any]:
        """Build the document of `backup --json` (docs/contract.md, section 3)."""
        return {
            "file": str(self.file),
            "made_at": self.made_at.isoformat(),
            "files": self.files,
            "bytes": self.clear_bytes,
            "file_bytes": self.file.stat().st_size,
            "secrets": {
                "folder": str(environment.current().secrets_folder),
                "needed": list(NEEDED),
                "also": [replay_list.FILE],
            },
        }


def back_up(viewer: Viewer, path: Path) -> Backup:
    """Write the stores into a new encrypted file, and read it back before it gets its
    name. Only `Viewer.SYSTEM` may. Imports and deletions wait meanwhile. Raises Misuse
    for a file that exists or would lie beside the stores, Refusal for records in
    PostgreSQL and a damaged lake.
    """
    if not viewer.is_system:
        raise AccessDenied()
    _require_sqlite()
    path = path.expanduser().resolve()
    if path.exists():
        raise Misuse("file_exists", "{name} already exists. Choose another name.", name=str(path))
    folder = environment.current().folder
    if path.is_relative_to(folder):
        message = N_("{file} would be next to the stores in {folder}. Choose another place.")
        raise Misuse("backup_beside_stores", message, file=str(path), folder=str(folder))
    if not path.parent.is_dir():
        message = N_("There is no file or folder {path}.")
        raise Refusal("no_folder", message, path=str(path.parent))
    _remove_forgotten(path.parent)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        # Held to the end: the records, the lake and the recordings are of one moment, and
        # neither a purge nor a vacuum deletes what is being read.
        with store.one_import_at_a_time(), lake.scratch_folder() as scratch, ExitStack() as locks:
            recovery.finish_interrupted()
            for name in tables.TABLES:
                locks.enter_context(tables.writing(name))
            number = replay_list.ensure().number  # begun before the moment that it covers
            with store.writing():  # an act noted before this moment is in the copy
                made = Backup(path, environment.now(), number, _check_secrets(NEEDED))
            store.copy_into(scratch / RECORDS)
            files = {RECORDS: scratch / RECORDS} | _find_files()
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as to:
                counts = _write(to, made, files)
        if _count(draft) != counts:
            raise sealed_files.DamagedFile(str(draft))
        draft.rename(path)
        environment.sync(path.parent)
    finally:
        draft.unlink(missing_ok=True)
    with store.writing() as session:
        reason = f"{counts[0]} files, {counts[1]} bytes"
        audit_log.record(session, viewer.username, "backup_made", path.name, reason)
    return Backup(path, made.made_at, made.number, made.checks, *counts)


def _remove_forgotten(folder: Path) -> None:
    for draft in filter(Path.is_file, folder.glob(".*.part")):
        with suppress(OSError), draft.open("rb") as file:
            is_ours = file.read(len(FIRST_LINE)).decode("ascii", "replace") == FIRST_LINE
            age = time.time() - os.fstat(file.fileno()).st_mtime
            if is_ours and age > FORGOTTEN.total_seconds():
                draft.unlink()


@contextmanager
def opening(path: Path) -> Iterator[tuple[Backup, tarfile.TarFile]]:
    """Open a backup: what it says of itself, and its archive, to be read forward to the end.
    Raises Refusal for a missing or other secret, for another kind of file and for damage.
    """
    refuse_special(path)
    try:
        opened = path.open("rb")
    except OSError as error:
        raise build_unopened(path, error) from error
    with opened as file, _explaining_damage(path):
        for name in (SECRET, "journal"):
            if not environment.has_secret(name):
                raise build_missing([name])
        format_, _, check = file.readline(200).decode("ascii", "replace").strip().rpartition(" ")
        if format_ != FIRST_LINE:
            raise Refusal("no_backup", "{file} is not a backup.", file=str(path))
        if check not in _find_first_checks():
            raise build_missing([f"{SECRET} {check}"])
        blocks = sealed_files.read(file, _find_keys(), FIRST_LINE)
        with tarfile.open(fileobj=_Stream(blocks), mode="r|", bufsize=BLOCK) as archive:
            yield _read_manifest(path, archive), archive
            for _rest in blocks:
                pass  # to the last chunk, which shows that nothing is cut off


def _read_manifest(path: Path, archive: tarfile.TarFile) -> Backup:
    try:
        document = json.load(archive.extractfile(archive.next()))
        made_at = datetime.fromisoformat(document["made_at"]).astimezone(UTC)
        made = Backup(path, made_at, int(document["number"]), document["checks"])
        needed = {check: name.partition(".")[0] for name, check in made.checks.items()}
    except (AttributeError, KeyError, RecursionError, TypeError) as error:
        raise tarfile.TarError(MANIFEST) from error
    present = set(_check_secrets(filter(environment.has_secret, NEEDED)).values())
    # Not the key of backups: this one is open.
    if wrong := [
        f"{name} {check}"
        for check, name in needed.items()
        if check not in present and name != SECRET
    ]:
        raise build_missing(wrong)
    return made


def extract(archive: tarfile.TarFile, entry: tarfile.TarInfo, folder: Path) -> None:
    """Write the entry that was just reached below that folder, for its owner alone."""
    path = folder / entry.name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:  # below what was a file
        raise tarfile.TarError(entry.name) from error
    if path.exists():
        raise tarfile.TarError(entry.name)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        shutil.copyfileobj(archive.extractfile(entry), file, BLOCK)
    os.utime(path, (entry.mtime, entry.mtime))  # working files go by it


def iterate(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Go through the archive without keeping what was passed. Raises TarError for an entry
    that no backup has: a link, a name beyond the stores.
    """
    while (entry := archive.next()) is not None:
        archive.members.clear()
        first, *more = PurePosixPath(entry.name).parts or ("",)
        is_plain = entry.isreg() and not entry.issparse() and entry.name.isprintable()
        if not is_plain or first not in PARTS or ".." in more:
            raise tarfile.TarError(entry.name)
        yield entry


def _require_sqlite() -> None:
    if store.file_of(environment.current().database_url) is None:
        raise Refusal(
            "backup_of_postgresql",
            "The records are in PostgreSQL. Back them up with pg_dump, together with the "
            "centre's folders. See docs/backup.md, section 4.",
        )


def _find_files() -> dict[str, Path]:
    """Find the files of the home by their names in the archive: the current version of the
    lake with its log and before-images, audio that a row names, and small folders.
    """
    require_whole_lake()
    here, folder = environment.current(), tables.lake_folder()
    paths = [path for name in tables.TABLES for path in _find_of_table(name)]
    paths += sorted((folder / "undo").glob("*.parquet"))
    files = {f"lake/{path.relative_to(folder)}": path for path in paths}
    names = sa.select(Recording.file_name).where(Recording.file_name.is_not(None))
    with store.reading() as session:
        audio = session.scalars(
            Unscoped(
                names.order_by(Recording.id), "A backup contains the audio of all teams, encrypted."
            )
        ).all()
    files |= {
        f"recordings/{name}": vault.folder() / name for name in filter(vault.NAME.fullmatch, audio)
    }
    others = (here.folder / name for name in PARTS if name not in (RECORDS, "lake", "recordings"))
    small = [path for part in others for path in (part, *sorted(part.rglob("*")))]
    files |= {path.relative_to(here.folder).as_posix(): path for path in small}
    # A recording whose file is missing can be played by nobody, and must stop no backup.
    return {
        name: path for name, path in files.items() if path.is_file() and path.suffix != ".draft"
    }


def require_whole_lake() -> None:
    """Raise Refusal where files of the lake are missing or of another size."""
    if damaged := lake.find_damage():
        message = N_("{count} files of the lake are damaged or missing. Restore a backup.")
        options = ("python -m qa_core doctor --deep",)
        raise Refusal("lake_damaged", message, options, count=len(damaged))


def _find_of_table(name: str) -> list[Path]:
    snapshot = lake.snapshot(name)
    log = sorted((snapshot.folder / "_delta_log").glob("*"))
    return [*(path for path in log if path.is_file()), *map(Path, snapshot.files())]


def _write(target: BinaryIO, made: Backup, files: dict[str, Path]) -> tuple[int, int]:
    target.write(f"{FIRST_LINE} {made.checks[SECRET]}\n".encode())
    writer = sealed_files.Writer(target, _find_keys()[0], FIRST_LINE)
    manifest = {"made_at": made.made_at.isoformat(), "number": made.number, "checks": made.checks}
    count = size = 0
    with tarfile.open(fileobj=writer, mode="w|", bufsize=BLOCK) as archive:
        _add(archive, MANIFEST, io.BytesIO(json.dumps(manifest).encode()))
        for name, path in files.items():
            with path.open("rb") as file:
                size += _add(archive, name, file)
            count += 1
    writer.finish()
    return count, size


def _add(archive: tarfile.TarFile, name: str, file: BinaryIO) -> int:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = file.seek(0, os.SEEK_END), 0o600
    file.seek(0)
    if not isinstance(file, io.BytesIO):
        entry.mtime = os.fstat(file.fileno()).st_mtime
    archive.addfile(entry, file)
    archive.members.clear()  # tarfile keeps them all; there may be very many
    return entry.size


def _count(draft: Path) -> tuple[int, int]:
    """Read a backup to its end. Returns the number of files and of their bytes."""
    with opening(draft) as (_made, archive):
        sizes = [entry.size for entry in iterate(archive)]
    return len(sizes), sum(sizes)


class _Stream:
    """Decrypted chunks as a file that is read forward."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks, self._pending = blocks, b""

    def read(self, size: int) -> bytes:
        parts, length = [self._pending], len(self._pending)
        while length < size and (block := next(self._blocks, None)) is not None:
            parts.append(block)
            length += len(block)
        whole = b"".join(parts)
        self._pending = whole[size:]
        return whole[:size]


@contextmanager
def _explaining_damage(path: Path) -> Iterator[None]:
    try:
        yield
    except (sealed_files.DamagedFile, tarfile.TarError, ValueError, OverflowError) as error:
        message = N_(
            "{file} is damaged or cut short. Nothing was taken from it. Use another backup."
        )
        raise Refusal("backup_damaged", message, file=str(path)) from error


def _find_keys() -> list[bytes]:
    return sealed_files.derive_keys(SECRET, "encryption")


def _find_first_checks() -> list[str]:
    """Compute possible checks of the first line: key ids, or digests as older backups have them."""
    ids = map(environment.compute_key_id, environment.find_keys(SECRET))
    return [*ids, *(key.hex()[:16] for key in sealed_files.derive_keys(SECRET, "check"))]


def _check_secrets(names: Iterable[str]) -> dict[str, str]:
    """Compute the ids of keys by name: `<secret>` writes, `<secret>.<number>` only reads."""
    return {
        f"{name}.{number}" if number else name: environment.compute_key_id(key)
        for name in names
        for number, key in enumerate(environment.find_keys(name))
    }


def build_missing(names: list[str]) -> Refusal:
    return Refusal(
        "wrong_secrets",
        "This backup needs the keys it was made with. Missing: {names}. Copy them from your "
        "safe place into {folder}.",
        ("python -m qa_core secrets list",),
        names=", ".join(names),
        folder=str(environment.current().secrets_folder),
    )
