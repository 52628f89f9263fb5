"""The access matrix, seen to run: each principal at each exit, on own and on foreign rows.
`matrix.toml` has the exits of each permission, and who may meet which marks of the centre.
"""

from __future__ import annotations

import importlib
import inspect
import io
import itertools
import json
import re
import tomllib
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pandas as pd
import pytest
import sqlalchemy as sa
from builders import demo_centre, marked_centre
from builders.centres import ENVIRONMENT
from builders.marked_centre import Mark, Marks
from builders.public_functions import find_public_functions
from builders.visitors import PASSWORD
from builders.wires import Wire
from streamlit.runtime.state.common import TESTING_KEY
from streamlit.testing.v1 import AppTest
from tools import documents

from qa_core.access import accounts, service_tokens, sessions
from qa_core.access.accounts import AccountTerms
from qa_core.access.roles import Permission, Role, Viewer
from qa_core.base import environment, signed_links
from qa_core.base.errors import Refusal
from qa_core.cli import demo
from qa_core.cli.app import run
from qa_core.metrics import downloads
from qa_core.metrics.kpis import get_kpi
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.listening import CoachingPlan, Recording
from qa_core.storage.records.people import ManagedSite
from qa_core.ui import asgi
from qa_core.ui.frame import menu

MATRIX = tomllib.loads(Path(__file__).with_name("matrix.toml").read_text(encoding="utf-8"))
DOORS = tomllib.loads(Path(__file__).with_name("doors.toml").read_text(encoding="utf-8"))
STRANGER = "stranger"
PRINCIPALS: list[str] = MATRIX["principals"]
PAGES = list(menu.all_pages())
EMPTY = re.compile("No data yet|No complete month yet|No month has been |Nothing in |^Choose an? ")
"""Words of a page where there is nothing to show."""


@dataclass
class Ran:
    """Cells that were run, exit by exit; own marks that were met, and foreign ones."""

    cells: Counter[str] = field(default_factory=Counter)
    own: Counter[str] = field(default_factory=Counter)
    foreign: list[str] = field(default_factory=list)

    def count(self, exit_name: str, cells: int = 1) -> None:
        self.cells[exit_name] += cells

    def __str__(self) -> str:
        return (
            f"cells run {self.cells.total()} {dict(self.cells)}, own marks {self.own.total()}, "
            f"foreign rows {len(self.foreign)}"
        )


@dataclass(frozen=True)
class Centre:
    """The marked centre: its folder, its marks, and who is who in it."""

    folder: Path
    marks: Marks
    viewers: Mapping[str, Viewer]
    passwords: Mapping[str, str]

    def search(self, ran: Ran, principal: str, where: str, text: str, typed: str = "") -> None:
        """Search a text for marks; those that the principal typed say nothing."""
        viewer = self.viewers.get(principal)
        known = self.marks.find(typed) if typed else set()
        for mark in self.marks.find(text) - known:
            if may_meet(mark, principal, viewer):
                ran.own[principal] += 1
            else:
                ran.foreign.append(f"{where} as {principal}: {mark.kind} {mark.text}")

    def choose(self, kind: str, viewer: Viewer, is_own: bool) -> str:
        """Choose a mark of that kind that belongs to the viewer, or to somebody else."""
        return next(
            mark.text
            for mark in self.marks.by_text.values()
            if mark.kind == kind
            and mark.belongs_to(viewer) == is_own
            and (kind != "contact" or (mark.text.startswith("T") and mark.advisors))
        )

    def choose_advisor(self, viewer: Viewer, is_own: bool) -> str:
        name = self.choose("advisor", viewer, is_own)
        return next(iter(self.marks.by_text[name].advisors))

    def choose_evaluation(self, viewer: Viewer, is_own: bool) -> int:
        return int(
            next(
                re.findall(r"\d+", mark.text)[0]
                for mark in self.marks.by_text.values()
                if mark.text.startswith("Zqanswer") and mark.belongs_to(viewer) == is_own
            )
        )

    def choose_plan(self, viewer: Viewer, is_own: bool) -> int:
        goal = next(
            mark.text
            for mark in self.marks.by_text.values()
            if mark.text.startswith("Zqgoal") and mark.belongs_to(viewer) == is_own
        )
        with store.reading() as session:
            statement = sa.select(CoachingPlan.id).where(CoachingPlan.goal == goal)
            return session.scalar(Scoped(statement, Viewer.SYSTEM))


def may_meet(mark: Mark, principal: str, viewer: Viewer | None) -> bool:
    """Return whether the table lets that principal meet the mark."""
    whose = MATRIX["marks"][mark.kind].get(principal)
    return whose == "all" or (whose == "own" and mark.belongs_to(viewer))


@pytest.fixture(scope="module")
def marked(
    tmp_path_factory: pytest.TempPathFactory, build_once: Callable[..., Any]
) -> Iterator[Centre]:
    """The marked centre; nothing below writes to it but who read what."""
    folder = tmp_path_factory.mktemp("marked")
    with pytest.MonkeyPatch.context() as patch:
        for name in ENVIRONMENT:
            patch.delenv(name, raising=False)
        patch.setenv("QA_HOME", str(folder))

        def build() -> Marks:
            demo_centre.fill(folder, build_once)
            return marked_centre.build()

        marks = build_once("marked", folder, build)
        find_kinds()
        known = {entry["username"]: entry["password"] for entry in demo.sign_ins()}
        known[marked_centre.MANAGER_OF_SITE] = PASSWORD
        people = {entry["role"]: entry["username"] for entry in reversed(demo.sign_ins())}
        people[Role.MANAGER] = marked_centre.MANAGER_OF_SITE
        with store.reading() as session:
            viewers = {role: accounts.get_viewer(session, name) for role, name in people.items()}
        yield Centre(folder, marks, viewers, known)


@pytest.fixture
def at_home(marked: Centre, centre: Path, monkeypatch: pytest.MonkeyPatch) -> Centre:
    """The marked centre, with its records in SQLite, as the centre of this test."""
    monkeypatch.setenv("QA_HOME", str(marked.folder))
    monkeypatch.delenv("QA_DATABASE_URL", raising=False)
    return marked


def find_addresses(centre: Centre, page: menu.MenuPage, viewer: Viewer) -> Iterator[dict[str, str]]:
    """Find queries under which the page has something to show, the reader's own first, then
    what belongs to others.
    """
    choosers: dict[str, Callable[[bool], dict[str, str]]] = {
        "contact": lambda own: {"system": "telephony", "id": centre.choose("contact", viewer, own)},
        "advisor": lambda own: {"id": centre.choose_advisor(viewer, own)},
        "evaluation": lambda own: {"id": str(centre.choose_evaluation(viewer, own))},
    }
    if page.key in choosers:
        yield from map(choosers[page.key], (True, False))
        return
    yield {"kpi": "evaluation_score"} if page.key == "explain" else {}
    if page.key == "coaching":
        yield {"plan": str(centre.choose_plan(viewer, False))}
    elif page.filters and "team" in page.filters and page.key in ("overview", "contacts"):
        yield {"team": centre.choose("team", viewer, False)}


@pytest.mark.parametrize("principal", PRINCIPALS)
def test_no_page_shows_a_row_of_somebody_else(
    principal: str,
    at_home: Centre,
    open_app: Callable[..., AppTest],
    caplog: pytest.LogCaptureFixture,
) -> None:
    ran, viewer, fetched = Ran(), at_home.viewers.get(principal), set()
    # A reader of the whole centre comes first, so that the caches are full of foreign rows.
    for key in ("overview", "first_contact", "advisors", "contacts"):
        if viewer and menu.find_page(key).is_open_to(viewer):
            open_app("manager", key, at_home.passwords["manager"])
    if viewer is None:
        for page in PAGES:
            app = open_app(None, page.key)
            assert [widget.label for widget in app.text_input] == ["Username", "Password"]
            assert not app.title and not app.sidebar.button, page.key
            at_home.search(ran, principal, page.key, marked_centre.read_frames(app))
            ran.count("pages", 2)
    else:
        password = at_home.passwords[viewer.username]
        wire = Wire(viewer.username, password)
        for page in PAGES:
            ran.count("pages", 2)
            if not page.is_open_to(viewer):
                continue
            own, *others = find_addresses(at_home, page, viewer)
            app = open_app(viewer.username, page.key, password, **own)
            assert not app.exception and not app.error, (page.key, principal)
            assert app.title, (page.key, principal)
            assert "Sign out" in [button.label for button in app.sidebar.button], page.key
            said = [text.value for text in (*app.markdown, *app.info)]
            if (page.key, principal) != ("calibration", Role.MANAGER):  # none of one site alone
                assert not [text for text in said if EMPTY.search(text)], (page.key, principal)
            at_home.search(ran, principal, page.key, marked_centre.read_frames(app))
            fetch_files(at_home, ran, principal, page.key, app, wire, fetched)
            for query in others:
                app = open_app(viewer.username, page.key, password, **query)
                typed = " ".join(query.values())
                at_home.search(ran, principal, page.key, marked_centre.read_frames(app), typed)
        closed = [page for page in PAGES if not page.is_open_to(viewer)]
        app = open_app(viewer.username, None, password)
        for page in closed:
            with pytest.raises(ValueError, match="Could not find a navigation page"):
                app.switch_page(page.path)
    assert not at_home.marks.find(caplog.text), "the log names somebody"
    ran.count("log", 2)
    print(ran, Counter(kind for kind, _parameters in fetched))
    assert not ran.foreign, "\n".join(sorted(set(ran.foreign)))
    assert ran.cells == {"pages": 2 * len(PAGES), "log": 2}
    assert (len(fetched) > 0) == (viewer is not None and any(map(viewer.can, EXPORTING)))
    assert (ran.own[principal] > 0) == (principal not in (Role.EXECUTIVE, STRANGER))


@pytest.mark.long
@pytest.mark.parametrize("principal", [one for one in PRINCIPALS if one != STRANGER])
def test_no_choice_on_a_page_shows_a_row_of_somebody_else(
    principal: str, at_home: Centre, open_app: Callable[..., AppTest]
) -> None:
    ran, viewer = Ran(), at_home.viewers[principal]
    password = at_home.passwords[viewer.username]
    wire, fetched = Wire(viewer.username, password), set()
    for page in PAGES:
        if not page.is_open_to(viewer):
            continue
        own = next(find_addresses(at_home, page, viewer))
        for kind, position, choice in find_choices(
            open_app(viewer.username, page.key, password, **own)
        ):
            app = open_app(viewer.username, page.key, password, **own)
            widget = getattr(app, kind)[position]
            # A choice is told by its label, as the browser tells it.
            app.session_state[TESTING_KEY][widget.id] = str
            widget.set_value([choice] if isinstance(widget.value, list) else choice)
            app.run()
            assert not app.exception, (page.key, widget.label, choice)
            where = f"{page.key} {widget.label} {choice}"
            at_home.search(ran, principal, where, marked_centre.read_frames(app))
            ran.count("choices")
            fetch_files(at_home, ran, principal, where, app, wire, fetched)
    print(ran, Counter(kind for kind, _parameters in fetched))
    assert not ran.foreign, "\n".join(sorted(set(ran.foreign)))
    assert ran.cells["choices"] > 5
    assert (len(fetched) > 0) == any(map(viewer.can, EXPORTING))


EXPORTING = (
    Permission.EXPORT_FIGURES,
    Permission.EXPORT_CONTACTS,
    Permission.SEE_JOURNAL,
    Permission.SEE_SCORECARDS,
)


def fetch_files(
    centre: Centre,
    ran: Ran,
    principal: str,
    where: str,
    app: AppTest,
    wire: Wire,
    fetched: set[tuple[str, str]],
) -> None:
    """Fetch each file that a page has a link to and that was not fetched yet, and search it."""
    for link in app.get("link_button"):
        ticket = link.proto.url.removeprefix("/download/")
        if ticket == link.proto.url:
            continue
        linked = signed_links.unseal("download", ticket)
        kind, parameters = linked["kind"], linked["with"]
        if (file := (kind, json.dumps(parameters, sort_keys=True))) in fetched:
            continue
        fetched.add(file)
        assert wire.ask(f"/download/{ticket}")[0] == 404, "another session's link"
        own = downloads.make_ticket(wire.signed_in, kind, **parameters)
        status, _headers, body = wire.ask(f"/download/{own}")
        assert status == 200, (where, kind, parameters)
        centre.search(ran, principal, f"{where} {kind}", unpack(body), str(parameters))


def find_choices(app: AppTest) -> Iterator[tuple[str, int, Any]]:
    """Find what else can be chosen on a page: widget, its place among its like, the choice. A
    choice in a form changes nothing until the form is sent.
    """
    for kind in ("selectbox", "button_group", "radio", "multiselect"):
        for position, widget in enumerate(getattr(app, kind)):
            for choice in widget.options if not widget.form_id else ():
                if choice != widget.value:
                    yield kind, position, choice
    for kind in ("toggle", "checkbox"):
        for position, widget in enumerate(getattr(app, kind)):
            if widget.form_id:
                continue
            yield kind, position, not widget.value


ASKING = "A003"
"""Advisor of the demo centre who asked for a copy of their data."""
READS = re.compile(
    "(find|get|read|list|count|explain|measure|judge|verify|data|team_medians|contact_columns|"
    "build_(file|numbers|contacts)|describe|is_listener|choices)"
)
"""First words of the names of functions that only read."""
OF_OBJECTS = {"metrics.kpi.measure.find_rows"}
"""Take declared KPIs, not their keys."""
MEASURED = ("received", "csat", "evaluation_score")


def find_questions() -> Iterator[tuple[str, Any, list[str]]]:
    """Find every public function that reads for a viewer and whose other arguments have a
    value in `list_arguments`.
    """
    known = set(list_arguments_of_nobody())
    for module, function in find_public_functions():
        names = [one.arg for one in function.args.args]
        needed = names[1 : len(names) - len(function.args.defaults)]
        if (
            names[:1] == ["viewer"]
            and not module.startswith("cli.")
            and READS.match(function.name)
            and f"{module}.{function.name}" not in OF_OBJECTS
            and set(needed) <= known
        ):
            loaded = importlib.import_module(f"qa_core.{module}")
            yield f"{module}.{function.name}", getattr(loaded, function.name), needed


def list_arguments_of_nobody() -> dict[str, tuple[Any, ...]]:
    """List the values of arguments that name nobody."""
    return {
        "period": (Period(),),
        "where": (Filters(),),
        "filters": (Filters(),),
        "kpi": ("csat",),
        "kpis": (("csat",), ("evaluation_score",)),
        "dimension": ("team", "advisor", "evaluator", "queue"),
        "column": ("actor", "action"),
        "kind": ("advisor", "queue"),
        "number": (1, 2),
        "draw_id": (1, 2),
        "grid_id": (1,),
        "plan": ("demo-2026-10", "demo-2026-11"),
        "name": ("works_council", "records_of_processing"),
        "find_overdue": (lambda: {},),
    } | dict.fromkeys(("advisor_id", "source_system", "contact_id", "evaluation_id", "plan_id"), ())


def list_arguments(centre: Centre, viewer: Viewer, is_own: bool) -> dict[str, tuple[Any, ...]]:
    """List the values of arguments: what belongs to the viewer, or what does not."""
    whose = {Role.EXECUTIVE: False, Role.DPO: False, Role.ADMIN: False}.get(viewer.role, is_own)
    return list_arguments_of_nobody() | {
        "advisor_id": (centre.choose_advisor(viewer, whose),)
        if viewer.role != Role.EVALUATOR
        else (ASKING,),
        "source_system": ("telephony",),
        "contact_id": (centre.choose("contact", viewer, whose),),
        "evaluation_id": (centre.choose_evaluation(viewer, whose),),
        "plan_id": (centre.choose_plan(viewer, False if viewer.role == Role.EVALUATOR else whose),),
    }


def describe(answer: Any) -> str:
    """Write out all that an answer holds."""
    if isinstance(answer, pd.DataFrame):
        return answer.to_csv()
    if isinstance(answer, downloads.Download):
        return unpack(answer.content)
    if inspect.isgenerator(answer) or isinstance(answer, (list, tuple, set, frozenset)):
        return " ".join(map(describe, answer))
    if isinstance(answer, dict):
        return " ".join(f"{describe(key)} {describe(value)}" for key, value in answer.items())
    return repr(answer)


def unpack(content: bytes) -> str:
    """Read a file as text, with whatever it packs."""
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return content.decode("utf-8", errors="replace")
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        return " ".join(unpack(packed.read(name)) for name in packed.namelist())


def test_no_function_answers_with_a_row_of_somebody_else(at_home: Centre) -> None:
    ran, answers = Ran(), Counter()
    questions = list(find_questions())
    for principal, viewer in at_home.viewers.items():
        own = list_arguments(at_home, viewer, True)
        for is_own in (True, False):
            given = own if is_own else list_arguments(at_home, viewer, False)
            for name, function, needed in questions:
                ran.count("functions")
                if not is_own and all(given[one] == own[one] for one in needed):
                    continue  # the same answer was just searched for foreign rows
                for values in itertools.product(*(given[one] for one in needed)):
                    try:
                        answer = describe(function(viewer, *values))
                        answers[principal] += 1
                    except Refusal as refusal:
                        answer = f"{refusal!r} {refusal} {refusal.__dict__}"
                    typed = " ".join(map(str, values))
                    at_home.search(ran, principal, name, answer, typed)
    print(ran, dict(answers))
    assert not ran.foreign, "\n".join(sorted(set(ran.foreign)))
    assert ran.cells["functions"] == 14 * len(questions) and len(questions) > 100
    assert all(answers[principal] > 20 for principal in at_home.viewers)


def test_no_command_tells_a_person_a_row_of_somebody_else(
    at_home: Centre, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = Ran()
    for principal in PRINCIPALS:
        viewer = at_home.viewers.get(principal)
        name = viewer.username if viewer else "nobody"
        kpis = [kpi for kpi in MEASURED if viewer and viewer.can(get_kpi(kpi).needs)]
        cuts = [["--by", cut] for cut in ("team", "advisor", "evaluator", "queue")]
        foreign = [["--where", f"team={team}"] for team in find_foreign_teams(at_home, viewer)]
        asked = {
            "kpi": [["kpi", *(kpis or MEASURED), *rest] for rest in ([], ["--explain"], *cuts)],
            "alerts list": [["alerts", "list"]],
            "irritants list": [["irritants", "list"]],
            "token list": [["token", "list"]],
        }
        asked["kpi"] += [["kpi", *(kpis or MEASURED), *rest] for rest in foreign]
        for command, lines in asked.items():
            for line in lines:
                acts = count_acts(name)
                code = run([*line, "--as", name, "--json"])
                assert count_acts(name) - acts == (viewer is not None), "the audit log says who"
                told = capsys.readouterr()
                needs = find_permissions("commands", command)
                if viewer is None or not any(map(viewer.can, needs)):
                    assert code == 1 or not json.loads(told.out)["alerts"], (line, principal)
                at_home.search(ran, principal, " ".join(line), told.out + told.err, " ".join(line))
            ran.count("commands", 2)
    print(ran)
    assert not ran.foreign, "\n".join(sorted(set(ran.foreign)))
    assert ran.cells == {"commands": 64}
    assert ran.own["manager"] and ran.own["team_lead"]


def count_acts(username: str) -> int:
    """Count the commands that an operator ran as that person, in the audit log."""
    with store.reading() as session:
        as_them = (JournalRow.action == "acted_as", JournalRow.object == username)
        return session.scalar(sa.select(sa.func.count()).select_from(JournalRow).where(*as_them))


def find_foreign_teams(centre: Centre, viewer: Viewer | None) -> list[str]:
    teams = [mark.text for mark in centre.marks.by_text.values() if mark.kind == "team"]
    return teams[:1] if viewer is None else [one for one in teams if one not in viewer.teams][:1]


def find_permissions(kind: str, name: str) -> list[Permission]:
    """Find the permissions under which the table has that exit."""
    return [
        Permission(key) for key, exits in MATRIX["exits"].items() if name in exits.get(kind, ())
    ]


def test_no_file_that_leaves_holds_a_row_of_somebody_else(at_home: Centre) -> None:
    ran = Ran()
    for principal in PRINCIPALS:
        viewer = at_home.viewers.get(principal)
        for kind in find_kinds():
            ran.count("downloads", 2)
            if viewer is None:
                continue  # the address: test_no_address_answers_a_stranger_or_another_session
            signed_in = sessions.SignedIn(viewer, 1, False)
            [needed] = find_permissions("downloads", kind)
            for parameters in list_parameters(at_home, viewer, kind):
                try:
                    ticket = downloads.make_ticket(signed_in, kind, **parameters)
                    answer = unpack(downloads.open_ticket(signed_in, ticket).content)
                    assert viewer.can(needed), (kind, principal)
                except Refusal as refusal:
                    answer = str(refusal)
                if kind == "copy_of_person" and principal == Role.DPO:
                    # The person asked for whatever is theirs, and nothing else is in it.
                    own = replace(viewer, role=Role.ADVISOR, advisor_id=ASKING)
                    assert all(mark.belongs_to(own) for mark in at_home.marks.find(answer))
                    continue
                at_home.search(ran, principal, kind, answer, str(parameters))
    print(ran)
    assert not ran.foreign, "\n".join(sorted(set(ran.foreign)))
    assert ran.cells == {"downloads": 2 * 8 * 13}
    assert ran.own["manager"] and ran.own["team_lead"] and ran.own["advisor"]


def find_kinds() -> list[str]:
    """Find every kind of file, as a server that has shown no page knows them."""
    asgi.load_download_rooms()
    return sorted(downloads.KINDS)


def list_parameters(centre: Centre, viewer: Viewer, kind: str) -> list[dict[str, Any]]:
    """List parameters of a download: for the viewer's own rows, then for others'."""
    days = {"first_day": "", "last_day": ""}
    team = [["team", find_foreign_teams(centre, viewer)]]
    asked: dict[str, list[dict[str, Any]]] = {
        "figures": [
            {"kpis": ["evaluation_score"], "by": by, "values": values, **days}
            for by in ([], ["team"], ["advisor"], ["evaluator"])
            for values in ([], team)
        ],
        "contacts": [
            {"behind": "", "order": "-local_start", "values": values, **days}
            for values in ([], team)
        ],
        "board": [{"months": months} for months in ("1m", "12m")],
        "numbers": [days],
        "document": [
            {"name": name, "language": "fr", "form": "docx"}
            for name in ("works_council", "records_of_processing")
        ],
        "grid": [{"grid_id": 1}],
        "training_file": [
            {"advisor_id": list_arguments(centre, viewer, own)["advisor_id"][0]}
            for own in (True, False)
        ],
        "sample": [{"name": "contacts", "form": "csv"}],
        "copy_of_person": [{"number": number, "form": "zip"} for number in (1, 2)],
        "purge_certificate": [{"number": 1, "form": "docx"}],
        "sealed_recording": [{"number": 1, "form": "audio"}],
    }
    return asked.get(kind, [{}])


def test_no_address_answers_a_stranger_or_another_session(at_home: Centre) -> None:
    ran, played = Ran(), set()
    with store.reading() as session:
        statement = sa.select(Recording.id).where(Recording.file_name.is_not(None))
        recorded = session.scalars(Scoped(statement, Viewer.SYSTEM)).all()
    wires = {
        principal: Wire(viewer and viewer.username, at_home.passwords.get(viewer.username, ""))
        if (viewer := at_home.viewers.get(principal))
        else Wire(None)
        for principal in PRINCIPALS
    }
    linked: dict[str, tuple[str, dict[str, Any]]] = {
        "admin": ("grid", {"grid_id": 1}),
        "manager": ("irritants", {}),
        "dpo": ("journal", {}),
    }
    for principal, wire in wires.items():
        viewer = at_home.viewers.get(principal)
        for owner, (kind, given) in linked.items():
            # Made anew for each who asks: a link is good for a minute.
            ticket = downloads.make_ticket(wires[owner].signed_in, kind, **given)
            status, headers, body = wire.ask(f"/download/{ticket}")
            assert status == (200 if owner == principal else 404), (owner, principal)
            assert re.fullmatch(
                r"text/(csv|plain); charset=utf-8|application/toml", headers["content-type"]
            )
            assert owner != principal or "attachment" in headers["content-disposition"]
            at_home.search(ran, principal, "download", unpack(body))
        for recording in recorded:
            for purpose in ("training", "quality", "own"):
                try:
                    address = wire.ticket(recording, purpose, "a reason") if viewer else "/audio/x"
                except Refusal as refusal:
                    at_home.search(ran, principal, "audio", str(refusal))
                    continue
                for other in {principal, "team_lead", STRANGER}:
                    status = wires[other].ask(address)[0]
                    assert status == (200 if viewer and other == principal else 404)
                if viewer:
                    played.add((principal, purpose, recording))
        for address in ("/sign-in/nobody", "/sign-in/nobody/callback"):
            assert wire.ask(address)[0] == 403
        assert wire.ask("/sign-in/nobody/logout", method="POST")[0] == 400
        assert wire.ask("/api/kpi?kpi=received")[0] == 401  # a session is no token
        status = wire.ask("/_stcore/upload_file/session/file", method="PUT")[0]
        may_upload = viewer is not None and any(map(viewer.can, asgi.UPLOADERS))
        assert status == (404 if may_upload else 403), principal
        ran.count("addresses", 2 * 7)
    print(ran, sorted(played))
    assert not ran.foreign, "\n".join(sorted(set(ran.foreign)))
    assert ran.cells == {"addresses": 112}
    heard = {(principal, recording) for principal, _purpose, recording in played}
    assert heard == {
        *(("team_lead", recording) for recording in recorded),
        *(("evaluator", recording) for recording in (1, 2, 3)),  # drawn for them, or calibrated
        *(("advisor", recording) for recording in (2, 4, 5, 7, 9)),  # theirs, evaluated
    }


def test_the_api_answers_a_token_with_no_row_of_somebody_else(at_home: Centre) -> None:
    ran = Ran()
    with store.reading() as session:
        managed = session.scalars(
            sa.select(ManagedSite.site_name).where(
                ManagedSite.username == at_home.viewers["manager"].username
            )
        ).all()
    bounds = {
        "executive": {},
        "manager": {"sites": tuple(managed)},
        "team_lead": {"teams": tuple(sorted(at_home.viewers["team_lead"].teams))},
    }
    for principal, limits in bounds.items():
        terms = AccountTerms(Role(principal), **limits)
        secret = service_tokens.add(Viewer.SYSTEM, f"matrix-{principal}", terms).secret
        for request in accounts.find_requests(at_home.viewers["dpo"]):
            accounts.confirm(at_home.viewers["dpo"], request.id)
        viewer, statuses = at_home.viewers[principal], []
        foreign = find_foreign_teams(at_home, viewer)
        for rest in (
            "",
            "&explain=1",
            *(f"&by={cut}" for cut in ("team", "advisor", "evaluator", "queue", "month")),
            *(f"&where={quote(f'team={team}')}" for team in foreign),
        ):
            for kpi in MEASURED:
                address = f"/api/kpi?kpi={kpi}{rest}"
                status, _headers, body = Wire(None).ask(address, authorization=f"Bearer {secret}")
                statuses.append(status)
                at_home.search(ran, principal, address, body.decode(), unquote(address))
                ran.count("api", 2)
        assert 200 in statuses and set(statuses) <= {200, 400, 403}, statuses
    print(ran)
    assert not ran.foreign, "\n".join(sorted(set(ran.foreign)))
    assert ran.own["manager"] and ran.own["team_lead"]


def test_the_table_has_every_exit_under_its_permission() -> None:
    exits, everybody = MATRIX["exits"], MATRIX["everybody"]
    assert list(exits) == list(Permission)
    assert set(PRINCIPALS) == {*Role, STRANGER} and len(PRINCIPALS) == len(Role) + 1
    for page in PAGES:
        where = everybody if page.permission is None else exits[page.permission]
        assert page.key in where["pages"], page.key
    assert count(exits, "pages") + len(everybody["pages"]) == len(PAGES)
    assert {name for one in exits.values() for name in one.get("parts", ())} <= {
        page.key for page in PAGES
    }
    assert {kind: downloads.KINDS[kind].permission for kind in find_kinds()} == {
        kind: permission for permission, one in exits.items() for kind in one.get("downloads", ())
    }
    commands = dict(documents.find_commands())
    read_as = {
        words
        for words, command in commands.items()
        if any("--as" in option.opts for option in command.params)
    }
    assert {name for one in exits.values() for name in one.get("commands", ())} == read_as
    assert set(MATRIX["operator"]["commands"]) == set(commands) - read_as
    addresses = {name for one in exits.values() for name in one.get("addresses", ())}
    assert addresses | set(everybody["addresses"]) == {route.path for route in asgi.ROUTES}


def test_every_permission_has_an_exit_and_a_server_knows_every_kind_of_file() -> None:
    doors = {needed for module in DOORS.values() for one in module.values() for needed in one}
    assert [key for key, one in MATRIX["exits"].items() if not one and key not in doors] == []
    declaring = [
        ".".join(path.relative_to(environment.PROJECT / "qa_core").with_suffix("").parts)
        for path in (environment.PROJECT / "qa_core").rglob("*.py")
        if re.search(r"^downloads\.declare\(", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert sorted(declaring) == sorted(asgi.DOWNLOAD_ROOMS)


def count(exits: Mapping[str, Any], kind: str) -> int:
    return sum(len(one.get(kind, ())) for one in exits.values())
