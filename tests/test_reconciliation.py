"""Every KPI against an independent count: plain loops over small random centres give
what `measure` gives, for each role and each cut.
"""

from __future__ import annotations

import itertools
import math
import random
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from centres import PARIS, add_people, contact, evaluation, land, land_spend
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from qa_core.access.roles import Role, TeamSpan, Viewer
from qa_core.centre import settings as declared_settings
from qa_core.metrics import kpis, query
from qa_core.metrics.dimensions import DIMENSIONS, Filters, Period
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.evaluations import Evaluation, ScorecardVersion
from qa_core.storage.records.listening import Calibration, CalibrationContact, Playback, Recording
from qa_core.storage.records.steering import SettingValue

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
                advisor_id=draw.choice(tuple(ADVISORS)) if answered else None,
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
    evaluated = [row for row in contacts if row["outcome"] == "answered" and draw.random() < 0.3]
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


class Count:
    """The KPIs once more, from their definitions, row by row. `rows` are what the
    viewer may count; `everything` is the whole lake.
    """

    def __init__(
        self,
        everything: list[Contact],
        settings_of: Callable[[date], declared_settings.Settings],
        listened: set[str],
    ) -> None:
        self.everything = everything
        self.listened = listened
        self.settings_of = settings_of
        starts = [row["started_at"] for row in everything]
        self.first, self.last = min(starts), max(starts)
        self.components = {
            (row["source_system"], name)
            for row in everything
            if row["outcome"] == "answered"
            for name in ("talk", "hold", "wrap")
            if row[f"{name}_seconds"] is not None
        }

    def neighbours(self, row: Contact) -> tuple[float | None, float | None]:
        """Seconds to the next inbound contact, and since the previous answered inbound
        one, of the same customer and reason.
        """
        to_next, since = [], []
        for other in self.everything:
            same_reason = (
                other["reason"] == row["reason"] or other["reason"] is None or row["reason"] is None
            )
            if (
                other is row
                or other["customer_key"] != row["customer_key"]
                or row["customer_key"] is None
                or not is_inbound(other)
                or not same_reason
            ):
                continue
            distance = (other["started_at"] - row["started_at"]).total_seconds()
            if order(other) > order(row):
                to_next.append(distance)
            elif other["outcome"] == "answered":
                since.append(-distance)
        return min(to_next, default=None), min(since, default=None)

    def reached(self, row: Contact) -> float | None:
        after = [
            (other["started_at"] - row["started_at"]).total_seconds()
            for other in self.everything
            if other["customer_key"] == row["customer_key"]
            and other["outcome"] == "answered"
            and order(other) > order(row)
        ]
        return min(after, default=None)

    def call_back(self, row: Contact) -> float | None:
        """Seconds to the next outbound contact to the same customer, whoever made it
        and however it ended.
        """
        after = [
            (other["started_at"] - row["started_at"]).total_seconds()
            for other in self.everything
            if other["customer_key"] == row["customer_key"]
            and other["direction"] == "outbound"
            and order(other) > order(row)
        ]
        return min(after, default=None)

    def of(self, key: str, rows: list[Contact], seen: list[Contact]) -> dict[str, Any]:
        """What `measure` must say of these rows; `seen` are all rows in the viewer's
        scope, whatever the filter.
        """
        if key == "listened_rate":  # of any direction
            recorded = [row for row in rows if row["recorded"]]
            return ratio([row for row in recorded if row["contact_id"] in self.listened], recorded)
        rows = [row for row in rows if is_inbound(row)]
        received = [row for row in rows if row["outcome"] != "closed"]
        known = [row for row in received if row["outcome"] is not None]
        answered = [row for row in rows if row["outcome"] == "answered"]
        abandoned = [row for row in rows if row["outcome"] in ("abandoned", "unanswered")]
        chosen = lambda row: self.settings_of(row["local_start"].date())  # noqa: E731
        short = [
            row
            for row in abandoned
            if row["wait_seconds"] is not None
            and row["wait_seconds"] <= chosen(row).short_abandon_seconds
        ]
        match key:
            case "received":
                return total(received, received)
            case "answered":
                return total(answered, known)
            case "missed":
                return total([row for row in received if row not in answered], known)
            case "answer_rate":
                return ratio(answered, received) | ({} if known else {"value": None})
            case "abandon_rate":
                return ratio(
                    [row for row in abandoned if row not in short],
                    [row for row in received if row not in short],
                ) | ({} if known else {"value": None})
            case "service_level":
                return self.service_level(answered, abandoned, short, chosen)
            case "average_speed_of_answer":
                return mean([row["wait_seconds"] for row in answered], percentiles=True)
            case "average_time_to_abandon":
                return mean([row["wait_seconds"] for row in abandoned], percentiles=True)
            case "average_talk_time":
                return mean([row["talk_seconds"] for row in answered])
            case "average_handle_time":
                return mean([self.handled(row) for row in answered], percentiles=True)
            case "transfer_rate":
                known = [row for row in answered if row["transfers"] is not None]
                return ratio([row for row in known if row["transfers"] > 0], known)
            case "talk_time":
                known = [row["talk_seconds"] for row in answered if row["talk_seconds"] is not None]
                return {"n": len(known), "value": sum(known) if known else None}
            case "recovered_rate":
                return self.recovered(rows, seen, chosen, self.reached)
            case "call_back_rate":
                return self.recovered(rows, seen, chosen, self.call_back)
            case "first_time_callers" | "returning_callers":
                known = [row for row in rows if row["customer_key"]]
                mine = {
                    row["customer_key"]
                    for row in known
                    if (row["started_at"] == self.first_start(row)) == (key == "first_time_callers")
                }
                return total(list(mine), known) | {"unknown_identity": len(rows) - len(known)}
            case "repeat_caller_rate":
                known = [row for row in rows if row["customer_key"]]
                repeated = {
                    row["customer_key"]
                    for row in known
                    if within(self.neighbours(row)[0], chosen(row).first_contact_days * 86400)
                }
                return ratio(list(repeated), list({row["customer_key"] for row in known})) | {
                    "unknown_identity": len(rows) - len(known)
                }
            case "first_contact_resolution":
                return self.first_contact(answered, chosen)
            case "first_contact_resolution_declared":
                known = [row for row in answered if row["declared_resolved"] is not None]
                return ratio([row for row in known if row["declared_resolved"]], known)
            case "first_contact_resolution_surveyed":
                known = [
                    row
                    for row in rows
                    if row["survey_resolved"] is not None and row["survey_contacts"] is not None
                ]
                return ratio(
                    [
                        row
                        for row in known
                        if row["survey_resolved"] and row["survey_contacts"] == 1
                    ],
                    known,
                )
            case "repeat_contacts":
                return total(
                    self.repeats(rows, chosen), [row for row in rows if row["customer_key"]]
                )
            case "repeat_handle_time":
                known = [(row, self.handled(row)) for row in self.repeats(answered, chosen)]
                seconds = [spent for _, spent in known if spent is not None]
                return {"n": len(seconds), "value": sum(seconds) if seconds else None}
            case "cost_of_repeats":
                spent = [
                    (self.handled(row), chosen(row).cost_per_hour)
                    for row in self.repeats(answered, chosen)
                ]
                costs = [
                    seconds / 3600 * rate
                    for seconds, rate in spent
                    if seconds is not None and rate is not None
                ]
                return {"n": len(costs), "value": sum(costs) if costs else None}
            case "csat":
                known = [row for row in rows if row["csat"] is not None]
                return ratio(
                    [
                        row
                        for row in known
                        if row["csat"] >= {"1-5": 4, "1-10": 7.75}[row["csat_scale"]]
                    ],
                    known,
                )
            case "csat_if_silent_unhappy" | "csat_if_silent_happy":
                return self.with_silent(
                    [row for row in rows if row["csat"] is not None],
                    [row for row in rows if is_silent(row)],
                    key == "csat_if_silent_happy",
                )
            case "csat_mean":
                return mean(
                    [
                        row["csat"] if row["csat_scale"] == "1-5" else 1 + (row["csat"] - 1) * 4 / 9
                        for row in rows
                        if row["csat"] is not None
                    ]
                )
            case "unhappy_rate":
                known = [row for row in rows if row["csat"] is not None or row["nps"] is not None]
                low = [
                    row
                    for row in known
                    if row["csat"] is not None
                    and row["csat"] <= {"1-5": 2, "1-10": 4}[row["csat_scale"]]
                ]
                return ratio(
                    [
                        row
                        for row in known
                        if row in low or (row["nps"] is not None and row["nps"] <= 6)
                    ],
                    known,
                )
            case "nps":
                marks = [row["nps"] for row in rows if row["nps"] is not None]
                balance = sum(mark >= 9 for mark in marks) - sum(mark <= 6 for mark in marks)
                return {"n": len(marks), "value": 100 * balance / len(marks) if marks else None}
            case "ces":
                return mean([row["ces"] for row in rows])
            case "ces_agree":
                known = [row for row in rows if row["ces"] is not None]
                return ratio([row for row in known if row["ces"] >= 5], known)
            case "response_rate":
                sent = [row for row in rows if row["survey_sent"]]
                return ratio(
                    [
                        row
                        for row in sent
                        if any(
                            row[name] is not None
                            for name in ("csat", "nps", "ces", "survey_resolved", "survey_contacts")
                        )
                    ],
                    sent,
                )
            case "attribution_rate":
                return ratio([row for row in rows if row["source"]], rows)
            case "recording_rate":
                known = [row for row in answered if row["recorded"] is not None]
                return ratio([row for row in known if row["recorded"]], known)
        raise KeyError(key)

    def first_start(self, row: Contact) -> datetime:
        return min(
            other["started_at"]
            for other in self.everything
            if is_inbound(other) and other["customer_key"] == row["customer_key"]
        )

    def with_silent(
        self, rated: list[Contact], silent: list[Contact], are_happy: bool
    ) -> dict[str, Any]:
        happy = sum(row["csat"] >= {"1-5": 4, "1-10": 7.75}[row["csat_scale"]] for row in rated)
        counted = len(rated) + len(silent)
        known = any(row["survey_sent"] for row in rated)
        return {
            "n": counted,
            "value": (happy + len(silent) * are_happy) / counted if known else None,
        }

    def service_level(
        self,
        answered: list[Contact],
        abandoned: list[Contact],
        short: list[Contact],
        chosen: Callable,
    ) -> dict[str, Any]:
        hits = counted = 0
        for row in answered:
            if row["wait_seconds"] is not None:
                counted += 1
                hits += row["wait_seconds"] <= chosen(row).service_level_seconds
        for row in abandoned:
            early = (
                row["wait_seconds"] is not None
                and row["wait_seconds"] <= chosen(row).service_level_seconds
            )
            match chosen(row).service_level_formula:
                case "early_abandons_credited":
                    counted, hits = counted + 1, hits + early
                case "abandons_penalised":
                    counted += 1
                case "late_abandons_penalised":
                    counted += not early
                case "short_abandons_credited":
                    counted, hits = counted + 1, hits + (row in short)
                case "short_abandons_excluded":
                    counted += row not in short
        waited = any(row["wait_seconds"] is not None for row in answered + abandoned)
        return {"n": counted, "value": hits / counted if counted and waited else None}

    def handled(self, row: Contact) -> float | None:
        parts = [
            row[f"{name}_seconds"]
            for name in ("talk", "hold", "wrap")
            if (row["source_system"], name) in self.components
        ]
        return None if not parts or None in parts else sum(parts)

    def first_contact(self, answered: list[Contact], chosen: Callable) -> dict[str, Any]:
        counted, hits, pending = 0, 0, 0
        known = [row for row in answered if row["customer_key"]]
        for row in known:
            window = timedelta(days=chosen(row).first_contact_days)
            to_next, since = self.neighbours(row)
            if within(since, window.total_seconds()):
                continue
            if not self.first + window <= row["started_at"] <= self.last - window:
                pending += 1
                continue
            counted += 1
            hits += not within(to_next, window.total_seconds())
        return {
            "n": counted,
            "value": hits / counted if counted else None,
            "pending": pending,
            "unknown_identity": len(answered) - len(known),
        }

    def repeats(self, rows: list[Contact], chosen: Callable) -> list[Contact]:
        return [
            row
            for row in rows
            if within(self.neighbours(row)[1], chosen(row).first_contact_days * 86400)
        ]

    def recovered(
        self,
        rows: list[Contact],
        seen: list[Contact],
        chosen: Callable,
        until: Callable[[Contact], float | None],
    ) -> dict[str, Any]:
        is_missed = lambda row: is_inbound(row) and row["outcome"] not in ("closed", "answered")  # noqa: E731
        counted = hits = unknown = 0
        for row in filter(is_missed, rows):
            if row["customer_key"] is None:
                unknown += 1
                continue
            window = chosen(row).recovery_hours * 3600
            before = [
                other["started_at"]
                for other in seen
                if other["customer_key"] == row["customer_key"]
                and is_missed(other)
                and order(other) < order(row)
            ]
            if before and (row["started_at"] - max(before)).total_seconds() <= window:
                continue
            counted += 1
            hits += within(until(row), window)
        return {
            "n": counted,
            "value": hits / counted if counted else None,
            "unknown_identity": unknown,
        }


def order(row: Contact) -> tuple[datetime, str, str]:
    return row["started_at"], row["source_system"], row["contact_id"]


def is_silent(row: Contact) -> bool:
    return row["survey_sent"] is True and all(
        row[name] is None for name in ("csat", "nps", "ces", "survey_resolved", "survey_contacts")
    )


def is_inbound(row: Contact) -> bool:
    return row["direction"] in (None, "inbound")


def within(seconds: float | None, window: float) -> bool:
    return seconds is not None and seconds <= window


def total(rows: list, among: list) -> dict[str, Any]:
    return {"n": len(rows), "value": len(rows) if among else None}


def ratio(hits: list, rows: list) -> dict[str, Any]:
    return {"n": len(rows), "value": len(hits) / len(rows) if rows else None}


def mean(values: list[float | None], percentiles: bool = False) -> dict[str, Any]:
    known = sorted(value for value in values if value is not None)
    found: dict[str, Any] = {"n": len(known), "value": statistics.fmean(known) if known else None}
    if percentiles:
        found |= {
            name: interpolated(known, share) if known else None
            for name, share in (("p50", 0.5), ("p90", 0.9), ("p95", 0.95))
        }
    return found


def interpolated(ordered: list[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    return ordered[low] + (place - low) * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low])


CUTS: dict[str, Callable[[Contact], Any]] = {
    "day": lambda row: row["local_start"].date(),
    "week": lambda row: row["local_start"].date() - timedelta(days=row["local_start"].weekday()),
    "month": lambda row: f"{row['local_start']:%Y-%m}",
    "weekday": lambda row: row["local_start"].isoweekday(),
    "hour": lambda row: row["local_start"].hour,
    "half_hour": lambda row: (
        f"{row['local_start'].hour:02d}:{row['local_start'].minute // 30 * 30:02d}"
    ),
    "advisor": lambda row: {
        "a1": "Ann (a1)",
        "a2": "Bob",
        "a3": "Ann (a3)",
        "a4": "Dan",
        None: None,
    }[row["advisor_id"]],
    "site": lambda row: TEAMS.get(row["team"]),
    "declared": lambda row: {True: "yes", False: "no", None: None}[row["declared_resolved"]],
    "surveyed": lambda row: (
        None
        if None in (row["survey_resolved"], row["survey_contacts"])
        else "yes"
        if row["survey_resolved"] and row["survey_contacts"] == 1
        else "no"
    ),
} | {
    name: (lambda row, name=name: row[name])
    for name in (
        "direction",
        "channel",
        "queue",
        "reason",
        "outcome",
        "team",
        "source",
        "medium",
        "campaign",
        "keyword",
        "tracking_number",
        "tracking_match",
    )
}

SCOPES: dict[str, tuple[Viewer, Callable[[Contact], bool]]] = {
    "system": (Viewer.SYSTEM, lambda row: True),
    "manager": (
        Viewer("m", Role.MANAGER, managed_teams=("Nord", "Est")),
        lambda row: row["team"] in ("Nord", "Est"),
    ),
    "manager of what is left": (
        Viewer("r", Role.MANAGER, managed_teams=("Sud",), sees_unassigned=True),
        lambda row: row["team"] in ("Sud", None),
    ),
    "team lead": (
        Viewer(
            "l",
            Role.TEAM_LEAD,
            led=(TeamSpan("Nord", date(2026, 3, 20), date(2026, 4, 10)), TeamSpan("Sud")),
        ),
        lambda row: (
            row["team"] == "Sud"
            or (
                row["team"] == "Nord"
                and date(2026, 3, 20) <= row["local_start"].date() < date(2026, 4, 10)
            )
        ),
    ),
    "advisor": (Viewer("v", Role.ADVISOR, advisor_id="a1"), lambda row: row["advisor_id"] == "a1"),
    "manager of nothing": (Viewer("z", Role.MANAGER), lambda row: False),
}
ON_CONTACTS = tuple(
    kpi.key
    for kpi in kpis.ALL
    if kpi.subject
    in (
        kpis.FactTable.CONTACTS,
        kpis.FactTable.MISSES,
        kpis.FactTable.CALLERS,
        kpis.FactTable.HEARD,
    )
)


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
                title="Round",
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


def assert_same(row: Any, expected: dict[str, Any], where: str) -> None:
    for name, value in expected.items():
        found = getattr(row, name)
        if value is None:
            assert found is None or math.isnan(found), f"{where}: {name} is {found}, not missing"
        else:
            assert found == pytest.approx(value, rel=1e-9, abs=1e-9), f"{where}: {name}"


@given(seed=st.integers(0, 2**32), size=st.integers(1, 120))
@settings(max_examples=6, **LOOSELY)
def test_every_kpi_of_every_role_equals_a_plain_count_of_its_own_rows(
    records: Path, seed: int, size: int
) -> None:
    draw = random.Random(seed)
    contacts = make_contacts(draw, size)
    with pytest.MonkeyPatch.context() as patch:
        fresh_lake(records, patch)
        count = Count(contacts, choose_settings(draw), listen(draw, contacts))
        land(contacts)
        period = draw.choice(
            (
                Period(),
                Period(date(2026, 3, 15), date(2026, 4, 12)),
                Period(first_day=date(2026, 4, 1)),
                Period(last_day=date(2026, 3, 29)),
            )
        )

        def inside(row):
            return (
                (period.first_day or date.min)
                <= row["local_start"].date()
                <= (period.last_day or date.max)
            )

        for name, (viewer, may_see) in SCOPES.items():
            seen = [row for row in contacts if may_see(row)]
            rows = [row for row in seen if inside(row)]
            allowed = [key for key in ON_CONTACTS if viewer.can(kpis.BY_KEY[key].needs)]
            for row in query.measure(viewer, allowed, where=Filters(period)).itertuples():
                assert_same(row, count.of(row.kpi, rows, seen), f"{name}, {row.kpi}")
            cuts = [key for key in CUTS if viewer.can_cut_by(key)]
            for by in (draw.sample(cuts, 1), draw.sample(cuts, 2)):
                groups: dict[tuple, list[Contact]] = defaultdict(list)
                for row in rows:
                    groups[tuple(CUTS[key](row) for key in by)].append(row)
                frame = query.measure(viewer, allowed, by, Filters(period))
                found = (
                    {
                        tuple(None if value != value else value for value in values)
                        for values in frame[by].itertuples(index=False)
                    }
                    if len(frame)
                    else set()
                )
                assert found <= set(groups)
                assert {
                    key
                    for key, members in groups.items()
                    if any(is_inbound(row) and row["outcome"] != "closed" for row in members)
                } <= found
                for row in frame.itertuples():
                    key = tuple(
                        None if getattr(row, one) != getattr(row, one) else getattr(row, one)
                        for one in by
                    )
                    assert_same(
                        row,
                        count.of(row.kpi, groups[key], seen),
                        f"{name}, {row.kpi} by {dict(zip(by, key, strict=True))}",
                    )


ON_EVALUATIONS = tuple(
    kpi.key for kpi in kpis.ALL if kpi.subject in (kpis.FactTable.ANSWERS, kpis.FactTable.ADVISORS)
)


def mean_of_means(entries: list[tuple]) -> dict[str, Any]:
    of_advisor = defaultdict(list)
    for score, _, row, *_ in entries:
        if score is not None:
            of_advisor[row["advisor_id"]].append(score)
    return mean([statistics.fmean(scores) for scores in of_advisor.values()])


def accuracy(entries: list[tuple], name: str) -> dict[str, Any]:
    """Evaluations without an answer of 0 to a criterion of that class, of those with an
    answer to one.
    """
    applied = []
    for *_, grid, answers in entries:
        earned = [
            mark
            for (_, key), (mark, _) in answers.items()
            if grid == GRID and CRITICAL.get(key) == name and mark is not None
        ]
        if earned:
            applied.append(min(earned) > 0)
    return ratio([clean for clean in applied if clean], applied)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=2, **LOOSELY)
def test_every_kpi_may_be_cut_by_every_dimension_it_names(records: Path, seed: int) -> None:
    assert set(CUTS) == {dimension.key for dimension in DIMENSIONS if dimension.family != "quality"}
    draw = random.Random(seed)
    contacts = make_contacts(draw, 60)
    with pytest.MonkeyPatch.context() as patch:
        fresh_lake(records, patch)
        count = Count(contacts, choose_settings(draw), listen(draw, contacts))
        land(contacts)
        for by, group_of in CUTS.items():
            groups: dict[Any, list[Contact]] = defaultdict(list)
            for row in contacts:
                groups[group_of(row)].append(row)
            for row in query.measure(
                Viewer.SYSTEM,
                [key for key in ON_CONTACTS if by in kpis.BY_KEY[key].dimensions],
                (by,),
            ).itertuples():
                cell = None if getattr(row, by) != getattr(row, by) else getattr(row, by)
                assert_same(
                    row, count.of(row.kpi, groups[cell], contacts), f"{row.kpi} by {by} = {cell}"
                )


@given(seed=st.integers(0, 2**32), size=st.integers(1, 120))
@settings(max_examples=5, **LOOSELY)
def test_filters_and_cuts_of_evaluations_equal_a_plain_count(
    records: Path, seed: int, size: int
) -> None:
    draw = random.Random(seed)
    contacts = make_contacts(draw, size)
    with pytest.MonkeyPatch.context() as patch:
        fresh_lake(records, patch)
        land(contacts)
        evaluations = make_evaluations(draw, contacts)
        published = [
            (one, next(row for row in contacts if row["contact_id"] == one.contact_id))
            for one in evaluations
            if one.state == "published"
        ]
        scores = [
            (
                one.score,
                one.outcome,
                row,
                one.grid_id,
                {(a.section, a.criterion): (a.earned, a.possible) for a in one.answers},
            )
            for one, row in published
        ]
        with store.writing() as session:
            session.query(Evaluation).delete()
            session.add_all(evaluations)
        for name, (viewer, may_see) in SCOPES.items():
            mine = [entry for entry in scores if may_see(entry[2])]
            for by in (None, *draw.sample([key for key in CUTS if viewer.can_cut_by(key)], 3)):
                groups: dict[Any, list] = defaultdict(list)
                for entry in mine:
                    groups[CUTS[by](entry[2]) if by else None].append(entry)
                frame = query.measure(
                    viewer,
                    [
                        key
                        for key in ON_EVALUATIONS
                        if by is None or by in kpis.BY_KEY[key].dimensions
                    ],
                    (by,) if by else (),
                )
                for row in frame.itertuples():
                    members = groups[
                        None
                        if by is None or getattr(row, by) != getattr(row, by)
                        else getattr(row, by)
                    ]
                    outcomes = [entry[1] for entry in members if entry[1]]
                    expected = {
                        "evaluation_score": mean([entry[0] for entry in members]),
                        "evaluations": total(members, members),
                        "evaluation_pass_rate": ratio(
                            [outcome for outcome in outcomes if outcome == "pass"], outcomes
                        ),
                        "advisor_mean_score": mean_of_means(members),
                        "critical_accuracy_customer": accuracy(members, "customer"),
                        "critical_accuracy_business": accuracy(members, "business"),
                        "critical_accuracy_compliance": accuracy(members, "compliance"),
                    }[row.kpi]
                    assert_same(row, expected, f"{name}, {row.kpi} by {by}")
            for row in query.measure(viewer, ("evaluation_score",), ("section",)).itertuples():
                of_section = [
                    [answers[key] for key in answers if key[0] == row.section]
                    for *_, answers in mine
                ]
                values = [
                    100 * sum(e or 0 for e, _ in parts) / possible
                    if (possible := sum(p for _, p in parts))
                    else None
                    for parts in of_section
                ]
                assert_same(row, mean(values), f"{name}, by section")
            for row in query.measure(
                viewer, ("critical_accuracy_compliance",), ("criterion",)
            ).itertuples():
                of_criterion = [
                    (None, None, None, grid, {key: answers[key]})
                    for *_, grid, answers in mine
                    for key in answers
                    if key[1] == row.criterion
                ]
                assert_same(row, accuracy(of_criterion, "compliance"), f"{name}, by criterion")
        dead = query.measure(
            Viewer.SYSTEM,
            ("evaluations",),
            where=Filters.of(values={"queue": ["care"], "evaluator": ["eve", "max"]}),
        )
        assert dead["n"].item() == sum(row["queue"] == "care" for _, row in published)


@given(seed=st.integers(0, 2**32), size=st.integers(0, 60))
@settings(max_examples=5, **LOOSELY)
def test_costs_divide_each_cell_s_money_by_its_own_contacts(
    records: Path, seed: int, size: int
) -> None:
    draw = random.Random(seed)
    contacts = [row for row in make_contacts(draw, size) if draw.random() < 0.9]
    spend = {
        (
            f"2026-03-{day:02d}",
            draw.choice(("google", "bing", "other")),
            draw.choice(("spring", None)),
            "EUR",
        ): float(draw.randrange(1, 90))
        for day in range(10, 31)
    }
    with pytest.MonkeyPatch.context() as patch:
        fresh_lake(records, patch)
        if contacts:
            land(contacts)
        land_spend(
            (day, source, campaign, amount, currency)
            for (day, source, campaign, currency), amount in spend.items()
        )
        kinds = {
            "cost_per_contact": lambda row: True,
            "cost_per_answered": lambda row: row["outcome"] == "answered",
            "cost_per_resolved": lambda row: (
                row["outcome"] == "answered" and row["declared_resolved"] is True
            ),
        }
        of_spend = {
            "source": lambda key: key[1],
            "campaign": lambda key: key[2],
            "month": lambda key: key[0][:7],
            "day": lambda key: date.fromisoformat(key[0]),
        }
        for by in (None, "source", "campaign", "month", "day"):
            money: dict[Any, float] = defaultdict(float)
            for key, amount in spend.items():
                money[of_spend[by](key) if by else None] += amount
            for row in query.measure(Viewer.SYSTEM, tuple(kinds), (by,) if by else ()).itertuples():
                cell = (
                    None if by is None or getattr(row, by) != getattr(row, by) else getattr(row, by)
                )
                n = sum(
                    is_inbound(one)
                    and one["source"] is not None
                    and kinds[row.kpi](one)
                    and (by is None or CUTS[by](one) == cell)
                    for one in contacts
                )
                assert_same(
                    row,
                    {"n": n, "value": money[cell] / n if n and cell in money else None},
                    f"{row.kpi} by {by}",
                )


def pairs_of(one: Marked) -> list[tuple[str, str]]:
    """Who is compared with whom: with the reference if it marked the contact, else all
    with all.
    """
    return [
        pair
        for pair in itertools.combinations(one.marks, 2)
        if one.reference not in one.marks or one.reference in pair
    ]


def alignment_of(marked: list[Marked], evaluator: str | None = None) -> dict[str, Any]:
    """Points alike of points possible, pair by pair; of one evaluator, in the pairs
    where they are not the reference.
    """
    close = possible = n = 0.0
    for one in marked:
        for first, second in pairs_of(one):
            if evaluator and (evaluator not in (first, second) or evaluator == one.reference):
                continue
            if None not in (one.marks[first], one.marks[second]):
                n += 1
                possible += one.most
                close += one.most - abs(one.marks[first] - one.marks[second])
    return {
        "n": n,
        "numerator": close if n else None,
        "denominator": possible,
        "value": close / possible if n else None,
    }


def agreement_of(marked: list[Marked]) -> dict[str, Any]:
    """Krippendorff's α for ordinal marks from its definition: pairs within contacts
    against pairs of all marks, apart by the marks between them.
    """
    units = [
        [points / one.most for points in one.marks.values() if points is not None] for one in marked
    ]
    units = [unit for unit in units if len(unit) > 1]
    every = sorted(mark for unit in units for mark in unit)

    def apart(one: float, other: float) -> float:
        low, high = min(one, other), max(one, other)
        return (
            sum(low <= mark <= high for mark in every) - (every.count(one) + every.count(other)) / 2
        ) ** 2

    observed = sum(
        apart(*pair) / (len(unit) - 1) for unit in units for pair in itertools.permutations(unit, 2)
    )
    expected = sum(apart(*pair) for pair in itertools.permutations(every, 2))
    return {
        "n": len(units),
        "value": 1 - (len(every) - 1) * observed / expected if expected else None,
    }


OF_MARKS: dict[str, Callable[[Marked], Any]] = {
    "criterion": lambda one: one.criterion,
    "section": lambda one: one.section,
    "grid": lambda one: one.grid,
    "day": lambda one: CUTS["day"](one.row),
    "week": lambda one: CUTS["week"](one.row),
    "month": lambda one: CUTS["month"](one.row),
    "weekday": lambda one: CUTS["weekday"](one.row),
}


@given(seed=st.integers(0, 2**32))
@settings(max_examples=8, **LOOSELY)
def test_alignment_and_agreement_equal_a_plain_count_of_the_closed_rounds_in_scope(
    records: Path, seed: int
) -> None:
    draw = random.Random(seed)
    contacts = make_contacts(draw, 40)
    with store.writing() as session:
        session.query(Evaluation).delete()
        session.query(Calibration).delete()
    rounds = make_rounds(draw, contacts)
    period = draw.choice((Period(), Period(date(2026, 3, 15), date(2026, 4, 12))))
    managers = {
        name: entry
        for name, entry in SCOPES.items()
        if entry[0].is_system or entry[0].role == Role.MANAGER
    }
    of_viewer = [
        (viewer, [one for one in rounds if all(map(may_see, one.contacts))])
        for viewer, may_see in managers.values()
    ]
    of_viewer.append(
        (Viewer("eve", Role.EVALUATOR), [one for one in rounds if "eve" in one.evaluators])
    )
    for viewer, seen in of_viewer:
        everything = [one for found in seen if found.is_closed for one in found.marked]
        marked = [
            one
            for one in everything
            if (period.first_day or date.min)
            <= one.row["local_start"].date()
            <= (period.last_day or date.max)
        ]
        whole, none = query.measure(
            viewer, ("alignment", "agreement"), where=Filters(period)
        ).itertuples()
        assert_same(whole, alignment_of(marked), f"{viewer.username}, alignment")
        assert (none.status, none.n, none.notes) == ("no_data", 0, ("one_criterion",))
        for by, value_of in OF_MARKS.items():
            for row in query.measure(viewer, ("alignment",), (by,), Filters(period)).itertuples():
                assert_same(
                    row,
                    alignment_of([one for one in marked if value_of(one) == getattr(row, by)]),
                    f"{viewer.username}, alignment by {by}",
                )
        for by in ("section", "grid", "month"):
            cells = query.measure(viewer, ("agreement",), ("criterion", by), Filters(period))
            assert {tuple(cell) for cell in cells[["criterion", by]].itertuples(index=False)} == {
                (one.criterion, OF_MARKS[by](one)) for one in marked
            }
            for row in cells.itertuples():
                of_cell = [
                    one
                    for one in marked
                    if one.criterion == row.criterion and OF_MARKS[by](one) == getattr(row, by)
                ]
                assert_same(
                    row,
                    agreement_of(of_cell),
                    f"{viewer.username}, agreement of {row.criterion} by {by}",
                )
        greets = [one for one in marked if one.criterion == "greets"]
        chosen = Filters.of(period, {"criterion": ["greets"]})
        for row, expected in zip(
            query.measure(viewer, ("alignment", "agreement"), where=chosen).itertuples(),
            (alignment_of, agreement_of),
            strict=True,
        ):
            assert_same(row, expected(greets), f"{viewer.username}, {row.kpi} of one criterion")
        if viewer.can_cut_by("evaluator"):
            for row in query.measure(
                viewer, ("alignment",), ("evaluator",), Filters(period)
            ).itertuples():
                assert_same(
                    row,
                    alignment_of(marked, row.evaluator),
                    f"{viewer.username}, alignment by evaluator",
                )
                (alone,) = query.measure(
                    viewer, ("alignment",), where=Filters.of(period, {"evaluator": [row.evaluator]})
                ).itertuples()
                assert_same(
                    alone,
                    alignment_of(marked, row.evaluator),
                    f"{viewer.username}, alignment of {row.evaluator}",
                )


def test_the_clock_of_the_random_centres_is_that_of_paris() -> None:
    assert contact("2026-03-29 03:30")["started_at"] == datetime(2026, 3, 29, 1, 30)
    assert PARIS.key == "Europe/Paris"
