"""Processes of their own that do not import the product anew: a Python that has imported it
forks for each command. `forked_python` is written where a command has `sys.executable`.

A test that is about the start of a process takes `sys.executable`.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import importlib
import json
import os
import runpy
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
IMPORTED = (
    "qa_core.cli.app",
    "qa_core.upkeep.backup",
    "qa_core.upkeep.restore",
    "qa_core.upkeep.purge",
    "qa_core.ingest.watch.folder",
    "qa_core.quality.evaluations.drafts",
    "qa_core.quality.evaluations.publication",
    "qa_core.ui.server",
    "qa_core.analysis.alerts",
    "qa_core.analysis.charts",
    "qa_core.analysis.irritants",
    "qa_core.quality.coaching",
    "qa_core.quality.sampling",
    "streamlit.web.cli",
    "builders.centre_with_calls",
)
RUNNING: list[int] = []
"""The process that forks, once there is one."""
ASK = """
import array, json, os, signal, socket, sys
with socket.socket(socket.AF_UNIX) as there:
    there.connect(sys.argv[1])
    asked = {"arguments": sys.argv[2:], "folder": os.getcwd(), "environment": dict(os.environ)}
    text = json.dumps(asked).encode()
    descriptors = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))]
    there.sendmsg([len(text).to_bytes(8, "big")], descriptors)
    there.sendall(text)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _frame: there.send(bytes([number])))
    status = int(there.makefile().readline() or -9)
if status < 0:
    signal.signal(-status, signal.SIG_DFL) if status != -9 else None
    os.kill(os.getpid(), -status)
sys.exit(status)
"""
"""Program beside the test: it hands its arguments, environment and files on to a fork, sends
signals on, and ends as the fork ends.
"""
RUN_WITH_FILE_LIMIT = """
import resource, runpy, sys
limit, module = int(sys.argv.pop(1)), sys.argv.pop(1)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""


@functools.cache
def forked_python() -> tuple[str, ...]:
    """Return the beginning of a command line, which takes `-m MODULE …` and `-c PROGRAM …`.
    Where that process is killed, the fork is killed soon after.
    """
    folder = tempfile.mkdtemp()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("QA_")}
    forking = subprocess.Popen(
        [sys.executable, str(Path(__file__)), f"{folder}/socket"],
        stdin=subprocess.PIPE,  # which ends it, whatever ends this process
        stdout=subprocess.PIPE,
        cwd=TESTS.parent,
        env=environment,
    )
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(forking.communicate)
    RUNNING.append(forking.pid)
    forking.stdout.readline()
    return (sys.executable, "-IS", "-c", ASK, f"{folder}/socket")


def forked_with_file_limit(limit: int) -> tuple[str, ...]:
    """Return the beginning of a command line, which takes a module and its arguments: no file of
    the fork may grow beyond so many bytes. The system answers as where a disk is full.
    """
    return (*forked_python(), "-c", RUN_WITH_FILE_LIMIT, str(limit))


def count_seconds() -> float:
    """Return the processor seconds of the process that forks, and of its forks that ended."""
    seconds = 0.0
    for number in RUNNING:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
            seconds += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return seconds


def fork_for_all(address: str) -> None:
    """Fork for whoever asks at that socket, until the standard input ends."""
    signals, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    asking: dict[int, socket.socket] = {}
    with socket.socket(socket.AF_UNIX) as listener, selectors.DefaultSelector() as selector:
        listener.bind(address)
        listener.listen()
        for source in (listener, signals, 0):
            selector.register(source, selectors.EVENT_READ)
        print("ready", flush=True)
        while True:
            for key, _events in selector.select():
                if key.fileobj == 0:
                    return
                if key.fileobj is listener:
                    connection, _address = listener.accept()
                    if number := _fork(connection):
                        asking[number] = connection
                        selector.register(connection, selectors.EVENT_READ, number)
                elif key.fileobj == signals:
                    os.read(signals, 4096)
                elif key.data in asking:
                    sent = key.fileobj.recv(1)
                    os.kill(key.data, sent[0] if sent else signal.SIGKILL)
                    if not sent:  # who asked is gone
                        selector.unregister(key.fileobj)
            _tell_ends(asking, selector)


def _tell_ends(asking: dict[int, socket.socket], selector: selectors.BaseSelector) -> None:
    while asking:
        number, status = os.waitpid(-1, os.WNOHANG)
        if not number:
            return
        with asking.pop(number) as connection:
            if connection in selector.get_map():
                selector.unregister(connection)
                with contextlib.suppress(OSError):
                    connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _fork(connection: socket.socket) -> int:
    length, descriptors, _flags, _address = socket.recv_fds(connection, 8, 3)
    with connection.makefile("rb") as stream:
        asked = json.loads(stream.read(int.from_bytes(length, "big")))
    number = os.fork()
    if number == 0:
        os._exit(_work(asked, descriptors))
    for descriptor in descriptors:
        os.close(descriptor)
    return number


def _work(asked: dict[str, Any], descriptors: list[int]) -> int:
    """Run a command in a fork. Returns its exit code."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for place, descriptor in enumerate(descriptors):
        os.dup2(descriptor, place)
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    time.tzset()
    tempfile.tempdir = None
    kind, what, *arguments = asked["arguments"]
    sys.argv = [kind, *arguments]
    status = 0
    try:
        if kind == "-m":
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        else:
            exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        status = 1
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return status


if __name__ == "__main__":
    sys.path[:1] = [str(TESTS.parent), str(TESTS)]
    for name in IMPORTED:
        importlib.import_module(name)
    importlib.import_module("qa_core.access.passwords").ROUNDS = 4  # as in the tests
    fork_for_all(sys.argv[1])
