"""Which hidden cells whole numbers fix, against every table of numbers that fits."""

from __future__ import annotations

import numpy as np

from qa_core.stats.hidden_sums import Solver, TableCells, find_fixed


def test_a_cell_is_fixed_where_no_other_whole_numbers_fit_what_is_shown() -> None:
    draw, fixed_cells, varying_cells = np.random.default_rng(3), 0, 0
    for number in range(120):
        combinations = draw.integers(2, 6)
        values = draw.integers(0, 3, (3, combinations))
        cells = [np.ones(combinations, bool)]
        cells += [row == value for row in values for value in np.unique(row)]
        tables = [0, *(1 + at for at, row in enumerate(values) for _value in np.unique(row))]
        inside, rows = np.array(cells), draw.integers(0, 3, combinations)
        among = rows + draw.integers(0, 2, combinations) if number % 2 else None
        is_shown = draw.random(len(cells)) < 0.6
        hidden = np.flatnonzero(~is_shown)

        found = find_fixed(
            TableCells(inside, np.array(tables)), is_shown, hidden, rows, among, Solver(), "csat"
        )

        most = np.full(combinations, rows.sum() + 1) if among is None else among
        every = np.indices(most + 1).reshape(combinations, -1)
        sums = inside.astype(int) @ every
        fits = (sums[is_shown] == (inside[is_shown] @ rows)[:, None]).all(axis=0)
        fixed = np.ptp(sums[hidden][:, fits], axis=1) == 0
        assert found.tolist() == fixed.tolist(), (inside, rows, among, is_shown)
        fixed_cells, varying_cells = fixed_cells + fixed.sum(), varying_cells + (~fixed).sum()
    assert fixed_cells > 50 and varying_cells > 50
