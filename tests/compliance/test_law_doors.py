"""Rules of the law at every door: whatever writes contacts, recordings, playbacks, draws or
evaluations is registered, and each rule is tried at each door that it concerns.
"""

from __future__ import annotations

import ast
import importlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from builders.centres import add_people, contact, land
from builders.import_files import run_confirmed
from builders.listening_centre import accredit, build_draw, inform, keep_audio, open_gates
from builders.running_centre import judge_rule
from builders.sounds import make
from streamlit.testing.v1 import AppTest

from qa_core.access import accounts
from qa_core.access.roles import Viewer
from qa_core.base import doors, environment, i18n
from qa_core.base.errors import AccessDenied, Misuse, Refusal
from qa_core.centre import settings
from qa_core.cli.app import run
from qa_core.compliance import audit_report, proportionality, recordings, restrictions
from qa_core.compliance.conditions import accreditations, gates, listened, recording_classes
from qa_core.compliance.documents import drafting, facts
from qa_core.compliance.recordings import deletion, sealed
from qa_core.ingest.load import rollback
from qa_core.metrics.kpi.measure import measure
from qa_core.metrics.law import legal_obstacles
from qa_core.metrics.law.legal_obstacles import Exclusions
from qa_core.quality import calibration, sampling, scorecards
from qa_core.quality.evaluations import drafts
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.evaluations import Evaluation
from qa_core.storage.records.listening import (
    DrawnContact,
    ListeningPlan,
    Playback,
    Recording,
    SealedOpening,
)
from qa_core.storage.records.people import Account, Advisor, AdvisorAlias
from qa_core.upkeep import backup, purge, restore, subjects

SYSTEM = Viewer.SYSTEM
START = datetime.combine(environment.today() - timedelta(days=3), time(9))
LINE, CALLER = "+33144559999", "0611223344"
NAMES = ("c", "e", "s")
"""Contacts of Ann: `c` has audio, `e` is drawn for Eve, `s` is to get audio."""

WRITTEN = {"Recording", "Playback", "Evaluation", "DrawnContact", "CalibrationContact"}
WRITERS = {*WRITTEN, "merge_contacts"}


# The register.


def find_writers() -> Iterator[tuple[str, str]]:
    """Find every function that makes such a row, or merges contacts, and what it makes."""
    for path in sorted((environment.PROJECT / "qa_core").rglob("*.py")):
        module = ".".join(path.relative_to(environment.PROJECT).with_suffix("").parts)

        def walk(node: ast.AST, names: tuple[str, ...], module: str = module) -> Any:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names = (*names, node.name)
            if isinstance(node, ast.Call):
                target = node.func
                called = getattr(target, "id", getattr(target, "attr", None))
                if called == "insert" and node.args:
                    called = getattr(node.args[0], "id", None)
                if called in WRITERS:
                    yield f"{module}.{'.'.join(names)}", called
            for child in ast.iter_child_nodes(node):
                yield from walk(child, names)

        text = path.read_text(encoding="utf-8")
        if any(name in text for name in WRITERS):
            yield from walk(ast.parse(text), ())


def test_whatever_writes_these_tables_is_a_registered_door() -> None:
    tables = {"merge_contacts": "contacts"}
    tables |= {"Recording": "recording", "Playback": "playback", "Evaluation": "evaluation"}
    tables |= {"DrawnContact": "drawn_contact", "CalibrationContact": "calibration_contact"}
    writers = {name: tables[made] for name, made in find_writers()}
    for name in writers:
        module = name
        while not (environment.PROJECT / f"{module.replace('.', '/')}.py").exists():
            module = module.rpartition(".")[0]
        importlib.import_module(module)
    assert writers == doors.DOORS
    assert set(TRIED) | set(NOT_TRIED) == set(doors.DOORS)


# Doors: each returns why it stays shut, or None.

TRIED = {
    "qa_core.compliance.recordings.deletion.add": ("store",),
    "qa_core.compliance.recordings.playback._enter": ("play",),
    "qa_core.quality.sampling.draws.build_drawn_row": ("draw", "pick"),
    "qa_core.quality.evaluations.drafts.open_draft": ("evaluate",),
    "qa_core.quality.evaluations.imports.EvaluationImporter.import_one": ("import",),
    "qa_core.quality.calibration.sessions.build_contacts": ("calibrate",),
    "qa_core.ingest.load.load.load_contacts": ("contacts",),
}
NOT_TRIED = {
    "qa_core.cli.demo.evaluations._mark": "scores of a calibration whose contacts were judged",
    "qa_core.ingest.load.load.load_attachments": "writes no column that a rule reads but the "
    "line, see test_exclusions",
    "qa_core.ingest.matching.pending_rows._join_batch": "as load_attachments",
    "qa_core.ingest.rules.rectified.keep": "corrections: forbidden audio goes with them",
    "qa_core.ingest.rules.apply._apply_to_contacts": "merged names and teams, see test_exclusions",
}
"""Doors that no rule of the matrix concerns, or that are tried elsewhere."""


@pytest.fixture
def centre_of_ann(
    start_from: Callable[..., Any],
    add_person: Callable[..., str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The centre of `build_centre_of_ann`; returns a folder with two sounds beside it."""
    folder = tmp_path_factory.mktemp("delivered")
    for name in ("c", "s"):
        make(folder / f"{name}.wav", tone=300 if name == "c" else 700)
    start_from(build_centre_of_ann, add_person, folder)
    return folder


def build_centre_of_ann(add_person: Callable[..., str], folder: Path) -> None:
    """Ann's contacts, one with audio and one drawn; Eve and Tom evaluate, Lea leads."""
    add_people({"A1": "Ann"}, {"Nord": "Lille"})
    add_person("lea", "team_lead", teams=("Nord",))
    add_person("mona", "manager", sites=("Lille",))
    for name in ("eve", "tom"):
        add_person(name, "evaluator")
    open_gates()
    accredit("lea", "eve", "tom")
    inform("A1")
    scorecards.publish_starter(SYSTEM, "customer-service")
    row = {"advisor_id": "A1", "team": "Nord", "notice_played": True, "talk_seconds": 60.0}
    land([contact(START, name, recorded=True, **row) for name in NAMES])
    plan = {"name": "m", "purpose": "evaluation", "from": START.date() - timedelta(days=20)}
    plan |= {"to": environment.today(), "grid": "customer-service", "per_advisor": 2}
    sampling.add_plan(SYSTEM, plan | {"maximum_per_advisor": 6, "evaluators": ["eve"]})
    with store.writing() as session:
        keep_audio(session, "c", folder / "c.wav")
        draw = build_draw("mona", plan_id=session.scalar(sa.select(ListeningPlan.id)))
        drawn = {"source_system": "generic", "contact_id": "e", "local_start": START}
        drawn |= {"position": 1, "advisor_id": "A1", "team": "Nord", "evaluator": "eve"}
        draw.contacts = [DrawnContact(**drawn)]
        session.add(draw)


def viewer_of(username: str) -> Viewer:
    with store.reading() as session:
        return accounts.get_viewer(session, username)


def bring(folder: Path, kind: str, text: str) -> str | None:
    path = folder / f"{kind}.csv"
    path.write_text(text, encoding="utf-8")
    [report] = run_confirmed(SYSTEM, kind, [path])
    if report.is_refused:
        return ",".join(report.tally.reasons) or report.refusal.code
    kinds = (*report.tally.reasons, *report.tally.skipped_kinds)
    return next(iter(kinds), None)


def enter(act: Callable[[], object]) -> str | None:
    try:
        act()
    except AccessDenied:
        return "denied"
    except (Refusal, Misuse) as refusal:
        return refusal.params.get("outside") or refusal.code
    return None


def draw() -> None:
    drawn = sampling.draw(SYSTEM, "m", 1)
    if "c" not in {item.contact_id for item in drawn.drawn}:
        raise Refusal("not_drawn", f"excluded: {dict(drawn.excluded)}")


def play() -> None:
    with store.reading() as session:
        newest = sa.select(Recording.id).where(Recording.contact_id == "c")
        number = session.scalar(Unscoped(newest.order_by(Recording.id.desc()), "a test"))
        recordings.require_playable(session, viewer_of("lea"), number, "evaluation")


def evaluate() -> None:
    with store.reading() as session:
        drawn = sa.select(DrawnContact.id).where(DrawnContact.contact_id == "e")
        number = session.scalar(Unscoped(drawn, "a test"))
    drafts.start(viewer_of("eve"), number)


def calibrate() -> None:
    with store.reading() as session:
        grid = scorecards.find_newest_published(session, "customer-service").id
    calibration.open_session(viewer_of("mona"), "m", grid, ["eve", "tom"], [("generic", "c")])


def try_doors(folder: Path, score: str = "c,eve", criterion: str = "score") -> dict[str, Any]:
    """Try every door on Ann's contacts: what each said."""
    manifest = "file,contact_id,purpose,notice_played\ns.wav,s,training,yes\n"
    scores = f"contact_id,evaluator,evaluated_at,grid,{criterion}\n"
    moment = environment.to_local(environment.now()) + timedelta(minutes=1)
    scores += f"{score},{moment:%Y-%m-%d %H:%M:%S},Service,80\n"
    return {
        "store": bring(folder, "recordings", manifest),
        "draw": enter(draw),
        "pick": enter(lambda: sampling.pick(SYSTEM, "generic", "c", "complaint", "tom")),
        "play": enter(play),
        "evaluate": enter(evaluate),
        "calibrate": enter(calibrate),
        "import": bring(folder, "evaluations", scores),
    }


# The rules, each broken by what a file, the officer or a person does.


def object_in_a_file(folder: Path) -> None:
    rows = "".join(f"{name},{START:%Y-%m-%d %H:%M},{{0}}\n" for name in NAMES)
    head = "contact_id,started_at,customer_objected\n"
    assert bring(folder, "contacts", head + rows.format("yes")) is None
    assert bring(folder, "contacts", head + rows.format("no")) is None


def object_as_an_advisor(_folder: Path) -> None:
    subjects.object_to(SYSTEM, advisors=["A1"])


def exclude_the_line(folder: Path) -> None:
    subjects.exclude(SYSTEM, "representative", line=LINE)
    rows = "".join(f"{name},{START:%Y-%m-%d %H:%M},0611223344,{LINE}\n" for name in NAMES)
    assert bring(folder, "contacts", "contact_id,started_at,caller,called\n" + rows) is None


def enter_class(months: int = 60) -> None:
    with store.writing() as session:
        text = f"proof={months} Code civil, art. 2224"
        settings.set_value(session, SYSTEM, "recording_classes", text)


def seal(folder: Path) -> None:
    """Keep all of them as proof, and none for quality."""
    enter_class()
    with store.one_import_at_a_time(), store.writing() as session:
        recordings.delete_of(session, [("generic", "c")], "undone", "a test")
    rows = "".join(f"c.wav,{name},proof,yes\n" for name in ("c", "e"))
    assert bring(folder, "recordings", "file,contact_id,class,notice_played\n" + rows) is None


def change_purposes(_folder: Path) -> None:
    """Audio was kept for training, which is in force no more."""
    with store.writing() as session:
        session.execute(sa.update(Recording).values(purpose="training"))
    gates.set_gate(SYSTEM, "purposes", "evaluation,quality")


def fill_the_month(_folder: Path) -> None:
    """Somebody has listened to Ann today, to a contact of two months ago; one is the maximum."""
    with store.writing() as session:
        settings.set_value(session, SYSTEM, "listening_ceiling", "1")
        older = {"source_system": "generic", "contact_id": "older", "advisor_id": "A1"}
        kept = Recording(
            **older, local_day=environment.today() - timedelta(days=60), purpose="quality",
            digest="", media_type="", clear_bytes=0, seconds=1.0, recorded_at=now(),
            delete_after=now(), deleted_at=now(),
        )  # fmt: skip
        session.add(kept)
        session.flush()
        heard = {"username": "lea", "purpose": "quality", "reason": "r"}
        session.add(Playback(recording_id=kept.id, **older, **heard))


def end_accreditations(_folder: Path) -> None:
    for entry in accreditations.find_all(SYSTEM):
        accreditations.end(SYSTEM, entry.id)
    accounts.add(SYSTEM, "zoe", "evaluator", password="Violet-Harbour-27-lamps")
    accredit("zoe")


def call_the_evaluators_as_the_advisor(_folder: Path) -> None:
    """Eve's account has her name, Tom's is Ann's by another spelling; none is bound to Ann."""
    with store.writing() as session:
        name = {"display_name": "ANN, Bel"}
        session.execute(sa.update(Account).where(Account.username == "eve").values(name))
        session.execute(sa.update(Advisor).values(name="Bel Ann"))
        session.add(AdvisorAlias(key="tom", alias="Tom", advisor_id="A1"))


ALL = {"store", "draw", "pick", "play", "evaluate", "calibrate", "import"}
RULES: dict[str, tuple[Callable[[Path], None], set[str]]] = {
    "R3 of a caller": (object_in_a_file, ALL),
    "R3 of an advisor": (object_as_an_advisor, ALL),
    "R9": (exclude_the_line, ALL),
    # A copy for quality may be kept beside.
    "R23": (seal, ALL - {"store"}),
    # An evaluation needs no recording.
    "R1": (change_purposes, {"store", "draw", "pick", "play"}),
    # Imported evaluations are counted, and the rule is red; a playback of a session is refused.
    "R2": (fill_the_month, {"draw", "pick", "play", "evaluate"}),
    "R7": (end_accreditations, ALL - {"store"}),
    # Nobody evaluates themselves; who listens and who opens a session is somebody else.
    "R18": (call_the_evaluators_as_the_advisor, {"draw", "pick", "evaluate", "import"}),
}


def test_without_a_broken_rule_every_door_is_open(centre_of_ann: Path) -> None:
    """7 doors. The draw and the pick take the same contact, so that the second finds it taken."""
    said = try_doors(centre_of_ann)
    assert said == dict.fromkeys(said) | {"pick": "already_drawn"}


@pytest.mark.parametrize("rule", RULES)
def test_a_broken_rule_shuts_every_door_that_it_concerns(centre_of_ann: Path, rule: str) -> None:
    """8 rules × 7 doors."""
    break_it, concerned = RULES[rule]
    break_it(centre_of_ann)
    said = try_doors(centre_of_ann)
    assert {name for name, why in said.items() if why and why != "already_drawn"} == concerned, said


def test_a_program_an_advisor_and_emotions_make_no_evaluation(centre_of_ann: Path) -> None:
    """R18 and R20 concern one door: a file."""
    assert try_doors(centre_of_ann, "c,speech-analytics")["import"] == "unknown_evaluator"
    accounts.add(SYSTEM, "ann", "advisor", advisor_id="A1", password="Violet-Harbour-27-lamps")
    assert try_doors(centre_of_ann, "c,ann")["import"] == "never_evaluates"
    head = "contact_id,evaluator,evaluated_at,grid,criterion,points,possible\n"
    row = f"c,eve,{environment.today()} 10:00,Service,Sentiment,3,5\n"
    assert bring(centre_of_ann, "evaluations", head + row) == "emotion_criteria"


# R2: counted by the month of the listening, in every month that is kept.


def test_imported_evaluations_beyond_the_maximum_count_and_turn_the_rule_red(
    centre_of_ann: Path,
) -> None:
    fill_the_month(centre_of_ann)
    assert try_doors(centre_of_ann)["import"] is None
    with store.reading() as session:
        [month] = listened.find_month(session).count().items()
        assert month == ("A1", 3)  # the playback, the evaluation, and the one drawn for Eve
        assert proportionality.find_above(session) == {f"{environment.today():%Y-%m}": 1}
    verdict = judge_rule("R2")
    assert verdict.state == "not_in_order" and "monthly maximum" in verdict.finding.missing
    names = [
        item.name
        for item in proportionality.find(SYSTEM, f"{environment.today():%Y-%m}").above_maximum
    ]
    assert names == ["Ann"]


def test_the_maximum_holds_for_what_was_listened_to_a_year_ago_too(centre_of_ann: Path) -> None:
    start = datetime.combine(proportionality.find_first_day(), time(12))
    with store.writing() as session:
        settings.set_value(session, SYSTEM, "listening_ceiling", "3")
        for number in range(4):
            moment = environment.now().replace(tzinfo=None) and start.astimezone()
            session.add(
                Evaluation(
                    external_key=f"k{number}", state="published", kind="scored", purpose="quality",
                    advisor_id="A1", local_day=start.date() - timedelta(days=60),
                    evaluated_at=moment, evaluator="eve", score=80.0,
                )
            )  # fmt: skip
    with store.reading() as session:
        assert proportionality.find_above(session) == {f"{start:%Y-%m}": 1}


def test_a_share_above_the_centres_own_is_to_do_until_the_officer_says_why(
    centre_of_ann: Path,
) -> None:
    row = {"advisor_id": "A1", "team": "Nord", "outcome": "answered"}
    older = datetime.combine(environment.today().replace(day=1) - timedelta(days=40), time(9))
    land([contact(older, f"o{n}", recorded=n < 4, **row) for n in range(10)], "older")

    with store.reading() as session:
        shares = proportionality.find_above_share(session, SYSTEM)
    assert shares[f"{older:%Y-%m}"] == 0.4
    with store.writing() as session:
        settings.set_value(session, SYSTEM, "recording_share_percent", "40")
    with store.reading() as session:
        assert f"{older:%Y-%m}" not in proportionality.find_above_share(session, SYSTEM)
    with store.writing() as session:
        settings.set_value(session, SYSTEM, "recording_share_percent", "30")
        settings.set_value(session, SYSTEM, "recording_share_reason", "few contacts")
    with store.reading() as session:
        assert proportionality.find_above_share(session, SYSTEM) == {}


# R23: sealed, with its own period.


def test_a_sealed_recording_has_its_own_period_and_counts_in_no_rate(centre_of_ann: Path) -> None:
    seal(centre_of_ann)
    today = environment.today()
    assert (
        purge.purge(SYSTEM, today + timedelta(days=200), dry_run=True).deleted.get(
            "sealed_recordings"
        )
        is None
    )
    late = purge.purge(SYSTEM, today + timedelta(days=366 * 5), dry_run=True).deleted
    assert late["sealed_recordings"] == 2
    shares = proportionality.find(SYSTEM).centre
    assert (shares.answered_contacts, shares.recorded_contacts) == (1, 1)  # `s` alone
    enter_class(1)  # a shorter period holds for what is stored
    assert (
        purge.purge(SYSTEM, today + timedelta(days=62), dry_run=True).deleted["sealed_recordings"]
        == 2
    )


def test_an_objection_leaves_what_an_obligation_keeps(centre_of_ann: Path) -> None:
    seal(centre_of_ann)
    assert subjects.object_to(SYSTEM, contacts=[("generic", "c")]).recordings == 0
    with store.reading() as session:
        assert {item.contact_id for item in deletion.find_live(session)} == {"c", "e"}


def bring_callers(folder: Path, header: str = "caller") -> None:
    """Bring Ann's contacts again: all are of one caller."""
    head = f"contact_id,started_at,{header},advisor,team,notice_played\n"
    rows = "".join(f"{name},{START:%Y-%m-%d %H:%M},{CALLER},A1,Nord,yes\n" for name in NAMES)
    assert bring(folder, "contacts", head + rows) is None


@pytest.mark.owner
def test_an_erasure_leaves_what_an_obligation_keeps_and_says_so(
    centre_of_ann: Path, add_person: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    """GDPR art. 17(3)(b). Ann's caller has one recording for quality and two as proof."""
    bring_callers(centre_of_ann)
    seal(centre_of_ann)
    sound = "file,contact_id,purpose,notice_played\nc.wav,c,training,yes\n"
    assert bring(centre_of_ann, "recordings", sound) is None
    last = deletion.add_months(START.date(), 60)
    held = {"class": "proof", "until": last.isoformat(), "contacts": ["generic/c", "generic/e"]}

    assert run(["subject", "erase", "--customer", CALLER, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["erased"] | {"recording": 1, "contacts": 3} == document["erased"]
    assert document["kept"] == [held]
    [entry] = audit_report.find_entries(SYSTEM, action="customer_erased")
    assert entry.reason == f"kept: 2 proof until {last}"
    assert {item.kept_as for item in find_kept()} == {"proof"}

    # Whoever is the advisor: the page says it, too.
    said = subjects.erase_and_count(SYSTEM, advisor="A1").describe()
    assert f"2 recordings are kept, sealed, under the class proof until {last.day} " in said
    with i18n.in_language("fr"):
        said = subjects.describe_kept(deletion.KeptRecordings("proof", last, ("generic/c",)))
    assert said.startswith("1 enregistrement est conservé, scellé, sous la classe proof jusqu’au")

    # The officer opens it as before, and it goes on its own day.
    add_person("dora", "dpo")
    number = sealed.ask(viewer_of("dora"), None, "c", "a dispute of the contract")
    sealed.agree(viewer_of("mona"), number)
    content = sealed.build_file(viewer_of("dora"), number, "audio").content
    assert content.startswith(b"RIFF")
    assert purge.purge(SYSTEM, last).deleted.get("sealed_recordings") is None
    assert purge.purge(SYSTEM, last + timedelta(days=1)).deleted["sealed_recordings"] == 2
    assert find_kept() == []


def test_a_recording_of_an_erased_customer_comes_again_for_its_obligation_alone(
    centre_of_ann: Path,
) -> None:
    """An undone import takes what it brought, also sealed; the file may come again."""
    bring_callers(centre_of_ann)
    seal(centre_of_ann)
    subjects.erase(SYSTEM, customer=subjects.find_customer(CALLER))
    [batch] = {item.batch_id for item in find_kept()}
    rollback.rollback(batch, "dora")
    assert find_kept() == []
    bring_callers(centre_of_ann, "customer")  # the contacts count, without their customer
    sound = "file,contact_id,{},notice_played\nc.wav,c,{},yes\n"
    purpose = bring(centre_of_ann, "recordings", sound.format("purpose", "training"))
    assert purpose == "deleted_before"
    assert bring(centre_of_ann, "recordings", sound.format("class", "proof")) is None
    assert [item.kept_as for item in find_kept()] == ["proof"]


def find_kept() -> list[Recording]:
    with store.reading() as session:
        return deletion.find_live(session)


def test_a_sealed_recording_is_opened_by_two_with_a_reason(
    centre_of_ann: Path, add_person: Callable[..., str]
) -> None:
    seal(centre_of_ann)
    add_person("dora", "dpo")
    add_person("max", "manager", sites=())
    dora, mona = viewer_of("dora"), viewer_of("mona")
    with pytest.raises(Refusal):
        sealed.ask(dora, None, "c", " ")
    with pytest.raises(AccessDenied):
        sealed.ask(mona, None, "c", "a dispute of the contract")
    number = sealed.ask(dora, None, "c", "a dispute of the contract")
    with pytest.raises(AccessDenied):
        sealed.build_file(dora, number, "audio")
    with pytest.raises(AccessDenied):
        sealed.ask(dora, None, "unknown", "a dispute of the contract")
    asker = replace(mona, username="dora")  # who asked cannot agree, whatever they are by then
    for nobody in (dora, viewer_of("max"), viewer_of("lea"), asker):
        with pytest.raises(AccessDenied):
            sealed.agree(nobody, number)
    assert [item.reason for item in sealed.find_all(mona)] == ["a dispute of the contract"]
    assert sealed.find_all(viewer_of("max")) == []

    sealed.agree(mona, number)
    assert sealed.build_file(dora, number, "audio").content.startswith(b"RIFF")
    with pytest.raises(AccessDenied):
        sealed.build_file(mona, number, "audio")
    aged = deletion.add_months(START.date(), -61)  # the period of its class is five years
    for change in (
        sa.update(SealedOpening).values(confirmed_at=now() - timedelta(days=8)),
        sa.update(Recording).values(local_day=aged),
    ):
        with store.writing() as session:
            session.execute(sa.update(SealedOpening).values(confirmed_at=now()))
            session.execute(change)
        with pytest.raises(AccessDenied):
            sealed.build_file(dora, number, "audio")
    with store.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Playback)) == 0


def test_an_opening_is_listed_while_it_is_open_and_says_when_it_is_not(
    centre_of_ann: Path, add_person: Callable[..., str], open_app: Callable[..., AppTest]
) -> None:
    seal(centre_of_ann)
    dora, mona = viewer_of(add_person("dora", "dpo")), viewer_of("mona")
    number = sealed.ask(dora, None, "c", "a dispute of the contract")

    def age(**columns: int) -> None:
        with store.writing() as session:
            moments = {name: now() - timedelta(days=days) for name, days in columns.items()}
            session.execute(sa.update(SealedOpening).values(moments))

    def read() -> str:
        app = open_app("dora", "listening_rules", section="rights")
        return " ".join(item.value for item in app.caption)

    assert "A manager has to agree" in read()
    sealed.agree(mona, number)
    age(asked_at=16, confirmed_at=6)
    assert [item.is_open for item in sealed.find_all(dora)] == [True]
    age(confirmed_at=8)
    assert "Ask again to open it" in read()

    sealed.agree(mona, number)  # from a page that was open since
    with pytest.raises(AccessDenied):
        sealed.build_file(dora, number, "audio")
    age(confirmed_at=15)
    assert sealed.find_all(dora) == []


def test_a_sealed_recording_of_a_restricted_contact_waits_and_says_why(
    centre_of_ann: Path, add_person: Callable[..., str], open_app: Callable[..., AppTest]
) -> None:
    """GDPR art. 18: it is kept, and nothing else is done with it until the officer lifts it."""
    seal(centre_of_ann)
    dora, mona = viewer_of(add_person("dora", "dpo")), viewer_of("mona")
    first = sealed.ask(dora, None, "c", "a dispute of the contract")
    sealed.agree(mona, first)
    second = sealed.ask(dora, None, "c", "the same dispute")
    subjects.restrict(SYSTEM, contact=("generic", "c"), reason="contested")

    assert sealed.find_all(mona) == []
    with pytest.raises(AccessDenied):
        sealed.agree(mona, second)
    with pytest.raises(AccessDenied):
        sealed.build_file(dora, first, "audio")
    said = " ".join(
        item.value for item in open_app("dora", "listening_rules", section="rights").caption
    )
    assert said.count("No manager can agree before you lift the restriction") == 2

    [restriction] = restrictions.find_all(SYSTEM)
    subjects.lift(SYSTEM, restriction.id, "settled")
    sealed.agree(mona, second)
    assert sealed.build_file(dora, first, "audio").content.startswith(b"RIFF")


def test_whatever_reads_audio_asks_whether_its_period_is_over() -> None:
    sources = [path.read_text() for path in (environment.PROJECT / "qa_core").rglob("*.py")]
    readers = [source for source in sources if "vault.read(" in source]
    assert len(readers) == 3 and all("is_over(session, recording)" in source for source in readers)


@pytest.mark.parametrize("text", ["mifid", "mifid=85 basis", "training=60 basis", "mifid=60"])
def test_a_class_needs_a_name_a_period_and_a_legal_basis(centre: Path, text: str) -> None:
    with store.writing() as session, pytest.raises(Misuse):
        settings.set_value(session, SYSTEM, "recording_classes", text)
    with store.writing() as session:
        settings.set_value(session, SYSTEM, "recording_classes", "mifid=60 CMF; proof=24 CC")
    with store.reading() as session:
        classes = recording_classes.find_all(session)
    assert [(item.name, item.months, item.legal_basis) for item in classes.values()] == [
        ("mifid", 60, "CMF"),
        ("proof", 24, "CC"),
    ]


# A restored backup.


def restore_into_nothing(file: Path) -> None:
    home = environment.current().folder
    store.close()
    for part in backup.PARTS:
        path = home / part
        path.unlink() if path.is_file() else [p.unlink() for p in path.rglob("*") if p.is_file()]
    restore.restore(SYSTEM, file)


@pytest.mark.sqlite("backup refuses records in PostgreSQL")
def test_a_restored_backup_keeps_what_an_erasure_left_and_nothing_else(
    centre_of_ann: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    bring_callers(centre_of_ann)
    seal(centre_of_ann)
    sound = "file,contact_id,purpose,notice_played\nc.wav,c,training,yes\n"
    assert bring(centre_of_ann, "recordings", sound) is None
    file = tmp_path_factory.mktemp("kept") / "backup"
    backup.back_up(SYSTEM, file)
    subjects.erase(SYSTEM, customer=subjects.find_customer(CALLER))
    restore_into_nothing(file)
    assert [(item.contact_id, item.kept_as) for item in find_kept()] == [
        ("c", "proof"),
        ("e", "proof"),
    ]


@pytest.mark.sqlite("backup refuses records in PostgreSQL")
def test_a_restored_backup_keeps_objections_of_files_and_advisors(
    centre_of_ann: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("kept") / "backup"
    backup.back_up(SYSTEM, file)
    object_in_a_file(centre_of_ann)
    object_as_an_advisor(centre_of_ann)
    restore_into_nothing(file)
    assert {name for name, why in try_doors(centre_of_ann).items() if why} == ALL


# Mutants: a check that is taken away opens a door.


@contextmanager
def without(target: Any, name: str, value: Any) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(target, name, value)
        yield


def disable_rules(*codes: str) -> tuple[Any, ...]:
    return tuple(
        replace(rule, is_broken=lambda _facts: sa.false()) if rule.code in codes else rule
        for rule in legal_obstacles.RULES
    )


MUTANTS: dict[str, tuple[str, Any, str, Callable[[], Any]]] = {
    "no room is required": ("R2", listened, "require_room", lambda: lambda *_: None),
    "objections are not judged": (
        "R3 of a caller", legal_obstacles, "RULES", lambda: disable_rules("objected"),
    ),
    "exclusions are not judged": (
        "R3 of an advisor", Exclusions, "build_test", lambda: lambda _self: sa.false(),
    ),
    "private lines are not judged": (
        "R9", legal_obstacles, "RULES", lambda: disable_rules("private_line"),
    ),
    "sealed contacts are not judged": (
        "R23", legal_obstacles, "RULES", lambda: disable_rules("proof"),
    ),
    "accreditations are not judged": (
        "R7", accreditations, "require", lambda: lambda *_args, **_more: None,
    ),
}  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_check_that_is_taken_away_is_noticed(centre_of_ann: Path, mutant: str) -> None:
    rule, target, name, build = MUTANTS[mutant]
    break_it, concerned = RULES[rule]
    break_it(centre_of_ann)
    with without(target, name, build()):
        said = try_doors(centre_of_ann)
    assert {name for name, why in said.items() if why and why != "already_drawn"} != concerned


@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_document_that_names_the_period_of_recordings_names_the_longer_ones(
    centre_of_ann: Path, language: str
) -> None:
    def read_all() -> dict[str, str]:
        with i18n.in_language(language):
            found = facts.read()
            return {
                name: str(drafting.draft(name, found))
                for name in ("register", "impact_assessment", "caller_notice", "caller_messages")
            }

    before = read_all()
    assert not any("art. 2224" in text for text in before.values())
    enter_class()
    after = read_all()
    assert all("60" in text and "art. 2224" in text for text in after.values())


def test_a_sealed_recording_whose_class_is_taken_away_is_to_do(centre_of_ann: Path) -> None:
    judge = partial(judge_rule, "R23")
    seal(centre_of_ann)
    assert judge().state == "in_order"
    with store.writing() as session:
        settings.set_value(session, SYSTEM, "recording_classes", "other=12 a law")
    assert judge().state == "to_do" and judge().finding.evidence.endswith("2 of 2")


def test_the_rates_of_recording_and_listening_leave_out_a_longer_obligation(
    centre_of_ann: Path,
) -> None:
    row = {"advisor_id": "A1", "team": "Nord", "recorded": True}
    land([contact(START, "p", recording_purpose="mifid", **row)], "proofs")
    land(
        [contact(START, "q", recording_purpose="Formation, Qualité", **row | {"recorded": False})],
        "q",
    )
    rows = measure(SYSTEM, ("recording_rate", "listened_rate")).set_index("kpi")
    assert [rows["numerator"]["recording_rate"], rows["n"]["recording_rate"]] == [3, 4]
    assert rows["n"]["listened_rate"] == 3
