"""One number, or one reason for none, at every exit: each KPI, as each role and scope, on a
centre whose missed contacts have no team.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from builders.centres import add_people, close_month, contact, evaluation, land
from builders.shown_texts import text_of
from builders.wires import Wire
from python_calamine import CalamineWorkbook
from streamlit.testing.v1 import AppTest

from qa_core.access import accounts, service_tokens
from qa_core.access.accounts import AccountTerms
from qa_core.access.roles import GRANTS, Permission, Role, Viewer
from qa_core.analysis import alerts, board, board_pdf, exports, note_texts, targets
from qa_core.base import environment
from qa_core.base.errors import AccessDenied
from qa_core.cli.app import run
from qa_core.delivery import digests, wallboard
from qa_core.metrics import kpis, query
from qa_core.metrics.kpis import formatting
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.metrics.spreadsheets import FORMS
from qa_core.storage.records import store
from qa_core.storage.records.alerts import AlertEvent, AlertRule
from qa_core.storage.records.base import now
from qa_core.storage.records.imports import ImportBatch
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.server import kpi_api
from qa_core.ui.widgets import cards

SYSTEM = Viewer.SYSTEM
MAY = Period(date(2026, 5, 1), date(2026, 5, 31))
WHERE = Filters(MAY)
WHOLE = {"answer_rate": 0.8, "abandon_rate": 0.2, "missed": 20, "service_level": 0.8}
"""Of 80 answered within 5 s and 20 who hung up after 30 s; the average of these is their wait."""
WHOLE |= {"received": 100, "average_time_to_abandon": 30, "recovered_rate": 0, "call_back_rate": 0}
BLUE: dict[str, float | None] = dict.fromkeys(WHOLE) | {"received": 40}
PRINCIPALS: Mapping[str, tuple[Role, dict[str, Any]]] = {
    "rex": (Role.EXECUTIVE, {}),
    "max": (Role.MANAGER, {"sites": ("Lyon",)}),
    "maxi": (Role.MANAGER, {"sites": ("Lyon", "Nice"), "sees_unassigned": True}),
    "lea": (Role.TEAM_LEAD, {"teams": ("Blue",)}),
    "leo": (Role.TEAM_LEAD, {"teams": ("Blue",), "since": date(2026, 5, 1)}),
    "eve": (Role.EVALUATOR, {}),
    "ann": (Role.ADVISOR, {"advisor_id": "a0"}),
    "dora": (Role.DPO, {}),
    "root": (Role.ADMIN, {}),
}
KNOWN = {"maxi": WHOLE, "max": BLUE, "lea": BLUE, "leo": BLUE}
KNOWN |= {"ann": BLUE | {"received": 8}, "rex": {"received": 100, "answer_rate": 0.8}}
"""What each must read of the KPIs that count missed contacts; of executives, what no advisor is
behind is hidden.
"""


def land_centre() -> None:
    """In May 40 contacts answered by Blue's five advisors, 40 by Red's, 20 missed by nobody;
    rated, evaluated, with a target and an alert of the whole centre on every KPI.
    """
    add_people({f"a{n}": f"Ann {n}" for n in range(10)}, {"Blue": "Lyon", "Red": "Nice"})
    rows = [
        contact(
            f"2026-05-{4 + n % 20:02d} 10:00",
            f"c{n}",
            team="Blue" if n < 40 else "Red",
            advisor_id=f"a{n % 5 if n < 40 else 5 + n % 5}",
            customer_key=f"k{n}",
            wait_seconds=5.0,
            talk_seconds=60.0 + n,
            csat=1.0 + n % 5,
            csat_scale="1-5",
            declared_resolved=n % 3 > 0,
        )
        for n in range(80)
    ]
    land(rows)
    missed = {"outcome": "abandoned", "wait_seconds": 30.0}
    land([contact(f"2026-05-{4 + n:02d} 11:00", f"m{n}", customer_key=f"m{n}", **missed)
          for n in range(20)], "missed")  # fmt: skip
    close_month("2026-05")
    with store.writing() as session:
        session.add_all(evaluation(row, 60.0 + n) for n, row in enumerate(rows[::2]))
    for row in query.measure(SYSTEM, tuple(kpis.BY_KEY), (), WHERE).itertuples():
        if row.value == row.value and row.kpi != "spend":
            targets.set_target(SYSTEM, row.kpi, str(row.value), period=MAY)
            _add_alert(row)


def _add_alert(row: Any) -> None:
    rule = AlertRule(kpi=row.kpi, kind="threshold", grain="month", side="above", threshold=-1.0,
                     periods=1, clear_after=2, created_by="system")  # fmt: skip
    with store.writing() as session:
        session.add(rule)
        session.flush()
        event = AlertEvent(rule_id=rule.id, fired="threshold", side=1, value=row.value, n=row.n,
                           first_day=MAY.first_day, starts_on=MAY.first_day,
                           ends_on=MAY.last_day)  # fmt: skip
        session.add(event)


@dataclass
class Person:
    """Somebody who reads, and what was read for them once."""

    name: str
    viewer: Viewer
    secret: str | None
    capsys: pytest.CaptureFixture[str]
    rows: dict[str, Any] = field(default_factory=dict)
    found: dict[str, Any] = field(default_factory=dict)

    def once(self, name: str, find: Callable[[], Any]) -> Any:
        if name not in self.found:
            self.found[name] = find()
        return self.found[name]

    def read(self, key: str) -> Any:
        if key not in self.rows:
            (self.rows[key],) = query.measure(self.viewer, (key,), (), WHERE).itertuples()
        return self.rows[key]


Reading = tuple[float | None, str | None, tuple[str, ...] | None]
"""Value, status and notes in words, as far as the exit tells them (None: it does not)."""


def read_tile(person: Person, key: str) -> Reading:
    tile = cards.build_tile(person.read(key), FilterState(where=WHERE))
    shown = formatting.value(person.read(key).value, kpis.BY_KEY[key].unit)
    said = tuple(text for text in note_texts.POPULATIONS.values() if text in tile.below)
    is_missing = tile.value.startswith(":gray[")
    assert is_missing or tile.value == shown
    return None if is_missing else person.read(key).value, None, said


def read_api(person: Person, key: str) -> Reading | None:
    if person.secret is None:
        return None
    asked = urlencode([("kpi", key), ("from", MAY.first_day), ("to", MAY.last_day)])
    status, _headers, body = Wire(None).ask(
        f"/api/kpi?{asked}", authorization=f"Bearer {person.secret}"
    )
    if status != 200:
        raise AccessDenied()
    return _from_json(json.loads(body))


def read_command(person: Person, key: str) -> Reading:
    person.capsys.readouterr()
    days = ["--from", str(MAY.first_day), "--to", str(MAY.last_day)]
    if run(["kpi", key, *days, "--as", person.name, "--json"]):
        raise AccessDenied()
    return _from_json(json.loads(person.capsys.readouterr().out))


def _from_json(document: Any) -> Reading:
    (row,) = document["rows"]
    return row["value"], row["status"], tuple(_say(row.get("notes", ())))


def _say(notes: Any) -> list[str]:
    return [note_texts.POPULATIONS[code] for code in notes if code in note_texts.POPULATIONS]


def read_file(person: Person, key: str, form: str) -> Reading:
    asked = exports.build_figure_parameters((key,), (), WHERE)
    content = exports.build_file(person.viewer, **asked, form=form).content
    if form == "csv":
        lines = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
        lines = lines[lines.index([]) + 1 :]
    else:
        lines = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0)
        lines = lines.to_python()
    line = dict(zip(lines[0], lines[1], strict=True))
    value = float(line["Value"]) if line["Value"] != "" else None
    said = tuple(text for text in note_texts.POPULATIONS.values() if text in line["Notes"])
    return value, line["Status"], said


def read_board(person: Person, key: str) -> Reading | None:
    if key not in board.KPIS or not person.viewer.can(Permission.SEE_BOARD):
        return None
    figures = person.once("board", lambda: board.find_figures(person.viewer, "1m"))
    person.once("pdf", lambda: board_pdf.build_pdf(figures))
    line = next(line for line in board.build_lines(figures) if line.kpi.key == key)
    known = tuple(text for text in line.notes if text in note_texts.POPULATIONS.values())
    return _none(line.row.value), line.row.status, known


def read_alert(person: Person, key: str) -> Reading | None:
    if not person.viewer.can(Permission.SEE_ALERTS):
        return None
    found = person.once("alerts", lambda: alerts.find(person.viewer))
    values = {event.rule.kpi: event.value for event in found}
    whole = query.measure(SYSTEM, (key,), (), WHERE).iloc[0]
    own = person.read(key)
    is_whole = (own.value, own.n) == (whole["value"], whole["n"])
    assert (key in values) == is_whole, "an alert is shown to whoever counts the same"
    return (values[key], None, None) if key in values else None


def read_target(person: Person, key: str) -> Reading | None:
    frame = query.measure(person.viewer, (key,), (), WHERE)
    (row,) = targets.add_gaps(person.viewer, frame, (), WHERE).itertuples()
    if row.target != row.target:
        return None
    return _none(row.gap if row.gap != row.gap else row.target + row.gap), None, None


def read_explanation(person: Person, key: str) -> Reading:
    one = query.explain(person.viewer, key, WHERE)
    if one.row.value is None and one.row.notes == ("missed_out_of_scope",):
        assert (one.universe, one.counted, one.excluded) == (None, None, ())
    return one.row.value, one.row.status, tuple(_say(one.row.notes))


def _none(value: float | None) -> float | None:
    return None if value is None or value != value else value


EXITS: Mapping[str, Callable[[Person, str], Reading | None]] = {
    "page": read_tile,
    "api": read_api,
    "command": read_command,
    **{form: lambda person, key, form=form: read_file(person, key, form) for form in FORMS},
    "pdf": read_board,
    "alert": read_alert,
    "target": read_target,
    "explain": read_explanation,
}


@pytest.fixture
def people(
    centre: Path,
    start_from: Callable[..., Any],
    add_person: Callable[..., str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, Person]:
    monkeypatch.setattr(kpi_api, "A_MINUTE", 100_000)
    monkeypatch.setattr(kpi_api, "LIMITS", kpi_api.Limits())
    start_from(land_centre)
    found = {}
    for name, (role, bounds) in PRINCIPALS.items():
        add_person(name, role, **bounds)
        secret = None
        if role in service_tokens.TOKEN_ROLES and "since" not in bounds:
            terms = AccountTerms(role, **bounds)
            secret = service_tokens.add(SYSTEM, f"t-{name}", terms).secret
        with store.reading() as session:
            found[name] = Person(name, accounts.get_viewer(session, name), secret, capsys)
    return found


def check(person: Person, key: str, exit_name: str) -> bool:
    """Read one KPI at one exit; return whether that exit has it."""
    read = EXITS[exit_name]
    if not person.viewer.can(kpis.BY_KEY[key].needs):
        if exit_name in ("alert", "target", "pdf"):
            return False
        if exit_name == "api" and person.secret is None:
            return False
        with pytest.raises(AccessDenied):
            read(person, key)
        return True
    expected = person.read(key)
    if key in (known := KNOWN.get(person.name, {})):
        assert _none(expected.value) == (
            None if known[key] is None else pytest.approx(known[key])
        ), (person.name, key)
        assert ("missed_out_of_scope" in expected.notes) == (known[key] is None)
    reading = read(person, key)
    if reading is None:
        return False
    value, status, said = reading
    where = f"{key} as {person.name} at {exit_name}"
    wanted = _none(expected.value)
    assert value == (None if wanted is None else pytest.approx(wanted, rel=1e-9)), where
    assert status in (None, expected.status), where
    assert said in (None, tuple(_say(expected.notes))), where
    return True


def test_every_kpi_reads_the_same_for_a_role_at_every_exit(people: dict[str, Person]) -> None:
    assert {role for role, _bounds in PRINCIPALS.values()} == set(GRANTS)
    ran = set()
    for place, key in enumerate(kpis.BY_KEY):
        for number, person in enumerate(people.values()):
            exit_name = list(EXITS)[(place + number) % len(EXITS)]
            if (place + number) % 2 and check(person, key, exit_name):
                ran |= {("kpi", key), ("exit", exit_name), (person.name, exit_name)}
            if key in ("answer_rate", "missed") and person.name in ("max", "maxi"):
                for other in EXITS:
                    check(person, key, other)
    assert {name for kind, name in ran if kind == "kpi"} == set(kpis.BY_KEY)
    assert {name for kind, name in ran if kind == "exit"} == set(EXITS)


def test_a_mail_and_a_screen_say_what_their_figures_leave_out(
    people: dict[str, Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.find_drill_file().touch()
    monkeypatch.setenv("QA_CLOCK", "2026-05-23T20:00")
    batch = {"kind": "contacts", "file_name": "x", "profile": "x", "options": {}, "actor": "x"}
    with store.writing() as session:
        session.add(ImportBatch(id="b", digest="x", system="generic", state="done",
                                finished_at=now(), **batch))  # fmt: skip
    sentences = {*_say(["missed_out_of_scope", "answered_only"])}
    # One of the two says it all.
    why = {*_say(["missed_out_of_scope"])}
    for name, expected in {"lea": why, "max": why, "maxi": set()}.items():
        mail = digests.build(people[name].viewer, "2026-W22")
        lines = {line for section in mail.sections for line in section.lines}
        assert lines & sentences == expected, name
        board = wallboard.build(people[name].viewer)
        [note] = [item.note for item in board.numbers if item.title == "Received today"]
        assert ("Only answered contacts" in note) == bool(expected), note


@pytest.mark.long
def test_every_kpi_reads_the_same_for_every_role_at_every_exit(people: dict[str, Person]) -> None:
    counted = sum(
        check(person, key, exit_name)
        for key in kpis.BY_KEY
        for person in people.values()
        for exit_name in EXITS
    )
    assert counted > 1_500


@pytest.mark.long
def test_every_kpi_is_explained_on_its_page_with_the_same_number(
    people: dict[str, Person], open_app: Callable[..., AppTest]
) -> None:
    for person in people.values():
        if not person.viewer.can(Permission.SEE_SCORES):
            continue
        for key in filter(lambda key: person.viewer.can(kpis.BY_KEY[key].needs), WHOLE):
            app = open_app(person.name, "explain", kpi=key, period="2026-05")
            value = person.read(key).value
            shown = formatting.value(value, kpis.BY_KEY[key].unit)
            missing = "hidden" if person.read(key).status == "suppressed" else "no data"
            assert app.metric[0].value == (f":gray[{missing}]" if value != value else shown), key
            for text in _say(person.read(key).notes):
                assert text in text_of(app)
