"""Random small centres: contacts, evaluations, listenings, settings and calibrations."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase

from builders.centres import add_people, contact, evaluation
from qa_core.access.roles import Viewer
from qa_core.centre import settings as declared_settings
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.evaluations import Evaluation, ScorecardVersion
from qa_core.storage.records.listening import Calibration, CalibrationContact, Playback, Recording
from qa_core.storage.records.settings import SettingValue

FIRST = datetime(2026, 3, 10, 8)  # the clock changes on 29 March


DAYS = 45


TEAMS = {"Nord": "Lille", "Sud": "Nice", "Est": "Lille", "Libre": None}


ADVISORS = {"a1": "Ann", "a2": "Bob", "a3": "Ann", "a4": "Dan"}


CRITERIA = {("Welcome", "greets"): 2.0, ("Welcome", "names"): 1.0, ("Close", "sums_up"): 3.0}


CRITICAL = {"names": "compliance", "sums_up": "customer"}


GRID = 1


Contact = dict[str, Any]


# A seed cannot be shrunk: what fails is reported as it was drawn.
LOOSELY = {"suppress_health_check": list(HealthCheck), "phases": (Phase.explicit, Phase.generate)}


def make_contacts(draw: random.Random, size: int) -> list[Contact]:
    made = []
    for position in range(size):
        # Few moments and few customers, so that equal times and exact windows occur.
        clock = FIRST + timedelta(hours=draw.randrange(DAYS * 24), seconds=draw.choice((0, 0, 1)))
        outcome = draw.choice(
            ("answered",) * 6 + ("abandoned", "unanswered", "timeout", "voicemail", "closed", None)
        )
        answered = outcome == "answered"
        system = draw.choice(("alpha", "beta"))
        handler = draw.choice((None, None, "person", "machine", "machine_then_person"))
        by_advisor = answered and handler != "machine"
        made.append(
            contact(
                clock,
                f"c{position:03d}",
                source_system=system,
                direction=draw.choice(("inbound", "inbound", "inbound", "outbound", None)),
                channel=draw.choice(("phone", "chat")),
                queue=draw.choice(("sales", "care", None)),
                reason=draw.choice(("invoice", "delivery", None)),
                outcome=outcome,
                advisor_id=draw.choice(tuple(ADVISORS)) if by_advisor else None,
                handled_by=handler,
                handover_wait_seconds=draw.choice((2.0, 20.0, 45.0, None))
                if handler == "machine_then_person"
                else None,
                team=draw.choice((*TEAMS, None)),
                customer_key=draw.choice(("k1", "k2", "k3", "k4", "k5", None)),
                wait_seconds=draw.choice((0.0, 3.0, 5.0, 5.5, 20.0, 20.25, 60.0, None)),
                talk_seconds=draw.choice((30.0, 100.0, 200.5, None)) if answered else None,
                hold_seconds=draw.choice((0.0, 10.0, None))
                if answered and system == "alpha"
                else None,
                wrap_seconds=draw.choice((5.0, 15.0)) if answered else None,
                transfers=draw.choice((0, 0, 1, 2, None)),
                declared_resolved=draw.choice((True, True, False, None)) if answered else None,
                source=draw.choice(("google", "bing", None)),
                tracking_match=draw.choice(("id", "number", None)),
                campaign=draw.choice(("spring", None)),
                survey_sent=draw.choice((True, True, False, None)),
                **draw.choice(
                    (
                        {"csat": draw.choice((1.0, 4.0, 5.0)), "csat_scale": "1-5"},
                        {"csat": draw.choice((7.0, 8.0, 9.5)), "csat_scale": "1-10"},
                        {},
                    )
                ),
                nps=draw.choice((0.0, 6.0, 7.0, 9.0, 10.0, None, None)),
                ces=draw.choice((1.0, 4.0, 5.0, 7.0, None, None)),
                survey_resolved=draw.choice((True, False, None)),
                survey_contacts=draw.choice((1, 2, None)),
                recorded=draw.choice((True, False, None)),
            )
        )
    return made


def make_evaluations(draw: random.Random, contacts: list[Contact]) -> list[Evaluation]:
    evaluated = [row for row in contacts if row["advisor_id"] and draw.random() < 0.3]
    again = evaluated[: len(evaluated) // 3]  # two evaluations of one contact
    made = []
    for row in evaluated + again:
        answers = {
            key: (draw.choice((0.0, possible / 2, possible, None)), possible)
            for key, possible in CRITERIA.items()
            if draw.random() < 0.8
        }
        answers = {
            key: (earned, 0.0 if earned is None else possible)
            for key, (earned, possible) in answers.items()
        }
        score = draw.choice((40.0, 72.5, 100.0, None))
        outcome = draw.choice(("pass", "fail", None))
        made.append(
            evaluation(
                row,
                score,
                answers,
                evaluator=draw.choice(("eve", "max")),
                outcome=outcome,
                state=draw.choice(("published", "published", "draft")),
                grid_id=draw.choice((GRID, None)),
            )
        )
    return made


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("centre")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QA_HOME", str(folder))
        patch.delenv("QA_TIMEZONE", raising=False)
        store.migrate()
        add_people(ADVISORS, TEAMS)
        criteria = [
            {"key": key, "points": 1.0, **({"critical": CRITICAL[key]} if key in CRITICAL else {})}
            for _, key in CRITERIA
        ]
        with store.writing() as session:
            session.add(
                ScorecardVersion(
                    id=GRID,
                    key="service",
                    title="Service",
                    content={"section": [{"name": "All", "criterion": criteria}]},
                )
            )
        yield folder


def fresh_lake(folder: Path, patch: pytest.MonkeyPatch) -> None:
    number = sum(1 for _ in folder.glob("lake*"))
    (folder / f"lake{number}").mkdir()
    patch.setenv("QA_LAKE_URL", str(folder / f"lake{number}"))


def choose_settings(draw: random.Random) -> Callable[[date], declared_settings.Settings]:
    """Settings that change twice within the centre's days, half of the time."""
    changes: list[tuple[date | None, str, str]] = [
        (None, "service_level_formula", draw.choice(declared_settings.SERVICE_LEVEL_FORMULAS))
    ]
    if draw.random() < 0.5:
        changes += [
            (date(2026, 3, 22), "first_contact_days", "3"),
            (date(2026, 4, 5), "service_level_seconds", "60"),
            (date(2026, 4, 5), "short_abandon_seconds", "3"),
        ]
        changes += [
            (
                date(2026, 3, 30),
                "service_level_formula",
                draw.choice(declared_settings.SERVICE_LEVEL_FORMULAS),
            ),
            (date(2026, 3, 22), "recovery_hours", "100"),
            (date(2026, 3, 25), "cost_per_hour", "30"),
            (date(2026, 4, 6), "cost_per_hour", ""),
        ]
    with store.writing() as session:
        session.query(SettingValue).delete()
        for day, name, value in changes:
            declared_settings.set_value(session, Viewer.SYSTEM, name, value, day)

    def on(day: date) -> declared_settings.Settings:
        chosen = declared_settings.Settings()
        for first, name, value in sorted(changes, key=lambda change: change[0] or date.min):
            if first is None or first <= day:
                chosen = chosen.with_values(**{name: declared_settings.BY_NAME[name].parse(value)})
        return chosen

    return on


def listen(draw: random.Random, contacts: list[Contact]) -> set[str]:
    """Play and evaluate some contacts, once or more, in every way there is; returns the
    ids of those that somebody listened to.
    """
    listened = set()
    with store.writing() as session:
        session.query(Playback).delete()
        session.query(Evaluation).delete()
        kept = {
            "local_day": date(2026, 3, 15),
            "purpose": "quality",
            "digest": "d",
            "media_type": "audio/wav",
            "clear_bytes": 1,
            "seconds": 1.0,
        }
        recording = Recording(
            source_system="generic", contact_id="any", recorded_at=now(), delete_after=now(), **kept
        )
        session.add(recording)
        session.flush()
        for row in contacts:
            key = {"source_system": row["source_system"], "contact_id": row["contact_id"]}
            for purpose in draw.choices(
                ("quality", "targeted", "calibration", "own"), k=draw.choice((0, 0, 1, 2))
            ):
                session.add(
                    Playback(
                        **key,
                        recording_id=recording.id,
                        username="eve",
                        purpose=purpose,
                        reason="r",
                    )
                )
                listened |= {row["contact_id"]} if purpose != "own" else set()
            for kind in draw.choices(
                ("scored", "targeted", "calibration", "self"), k=draw.choice((0, 0, 1, 2))
            ):
                state = draw.choice(("draft", "submitted", "published"))
                session.add(evaluation(row, 80.0, kind=kind, state=state))
                listened |= (
                    {row["contact_id"]}
                    if state == "published" and kind in ("scored", "targeted")
                    else set()
                )
    return listened


@dataclass(frozen=True)
class Marked:
    """One criterion on one contact of a round: who gave how much, in the order in which
    the round names them (None: not applicable).
    """

    row: Contact
    grid: str
    section: str
    criterion: str
    most: float
    reference: str | None
    marks: dict[str, float | None]


@dataclass(frozen=True)
class DrawnRound:
    """A round as its rows say it; `is_closed`, or not to be counted."""

    is_closed: bool
    evaluators: list[str]
    contacts: list[Contact]
    marked: list[Marked]


def make_rounds(draw: random.Random, contacts: list[Contact]) -> list[DrawnRound]:
    """Rounds of few contacts on two versions of a grid, open and closed, with and
    without references; some evaluators are not done, or hold a draft.
    """
    made = []
    with store.writing() as session:
        for number, points in ((11, (2, 1, 3)), (12, (4, 1, 3))):
            if session.get(ScorecardVersion, number) is None:
                sections: dict[str, list[dict[str, Any]]] = defaultdict(list)
                for (section, key), most in zip(CRITERIA, points, strict=True):
                    sections[section].append(
                        {
                            "key": key,
                            "text": {"fr": key, "en": key},
                            "points": most,
                            "not_applicable": True,
                        }
                    )
                content = {
                    "title": "Blind",
                    "section": [
                        {"name": name, "criterion": criteria} for name, criteria in sections.items()
                    ],
                }
                session.add(
                    ScorecardVersion(
                        id=number,
                        key="blind",
                        version=number,
                        title=f"Blind {number}",
                        content=content,
                    )
                )
        session.flush()
        for grid in (11, 12, 12, 11):
            pool = (
                [row for row in contacts if row["team"] in ("Nord", "Est")]
                if draw.random() < 0.6
                else contacts
            )
            chosen = draw.sample(pool, min(len(pool), draw.randrange(1, 9)))
            evaluators = draw.sample(("eve", "max", "zoe"), draw.choice((2, 3)))
            is_closed = draw.random() < 0.75
            calibration = Calibration(
                title="Calibration session",
                grid_id=grid,
                evaluators=evaluators,
                opened_by="m",
                closed_at=now() if is_closed else None,
            )
            session.add(calibration)
            session.flush()
            marked = []
            for row in chosen:
                reference = draw.choice((None, None, *evaluators))
                place = {
                    name: row[name]
                    for name in ("source_system", "contact_id", "advisor_id", "team", "local_start")
                }
                session.add(
                    CalibrationContact(
                        calibration_id=calibration.id, reference_evaluator=reference, **place
                    )
                )
                session.flush()
                worth = {
                    key: (4.0 if grid == 12 and key == "greets" else most)
                    for (_, key), most in CRITERIA.items()
                }
                handed_in: dict[str, dict[str, float | None]] = {}
                for name in evaluators:
                    given = {
                        key: draw.choice((0.0, most / 2, most, most, None))
                        for key, most in worth.items()
                    }
                    state = draw.choice(("submitted",) * 5 + ("draft", None))
                    if state:
                        answers = {
                            (section, key): (given[key], 0.0 if given[key] is None else worth[key])
                            for section, key in CRITERIA
                        }
                        columns = {
                            "kind": "calibration",
                            "state": state,
                            "calibration_id": calibration.id,
                            "grid_id": grid,
                        }
                        session.add(evaluation(row, None, answers, evaluator=name, **columns))
                    if state == "submitted":
                        handed_in[name] = given
                if handed_in:
                    marked += [
                        Marked(
                            row,
                            f"Blind {grid}",
                            section,
                            key,
                            worth[key],
                            reference,
                            {name: of[key] for name, of in handed_in.items()},
                        )
                        for section, key in CRITERIA
                    ]
            made.append(DrawnRound(is_closed, evaluators, chosen, marked))
    return made
