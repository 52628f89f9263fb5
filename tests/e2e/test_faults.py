"""A drill of faults: the centre is killed, filled up or closed to writing while it works. Each
prints how often it was tried, what was lost, doubled or left half, and what the person saw.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import raw
import sqlalchemy as sa
from builders import centre_with_calls, killed_act
from builders.aging_centre import add_one_of_each, add_scorecard
from builders.centres import add_people
from builders.forked_python import forked_python
from builders.import_files import CALLS, find_contacts, find_waiting, write
from builders.killed_act import ACTS, WORDS
from builders.plain_overdue import count_overdue
from builders.servers import living_in
from builders.visitors import PASSWORD
from websockets.exceptions import ConnectionClosed

from qa_core import ingest
from qa_core.access import accounts, sessions
from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.cli import doctor
from qa_core.storage import audit_log, permissions
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.evaluations import Evaluation
from qa_core.storage.records.imports import ImportBatch
from qa_core.storage.system_errors import find_refusal
from qa_core.ui.server import browser
from qa_core.upkeep import backup, purge

pytestmark = pytest.mark.long
SYSTEM = Viewer.SYSTEM
MOMENTS = 10
KILOBYTES_LEFT = (0, 4, 16, 32, 64, 100, 160, 256, 512, 1024)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A centre in which Eve has a contact to evaluate, and one of every kind of data is due."""
    home = tmp_path_factory.mktemp("before")
    with living_in(home):
        store.migrate()
        for name in environment.SECRETS:
            environment.secret(name)
        add_people({"ann-secret": "Ann"})
        add_scorecard()
        sent = tmp_path_factory.mktemp("sent")
        add_one_of_each(sent, "old", datetime(2024, 1, 15, 9, tzinfo=UTC))
        centre_with_calls.build(
            lambda username, role, **bounds: accounts.add(
                SYSTEM, username, role, password=PASSWORD, **bounds
            )
        )
        permissions.protect()
        store.close()
    return home


@contextmanager
def copy_of(before: Path, home: Path) -> Iterator[Path]:
    """A copy of that centre, in which this process works."""
    shutil.copytree(before, home, dirs_exist_ok=True)
    with living_in(home):
        yield home
        store.engine_for(environment.current().database_url).dispose()


def act_elsewhere(act: str, write_number: int, folder: Path) -> tuple[list[str], int]:
    """Do it in another process, killed at that write. Returns what it said, and its end."""
    done = subprocess.run(
        [*forked_python(), "-m", "builders.killed_act", act, str(write_number), str(folder)],
        cwd=environment.PROJECT,
        env={**os.environ, "PYTHONPATH": "tests:."},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.stdout or done.returncode < 0, done.stderr
    return done.stdout.splitlines(), done.returncode


def check_evaluation(_folder: Path, said: list[str], faults: Counter[str]) -> None:
    """Look at Eve's evaluation, before and after she goes on with it."""
    mine = Unscoped(sa.select(Evaluation).where(Evaluation.drawn_id.is_not(None)), "a test")
    with store.reading() as session:
        made = session.scalars(mine).one_or_none()
        saved = [word for word in said if word in WORDS]
        if made is not None and "submitted" not in said:
            words = ["", *WORDS, WORDS[-1]]
            place = words.index(saved[-1] if saved else "")
            is_known = (made.comment or "") in words[place : place + 2]
            faults["lost"] += not is_known
            faults["half"] += bool(made.draft is None) != (made.state == "published")
        elif said:
            faults["lost"] += made is None or made.state != "published"
    killed_act.evaluate(Path(), said.append)
    with store.reading() as session:
        made = session.scalars(mine).all()
        submitted = session.scalars(
            sa.select(JournalRow.seq).where(JournalRow.action == "evaluation_submitted")
        ).all()
        faults["doubled"] += len(made) - 1 + max(0, len(submitted) - 1)
        faults["half"] += [
            (one.state, one.comment, one.draft, len(one.answers) > 5) for one in made
        ] != [("published", WORDS[-1], None, True)]


def check_import(folder: Path, said: list[str], faults: Counter[str]) -> None:
    """Bring the files again: everything stands, once."""
    brought = {"C1", "C2", "C3"}
    ingest.resume()
    ids = [row[0] for row in find_contacts(where="contact_id LIKE 'C_'")]
    faults["lost"] += "contacts" in said and set(ids) != brought
    faults["half"] += len(ids) not in (0, 3)
    killed_act.bring(folder, said.append)
    rows = find_contacts("csat", where="contact_id LIKE 'C_'")
    faults["lost"] += len(brought - {row[0] for row in rows})
    faults["doubled"] += len(rows) - len({row[0] for row in rows})
    faults["half"] += rows != [("C1", 5.0), ("C2", 2.0), ("C3", None)]
    faults["doubled"] += find_waiting().count(("surveys", "C9")) - 1
    with store.reading() as session:
        states = Counter(session.scalars(sa.select(ImportBatch.state)))
        faults["half"] += states["started"] + states["undoing"]
        # Two files of this act, and the one that was there.
        faults["doubled"] += states["done"] - 3


def check_purge(_folder: Path, _said: list[str], faults: Counter[str]) -> None:
    purge.purge(SYSTEM)
    certified = Counter()
    for certificate in purge.find_certificates(SYSTEM):
        faults["half"] += not certificate.is_genuine
        certified.update({kind: due.count for kind, due in certificate.kinds.items()})
    faults["half"] += len(count_overdue(environment.current().folder, environment.today()))
    faults["lost"] += sum((DUE - certified).values())
    faults["doubled"] += sum((certified - DUE).values())


def check_backup(folder: Path, said: list[str], faults: Counter[str]) -> None:
    """Every file that has its name is whole, and another one can be made."""
    killed_act.back_up(folder, said.append)
    files = [path for path in folder.iterdir() if not path.name.startswith(".")]
    for path in files:
        with backup.opening(path) as (_made, archive):
            faults["half"] += not [entry.name for entry in backup.iterate(archive)]
    faults["lost"] += len(set(said) - {path.name for path in files})


DUE: Counter[str] = Counter()
"""Data that is due in the centre before, by kind."""
CHECKS: dict[str, Callable[[Path, list[str], Counter[str]], None]] = {
    "evaluation": check_evaluation,
    "import": check_import,
    "purge": check_purge,
    "server": check_purge,
    "backup": check_backup,
}


def check(act: str, folder: Path, said: list[str], faults: Counter[str]) -> None:
    CHECKS[act](folder, said, faults)
    with store.reading() as session:
        faults["half"] += not audit_log.verify(session).ok
    # What is due stays due until a purge runs.
    late = () if act in ("purge", "server") else ("retention",)
    bad = [
        found.name
        for found in doctor.examine(deep=True)
        if found.state == "bad" and not found.name.startswith(("rule_", *late))
    ]
    assert bad == []


def show(fault: str, tries: int, faults: Counter[str], seen: Counter[str]) -> None:
    """Print a row of the table, and fail where anything went wrong."""
    counts = " · ".join(f"{name} {faults[name]}" for name in ("lost", "doubled", "half"))
    said = "; ".join(f"{count}x {text}" for text, count in seen.most_common())
    print(f"\n| {fault} | {tries} | {counts} | {said} |")
    assert not +faults


@pytest.mark.parametrize("act", ["evaluation", "import", "server", "backup"])
def test_an_act_killed_at_ten_writes_is_lost_doubled_and_half_done_nowhere(
    before: Path, tmp_path: Path, act: str
) -> None:
    faults, seen = Counter(), Counter()
    DUE.update({} if DUE else count_overdue(before, environment.today()))
    with copy_of(before, tmp_path / "whole"):
        (tmp_path / "out").mkdir()
        said, _end = act_elsewhere(act, 0, tmp_path / "out")
    writes = int(said[-1])
    moments = sorted({1 + place * (writes - 1) // (MOMENTS - 1) for place in range(MOMENTS)})
    for moment in moments:
        folder = tmp_path / f"out{moment}"
        folder.mkdir()
        with copy_of(before, tmp_path / str(moment)):
            said, end = act_elsewhere(act, moment, folder)
            assert end == -signal.SIGKILL
            words = [line for line in said if " " not in line]  # a server prints more
            seen[f"acknowledged: {', '.join(words) or 'nothing'}"] += 1
            check(act, folder, said, faults)
        shutil.rmtree(tmp_path / str(moment))
    show(f"kill -9, {act}, at {len(moments)} of {writes} writes", len(moments), faults, seen)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own for a centre."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if mount("-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)):
        pytest.skip("this user may not mount a disk")
    yield disk
    mount("-o", "remount,rw", str(disk))
    subprocess.run(["umount", "--lazy", str(disk)], check=False)


def mount(*arguments: str) -> int:
    return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode


def fill(disk: Path, kilobytes_left: int) -> Path:
    """Fill the disk but for that much. Returns the file to remove."""
    filler = disk / "filler"
    free = shutil.disk_usage(disk).free - (kilobytes_left << 10)
    filler.write_bytes(bytes(max(0, free)))
    return filler


def try_act(act: str, folder: Path, said: list[str]) -> str:
    """Do it; return what the person is told, or an exception that has no words for them."""
    try:
        ACTS[act](folder, said.append)
    except Exception as error:
        refusal = find_refusal(error)
        return refusal.code if refusal else f"UNEXPECTED {error!r}"
    return "done"


@pytest.mark.parametrize("act", ["evaluation", "import", "purge", "backup"])
def test_a_disk_that_is_full_or_read_only_says_so_and_nothing_is_half_done(
    before: Path, small_disk: Path, tmp_path: Path, act: str
) -> None:
    faults, seen = Counter(), Counter()
    DUE.update({} if DUE else count_overdue(before, environment.today()))
    for number, kilobytes in enumerate((*KILOBYTES_LEFT, None)):
        # A backup goes to the disk that is full; everything else is in the centre on it.
        folder = (small_disk if act == "backup" else tmp_path) / f"out{number}"
        folder.mkdir()
        with copy_of(before, small_disk / str(number)):
            store.is_ready()
            if kilobytes is None:
                store.close()
                mount("-o", "remount,ro", str(small_disk))
            else:
                filler = fill(small_disk, kilobytes)
            said: list[str] = []
            seen[try_act(act, folder, said)] += 1
            if kilobytes is None:
                mount("-o", "remount,rw", str(small_disk))
                store.engine_for(environment.current().database_url).dispose()
            else:
                filler.unlink()
            check(act, folder, said, faults)
        shutil.rmtree(small_disk / str(number))
    faults["unexplained"] = sum(count for text, count in seen.items() if "UNEXPECTED" in text)
    show(f"disk full (10) and read-only (1), {act}", len(KILOBYTES_LEFT) + 1, faults, seen)


@contextmanager
def served(home: Path) -> Iterator[tuple[subprocess.Popen, str]]:
    """The app over that centre, to be killed. Yields its process and its host."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (home.parent / "server.log").open("a") as log:
        process = subprocess.Popen(
            [*forked_python(), "-m", "streamlit", "run", "app.py", "--server.port", str(port)],
            cwd=environment.PROJECT,
            env=dict(os.environ),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            for _ in range(1_200):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health").close()
                    break
                except OSError:
                    time.sleep(0.1)
            yield process, f"127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait()


def test_a_served_app_killed_while_an_evaluation_is_typed_keeps_every_word(
    before: Path, tmp_path: Path
) -> None:
    faults, seen = Counter(), Counter()
    with copy_of(before, tmp_path / "home"):
        number = killed_act.open_evaluation()
        cookies = {"_streamlit_xsrf": raw.generate_xsrf_token_string()}
        here = browser.build(cookies, {"host": "localhost"}, "127.0.0.1")
        cookies[browser.COOKIE] = sessions.sign_in("eve", PASSWORD, here, one_time_days=7)
        typed, shown = 0, 0
        for moment in range(MOMENTS):
            with served(tmp_path / "home") as (process, host), raw.visitor(host, cookies) as eve:
                eve.send("evaluate", f"id={number}")
                text = eve.read().text
                area = re.findall(r'text_area \{\s*id: "([^"]+)"', text)[-1]
                if shown:
                    faults["lost"] += f"word {shown}" not in text
                for _ in range(2):
                    typed += 1
                    eve.typed[area] = f"word {typed}"
                    eve.send("evaluate", f"id={number}")
                    eve.read()
                    shown = typed
                typed += 1
                eve.typed[area] = f"word {typed}"
                eve.send("evaluate", f"id={number}")
                time.sleep(0.06 * moment)
                process.kill()
                try:
                    while True:
                        eve.read()
                        shown = typed
                except ConnectionClosed:
                    seen["the connection closes; the page says so and connects again"] += 1
            draft = drafts_of_eve(number)
            faults["lost"] += draft.comment not in (f"word {shown}", f"word {typed}")
            faults["half"] += draft.draft is None
            faults["doubled"] += count_started() - 1
            shown = int(draft.comment.split()[1])
    show("kill -9 of the served app, while an evaluation is typed", MOMENTS, faults, seen)


def drafts_of_eve(number: int) -> Evaluation:
    with store.reading() as session:
        mine = sa.select(Evaluation).where(Evaluation.id == number)
        return session.scalars(Unscoped(mine, "a test")).one()


def count_started() -> int:
    started = sa.select(JournalRow.seq).where(JournalRow.action == "evaluation_started")
    with store.reading() as session:
        return len(session.scalars(started).all())


def test_records_held_for_longer_than_half_a_minute_are_said_and_the_watch_goes_on(
    before: Path, tmp_path: Path
) -> None:
    faults, seen = Counter(), Counter()
    folder = tmp_path / "incoming"
    folder.mkdir()
    path = write(tmp_path, "calls.csv", CALLS)
    command = [sys.executable, "-m", "qa_core"]
    options = {"cwd": environment.PROJECT, "text": True, "stderr": subprocess.PIPE}
    with copy_of(before, tmp_path / "home") as home:
        watching = subprocess.Popen(
            [*command, "watch", str(folder), "--settle", "0", "--every", "0.5"],
            stdout=subprocess.PIPE,
            **options,
        )
        watching.stdout.readline()
        with closing(sqlite3.connect(home / "records.sqlite", isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            write(folder, "contacts_calls.csv", CALLS)
            done = subprocess.run(
                [*command, "import", "contacts", str(path)],
                stdout=subprocess.PIPE,
                check=False,
                **options,
            )
            told = watching.stderr.readline()
            holder.rollback()
        assert "3 new" in watching.stdout.readline()
        watching.send_signal(signal.SIGTERM)
        faults["ended otherwise"] += watching.wait(300) != 0
        # The watch tries again at once: on a slow machine it waits in vain more than once.
        for text in (done.stderr, told, *watching.stderr.read().splitlines()):
            seen[text.strip().rpartition(": Another")[2][:60]] += 1
            faults["unexplained"] += "is using the records" not in text or "Traceback" in text
        check("import", tmp_path, [], faults)
    show("records held for more than 30 s, import and watch", 2, faults, seen)
