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

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from qa_core.base import environment

MAGIC = b"ECR1"
PREFIX_BYTES, TAG_BYTES = 8, 16
HEADER_BYTES = len(MAGIC) + PREFIX_BYTES
CHUNK = 64 * 1024
"""Clear bytes of every chunk but the last."""


class DamagedFile(Exception):
    """A file cut, changed, exchanged, keyed otherwise, or deleted while it was read."""


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
            prefix = secrets.token_bytes(PREFIX_BYTES)
            file.write(MAGIC + prefix)
            cipher, number, pending = AESGCM(_key("encryption")), 0, bytearray()
            for block in blocks:
                pending += block
                while len(pending) > CHUNK:
                    file.write(
                        cipher.encrypt(
                            _nonce(prefix, number),
                            bytes(pending[:CHUNK]),
                            _bound(name, number, is_last=False),
                        )
                    )
                    del pending[:CHUNK]
                    number += 1
            file.write(
                cipher.encrypt(
                    _nonce(prefix, number), bytes(pending), _bound(name, number, is_last=True)
                )
            )
            file.flush()
            os.fsync(file.fileno())
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
    return _clear_bytes((folder() / name).stat().st_size)


def read(name: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
    """Decrypt from byte `start` to `end` (exclusive; None: the end), chunk by chunk.
    Raises DamagedFile.

    Deleted in between, by an objection that has just come, it gives no further chunk.
    """
    cipher = AESGCM(_key("encryption"))
    with (folder() / name).open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        header = file.read(HEADER_BYTES)
        if len(header) < HEADER_BYTES or not header.startswith(MAGIC):
            raise DamagedFile(name)
        prefix, last = header[len(MAGIC) :], _chunks(size) - 1
        end = _clear_bytes(size) if end is None else min(end, _clear_bytes(size))
        number = start // CHUNK
        file.seek(HEADER_BYTES + number * (CHUNK + TAG_BYTES))
        while number * CHUNK < end:
            if not os.fstat(file.fileno()).st_nlink:
                raise DamagedFile(name)
            try:
                clear = cipher.decrypt(
                    _nonce(prefix, number),
                    file.read(CHUNK + TAG_BYTES),
                    _bound(name, number, is_last=number == last),
                )
            except InvalidTag as error:
                raise DamagedFile(name) from error
            first = number * CHUNK
            yield clear[max(start - first, 0) : end - first]
            number += 1


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
    return HKDF(SHA256(), 32, None, f"recordings {use}".encode()).derive(
        environment.secret("recordings")
    )


def _nonce(prefix: bytes, number: int) -> bytes:
    return prefix + number.to_bytes(4, "big")


def _bound(name: str, number: int, is_last: bool) -> bytes:
    # The name too, so that no file can take the place of another.
    return f"{name} {number} {is_last:d}".encode()


def _chunks(size: int) -> int:
    return max(-(-(size - HEADER_BYTES) // (CHUNK + TAG_BYTES)), 1)


def _clear_bytes(size: int) -> int:
    return max(size - HEADER_BYTES - _chunks(size) * TAG_BYTES, 0)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
