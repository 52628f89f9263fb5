"""An attacker who asks everything that an executive may ask, and combines the answers
linearly: over the combinations of values that occur, with every identity between KPIs.
"""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from builders.centres import add_people, contact, evaluation, land, land_spend
from qa_core.access.roles import MINIMUM_ADVISORS, MINIMUM_CONTACTS, Role, Viewer
from qa_core.analysis import alerts, exports, targets
from qa_core.analysis.alerts import Rule, RuleKind
from qa_core.analysis.irritants import detection
from qa_core.base.i18n import _
from qa_core.cli.app import run
from qa_core.metrics import query
from qa_core.metrics.kpi import editions
from qa_core.metrics.kpi.data_span import find_last_closed_day
from qa_core.metrics.kpi.editions import PUBLISHED_BY
from qa_core.metrics.kpis import ALL, BY_KEY, FactTable, KpiKind
from qa_core.metrics.kpis.dimensions import Filters, Period, add_months
from qa_core.storage.records import store

EXECUTIVE = Viewer("rex", Role.EXECUTIVE)
OF_CONTACTS = ("site", "channel", "queue", "reason", "direction", "source", "medium", "campaign")
OF_SPEND = ("source", "medium", "campaign")
OF_NOBODY = frozenset({"missed", "average_time_to_abandon", "recovered_rate", "call_back_rate"})
"""Of contacts that no advisor took: who works there stands behind them."""
CUSTOMERS = ("repeat_caller_rate", "first_time_callers", "returning_callers")
"""Count customers, who are no sum over combinations."""
KPIS = [
    kpi.key
    for kpi in ALL
    if kpi.subject
    not in (FactTable.ADVISORS, FactTable.CALIBRATED, FactTable.SELLING, FactTable.RETURNS)
    and kpi.key not in (*CUSTOMERS, "spend")
]

Sums = Mapping[str, float]
"""Quantities and how often each is in a number."""
N: Mapping[str, Sums] = {
    "received": {"received": 1},
    "answer_rate": {"received": 1},
    "answered": {"answered": 1},
    "missed": {"received": 1, "answered": -1},
    "service_level": {"average_speed_of_answer": 1, "abandon_rate:hits": 1},
    "talk_time": {"average_talk_time": 1},
    "csat_mean": {"csat": 1},
    "csat_if_silent_unhappy": {"csat": 1, "silent": 1},
    "csat_if_silent_happy": {"csat": 1, "silent": 1},
    "ces_agree": {"ces": 1},
    "call_back_rate": {"recovered_rate": 1},
    "cost_per_contact": {"attribution_rate": 1},
    "cost_per_answered": {"answered": 1},
    "cost_per_resolved": {"first_contact_resolution_declared:hits": 1},
}
"""What `n` of a KPI adds up, where that is no quantity of its own. Costs add it up for
contacts with a source.
"""
NUMERATORS: Mapping[str, Sums] = {
    "received": {"received": 1},
    "answered": {"answered": 1},
    "answer_rate": {"answered": 1},
    "missed": {"received": 1, "answered": -1},
    "talk_time": {"average_talk_time:hits": 1},
    "csat_if_silent_unhappy": {"csat:hits": 1},
    "csat_if_silent_happy": {"csat:hits": 1, "silent": 1},
    "attribution_rate": {"attribution_rate": 1},
}
COUNTED_APART = frozenset(
    {
        "answer_rate",
        "csat_if_silent_unhappy",
        "csat_if_silent_happy",
        "first_contact_resolution_declared",
    }
)
"""Rates whose numerator another KPI counts, in a table of its own: known there, it
gives no rate away where the denominator is hidden.
"""
WITH_SOURCE = {
    ("cost_per_contact", "n"),
    ("cost_per_answered", "n"),
    ("cost_per_resolved", "n"),
    ("attribution_rate", "numerator"),
}


def add_centre(seed: int) -> list[dict[str, Any]]:
    """Land and publish a random centre: 8–26 advisors, 150–700 contacts, 2–4 months; queues inside
    sites and campaigns inside sources, more or less; surveys, evaluations and spend.
    Returns its contacts.
    """
    draw = random.Random(seed)
    advisors, months = draw.randint(8, 26), draw.randint(2, 4)
    teams = {f"team {number}": draw.choice(["Lille", "Lyon", None]) for number in range(5)}
    team_of = {f"a{number}": draw.choice(sorted(teams)) for number in range(advisors)}
    queues = draw.sample(["billing", "sales", "support", "claims", "vip"], draw.randint(2, 4))
    queue_of = {advisor: draw.sample(queues, min(2, len(queues))) for advisor in team_of}
    reasons = draw.sample(["invoice", "delivery", "refund", "other"], draw.randint(2, 4))
    campaigns = {
        "spring": ("Google", "cpc"),
        "summer": ("Google", "cpc"),
        "loyal": ("Letter", "mail"),
        "news": ("Letter", "mail"),
        "radio": ("Radio", "offline"),
    }
    customers = [f"k{number}" for number in range(draw.randint(100, 600))]
    fills = {
        name: draw.choice((0.3, 0.8, 1.0)) for name in ("talk", "wait", "declared", "recorded")
    }
    asks = draw.choice((0.3, 0.9))
    rows = []
    for _number in range(draw.randint(150, 700)):
        start = add_months(date(2026, 3, 1), draw.randrange(months))
        clock = datetime.combine(start, datetime.min.time()) + timedelta(
            days=draw.randrange(28), minutes=draw.randrange(8 * 60, 19 * 60)
        )
        advisor = draw.choice(sorted(team_of))
        answered = draw.random() < 0.85
        campaign = draw.choice(sorted(campaigns)) if draw.random() < 0.5 else None
        source, medium = campaigns.get(campaign, (None, None))
        surveyed = answered and draw.random() < asks
        rated = surveyed and draw.random() < 0.6
        rows.append(
            contact(
                clock,
                advisor_id=advisor if answered else None,
                team=team_of[advisor] if answered else None,
                outcome="answered" if answered else draw.choice(["abandoned", "voicemail"]),
                queue=draw.choice(queue_of[advisor] if draw.random() < 0.9 else queues),
                reason=draw.choice([*reasons, None]),
                channel=draw.choice(["phone"] * 8 + ["chat"] * 3 + ["email"]),
                direction=draw.choice(["inbound"] * 9 + [None]),
                source=source,
                medium=medium if draw.random() < 0.95 else None,
                campaign=campaign if draw.random() < 0.95 else None,
                customer_key=draw.choice(customers) if draw.random() < 0.9 else None,
                wait_seconds=float(draw.randrange(90)) if draw.random() < fills["wait"] else None,
                transfers=draw.randrange(3) if answered else None,
                survey_sent=surveyed or None,
                csat=float(draw.randint(1, 5)) if rated else None,
                csat_scale="1-5" if rated else None,
                nps=float(draw.randint(0, 10)) if surveyed and draw.random() < 0.5 else None,
                ces=float(draw.randint(1, 7)) if surveyed and draw.random() < 0.4 else None,
                recorded=draw.random() < 0.4 if draw.random() < fills["recorded"] else None,
                declared_resolved=draw.random() < 0.8
                if answered and draw.random() < fills["declared"]
                else None,
                **dict.fromkeys(
                    ("talk_seconds", "hold_seconds", "wrap_seconds"),
                    float(draw.randrange(20, 600))
                    if answered and draw.random() < fills["talk"]
                    else None,
                ),
            )
            | {"contact_id": f"c{_number}"}
        )
    land(rows)
    # The month after the last makes it one that is over in the data.
    land([contact(datetime(2026, 3 + months, 1, 10), "end", advisor_id="a0")], "end")
    land_spend(
        [
            (f"2026-{3 + month:02d}-05", source, campaign, 100.0, "EUR")
            for month in range(months)
            for campaign, (source, _medium) in campaigns.items()
        ]
    )
    add_people({advisor: f"Name {advisor}" for advisor in team_of}, teams)
    with store.writing() as session:
        session.add_all(
            evaluation(
                row, float(draw.randint(40, 100)), grid_name=draw.choice(["Service", "Sales"])
            )
            for row in rows
            if row["advisor_id"] and draw.random() < 0.5
        )
    editions.publish(Viewer.SYSTEM)
    return rows


@dataclass(frozen=True)
class Line:
    """A cell of a table that was asked for: hidden, shown, or of no contacts."""

    month: str
    kpi: str
    dimension: str | None
    value: Any
    status: str
    n: float | None = None
    numerator: float | None = None

    @property
    def is_hidden(self) -> bool:
        return self.status == "suppressed"


@dataclass(frozen=True)
class Answers:
    """What the executive was given, month by month, and the truth: `n` and numerator
    (`…:hits`) of each KPI for every combination of values (`atoms`, by month), and
    which cells have few contacts or advisors (`small`).
    """

    dimensions: tuple[str, ...]
    lines: list[Line]
    atoms: Mapping[str, Mapping[tuple[Any, ...], Mapping[str, float]]]
    small: frozenset[tuple[str, str, str | None, Any]]
    takers: Mapping[str, Mapping[tuple[Any, ...], Mapping[str, set[str]]]] = field(
        default_factory=dict
    )
    """Who took the contacts that a KPI counts, like `atoms`."""

    @property
    def small_shown(self) -> list[Line]:
        """Cells of few contacts or advisors that are shown; `missed` is what `received`
        and `answered` leave, and no cell of its own.
        """
        return [
            line
            for line in self.lines
            if line.status != "suppressed"
            and line.kpi != "missed"
            and (line.month, line.kpi, line.dimension, line.value) in self.small
        ]


def ask(kpis: list[str], dimensions: tuple[str, ...]) -> Answers:
    """Ask for every table of these KPIs, month by month, and for the truth."""
    where = Filters(Period(date(2026, 1, 1), find_last_closed_day()))
    lines = []
    for name in (None, *dimensions):
        open_to = [key for key in kpis if name is None or name in _dimensions_of(key)]
        frame = query.measure(EXECUTIVE, open_to, (name, "month") if name else ("month",), where)
        values = _plain(frame[name]) if name else [None] * len(frame)
        numbers = (_plain(frame[column]) for column in ("n", "numerator"))
        columns = (frame["month"], frame["kpi"], [name] * len(frame), values, frame["status"])
        lines += map(Line, *columns, *numbers)
    told = [key for key in kpis if not key.startswith("cost_per")]
    frame = query.measure(Viewer.SYSTEM, told, (*dimensions, "month", "advisor"), where)
    atoms: dict[str, dict[tuple[Any, ...], dict[str, float]]] = {}
    takers: dict[str, dict[tuple[Any, ...], dict[str, set[str]]]] = {}
    cells: dict[tuple[str, str, str | None, Any], tuple[float, set[str]]] = {}
    for month, key, n, numerator, advisor, *combination in zip(
        frame["month"],
        frame["kpi"],
        frame["n"],
        frame["numerator"],
        _plain(frame["advisor"]),
        *(_plain(frame[name]) for name in dimensions),
        strict=True,
    ):
        if not n:
            continue
        counts = atoms.setdefault(month, {}).setdefault(tuple(combination), {})
        counts[key] = counts.get(key, 0) + n
        took = (
            takers.setdefault(month, {}).setdefault(tuple(combination), {}).setdefault(key, set())
        )
        took |= {advisor} - {None}
        hits = 0 if numerator != numerator else numerator
        counts[f"{key}:hits"] = counts.get(f"{key}:hits", 0) + hits
        for name, value in zip((None, *dimensions), (None, *combination), strict=True):
            before, advisors = cells.get((month, key, name, value), (0, set()))
            cells[month, key, name, value] = before + n, advisors | {advisor} - {None}
    small = frozenset(
        cell
        for cell, (n, advisors) in cells.items()
        if n < MINIMUM_CONTACTS or (len(advisors) < MINIMUM_ADVISORS and cell[1] not in OF_NOBODY)
    )
    return Answers(dimensions, lines, atoms, small, takers)


def _dimensions_of(key: str) -> tuple[str, ...]:
    return PUBLISHED_BY.get(key, BY_KEY[key].dimensions)


def _plain(values: pd.Series) -> list[Any]:
    return [None if value is None or value != value else value for value in values.tolist()]


def find_leaks_of_customers(rows: list[dict[str, Any]]) -> Iterator[str]:
    """The hidden cells of which the number of customers follows from what was shown:
    over the customers, each with all the cells that they were in contact in.
    """
    where = Filters(Period(date(2026, 1, 1), find_last_closed_day()))
    frames = {
        name: query.measure(
            EXECUTIVE, ("repeat_caller_rate",), (name, "month") if name else ("month",), where
        )
        for name in (None, *OF_CONTACTS)
        if name != "site"
    }
    counted = [row for row in rows if row["customer_key"] is not None]
    for month in sorted({row["month"] for row in rows}):
        shown, hidden = [], []
        for name, frame in frames.items():
            of_month = frame[frame["month"] == month]
            values = _plain(of_month[name]) if name else [None] * len(of_month)
            for value, status in zip(values, of_month["status"], strict=True):
                customers = {
                    row["customer_key"]
                    for row in counted
                    if row["month"] == month and (name is None or row[name] == value)
                }
                vector = {("customers", customer): 1.0 for customer in customers}
                if vector:
                    label = f"{month} customers of {name}={value}"
                    (hidden if status == "suppressed" else shown).append((label, vector))
        yield from _solve(shown, hidden)


def find_leaks(answers: Answers, is_strong: bool = False) -> Iterator[str]:
    """The hidden cells of which a count or a numerator follows from what was shown.

    `is_strong`: the attacker also takes quantities for equal that are so everywhere,
    such as the answered contacts and those with a talk time, and looks for small cells.
    """
    for month, atoms in answers.atoms.items():
        yield from _find_leaks_of_month(answers, month, atoms, is_strong)


def _find_leaks_of_month(
    answers: Answers,
    month: str,
    atoms: Mapping[tuple[Any, ...], Mapping[str, float]],
    is_strong: bool,
) -> Iterator[str]:
    keys = {key for counts in atoms.values() for key in counts}
    quantities = _find_quantities(
        {key: np.array([counts.get(key, 0) for counts in atoms.values()]) for key in keys}
    )
    if is_strong:
        _merge_equal(quantities)
    columns = dict(zip(answers.dimensions, zip(*atoms, strict=True), strict=True))
    has_source = np.array([value is not None for value in columns["source"]])
    shown, hidden = [], []
    for line in answers.lines:
        if line.month != month:
            continue
        inside = np.array(
            [line.dimension is None or value == line.value for value in columns[line.dimension]]
            if line.dimension
            else [True] * len(atoms)
        )
        for part, sums in (("n", N), ("numerator", NUMERATORS)):
            if part == "numerator" and (
                line.kpi.startswith("cost_per")  # money, which is no secret
                or (line.kpi in COUNTED_APART and line.status == "suppressed")
            ):
                continue
            own = line.kpi if part == "n" else f"{line.kpi}:hits"
            among = inside & has_source if (line.kpi, part) in WITH_SOURCE else inside
            vector, amount = _build(sums.get(line.kpi, {own: 1}), among, quantities)
            if not vector:
                continue
            label = f"{month} {line.kpi} {part} of {line.dimension}={line.value}"
            if line.status != "suppressed":
                shown.append((label, vector))
            elif amount and (
                not is_strong or (month, line.kpi, line.dimension, line.value) in answers.small
            ):
                hidden.append((label, vector))
    yield from _solve(shown, hidden)


@dataclass
class Quantity:
    """One thing that is counted or summed: by what name it is solved for, in which
    combinations it may occur, and its true amounts.
    """

    name: str
    occurs: np.ndarray
    amounts: np.ndarray


def _find_quantities(counts: Mapping[str, np.ndarray]) -> dict[str, Quantity]:
    """Every quantity; a numerator may be anywhere that its denominator is."""
    found = {
        key: Quantity(key, counts[key.removesuffix(":hits")] > 0, amounts)
        for key, amounts in counts.items()
    }
    if "csat_if_silent_unhappy" in counts:
        asked = counts["csat_if_silent_unhappy"]
        found["silent"] = Quantity("silent", asked > 0, asked - counts.get("csat", 0))
    return found


def _merge_equal(quantities: dict[str, Quantity]) -> None:
    names: dict[bytes, str] = {}
    for key, quantity in quantities.items():
        if not key.endswith(":hits") and key != "silent":
            quantity.name = names.setdefault(quantity.amounts.tobytes(), quantity.name)


def _build(
    sums: Sums, inside: np.ndarray, quantities: Mapping[str, Quantity]
) -> tuple[dict[tuple[str, Any], float], float]:
    """The number as a sum over quantities and combinations, and what it comes to."""
    vector: dict[tuple[str, Any], float] = {}
    amount = 0.0
    for key, times in sums.items():
        if key in quantities:
            quantity = quantities[key]
            amount += times * float(quantity.amounts[inside].sum())
            for place in np.flatnonzero(inside & quantity.occurs):
                unknown = quantity.name, int(place)
                vector[unknown] = vector.get(unknown, 0) + times
    return {unknown: times for unknown, times in vector.items() if times}, amount


Labelled = list[tuple[str, dict[tuple[str, Any], float]]]


def _solve(shown: Labelled, hidden: Labelled) -> Iterator[str]:
    """The hidden numbers that are combinations of the shown ones."""
    group_of: dict[str, str] = {}

    def find(name: str) -> str:
        while group_of.setdefault(name, name) != name:
            name = group_of[name]
        return name

    for _label, vector in [*shown, *hidden]:
        names = sorted({name for name, _place in vector})
        for name in names:
            group_of[find(name)] = find(names[0])
    groups: dict[str, tuple[Labelled, Labelled]] = {}
    for side, numbers in enumerate((shown, hidden)):
        for label, vector in numbers:
            groups.setdefault(find(next(iter(vector))[0]), ([], []))[side].append((label, vector))
    for known, wanted in groups.values():
        if not known or not wanted:
            continue
        unknowns = {
            unknown: place
            for place, unknown in enumerate(
                sorted({unknown for _label, vector in [*known, *wanted] for unknown in vector})
            )
        }

        def matrix(numbers: Labelled, unknowns: Mapping[Any, int] = unknowns) -> np.ndarray:
            made = np.zeros((len(numbers), len(unknowns)))
            for row, (_label, vector) in enumerate(numbers):
                for unknown, times in vector.items():
                    made[row, unknowns[unknown]] = times
            return made

        _left, sizes, directions = np.linalg.svd(
            np.unique(matrix(known), axis=0), full_matrices=False
        )
        basis = directions[sizes > 1e-9 * sizes[0]]
        targets = matrix(wanted)
        rest = targets - targets @ basis.T @ basis
        for (label, _vector), size in zip(wanted, np.abs(rest).max(axis=1), strict=True):
            if size < 1e-7:
                yield label


BY_OTHERS = OF_NOBODY | {"repeat_contacts", "cost_of_repeats"}
"""Quantities behind which stand more advisors than those who took what is counted."""


@dataclass(frozen=True)
class System:
    """What the executive knows of one quantity in one month: which cells are shown (bool,
    cells × combinations), and which are hidden, by label; how many there are in each
    combination, and at most (None: any number).
    """

    label: str
    shown: dict[tuple[str | None, Any], np.ndarray]
    hidden: dict[tuple[str | None, Any], np.ndarray]
    amounts: np.ndarray
    most: np.ndarray | None
    takers: list[set[str]] | None


def find_systems(answers: Answers) -> Iterator[System]:
    """Gather the equations of every quantity: rows counted, and rows of a numerator."""
    for month, atoms in answers.atoms.items():
        columns = dict(zip(answers.dimensions, zip(*atoms, strict=True), strict=True))
        quantities: dict[str, list[tuple[Line, str]]] = {}
        for line in answers.lines:
            if line.month != month or line.kpi.startswith("cost_per"):
                continue
            counted = N.get(line.kpi, {line.kpi: 1})
            if [*counted.values()] == [1]:
                quantities.setdefault(next(iter(counted)), []).append((line, "n"))
            if BY_KEY[line.kpi].kind == KpiKind.RATIO and line.kpi not in NUMERATORS:
                quantities.setdefault(f"{line.kpi}:hits", []).append((line, "numerator"))
        for quantity, lines in quantities.items():
            counts = {
                key: np.array([found.get(key, 0) for found in atoms.values()])
                for key in (quantity, quantity.removesuffix(":hits"))
            }
            base = quantity.removesuffix(":hits")
            used = counts[base] > 0
            if not used.any():
                continue
            shown, hidden = {}, {}
            for line, _part in lines:
                cell = line.dimension, line.value
                inside = np.array(
                    [
                        line.dimension is None or value == line.value
                        for value in columns[line.dimension or answers.dimensions[0]]
                    ]
                )[used]
                (hidden if line.is_hidden else shown)[cell] = inside
            hidden = {cell: inside for cell, inside in hidden.items() if cell not in shown}
            people = [answers.takers[month][place].get(base, set()) for place in atoms]
            yield System(
                f"{month} {quantity}",
                shown,
                hidden,
                counts[quantity][used],
                counts[base][used] if quantity != base else None,
                None
                if base in BY_OTHERS or quantity != base
                else [took for took, is_used in zip(people, used, strict=True) if is_used],
            )


def find_small_sums(answers: Answers) -> Iterator[str]:
    """The sums of hidden cells that follow from what is shown, with few contacts or advisors
    behind them: of all hidden cells of a table, of two, and what the shown cells of a table
    leave of a shown cell around them.
    """
    for system in find_systems(answers):
        if system.most is not None or not system.hidden or not system.shown:
            continue
        known = np.array([*system.shown.values()], float)
        _left, sizes, directions = np.linalg.svd(known, full_matrices=False)
        basis = directions[sizes > 1e-9 * sizes[0]]
        for label, region in _list_sums(system):
            count = system.amounts[region].sum()
            people: set[str] = set()
            for place in np.flatnonzero(region):
                people |= system.takers[place] if system.takers else set()
            is_small = count < MINIMUM_CONTACTS or (
                system.takers is not None and len(people) < MINIMUM_ADVISORS
            )
            vector = region.astype(float)
            if region.any() and is_small and np.abs(vector - vector @ basis.T @ basis).max() < 1e-7:
                yield f"{system.label}: {label}: {count:.0f} of {len(people)}"


def _list_sums(system: System) -> Iterator[tuple[str, np.ndarray]]:
    tables: dict[str | None, list[tuple[str | None, Any]]] = {}
    for cell in system.hidden:
        tables.setdefault(cell[0], []).append(cell)
    for name, cells in tables.items():
        yield f"all hidden of {name}", np.any([system.hidden[cell] for cell in cells], axis=0)
        for one, other in itertools.combinations(cells, 2):
            yield f"{one} and {other}", system.hidden[one] | system.hidden[other]
    names = {cell[0] for cell in system.shown}
    for around, inside in system.shown.items():
        for name in names - {around[0], None}:
            parts = [
                cell
                for cell, within in system.shown.items()
                if cell[0] == name and within.any() and not (within & ~inside).any()
            ]
            if parts:
                left = inside & ~np.any([system.shown[cell] for cell in parts], axis=0)
                yield f"{around} without its {name}", left


def find_fixed(answers: Answers) -> Iterator[str]:
    """The hidden cells of which whole numbers leave one count alone. The attacker knows which
    combinations occur, and of a numerator also how many there are at most.
    """
    for system in find_systems(answers):
        cells = [cell for cell, inside in system.hidden.items() if inside.any()]
        if not system.shown or not cells or np.array_equal(system.amounts, system.most):
            continue
        for cell in np.flatnonzero(_find_one_count(system, cells)):
            truth = system.amounts[system.hidden[cells[cell]]].sum()
            yield f"{system.label} {cells[cell]}: {truth:.0f}, no other number"


def _find_one_count(system: System, cells: list[tuple[str | None, Any]]) -> np.ndarray:
    """Find the hidden cells that have their true count in all numbers which fit what is
    shown. Each answer of the solver clears every cell that has another count in it; of a
    cell that is left, both ends are the true count.
    """
    all_cells = np.vstack([*system.shown.values(), *(system.hidden[cell] for cell in cells)])
    groups, place = np.unique(all_cells, axis=1, return_inverse=True)
    matrix, targets = np.split(groups.astype(float), [len(system.shown)])
    width = groups.shape[1]
    truth = np.bincount(place.reshape(-1), system.amounts, width)
    most = np.inf if system.most is None else np.bincount(place.reshape(-1), system.most, width)
    shown_sums = LinearConstraint(csr_array(matrix), matrix @ truth, matrix @ truth)
    # What is in no shown cell can be any number.
    is_fixed = ~targets[:, ~matrix.any(axis=0)].any(axis=1)

    def solve(weights: np.ndarray) -> None:
        found = milp(
            weights, integrality=np.ones(width), bounds=Bounds(0, most), constraints=shown_sums
        )
        assert found.status == 0, found.message
        is_fixed[np.abs(targets @ (found.x - truth)) > 0.5] = False

    chance = np.random.default_rng(0)
    for _answer in range(2):
        solve(chance.random(len(targets)) @ targets)
    for cell, target in enumerate(targets):
        for sign in (-1, 1):
            if is_fixed[cell]:
                solve(sign * target)
    return is_fixed


def watch_centre() -> None:
    """Set targets and rules, so that there are gaps and alerts to ask for."""
    for kpi in KPIS_ELSEWHERE[1:]:
        targets.set_target(Viewer.SYSTEM, kpi, "0.5")
        for dimension in (None, "queue"):
            rule = Rule(kpi, RuleKind.THRESHOLD, "month", dimension, None, "below", 0.99)
            alerts.add(Viewer.SYSTEM, rule)
    alerts.evaluate(Viewer.SYSTEM)


KPIS_ELSEWHERE = ("received", "answer_rate", "csat", "unhappy_rate", "first_contact_resolution")
NUMBERS = (
    "value",
    "numerator",
    "denominator",
    "n",
    "low",
    "high",
    "p50",
    "p90",
    "p95",
    "deviation",
)


def find_differences(answers: Answers, month: str, seen: set[str]) -> Iterator[str]:
    """Ask for the cells of a month at every other exit. Yields the numbers of hidden cells,
    and those that differ from what `measure` shows: none says more than its tables. The
    exits that said a number are added to `seen`.
    """
    cells = {
        (line.kpi, line.dimension, line.value): line
        for line in answers.lines
        if line.month == month
    }
    for exit_name, key, number, column in _ask_elsewhere(cells, answers.dimensions, month):
        line = cells.get(key)
        if number:
            seen.add(exit_name)
        if line is None or line.is_hidden or line.status == "no_data":
            if number:
                yield f"{exit_name} {month} {key}: {number}, but hidden"
        elif column and getattr(line, column) != number:
            yield f"{exit_name} {month} {key}: {number}, not {getattr(line, column)}"


Asked = tuple[str, tuple[str, str | None, Any], Any, str | None]
"""Exit, cell, what it says there, and the column of `measure` that it should equal."""


def _ask_elsewhere(
    cells: Mapping[Any, Line], dimensions: tuple[str, ...], month: str
) -> Iterator[Asked]:
    first = date.fromisoformat(f"{month}-01")
    where = Filters(Period(first, add_months(first, 1) - timedelta(days=1)))
    for name in (None, *dimensions):
        kpis = [key for key in KPIS_ELSEWHERE if name is None or name in _dimensions_of(key)]
        yield from _ask_tables(kpis, name, where)
    for _kpi, name, value in [key for key in cells if key[0] == "received"]:
        within = where.with_value(name, value) if name else where
        for kpi in ("received", "csat"):
            explained = query.explain(EXECUTIVE, kpi, within)
            yield "explain", (kpi, name, value), explained.counted, None
            yield "explain", (kpi, name, value), _number(explained.row.n), "n"
            for said in (explained.universe, *explained.excluded, *explained.variants):
                yield "explain's rest", (kpi, name, value), said, None
    for driver in query.find_drivers(EXECUTIVE, where).drivers:
        if driver.factor in dimensions:
            yield "drivers", ("csat", driver.factor, driver.level), driver.n, "n"
    for one in detection.find_candidates(EXECUTIVE, where):
        if one.subject.dimension not in dimensions:
            continue
        kpi = detection.KPIS[one.subject.kind]
        yield "irritants", (kpi, one.subject.dimension, one.subject.value), one.share.n, "n"
    for event in alerts.find(EXECUTIVE):
        if event.period == where.period:
            yield "alerts", (event.rule.kpi, event.rule.dimension, event.name), event.n, "n"


def _ask_tables(kpis: list[str], name: str | None, where: Filters) -> Iterator[Asked]:
    """Ask for a table compared with the month, on the command line, with targets, as a
    file, and as the values of a filter.
    """
    by, period = ((name,) if name else ()), where.period
    following = Period(add_months(period.first_day, 1), add_months(period.last_day, 1))
    following = Period(following.first_day, add_months(following.first_day, 1) - timedelta(days=1))
    if query.is_published(following):
        frame = query.measure(EXECUTIVE, kpis, by, Filters(following), compare=period)
        for row in frame.to_dict("records"):
            key = (row["kpi"], name, _none(row[name]) if name else None)
            hidden = _none(row["status"]) == "suppressed"
            yield "compared with", key, _number(row["n_before"]), "n"
            yield "compared with", key, _number(row["value_before"]), None
            yield "compared with", key, _number(row["delta"]) if hidden else None, None
    frame = targets.add_gaps(EXECUTIVE, query.measure(EXECUTIVE, kpis, by, where), by, where)
    for row in frame.to_dict("records"):
        key = (row["kpi"], name, _none(row[name]) if name else None)
        yield "targets", key, _number(row["gap"]), None
        for column in NUMBERS:
            yield "measure", key, _number(row[column]), None
    days = ["--from", f"{period.first_day}", "--to", f"{period.last_day}"]
    line = ["kpi", *kpis, *(["--by", name] if name else []), *days, "--as", "rex", "--json"]
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert run(line) == 0
    for row in json.loads(said.getvalue())["rows"]:
        for column in ("n", "numerator"):
            yield (
                "kpi --json",
                (row["kpi"], name, row["by"][name] if name else None),
                row[column],
                column,
            )
    parameters = exports.build_figure_parameters(kpis, by, where)
    content = exports.build_file(EXECUTIVE, **parameters).content
    yield from _read_file(content, frame, name)
    for value, n in query.find_values(EXECUTIVE, name, where) if name and name != "site" else ():
        yield "filter", ("received", name, value), n, "n"


def _read_file(content: bytes, frame: pd.DataFrame, name: str | None) -> Iterator[Asked]:
    """Read the lines of a file of figures, which come in the order of the table."""
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    head = next(row for row in rows if _("KPI") in row)
    lines = rows[rows.index(head) + 1 :]
    for row, line in zip(frame.to_dict("records"), lines, strict=True):
        key = (row["kpi"], name, _none(row[name]) if name else None)
        said = line[head.index("n")]
        yield "file", key, float(said) if said else None, "n"


def _none(value: Any) -> Any:
    return None if value is None or value != value else value


def _number(value: Any) -> float | None:
    return None if _none(value) is None else float(value)
