"""A folder: its files by the day on which they were last written. All are listed."""

import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_
from qa_core.sources.protocol.declaration import (
    LISTING,
    Items,
    SourceAccess,
    SourceFailed,
    SourcePlatform,
    Span,
)

UNFINISHED = (".part", ".partial", ".filepart", ".tmp", ".temp", ".crdownload", ".swp", "~")
STILL_SECONDS = 5.0
"""Seconds for which a file has not changed before it counts as written."""


def check(address: str, _statement: str | None) -> str:
    """Return the whole path of a folder. Raises Refusal for one that is not there."""
    path = Path(address).absolute()
    if not path.is_dir():
        raise Refusal("no_folder", "There is no file or folder {path}.", path=str(path))
    return str(path)


def find_items(access: SourceAccess, span: Span) -> Items:
    """List the files of a span, the oldest first. One that is still written waits: the folder
    is listed again. Raises SourceFailed where it cannot be read, or never rests.
    """
    folder = Path(access.address)
    for _look in range(3):
        try:
            files = [
                (path.lstat(), str(path))
                for path in folder.rglob("*")
                if path.is_file() and not path.is_symlink() and not _is_left_out(path, folder)
            ]
            list(folder.iterdir())  # rglob hides a folder that is gone
        except OSError:
            raise SourceFailed("unreachable") from None
        since, until = span.since.timestamp(), span.until.timestamp()
        found = sorted(
            (state.st_mtime, path, f"{state.st_mtime_ns} {state.st_size}")
            for state, path in files
            if since <= state.st_mtime < until
        )
        if all(at < time.time() - STILL_SECONDS for at, _path, _version in found):
            return {path: version for _at, path, version in found}
        access.wait(STILL_SECONDS)
    raise SourceFailed("changing")


def fetch_items(
    _access: SourceAccess, items: Items, _folder: Path
) -> tuple[Sequence[Path], set[str]]:
    """Leave the files where they are, and find those that are still there."""
    paths = [path for path in map(Path, items) if path.exists()]
    return paths, set(map(str, paths))


def _is_left_out(path: Path, folder: Path) -> bool:
    names = path.relative_to(folder).parts
    return path.name.endswith(UNFINISHED) or any(name.startswith(".") for name in names)


PLATFORM = SourcePlatform(
    title=N_("Folder"),
    basis=LISTING,
    settle=timedelta(days=1),
    asks=("address",),
    check=check,
    find_items=find_items,
    fetch_items=fetch_items,
)
