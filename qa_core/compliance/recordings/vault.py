"""Audio at rest: one file per recording, encrypted in chunks, so that any part can be
read and any change shows.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable, Iterator, Set
from pathlib import Path

from qa_core.base import environment
from qa_core.storage import sealed_files
from qa_core.storage.sealed_files import CHUNK, DamagedFile


def folder() -> Path:
    """Return the folder of recordings."""
    return environment.current().folder / "recordings"


def write(blocks: Iterable[bytes]) -> str:
    """Encrypt clear audio into a new file, synced to disk. Returns its name under
    `folder()`.

    Until a row of the records names it the file is an orphan, which `sweep` removes.
    """
    stem = secrets.token_hex(16)
    name = f"{stem[:2]}/{stem}.bin"
    path = folder() / name
    draft = path.with_suffix(".part")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            writer = sealed_files.Writer(file, _key("encryption"), name)
            for block in blocks:
                writer.write(block)
            writer.finish()
        draft.rename(path)
        for directory in (path.parent, folder()):
            _sync(directory)
    except BaseException:
        draft.unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        raise
    return name


def clear_bytes(name: str) -> int:
    """Compute the length of the clear audio from the size of its file."""
    return sealed_files.clear_bytes((folder() / name).stat().st_size)


def read(name: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
    """Decrypt from byte `start` to `end` (exclusive; None: the end), chunk by chunk.
    Raises DamagedFile.

    Deleted in between, by an objection that has just come, it gives no further chunk.
    """
    with (folder() / name).open("rb") as file:
        for chunk in sealed_files.read(file, _key("encryption"), name, start, end):
            if not os.fstat(file.fileno()).st_nlink:
                raise DamagedFile(name)
            yield chunk


def remove(name: str) -> None:
    """Delete a file; one already gone is no error."""
    (folder() / name).unlink(missing_ok=True)


def sweep(names: Set[str]) -> int:
    """Delete files that no row names, left by killed imports or a stopped machine.
    Returns how many.

    The caller holds the lock of imports, so that none is writing.
    """
    orphans = [
        path for path in folder().glob("??/*") if path.relative_to(folder()).as_posix() not in names
    ]
    for path in orphans:
        path.unlink(missing_ok=True)
    return len(orphans)


def find_digest(path: Path) -> str:
    """Compute the HMAC by which a delivered file is recognised, without identifying it."""
    mac = hmac.new(_key("digest"), digestmod=hashlib.sha256)
    with path.open("rb") as file:
        while block := file.read(CHUNK):
            mac.update(block)
    return mac.hexdigest()


def _key(use: str) -> bytes:
    return sealed_files.derive_key("recordings", use)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
