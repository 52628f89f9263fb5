"""Pipes and devices where files are expected: who reads one never comes to an end."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
