"""All patterns of a codebook found in many texts at once, whatever their number.

A text is words, runs of letters and digits of the folded text, and what is between them. Arrow
parts texts at their spaces; of the few different pieces the words are looked at once each, and from
there on a word is a number: the class of the patterns' terms that it fits. Phrases are neighbours
in that array. Time grows with the texts and hardly with the patterns.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from upr_analysis.patterns import Term, fold, parse_pattern

AT_ONCE: Final = 60_000  # texts whose words are held at once
REMEMBERED: Final = 500_000  # different pieces of text; with more it is begun anew
LOW: Final = 2**32 - 1
WORDS: Final = re.compile(r"\w+")
JOINT: Final = re.compile(r"[\s'\-]*")  # between the words of a phrase


@dataclass(frozen=True)
class Matches:
    """Where patterns stand: arrays (n,), in the order of text, code and start.

    `start` and `end` are code points of the text, the end exclusive; `pattern` is the place of what
    was found among the patterns of its code.
    """

    text: np.ndarray
    code: np.ndarray
    start: np.ndarray
    end: np.ndarray
    pattern: np.ndarray


@dataclass(frozen=True)
class _Rule:
    """One pattern of a code: the phrase that it is, or two, and what else it asks for."""

    code: int
    pattern: int
    rank: int  # among the patterns of the code that start at one place
    phrase: int
    other: int = -1
    near: int = 0
    unless: int = 0


class _Ragged:
    """Lists of whole numbers, one a key from 0 on, as one array."""

    def __init__(self, lists: Sequence[Sequence[int]]) -> None:
        self.counts = np.array([len(one) for one in lists], dtype=np.int64)
        self.first = np.concatenate([[0], self.counts.cumsum()])[:-1].astype(np.int64)
        self.values = np.array([value for one in lists for value in one], dtype=np.int64)

    def of(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return for keys (n,) where each stood (m,) and, side by side, the values that it has."""
        counts = self.counts[keys]
        place = np.repeat(np.arange(len(keys)), counts)
        return place, self.values[_runs(self.first[keys], counts)]


def _runs(first: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return first, first + 1, ... of each, `counts` numbers, one after the other."""
    total = int(counts.sum())
    before = np.repeat(counts.cumsum() - counts, counts)
    return np.asarray(np.arange(total) - before + np.repeat(first, counts))


@dataclass
class _Pieces:
    """Different pieces of text, each looked at once.

    `known` is their number (p). Of the words that fit a term (w,), one piece after the other: the
    class, which word of its piece it is, where it starts and ends, and whether what stands before
    it in the piece ends a phrase. Of each piece: the first of these and how many they are; how many
    words it has at all; and whether anything in it that is behind its last word ends a phrase.
    """

    known: dict[str, int] = field(default_factory=dict)
    classes: list[int] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    parted: list[int] = field(default_factory=list)
    first: list[int] = field(default_factory=list)
    fitting: list[int] = field(default_factory=list)
    words: list[int] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)

    _arrays: dict[str, np.ndarray] = field(default_factory=dict)

    def as_arrays(self) -> dict[str, np.ndarray]:
        """Return the lists as arrays of whole numbers; what was turned into one is not again."""
        for one in fields(self):
            if one.name not in ("known", "_arrays"):
                before = self._arrays.get(one.name, np.zeros(0, dtype=np.int64))
                new = np.array(getattr(self, one.name)[len(before) :], dtype=np.int64)
                self._arrays[one.name] = np.concatenate([before, new]) if len(new) else before
        return self._arrays

    def add(self, kind: int, place: int, start: int, end: int, parted: bool) -> None:
        """Add a word that fits a term to the piece that is being read."""
        self.classes.append(kind)
        self.places.append(place)
        self.starts.append(start)
        self.ends.append(end)
        self.parted.append(parted)


class Matcher:
    """Finds patterns, each of a code, in texts of one language.

    `patterns` are a list a code. Of a code's patterns that start at one place the longest written
    is taken, and what it covers is not searched again for that code, as one regular expression of
    alternatives does. `negations` are the words before which a pattern with `!` does not count.
    """

    def __init__(self, patterns: Sequence[Sequence[str]], negations: Sequence[str] = ()) -> None:
        self._terms: dict[Term, int] = {}
        phrases: dict[tuple[int, ...], int] = {}
        rules: list[_Rule] = []

        def numbered(terms: Iterable[Term]) -> tuple[int, ...]:
            return tuple(self._terms.setdefault(term, len(self._terms)) for term in terms)

        for code, texts in enumerate(patterns):
            order = sorted(range(len(texts)), key=lambda place: -len(texts[place]))
            for rank, place in enumerate(order):
                pattern = parse_pattern(texts[place])
                ids = [phrases.setdefault(numbered(one), len(phrases)) for one in pattern.phrases]
                other = ids[1] if len(ids) > 1 else -1
                rules.append(_Rule(code, place, rank, ids[0], other, pattern.near, pattern.unless))
        negated = {term for one in negations for term in numbered(parse_pattern(one).phrases[0])}
        self._negated = negated
        self._phrases = list(phrases)
        self._rules = rules
        plain: list[list[int]] = [[] for _ in phrases]
        for number, rule in enumerate(rules):
            if rule.other < 0:
                plain[rule.phrase].append(number)
        self._rules_of = _Ragged(plain)
        self._code, self._rank, self._place, self._unless = (
            np.array([getattr(rule, name) for rule in rules], dtype=np.int64)
            for name in ("code", "rank", "pattern", "unless")
        )
        self._counts_words = any(rule.near or rule.unless for rule in rules)
        self._stems = sorted({len(word) for word, is_stem in self._terms if is_stem})
        self._sizes = np.array([len(phrase) for phrase in phrases], dtype=np.int64)
        longest = range(int(self._sizes.max(initial=0)))
        self._term_at = [
            np.array([dict(enumerate(one)).get(place, 0) for one in phrases]) for place in longest
        ]
        self._begun_by: dict[int, list[int]] = defaultdict(list)  # term -> phrases
        for number, phrase in enumerate(phrases):
            self._begun_by[phrase[0]].append(number)
        self._begin()

    def _begin(self) -> None:
        self._pieces = _Pieces()
        self._class_of: dict[tuple[int, ...], int] = {(): 0}
        self._class_of_word: dict[str, int] = {}
        self._pairs: dict[tuple[int, int], list[int]] = {}
        self._known_of = _ByClass(0, _Ragged([]), *[np.zeros(0, dtype=bool)] * 4)

    def find(self, texts: pa.LargeStringArray | pa.ChunkedArray) -> Matches:
        """Return where the patterns stand in texts (n,)."""
        if isinstance(texts, pa.ChunkedArray):  # as a column put together of several files is
            texts = texts.combine_chunks()
        found = [
            self._find(texts.slice(start, AT_ONCE), start)
            for start in range(0, len(texts), AT_ONCE)
        ]
        names = ("text", "code", "start", "end", "pattern")
        nothing = np.zeros(0, dtype=np.int64)
        return Matches(
            *(np.concatenate([nothing, *(getattr(one, name) for one in found)]) for name in names)
        )

    # --- words -------------------------------------------------------------------------------

    def _class(self, word: str) -> int:
        """Return the class of a folded word: which terms it fits; 0 for none."""
        known = self._class_of_word.get(word)
        if known is None:
            terms = [self._terms.get((word, False))]
            terms += [
                self._terms.get((word[:length], True))
                for length in self._stems
                if length <= len(word)
            ]
            fits = tuple(term for term in terms if term is not None)
            known = self._class_of.setdefault(fits, len(self._class_of))
            self._class_of_word[word] = known
        return known

    def _read(self, unknown: Sequence[str]) -> None:
        """Look at pieces of text that were not met before."""
        pieces, known = self._pieces, self._class_of_word
        for piece in unknown:
            pieces.known[piece] = len(pieces.known)
            pieces.first.append(len(pieces.classes))
            folded, places = fold(piece)
            if folded.isalnum() and len(folded) == len(piece):  # as most are
                kind = known.get(folded, -1)
                if kind := self._class(folded) if kind < 0 else kind:
                    pieces.add(kind, 0, 0, len(piece), False)
                pieces.words.append(1)
                pieces.closed.append(False)
            else:
                self._read_words(piece, folded, places)
            pieces.fitting.append(len(pieces.classes) - pieces.first[-1])

    def _read_words(self, piece: str, folded: str, places: Sequence[int]) -> None:
        last = number = 0
        for number, match in enumerate(WORDS.finditer(folded), 1):
            begin, stop = match.span()
            if kind := self._class(match[0]):
                end = places[stop - 1] + 1
                while end < len(piece) and unicodedata.combining(piece[end]):
                    end += 1
                parted = JOINT.fullmatch(folded, last, begin) is None
                self._pieces.add(kind, number - 1, places[begin], end, parted)
            last = stop
        self._pieces.words.append(number)
        self._pieces.closed.append(JOINT.fullmatch(folded, last) is None)

    def _find(self, texts: pa.LargeStringArray, offset: int) -> Matches:
        parts = pc.split_pattern(texts, " ")
        encoded = pc.dictionary_encode(parts.values)
        distinct = encoded.dictionary.to_pylist()
        if len(self._pieces.known) > REMEMBERED:
            self._begin()
        known = self._pieces.known
        numbers = list(map(known.get, distinct))
        if unknown := [piece for piece, one in zip(distinct, numbers, strict=True) if one is None]:
            self._read(unknown)
            numbers = list(map(known.get, distinct))
        codes = encoded.indices.to_numpy(zero_copy_only=False)
        lengths = pc.utf8_length(encoded.dictionary).to_numpy(zero_copy_only=False)
        firsts = parts.offsets.to_numpy(zero_copy_only=False)
        of_known = np.array(numbers, dtype=np.int64)
        return self._matches(self._words(of_known, codes, lengths, firsts), offset)

    def _words(
        self, numbers: np.ndarray, codes: np.ndarray, lengths: np.ndarray, firsts: np.ndarray
    ) -> "_Words":
        """Return the words that fit a term, in pieces (p,) of texts.

        `codes` (p,) say which piece each is; of each code `numbers` say which that is of those
        known, and `lengths` how many code points it has. `firsts` (t,) are the texts' first pieces.
        """
        table = self._pieces.as_arrays()
        fitting, first = table["fitting"][numbers], table["first"][numbers]
        words, closed = table["words"][numbers], table["closed"][numbers]
        # how many words and ends of phrases stand up to a piece, and how many code points
        size = ((words + closed) << 32) + lengths + 1
        upto = size[codes]
        upto.cumsum(out=upto)
        here = np.flatnonzero((fitting > 0)[codes])
        counts = fitting[codes[here]]
        source = _runs(first[codes[here]], counts)
        piece = np.repeat(here, counts)
        own = codes[piece]
        text = np.repeat(np.arange(len(firsts) - 1, dtype=np.int32), np.diff(firsts))[piece]
        before = upto[piece] - size[own]
        begin = firsts[text]
        at = (before & LOW) - np.where(begin > 0, upto[begin - 1] & LOW, 0)
        place = table["places"][source]
        number = (before >> 32) + place
        joined = np.zeros(len(source), dtype=bool)
        joined[1:] = (text[1:] == text[:-1]) & (number[1:] == number[:-1] + 1)
        joined &= table["parted"][source] == 0
        if self._counts_words:  # ends of phrases are none
            number = words[codes].cumsum()[piece] - words[own] + place
        start, end = at + table["starts"][source], at + table["ends"][source]
        return _Words(table["classes"][source], text, number, joined, start, end)

    def _matches(self, words: "_Words", offset: int) -> Matches:
        phrase, begin = self._phrases_in(words.classes, words.joined)
        last = begin + self._sizes[phrase] - 1
        place, rule = self._rules_of.of(phrase)
        found = [(rule, begin[place], last[place]), *self._near(phrase, begin, last, words)]
        rule, begin, last = (
            np.concatenate([one[part] for one in found]).astype(np.int64) for part in range(3)
        )
        kept = self._not_negated(rule, begin, words)
        rule, begin, last = rule[kept], begin[kept], last[kept]
        code = self._code[rule]
        chosen = _without_overlap(words.text[begin], code, begin, last, self._rank[rule])
        rule, begin, last = rule[chosen], begin[chosen], last[chosen]
        return Matches(
            words.text[begin] + offset,
            code[chosen],
            words.start[begin],
            words.end[last],
            self._place[rule],
        )

    # --- phrases -----------------------------------------------------------------------------

    def _phrases_in(self, words: np.ndarray, joined: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return phrases (n,) and the words (n,) that they begin at; `words` are classes (w,)."""
        of = self._by_class()
        place, phrase = of.alone.of(words)
        at = np.flatnonzero(of.begins[words[:-1]] & of.goes_on[words[1:]] & joined[1:])
        pairs, which = np.unique(words[at] * of.number + words[at + 1], return_inverse=True)
        lists = [self._pair(*divmod(int(pair), of.number)) for pair in pairs]
        begun, longer = _Ragged(lists).of(which)
        at = at[begun]
        for further in range(2, int(self._sizes.max(initial=0))):
            goes_on = self._sizes[longer] > further
            where = np.minimum(at + further, len(words) - 1)
            term = self._term_at[further][longer]
            fits = (at + further < len(words)) & joined[where] & of.fits[term, words[where]]
            kept = fits | ~goes_on
            at, longer = at[kept], longer[kept]
        return np.concatenate([phrase, longer]), np.concatenate([place, at])

    def _by_class(self) -> "_ByClass":
        """Return what is known of each class of words, made anew when there are more."""
        terms_of = list(self._class_of)
        if self._known_of.number != len(terms_of):
            seconds = {phrase[1] for phrase in self._phrases if len(phrase) > 1}
            fits = np.zeros((len(self._terms), len(terms_of)), dtype=bool)
            for number, terms in enumerate(terms_of):
                fits[list(terms), number] = True
            begun = [[p for term in terms for p in self._begun_by[term]] for terms in terms_of]
            self._known_of = _ByClass(
                len(terms_of),
                _Ragged([[p for p in some if self._sizes[p] == 1] for some in begun]),
                np.array([any(self._sizes[p] > 1 for p in some) for some in begun]),
                np.array([not seconds.isdisjoint(terms) for terms in terms_of]),
                np.array([not self._negated.isdisjoint(terms) for terms in terms_of]),
                fits,
            )
        return self._known_of

    def _pair(self, one: int, two: int) -> list[int]:
        """Return the phrases whose first two terms fit two classes of words."""
        known = self._pairs.get((one, two))
        if known is None:
            fits = self._known_of.fits
            known = [
                phrase
                for term in np.flatnonzero(fits[:, one]).tolist()
                for phrase in self._begun_by[term]
                if self._sizes[phrase] > 1 and fits[self._phrases[phrase][1], two]
            ]
            self._pairs[one, two] = known
        return known

    def _near(
        self, phrase: np.ndarray, begin: np.ndarray, last: np.ndarray, words: "_Words"
    ) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Return (rule, begin, last) where two phrases stand near each other, the nearest pair."""
        found = []
        for number, rule in enumerate(self._rules):
            if rule.other < 0:
                continue
            one, two = (np.flatnonzero(phrase == p) for p in (rule.phrase, rule.other))
            if not len(one) or not len(two):
                continue
            one, two = one[begin[one].argsort()], two[begin[two].argsort()]
            a, b, c, d = begin[one], last[one], begin[two], last[two]
            after = np.searchsorted(c, b, side="right")  # the first that begins behind
            before = np.searchsorted(d, a) - 1  # the last that ends before
            best, least = np.full(len(one), -1), np.full(len(one), rule.near + 1)
            for other, valid in ((after, after < len(two)), (before, before >= 0)):
                safe = np.clip(other, 0, len(two) - 1)
                behind = words.number[c[safe]] - words.number[b]
                ahead = words.number[a] - words.number[d[safe]]
                between = np.maximum(behind, ahead) - 1
                closer = valid & (words.text[c[safe]] == words.text[a]) & (between < least)
                best, least = np.where(closer, safe, best), np.where(closer, between, least)
            some = best >= 0
            first = np.minimum(a[some], c[best[some]])
            end = np.maximum(b[some], d[best[some]])
            found.append((np.full(len(first), number), first, end))
        return found

    def _not_negated(self, rule: np.ndarray, begin: np.ndarray, words: "_Words") -> np.ndarray:
        """Return whether (n,) no word of negation stands in the window before a match."""
        window = self._unless[rule]
        if not window.any():
            return np.ones(len(rule), dtype=bool)
        where = np.flatnonzero(self._by_class().negates[words.classes])
        nearest = np.searchsorted(where, begin) - 1  # the last before each
        if not len(where):
            return np.ones(len(rule), dtype=bool)
        those = where[np.maximum(nearest, 0)]
        apart = words.number[begin] - words.number[those]
        same = (nearest >= 0) & (words.text[those] == words.text[begin])
        return np.asarray(~(same & (apart <= window)))


@dataclass(frozen=True)
class _ByClass:
    """What each class of words (c,) is to the phrases.

    The phrases of one word that it is; whether it begins a longer one, stands second in one, or
    negates; and which terms it fits (t, c).
    """

    number: int
    alone: _Ragged
    begins: np.ndarray
    goes_on: np.ndarray
    negates: np.ndarray
    fits: np.ndarray


@dataclass(frozen=True)
class _Words:
    """The words of texts that fit a term (n,), in order: all that matching looks at.

    Their class, text and number among all words; whether each goes on from the one before as in a
    phrase; where it starts and ends in its text, in code points.
    """

    classes: np.ndarray
    text: np.ndarray
    number: np.ndarray
    joined: np.ndarray
    start: np.ndarray
    end: np.ndarray


def _without_overlap(
    text: np.ndarray, code: np.ndarray, begin: np.ndarray, last: np.ndarray, rank: np.ndarray
) -> np.ndarray:
    """Return which matches (n,) to keep: of a text and code the first, then what is behind it."""
    if not len(text):
        return np.zeros(0, dtype=np.int64)
    # one number to sort by: text, code, word, rank
    codes, ranks = int(code.max()) + 1, int(rank.max()) + 1
    group = text.astype(np.int64) * codes + code
    size = int(begin.max()) + 1
    if codes * ranks * size * (int(text.max()) + 1) < 2**62:
        order = ((group * size + begin) * ranks + rank).argsort()
    else:
        order = np.lexsort((rank, begin, group))
    group, begin, last = group[order], begin[order], last[order]
    same = np.concatenate([[False], group[1:] == group[:-1]])
    first = ~same | np.concatenate([[True], begin[1:] != begin[:-1]])
    order, group, begin, last = order[first], group[first], begin[first], last[first]
    clash = (group[1:] == group[:-1]) & (begin[1:] <= last[:-1])
    kept = np.ones(len(order), dtype=bool)
    for number in np.unique(group[1:][clash]):
        low, high = np.searchsorted(group, [number, number + 1])
        free = -1
        for place in range(low, high):
            kept[place] = begin[place] > free
            free = int(last[place]) if kept[place] else free
    return np.asarray(order[kept])
