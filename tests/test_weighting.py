"""Weights against a published table, a general solver, another package and a printed survey."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from upr_analysis.problems import InputError
from upr_analysis.weighting import (
    Margin,
    design_effect,
    effective_n,
    rake,
    rao_scott,
    weighted_shares,
)

SHARED = Path(__file__).parent.parent / os.environ.get("UPR_SHARED", "../shared")
SURVEY = SHARED / "data/masculinity_weighted"


def margin(codes, targets, name="region", names="abcdefgh"):
    return Margin(name, tuple(names[: len(targets)]), np.array(targets, float), np.array(codes))


def two_margins(table, rows, columns):
    """Return the margins of respondents of whom each cell of a table has as many as it says."""
    places = np.indices(table.shape).reshape(2, -1)
    row, column = np.repeat(places, np.ravel(table), axis=1)
    return margin(row, rows), margin(column, columns, "kind")


def test_raking_of_a_published_table():
    """Wikipedia, "Iterative proportional fitting", prints this table after three rounds."""
    table = np.array([[40, 30, 20, 10], [35, 50, 100, 75], [30, 80, 70, 120], [20, 30, 40, 50]])
    margins = two_margins(table, [150, 300, 400, 150], [200, 300, 400, 100])
    found = rake(margins, tolerance=2e-4)
    assert found.rounds == 3
    fitted = np.bincount(4 * margins[0].codes + margins[1].codes, found.values) * 1000 / table.sum()
    assert fitted.round(2).reshape(4, 4).tolist() == [
        [64.61, 46.28, 35.42, 3.83],
        [49.95, 68.15, 156.49, 25.37],
        [56.70, 144.40, 145.06, 53.76],
        [28.74, 41.18, 63.03, 17.03],
    ]


def plainly(table, rows, columns):
    """Rake a table of weights with loops."""
    fitted, total = table.astype(float), table.sum()
    for _ in range(300):
        for row in range(len(rows)):
            fitted[row] *= rows[row] / sum(rows) * total / sum(fitted[row])
        for column in range(len(columns)):
            fitted[:, column] *= columns[column] / sum(columns) * total / sum(fitted[:, column])
    return fitted / total


@given(st.data())
def test_raked_weights_meet_the_margins_whatever_the_order_and_the_scale(data):
    several = st.integers(2, 3)
    height, width = data.draw(several), data.draw(several)
    table = np.array(data.draw(st.lists(st.integers(1, 4), min_size=9, max_size=9)))
    table = table[: height * width].reshape(height, width)
    target = st.integers(1, 9)
    rows = data.draw(st.lists(target, min_size=height, max_size=height))
    columns = [sum(rows) / width * share for share in np.linspace(0.5, 1.5, width)]
    margins, size = two_margins(table, rows, columns), int(table.sum())
    start = np.array(data.draw(st.lists(st.floats(0.2, 5), min_size=size, max_size=size)))
    found = rake(margins, start).values
    assert found.mean() == pytest.approx(1)
    assert (found > 0).all()
    for one in margins:
        held = np.bincount(one.codes, found) / size
        assert held == pytest.approx(one.targets / one.targets.sum(), abs=1e-8)
    cell = width * margins[0].codes + margins[1].codes
    held = np.bincount(cell, start, height * width).reshape(height, width)
    fitted = np.bincount(cell, found, height * width).reshape(height, width) / size
    assert fitted == pytest.approx(plainly(held, rows, columns), abs=1e-6)
    assert rake(margins, 1000 * start).values == pytest.approx(found, abs=1e-6)
    order = data.draw(st.permutations(range(size)))
    turned = [margin(one.codes[order], one.targets, one.name) for one in margins]
    assert rake(turned, start[order]).values == pytest.approx(found[order], abs=1e-6)


def test_those_not_known_keep_their_share_and_the_others_divide_the_rest():
    found = rake([margin([0, 0, 1, -1], [1, 1])])
    assert found.values == pytest.approx([0.75, 0.75, 1.5, 1])


def test_weights_above_the_limit_are_cut_and_the_others_raked_on():
    # without a limit the first four add up to 4 as 2.5, .5, .5, .5
    found = rake([margin([0] * 4 + [1] * 4, [1, 1])], np.array([5, 1, 1, 1, 2, 2, 2, 2]), trim=2)
    assert found.values == pytest.approx([2, 2 / 3, 2 / 3, 2 / 3, 1, 1, 1, 1])
    assert (found.trimmed, found.largest, found.smallest) == (1, 2, pytest.approx(2 / 3))


def test_trimmed_weights_are_the_nearest_that_a_general_solver_finds():
    start = np.array([1, 2, 1, 3, 1, 1, 2, 1, 1, 4, 1, 2.0])
    margins = (
        margin([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2], [2, 3, 4]),
        margin([0, 0, 0, 1, 0, 0, 1, 1, 0, 1, 1, 1], [4, 5], "kind"),
    )
    assert rake(margins, start).largest > 1.8
    found = rake(margins, start, trim=1.5)
    # the last follows from the others
    must = np.vstack([one.codes == code for one in margins for code in range(len(one.names))])[:-1]
    sums = np.concatenate([12 * one.targets / one.targets.sum() for one in margins])[:-1]
    nearest = optimize.minimize(
        lambda w: (w * np.log(w / start) - w).sum(), np.ones(12), method="SLSQP", tol=1e-14,
        jac=lambda w: np.log(w / start), bounds=[(1e-9, 1.5)] * 12,
        constraints={"type": "eq", "fun": lambda w: must @ w - sums, "jac": lambda _: must * 1.0},
        options={"maxiter": 1_000},
    )  # fmt: skip
    assert nearest.success
    assert found.values == pytest.approx(nearest.x, abs=1e-5)
    assert found.trimmed == (nearest.x > 1.5 - 1e-5).sum() > 1


def test_each_fault_of_the_margins_is_named_with_its_cell():
    region = margin([0, 0, 1, 3, -1], [0.5, -1, 0.5, 0, np.nan], names=("a", "b", "c", "d", "e"))
    kind = margin([0, 0, 1, 1, 1], [500, 300], "kind")
    years = margin([0, 0, 1, 1, 1], [0.5, 0.5], "years")
    with pytest.raises(InputError) as error:
        rake([region, kind, years], np.array([1, 1, 1, 1, 0]))
    problems = error.value.problems
    assert len(problems) == 6
    for problem, words in zip(
        problems,
        (
            "The weights to start from",
            "Margin 'region', cell 'b': the target is -1",
            "Margin 'region', cell 'c': nobody is in it",
            "Margin 'region', cell 'd': its target is 0",
            "Margin 'region', cell 'e': the target is nan",
            "Margins 'kind' and 'years' sum to 800 and 1",
        ),
        strict=True,
    ):
        assert problem.startswith(words)


def test_margins_that_cannot_be_met_are_named():
    codes = [0] * 6 + [1] * 4
    with pytest.raises(
        InputError, match=r"'(region|kind)', cell '[ab]': it has \d+ % of the weight"
    ):
        rake([margin(codes, [1, 1]), margin(codes, [0.5, 1.5], "kind")])
    with pytest.raises(
        InputError, match=r"cell 'b': its mean weight has to be 1\.25, above .* 1\.2"
    ):
        rake([margin(codes, [1, 1])], trim=1.2)
    # the last weighs 1 by region, which leaves 4 to the other of the second kind
    alone = [margin([0] * 9 + [1], [9, 1]), margin([0] * 8 + [1] * 2, [5, 5], "kind")]
    with pytest.raises(InputError, match=r"merge cells, or raise the limit of 2\.6 times the mean"):
        rake(alone, trim=2.6)


def test_effective_n_by_hand():
    # (1 + 1 + 1 + 3)^2 / (1 + 1 + 1 + 9)
    weights = np.array([1, 1, 1, 3])
    assert (effective_n(weights), design_effect(weights)) == (3, pytest.approx(4 / 3))
    assert effective_n(weights[:3]) == 3
    assert effective_n(weights[:0]) == 0
    assert np.isnan(design_effect(weights[:0]))


# Thirty made-up respondents: group, answer and weight. What svy 0.35 says of them, as a sample of
# no strata, drawn with replacement: estimation.prop, its logit interval, and tabulate's F.
GROUPS = np.repeat([0, 1, 2], 10)
ANSWERS = np.array(["nsy".index(one) for one in "yysynynsynnsnynsynnnysnynsssyn"])
WEIGHTS = np.array(
    [0.4, 1.2, 0.8, 2.5, 0.6, 1.1, 0.3, 0.9, 1.6, 0.7, 1.3, 0.5, 0.5, 2.1, 0.9,
     0.7, 1.8, 0.2, 1.0, 1.4, 0.6, 0.6, 3.2, 1.1, 0.8, 0.4, 1.5, 0.9, 0.7, 1.7]
)  # fmt: skip
BY_SVY = {  # value, low, high of n, s, y: of all, then of each group
    "n": [(0.393750000, 0.203605597, 0.622637275), (0.158415842, 0.033136133, 0.508326312),
          (0.509615385, 0.163523857, 0.846728815), (0.495652174, 0.143452243, 0.852220552)],
    "s": [(0.196875000, 0.086579611, 0.387994325), (0.168316832, 0.029467822, 0.574280865),
          (0.115384615, 0.019392413, 0.462452465), (0.295652174, 0.070704198, 0.698411483)],
    "y": [(0.409375000, 0.215593764, 0.636089599), (0.673267327, 0.298248542, 0.909013798),
          (0.375000000, 0.085086433, 0.794703001), (0.208695652, 0.044550750, 0.598673557)],
}  # fmt: skip


def test_weighted_shares_and_their_intervals_are_those_of_svy():
    inside = np.column_stack([np.ones(30), np.eye(3)[GROUPS]])
    found = weighted_shares(np.eye(3)[ANSWERS], inside, WEIGHTS)
    for place, (_, expected) in enumerate(BY_SVY.items()):
        shown = np.column_stack([one[:, place] for one in (found.values, found.low, found.high)])
        assert shown == pytest.approx(100 * np.array(expected), abs=1e-6)
    assert found.bases.tolist() == [30, 10, 10, 10]
    assert found.counts[0].tolist() == [12, 8, 10]
    assert found.effective[1] == pytest.approx(effective_n(WEIGHTS[:10]))


def test_rao_scott_is_that_of_svy():
    found = rao_scott(GROUPS, ANSWERS, WEIGHTS)
    assert found.statistic == pytest.approx(1.3472139206, abs=1e-9)
    assert found.degrees == pytest.approx((3.6994763914, 107.2848153502), abs=1e-9)
    assert found.p == pytest.approx(0.2592154559, abs=1e-9)
    # who is not known in both, and the scale and order of all, change nothing
    rows, columns = np.append(GROUPS, [-1, 0])[::-1], np.append(ANSWERS, [2, -1])[::-1]
    again = rao_scott(rows, columns, 7 * np.append(WEIGHTS, [5, 5])[::-1])
    assert again.statistic == pytest.approx(found.statistic)
    assert again.degrees == pytest.approx(found.degrees)


@given(st.lists(st.integers(1, 12), min_size=9, max_size=9), st.integers(2, 3), st.integers(2, 3))
def test_with_equal_weights_rao_scott_is_pearson_but_for_one_respondent(counts, height, width):
    table = np.array(counts)[: height * width].reshape(height, width)
    rows, columns = (one.codes for one in two_margins(table, [1] * height, [1] * width))
    found, n = rao_scott(rows, columns, np.full(table.sum(), 3.0)), int(table.sum())
    plain = stats.chi2_contingency(table, correction=False)
    if plain.expected_freq.min().round(9) < 1:
        assert "under 1" in found.reason
        return
    assert found.degrees == pytest.approx((plain.dof, plain.dof * (n - 1)))
    assert found.statistic * plain.dof == pytest.approx(plain.statistic * (n - 1) / n, abs=1e-9)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ([[5, 0], [7, 0]], "fewer than two"),
        ([[0, 0], [0, 0]], "fewer than two"),
        ([[9, 1], [1, 0]], "under 1"),
        ([[9, 0], [0, 9]], "empty"),  # all alike in each group: no variance is seen
        ([[9, 0, 0], [0, 9, 0], [0, 0, 9]], "empty"),
    ],
)
def test_undefined_is_said_with_its_reason(table, reason):
    table = np.array(table)
    rows, columns = (one.codes for one in two_margins(table, [1] * len(table), [1] * len(table)))
    found = rao_scott(rows, columns, np.ones(table.sum()))
    assert reason in found.reason
    assert (found.statistic, found.degrees, found.p) == (None, None, None)


def test_expected_counts_are_of_the_effective_n():
    rows, columns = np.repeat([0, 1], 10), np.tile([0, 1], 10)
    assert rao_scott(rows, columns, np.ones(20)).reason == ""
    # two of the twenty outweigh the others: 2.4 of them, a quarter in each combination
    heavy = np.array([100] + [1] * 18 + [100])
    assert "under 1" in rao_scott(rows, columns, heavy).reason


def test_all_and_nobody_have_an_interval_on_the_effective_base():
    chosen = np.array([[1, 0]] * 3 + [[0, 0]])
    inside = np.array([[1, 0]] * 3 + [[0, 0]])
    found = weighted_shares(chosen, inside, np.array([1, 1, 2, 9.0]))
    reached = 100 * 0.025 ** (6 / 16)  # exact, for all of 16/6 respondents
    assert found.values[0].tolist() == [100, 0]
    assert found.low[0] == pytest.approx([reached, 0])
    assert found.high[0] == pytest.approx([100, 100 - reached])
    assert found.bases.tolist() == [3, 0]
    assert np.isnan([found.values[1], found.low[1], found.high[1]]).all()


@given(st.lists(st.tuples(st.booleans(), st.floats(0.01, 50)), min_size=1, max_size=20))
def test_intervals_hold_the_share_within_nought_and_a_hundred(people):
    chose, weights = (np.array(column) for column in zip(*people, strict=True))
    found = weighted_shares(chose[:, None], np.ones((len(people), 1)), weights)
    low, value, high = found.low[0, 0], found.values[0, 0], found.high[0, 0]
    assert value == pytest.approx(100 * sum(w for y, w in people if y) / sum(weights))
    assert 0 <= low <= value + 1e-9
    assert value - 1e-9 <= high <= 100
    assert high - low > 0


@pytest.mark.skipif(not SURVEY.is_dir(), reason="the weighted survey is not there: set UPR_SHARED")
def test_each_printed_percentage_of_a_weighted_survey():
    """FiveThirtyEight and SurveyMonkey (2018): 1,820 percentages, and 130 blanks of small bases."""

    def read(name):
        text = (SURVEY / name).read_text(encoding="utf-8")
        return csv.reader(text.replace("'", "?").splitlines())  # as the responses spell it

    header, *people = read("raw-responses.csv")
    cells = dict(zip(header, np.array(people).T, strict=True))
    weights = cells["weight"].astype(float)
    by = {
        "age3": ("18 - 34", "35 - 64", "65 and up"),
        "race2": ("White", "Non-white"),
        "kids": ("Has children", "No children"),
        "orientation": ("Straight", "Gay/Bisexual"),
    }
    groups = [weights > 0, *(cells[name] == one for name, ones in by.items() for one in ones)]
    questions = {}
    for name in [*header[header.index("q0001") : header.index("q0030")], "age3"]:
        # q0007 has a question a column, of others columns are options
        stem = name if name.startswith("q0007") else name[:5]
        questions.setdefault(stem, []).append(cells[name])
    printed = []
    for first, *row in list(read("masculinity-survey.csv"))[2:]:
        if first:
            printed.append([])
        elif any(row):
            printed[-1].append(row)
    figures = blanks = 0
    for columns, options in zip(questions.values(), printed, strict=True):
        chosen = np.column_stack(
            [np.any([column == option for column in columns], axis=0) for option, *_ in options]
        )
        inside = np.column_stack(groups) & (columns[0] != "NA")[:, None]
        found = weighted_shares(chosen, inside, weights)
        for place, (option, *shown) in enumerate(options):
            expected = [
                f"{int(value + 0.5)}%" if base >= 100 else ""
                for value, base in zip(found.values[:, place], found.bases, strict=True)
            ]
            assert shown == expected, option
            blanks += shown.count("")
            figures += len(shown) - shown.count("")
    assert (figures, blanks) == (1_820, 130)
