"""Audit of what shown cells leave open: small sums of hidden cells that can be computed,
and hidden cells that whole numbers fix.
"""

import itertools
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from qa_core.stats.linear_audit import PRIME, find_shown

SOLVER_SECONDS = 5.0
"""Seconds of solver; what it has not answered by then counts as fixed."""
MAX_EXCHANGED = 400
"""Combinations whose pairs are compared at most: that takes the square of their number."""
MAX_FREE = 300
"""Combinations that an answer of the solver may change at most, as it keeps no time with
thousands; the others stay, so that a cell may count as fixed that is not.
"""
SURELY_LESS = 0.999
"""Rows by which an answer in fractions has to differ before whole numbers are asked for."""


@dataclass(frozen=True)
class TableCells:
    """Cells of several tables. `inside`: bool, cells × combinations; `table`: the number of
    each cell's table. The total is a table by itself.
    """

    inside: np.ndarray
    table: np.ndarray


@dataclass
class Solver:
    """Time left for whole numbers, and what is known to vary: it still does when more cells
    are hidden.
    """

    seconds: float = field(default_factory=lambda: SOLVER_SECONDS)
    varying: set[tuple[Hashable, int]] = field(default_factory=set)


def hide_sums(
    cells: TableCells,
    order: Sequence[int],
    start: np.ndarray,
    is_small: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """Hide the cells of `start`, and of those in `order` (the most wanted first) as many as
    it takes so that from the shown ones follows no hidden cell, and no small sum of them:
    of two hidden cells, or of what cells of one table leave of a cell around them.

    `is_small`: whether too few are behind each of some sets of combinations (bool, sets ×
    combinations). Returns a mask of all cells.
    """
    small_sums = np.zeros((0, cells.inside.shape[1]), np.int8)
    while True:
        vectors = np.vstack([cells.inside.astype(np.int8), small_sums])
        is_protected = np.append(start, np.ones(len(small_sums), bool))
        is_shown, rest = find_shown(vectors, order, is_protected)
        is_hidden = start.copy()
        is_hidden[order] |= ~is_shown[order]
        found = [*_list_remainders(cells, order, is_hidden), *_list_pairs(cells, is_hidden, rest)]
        known = {row.tobytes() for row in small_sums}
        new = {row.tobytes(): row for row in found if row.tobytes() not in known}
        sums = np.array([*new.values()], np.int8)
        if not len(sums) or not (is_few := is_small(sums > 0)).any():
            return is_hidden
        small_sums = np.vstack([small_sums, sums[is_few]])


def list_nested(cells: TableCells, shown: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
    """List the shown cells, each with the cells of another table that lie in it."""
    shown = np.array(shown, int)
    inside = cells.inside[shown].astype(np.float32)
    sizes = inside.sum(axis=1)
    is_within = (inside @ inside.T == sizes[:, None]) & (sizes[:, None] <= sizes)
    tables = cells.table[shown]
    is_within &= (sizes[:, None] > 0) & (tables[:, None] != tables)
    around, within = np.nonzero(is_within.T)
    order = np.lexsort((within, tables[within], around))
    around, within = around[order], within[order]
    is_next = (np.diff(around, prepend=-1) != 0) | (np.diff(tables[within], prepend=-1) != 0)
    for parts in np.split(np.arange(len(within)), np.flatnonzero(is_next))[1:]:
        yield shown[around[parts[0]]], shown[within[parts]]


def _list_remainders(
    cells: TableCells, order: Sequence[int], is_hidden: np.ndarray
) -> Iterator[np.ndarray]:
    """List what shown cells of a table leave of a shown cell that they lie in."""
    for around, parts in list_nested(cells, [cell for cell in order if not is_hidden[cell]]):
        left = cells.inside[around].astype(np.int8) - cells.inside[parts].sum(axis=0)
        # Customers are in several cells of a table: what is left then is no number of any.
        if left.any() and left.min() >= 0:
            yield left


def _list_pairs(cells: TableCells, is_hidden: np.ndarray, rest: np.ndarray) -> Iterator[np.ndarray]:
    """List the sums of two hidden cells that follow from the shown ones."""
    rows: dict[bytes, list[int]] = {}
    hidden = np.flatnonzero(is_hidden & cells.inside.any(axis=1))
    for cell in hidden:
        rows.setdefault(rest[cell].tobytes(), []).append(cell)
    for cell in hidden:
        for other in rows.get((-rest[cell] % PRIME).tobytes(), ()):
            if other > cell:
                yield cells.inside[cell].astype(np.int8) + cells.inside[other]


def find_fixed(
    cells: TableCells,
    is_shown: np.ndarray,
    hidden: np.ndarray,
    rows: np.ndarray,
    among: np.ndarray | None,
    solver: Solver,
    figure: Hashable,
) -> np.ndarray:
    """Find, as a mask of the `hidden` cells, the cells whose number of `rows` (counts by
    combination) is the only whole number that fits what is shown. `among`: the public
    maximum of each combination; None: any number.

    Most cells are cleared by one exchange: a row in the cell could change places with a
    row or a free place outside, in combinations that the shown cells do not distinguish.
    The solver decides about the others. `figure`: the key of the solver's cache.
    """
    inside = cells.inside[hidden].T.astype(np.float64)
    room = np.ones_like(rows) if among is None else among - rows
    groups = _find_groups(cells.inside[is_shown])
    within, free = groups @ (inside * rows[:, None]), groups @ (inside * room[:, None])
    outside, free_outside = (groups @ rows)[:, None] - within, (groups @ room)[:, None] - free
    can_vary = (within * free_outside + outside * free > 0).any(axis=0)
    # Where a shown cell, or what is left of one, has none, each cell in it has none.
    shown = np.flatnonzero(is_shown)
    left = (
        cells.inside[at] & ~cells.inside[parts].any(axis=0)
        for at, parts in list_nested(cells, shown)
    )
    has_none = np.zeros(len(rows), bool)
    for one in itertools.chain(cells.inside[shown], left):
        if not rows[one].any():
            has_none |= one
    is_fixed = inside.any(axis=0) & ~(inside[~has_none] > 0).any(axis=0)
    open_cells = [
        place
        for place in np.flatnonzero(inside.any(axis=0) & ~is_fixed & ~can_vary)
        if (figure, hidden[place]) not in solver.varying
    ]
    if open_cells:
        targets = cells.inside[hidden[open_cells]]
        varies = _find_varying(cells.inside[is_shown], targets, rows, among, solver)
        is_fixed[open_cells] = ~varies
        solver.varying |= {(figure, hidden[open_cells[place]]) for place in np.flatnonzero(varies)}
    return is_fixed


def _find_groups(shown: np.ndarray) -> csr_array:
    """Group the combinations that lie in the same cells (groups × combinations)."""
    _first, group = group_alike(shown.T)
    places = np.arange(len(group))
    return csr_array((np.ones(len(group)), (group, places)))


def group_alike(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number the groups of equal rows (bool, rows × places) as they come. Returns the first
    row of each group, and the group of each row.
    """
    packed = np.packbits(rows, axis=1)
    padded = np.pad(packed, ((0, 0), (0, -packed.shape[1] % 8)))
    words = np.ascontiguousarray(padded).view(np.uint64)
    group = np.zeros(len(rows), np.int64)
    for word in words.T:  # two numbers below the number of rows make one
        group = group * len(rows) + pd.factorize(word)[0]
        group = pd.factorize(group)[0]
    return np.flatnonzero(~pd.Series(group).duplicated()), group


def _find_varying(
    shown: np.ndarray,
    hidden: np.ndarray,
    rows: np.ndarray,
    among: np.ndarray | None,
    solver: Solver,
) -> np.ndarray:
    """Find, as a mask, the hidden cells in which other whole numbers fit the shown cells.

    Exchanges of two rows clear most of them. One answer of the solver clears every cell that
    differs in it: first answers to random weights of all of them, then one cell after the
    other.
    """
    # Imports and purges load this module, and rarely publish a month.
    from scipy.optimize import Bounds, LinearConstraint, milp

    columns = np.vstack([shown, hidden])
    first, group = group_alike(columns.T)
    columns = columns[:, first]
    matrix = columns[: len(shown)].astype(np.float64)
    targets = columns[len(shown) :].astype(np.float64)
    varies = ((targets > 0) & ~matrix.any(axis=0)).any(axis=1)  # some of it is in no shown cell
    width = matrix.shape[1]
    truth = np.bincount(group, rows, width)
    most = np.inf if among is None else np.bincount(group, among, width)
    varies |= _find_exchanged(matrix, targets, truth, most - truth)
    chance = np.random.default_rng(len(targets))

    def solve(weights: np.ndarray, is_whole: bool) -> float:
        """Note the cells that differ in the numbers of least weight. Returns the weight saved
        against the rows; infinity without an answer in time.
        """
        if solver.seconds <= 0:
            return np.inf
        free = _choose_free(weights != 0, chance)
        changed, shown_sums = matrix[:, free], matrix[:, free] @ truth[free]
        began = time.thread_time()
        answer = milp(
            weights[free],
            integrality=np.full(len(free), int(is_whole)),
            bounds=Bounds(0, most if among is None else most[free]),
            constraints=LinearConstraint(csr_array(changed), shown_sums, shown_sums),
            options={"time_limit": max(solver.seconds, 0.01)},
        )
        solver.seconds -= time.thread_time() - began
        if answer.x is not None:
            numbers = np.round(answer.x)
            if (changed @ numbers == shown_sums).all():
                varies[targets[:, free] @ (numbers - truth[free]) != 0] = True
        return weights[free] @ truth[free] - answer.fun if answer.status == 0 else np.inf

    while (left := np.flatnonzero(~varies)).size > 2:
        weights = chance.normal(size=len(left)) @ targets[left]
        for is_whole in (False, True):
            if not varies[left].any():
                solve(weights, is_whole)
        if not varies[left].any():
            break
    for place, sign in itertools.product(range(len(targets)), (-1, 1)):
        # Where fractions come to no full row more or less, whole numbers do not either.
        if not varies[place] and solve(sign * targets[place], is_whole=False) > SURELY_LESS:
            solve(sign * targets[place], is_whole=True)
    return varies


def _choose_free(is_inside: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """Choose the combinations that may change: all, or of many as many inside as outside."""
    if len(is_inside) <= MAX_FREE:
        return np.arange(len(is_inside))
    inside, outside = (
        chance.permutation(np.flatnonzero(one))[: MAX_FREE // 2] for one in (is_inside, ~is_inside)
    )
    return np.concatenate([inside, outside])


def _find_exchanged(
    shown: np.ndarray, hidden: np.ndarray, rows: np.ndarray, room: np.ndarray
) -> np.ndarray:
    """Find, as a mask, the hidden cells whose number changes where two rows take two other
    places that the shown cells do not distinguish. `room`: how many more rows fit in.
    """
    some = np.argsort(~hidden.any(axis=0), kind="stable")[:MAX_EXCHANGED]
    shown, hidden = shown[:, some].astype(np.int64), hidden[:, some].astype(np.int8)
    rows, room = rows[some], room[some]
    code = np.random.default_rng(0).integers(1, 1 << 61, len(shown)) @ shown
    one, other = np.triu_indices(len(rows))
    needed = 1 + (one == other)
    can_leave, can_come = (np.minimum(n[one], n[other]) >= needed for n in (rows, room))
    used = np.flatnonzero(can_leave | can_come)
    pairs = used[np.argsort((code[one] + code[other])[used], kind="stable")]
    if not len(pairs):
        return np.zeros(len(hidden), bool)
    starts = np.flatnonzero(np.diff((code[one] + code[other])[pairs], prepend=0))
    is_open = np.maximum.reduceat(can_leave[pairs], starts)
    is_open &= np.maximum.reduceat(can_come[pairs], starts)
    within = (hidden[:, one] + hidden[:, other])[:, pairs]
    ends = (one.reduceat(within, starts, axis=1) for one in (np.maximum, np.minimum))
    return (np.subtract(*ends)[:, is_open] != 0).any(axis=1)
