"""Counts of respondents by group, from integer codes and bit masks: the sums below every table.

A respondent's groups and answers are the digits of one number, the cell that the respondent is in,
so that one pass over the rows counts several questions by several groupings; tables are sums over
cells. Counts are sums over rows: those of any parts of the rows add up to those of the whole.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

AT_ONCE: Final = 1 << 17  # rows, so that their numbers stay in the processor's cache
MOST_CELLS: Final = 1 << 16  # in a pass, so that numbers take 16 bits
FEWEST_CELLS: Final = 1 << 11  # as many are cheaper than a second pass, however few the rows
MOST_GROUPS: Final = 64  # joined in a pass, so that its cells suffice for the masks of ten options

Table = tuple[np.ndarray, np.ndarray]  # counts (groups, options) and bases (groups,)


class Answers(NamedTuple):
    """What n respondents answered to a question of so many `options`; `values` (n,) are integers.

    A single choice is a code from 0, or -1 where not answered. Where several may be chosen, bit i
    says that option i was, up to 63 of them, and `answered` (n,) says who answered at all.
    """

    values: np.ndarray
    options: int
    answered: np.ndarray | None = None


class Members(NamedTuple):
    """Who is in which of so many `groups`: `codes` (n,) of n respondents from 0, or -1 for none.

    Where groups overlap, `people` (m,) are positions of respondents and `codes` (m,) their groups,
    each pair once.
    """

    codes: np.ndarray
    groups: int
    people: np.ndarray | None = None


class _Digit(NamedTuple):
    """An answer, or `bits` of it from `shift` on, as a number below `radix`, 0 where not given."""

    question: int
    answers: Answers
    radix: int
    shift: int = 0
    bits: int = 0

    def of(self, rows: slice | np.ndarray, kind: np.dtype[Any]) -> np.ndarray:
        values = self.answers.values[rows]
        if self.answers.answered is None:
            _check(values, -1, self.answers.options)
            return values.astype(kind) + 1  # cast first: an int8 of 127 has no next
        _check(values, 0, 1 << self.answers.options)
        piece = values >> self.shift if self.shift else values
        ticked = piece.astype(kind) & (1 << self.bits) - 1
        return np.asarray((ticked + 1) * self.answers.answered[rows])


def count(answers: Sequence[Answers], members: Sequence[Members]) -> list[list[Table]]:
    """Return a table for each grouping (outer list) and question (inner list).

    Who did not answer, or is in no group, is in no count and no base. Pure of its rows: adding the
    tables of parts gives those of all. ValueError where columns differ in length, or hold a code,
    a bit or a position that is of no group, option or respondent.
    """
    columns = [one.values for one in answers] + [own.codes for own in members if own.people is None]
    columns += [one.answered for one in answers if one.answered is not None]
    if len({len(column) for column in columns}) > 1:
        raise ValueError("columns of answers and groups differ in length")
    # the base is the last column
    tables = [[np.zeros((own.groups, one.options + 1), int) for one in answers] for own in members]
    sizes = [own.groups + 1 if own.people is None else MOST_GROUPS + 1 for own in members]
    for joined in _packs(sizes, MOST_GROUPS):
        groups = _joint([members[place] for place in joined])
        # of few rows small pieces of a mask, since cells that nobody is in cost time as well
        most = min(max(len(groups.codes), FEWEST_CELLS), MOST_CELLS) // groups.groups
        digits = list(_digits(answers, most))
        for pack in _packs([digit.radix for digit in digits], most):
            some = [digits[place] for place in pack]
            shape = *(members[one].groups + 1 for one in joined), *(one.radix for one in some)
            cells = _cells(groups, some).reshape(shape)
            for axis, place in enumerate(joined):
                for other, digit in enumerate(some, start=len(joined)):
                    rest = tuple({*range(cells.ndim)} - {axis, other})
                    _fill(tables[place][digit.question], digit, cells.sum(axis=rest)[1:, 1:])
    return [[(one[:, :-1], one[:, -1]) for one in own] for own in tables]


def _check(column: np.ndarray, low: int, end: int) -> None:
    if len(column) and (column.min() < low or column.max() >= end):
        raise ValueError(f"a column holds numbers that are not from {low} to below {end}")


def _packs(sizes: Sequence[int], most: int) -> list[list[int]]:
    """Return places of sizes with a product of at most `most`, small ones first; larger alone."""
    packs = list[list[int]]()
    for place in sorted(range(len(sizes)), key=sizes.__getitem__):
        if packs and math.prod(sizes[one] for one in (*packs[-1], place)) <= most:
            packs[-1].append(place)
        else:
            packs.append([place])
    return packs


def _joint(members: Sequence[Members]) -> Members:
    """Return one grouping by several at once, in each of which none is group 0."""
    size = math.prod(own.groups + 1 for own in members)
    codes = np.zeros(len(members[0].codes), np.min_scalar_type(size))
    for own in members:
        _check(own.codes, -1, own.groups)
        codes *= own.groups + 1
        codes += own.codes.astype(codes.dtype) + 1
    return Members(codes, size, members[0].people)


def _digits(answers: Sequence[Answers], most: int) -> Iterator[_Digit]:
    """Yield the digits of each question: pieces of a mask that have a radix of at most `most`."""
    widest = max(most - 1, 2).bit_length() - 1
    for place, one in enumerate(answers):
        if one.answered is None:
            yield _Digit(place, one, one.options + 1)
        else:
            for shift in range(0, one.options, widest):
                bits = min(widest, one.options - shift)
                yield _Digit(place, one, (1 << bits) + 1, shift, bits)


def _cells(groups: Members, digits: Sequence[_Digit]) -> np.ndarray:
    """Count the rows of each group and combination of digits, the last digit varying fastest."""
    size = groups.groups * math.prod(digit.radix for digit in digits)
    kind, cells = np.min_scalar_type(size), np.zeros(size, int)
    for start in range(0, len(groups.codes), AT_ONCE):
        own = slice(start, start + AT_ONCE)
        rows = own if groups.people is None else groups.people[own]
        if not isinstance(rows, slice):
            _check(rows, 0, len(digits[0].answers.values))
        numbers = groups.codes[own].astype(kind)
        for digit in digits:
            numbers *= digit.radix
            numbers += digit.of(rows, kind)
        np.add.at(cells, numbers.astype(np.intp), 1)
    return cells


def _fill(table: np.ndarray, digit: _Digit, cells: np.ndarray) -> None:
    """Write into a table what one digit says: `cells` (groups, radix - 1) of those who answered."""
    table[:, -1] = cells.sum(axis=1)
    if digit.bits:
        bits = np.arange(1 << digit.bits)[:, None] >> np.arange(digit.bits) & 1
        # floats are exact up to 2**53 and have a fast product
        table[:, digit.shift : digit.shift + digit.bits] = cells @ bits.astype(float)
    else:
        table[:, :-1] = cells
