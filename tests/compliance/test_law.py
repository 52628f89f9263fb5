"""Every rule at every door: for each rule, a contact that breaks it alone, brought to each
door that the rule guards; and a contact that breaks none, which passes all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from builders import sounds
from builders.centres import add_people, contact, land
from builders.import_files import find_contacts
from builders.listening_centre import accredit, inform, keep_audio, open_gates

from qa_core import ingest
from qa_core.access import accounts
from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Misuse, Refusal
from qa_core.centre import settings
from qa_core.compliance import recordings
from qa_core.compliance.conditions import accreditations, gates, listened
from qa_core.compliance.recordings import law, playback
from qa_core.files.options import ImportOptions
from qa_core.metrics.kpis.dimensions import Period
from qa_core.metrics.law import evaluator_contact, listening_rights, sampling_frame
from qa_core.metrics.law.legal_obstacles import RULES, Exclusions, LegalAct, LegalFacts, judge_rows
from qa_core.storage.records import store
from qa_core.storage.records.listening import Playback, Recording
from qa_core.upkeep import subjects

SYSTEM = Viewer.SYSTEM
NOW = datetime(2026, 11, 20, 12)
FACTS = LegalFacts(
    NOW,
    date(2026, 1, 5),
    date(2026, 2, 1),
    date(2026, 5, 20),
    date(2025, 11, 20),
    {"told": date(2026, 3, 1), "late": date(2026, 11, 10)},
    Exclusions(frozenset({"+33144556677"}), frozenset({"delegate"}), frozenset({("s", "private")})),
)
GOOD = {"advisor_id": "told", "local_start": datetime(2026, 11, 1, 9), "notice_played": True}
BREAKS: dict[str, dict[str, Any]] = {
    "in_the_future": {"local_start": datetime(2026, 11, 20, 13)},
    "before_consultation": {"local_start": datetime(2026, 1, 4, 23), "advisor_id": None},
    "before_callers_informed": {"local_start": datetime(2026, 1, 31, 23), "advisor_id": None},
    "advisor_not_informed": {"advisor_id": "late"},
    "objected": {"customer_objected": True},
    "no_notice": {"notice_played": False},
    "stopped_by_advisor": {"stopped_by_advisor": True},
    "private_line": {"private_line": True},
    "excluded": {"tracking_number": "+33144556677"},
    "expired": {"local_start": datetime(2026, 5, 19, 9)},
    "too_old": {"local_start": datetime(2025, 11, 19, 9)},
    "proof": {"recording_purpose": "proof"},
    "machine": {"handled_by": "machine"},
}
"""What makes a good contact break that rule."""

BY_A_DAY = (
    "in_the_future",
    "before_consultation",
    "before_callers_informed",
    "advisor_not_informed",
)

FREE = {
    # A chat is judged by its words, and needs no recording.
    "expired": ("keep", "evaluate", "calibrate", "import"),
    # The period of analyses ends later than that of recordings, which ends these acts.
    "too_old": ("store", "keep", "draw", "pick", "play", "export"),
    # What a machine said may be kept and heard; nobody is judged by it.
    "machine": ("store", "keep", "play", "export"),
    # A day entered by mistake deletes no audio.
    **dict.fromkeys(BY_A_DAY, ("keep",)),
    "proof": ("keep",),
}
"""The acts that a rule does not forbid; every other one it does."""


def guards(code: str, act: LegalAct) -> bool:
    return act.value not in FREE.get(code, ())


CELLS = [(rule, act) for rule in BREAKS for act in LegalAct]


def test_every_rule_has_a_contact_that_breaks_it() -> None:
    assert {rule.code for rule in RULES} == set(BREAKS)


@pytest.mark.parametrize(("code", "act"), CELLS)
def test_a_broken_rule_is_named_where_it_guards_and_nowhere_else(
    centre: Path, code: str, act: LegalAct
) -> None:
    """13 rules × 9 acts."""
    facts = FACTS
    if code == "too_old":  # else the gates and the notice would be broken too
        facts = LegalFacts(NOW, None, None, date.min, FACTS.oldest_analysis, {"told": date.min})
    if code == "expired":
        facts = LegalFacts(
            NOW, None, None, FACTS.oldest_recording, date.min, FACTS.information_days
        )
    found = judge_rows(act, facts, [GOOD, GOOD | BREAKS[code]])

    assert found == [None, code if guards(code, act) else None], (
        "acts that the rule leaves free are named in FREE"
    )


@pytest.mark.parametrize("act", list(LegalAct))
def test_an_excluded_advisor_or_contact_passes_no_door_whatever_the_line(
    centre: Path, act: LegalAct
) -> None:
    informed = {**FACTS.information_days, "delegate": date(2026, 3, 1)}
    facts = replace(FACTS, information_days=informed)
    rows = [
        GOOD | {"advisor_id": "delegate"},
        GOOD | {"source_system": "s", "contact_id": "private"},
        GOOD | {"source_system": "other", "contact_id": "private"},
    ]

    assert judge_rows(act, facts, rows) == ["excluded", "excluded", None]


def test_a_missing_notice_keeps_a_contact_from_being_chosen_alone(centre: Path) -> None:
    unsaid = GOOD | {"notice_played": None}
    found = {act: judge_rows(act, FACTS, [unsaid])[0] for act in LegalAct}

    assert {act for act, code in found.items() if code == "no_notice"} == {
        LegalAct.DRAW,
        LegalAct.PICK,
    }
    assert set(found.values()) == {None, "no_notice"}


# The doors themselves: a centre with one contact, brought to each of them.

RECENT = datetime.combine(environment.today() - timedelta(days=3), datetime.min.time())
AT_DOOR: dict[str, dict[str, Any]] = {
    "in_the_future": {"local_start": RECENT + timedelta(days=40)},
    "advisor_not_informed": {"advisor_id": "A2"},
    "objected": {"customer_objected": True},
    "no_notice": {"notice_played": False},
    "stopped_by_advisor": {"stopped_by_advisor": True},
    "private_line": {"private_line": True},
    "excluded": {"tracking_number": "+33144556677"},
    "proof": {"recording_purpose": "proof"},
    "before_consultation": {},
    "before_callers_informed": {},
}


def build_lawful_centre(add_person: Callable[..., str]) -> None:
    add_people({"A1": "Ann", "A2": "Bob"}, {"Nord": "Lille"})
    add_person("lea", "team_lead", teams=("Nord",))
    add_person("eve", "evaluator")
    add_person("zoe", "evaluator")
    open_gates()
    accredit("lea", "eve", "zoe")
    inform("A1")


@pytest.fixture
def door(
    start_from: Callable[..., None],
    add_person: Callable[..., str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str | None], dict[str, Callable[[], str | None]]]:
    """Make the centre with a contact `c` that breaks a rule (None: none), and its doors:
    each tells why it stays shut, None where it opens.
    """
    folder = tmp_path_factory.mktemp("delivered")
    sounds.make(folder / "c.wav")

    def make(code: str | None, is_empty: bool = True) -> dict[str, Callable[[], str | None]]:
        if is_empty:
            start_from(build_lawful_centre, add_person)
        else:
            build_lawful_centre(add_person)
        broken = AT_DOOR.get(code or "", {})
        row = {"advisor_id": "A1", "team": "Nord", "notice_played": True, "talk_seconds": 60.0}
        start = broken.get("local_start", RECENT + timedelta(hours=9))
        rest = {name: value for name, value in broken.items() if name != "local_start"}
        if code == "excluded":
            subjects.exclude(SYSTEM, "representative", line="01 44 55 66 77")
        land([contact(start, "c", recorded=True, **row | rest)])
        if code in ("before_consultation", "before_callers_informed"):
            name = {"before_consultation": "works_council_consulted_on"}.get(
                code, "callers_informed_since"
            )
            gates.set_gate(SYSTEM, name, environment.today().isoformat())
        manifest = "file,contact_id,purpose,notice_played\nc.wav,c,quality,yes\n"
        scores = "contact_id,evaluator,evaluated_at,grid,score\n"
        scores += f"c,eve,{start:%Y-%m-%d} 18:00,Service,80\n"
        return {
            "store": lambda: bring(folder, "recordings", manifest),
            "import": lambda: bring(folder, "evaluations", scores),
            "play": lambda: play(folder),
            "calibrate": lambda: find_obstacle_of(LegalAct.CALIBRATE),
            "evaluate": lambda: find_obstacle_of(LegalAct.EVALUATE),
            "draw": lambda: find_obstacle_of(LegalAct.DRAW),
        }

    return make


def bring(folder: Path, kind: str, text: str) -> str | None:
    path = folder / f"{kind}.csv"
    path.write_text(text, encoding="utf-8")
    [report] = ingest.run(SYSTEM, kind, [path], ImportOptions())
    if report.is_refused:
        return ",".join(report.tally.reasons) or report.refusal.code
    return next(iter(report.tally.reasons), None)


def play(folder: Path) -> str | None:
    """Whether the team lead may play audio that came in before the rule was broken."""
    with store.one_import_at_a_time(), store.writing() as session:
        kept = keep_audio(session, "c", folder / "c.wav")
    with store.reading() as session:
        lead = accounts.get_viewer(session, "lea")
        try:
            recordings.require_playable(session, lead, kept.id, "quality")
        except AccessDenied:
            return "denied"
    return None


def find_obstacle_of(act: LegalAct) -> str | None:
    """What the room that does the act finds of the contact."""
    with store.reading() as session:
        legal = law.load(session)
    if act == LegalAct.CALIBRATE:
        found = listening_rights.find_listenable(SYSTEM, [("generic", "c")], legal)
        return None if found else "not_listenable"
    if act == LegalAct.EVALUATE:
        [(_id, start)] = find_contacts("local_start")
        key = ("generic", "c", start.date())
        with store.reading() as session:
            assigned = evaluator_contact.find_assigned(session, SYSTEM, *key, legal)
        return "withdrawn" if assigned and assigned.is_withdrawn else None
    first = environment.today() - timedelta(days=60)
    asked = sampling_frame.FrameQuery(
        Period(first, environment.today() + timedelta(days=60)), legal=legal
    )
    excluded = sampling_frame.find_frame(SYSTEM, asked).excluded
    return next((code for code, count in excluded.items() if count), None)


@pytest.mark.parametrize("code", [None, *AT_DOOR])
def test_every_door_is_shut_to_a_contact_that_breaks_a_rule(
    door: Callable[..., Any], code: str | None
) -> None:
    """11 contacts × 6 doors, each door a call of the room that does the act."""
    said = {name: enter() for name, enter in door(code).items()}

    if code is None:
        assert set(said.values()) == {None}
    else:
        assert None not in said.values(), said
        assert (said["store"], said["draw"]) == (code, code)


def test_an_accreditation_lasts_a_year_at_most(
    centre: Path, add_person: Callable[..., str]
) -> None:
    add_person("eve", "evaluator")
    with pytest.raises(Misuse):
        accreditations.accredit(SYSTEM, "eve", environment.today() + timedelta(days=367))
    assert accreditations.accredit(SYSTEM, "eve", environment.today() + timedelta(days=364))


def test_the_ceiling_counts_whatever_was_listened_to_and_stops_the_next_contact(
    centre: Path,
) -> None:
    add_people({"A1": "Ann"})
    today = environment.today()
    with store.writing() as session:
        settings.set_value(session, SYSTEM, "listening_ceiling", "3")
        for number in range(3):
            kept = Recording(
                source_system="s", contact_id=f"c{number}", advisor_id="A1", local_day=today,
                purpose="quality", digest="", media_type="", clear_bytes=0, seconds=1.0,
                recorded_at=listened_at(), delete_after=listened_at(),
            )  # fmt: skip
            session.add(kept)
            session.flush()
            session.add(
                Playback(
                    recording_id=kept.id, source_system="s", contact_id=f"c{number}",
                    advisor_id="A1", username="eve", purpose="quality", reason="r",
                )
            )  # fmt: skip

    with store.reading() as session:
        listened.require_room(session, ("s", "c1"), "A1")  # heard already: no more
        with pytest.raises(Refusal) as refused:
            listened.require_room(session, ("s", "new"), "A1")
    assert refused.value.code == "advisor_at_maximum"


def listened_at() -> datetime:
    return environment.now()


def test_a_reason_is_masked_before_it_is_kept(centre: Path) -> None:
    masked = playback._mask("training: Mme Dupont 06 11 22 33 44, a cancer")

    assert "Dupont" not in masked and "06 11" not in masked and "cancer" not in masked
    assert masked.startswith("training: ")


def test_an_evaluation_without_evaluator_and_one_behind_a_closed_gate_are_refused(
    door: Callable[..., Any], centre: Path
) -> None:
    text = "contact_id,evaluator,evaluated_at,grid,score\nc,,2026-11-01,Service,80\n"
    assert bring(centre, "evaluations", text) == "gate_closed"

    doors = door(None, is_empty=False)

    assert bring(centre, "evaluations", text) == "no_evaluator"
    assert doors["import"]() is None
