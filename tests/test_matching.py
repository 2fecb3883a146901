"""The matcher finds what one regular expression a code finds, and what a plain loop finds."""

import re
import unicodedata

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from upr_analysis import matching
from upr_analysis.matching import Matcher
from upr_analysis.patterns import fold, parse_pattern

Span = tuple[int, int, int, int]  # text, code, start, end
PIECES = [
    "a", "b", "ab", "abc", "é", "e\u0301", "l'accès", "civil", "society", "Civil", "x-y", "n", "ß",
    "ss", "½", "_", "1", "ı", "ﬁ", "Σ", "לא", "न", "ِ", "😀",
]  # fmt: skip
GAPS = [" ", "  ", "-", "'", ", ", ". ", "\n", "\u00a0", "’", " - ", "\t", "–", " , ", ""]
texts = st.lists(st.tuples(st.sampled_from(PIECES), st.sampled_from(GAPS)), max_size=14).map(
    lambda pairs: "".join(piece + gap for piece, gap in pairs)
)
PHRASES = [
    "a", "b", "ab", "ab*", "a b", "a b ab", "civil society", "civil*", "soc*", "e", "l'acces",
    "acces", "x-y", "x y", "ss", "n a", "a* b*", "b b", "fi", "1", "a b a b", "σ", "לא", "_ a",
]  # fmt: skip


def find(patterns: list[list[str]], answers: list[str], negations: tuple[str, ...] = ()):
    found = Matcher(patterns, negations).find(pa.array(answers, type=pa.large_string()))
    columns = (found.text, found.code, found.start, found.end)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def end_of(text: str, end: int) -> int:
    while end < len(text) and unicodedata.combining(text[end]):
        end += 1
    return end


def by_expressions(patterns: list[list[str]], answers: list[str]) -> list[Span]:
    """Find with one regular expression a code, the longest alternative first."""
    found = []
    for number, text in enumerate(answers):
        folded, places = fold(text)
        for code, some in enumerate(patterns):
            if not some:
                continue
            alternatives = [
                r"[\s'\-]+".join(
                    re.escape(word) + (r"\w*" if goes_on else "")
                    for word, goes_on in parse_pattern(pattern).phrases[0]
                )
                for pattern in sorted(some, key=lambda pattern: -len(pattern))
            ]
            expression = re.compile(rf"(?<!\w)(?:{'|'.join(alternatives)})(?!\w)")
            found += [
                (number, code, places[m.start()], end_of(text, places[m.end() - 1] + 1))
                for m in expression.finditer(folded)
            ]
    return found


@settings(max_examples=600, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(PHRASES), max_size=5), max_size=3),
    st.lists(texts, max_size=5),
)
@example([["a b", "ab*"]], ["a\u0301-B ab\u0301c"])
def test_spans_are_those_of_one_expression_a_code(patterns, answers):
    assert find(patterns, answers) == by_expressions(patterns, answers)


@settings(max_examples=50, deadline=None)
@given(st.lists(texts, max_size=12))
def test_texts_read_in_parts_are_found_alike(answers):
    patterns = [["a", "civil society"], ["ab*", "b b"]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matching, "AT_ONCE", 3)
        patch.setattr(matching, "REMEMBERED", 4)
        assert find(patterns, answers) == by_expressions(patterns, answers)


def occurrences(words: list[str], phrase: tuple[tuple[str, bool], ...]) -> list[tuple[int, int]]:
    """Find a phrase among words that all go on, word by word."""
    return [
        (place, place + len(phrase) - 1)
        for place in range(len(words) - len(phrase) + 1)
        if all(
            words[place + k].startswith(word) if goes_on else words[place + k] == word
            for k, (word, goes_on) in enumerate(phrase)
        )
    ]


def by_loop(pattern: str, words: list[str], negations: tuple[str, ...]) -> list[tuple[int, int]]:
    """Find one pattern plainly; (first word, last word) of each match without overlap."""
    parsed = parse_pattern(pattern)
    found = occurrences(words, parsed.phrases[0])
    if parsed.near:
        pairs = []
        for one in found:
            others = [
                (max(other[0] - one[1], one[0] - other[1]) - 1, other[0] < one[0], other)
                for other in occurrences(words, parsed.phrases[1])
                if other[0] > one[1] or other[1] < one[0]
            ]
            between, _, other = min(others, default=(parsed.near + 1, False, one))
            if between <= parsed.near:
                pairs.append((min(one[0], other[0]), max(one[1], other[1])))
        found = sorted(pairs)
    kept, free = [], -1
    for first, last in found:
        before = words[max(0, first - parsed.unless) : first]
        if first > free and not set(before) & set(negations):
            kept.append((first, last))
            free = last
    return kept


@settings(max_examples=500, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(["a", "b", "ab", "x", "not", "y"]), max_size=14), max_size=3),
    st.sampled_from(
        ["a ~2 b", "ab ~1 a b", "a* ~3 b", "a !1", "a b !2", "a* !3", "x ~1 y !2", "a ~12 x"]
    ),
)
def test_nearness_and_negation_are_those_of_a_plain_loop(lists, pattern):
    found = find([[pattern]], [" ".join(words) for words in lists], ("not",))
    expected = [
        (number, 0, sum(len(word) + 1 for word in words[:first]),
         sum(len(word) + 1 for word in words[: last + 1]) - 1)
        for number, words in enumerate(lists)
        for first, last in by_loop(pattern, words, ("not",))
    ]  # fmt: skip
    assert found == expected


def test_between_near_phrases_stops_are_no_words():
    assert find(
        [["report* ~2 women"]], ["Women; and: the - reports!", "women in any of the reports"]
    ) == [(0, 0, 0, 25)]


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("It is helpful.", True), ("It is not helpful.", False), ("Not. Helpful", False),
        ("not at all as helpful", True), ("never, ever helpful", False), ("Nothing helpful", True),
    ],
)  # fmt: skip
def test_a_negated_word_does_not_count(text, counts):
    assert bool(find([["helpful !3"]], [text], ("not", "never"))) is counts


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("participat*on", "is not words"), ("a ~0 b", "is not words"), ("a ~3", "is not words"),
        ("", "is not words"), ("a !3 b", "is not words"), ("½", "holds what no word"),
    ],
)  # fmt: skip
def test_what_is_no_pattern_is_said(pattern, why):
    with pytest.raises(ValueError, match=why):
        parse_pattern(pattern)


def test_texts_in_several_chunks_are_found_as_in_one():
    """A column put together of several files comes in pieces."""
    whole = pa.array(["a b", "c", "b a"], type=pa.large_string())
    pieces = pa.chunked_array([whole.slice(0, 1), whole.slice(1)])
    found, same = (Matcher([["a"], ["b"]]).find(texts) for texts in (whole, pieces))
    assert (found.text.tolist(), found.code.tolist()) == ([0, 0, 2, 2], [0, 1, 0, 1])
    assert (same.text.tolist(), same.start.tolist()) == (found.text.tolist(), found.start.tolist())
