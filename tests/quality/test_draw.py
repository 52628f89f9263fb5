"""The arithmetic of a draw: quotas kept, each contact of an advisor with the same
chance, the same list from the same seed on any machine.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest
from builders import plain_draw
from builders.long_seeds import count_seeds
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from qa_core.quality.sampling import allocation, fairness

# Zoé has ten contacts in three strata, Max six in two, Lea two: of each, three are
# wanted.
FRAME = {
    "zoe": {
        "phone": [("acd", f"z{number}") for number in range(5)],
        "chat": [("acd", f"z{number}") for number in range(5, 9)],
        "email": [("acd", "z9")],
    },
    "max": {
        "phone": [("acd", f"m{number}") for number in range(4)],
        "chat": [("acd", f"m{number}") for number in range(4, 6)],
    },
    "lea": {"phone": [("acd", "l0"), ("acd", "l1")]},
}
WANTED = {"zoe": 3, "max": 3, "lea": 3}


def test_a_ticket_is_the_same_on_every_machine() -> None:
    # printf '5\x1fnovember\x1facd\x1fz0' | sha256sum
    assert (
        plain_draw.compute_ticket(5, "november", "acd", "z0")
        == "af2d814d053cbcf0896b21abb10c482abf76efaaa6d2ffd8c45d7533e93fa283"
    )


def test_the_same_seed_draws_the_same_list_and_another_seed_another() -> None:
    first = plain_draw.draw(FRAME, WANTED, 5, "november")

    assert plain_draw.draw(dict(reversed(FRAME.items())), WANTED, 5, "november") == first
    assert plain_draw.draw(FRAME, WANTED, 6, "november") != first
    assert plain_draw.draw(FRAME, WANTED, 5, "december") != first


@given(
    st.dictionaries(st.sampled_from("abcdefg"), st.integers(1, 40), min_size=1),
    st.integers(0, 60),
    st.integers(0, 1 << 62),
)
def test_every_stratum_gets_its_share_rounded_down_or_up(
    strata: dict[str, int], wanted: int, seed: int
) -> None:
    taken = allocation.allocate(strata, wanted, seed, "november", "zoe")

    total = sum(strata.values())
    assert sum(taken.values()) == min(wanted, total)
    for name, size in strata.items():
        assert taken[name] <= size
        assert abs(taken[name] - Fraction(min(wanted, total) * size, total)) < 1


def check_draws(seeds: range) -> None:
    """Over many draws: quotas always kept, and each contact of an advisor drawn as
    often as another, by chi-square against the exact chance.
    """
    times: Counter[tuple[str, str]] = Counter()
    pairs: Counter[frozenset[str]] = Counter()
    everything = {
        key: advisor
        for advisor, strata in FRAME.items()
        for keys in strata.values()
        for key in keys
    }
    for seed in seeds:
        drawn = plain_draw.draw(FRAME, WANTED, seed, "november")
        assert Counter(advisor for advisor, _key in drawn) == {"zoe": 3, "max": 3, "lea": 2}
        assert len({key for _advisor, key in drawn}) == 8
        assert all(everything[key] == advisor for advisor, key in drawn)
        strata = Counter(
            next(name for name, keys in FRAME["zoe"].items() if key in keys)
            for advisor, key in drawn
            if advisor == "zoe"
        )
        # Shares of three in ten: phone 1.5, chat 1.2, e-mail 0.3.
        assert strata["phone"] in (1, 2) and strata["chat"] in (1, 2) and strata["email"] in (0, 1)
        times.update(key for _advisor, key in drawn)
        phone = [key[1] for _advisor, key in drawn if key in FRAME["zoe"]["phone"]]
        pairs.update([frozenset(phone)] if len(phone) == 2 else [])
    n = len(seeds)
    assert times["acd", "l0"] == times["acd", "l1"] == n
    for advisor, chance in (("zoe", 3 / 10), ("max", 3 / 6)):
        counts = [times[key] for keys in FRAME[advisor].values() for key in keys]
        distance = (
            sum((count - n * chance) ** 2 / (n * chance * (1 - chance)) for count in counts)
            * (len(counts) - 1)
            / len(counts)
        )
        assert special.chdtrc(len(counts) - 1, distance) > 0.001, f"{advisor}: {counts}"
    # Two of the five telephone calls: each of the ten pairs as often as another.
    expected = sum(pairs.values()) / 10
    assert len(pairs) == 10
    assert (
        special.chdtrc(9, sum((count - expected) ** 2 / expected for count in pairs.values()))
        > 0.001
    )


def test_ten_thousand_draws_keep_the_quotas_and_give_every_contact_the_same_chance() -> None:
    check_draws(range(10_000))


@pytest.mark.long
def test_very_many_draws_do() -> None:
    check_draws(range(count_seeds(100_000)))


def test_a_sample_of_as_many_of_everybody_is_fair_though_unlike_the_frame() -> None:
    # Anna answers 900 calls on the telephone, Bruno 100 chats: five each are not a
    # sample that leans towards chat.
    frame = {"anna": {"phone": 900}, "bruno": {"chat": 90, "phone": 10}}

    told = fairness.assess_fairness(
        "channel", frame, {"anna": {"phone": 5}, "bruno": {"chat": 5}}, 7
    )

    assert [(share.value, share.frame, share.expected, share.drawn) for share in told.shares] == [
        ("chat", 90, 4.5, 5),
        ("phone", 910, 5.5, 5),
    ]
    assert told.is_simulated
    assert told.p_value > 0.5


def test_a_sample_of_the_mornings_alone_is_not_fair() -> None:
    frame = {advisor: {"morning": 50, "afternoon": 50} for advisor in ("anna", "bruno", "chloe")}
    mornings = {advisor: {"morning": 8} for advisor in frame}

    # 24 of 24 where 12 are expected.
    assert fairness.assess_fairness("hour", frame, mornings, 7).p_value < 0.0001
    assert (
        fairness.assess_fairness(
            "hour", frame, {advisor: {"morning": 4, "afternoon": 4} for advisor in frame}, 7
        ).p_value
        == 1
    )
    assert (
        fairness.assess_fairness(
            "hour", {"anna": {"morning": 9}}, {"anna": {"morning": 4}}, 7
        ).p_value
        is None
    )


def test_the_approximation_and_the_simulation_agree() -> None:
    frame = {f"a{number}": {"one": 30 + number, "two": 20} for number in range(10)}
    drawn = {advisor: {"one": 3, "two": 1} for advisor in frame}

    near = fairness.assess_fairness("channel", frame, drawn, 7)
    few = fairness.assess_fairness(
        "channel", {**frame, "b": {"three": 2, "one": 100}}, {**drawn, "b": {"one": 1}}, 7
    )

    assert not near.is_simulated and few.is_simulated
    assert abs(near.p_value - few.p_value) < 0.1
