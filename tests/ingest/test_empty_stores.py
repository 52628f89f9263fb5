"""Every kind of import into every kind of empty store, and what follows an import."""

from __future__ import annotations

import functools
import itertools
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from builders.forked_python import forked_python
from builders.import_files import CALLS, SURVEYS, TRACKING, write
from builders.listening_centre import allow_evaluations
from builders.long_seeds import leave_to_long

from qa_core.base import environment
from qa_core.cli.app import run as run_command
from qa_core.ingest.reading import registry
from qa_core.storage import lake
from qa_core.storage.records import store
from qa_core.storage.records.alerts import AlertRule
from qa_core.storage.records.imports import WaitingRow

FILES = {
    "contacts": CALLS,
    "tracking": TRACKING,
    "surveys": SURVEYS,
    "spend": "day,source,campaign,amount,currency\n2026-03-01,Google,Spring,10,EUR\n",
    "intervals": "start,queue,received,answered,abandoned\n"
    "2026-03-02 09:00,Sales,10,8,2\n2026-03-02 09:30,Sales,12,11,1\n",
    "advisors": "advisor_id,name,team,site,from\nDiane,Diane Leroy,South,Lille,2026-01-01\n",
    "evaluations": "contact_id,evaluator,evaluated_at,grid,score\nC1,Eve,2026-03-05,Service,80\n",
    "recordings": "contact_id,file\nC1,one.wav\n",
}
KINDS = tuple(dict.fromkeys(profile.kind for profile in registry.find_profiles()))
FIRST = (None, *KINDS)
"""Kind that a store holds already; None: nothing at all."""


@functools.cache
def building(first: str | None) -> Callable[[Path], None]:
    """Return what builds a store that holds that kind, the same whenever it is asked for."""

    def build(centre: Path) -> None:
        with store.writing() as session:
            for dimension in (None, "queue"):
                rule = {"kpi": "received", "kind": "control", "dimension": dimension}
                session.add(AlertRule(grain="day", created_by="mo", **rule))
        allow_evaluations()
        if first:
            path = write(centre, f"0-{first}.csv", FILES[first])
            assert run_command(["import", first, str(path)]) == 0

    return build


PAIRS = list(itertools.product(FIRST, KINDS))
IN_EACH_RUN = [pair for pair in PAIRS if pair[0] in (None, pair[1]) or "contacts" in pair]
"""Each kind into an empty store, after itself, after contacts and before them."""


@pytest.mark.parametrize(("first", "kind"), leave_to_long(PAIRS, but=IN_EACH_RUN))
def test_each_kind_is_imported_into_a_store_that_holds_one_kind_or_none(
    start_from: Callable[..., Any],
    centre: Path,
    capsys: pytest.CaptureFixture,
    first: str | None,
    kind: str,
) -> None:
    start_from(building(first), centre)
    assert run_command(["import", kind, str(write(centre, f"1-{kind}.csv", FILES[kind]))]) == 0
    assert "ailed" not in capsys.readouterr().err


def break_alerts() -> None:
    with store.writing() as session:
        session.add(AlertRule(kpi="received", kind="control", grain="decade", created_by="mo"))


def break_waiting_rows() -> None:
    with store.writing() as session:
        session.execute(sa.update(WaitingRow).values(content={}))


@pytest.mark.parametrize(
    ("break_it", "work"),
    [
        (break_alerts, "the work after an import (alerts)"),
        (break_waiting_rows, "the matching of waiting rows"),
    ],
)
def test_a_failure_after_an_import_is_one_line_and_the_rows_are_in(
    centre: Path, break_it: Callable[[], None], work: str
) -> None:
    assert run_command(["import", "surveys", str(write(centre, "s.csv", SURVEYS))]) == 0
    break_it()
    path = str(write(centre, "c.csv", CALLS))
    command = [*forked_python(), "-m", "qa_core", "import", "contacts", path]
    done = subprocess.run(command, cwd=environment.PROJECT, capture_output=True, text=True)
    assert done.returncode == 0 and "3 read · 3 new" in done.stdout
    said = re.fullmatch(rf"{re.escape(work)} failed: error ([0-9a-f]{{8}})\n", done.stderr)
    assert said, done.stderr
    log = (centre / "errors.log").read_text()
    assert said[1] in log and "Traceback" in log and "KeyError" in log
    assert lake.snapshot("contacts").rows == 3
    assert run_command(["import", "contacts", path]) == 0
    assert run_command(["batches", "list"]) == 0


def test_a_command_that_fails_unexpectedly_says_one_sentence_and_logs_the_place(
    centre: Path,
) -> None:
    assert run_command(["import", "contacts", str(write(centre, "c.csv", CALLS))]) == 0
    break_alerts()
    command = [sys.executable, "-m", "qa_core", "alerts", "evaluate"]
    done = subprocess.run(command, cwd=environment.PROJECT, capture_output=True, text=True)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert (
        done.stderr.startswith("This failed unexpectedly (KeyError") and "\nThis" not in done.stderr
    )
    log = (centre / "errors.log").read_text()
    assert "command failed\nTraceback" in log and "KeyError" in log
