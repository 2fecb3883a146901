"""The consultation of 2021, on its invented export, from the command to the published folder."""

import json
import os
import re
import stat
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT

from upr_analysis.attacker import audit, too_narrow
from upr_analysis.codebook import read_codebook
from upr_analysis.crosstab import grouped, question_items
from upr_analysis.protection import protection_rules
from upr_analysis.questionnaire import read_questionnaire
from upr_analysis.recommendations import read_report
from upr_analysis.steps import STEPS
from upr_analysis.workspace import read_estimates

EXPECTED = ROOT / "tests" / "expected" / "upr-2021"


def upr(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "upr_analysis", *map(str, arguments)],
        capture_output=True, text=True, cwd=ROOT, env=os.environ | environment, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    return tmp_path_factory.mktemp("outputs")


@pytest.fixture(scope="module")
def first(outputs):
    done = upr("run", "params/upr-2021.yml", "--outputs", outputs)
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def folder(outputs, first):
    return outputs / "runs" / "upr-2021"


def test_stdout_is_a_line_a_step_and_the_path_of_the_appendix(first, folder):
    lines = first.stdout.splitlines()
    assert lines[:5] == [f"{step}\trun" for step in STEPS]
    assert Path(lines[5]) == folder / "public" / "appendix" / "index.html"
    assert Path(lines[5]).is_file()
    assert all("see " in line and str(folder) in line for line in first.stderr.splitlines())


def test_second_run_reuses_every_step_and_changes_no_byte(outputs, first, folder):
    before = published(folder)
    again = upr("run", "params/upr-2021.yml", "--outputs", outputs)
    assert [line.split("\t")[1] for line in again.stdout.splitlines()[:5]] == ["reused"] * 5
    assert published(folder) == before


def test_a_run_in_an_empty_store_gives_the_same_bytes(tmp_path, folder):
    again = upr("run", "params/upr-2021.yml", "--outputs", tmp_path, "--quiet")
    assert again.stdout.splitlines() == [
        str(tmp_path / "runs" / "upr-2021" / "public" / "appendix" / "index.html")
    ]
    assert published(tmp_path / "runs" / "upr-2021") == published(folder)


def published(folder: Path) -> dict[str, bytes]:
    public = folder / "public"
    return {
        path.relative_to(public).as_posix(): path.read_bytes()
        for path in public.rglob("*")
        if path.is_file()
    }


def test_a_changed_result_in_the_store_is_not_trusted(outputs, first, folder):
    run = json.loads((folder / "run.json").read_text())
    spoiled = outputs / "store" / run["steps"][3]["key"] / "public" / "tables" / "estimates.csv"
    spoiled.write_text(spoiled.read_text().replace('"67"', '"99"'))
    again = upr("run", "params/upr-2021.yml", "--outputs", outputs, "--set", "name=spoiled")
    statuses = [line.split("\t")[1] for line in again.stdout.splitlines()[:5]]
    assert statuses == ["reused", "reused", "reused", "run", "reused"]
    tables = published(outputs / "runs" / "spoiled")["tables/estimates.csv"]
    assert tables == published(folder)["tables/estimates.csv"]


def test_a_changed_file_of_a_run_is_put_right_from_the_store(outputs, first, folder):
    before = published(folder)
    page = folder / "public" / "appendix" / "index.html"
    page.write_text(page.read_text(encoding="utf-8").replace("123", "124"), encoding="utf-8")
    (folder / "public" / "left-behind.txt").write_text("x")
    again = upr("run", "params/upr-2021.yml", "--outputs", outputs)
    assert [line.split("\t")[1] for line in again.stdout.splitlines()[:5]] == ["reused"] * 5
    assert published(folder) == before


def test_another_folder_and_two_runs_at_once_do_not_meet(tmp_path, first):
    command = [sys.executable, "-m", "upr_analysis", "run", str(ROOT / "params" / "upr-2021.yml")]
    both = [
        subprocess.Popen(
            [*command, "--outputs", str(tmp_path), "--quiet", "--set", f"name={name}"],
            cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for name in ("one", "two")
    ]  # fmt: skip
    for process in both:
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        assert Path(out.strip()).is_file()
    assert not any("kernel" in path.name for path in [*tmp_path.iterdir(), *ROOT.iterdir()])


def test_a_folder_that_is_no_run_is_not_replaced(tmp_path, first):
    notes = tmp_path / "runs" / "by-hand" / "private" / "notes.txt"
    notes.parent.mkdir(parents=True)
    notes.write_text("mine")
    done = upr("run", "params/upr-2021.yml", "--outputs", tmp_path, "--set", "name=by-hand",
               "--replace")  # fmt: skip
    assert done.returncode == 2
    assert "is no run's folder" in done.stderr
    assert notes.read_text() == "mine"


def test_only_the_steps_behind_a_changed_parameter_run_again(outputs, first):
    done = upr("run", "params/upr-2021.yml", "--outputs", outputs, "--quiet",
               "--set", "name=other", "--set", "figures=[Q13]")  # fmt: skip
    assert done.returncode == 0, done.stderr
    run = json.loads((outputs / "runs" / "other" / "run.json").read_text())
    assert [step["status"] for step in run["steps"]] == ["reused"] * 4 + ["run"]


def test_a_name_with_other_parameters_is_not_overwritten(outputs, first, folder):
    before = published(folder)
    done = upr("run", "params/upr-2021.yml", "--outputs", outputs, "--set", "seed=1")
    assert done.returncode == 2
    assert "--set name=upr-2" in done.stderr
    assert published(folder) == before


@pytest.mark.parametrize("name", ["estimates", "flow"])
def test_numbers_are_the_expected_ones(folder, name):
    if name == "flow":
        found = pd.read_parquet(folder / "private" / "flow.parquet")
    else:
        found = read_estimates(folder / "public" / "tables" / "estimates.csv")
    path = EXPECTED / f"{name}.csv"
    if os.environ.get("UPR_UPDATE_EXPECTED"):
        path.parent.mkdir(parents=True, exist_ok=True)
        found.to_csv(path, index=False, lineterminator="\n")
    expected = read_estimates(path) if name == "estimates" else pd.read_csv(path)
    pd.testing.assert_frame_equal(found, expected, rtol=1e-9, check_dtype=name == "estimates")


def test_flow_ends_at_the_published_123(folder):
    flow = pd.read_parquet(folder / "private" / "flow.parquet").set_index("step")["respondents"]
    assert flow["kept"] == 123
    assert flow["received"] - flow["kept"] == flow.drop(["received", "kept"]).sum()


def test_every_page_says_invented_in_banner_title_tables_and_figures(folder):
    pages = sorted((folder / "public" / "appendix").glob("*.html"))
    assert [page.stem for page in pages] == [*STEPS, "index"]
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert re.search(r"<title>INVENTED", text), page.name
        assert 'class="banner invented"' in text, page.name
        captions = re.findall(r"<caption.*?</caption>|<figcaption.*?</figcaption>", text, re.S)
        assert captions, page.name
        assert all("INVENTED" in caption for caption in captions), page.name


def test_every_csv_row_figure_and_the_crate_say_invented(folder):
    public = folder / "public"
    for path in (public / "tables").glob("*.csv"):
        assert (pd.read_csv(path)["source"] == "invented").all(), path.name
    figures = {path.stem for path in (public / "figures").glob("*.svg")}
    assert figures == {path.stem for path in (public / "figures").glob("*.png")}
    assert len(figures) >= 10
    crate = json.loads((public / "ro-crate-metadata.json").read_text(encoding="utf-8"))
    root = next(entity for entity in crate["@graph"] if entity["@id"] == "./")
    assert "INVENTED" in root["name"]
    assert root["datePublished"] == "2021-11-30"


def test_each_published_figure_stands_beside_ours_with_its_verdict(folder):
    text = (folder / "public" / "appendix" / "index.html").read_text(encoding="utf-8")
    table = text[text.index('id="table-published"') :]
    table = table[: table.index("</table>")]
    rows = re.findall(r"<tr>.*?</tr>", table, re.S)[1:]
    assert len(rows) >= 4
    assert all("built to agree" in row for row in rows)
    plain = re.sub(r"<[^>]+>", " ", table)
    for part in ("123", "over half", "79", "adequate"):
        assert part in plain


def test_index_shows_the_twelve_recommendations(folder):
    text = (folder / "public" / "appendix" / "index.html").read_text(encoding="utf-8")
    table = text[text.index('id="table-recommendations"') :]
    numbers = re.findall(r'<th scope="row"[^>]*>(?:<bdi>)?([IV]+\.\d)', table)
    assert numbers == [f"{section}.{number}" for section, count in (("I", 3), ("II", 4), ("III", 5))
                       for number in range(1, count + 1)]  # fmt: skip


class Loads(HTMLParser):
    """Collects what a page would load or run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag in ("script", "iframe", "object", "embed", "link", "form"):
            self.found.append(tag)
        self.found += [name for name in values if name.startswith("on")]
        source = values.get("src") or ""
        if source and not source.startswith("data:"):
            self.found.append(source)


def test_pages_load_and_run_nothing(folder):
    for page in (folder / "public" / "appendix").glob("*.html"):
        loads = Loads()
        loads.feed(page.read_text(encoding="utf-8"))
        assert loads.found == [], page.name


def test_links_between_the_pages_lead_somewhere(folder):
    for page in (folder / "public" / "appendix").glob("*.html"):
        for target in re.findall(r'href="([^"#:]+)(?:#[^"]*)?"', page.read_text(encoding="utf-8")):
            assert (page.parent / target).is_file(), (page.name, target)


def test_no_answer_and_no_contact_is_published(folder):
    answers = pd.read_parquet(folder / "private" / "open_responses.parquet")["text"]
    long = [text for text in answers if len(text.split()) >= 8]
    assert len(long) > 100
    for path in (folder / "public").rglob("*"):
        if path.suffix in (".html", ".csv", ".json", ".ipynb", ".svg"):
            text = path.read_text(encoding="utf-8")
            assert not any(answer in text for answer in long), path.name
            assert "@example." not in text, path.name


def test_no_withheld_count_can_be_worked_out(folder):
    public = read_estimates(folder / "public" / "tables" / "estimates.csv")
    truth = pd.read_parquet(folder / "private" / "all_estimates.parquet").set_index("id")["n"]
    rules, protected = _rules_of(folder)
    assert protected, "the invented data have small cells"
    bounds = audit(public, rules, protected)
    assert too_narrow(bounds) == []
    inside = truth[bounds["id"]].to_numpy()
    assert (bounds["low"].to_numpy() <= inside).all()
    assert (inside <= bounds["high"].to_numpy()).all()


def _rules_of(folder: Path):
    data, private = ROOT / "data" / "upr-2021", folder / "private"
    questionnaire, codebook, report = (
        read(data) for read in (read_questionnaire, read_codebook, read_report)
    )
    respondents, memberships = (
        pd.read_parquet(private / f"{name}.parquet") for name in ("respondents", "memberships")
    )
    groups = grouped(respondents, memberships, questionnaire, ["region", "stakeholder"])
    items = [
        question_items(respondents, questionnaire, question.name)
        for question in questionnaire.closed_questions
    ]
    rules = protection_rules(
        questionnaire, codebook, report, items, groups,
        minimum_cell=5, minimum_base=15, min_width=3, minimum_cross=15, minimum_sensitive=10,
    )  # fmt: skip
    return rules, set(pd.read_parquet(private / "protected.parquet")["id"])


def test_sensitive_questions_are_shown_overall_only(folder):
    public = read_estimates(folder / "public" / "tables" / "estimates.csv")
    crossed = public[(public["group_by"] != "") & public["n"].notna()]
    assert not crossed["question"].isin(["Q19"]).any()
    assert not (crossed["item"].isin(["safety", "lgbti", "indigenous", "minorities"])).any()


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps permissions otherwise")
def test_what_is_private_is_its_owners_only(outputs, folder):
    for path in [folder / "private", *(folder / "private").rglob("*"), outputs / "store"]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    for path in (folder / "public").rglob("*"):
        assert path.stat().st_mode & stat.S_IROTH, path


def test_published_notebooks_hold_no_output_and_no_path_of_this_machine(folder):
    for step in STEPS:
        text = (folder / "public" / "notebooks" / f"{step}.ipynb").read_text(encoding="utf-8")
        cells = json.loads(text)["cells"]
        assert not any(cell.get("outputs") for cell in cells)
        assert str(ROOT) not in text
        assert "injected-parameters" in text


@pytest.mark.parametrize("language", ["fr", "es"])
def test_the_interface_speaks_the_runs_language(outputs, first, language):
    done = upr("run", "params/upr-2021.yml", "--outputs", outputs, "--quiet",
               "--set", f"language={language}", "--set", f"name={language}")  # fmt: skip
    assert done.returncode == 0, done.stderr
    text = Path(done.stdout.strip()).read_text(encoding="utf-8")
    assert f'<html lang="{language}"' in text
    word = {"fr": "Recommandations", "es": "Recomendaciones"}[language]
    assert word in text
