"""The project's own files agree with each other."""

import os
import re
import subprocess
import tomllib

import pytest
from conftest import ROOT

from upr_analysis import __version__
from upr_analysis.codebook import Codebook
from upr_analysis.documents import as_model, parse_yaml, read_yaml
from upr_analysis.questionnaire import Questionnaire

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


def names(requirements):
    return {
        re.split(r"[<>=!~ ;\[]", one)[0].lower().replace("_", "-").replace(".", "-")
        for one in requirements
    }


@pytest.mark.parametrize(
    ("lock", "extra"),
    [("requirements.lock", []), ("requirements-test.lock", EXTRAS["test"]),
     ("requirements-lab.lock", EXTRAS["lab"]), ("requirements-suggest.lock", EXTRAS["suggest"]),
     ("requirements-bench.lock", EXTRAS["bench"])],
)  # fmt: skip
def test_locks_hold_what_the_project_needs_with_hashes_and_no_address(lock, extra):
    text = (ROOT / lock).read_text(encoding="utf-8")
    pinned = names(re.findall(r"^([\w.-]+)==", text, re.MULTILINE))
    assert names(PROJECT["dependencies"]) | names(extra) | names(EXTRAS["build"]) <= pinned
    entries = re.findall(r"^[\w.-]+==.*?(?=^[\w.-]+==|\Z)", text, re.MULTILINE | re.DOTALL)
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in text


def test_conda_environment_holds_the_same_requirements():
    content = read_yaml(ROOT / "environment.yml")
    wanted = PROJECT["dependencies"] + EXTRAS["lab"] + EXTRAS["build"]
    assert {one.replace("flit-core", "flit_core") for one in content["dependencies"]} == {
        *wanted, f"python{PROJECT['requires-python']}", "pip",
    }  # fmt: skip


def test_version_and_licence_are_the_same_everywhere():
    citation = parse_yaml((ROOT / "CITATION.cff").read_text(encoding="utf-8"), "CITATION.cff")
    assert PROJECT["version"] == __version__ == citation["version"]
    assert PROJECT["license"] == citation["license"] == "MIT"
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_modules_import_one_way():
    """No import cycle: each module is followed through what it imports at its top."""
    folder = ROOT / "src" / "upr_analysis"
    imports = {
        path.stem: set(
            re.findall(r"^from upr_analysis\.(\w+) import", path.read_text(encoding="utf-8"), re.M)
        )
        for path in folder.glob("*.py")
    }

    def reached(module, seen):
        for one in imports.get(module, ()):
            if one not in seen:
                seen.add(one)
                reached(one, seen)
        return seen

    for module in imports:
        assert module not in reached(module, set()), module


def test_real_exports_are_ignored_by_git():
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    for path, ignored in (("data/upr-2021/export.csv", 1), ("data/mine/export.csv", 0),
                          ("data/mine/export.xlsx", 0), ("outputs/x", 0)):  # fmt: skip
        done = subprocess.run(["git", "check-ignore", "-q", path], cwd=ROOT, check=False)
        assert done.returncode == ignored, path


def test_readme_tells_the_commands_that_the_makefile_has():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    commands = set(re.findall(r"^make (\w+)", readme, re.MULTILINE))
    assert {"appendix", "test", "lab"} <= commands
    for command in commands:
        assert re.search(rf"^{command}:", makefile, re.MULTILINE), command
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for path in re.findall(r"\]\(([^)#:]+)\)", readme):
        assert os.path.exists(ROOT / path), path


def test_examples_of_the_guide_are_a_questionnaire_and_a_codebook():
    guide = (ROOT / "docs" / "adding-a-consultation.md").read_text(encoding="utf-8")
    first, second = re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)
    assert as_model(parse_yaml(first, "guide"), Questionnaire, "guide").closed_questions
    assert as_model(parse_yaml(second, "guide"), Codebook, "guide").codes


def test_python_is_parsed_in_one_place():
    """CPython 3.11 fails where two threads parse to a tree at once: one place, one lock."""
    parsing = re.compile(r"\bast\.(parse|literal_eval)\(")
    found = {
        (path.stem, match[1])
        for path in (ROOT / "src" / "upr_analysis").glob("*.py")
        for match in parsing.finditer(path.read_text(encoding="utf-8"))
    }
    # what `parameters` evaluates is a tree already
    assert found == {("documents", "parse"), ("parameters", "literal_eval")}
