"""Audio at rest: a file per recording, encrypted in chunks: readable in parts, tamper-evident."""

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Set
from pathlib import Path

from qa_core.base import environment
from qa_core.files.archives import open_file
from qa_core.storage import sealed_files
from qa_core.storage.sealed_files import CHUNK, DamagedFile

NAME = re.compile(r"[0-9a-f]{2}/[0-9a-f]{32}\.bin")
DRAFT = ".again"
"""Ending of a file being encrypted again, beside the folders: no import sweeps it."""


def folder() -> Path:
    return environment.current().folder / "recordings"


def _locate(name: str) -> Path:
    """Return the path of a file by its name in the records. Raises DamagedFile for a name that
    `write` never gave, which may lead elsewhere.
    """
    if not NAME.fullmatch(name):
        raise DamagedFile(name)
    return folder() / name


def write(blocks: Iterable[bytes]) -> str:
    """Encrypt clear audio into a new file, synced to disk. Returns its name under
    `folder()`.

    Until a row of the records names it the file is an orphan, which `delete_orphans` removes.
    """
    stem = secrets.token_hex(16)
    name = f"{stem[:2]}/{stem}.bin"
    path = folder() / name
    draft = path.with_suffix(".part")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        _encrypt(draft, name, blocks)
        draft.rename(path)
        for directory in (path.parent, folder()):
            environment.sync(directory)
    except BaseException:
        draft.unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        raise
    return name


def clear_bytes(name: str) -> int:
    """Compute the length of the clear audio from the size of its file."""
    return sealed_files.clear_bytes(_locate(name).stat().st_size)


def read(name: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
    """Decrypt from byte `start` to `end` (exclusive; None: the end), chunk by chunk.
    Raises DamagedFile.

    Deleted in between, by an objection that has just come, it gives no further chunk;
    encrypted again in between, it goes on with the new file.
    """
    path = _locate(name)
    with path.open("rb") as file:
        for chunk in sealed_files.read(file, _find_keys(), name, start, end):
            if not os.fstat(file.fileno()).st_nlink:
                break
            yield chunk
            start += len(chunk)
        else:
            return
    if not path.exists():
        raise DamagedFile(name)
    yield from read(name, start, end)


def exists(name: str) -> bool:
    """Return whether a file is there; not one whose name `write` never gave."""
    return NAME.fullmatch(name) is not None and (folder() / name).is_file()


def remove(name: str) -> None:
    """Delete a file; one already gone is no error."""
    _locate(name).unlink(missing_ok=True)


def delete_orphans(names: Set[str]) -> int:
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


def is_under_old_key(name: str) -> bool:
    """Return whether a file has to be encrypted again before an old key may go; not one
    that is gone, or that no key opens.
    """
    keys = _find_keys()
    return len(keys) > 1 and not _opens(name, keys[:1]) and _opens(name, keys[1:])


def encrypt_again(name: str) -> Path:
    """Encrypt a file with the key that writes. Returns its draft. Raises DamagedFile, OSError."""
    draft = folder() / f".{Path(name).stem}{DRAFT}"
    draft.unlink(missing_ok=True)
    try:
        _encrypt(draft, name, read(name))
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return draft


def find_digest(path: Path) -> str:
    """Compute the HMAC by which a delivered file is recognised, without identifying it."""
    with open_file(path) as file:
        return _digest(iter(lambda: file.read(CHUNK), b""))


def holds(name: str, blocks: Iterable[bytes]) -> bool:
    """Return whether a stored file has that clear content: the digest of what was delivered
    is worth nothing once its key was replaced.
    """
    try:
        return _digest(read(name)) == _digest(blocks)
    except (DamagedFile, OSError):
        return False


def is_whole(name: str, size: int) -> bool:
    """Return whether a stored file can be decrypted to the end, and has so many bytes."""
    try:
        return sum(map(len, read(name))) == size
    except (DamagedFile, OSError):
        return False


def _digest(blocks: Iterable[bytes]) -> str:
    mac = hmac.new(sealed_files.derive_keys("recordings", "digest")[0], digestmod=hashlib.sha256)
    for block in blocks:
        mac.update(block)
    return mac.hexdigest()


def _encrypt(draft: Path, name: str, blocks: Iterable[bytes]) -> None:
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        writer = sealed_files.Writer(file, _find_keys()[0], name)
        for block in blocks:
            writer.write(block)
        writer.finish()


def _opens(name: str, keys: list[bytes]) -> bool:
    try:
        with _locate(name).open("rb") as file:
            next(sealed_files.read(file, keys, name), None)
    except (DamagedFile, OSError):
        return False
    return True


def _find_keys() -> list[bytes]:
    return sealed_files.derive_keys("recordings", "encryption")
