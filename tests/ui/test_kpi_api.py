"""The API: the answers of the command to a person of the same role, for service tokens alone,
within limits.
"""

from __future__ import annotations

import asyncio
import csv
import json
import re
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
import sqlalchemy as sa
from builders.centres import add_people, close_month, contact, land
from builders.wires import Wire, serving

from qa_core.access import accounts, service_tokens
from qa_core.access.accounts import AccountTerms
from qa_core.access.roles import Role, Viewer
from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.cli.app import run
from qa_core.metrics import kpis
from qa_core.storage import bounds, engine
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.ui.server import kpi_api
from qa_core.ui.views.admin import api_examples

SYSTEM = Viewer.SYSTEM
TERMS = {
    "executive": {},
    "manager": {"sites": ("Lyon",)},
    "team_lead": {"teams": ("Blue",)},
}
CUTS: tuple[tuple[tuple[str, str], ...], ...] = (
    (("kpi", "received"), ("kpi", "answer_rate")),
    (("kpi", "csat"), ("by", "month")),
    (("kpi", "received"), ("by", "queue"), ("from", "2026-05-01"), ("to", "2026-05-31")),
    (("kpi", "received"), ("where", "queue=Sales"), ("where", "queue=")),
    (("kpi", "received"), ("by", "team"), ("by", "weekday")),
    (("kpi", "service_level"), ("set", "service_level_seconds=5")),
    (("kpi", "answer_rate"), ("explain", "1")),
)


@pytest.fixture(autouse=True)
def fresh_limits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(kpi_api, "LIMITS", kpi_api.Limits())
    yield


@pytest.fixture
def two_teams(start_from: Callable[..., Any]) -> None:
    """Calls of Blue in Lyon and Red in Nice, in two queues, rated; one small queue."""
    start_from(land_two_teams)


def land_two_teams() -> None:
    add_people({f"a{number}": f"Ann {number}" for number in range(12)})
    add_people({}, {"Blue": "Lyon", "Red": "Nice"})
    rows = []
    for number in range(120):
        advisor = number % 12
        rows.append(
            contact(
                f"2026-05-{4 + number % 20:02d} 10:00",
                f"c{number}",
                queue="Mail" if number < 3 else "Sales" if number % 3 else None,
                team="Blue" if advisor < 6 else "Red",
                advisor_id=f"a{advisor}",
                wait_seconds=float(number % 40),
                csat=1.0 + number % 5,
                csat_scale="1-5",
            )
        )
    land(rows)
    close_month("2026-05")


def add_token(role: str, name: str = "script", **terms: Any) -> str:
    return service_tokens.add(
        SYSTEM, name, AccountTerms(Role(role), **(TERMS[role] | terms))
    ).secret


def ask(
    secret: str | None, *pairs: tuple[str, str], **more: str
) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Status, document and headers of the answer to that question."""
    headers = {"authorization": f"Bearer {secret}"} if secret else {}
    status, answered, body = Wire(None).ask(f"/api/kpi?{urlencode(pairs)}", **{**headers, **more})
    return status, json.loads(body), answered


def command_of(pairs: tuple[tuple[str, str], ...]) -> list[str]:
    arguments = [value for name, value in pairs if name == "kpi"]
    for name, value in pairs:
        if name == "explain":
            arguments.append("--explain")
        elif name != "kpi":
            arguments += [f"--{name}", value]
    return arguments


@pytest.mark.parametrize("role", list(TERMS))
def test_the_command_and_the_api_answer_a_role_alike(
    role: str,
    two_teams: None,
    add_person: Callable[..., str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    add_person("tom", role, **TERMS[role])
    secret = add_token(role)
    answered = 0
    for pairs in CUTS:
        status, document, headers = ask(secret, *pairs)
        capsys.readouterr()
        code = run(["kpi", *command_of(pairs), "--json", "--as", "tom"])
        expected = json.loads(capsys.readouterr().out)
        assert (status == 200) == (code == 0), pairs
        if code:
            document["error"].pop("options")
            expected["error"].pop("options")
        else:
            answered += 1
        assert document == expected, pairs
        assert headers["content-type"] == "application/json"
    assert answered >= 4


def test_an_executives_token_is_shown_no_small_cell(two_teams: None) -> None:
    secret = add_token("executive")

    _status, document, _headers = ask(secret, ("kpi", "received"), ("by", "queue"))
    rows = {row["by"]["queue"]: row for row in document["rows"]}
    assert rows["Mail"]["status"] == "suppressed" and rows["Mail"]["value"] is None
    status, document, _headers = ask(secret, ("kpi", "received"), ("by", "queue"), ("by", "site"))
    assert (status, document["error"]["code"]) == (400, "one_table")
    assert document["error"]["options"] == ["by=queue", "by=site"]
    assert "This asks for Queue, Site:" in document["error"]["message"]
    status, document, _headers = ask(secret, ("kpi", "received"), ("by", "team"))
    assert (status, document["error"]["code"]) == (403, "access_denied")


def test_rows_of_another_team_are_not_counted(two_teams: None) -> None:
    secret = add_token("team_lead")

    _status, document, _headers = ask(secret, ("kpi", "received"), ("by", "team"))
    assert [(row["by"]["team"], row["value"]) for row in document["rows"]] == [("Blue", 60)]
    _status, document, _headers = ask(secret, ("kpi", "received"), ("where", "team=Red"))
    assert document["rows"][0]["status"] == "no_data"


def test_a_kpi_that_is_not_the_tokens_is_refused_whatever_else_is_asked(two_teams: None) -> None:
    secret = add_token("manager", kpis=("received", "answer_rate"))

    assert ask(secret, ("kpi", "received"), ("kpi", "answer_rate"), ("explain", "1"))[0] == 200
    for pairs in ((("kpi", "csat"),), (("kpi", "received"), ("kpi", "csat"))):
        status, document, _headers = ask(secret, *pairs)
        assert (status, document["error"]["code"]) == (403, "access_denied")


def test_only_a_live_token_in_its_header_opens_the_api(
    two_teams: None, add_person: Callable[..., str]
) -> None:
    secret = add_token("executive")
    question = ("kpi", "received")
    add_person("rex", "executive")
    signed_in = Wire("rex")

    for headers in (
        {},
        {"authorization": secret},
        {"authorization": f"Basic {secret}"},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": f"Bearer {secret}x"},
        {"authorization": f"Bearer {signed_in.cookies['ecoute_session']}"},
        {"x-authorization": f"Bearer {secret}"},
        {"cookie": f"ecoute_session={secret}; authorization={secret}"},
    ):
        for more in ((), (("token", secret),), (("access_token", secret),)):
            status, document, answered = ask(None, question, *more, **headers)
            assert (status, set(document)) == (401, {"error"}), headers
            assert answered["www-authenticate"] == "Bearer"
    assert signed_in.ask("/api/kpi?kpi=received")[0] == 401

    status, document, _headers = ask(secret, question, ("token", secret))
    assert (status, document["error"]["code"]) == (400, "unknown_parameter")
    assert ask(None, question, authorization=f"bearer  {secret} ")[0] == 200
    service_tokens.revoke(SYSTEM, "script")
    status, document, _headers = ask(secret, question)
    assert (status, document["error"]["code"]) == (401, "token_revoked")


def test_a_token_follows_the_account_that_made_it(
    two_teams: None, add_person: Callable[..., str]
) -> None:
    add_person("root", "admin")
    with store.reading() as session:
        root = accounts.get_viewer(session, "root")
    secret = service_tokens.add(root, "script", AccountTerms(Role.MANAGER)).secret

    assert ask(secret, ("kpi", "received"))[0] == 200
    add_person("ada", "admin")
    accounts.disable(SYSTEM, "root")
    assert ask(secret, ("kpi", "received"))[1]["error"]["code"] == "token_orphaned"


@pytest.mark.parametrize(
    ("pairs", "code"),
    [
        ((), "no_kpi"),
        ((("kpi", "recieved"),), "unknown_kpi"),
        ((("kpi", "x" * 7_000),), "unknown_kpi"),
        ((("kpi", "x" * 9_000),), "too_long"),
        ((("kpi", "received"), ("form", "2026-05-01")), "unknown_parameter"),
        ((("kpi", "received"), ("as", "root")), "unknown_parameter"),
        ((("kpi", "received"), ("from", "2026-05-01"), ("from", "2026-06-01")), "repeated"),
        ((("kpi", "received"), ("from", "yesterday")), "bad_date"),
        ((("kpi", "received"), ("from", "")), "bad_date"),
        ((("kpi", "received"), ("to", "9999-12-31")), "bad_date"),
        ((("kpi", "received"), ("from", "2026-06-01"), ("to", "2026-05-01")), "bad_period"),
        ((("kpi", "received"), ("by", "colour")), "unknown_dimension"),
        ((("kpi", "received"), ("by", "criterion")), "cannot_cut"),
        ((("kpi", "received"), ("where", "queue")), "bad_pair"),
        ((("kpi", "received"), ("where", "hour=25:00")), "bad_value"),
        ((("kpi", "received"), ("set", "colour=red")), "unknown_setting"),
        ((("kpi", "received"), ("explain", "yes")), "bad_value"),
        ((("kpi", "received"), ("explain", "1"), ("by", "queue")), "explained_cut"),
    ],
)
def test_a_question_that_cannot_be_answered_says_why(
    two_teams: None, pairs: tuple[tuple[str, str], ...], code: str
) -> None:
    status, document, headers = ask(add_token("manager"), *pairs)

    assert (status, document["error"]["code"]) == (400, code)
    assert document["error"]["message"] and headers["cache-control"] == "no-store"


def test_garbled_values_are_no_error_of_the_server(two_teams: None) -> None:
    secret = add_token("manager")
    for key in ("day", "week", "month", "weekday", "hour", "half_hour", "queue", "advisor"):
        for value in ("%00", "%ff%ED%A0%80", "9" * 400, "%C2%B2"):
            status, _headers, body = Wire(None).ask(
                f"/api/kpi?kpi=received&where={key}%3D{value}", authorization=f"Bearer {secret}"
            )
            assert status in (200, 400, 403), (key, value, body)


def test_messages_are_in_the_language_of_the_request(two_teams: None) -> None:
    secret = add_token("manager")
    message = ask(secret, ("kpi", "x"), **{"accept-language": "fr-FR,fr;q=0.9"})[1]["error"]

    assert message["message"].startswith("x est inconnu ici")
    message = ask(secret, ("kpi", "recieved"))[1]["error"]["message"]
    assert message.endswith("Did you mean received?")


def test_there_are_no_other_methods_and_no_permission_for_other_sites(two_teams: None) -> None:
    secret = add_token("manager")
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        status, _headers, _body = Wire(None).ask(
            "/api/kpi?kpi=received", method=method, authorization=f"Bearer {secret}"
        )
        assert status == 405
    _status, _document, headers = ask(secret, ("kpi", "received"), origin="https://evil.example")
    assert not any(name.startswith("access-control") for name in headers)
    assert headers["cache-control"] == "no-store"


def test_a_token_asks_so_often_a_minute_and_no_oftener(two_teams: None) -> None:
    secret, other = add_token("manager"), add_token("executive", "other")
    kpi_api.LIMITS.budgets["token:script"] = kpi_api.Budget(2, 1 / 60)

    statuses = [ask(secret, ("kpi", "received"))[0] for _ in range(3)]
    assert statuses == [200, 200, 429]
    _status, document, headers = ask(secret, ("kpi", "received"))
    assert document["error"]["code"] == "too_many_requests"
    assert 1 <= int(headers["retry-after"]) <= 60
    assert ask(other, ("kpi", "received"))[0] == 200


def test_a_token_has_a_queue_and_takes_no_place_of_others() -> None:
    limits = kpi_api.Limits()
    under_way: list[str] = []

    async def ask_much() -> None:
        is_over = asyncio.Event()

        async def hold(secret: str) -> None:
            async with limits.queue(secret):
                under_way.append(secret)
                await is_over.wait()

        tasks = [
            asyncio.create_task(hold("one")) for _ in range(kpi_api.AT_ONCE + kpi_api.MAX_QUEUE)
        ]
        await asyncio.sleep(0.01)
        assert under_way == ["one"] * kpi_api.AT_ONCE < ["one"] * kpi_api.WORKERS
        with pytest.raises(Refusal) as refused:
            async with limits.queue("one"):
                pass
        assert (refused.value.code, refused.value.params["seconds"]) == ("too_many_requests", 1)
        tasks.append(asyncio.create_task(hold("two")))
        await asyncio.sleep(0.01)
        assert under_way[-1] == "two"
        is_over.set()
        await asyncio.gather(*tasks)

    asyncio.run(ask_much())
    assert under_way.count("one") == kpi_api.AT_ONCE + kpi_api.MAX_QUEUE
    assert limits.queues == {}


def test_many_questions_of_one_token_at_once_are_answered_or_told_when_to_try_again(
    two_teams: None,
) -> None:
    greedy, other = add_token("manager"), add_token("executive", "other")

    def send(secret: str, port: int, by: str = "by=day&by=advisor&by=queue") -> tuple:
        answer = requests.get(
            f"http://127.0.0.1:{port}/api/kpi?kpi=received&{by}",
            headers={"Authorization": f"Bearer {secret}"},
        )
        return answer.status_code, answer.headers.get("Retry-After")

    with serving() as port, ThreadPoolExecutor(41) as pool:
        tried = [pool.submit(send, greedy, port) for _ in range(40)]
        assert pool.submit(send, other, port, "by=month").result() == (200, None)
    found = Counter(one.result() for one in tried)
    assert set(found) <= {(200, None), (429, "1")} and found[200, None] >= 10, found
    assert kpi_api.LIMITS.queues == {}


@pytest.mark.parametrize("by", [("day",), ("day", "advisor", "queue")])
def test_an_answer_of_too_many_rows_is_refused_and_names_the_limit(
    by: tuple[str, ...], two_teams: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kpi_api, "MAX_ROWS", 3)
    cuts = (("by", name) for name in by)
    status, document, _headers = ask(add_token("manager"), ("kpi", "received"), *cuts)

    assert (status, document["error"]["code"]) == (400, "too_many_rows")
    assert "3 rows" in document["error"]["message"]


def test_an_answer_that_takes_too_long_is_given_up_and_names_the_limit(
    two_teams: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = add_token("manager")
    with monkeypatch.context() as patch:
        patch.setattr(kpi_api, "MAX_SECONDS", 0)
        status, document, _headers = ask(secret, ("kpi", "received"), ("by", "day"))

    assert (status, document["error"]["code"]) == (400, "too_slow")
    assert "0 seconds" in document["error"]["message"]
    assert ask(secret, ("kpi", "received"), ("by", "day"))[0] == 200


def test_a_statement_is_interrupted_when_the_time_is_over(centre: Path) -> None:
    endless = (
        "SELECT count(*) FROM range(1000000000) a, range(1000) b WHERE hash(a.range, b.range) = 1"
    )
    asked = Unscoped(sa.text(endless), "It reads no rows of anybody.")
    before = time.process_time()
    with pytest.raises(Refusal) as refused, bounds.bounded(10, 0.2):
        engine.current().run(asked)

    assert refused.value.code == "too_slow"
    assert time.process_time() - before < 60  # of hours


def test_the_audit_log_says_which_token_asked_for_what_and_no_figure(two_teams: None) -> None:
    secret = add_token("manager", kpis=("received",))
    ask(secret, ("kpi", "received"), ("by", "month"), ("where", "team=Blue"))
    ask(secret, ("kpi", "csat"), ("where", "queue=Sales"))
    ask(secret, ("kpi", "my secret"))
    ask("wrong", ("kpi", "received"))

    columns = JournalRow.actor, JournalRow.action, JournalRow.object, JournalRow.reason
    with store.reading() as session:
        rows = session.execute(sa.select(*columns).order_by(JournalRow.seq)).all()
    assert [tuple(row) for row in rows][-4:] == [
        ("token:script", "kpis_asked", "received", "by month, team"),
        ("token:script", "kpis_asked", "csat", "by queue; refused: access_denied"),
        ("token:script", "kpis_asked", "", "refused: unknown_kpi"),
        ("stranger", "token_refused", "127.0.0.1", "unknown"),
    ]


def test_the_documented_examples_for_curl_and_python_run(
    two_teams: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ECOUTE_TOKEN", add_token("manager"))
    with serving() as port:
        curl, python, *_others = api_examples.build_examples(f"http://127.0.0.1:{port}")
        shown = subprocess.run(
            curl["code"], shell=True, check=True, capture_output=True, text=True
        ).stdout
        exec(python["code"], {})

    assert [(row["by"]["month"], row["kpi"]) for row in json.loads(shown)["rows"]] == [
        ("2026-05", "answer_rate"),
        ("2026-05", "service_level"),
    ]
    printed = capsys.readouterr().out
    assert "2026-05" in printed and "service_level" in printed
    document = (environment.PROJECT / "docs" / "api.md").read_text(encoding="utf-8")
    for example in api_examples.build_examples():
        assert example["code"] in document


def test_a_server_that_has_too_much_to_do_says_so(
    two_teams: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kpi_api, "MAX_WAITING", -1)
    status, document, headers = ask(add_token("manager"), ("kpi", "received"))

    assert (status, document["error"]["code"], headers["retry-after"]) == (503, "busy", "5")


def test_a_client_that_asks_for_csv_gets_the_rows_as_a_table(two_teams: None) -> None:
    wire, secret = Wire(None), add_token("manager")
    question = "/api/kpi?kpi=received&kpi=answer_rate&by=queue&by=month"
    asked = {"authorization": f"Bearer {secret}"}

    status, headers, body = wire.ask(question, accept="text/csv", **asked)
    rows = json.loads(wire.ask(question, accept="application/json, text/csv", **asked)[2])["rows"]

    assert (status, headers["content-type"]) == (200, "text/csv; charset=utf-8")
    table = list(csv.DictReader(body.decode("utf-8-sig").splitlines()))
    assert [*table[0]][:4] == ["queue", "month", "kpi", "value"]
    assert [(line["queue"], line["kpi"], line["n"], line["status"]) for line in table] == [
        (row["by"]["queue"] or "", row["kpi"], str(row["n"]), row["status"]) for row in rows
    ]
    assert [line["value"] for line in table if line["kpi"] == "received"] == [
        str(row["value"]) for row in rows if row["kpi"] == "received"
    ]


def test_the_glossary_lists_what_the_token_may_ask(two_teams: None) -> None:
    secret = add_token("executive", kpis=("received", "csat"))
    asked = {"authorization": f"Bearer {secret}"}

    glossary = json.loads(Wire(None).ask("/api/kpis", **asked)[2])

    assert [entry["key"] for entry in glossary] == ["received", "csat"]
    asked = {"authorization": f"Bearer {add_token('executive', 'other')}"}
    every = json.loads(Wire(None).ask("/api/kpis", **asked)[2])
    assert {"received", "alignment"} & {entry["key"] for entry in every} == {"received"}
    assert Wire(None).ask("/api/kpis")[0] == 401


def test_the_description_names_every_kpi_and_parameter(centre: Path) -> None:
    described = json.loads(Wire(None).ask("/api/openapi.json")[2])

    parameters = {
        entry["name"]: entry for entry in described["paths"]["/api/kpi"]["get"]["parameters"]
    }
    assert described["openapi"] == "3.1.0"
    assert set(parameters) == set(kpi_api.PARAMETERS)
    assert parameters["kpi"]["schema"]["items"]["enum"] == [*kpis.BY_KEY]


def test_every_documented_key_of_a_row_is_described_and_a_column(two_teams: None) -> None:
    contract = (environment.PROJECT / "docs" / "contract.md").read_text(encoding="utf-8")
    table = contract.partition("| key | meaning |")[2].partition("\n\n")[0]
    keys = {
        key
        for line in table.splitlines()
        for key in re.findall(r"`(\w+)`", line[: line.find("|", 2)])
    }
    wire = Wire(None)
    described = json.loads(wire.ask("/api/openapi.json")[2])["paths"]["/api/kpi"]["get"]
    figures = described["responses"]["200"]["content"]["application/json"]["schema"]["properties"]
    assert {*figures} == {"rows", "data_through", "explanation"}
    assert {*figures["rows"]["items"]["properties"]} == keys
    asked = {"authorization": f"Bearer {add_token('manager')}"}
    body = wire.ask("/api/kpi?kpi=received", accept="application/json;q=0, text/csv", **asked)[2]
    assert {*next(csv.reader([body.decode("utf-8-sig").splitlines()[0]]))} == {
        *(keys - {"by", "percentiles"}), "p50", "p90", "p95",
    }  # fmt: skip
    ruled_out = wire.ask("/api/kpi?kpi=received", accept="text/csv;q=0, */*", **asked)
    assert ruled_out[1]["content-type"] == "application/json"


def test_a_misspelt_kpi_is_answered_with_the_one_meant(two_teams: None) -> None:
    asked = {"authorization": f"Bearer {add_token('manager')}"}

    status, _headers, body = Wire(None).ask("/api/kpi?kpi=answer_rat", **asked)

    error = json.loads(body)["error"]
    assert status == 400 and error["code"] == "unknown_kpi"
    assert "answer_rate?" in error["message"]
