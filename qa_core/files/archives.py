"""Bytes of a file, unpacked while read where it is a gzip or zip, never beyond the limits."""

import codecs
import errno
import gzip
import io
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from qa_core.base.errors import Refusal, build_unopened
from qa_core.base.i18n import N_

GZIP, ZIP, EMPTY_ZIP = b"\x1f\x8b", b"PK\x03\x04", b"PK\x05\x06"
BLOCK_BYTES = 4 << 20
LINE_ENDS = (b"\n", b"\r", b"\x00")
"""Last bytes of a finished line; the zero byte occurs in wide encodings."""
MAX_LINE_LENGTH = 16 << 20
MAX_UNPACKED_BYTES = 16 << 30
MAX_RATIO = 300
MIN_BYTES_FOR_RATIO = 32 << 20
MAX_COLUMNS = 2_000
"""Columns, or keys of objects: no list of contacts has more."""
_DAMAGE = (
    zipfile.BadZipFile, gzip.BadGzipFile, EOFError, zlib.error, NotImplementedError, RuntimeError,
)  # fmt: skip
_WORKBOOK_ENTRIES = ("xl/", "content.xml", "[content_types].xml")
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Marks with their encodings; the mark of UTF-32 begins with the mark of UTF-16."""


def require_columns(name: str, count: int) -> None:
    """Raise Refusal for a file that is too wide to be a list of contacts."""
    if count > MAX_COLUMNS:
        raise Refusal(
            "too_wide",
            "{name} has more than {count} columns or keys. It is not a list of contacts.",
            name=name,
            count=MAX_COLUMNS,
        )


@dataclass(frozen=True)
class Content:
    """Content of a file. `member`: its name within its zip; `encoding`: the one asked for."""

    path: Path
    packing: str | None = None
    member: str | None = None
    encoding: str | None = None

    @property
    def name(self) -> str:
        return self.member or self.path.name

    @cached_property
    def size(self) -> int:
        return self.path.stat().st_size

    @cached_property
    def unpacked_size(self) -> int:
        """Count how many bytes it unpacks to, as far as the packing says; for progress alone."""
        if self.packing == "zip":
            with open_file(self.path) as file, zipfile.ZipFile(file) as archive:
                return max(1, archive.getinfo(self.member).file_size)
        if self.packing == "gzip":
            with open_file(self.path) as file:
                file.seek(-4, io.SEEK_END)
                return max(self.size, int.from_bytes(file.read(4), "little"))
        return max(1, self.size)

    def open(self) -> BinaryIO:
        """Open the bytes from the start. Reading raises Refusal for damage and beyond limits."""
        if self.packing is None:
            file = open_file(self.path)
            if self._ends_lines_by_returns:
                return io.BufferedReader(ReplacingFile(file, b"\r", b"\n"))
            return file
        return io.BufferedReader(_UnpackedFile(self), BLOCK_BYTES)

    @cached_property
    def _ends_lines_by_returns(self) -> bool:
        """Return whether lines end as on old Macs, by a carriage return alone."""
        with open_file(self.path) as file:
            start = file.read(BLOCK_BYTES)
        return b"\r" in start and b"\n" not in start and b"\x00" not in start

    def read_start(self, count: int) -> bytes:
        with self.open() as file:
            return file.read(count)

    def decode_start(self, start: bytes) -> str | None:
        """Decode the beginning as text; None when it is none."""
        encoding = find_marked_encoding(start)
        if encoding is None and b"\x00" in start[:4096]:
            return None
        decoder = codecs.getincrementaldecoder(self.encoding or encoding or "utf-8")()
        try:
            return decoder.decode(start)
        except (UnicodeDecodeError, UnicodeError):
            return start.decode("cp1252", errors="replace")

    def read_pieces(self) -> Iterator[tuple[str, float]]:
        """Yield the text in pieces, cut anywhere, with the share read so far."""
        encoding = self.encoding or find_marked_encoding(self.read_start(4)) or "utf-8"
        decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
        with self.open() as file:
            while block := file.read(BLOCK_BYTES):
                yield decoder.decode(block), min(1.0, file.tell() / self.unpacked_size)
        yield decoder.decode(b"", final=True), 1.0

    def read_line_blocks(self) -> Iterator[tuple[str, float]]:
        """Yield blocks of whole lines and the share read. What is no UTF-8 is Windows-1252."""
        encoding = self.encoding or find_marked_encoding(self.read_start(4))
        with self.open() as file:
            reader, rest, newline = file, b"", b"\n"
            if encoding:
                reader = io.TextIOWrapper(file, encoding=encoding, errors="replace", newline="")
                rest, newline = "", "\n"
            while block := reader.read(BLOCK_BYTES):
                block = rest + block
                end = block.rfind(newline) + 1
                if not encoding and not end and len(block) > MAX_LINE_LENGTH:
                    raise Refusal(
                        "no_lines",
                        "{name} holds a value of more than {size} million characters. It is "
                        "not a list of contacts.",
                        name=self.name,
                        size=MAX_LINE_LENGTH >> 20,
                    )
                block, rest = block[:end], block[end:]
                if block:
                    yield _decode(block), min(1.0, file.tell() / self.unpacked_size)
            if rest:
                yield _decode(rest), 1.0

    @cached_property
    def ends_with_newline(self) -> bool:
        last = b""
        with self.open() as file:
            if self.packing is None and self.size:
                file.seek(-1, io.SEEK_END)
            while block := file.read(BLOCK_BYTES):
                last = block[-1:]
        return last in LINE_ENDS


@dataclass(frozen=True)
class HeldContent(Content):
    data: bytes = b""

    def open(self) -> BinaryIO:
        return io.BytesIO(self.data)

    @cached_property
    def unpacked_size(self) -> int:
        return max(1, len(self.data))

    @cached_property
    def ends_with_newline(self) -> bool:
        return self.data.endswith(b"\n")


def find_marked_encoding(start: bytes) -> str | None:
    return next((name for mark, name in BYTE_ORDER_MARKS if start.startswith(mark)), None)


_FOLDER: ContextVar[Path | None] = ContextVar("folder", default=None)


@contextmanager
def stay_inside(folder: Path) -> Iterator[None]:
    """Let `open_file` open only what is below that folder, through no link, meanwhile. Within
    another one, that one stays the place from which links are looked for.
    """
    outer = _FOLDER.get()
    token = _FOLDER.set(outer if outer and folder.is_relative_to(outer) else folder)
    try:
        yield
    finally:
        _FOLDER.reset(token)


@contextmanager
def open_parent(path: Path, folder: Path, makes: bool = False) -> Iterator[int]:
    """Open the folder that holds a path below `folder`, one by one through no link: for acts on
    its names that nobody can lead elsewhere. `makes`: those that are missing. Raises OSError.
    """
    place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in path.relative_to(folder).parts[:-1]:
            if makes:
                with suppress(FileExistsError):
                    os.mkdir(part, 0o700, dir_fd=place)
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            if part == "..":
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            outer, place = place, os.open(part, flags, dir_fd=place)
            os.close(outer)
        yield place
    finally:
        os.close(place)


def open_file(path: Path) -> BinaryIO:
    """Open a file from outside. Raises Refusal for a link, a folder, a pipe and a device, and
    beyond the folder of `stay_inside`; OSError where there is none or it is closed to us.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    folder = _FOLDER.get()
    try:
        if folder is None:
            number = os.open(path, flags)
        elif path.is_relative_to(folder) and path != folder:
            with open_parent(path, folder) as place:
                number = os.open(path.name, flags, dir_fd=place)
        else:
            raise _refuse_special(path)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.ENOTDIR):
            raise _refuse_special(path) from error
        error.filename = str(path)  # not the name within its folder
        raise
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise _refuse_special(path)
    return os.fdopen(number, "rb")


def move(path: Path, target: Path, folder: Path) -> None:
    """Move a file within a folder, through no link. Raises OSError."""
    with open_parent(path, folder) as here, open_parent(target, folder) as there:
        os.replace(path.name, target.name, src_dir_fd=here, dst_dir_fd=there)


def is_regular(path: Path) -> bool:
    """Return whether there is a file of that name that is no link."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def refuse_special(path: Path) -> None:
    """Raise Refusal for what is there but no file: reading a pipe or a device never ends."""
    if os.path.lexists(path) and not is_regular(path):
        raise _refuse_special(path)


def _refuse_special(path: Path) -> Refusal:
    message = N_("{path} is a link, a folder, a pipe or a device, not a file.")
    return Refusal("no_regular_file", message, path=str(path))


def open_content(path: Path, encoding: str | None = None) -> Content:
    """Find out how a file is packed. Raises Refusal for a zip that does not hold just one file."""
    try:
        with open_file(path) as file:
            start = file.read(4)
    except OSError as error:
        raise build_unopened(path.name, error, "unreadable_file") from error
    if start.startswith(GZIP):
        return Content(path, "gzip", path.name.removesuffix(".gz"), encoding)
    if start == EMPTY_ZIP:
        raise refuse_empty(path.name)
    if start != ZIP:
        return Content(path, encoding=encoding)
    try:
        with open_file(path) as file, zipfile.ZipFile(file) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise refuse_damaged(path.name) from error
    if any(entry.filename.lower().startswith(_WORKBOOK_ENTRIES) for entry in entries):
        return Content(path, encoding=encoding)
    files = [
        entry
        for entry in entries
        if not entry.filename.startswith("__MACOSX/")
        and not entry.filename.rsplit("/", 1)[-1].startswith(".")
    ]
    if not files:
        raise refuse_empty(path.name)
    if len(files) > 1:
        raise Refusal(
            "several_files",
            "{name} holds {count} files: {seen}. Unpack it and import them one by one.",
            name=path.name,
            count=len(files),
            seen=", ".join(entry.filename for entry in files[:10]),
        )
    if files[0].flag_bits & 1:
        raise refuse_locked(path.name)
    _require_small(path, files[0].file_size, max(1, files[0].compress_size))
    return Content(path, "zip", files[0].filename, encoding)


class ReplacingFile(io.RawIOBase):
    """A file in which one byte reads as another, or is left out."""

    def __init__(self, file: BinaryIO, old: bytes, new: bytes) -> None:
        self._file, self._old, self._new = file, old, new

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return bool(self._new)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: memoryview) -> int:
        while data := self._file.read(len(buffer)):
            text = data.replace(self._old, self._new)
            if text:
                buffer[: len(text)] = text
                return len(text)
        return 0

    def close(self) -> None:
        self._file.close()
        super().close()


class _UnpackedFile(io.RawIOBase):
    """An unpacking file that stops when it gives more than could be meant."""

    def __init__(self, content: Content) -> None:
        self._content, self._bytes_read = content, 0
        self._opened = ExitStack()
        file = self._opened.enter_context(open_file(content.path))
        if content.packing == "gzip":
            file = gzip.GzipFile(fileobj=file)
        else:
            file = self._opened.enter_context(zipfile.ZipFile(file)).open(content.member)
        self._file: BinaryIO = self._opened.enter_context(file)

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._bytes_read

    def readinto(self, buffer: memoryview) -> int:
        try:
            data = self._file.read(len(buffer))
        except _DAMAGE as error:
            raise refuse_damaged(self._content.path.name) from error
        buffer[: len(data)] = data
        self._bytes_read += len(data)
        _require_small(self._content.path, self._bytes_read, self._content.size)
        return len(data)

    def close(self) -> None:
        self._opened.close()
        super().close()


def _require_small(path: Path, unpacked: int, packed: int) -> None:
    is_dense = unpacked > MIN_BYTES_FOR_RATIO and unpacked > MAX_RATIO * packed
    if unpacked > MAX_UNPACKED_BYTES or is_dense:
        raise Refusal(
            "archive_too_large",
            "{name} unpacks to far more than its size, so it is not read. Unpack it yourself and "
            "import its content.",
            name=path.name,
        )


def refuse_empty(name: str) -> Refusal:
    return Refusal("empty_file", "{name} is empty. Export it again and try once more.", name=name)


def refuse_locked(name: str) -> Refusal:
    message = N_("{name} is locked with a password. Save it without one and import it again.")
    return Refusal("locked_file", message, name=name)


def refuse_type(name: str, kind: str) -> Refusal:
    message = N_(
        "{name} is a file of type {type}. Export the list of contacts as CSV or XLSX, one row "
        "each, and import that."
    )
    return Refusal("wrong_file_type", message, name=name, type=kind)


def refuse_damaged(name: str) -> Refusal:
    return Refusal("damaged_file", "{name} is damaged or cut short. Export it again.", name=name)


def refuse_size(name: str, kind: str) -> Refusal:
    message = N_(
        "{name} is too large to unpack safely. Save only the table in a new file, or as CSV."
    )
    return Refusal(f"{kind}_too_large", message, name=name)


def _decode(block: bytes | str) -> str:
    try:
        return block if isinstance(block, str) else block.decode("utf-8")
    except UnicodeDecodeError:
        return "\n".join(map(decode_line, block.split(b"\n")))


def decode_line(line: bytes) -> str:
    """Decode a line as UTF-8 where it is that, else as Windows-1252."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("cp1252", errors="replace")
