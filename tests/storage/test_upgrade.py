"""Stores that earlier versions wrote, as `stores/` keeps them: after `init` they are those of
today, and nothing in them is lost.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from builders.long_seeds import leave_to_long

from qa_core.base import environment
from qa_core.cli.app import run
from qa_core.storage import permissions
from qa_core.storage.records import store
from qa_core.storage.records.base import Base
from qa_core.upkeep import backup
from qa_core.upkeep.backup import Backup

STORES = Path(__file__).with_name("stores")
JUNE = ("--from", "2026-06-01", "--to", "2026-06-30")


@pytest.fixture(params=leave_to_long(["0009", "0016", "0032"], but=["0009"]))
def old_centre(
    request: pytest.FixtureRequest, centre: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A centre whose stores were written at that revision, three contacts in them."""
    for name in environment.SECRETS:
        monkeypatch.setenv(f"QA_SECRET_{name.upper()}", "ab" * 32)
    (centre / "records.sqlite").unlink()
    with zipfile.ZipFile(STORES / f"{request.param}.zip") as packed:
        packed.extractall(centre)
    return centre


def find_differences() -> set[tuple[str, str]]:
    """Find what the models declare otherwise: what it is, and the table."""
    with store.engine_for(environment.current().database_url).connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    flat = (item for entry in found for item in (entry if isinstance(entry, list) else [entry]))
    return {
        (item[0], next(str(getattr(part, "table", part)) for part in item[1:] if part is not None))
        for item in flat
    }


@pytest.mark.sqlite("it looks into the file of the records")
def test_old_stores_become_those_of_today_and_lose_nothing(
    old_centre: Path, ask: Callable[..., Any]
) -> None:
    assert run(["init"]) == 0
    assert run(["init"]) == 0, "a second time changes nothing"

    assert find_differences() == set()
    rows = ask("kpi", "received", "answer_rate", "service_level", *JUNE)["rows"]
    assert [(row["numerator"], row["n"]) for row in rows] == [(3, 3), (2, 3), (2, 3)]
    people = {row["username"]: (row["role"], row["sites"]) for row in ask("people", "list")}
    assert people == {"ada": ("admin", []), "lea": ("manager", ["Lyon"])}
    assert [row["key"] for row in ask("grid", "list")] == ["customer-service"]
    assert ask("targets", "list")[0]["kpi"] == "answer_rate"
    assert ask("journal", "verify")["ok"]
    assert permissions.find_open() == []
    checks = {check["name"]: check["state"] for check in ask("doctor", "--deep")["checks"]}
    assert checks["records"] == checks["lake"] == "ok"
    assert checks["journal"] == "warn"  # its end lies beside it


@pytest.mark.sqlite("backup refuses records in PostgreSQL")
def test_a_backup_of_an_earlier_version_is_restored_as_stores_of_today(
    old_centre: Path, ask: Callable[..., Any], tmp_path: Path
) -> None:
    file, parts = tmp_path / "old.bak", ("lake", "records.sqlite")
    made = Backup(file, environment.now(), 0, backup._check_secrets(backup.NEEDED))
    files = [
        path for part in parts for path in [old_centre / part, *(old_centre / part).rglob("*")]
    ]
    named = {str(path.relative_to(old_centre)): path for path in files if path.is_file()}
    with file.open("wb") as target:
        backup._write(target, made, named)
    shutil.rmtree(old_centre / "lake")
    (old_centre / "records.sqlite").unlink()

    assert run(["restore", str(file), "--accept-gaps"]) == 0

    assert find_differences() == set()
    rows = ask("kpi", "received", *JUNE)["rows"]
    assert [row["numerator"] for row in rows] == [3]
    assert ask("journal", "verify")["ok"]


@pytest.mark.sqlite("it looks into the file of the records")
def test_imports_of_old_stores_go_on_and_can_be_undone(
    old_centre: Path, ask: Callable[..., Any], tmp_path: Path
) -> None:
    assert run(["init"]) == 0
    [old] = ask("batches", "list")
    texts = [decision["decision"] for decision in old["decisions"]]
    assert texts and not any("{" in text or not text for text in texts)
    file = tmp_path / "later.csv"
    file.write_text("started_at,contact_id\n2026-06-03 09:00,c4\n", encoding="utf-8")

    assert run(["import", "contacts", str(file)]) == 0
    assert ask("kpi", "received", *JUNE)["rows"][0]["value"] == 4
    assert run(["batches", "undo", old["id"]]) == 0

    assert ask("kpi", "received", *JUNE)["rows"][0]["value"] == 1
