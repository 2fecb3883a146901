"""Two runs side by side: tiny run folders whose differences one can count."""

import json
from pathlib import Path

import pandas as pd
import pytest
from conftest import SMALL, estimates_of
from hypothesis import given, settings
from hypothesis import strategies as st

from upr_analysis.comparison import (
    Words,
    changed_conclusions,
    compare_runs,
    join_numbers,
    render_comparison,
    shown,
)
from upr_analysis.estimates import estimate_id
from upr_analysis.problems import InputError
from upr_analysis.reasons import SAME, explain_steps
from upr_analysis.words import say
from upr_analysis.workspace import write_csv

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><text>{}</text></svg>'
RUNS = ("one", "two")


def share(
    question: str, item: str, n: int | None, base: int = 100, **more: str
) -> dict[str, object]:
    """Return a share of `base` respondents; withheld where `n` is None."""
    return {
        "id": estimate_id(question, item, more.get("group_by", ""), more.get("group", "")),
        "table": question, "measure": "share", "question": question, "item": item, "n": n,
        "base": base, "value": None if n is None else 100 * n / base, "suppressed": n is None,
        "source": "real",
    } | more  # fmt: skip


def p_of(p: float) -> dict[str, object]:
    """Return a test of Q4 by region with an adjusted p."""
    return {
        "id": "Q4.region.test", "measure": "test", "question": "Q4", "group_by": "region",
        "base": 90, "value": 4.0, "p_adjusted": p, "source": "real",
    }  # fmt: skip


def concluded(one: list, other: list) -> list[tuple[str, str, str]]:
    joined = join_numbers(estimates_of(one), estimates_of(other))
    return list(changed_conclusions(joined, RUNS, Words(None)))


@pytest.fixture
def make_run(tmp_path):
    """Write the folder of a run: its record, what it published, how many it kept."""

    def make(name: str, rows=(), figures=(), kept=100, codings=3, **parameters) -> Path:
        folder = tmp_path / name
        for part in ("public/tables", "public/figures", "private"):
            (folder / part).mkdir(parents=True)
        values = {"name": name, "consultation": "small", "minimum_cell": 5} | parameters
        own = {"minimum_cell": values["minimum_cell"]}
        key = json.dumps(own)
        step = {"step": "04_cross_tabs", "key": key, "depends": {"parameters": own}}
        record = {"name": name, "parameters": values, "steps": [step], "files": {}}
        record |= {"inputs": [], "versions": {}, "times": {}, "fingerprint": "", "refused": False}
        (folder / "run.json").write_text(json.dumps(record))
        write_csv(estimates_of(list(rows)), folder / "public/tables/estimates.csv")
        for figure, drawn in dict(figures).items():
            (folder / f"public/figures/{figure}.svg").write_text(SVG.format(drawn))
        told = {figure: {"alt": f"Dots of {name}", "caption": "Who"} for figure in dict(figures)}
        (folder / "private/pictures.json").write_text(json.dumps(told))
        flow = [("received", 110), ("partial", 110 - kept), ("kept", kept)]
        frame = pd.DataFrame(flow, columns=["step", "respondents"])
        frame.to_parquet(folder / "private/flow.parquet")
        quotes = pd.DataFrame({"respondent": ["r7k2"], "code": ["x"], "quote": ["our director"]})
        counted, other = quotes.assign(counts=True), quotes.assign(counts=False)
        pd.concat([counted] * codings + [other]).to_parquet(folder / "private/codings.parquet")
        return folder

    return make


@pytest.fixture
def root(tmp_path) -> Path:
    folder = tmp_path / "data" / "small"
    folder.mkdir(parents=True)
    (folder / "questionnaire.yml").write_text(SMALL)
    return tmp_path


# Parameters and steps


def test_parameters_that_differ_but_not_name_date_and_reason(make_run, root):
    one = make_run("one", date="2026-01-01", group_by=["region"], deduplicate=True)
    other = make_run("two", date="2026-02-02", reason="why", group_by=[], deduplicate=False)
    found = compare_runs(one, other, root)
    assert found.parameters == (
        ("group_by", "[region]", "[]"),
        ("deduplicate", "true", "false"),
    )


def steps_of(one: dict, other: dict) -> dict[str, str]:
    """Explain 02_clean of two runs that depended on `one` and `other`."""
    records = [
        {"name": name, "steps": [{"step": "02_clean", "key": name, "depends": depends}]}
        for name, depends in (("a", one), ("b", other))
    ]
    return dict(explain_steps(records[0], records[1], {}))


@pytest.mark.parametrize(
    ("kind", "before", "after", "said"),
    [
        ("parameters", {"deduplicate": True}, {"deduplicate": False},
         "`deduplicate` true to false"),
        ("parameters", {}, {"near_duplicate": 95}, "`near_duplicate` not set to 95"),
        ("cells", {"1": "a", "2": "b"}, {"1": "a", "2": "c"},
         "code cell 2 of its notebook changed"),
        # one between two others changes neither of them, and 10 comes after 9
        ("cells", {str(n): f"{n}" for n in range(1, 11)},
         {str(n): f"{n}" for n in range(1, 10)} | {"10": "new", "11": "10"}, "code cell 10 added"),
        ("cells", {"1": "a", "2": "b"}, {"1": "b"}, "code cell 1 removed"),
        ("consultation", {"questionnaire.yml": "a"}, {"questionnaire.yml": "b"},
         "questionnaire.yml changed"),
        ("consultation", {}, {"places.yml": "b"}, "places.yml added"),
        ("export", {"1": "a"}, {"1": "b"}, "another export"),
        ("modules", {"coding": "a", "places.csv": "a"}, {"coding": "b", "places.csv": "b"},
         "the module coding changed; the package's places.csv changed"),
        ("modules", {"coding": "a", "words": "a"}, {"words": "b", "labels": "b"},
         "the module words changed; the module labels added; the module coding removed"),
        ("versions", {"pandas": "3.0.1"}, {"pandas": "3.1.1"}, "pandas 3.0.1 to 3.1.1"),
        ("inputs", {"01_ingest/private/a.parquet": "a"}, {"01_ingest/private/a.parquet": "b"},
         "follows from 01_ingest: reads another 01_ingest/private/a.parquet"),
    ],
)  # fmt: skip
def test_each_kind_of_dependency_is_named(kind, before, after, said):
    assert steps_of({kind: before}, {kind: after}) == {"02_clean": said}


def test_step_that_changed_itself_is_not_said_to_follow():
    one = {"parameters": {"seed": 1}, "inputs": {"01_ingest/private/a.parquet": "a"}}
    other = {"parameters": {"seed": 2}, "inputs": {"01_ingest/private/a.parquet": "b"}}
    said = "`seed` 1 to 2; reads another 01_ingest/private/a.parquet"
    assert steps_of(one, other)["02_clean"] == said


def test_older_record_without_the_reason_says_so():
    said = "its key differs, and the runs do not record why"
    assert steps_of({}, {"parameters": {"seed": 2}})["02_clean"] == said
    assert steps_of({"parameters": {"seed": 2}}, {})["02_clean"] == said


def test_step_with_the_same_key_is_the_same():
    record = {"name": "a", "steps": [{"step": "02_clean", "key": "k", "depends": {}}]}
    assert list(explain_steps(record, record, {})) == [("02_clean", SAME)]


def test_step_that_ran_anew_may_have_written_the_same():
    records = [
        {"name": "a", "files": {"private/codings.parquet": "d", "private/source.json": source},
         "steps": [{"step": "03_thematic_coding", "key": key,
                    "depends": {"versions": {"pandas": key}}}]}
        for key, source in (("3.0", "x"), ("3.1", "y"))
    ]  # fmt: skip
    said = dict(explain_steps(records[0], records[1], {}))["03_thematic_coding"]
    assert said == "pandas 3.0 to 3.1; what it wrote is the same"
    records[1]["files"]["private/codings.parquet"] = "other"
    said = dict(explain_steps(records[0], records[1], {}))["03_thematic_coding"]
    assert said == "pandas 3.0 to 3.1"


def test_respondents_and_codings_that_are_passed_on(make_run):
    one, other = make_run("one", kept=100, codings=3), make_run("two", kept=104, codings=2)
    for folder in (one, other):
        record = json.loads((folder / "run.json").read_text())
        record["steps"] = [
            {"step": step, "key": folder.name, "depends": {"versions": {"pandas": folder.name}}}
            for step in ("02_clean", "03_thematic_coding")
        ]
        (folder / "run.json").write_text(json.dumps(record))
    steps = dict(compare_runs(one, other, one.parent).steps)
    assert steps["02_clean"].endswith(
        "passes 4 more respondents on to 03_thematic_coding (partial 10 to 6, kept 100 to 104)"
    )
    assert steps["03_thematic_coding"].endswith("; codings 3 to 2")


# Numbers


def test_numbers_added_removed_and_changed_the_largest_difference_first(make_run, root):
    one = [share("Q4", "yes", 50), share("Q4", "no", 50), share("Q2", "index", 7),
           share("Q5", "alone", 10, 20)]  # fmt: skip
    other = [share("Q4", "yes", 49), share("Q4", "no", 58, 100), share("Q2", "letter", 7),
             share("Q5", "alone", 11, 22)]  # fmt: skip
    found = compare_runs(make_run("one", one), make_run("two", other), root)
    rows = found.numbers.set_index("id")
    assert list(rows.index) == ["Q4.no", "Q4.yes", "Q5.alone", "Q2.index", "Q2.letter"]
    assert rows.loc["Q4.no", ["n_first", "n_second", "n_delta"]].tolist() == [50, 58, 8]
    assert rows.loc["Q4.no", "value_delta"] == 8
    assert rows["status"].tolist() == ["changed", "changed", "changed", "removed", "added"]
    assert found.count == "3 changed, 1 added, 1 removed, of 5"
    assert found.rows(lambda row: row["id"]) == [
        ("Q4.no", "50.0% (50 of 100)", "58.0% (58 of 100)", "+8.0 points, n +8"),
        ("Q4.yes", "50.0% (50 of 100)", "49.0% (49 of 100)", "−1.0 points, n −1"),
        ("Q5.alone", "50.0% (10 of 20)", "50.0% (11 of 22)", "n +1, base +2"),
        ("Q2.index", "7.0% (7 of 100)", "not there", ""),
        ("Q2.letter", "not there", "7.0% (7 of 100)", ""),
    ]


def test_interval_is_shown_where_it_alone_differs():
    one, other = share("Q4", "yes", 50) | {"low": 40.4, "high": 59.6}, share("Q4", "yes", 50)
    row = join_numbers(estimates_of([one]), estimates_of([other])).iloc[0].to_dict()
    assert shown(row, "first") == "50.0% (50 of 100), 40.4 to 59.6"
    assert shown(row, "second") == "50.0% (50 of 100), no interval"


def test_measures_of_another_scale_come_after_the_shares(make_run, root):
    one = [p_of(0.01), share("Q4", "yes", 50)]
    other = [p_of(0.01) | {"value": 40.0}, share("Q4", "yes", 51)]
    found = compare_runs(make_run("one", one), make_run("two", other), root)
    assert found.numbers["id"].tolist() == ["Q4.yes", "Q4.region.test"]


counts = st.lists(st.integers(0, 6) | st.none(), min_size=3, max_size=3)


@settings(deadline=None)
@given(counts, counts)
def test_runs_the_other_way_round_differ_by_the_opposite(one, other):
    frames = [
        estimates_of([share("Q", f"i{place}", n, 10) for place, n in enumerate(side)])
        for side in (one, other)
    ]
    there, back = join_numbers(*frames), join_numbers(*reversed(frames))
    assert there["status"].tolist() == back["status"].tolist()
    assert [status != SAME for status in there["status"]] == [
        a != b for a, b in zip(one, other, strict=True)
    ]
    assert (there["n_delta"] + back["n_delta"]).fillna(0).eq(0).all()
    assert there["n_delta"].isna().tolist() == [
        a is None or b is None for a, b in zip(one, other, strict=True)
    ]


# Conclusions


def test_number_withheld_in_one_run():
    rows = share("Q4", "yes", 9, 40), share("Q4", "yes", None, 41)
    assert concluded([rows[0]], [rows[1]]) == [
        ("Numbers that one run withholds", "Q4 “yes”",
         "22.5% (9 of 40) in one, withheld (of 41) in two")
    ]  # fmt: skip
    assert concluded([rows[1]], [rows[1]]) == []
    assert concluded([rows[1]], []) == []  # removed: nothing is shown in its place


def test_adjusted_p_on_either_side_of_one_in_twenty():
    kind, what, told = concluded([p_of(0.049)], [p_of(0.05)])[0]
    assert (kind, what) == ("Tests on the other side of 0.05", "Q4 “test”, by region")
    assert told == "4.00 (of 90), adjusted p 0.0490 in one, 4.00 (of 90), adjusted p 0.0500 in two"
    assert concluded([p_of(0.051)], [p_of(0.9)]) == []


def test_share_on_either_side_of_one_half():
    def crosses(one: int, other: int, **group: str) -> bool:
        # both runs have the same leader, "no"
        rows = [share("Q4", "no", 99, **group)]
        return bool(
            concluded(
                [share("Q4", "yes", one, **group), *rows],
                [share("Q4", "yes", other, **group), *rows],
            )
        )

    assert crosses(50, 51)
    assert crosses(51, 50)
    assert not crosses(49, 50)  # one half is not more than half
    assert not crosses(50, 51, group_by="region", group="africa")  # of all respondents only


def test_most_named_answer_changes_with_both_numbers_of_both_runs():
    one = [share("Q2", "index", 30), share("Q2", "letter", 20), share("Q2", "other", 1)]
    other = [share("Q2", "index", 25), share("Q2", "letter", 26), share("Q2", "other", None)]
    kind, what, told = concluded(one, other)[0]
    assert (kind, what) == ("Most named answers that changed", "Q2")
    assert told == (
        "of those shown, in one “index” 30.0% (30 of 100) before “letter” 20.0% (20 of 100); "
        "in two “letter” 26.0% (26 of 100) before “index” 25.0% (25 of 100)"
    )


@settings(deadline=None)
@given(counts, counts)
def test_lead_changes_where_no_answer_has_the_most_in_both_runs(one, other):
    def frame(side):
        return [share("Q", f"i{place}", n, 20) for place, n in enumerate(side)]

    def leaders(side):  # the plain loop
        most = -1
        for n in side:
            if n is not None and n > most:
                most = n
        return {place for place, n in enumerate(side) if n == most}

    first, second = leaders(one), leaders(other)
    changed = bool(first) and bool(second) and not first & second
    kinds = [kind for kind, _, _ in concluded(frame(one), frame(other))]
    assert ("Most named answers that changed" in kinds) == changed


# Words, figures, page


def test_numbers_are_called_as_the_questionnaire_calls_them(make_run, root):
    group = {"group_by": "region", "group": "africa"}
    one = make_run("one", [share("Q2", "letter", 9, 20, **group), share("Q9", "gone", 5)])
    other = make_run("two", [share("Q2", "letter", 12, 20, **group), share("Q9", "gone", 6)])
    names = [row[0] for row in compare_runs(one, other, root).rows(lambda row: row["id"])]
    assert names == ["Q2.letter.region.africa", "Q9.gone"]
    found = compare_runs(one, other, root)
    assert [row[0] for row in found.rows(found.words.long)] == [
        "Tools “Letter, of the High Commissioner”, Africa",
        "Q9 “gone”",  # no longer asked
    ]


def test_numbers_of_two_consultations_are_called_by_their_ids(make_run, root):
    one = make_run("one", [share("Q2", "letter", 9)])
    other = make_run("two", [share("Q2", "letter", 8)], consultation="another")
    found = compare_runs(one, other, root)
    assert [row[0] for row in found.rows(found.words.long)] == ["Q2 “letter”"]


def test_figures_that_differ_stand_side_by_side(make_run, root):
    one = make_run("one", figures={"05_A": "x", "05_B": "x", "05_C": "x"})
    other = make_run("two", figures={"05_A": "x", "05_B": "y", "05_D": "x"})
    found = compare_runs(one, other, root)
    assert [pair.name for pair in found.figures] == ["05_B"]
    assert found.equal_figures == 1
    assert found.unpaired == ("05_C is in one only.", "05_D is in two only.")
    html = render_comparison(found)
    assert html.count("data:image/svg+xml;base64,") == 2
    assert html.index('alt="Dots of one"') < html.index('alt="Dots of two"')
    assert "1 that differ, 1 that are the same." in html


def test_page_says_first_that_it_is_private_and_that_data_are_invented(make_run, root):
    invented = {"source": "invented"}
    one = make_run("one", [share("Q4", "yes", 9) | invented])
    other = make_run("two", [share("Q4", "yes", 8) | invented], minimum_cell=10)
    found = compare_runs(one, other, root)
    html = render_comparison(found)
    body = html[html.index("<body") :]
    assert body.index(say("banner.runs.text")) < body.index("<h1")
    assert body.count("run by hand") == 0
    assert "Invented data: written by a program" in body
    assert "INVENTED" in body
    assert "<script" not in html
    assert "Content-Security-Policy" in html
    assert found.lines()[0] == "PRIVATE, INVENTED: one and two"
    assert "  04_cross_tabs: `minimum_cell` 5 to 10" in found.lines()


def test_what_is_said_holds_no_word_and_no_pseudonym_of_an_answer(make_run, root):
    one = make_run("one", [share("Q4", "yes", 9)], codings=1)
    other = make_run("two", [share("Q4", "yes", 8)], codings=2)
    found = compare_runs(one, other, root)
    said = "\n".join(found.lines()) + render_comparison(found)
    assert "our director" not in said
    assert "r7k2" not in said


def test_terminal_shows_twenty_changes_and_says_how_many_more(make_run, root):
    one = make_run("one", [share("Q2", f"i{n}", 10) for n in range(25)])
    other = make_run("two", [share("Q2", f"i{n}", 11 + n) for n in range(25)])
    lines = compare_runs(one, other, root).lines()
    assert sum(line.startswith("  Q2: i") for line in lines) == 20
    assert "  Q2: i24  10.0% (10 of 100)  35.0% (35 of 100)  +25.0 points, n +25" in lines
    assert "  and 5 more on the page" in lines


def test_runs_that_do_not_differ_say_so_in_one_line(make_run, root):
    rows, figures = [share("Q4", "yes", 9), share("Q4", "no", None)], {"05_A": "x"}
    found = compare_runs(make_run("one", rows, figures), make_run("two", rows, figures), root)
    said = (
        "one and two do not differ: the same parameters, steps, published numbers (2) and "
        "figures (1)."
    )
    assert found.lines() == [said]
    assert said in render_comparison(found)


def test_folders_that_are_no_run_are_all_named(make_run, tmp_path):
    refused, nothing = make_run("refused"), tmp_path / "nothing"
    record = json.loads((refused / "run.json").read_text()) | {"refused": True}
    (refused / "run.json").write_text(json.dumps(record))
    with pytest.raises(InputError) as caught:
        compare_runs(nothing, refused, tmp_path)
    assert len(caught.value.problems) == 2
    assert "nothing holds no run.json" in caught.value.problems[0]
    assert "the gate refused it" in caught.value.problems[1]


def test_two_real_runs_are_compared(tiny_upr, tmp_path):
    for options in ([], ["--set", "name=strict", "--set", "minimum_cell=10"]):
        made = tiny_upr("run", "params/tiny.yml", *options, "--outputs", tmp_path)
        assert made.returncode == 0, made.stderr
    said = [tiny_upr("compare", "tiny", "strict", "--outputs", tmp_path) for _ in range(2)]
    assert said[0].returncode == 0, said[0].stderr
    assert said[0].stdout == said[1].stdout
    lines = said[0].stdout.splitlines()
    assert "  minimum_cell: 5 to 10" in lines
    assert "  03_thematic_coding: the same" in lines
    assert "  04_cross_tabs: `minimum_cell` 5 to 10" in " ".join(lines)
    page = Path(lines[-1])
    assert (tmp_path / "compared").stat().st_mode & 0o077 == 0
    assert say("banner.runs.text") in page.read_text(encoding="utf-8")
