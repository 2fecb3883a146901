"""What people coded: history, consensus, what no longer stands, and who agrees with whom."""

import stat

import numpy as np
import pandas as pd
import pytest

from upr_analysis.codebook import Codebook
from upr_analysis.coding import CONSENSUS, MACHINE, PEOPLE, text_hash
from upr_analysis.codings import (
    RECORD,
    add_to_record,
    code_everything,
    consensus,
    is_coder,
    judgements,
    keep_version,
    located,
    read_record,
    read_versions,
    rows_of,
    stale_versions,
    standing,
    unknown_code,
    what_changed,
)
from upr_analysis.documents import as_model, parse_yaml
from upr_analysis.problems import InputError
from upr_analysis.reliability import agreement_between_coders, agreement_with_patterns

BOOK = """
title: {en: Small}
themes:
  - name: access
    label: {en: Access}
    definition: Whether one can take part.
    codes:
      - {name: languages, label: {en: Languages}, definition: Other languages.,
         patterns: {en: [translat*]}}
      - {name: cost, label: {en: Cost}, definition: What it costs., patterns: {en: [fee]}}
"""
TEXTS = {"a": "No translation", "b": "The fee", "c": "Neither", "d": "A fee for translation"}


@pytest.fixture
def codebook() -> Codebook:
    return as_model(parse_yaml(BOOK, "small"), Codebook, "small")


@pytest.fixture
def answers() -> pd.DataFrame:
    rows = [(who, "Q", text, "en", "answered") for who, text in TEXTS.items()]
    return pd.DataFrame(rows, columns=["respondent", "question", "text", "language", "state"])


def given(folder, coder, codes, basis="independent", version="v", text=TEXTS):
    """Put one coder's judgements into the record: respondent -> codes."""
    rows = [(who, "Q", text_hash(text[who]), tuple(own.split()), "") for who, own in codes.items()]
    add_to_record(folder, rows_of(rows, coder, basis, version), "2026-01-01")
    return read_record(folder)


def together(record) -> dict[str, tuple[set[str], bool]]:
    rows = consensus(judgements(record))
    return {
        one.respondent: (set(one.codes), bool(one.settled)) for one in rows.itertuples(index=False)
    }


NOTHING = pd.DataFrame({"respondent": [], "question": [], "code": []}, dtype="str")


def test_a_later_judgement_takes_the_place_of_an_earlier_one_and_both_are_kept(tmp_path):
    given(tmp_path, "Ana", {"a": "languages", "b": "cost"})
    record = given(tmp_path, "Ana", {"a": ""})
    assert together(record) == {"a": (set(), True), "b": ({"cost"}, True)}
    assert len(record) == 3
    assert record["batch"].tolist() == [1, 1, 2]
    assert stat.S_IMODE((tmp_path / RECORD).stat().st_mode) == 0o600


def test_more_than_half_of_the_coders_decide_and_a_tie_is_not_settled(tmp_path):
    given(tmp_path, "Ana", {"a": "languages", "b": "cost", "c": ""})
    given(tmp_path, "Ben", {"a": "languages cost", "b": "languages", "c": ""})
    record = given(tmp_path, "Chi", {"a": "languages"})
    assert together(record) == {
        "a": ({"languages"}, False), "b": (set(), False), "c": (set(), True),
    }  # fmt: skip


def test_an_adjudication_decides_whoever_coded(tmp_path):
    given(tmp_path, "Ana", {"a": "languages"})
    given(tmp_path, "Ben", {"a": "cost"})
    given(tmp_path, "Chi", {"a": "languages cost"}, basis="adjudicated")
    assert together(read_record(tmp_path)) == {"a": ({"languages", "cost"}, True)}
    record = given(tmp_path, "Ana", {"a": "cost"}, basis="adjudicated")
    assert together(record) == {"a": ({"cost"}, True)}  # the last one, and Ana's own stays as it is
    assert set(judgements(record)["coder"]) == {"Ana", "Ben"}


def test_what_people_say_counts_before_the_patterns_even_that_no_code_applies(
    tmp_path, codebook, answers
):
    record = given(tmp_path, "Ana", {"a": "cost", "b": ""})
    coded = code_everything(answers, NOTHING, codebook, record)
    counted = coded.codings[coded.codings["counts"]]
    assert set(zip(counted["coder"], counted["respondent"], counted["code"], strict=True)) == {
        (CONSENSUS, "a", "cost"), (MACHINE, "d", "cost"), (MACHINE, "d", "languages"),
    }  # fmt: skip
    assert set(coded.codings["coder"]) == {"Ana", CONSENSUS, MACHINE}
    assert coded.judged[["respondent", "by", "coders"]].to_numpy().tolist() == [
        ["a", CONSENSUS, 1], ["b", CONSENSUS, 1],
    ]  # fmt: skip


def test_coders_count_before_the_export_and_the_export_before_patterns(tmp_path, codebook, answers):
    record = given(tmp_path, "Ana", {"a": "languages"})
    exported = pd.DataFrame(
        {"respondent": ["a", "b"], "question": ["Q", "Q"], "code": ["cost", "languages"]}
    )
    codings = code_everything(answers, exported, codebook, record).codings
    counted = codings[codings["counts"] & codings["respondent"].isin(["a", "b"])]
    assert set(zip(counted["coder"], counted["respondent"], counted["code"], strict=True)) == {
        (CONSENSUS, "a", "languages"), (PEOPLE, "b", "languages"),
    }  # fmt: skip


def test_a_span_is_kept_and_quotes_the_stored_text(tmp_path, codebook, answers):
    rows = rows_of([("d", "Q", text_hash(TEXTS["d"]), ("cost",), "")], "Ana", "independent", "v")
    add_to_record(tmp_path, rows.assign(start="2", end="5"), "2026-01-01")
    coded = code_everything(answers, NOTHING, codebook, read_record(tmp_path))
    own = coded.codings[coded.codings["coder"] == "Ana"].iloc[0]
    assert own[["code", "start", "end", "quote"]].tolist() == ["cost", 2, 5, "fee"]


def test_judgements_of_what_has_changed_since_are_left_out_and_counted(tmp_path, codebook, answers):
    given(tmp_path, "Ana", {"a": "languages", "b": "cost", "c": "gone"})
    changed = answers.assign(text=answers["text"].replace("The fee", "The fees"))
    record = given(tmp_path, "Ben", {"a": "languages"})
    kept, why = standing(judgements(record), changed, codebook)
    assert set(kept["respondent"]) == {"a"}
    assert dict(why) == {"answer changed since": 1, "code no longer in the codebook": 1}
    _, why = standing(judgements(record), changed.iloc[1:], codebook)
    assert why["answer no longer there"] == 2


def test_judgements_follow_their_answers_when_pseudonyms_change(tmp_path, codebook, answers):
    """Another seed, or one more row, gives every respondent another pseudonym."""
    same = answers.assign(text=["The fee", "The fee", "No translation", "Neither"])
    text = dict(zip(same["respondent"], same["text"], strict=True))
    given(tmp_path, "Ana", {"a": "cost", "c": "languages"}, text=text)
    record = given(tmp_path, "Ben", {"a": "cost", "b": "", "c": "languages"}, text=text)
    others = same.assign(respondent=["z", "y", "a", "x"])
    judged, why = standing(judgements(located(record, others)), others, codebook)
    assert not why
    texts = others.set_index("respondent")["text"]
    said = {(texts[one.respondent], one.coder, one.codes) for one in judged.itertuples()}
    cost, languages, none = frozenset({"cost"}), frozenset({"languages"}), frozenset[str]()
    assert said == {
        ("The fee", "Ana", cost), ("The fee", "Ben", cost), ("The fee", "Ben", none),
        ("No translation", "Ana", languages), ("No translation", "Ben", languages),
    }  # fmt: skip
    assert judged["respondent"].nunique() == 3
    assert located(record, same)["respondent"].tolist() == record["respondent"].tolist()


def test_a_code_that_is_gone_takes_all_judgements_of_its_answers_along(tmp_path, codebook, answers):
    given(tmp_path, "Ana", {"a": "cost", "b": "cost"})
    record = given(tmp_path, "Ben", {"a": "gone", "b": "cost"})
    kept, why = standing(judgements(record), answers, codebook)
    assert set(kept["respondent"]) == {"b"}
    assert why["code no longer in the codebook"] == 2


def test_a_changed_definition_makes_judgements_stale_and_a_changed_pattern_does_not(
    tmp_path, codebook
):
    keep_version(tmp_path, codebook)
    record = given(tmp_path, "Ana", {"a": "languages"}, version=codebook.version)
    books = read_versions(tmp_path)
    assert books == {codebook.version: codebook}

    def changed(old, new):
        return as_model(parse_yaml(BOOK.replace(old, new), "small"), Codebook, "small")

    assert stale_versions(record, changed("[fee]", "[fee, charge]"), books) == {}
    now = changed("Other languages.", "Languages and signs.")
    assert stale_versions(record, now, books) == {
        codebook.version: ["languages: definition changed"]
    }
    assert what_changed(codebook, changed("name: cost", "name: price")) == [
        "cost was removed", "price was added",
    ]  # fmt: skip


def test_suggestions_that_a_person_corrected_are_no_independent_coding(tmp_path, codebook, answers):
    given(tmp_path, "Ana", {"a": "languages", "b": "cost", "c": ""})
    record = given(tmp_path, "Ben", {"a": "languages", "b": "cost", "c": ""}, basis="assisted")
    found = agreement_between_coders(judgements(record), answers, codebook, 1)
    assert found.empty
    record = given(tmp_path, "Chi", {"a": "cost", "b": "cost", "c": ""})
    found = agreement_between_coders(judgements(record), answers, codebook, 1)
    cells = found.set_index(["language", "code", "statistic"])
    assert cells.loc[("", "languages", "percent_agreement"), "value"] == pytest.approx(2 / 3)
    assert set(cells["positives"]) == {1, 3, 4}
    assert set(cells["answers"]) == {3}
    assert not cells["assessable"].any()


def test_agreement_by_language_is_that_of_its_answers_alone(tmp_path, codebook, answers):
    given(tmp_path, "Ana", {"a": "cost", "b": "cost", "c": "", "d": "cost"})
    record = given(tmp_path, "Ben", {"a": "", "b": "cost", "c": "", "d": "cost"})
    answers = answers.assign(language=["fr", "en", "en", "fr"])
    found = agreement_between_coders(judgements(record), answers, codebook, 1)
    values = found.set_index(["language", "code", "statistic"])["value"]
    assert values["", "cost", "percent_agreement"] == 0.75
    assert values["en", "cost", "percent_agreement"] == 1
    assert values["fr", "cost", "percent_agreement"] == 0.5
    assert np.isnan(values["en", "languages", "cohen_kappa"])


def test_patterns_are_held_to_what_people_say_together(tmp_path, codebook, answers):
    record = given(tmp_path, "Ana", {"a": "languages", "b": "", "c": "", "d": "cost"})
    coded = code_everything(answers, NOTHING, codebook, record)
    found = agreement_with_patterns(coded, answers, codebook, 1)
    values = found.set_index(["code", "statistic"])["value"]
    # cost: patterns b and d, people d; languages: patterns a and d, people a
    assert values["cost", "percent_agreement"] == 0.75
    assert values["cost", "positive_agreement"] == pytest.approx(2 / 3)
    assert values["languages", "percent_agreement"] == 0.75


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda text: text.replace('"independent"', '"guessed"'), "row 1: 'basis' is none"),
        (lambda text: text.replace('"Ana"', '"codebook"'), "row 1: 'coder' is none"),
        (lambda text: text.replace('"batch"', '"set"'), "has other columns than"),
        (lambda text: text[: text.rindex(',"languages"')] + "\n", "row 1 was cut off"),
        (lambda text: text.replace('"languages","",""', '"languages","3",""'), "'start' is none"),
    ],
)
def test_a_damaged_record_is_named_with_its_line(tmp_path, damage, said):
    given(tmp_path, "Ana", {"a": "languages"})
    path = tmp_path / RECORD
    path.write_text(damage(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(InputError, match=said):
        read_record(tmp_path)


def test_names_of_coders_and_what_is_said_of_unknown_codes():
    assert [is_coder(name) for name in ("Ana", "b-2", "María", "consensus", "A b", "", "2")] == [
        True, True, True, False, False, False, False,
    ]  # fmt: skip
    assert unknown_code("langages", ["languages"]) == (
        "'langages' is not in the codebook; did you mean 'languages'?"
    )
    assert "secret" not in unknown_code("A secret that slipped here", ["languages"])
