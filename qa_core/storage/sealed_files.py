"""Encrypted files: AES-GCM in chunks, so that any part can be read and any change shows."""

import os
import secrets
from collections.abc import Iterable, Iterator
from typing import BinaryIO

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


def derive_keys(secret: str, use: str) -> list[bytes]:
    """Derive the keys of one use from a secret: the one that writes first, then old ones."""
    return [
        HKDF(SHA256(), 32, None, f"{secret} {use}".encode()).derive(key)
        for key in environment.find_keys(secret)
    ]


class Writer:
    """Encrypts what is written to it into an open file, from its present place on.
    `name` is bound to the content, so that no file can take the place of another.
    """

    def __init__(self, file: BinaryIO, key: bytes, name: str) -> None:
        self._file, self._cipher, self._name = file, AESGCM(key), name
        self._prefix, self._number = secrets.token_bytes(PREFIX_BYTES), 0
        self._pending = bytearray()
        file.write(MAGIC + self._prefix)

    def write(self, block: bytes) -> int:
        """Encrypt every chunk that is full; the rest waits for more."""
        self._pending += block
        while len(self._pending) > CHUNK:
            self._encrypt(bytes(self._pending[:CHUNK]), is_last=False)
            del self._pending[:CHUNK]
        return len(block)

    def finish(self) -> None:
        """Encrypt the last chunk and flush the file to the disk."""
        self._encrypt(bytes(self._pending), is_last=True)
        self._file.flush()
        os.fsync(self._file.fileno())

    def _encrypt(self, clear: bytes, is_last: bool) -> None:
        bound = _bind(self._name, self._number, is_last)
        nonce = _build_nonce(self._prefix, self._number)
        self._file.write(self._cipher.encrypt(nonce, clear, bound))
        self._number += 1


def read(
    file: BinaryIO, keys: Iterable[bytes], name: str, start: int = 0, end: int | None = None
) -> Iterator[bytes]:
    """Decrypt from byte `start` to `end` (exclusive; None: the end), chunk by chunk, of
    what `Writer` wrote at the file's present place with one of the keys. Raises DamagedFile.
    """
    ciphers, begin = [AESGCM(key) for key in keys], file.tell()
    size = os.fstat(file.fileno()).st_size - begin
    header = file.read(HEADER_BYTES)
    if len(header) < HEADER_BYTES or not header.startswith(MAGIC):
        raise DamagedFile(name)
    prefix, last = header[len(MAGIC) :], _count_chunks(size) - 1
    end = clear_bytes(size) if end is None else min(end, clear_bytes(size))
    number = start // CHUNK
    file.seek(begin + HEADER_BYTES + number * (CHUNK + TAG_BYTES))
    while number * CHUNK < end:
        nonce, sealed = _build_nonce(prefix, number), file.read(CHUNK + TAG_BYTES)
        bound = _bind(name, number, is_last=number == last)
        while True:
            try:
                clear = ciphers[0].decrypt(nonce, sealed, bound)
                break
            except InvalidTag as error:
                if number > start // CHUNK or len(ciphers) == 1:
                    raise DamagedFile(name) from error
                del ciphers[0]
        first = number * CHUNK
        yield clear[max(start - first, 0) : end - first]
        number += 1


def clear_bytes(size: int) -> int:
    """Compute the length of the clear content from the size of the encrypted one."""
    return max(size - HEADER_BYTES - _count_chunks(size) * TAG_BYTES, 0)


def _count_chunks(size: int) -> int:
    return max(-(-(size - HEADER_BYTES) // (CHUNK + TAG_BYTES)), 1)


def _build_nonce(prefix: bytes, number: int) -> bytes:
    return prefix + number.to_bytes(4, "big")


def _bind(name: str, number: int, is_last: bool) -> bytes:
    return f"{name} {number} {is_last:d}".encode()
