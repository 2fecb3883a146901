"""Counts against plain loops, and as sums over rows that may be cut, moved and merged."""

import tracemalloc
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from upr_analysis import counting
from upr_analysis.counting import Answers, Members, count

# rows at once, most and fewest cells: as they are, and so few that all is counted in pieces
LIMITS = st.sampled_from([(1 << 17, 1 << 16, 1 << 11), (3, 64, 32)])


def listed(tables):
    return [[(counts.tolist(), bases.tolist()) for counts, bases in own] for own in tables]


def test_five_respondents_by_two_groupings_one_of_them_overlapping():
    agreed = Answers(np.array([0, 1, -1, 0, 1], np.int8), 2)
    tools = Answers(
        np.array([0b01, 0b11, 0b10, 0b11, 0b00], np.int8), 2, np.array([1, 1, 1, 0, 1], bool)
    )
    kind = Members(np.array([0, 0, 1, 1, -1]), 2)
    region = Members(np.array([0, 0, 0, 1, 1]), 2, people=np.array([0, 1, 2, 2, 4]))
    by_kind, by_region = listed(count([agreed, tools], [kind, region]))
    assert by_kind == [([[1, 1], [1, 0]], [2, 1]), ([[2, 1], [0, 1]], [2, 1])]
    assert by_region == [([[1, 1], [0, 1]], [2, 1]), ([[2, 2], [0, 1]], [3, 2])]
    assert count([], [kind, region]) == [[], []]


@st.composite
def consultations(draw):
    """Draw answers and groups of up to 20 respondents, in integers of several widths."""
    n = draw(st.integers(0, 20))

    def column(low, end, *kinds):
        kind = draw(st.sampled_from(kinds))
        highest = 1 if kind is bool else min(end - 1, int(np.iinfo(kind).max))
        return draw(arrays(kind, n, elements=st.integers(low, highest)))

    def question():
        options = draw(st.sampled_from([1, 2, 6, 12, 63, 300]))
        if options == 300 or draw(st.booleans()):
            return Answers(column(-1, options, np.int8, np.int16), options)
        masks = column(0, 1 << options, np.int8, np.uint8, np.int16, np.int64)
        return Answers(masks, options, column(0, 2, bool))

    def grouping():
        groups = draw(st.sampled_from([1, 3, 7, 300]))
        if draw(st.booleans()):
            return Members(column(-1, groups, np.int16, np.int64), groups)
        pairs = st.tuples(st.integers(0, n - 1), st.integers(0, groups - 1))
        drawn = draw(st.lists(pairs, unique=True)) if n else []
        people, codes = np.array(drawn, int).reshape(-1, 2).T
        return Members(codes, groups, people)

    answers = [question() for _ in range(draw(st.integers(1, 4)))]
    return answers, [grouping() for _ in range(draw(st.integers(1, 4)))]


def counted(answers, members, limits=(1 << 17, 1 << 16, 1 << 11)):
    names = ("AT_ONCE", "MOST_CELLS", "FEWEST_CELLS")
    with patch.multiple(counting, **dict(zip(names, limits, strict=True))):
        return listed(count(answers, members))


def plainly(one, own):
    """Count one table by going through the respondents."""
    counts, bases = [[0] * one.options for _ in range(own.groups)], [0] * own.groups
    people = range(len(own.codes)) if own.people is None else own.people
    for person, group in zip(people, own.codes, strict=True):
        value = int(one.values[person])
        answered = value >= 0 if one.answered is None else one.answered[person]
        if group < 0 or not answered:
            continue
        bases[group] += 1
        for option in range(one.options):
            chosen = value == option if one.answered is None else value >> option & 1
            counts[group][option] += int(chosen)
    return counts, bases


@given(consultations(), LIMITS)
def test_tables_equal_a_plain_loop(consultation, limits):
    answers, members = consultation
    expected = [[plainly(one, own) for one in answers] for own in members]
    assert counted(answers, members, limits) == expected


def some(answers, members, rows):
    """Return the rows (n,) of a consultation, in their order."""
    place = {row: number for number, row in enumerate(rows.tolist())}
    answers = [
        Answers(one.values[rows], one.options, None if one.answered is None else one.answered[rows])
        for one in answers
    ]

    def of(own):
        if own.people is None:
            return own._replace(codes=own.codes[rows])
        kept = np.isin(own.people, rows)
        people = np.array([place[person] for person in own.people[kept].tolist()], int)
        return own._replace(codes=own.codes[kept], people=people)

    return answers, [of(own) for own in members]


@given(consultations(), st.integers(0, 20), st.randoms(use_true_random=False))
def test_parts_in_any_order_add_up_to_the_whole(consultation, cut, random):
    answers, members = consultation
    rows = np.array(random.sample(range(len(answers[0].values)), len(answers[0].values)), int)
    whole = count(answers, members)
    one, other = (count(*some(answers, members, part)) for part in (rows[:cut], rows[cut:]))
    for tables in zip(whole, one, other, strict=True):
        for parts in zip(*tables, strict=True):
            for table, first, second in zip(*parts, strict=True):
                assert (table == first + second).all()


@given(consultations())
def test_merged_groups_add_their_counts(consultation):
    answers, members = consultation
    members = [own for own in members if own.people is None]  # a person of both would count once
    halved = [Members(own.codes // 2, (own.groups + 1) // 2) for own in members]
    for tables, merged in zip(count(answers, members), count(answers, halved), strict=True):
        for fine, coarse in zip(tables, merged, strict=True):
            for one, other in zip(fine, coarse, strict=True):
                assert (np.add.reduceat(one, range(0, len(one), 2)) == other).all()


def test_many_in_one_cell_are_counted_beyond_what_their_integers_hold():
    n = 200_000
    answers = [
        Answers(np.full(n, 127, np.int8), 128),
        Answers(np.full(n, 5, np.int16), 10, np.ones(n, bool)),
    ]
    one, several = count(answers, [Members(np.full(n, 127, np.int8), 128)])[0]
    assert (one[0][127, 127], one[0].sum(), one[1].sum()) == (n, n, n)
    assert several[0][127].tolist() == [n, 0, n] + [0] * 7
    assert (several[0].sum(), several[1][127]) == (2 * n, n)


@pytest.mark.parametrize("n", [100, 300_000])
def test_counting_holds_less_than_it_is_given(n):
    draw = np.random.default_rng(1)
    answers = [
        Answers(draw.integers(0, 1 << 40, n), 40, np.ones(n, bool)),
        Answers(draw.integers(0, 6, n).astype(np.int8), 6),
    ]
    members = [Members(draw.integers(0, groups, n).astype(np.int8), groups) for groups in (7, 5)]
    tracemalloc.start()
    count(answers, members)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < max(12 * n, 200_000)  # 8 + 1 bytes of one question, 1 of the other, 2 of groups


@pytest.mark.parametrize(
    ("answers", "members"),
    [
        (Answers(np.array([0, 2]), 2), Members(np.array([0, 0]), 1)),
        (Answers(np.array([0, -2]), 2), Members(np.array([0, 0]), 1)),
        (Answers(np.array([0, 4]), 2, np.ones(2, bool)), Members(np.array([0, 0]), 1)),
        (Answers(np.array([0, -1]), 2, np.ones(2, bool)), Members(np.array([0, 0]), 1)),
        (Answers(np.array([0, 1]), 2), Members(np.array([0, 1]), 1)),
        (Answers(np.array([0, 1]), 2), Members(np.array([0, 0]), 1, people=np.array([0, -1]))),
        (Answers(np.array([0]), 2), Members(np.array([0, 0]), 1)),
        (Answers(np.array([0, 1]), 2, np.ones(1, bool)), Members(np.array([0, 0]), 1)),
    ],
)
def test_no_row_is_counted_in_a_cell_that_is_not_its_own(answers, members):
    with pytest.raises(ValueError, match="column"):
        count([answers], [members])
