"""Linear audit of published sums: which cells can be shown so that no sum or difference
of them gives a protected one.

A cell is a 0/1 vector over the combinations of values that occur. A protected cell
follows from the shown ones exactly if its vector lies in their span. The elimination is
done in whole numbers modulo a prime: what follows is always found, and a coincidence
modulo the prime can only hide more.
"""

from collections.abc import Sequence

import numpy as np

PRIME = 2**31 - 1


def find_shown(cells: np.ndarray, order: Sequence[int], protected_cells: np.ndarray) -> np.ndarray:
    """Choose the cells to show, as a mask.

    `cells`: bool, one row per cell and one column per combination. `order`: the cells
    to try, the most wanted first; each is shown unless a protected one would follow.
    `protected_cells`: bool, the cells that must not follow.

    A cell that was tried and left out does not follow either: with it, a protected one
    would follow as well.
    """
    if not cells.size:
        return np.zeros(len(cells), bool)
    packed_cells = np.packbits(cells, axis=1)
    # The inner products: how many combinations two cells share.
    together = np.array(
        [np.bitwise_count(packed_cells & row).sum(axis=1, dtype=np.int64) for row in packed_cells]
    )
    # What the shown cells leave of each one's square: 0 where it follows.
    remaining_squares = together.diagonal() % PRIME
    watched_cells = np.flatnonzero(protected_cells & (remaining_squares > 0))
    rows = np.zeros_like(together)
    factors = np.zeros(len(together), np.int64)
    is_shown = np.zeros(len(together), bool)
    count = 0

    def reduce(cell: int) -> np.ndarray:
        weights = rows[:count, cell] * factors[:count] % PRIME
        return (together[cell] - (weights[:, None] * rows[:count] % PRIME).sum(axis=0)) % PRIME

    for cell in order:
        row = reduce(cell)
        if row[cell] == 0:
            is_shown[cell] = not row.any()
            continue
        factor = pow(int(row[cell]), -1, PRIME)
        after = (remaining_squares - row * row % PRIME * factor) % PRIME
        if (after[watched_cells] == 0).any():
            continue
        rows[count], factors[count], remaining_squares, is_shown[cell] = row, factor, after, True
        count += 1
    return is_shown
