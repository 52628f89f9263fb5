"""A folder: its files by the day on which they were last written. All are listed."""

import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from qa_core.sources.protocol.declaration import (
    LISTING,
    SourceAccess,
    SourceFailed,
    SourcePlatform,
    Span,
)

UNFINISHED = (".part", ".partial", ".filepart", ".tmp", ".temp", ".crdownload", ".swp", "~")
STILL_SECONDS = 5.0
"""Seconds for which a file has not changed before it counts as written."""


def find_files(access: SourceAccess, span: Span) -> Sequence[Path]:
    """List the files of a span, the oldest first. One that is still written waits: the folder
    is listed again. Raises SourceFailed where it cannot be read, or never rests.
    """
    folder = Path(access.address)
    for _look in range(3):
        try:
            files = [
                (path.lstat().st_mtime, path)
                for path in folder.rglob("*")
                if path.is_file() and not path.is_symlink() and not _is_left_out(path, folder)
            ]
            list(folder.iterdir())  # rglob hides a folder that is gone
        except OSError:
            raise SourceFailed("unreachable") from None
        since, until = span.since.timestamp(), span.until.timestamp()
        found = sorted((at, path) for at, path in files if since <= at < until)
        if all(at < time.time() - STILL_SECONDS for at, _path in found):
            return [path for _at, path in found]
        access.wait(STILL_SECONDS)
    raise SourceFailed("changing")


def _is_left_out(path: Path, folder: Path) -> bool:
    names = path.relative_to(folder).parts
    return path.name.endswith(UNFINISHED) or any(name.startswith(".") for name in names)


PLATFORM = SourcePlatform(
    title="Folder",
    basis=LISTING,
    settle=timedelta(days=1),
    asks=("address",),
    find_files=find_files,
    overlap=timedelta(days=1),
)
