"""A run made again: what counts as identical, equal and different, and from how little."""

import json
import shutil

import pytest

from upr_analysis.verification import equal_numbers


@pytest.fixture(scope="module")
def outputs(tiny_upr, tmp_path_factory):
    folder = tmp_path_factory.mktemp("outputs")
    done = tiny_upr("run", "params/tiny.yml", "--outputs", folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize(
    ("name", "one", "other", "same"),
    [
        ("a.csv", '"n","v"\n"1","0.30000000000000004"\n', "n,v\n1,0.3\n", True),
        ("a.csv", "n,v\n1,0.3\n", "n,v\n1,0.31\n", False),
        ("a.csv", "n,v\n1,a\n", "n,v\n1,b\n", False),
        ("a.csv", "n,v\n1,2\n", "n,v\n1,2\n3,4\n", False),
        ("a.html", "<p class=x>12 of 40</p>", "<p>12 of 40</p>", True),
        ("a.html", "<p>12 of 40</p>", "<p>13 of 40</p>", False),
        ("a.svg", '<path d="M 1.0 2.50"/>', '<path d="M 1 2.5"/>', True),
        ("a.svg", '<path d="M 1 2"/>', '<path d="M 1 3"/>', False),
        ("a.csv", "p\n1e-12\n", "p\n9e-10\n", False),
        ("a.html", '<img src="data:x" alt="a">', '<img src="data:y" alt="a">', False),
        ("a.html", '<a href="b.html">12</a>', '<a href="https://c.example">12</a>', False),
        ("ro-crate-metadata.json", '{"sha256": "ab"}', '{"sha256": "cd"}', True),
        ("ro-crate-metadata.json", '{"value": 5}', '{"value": 6}', False),
    ],
)
def test_files_are_equal_where_their_words_and_numbers_are(tmp_path, name, one, other, same):
    paths = [tmp_path / "one" / name, tmp_path / "other" / name]
    for path, text in zip(paths, (one, other), strict=True):
        path.parent.mkdir()
        path.write_text(text)
    assert equal_numbers(*paths) == same


def test_a_run_comes_out_identical(outputs, tiny_upr):
    done = tiny_upr("verify", "tiny", "--outputs", outputs)
    assert done.returncode == 0, done.stderr
    grades = [line.split("\t") for line in done.stdout.splitlines()]
    assert {grade for grade, _ in grades} == {"identical"}
    public = outputs / "runs" / "tiny" / "public"
    files = {p.relative_to(public).as_posix() for p in public.rglob("*") if p.is_file()}
    assert {file for _, file in grades} == files
    assert "appendix/index.html" in files


def test_a_published_number_that_was_changed_is_found(outputs, tiny_upr, tmp_path):
    copy = tmp_path / "runs" / "tiny"
    shutil.copytree(outputs / "runs" / "tiny", copy)
    table = copy / "public" / "tables" / "estimates.csv"
    text = table.read_text()
    assert '"45"' in text
    table.write_text(text.replace('"45"', '"44"'))
    (copy / "public" / "extra.csv").write_text("a\n")
    done = tiny_upr("verify", copy, "--quiet")
    assert done.returncode == 1
    assert done.stdout.splitlines() == ["unexpected\textra.csv", "different\ttables/estimates.csv"]
    assert "It does not come out the same: " in done.stderr
    assert "1 different, 1 unexpected." in done.stderr


def test_what_changed_since_is_named(outputs, tiny_upr, tmp_path):
    copy = tmp_path / "tiny"
    shutil.copytree(outputs / "runs" / "tiny", copy)
    record = json.loads((copy / "run.json").read_text())
    record["versions"]["pandas"] = "2.0.0"
    record["inputs"][0]["sha256"] = "0" * 64
    (copy / "run.json").write_text(json.dumps(record))
    done = tiny_upr("verify", copy, "-q")
    assert "data/tiny/export.csv is not what it was at the run." in done.stderr
    assert "pandas was 2.0.0 at the run and is" in done.stderr


def test_of_public_alone_tables_and_figures_are_made_again(outputs, tiny_upr, tmp_path):
    public = tmp_path / "published"
    shutil.copytree(outputs / "runs" / "tiny" / "public", public)
    done = tiny_upr("verify", public)
    assert done.returncode == 0, done.stderr
    grades = dict(line.split("\t")[::-1] for line in done.stdout.splitlines())
    assert {grades[f] for f in grades if f.startswith(("tables/04", "figures/"))} == {"identical"}
    assert grades["tables/estimates.csv"] == "not made"  # all others were made from it
    assert grades["appendix/index.html"] == "not made"
    assert "figures/05_A.svg" in grades
    assert "takes what is not there: " in done.stderr
    assert "It comes out the same: " in done.stderr
    spoiled = public / "tables" / "04_A.csv"
    spoiled.write_text(spoiled.read_text().replace('"45"', '"44"'))
    page = public / "appendix" / "index.html"
    page.write_text(page.read_text(encoding="utf-8").replace("61", "610"), encoding="utf-8")
    (public / "appendix" / "02_clean.html").unlink()
    (public / "extra.csv").write_text("a\n")
    forged = tiny_upr("verify", public, "-q")
    assert forged.returncode == 1
    assert [line for line in forged.stdout.splitlines() if "not made" not in line] == [
        "missing\tappendix/02_clean.html",
        "different\tappendix/index.html",
        "unexpected\textra.csv",
        "different\ttables/04_A.csv",
    ]


@pytest.mark.parametrize("spoil", ["", '"id"\n"a"\n'])
def test_of_damaged_estimates_nothing_is_made(outputs, tiny_upr, tmp_path, spoil):
    public = tmp_path / "published"
    shutil.copytree(outputs / "runs" / "tiny" / "public", public)
    estimates = public / "tables" / "estimates.csv"
    estimates.write_text(spoil or estimates.read_text().splitlines()[0] + "\n")
    done = tiny_upr("verify", public)
    assert done.returncode == 2
    assert done.stderr == f"{estimates} is damaged: take it as published.\n"


def test_what_is_no_run_is_refused(outputs, tiny_upr, tmp_path):
    for name, message in ((tmp_path, "neither run.json nor"), ("tin", "did you mean 'tiny'?")):
        done = tiny_upr("verify", name, "--outputs", outputs)
        assert done.returncode == 2
        assert message in done.stderr
