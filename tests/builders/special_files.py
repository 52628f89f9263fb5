"""Files that cannot be read: pipes and devices, which never come to an end, and files of others."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def special_files(folder: Path, pipe: str, device: str) -> Iterator[tuple[Path, Path]]:
    """A pipe that nobody writes to, and a link to an endless device. Who reads one for
    twenty seconds fails.
    """

    def fail(*_signal: object) -> None:
        raise AssertionError("a pipe or a device is being read")

    paths = folder / pipe, folder / device
    os.mkfifo(paths[0])
    paths[1].symlink_to("/dev/zero")
    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(20)
    try:
        yield paths
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        for path in paths:
            path.unlink(missing_ok=True)


def find_command_without_rights() -> list[str]:
    """Find the words before a command with which closed files are closed to root too."""
    if os.geteuid():
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root opens every file, and setpriv is not there")
    return ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
