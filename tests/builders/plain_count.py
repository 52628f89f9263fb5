"""A plain count of every KPI in Python loops, from its definition alone."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from builders.random_centre import (
    TEAMS,
    Contact,
    Marked,
)
from qa_core.access.roles import Role, TeamSpan, Viewer
from qa_core.centre import settings as declared_settings
from qa_core.metrics import kpis

NEEDS_MISSED = {
    "missed", "answer_rate", "abandon_rate", "average_time_to_abandon", "recovered_rate",
    "call_back_rate",
}  # fmt: skip


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
            if row["outcome"] == "answered" and is_peoples(row)
            for name in ("talk", "hold", "wrap")
            if row[f"{name}_seconds"] is not None
        }
        answered = [row for row in filter(is_peoples, everything) if row["outcome"] == "answered"]
        self.sparse = {
            (system, name)
            for system, name in self.components
            for own in ([row for row in answered if row["source_system"] == system],)
            if name != "talk"
            and sum(row[f"{name}_seconds"] is not None for row in own) < len(own) / 2
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

    def for_viewer(
        self,
        viewer: Viewer,
        key: str,
        rows: list[Contact],
        seen: list[Contact],
        beside: list[Contact],
        days: Iterable[date],
    ) -> dict[str, Any]:
        """What `measure` must say to that viewer. `beside`: the centre's contacts at the
        same times, in the same queues and channels; `days`: of the period.
        """
        missed = [
            row
            for row in beside
            if is_inbound(row) and row["outcome"] not in ("answered", "closed", None)
        ]
        unseen = [row for row in missed if row["team"] is None]
        sees_all = viewer.is_system or viewer.role == Role.EXECUTIVE or viewer.sees_unassigned
        formulas = {self.settings_of(day).service_level_formula for day in days}
        counts_missed = key in NEEDS_MISSED or (
            key == "service_level" and formulas != {"abandons_ignored"}
        )
        own = (None, *viewer.managed_teams)
        answered = [
            row["team"] for row in beside if is_inbound(row) and row["outcome"] == "answered"
        ]
        of_others = viewer.role == Role.MANAGER and answered and not set(answered) & set(own)
        relates = key in ("answer_rate", "abandon_rate", "service_level")
        is_lost = not sees_all or (of_others and relates)
        if is_lost and counts_missed and 100 * len(unseen) > len(missed):
            return dict.fromkeys(("value", "numerator", "denominator", "n", "low", "high", "p50"))
        return self.of(key, rows, seen)

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
            if wait(row) is not None and wait(row) <= chosen(row).short_abandon_seconds
        ]
        of_people = [row for row in answered if is_peoples(row)]
        unsaid, hidden = len(received) - len(known), {"value": None}
        match key:
            case "received":
                return total(received, received)
            case "answered":
                return total(answered, known)
            case "missed":
                return total([row for row in known if row not in answered], known)
            case "answer_rate":
                return ratio(answered, known) | (hidden if 100 * unsaid > len(received) else {})
            case "abandon_rate":
                counted = [row for row in known if row not in short]
                return ratio([row for row in abandoned if row not in short], counted) | (
                    hidden if 100 * unsaid > len(counted) + unsaid or not known else {}
                )
            case "service_level":
                found = self.service_level(
                    of_people, list(filter(is_peoples, abandoned)), short, chosen
                )
                return found | (hidden if 100 * unsaid > found["n"] + unsaid else {})
            case "average_speed_of_answer":
                return mean([wait(row) for row in of_people], percentiles=True)
            case "average_time_to_abandon":
                return mean([wait(row) for row in abandoned], percentiles=True)
            case "average_talk_time":
                return mean([row["talk_seconds"] for row in of_people])
            case "average_handle_time":
                return mean([self.handled(row) for row in of_people], percentiles=True)
            case "transfer_rate":
                known = [row for row in of_people if row["transfers"] is not None]
                return ratio([row for row in known if row["transfers"] > 0], known)
            case "talk_time":
                known = [row["talk_seconds"] for row in of_people]
                known = [seconds for seconds in known if seconds is not None]
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
            case "machine_share":
                return ratio([row for row in answered if is_machines(row)], answered) | (
                    {} if any(map(is_machines, self.everything)) else hidden
                )
            case "lasting_resolution" | "lasting_resolution_people":
                is_counted = is_alone if key == "lasting_resolution" else is_peoples
                return self.lasting([row for row in answered if is_counted(row)], chosen)
            case "handover_rate":
                taken = [row for row in received if is_machines(row)]
                return ratio([row for row in taken if not is_alone(row)], taken)
            case "handover_wait":
                passed = [row for row in answered if is_machines(row) and not is_alone(row)]
                return mean([row["handover_wait_seconds"] for row in passed], percentiles=True)
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
                known = [(row, self.handled(row)) for row in self.repeats(of_people, chosen)]
                seconds = [spent for _, spent in known if spent is not None]
                return {"n": len(seconds), "value": sum(seconds) if seconds else None}
            case "cost_of_repeats":
                spent = [
                    (self.handled(row), chosen(row).cost_per_hour)
                    for row in self.repeats(of_people, chosen)
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
            if wait(row) is not None:
                counted += 1
                hits += wait(row) <= chosen(row).service_level_seconds
        for row in abandoned:
            early = wait(row) is not None and wait(row) <= chosen(row).service_level_seconds
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
        waited = any(wait(row) is not None for row in answered + abandoned)
        return {"n": counted, "value": hits / counted if counted and waited else None}

    def handled(self, row: Contact) -> float | None:
        parts = [
            0
            if row[f"{name}_seconds"] is None and (row["source_system"], name) in self.sparse
            else row[f"{name}_seconds"]
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

    def lasting(self, answered: list[Contact], chosen: Callable) -> dict[str, Any]:
        known = [row for row in answered if row["customer_key"]]
        counted = []
        for row in known:
            window = timedelta(days=chosen(row).first_contact_days)
            if row["started_at"] <= self.last - window:
                counted.append(not within(self.neighbours(row)[0], window.total_seconds()))
        return {
            "n": len(counted),
            "value": sum(counted) / len(counted) if counted else None,
            "pending": len(known) - len(counted),
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
        def is_missed(row: Contact) -> bool:
            return is_inbound(row) and row["outcome"] not in ("closed", "answered", None)

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


def is_alone(row: Contact) -> bool:
    return row["handled_by"] == "machine"


def is_machines(row: Contact) -> bool:
    return row["handled_by"] in ("machine", "machine_then_person")


def is_peoples(row: Contact) -> bool:
    return not is_alone(row)


def wait(row: Contact) -> float | None:
    """The wait for a person: after a hand-over, since the machine's end."""
    after = row["handled_by"] == "machine_then_person"
    return row["handover_wait_seconds" if after else "wait_seconds"]


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
        "handled_by",
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
            led_teams=(TeamSpan("Nord", date(2026, 3, 20), date(2026, 4, 10)), TeamSpan("Sud")),
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
        kpis.FactTable.MISSED,
        kpis.FactTable.CUSTOMERS,
        kpis.FactTable.LISTENED,
    )
)


def assert_same(row: Any, expected: dict[str, Any], where: str) -> None:
    for name, value in expected.items():
        found = getattr(row, name)
        if value is None:
            assert found is None or math.isnan(found), f"{where}: {name} is {found}, not missing"
        else:
            assert found == pytest.approx(value, rel=1e-9, abs=1e-9), f"{where}: {name}"


def pairs_of(one: Marked) -> list[tuple[str, str]]:
    """Who is compared with whom: with the reference if it marked the contact, else all
    with all.
    """
    return [
        pair
        for pair in itertools.combinations(one.marks, 2)
        if one.reference not in one.marks or one.reference in pair
    ]
