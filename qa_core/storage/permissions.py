"""File permissions of the stores: only their owner on this machine may read them."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from qa_core.base import environment
from qa_core.storage.records import data_map, store

OTHERS = stat.S_IRWXG | stat.S_IRWXO


def protect() -> None:
    """Close the stores to others: what is there, and what this process makes from now on."""
    os.umask(0o077)
    for path in find_open():
        path.chmod(stat.S_IMODE(path.stat().st_mode) & ~OTHERS)


def find_open() -> list[Path]:
    """List the folders and files of stores that others may enter or read. What lies in a
    folder that nobody else can enter is closed with it.
    """
    return [path for path in _find_paths() if path.stat().st_mode & OTHERS]


def _find_paths() -> Iterator[Path]:
    here = environment.current()
    names = (name for name in data_map.FILES if "/" not in name)
    folders = [*(here.folder / name for name in names), Path(here.lake_url)]
    yield from (path for path in folders if path.is_dir())
    file = store.file_of(here.database_url)
    if file is not None:
        yield from (path for path in file.parent.glob(f"{file.name}*") if path.is_file())
