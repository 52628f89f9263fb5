"""`/healthz`: ready, or why not, in words that give nothing away; and what strangers get
from the addresses of the server.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from builders.centres import contact, land
from builders.import_files import find_contacts
from builders.wires import Wire

from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.base.i18n import use
from qa_core.cli.app import run
from qa_core.storage import lake, permissions
from qa_core.storage.records import store
from qa_core.ui import asgi
from qa_core.ui.server import health
from qa_core.upkeep import purge

OF_THE_FILE = pytest.mark.sqlite("the records are a file")


@pytest.fixture
def ready(centre: Path, start_from: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A centre as the server leaves it after its start, with a contact; nothing is kept of
    an earlier answer.
    """
    monkeypatch.setattr(health, "KEPT_SECONDS", -1)
    monkeypatch.setattr(health, "_health", health.Health())
    start_from(bring_one_contact, centre)
    return centre


def bring_one_contact(centre: Path) -> None:
    for name in environment.SECRETS:
        environment.secret(name)
    file = centre / "calls.csv"
    file.write_text(f"started_at,contact_id\n{date.today()} 09:00,c1\n", encoding="utf-8")
    assert run(["import", "contacts", str(file)]) == 0
    permissions.protect()


def ask(**headers: str) -> tuple[int, list[str], str]:
    """Status, codes and whole text of the answer to a stranger."""
    status, sent, body = Wire(None).ask("/healthz", **headers)
    assert sent["cache-control"] == "no-store" and "set-cookie" not in sent
    return status, [item["code"] for item in json.loads(body).get("reasons", ())], body.decode()


def remove_lake(centre: Path) -> None:
    shutil.rmtree(centre / "lake")


def cut_a_file(centre: Path) -> None:
    file = Path(lake.files("contacts")[0])
    file.write_bytes(file.read_bytes()[:-9])


def remove_records(centre: Path) -> None:
    store.close()
    for file in centre.glob("records.sqlite*"):
        file.unlink()


def set_older_revision(centre: Path) -> None:
    with store.writing() as session:
        session.execute(sa.text("UPDATE alembic_version SET version_num = '0009'"))
    store._ready.clear()


def overwrite_records(centre: Path) -> None:
    store.close()
    (centre / "records.sqlite").write_bytes(b"no database" * 1000)


def open_secrets(centre: Path) -> None:
    (centre / "secrets" / "journal").chmod(0o644)


def open_folder(centre: Path) -> None:
    (centre / "secrets").chmod(0o755)


def remove_secret(centre: Path) -> None:
    (centre / "secrets" / "recordings").unlink()


def cut_secret(centre: Path) -> None:
    (centre / "secrets" / "recordings").write_bytes(b"short")


def keep_too_long(centre: Path) -> None:
    old = date.today() - timedelta(days=3 * 365)
    land([contact(f"{old} 09:00", "old", customer_key="ann")])


def stop_restoration(centre: Path) -> None:
    remove_records(centre)
    (centre / "restoring").mkdir()


def test_a_sound_centre_is_ready_and_the_answer_sets_no_cookie(ready: Path) -> None:
    assert ask() == (200, [], '{"status":"ready"}')
    status, headers, _body = Wire(None).ask("/healthz", method="HEAD")
    assert status == 200 and headers["cache-control"] == "no-store"
    assert Wire(None).ask("/healthz", method="POST")[0] == 405


def test_an_import_of_years_ends_with_the_purge_of_what_is_too_old(ready: Path) -> None:
    days = [date.today() - timedelta(days=365 * years) for years in (0, 1, 2, 3)]
    rows = "".join(f"{day} 09:00,y{day.year},0612345678,Ann\n" for day in days)
    file = ready / "history.csv"
    file.write_text(f"started_at,contact_id,customer,advisor\n{rows}", encoding="utf-8")

    assert run(["import", "contacts", str(file)]) == 0

    known = find_contacts("customer_key is not null", where="contact_id <> 'c1'")
    assert [is_known for _contact, is_known in known] == [False, False, True, True]
    assert ask() == (200, [], '{"status":"ready"}')
    verdicts = {verdict.rule.number: verdict for verdict in purge.judge_rules(Viewer.SYSTEM)}
    assert [verdicts[rule].state for rule in ("R5", "R6", "R14")] == ["in_order"] * 3


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (remove_lake, "lake_absent"),
        (cut_a_file, "lake_damaged"),
        pytest.param(remove_records, "no_records", marks=OF_THE_FILE),
        pytest.param(set_older_revision, "old_records", marks=pytest.mark.owner),
        pytest.param(overwrite_records, "records_unreadable", marks=OF_THE_FILE),
        pytest.param(stop_restoration, "restore_unfinished", marks=OF_THE_FILE),
        (open_secrets, "stores_open"),
        (open_folder, "stores_open"),
        (remove_secret, "secret_unusable"),
        (cut_secret, "secret_unusable"),
        (keep_too_long, "deletion_overdue"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_what_is_wrong_is_said_by_its_code_without_paths_and_counts(
    ready: Path, damage: Callable[[Path], None], code: str
) -> None:
    damage(ready)

    status, codes, text = ask()

    assert (status, codes) == (503, [code])
    assert str(ready) not in text and "/" not in text and not any(map(str.isdigit, text))


def test_a_full_disk_is_said(ready: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "FULL_DISK_BYTES", shutil.disk_usage(ready).total + 1)

    assert ask()[:2] == (503, ["disk_full"])


def test_a_fault_that_is_mended_is_ready_again(ready: Path) -> None:
    open_secrets(ready)
    assert ask()[0] == 503

    permissions.protect()
    (ready / "secrets" / "journal").chmod(0o600)

    assert ask()[0] == 200


def test_the_reason_is_said_in_the_language_that_is_asked_for(ready: Path) -> None:
    remove_lake(ready)
    french, english = (ask(**{"accept-language": name})[2] for name in ("fr", "en"))
    use("en")

    assert "although files were imported" in english and "fichiers ont été importés" in french


def test_an_answer_is_kept_for_some_seconds(ready: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "KEPT_SECONDS", 600)
    assert ask()[0] == 200

    remove_lake(ready)

    assert ask()[0] == 200


def test_a_check_that_does_not_end_means_that_the_stores_do_not_answer(
    ready: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "WAIT_SECONDS", 0.01)
    with health._health.lock:
        assert ask()[:2] == (503, ["no_answer"])
    assert ask()[0] == 200


def test_strangers_get_nothing_but_the_health_from_the_addresses_of_the_server(
    ready: Path,
) -> None:
    names = {"provider": "none", "ticket": "x.y", "rest:path": "x"}
    answers = {
        route.path: Wire(None).ask(
            re.sub(r"{(.+?)}", lambda part: names[part[1]], route.path), client="192.0.2.7"
        )[0]
        for route in asgi.ROUTES
    }

    assert len(answers) > 5
    # The description of the API names what every Écoute can be asked, and nothing of this centre.
    assert [path for path, status in answers.items() if status < 300] == [
        "/api/openapi.json",
        "/healthz",
    ]
    assert {path for path, status in answers.items() if 300 <= status < 400} == {
        "/session/{ticket}",
        "/session",
    }  # both lead to the sign-in form
