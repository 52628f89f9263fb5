"""Files sent to us, which may hold clear numbers: ours alone, and removed after reading."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qa_core.base import environment

PREFIX = "upload-"


@contextmanager
def open_folder() -> Iterator[Path]:
    """Make a folder of ours for files that are read at once; removed at the end."""
    temporary = environment.current().temporary_folder
    temporary.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=temporary))
    # The system frees the lock when its holder dies: so the next start knows what is left.
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


@contextmanager
def store_temporarily(name: str, content: bytes | memoryview) -> Iterator[Path]:
    """Store an upload under its own ending, mode 0600, in a folder of ours; removed at the end."""
    with open_folder() as folder:
        path = folder / f"file{''.join(Path(name).suffixes[-2:]).lower()}"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        yield path


def remove_leftovers() -> None:
    """Remove what a killed server left behind; files being read now stay."""
    for folder in environment.current().temporary_folder.glob(f"{PREFIX}*"):
        try:
            lock = os.open(folder, os.O_RDONLY)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(lock)


def find_pulled_folder() -> Path:
    """Return the folder with a lock of each source, and pulled files that wait for a person."""
    return environment.current().folder / "pulling"


def remove_pulled() -> None:
    """Remove what was pulled and waits for a confirmation: its source gives it again."""
    for file in find_pulled_folder().glob("*"):
        if file.suffix != ".lock":
            file.unlink(missing_ok=True)
