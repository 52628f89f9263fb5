"""The clock of a drill: it moves every part alike, and only stores made for it."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from builders.centres import ENVIRONMENT

from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.cli.app import run
from qa_core.compliance import gates
from qa_core.storage.records import store


def test_a_store_made_for_a_drill_takes_another_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("QA_HOME", str(tmp_path))
    monkeypatch.setenv("QA_CLOCK", "2031-05-01")
    store.migrate()
    monkeypatch.setenv("QA_CLOCK", "2031-07-14T18:00")

    gates.set_gate(Viewer.SYSTEM, "purposes", "training")

    assert environment.today() == date(2031, 7, 14)
    [entered] = [found for found in gates.find_all(Viewer.SYSTEM) if found.value]
    assert entered.set_at.date() == date(2031, 7, 14)


def test_any_other_store_refuses_a_moved_clock(
    centre: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("QA_CLOCK", "2031-05-01")

    assert run(["gate", "set", "purposes=training", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "clock_refused"


def test_what_is_no_moment_is_refused(centre: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QA_CLOCK", "soon")
    (centre / "drill_clock").touch()
    with pytest.raises(Refusal) as refused:
        environment.now()

    assert refused.value.code == "bad_clock"
