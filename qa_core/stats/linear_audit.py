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


def find_shown(
    vectors: np.ndarray, order: Sequence[int], is_protected: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Choose the vectors to show. Returns them as a mask, and what the shown ones leave of
    the inner products of all vectors: two rows that are opposite have a sum that follows.

    `vectors`: small whole numbers, one row per cell or sum of cells and one column per
    combination. `order`: the cells to try, the most wanted first; each is shown unless a
    protected vector would follow. `is_protected`: the vectors that must not follow.

    A cell that was tried and left out does not follow either: with it, a protected one
    would follow as well.
    """
    # As floats, in which products of counts are exact and several times as fast.
    floats = vectors.astype(np.float64)
    rest = (floats @ floats.T).astype(np.int64) % PRIME
    watched = np.flatnonzero(is_protected & (rest.diagonal() > 0))
    is_shown = np.zeros(len(rest), bool)
    for cell in order:
        row = rest[cell]
        if row[cell] == 0:
            is_shown[cell] = not row.any()
            continue
        factor = pow(int(row[cell]), -1, PRIME)
        own = row[watched]
        if ((rest[watched, watched] - own * own % PRIME * factor) % PRIME == 0).any():
            continue
        scaled = row * factor % PRIME
        rest = (rest - scaled[:, None] * row[None, :] % PRIME) % PRIME
        is_shown[cell] = True
    return is_shown, rest
