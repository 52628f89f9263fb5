"""File permissions of the stores: only their owner on this machine may read them."""

import stat
from collections.abc import Iterator
from pathlib import Path

from qa_core.base import environment
from qa_core.storage.records import data_map, store

OTHERS = stat.S_IRWXG | stat.S_IRWXO
WRITERS = stat.S_IWGRP | stat.S_IWOTH


def protect() -> None:
    """Close the stores to others."""
    for path in find_open():
        path.chmod(stat.S_IMODE(path.stat().st_mode) & ~OTHERS)


def find_open() -> list[Path]:
    """List the folders and files of stores that others may enter or read, and the folder of all
    stores where others may exchange them. Files in a closed folder are closed with it, but each
    secret is looked at too.
    """
    return [path for path in _find_paths() if path.stat().st_mode & OTHERS]


def _find_paths() -> Iterator[Path]:
    here = environment.current()
    mode = here.folder.stat().st_mode if here.folder.exists() else 0
    if mode & WRITERS and not mode & stat.S_ISVTX:
        yield here.folder
    names = (name for name in data_map.FILES if "/" not in name)
    folders = [*(here.folder / name for name in names), Path(here.lake_url)]
    yield from (path for path in folders if path.is_dir())
    yield from (path for path in here.secrets_folder.glob("*") if path.is_file())
    file = store.file_of(here.database_url)
    if file is not None:
        yield from (path for path in file.parent.glob(f"{file.name}*") if path.is_file())
