"""The linear audit: nothing protected follows from what is shown, by exact rational
algebra, and little more is hidden than has to be.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from qa_core.stats.linear_audit import find_shown


def follows(target: list[int], known: list[list[int]]) -> bool:
    """Whether a vector is a rational combination of others, by elimination in
    fractions.
    """
    basis: list[list[Fraction]] = []
    for row in [*known, target]:
        rest = [Fraction(value) for value in row]
        for other in basis:
            lead = next(place for place, value in enumerate(other) if value)
            if rest[lead]:
                rest = [a - rest[lead] * b / other[lead] for a, b in zip(rest, other, strict=True)]
        if any(rest):
            basis.append(rest)
    return not any(rest)


def run(cells: list[list[int]], protected: set[int]) -> set[int]:
    """The cells shown, tried in the order given."""
    order = [place for place in range(len(cells)) if place not in protected]
    mask = np.array([place in protected for place in range(len(cells))])
    return set(np.flatnonzero(find_shown(np.array(cells, bool), order, mask)[0]).tolist())


def test_a_total_less_its_other_parts_is_not_given() -> None:
    # The total, a site of two queues that can be shown, and the third that cannot.
    cells = [[1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert run(cells, protected={3}) == {0, 1}


def test_a_source_less_its_only_visible_campaign_is_not_given() -> None:
    # Mail has 39 contacts in two combinations: 30 of campaign "loyal", 9 of "news".
    total, mail, other, loyal, news, none = (
        [1, 1, 1],
        [1, 1, 0],
        [0, 0, 1],
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
    )
    assert run([total, mail, other, none, loyal, news], protected={5}) == {0, 1, 2, 3}


def test_what_follows_from_shown_cells_is_shown_and_costs_nothing() -> None:
    cells = [[1, 1], [1, 0], [0, 1]]
    assert run(cells, protected=set()) == {0, 1, 2}


def test_a_protected_cell_of_no_combination_protects_nothing() -> None:
    assert run([[1, 1], [0, 0]], protected={1}) == {0}


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_the_audit_agrees_with_exact_rational_algebra(data: st.DataObject) -> None:
    width = data.draw(st.integers(1, 7))
    cells = data.draw(
        st.lists(
            st.lists(st.integers(0, 1), min_size=width, max_size=width), min_size=1, max_size=9
        )
    )
    protected = {place for place in range(len(cells)) if data.draw(st.booleans())}
    protected = {place for place in protected if any(cells[place])}
    shown = run(cells, protected)
    known = [cells[place] for place in sorted(shown)]
    for place in protected:
        assert not follows(cells[place], known)
    for place in set(range(len(cells))) - protected - shown:
        # Left out for a reason: shown as well, it would give a protected one.
        assert any(follows(cells[one], [*known, cells[place]]) for one in protected)
