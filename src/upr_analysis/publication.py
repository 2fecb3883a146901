"""From a run's steps to the folder that may be published: pages, tables, figures, crate, gate."""

import itertools
import json
import shutil
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import nbformat

from upr_analysis.appendix import Link, Page, render_index, render_page
from upr_analysis.back_coding import SHEET
from upr_analysis.documents import label, notebook_cells
from upr_analysis.exports import read_export
from upr_analysis.gate import Secrets, inspect
from upr_analysis.overview import make_index
from upr_analysis.parameters import Parameters, literals
from upr_analysis.privacy import contact_strings
from upr_analysis.problems import InputError
from upr_analysis.provenance import WORKFLOW, crate_metadata, machine_key, workflow
from upr_analysis.questionnaire import read_questionnaire
from upr_analysis.staging import INJECTED
from upr_analysis.steps import BY_HAND, STEPS, notebooks, versions
from upr_analysis.store import Entry
from upr_analysis.words import say
from upr_analysis.workspace import Step, shown, write_csv

PAGE_TITLES: Final = {
    "01_ingest": "step.ingest",
    "02_clean": "step.clean",
    "03_thematic_coding": "step.coding",
    "04_cross_tabs": "step.cross_tabs",
    "05_figures": "step.figures",
}


class Publication:
    """A run's folder in the making: each step's page as soon as the step is done, then the rest."""

    def __init__(self, parameters: Parameters, root: Path) -> None:
        self._parameters = parameters
        self._root = root
        self._entries: dict[str, Entry] = {}
        self._pages: dict[str, str] = {}
        self._notebooks: dict[str, Any] = {}
        self._refused: list[str] = []

    def add_step(self, entry: Entry) -> None:
        """Render the page of a step from its outputs and from the notebook's prose of today."""
        self._entries[entry.step] = entry
        notebook = _as_shown(entry, notebooks(self._root)[entry.step])
        self._notebooks[entry.step] = notebook
        name = say(PAGE_TITLES[entry.step], self._parameters.language)
        page = Page(step=name, file=f"{entry.step}.html", **self._common)
        try:
            self._pages[page.file] = render_page(notebook, page)
        except InputError as error:
            self._refused += error.problems

    def write(self, work: Path, staged: Path, folder: Path) -> tuple[list[str], list[str]]:
        """Make the run's folder at `staged`, to stand at `folder`: `public/` and `private/`.

        `work` holds every step's results. Returns the gate's reasons for publishing nothing,
        `public/` then removed, and what a researcher should look at.
        """
        last = Step(STEPS[-1], self._parameters, (), self._root, work)
        folders = {step: entry.folder for step, entry in self._entries.items()}
        staged.mkdir(parents=True)
        private = _gather(folders, staged / "private", "private")
        write_csv(last.read("unknown_places"), private / "unknown_places.csv")
        write_csv(last.read("back_coding"), private / SHEET)
        public = staged / "public"
        if not self._refused:
            _gather(folders, public, "public")
            self._write_public(last, public)
            _set_modes(public, folders=0o755, files=0o644)
            banner = say("banner.invented.text", last.parameters.language) * (
                last.source == "invented"
            )
            found = inspect(public, self._expected(), _secrets(last), banner)
            self._refused += map(str, found)
        if self._refused:
            shutil.rmtree(public, ignore_errors=True)
            (private / "refused.txt").write_text("\n".join(self._refused) + "\n", encoding="utf-8")
        _set_modes(private, folders=0o700, files=0o600)
        staged.chmod(0o755)
        return self._refused, _notes(last, folder)

    def _write_public(self, last: Step, public: Path) -> None:
        _write_notebooks(self._notebooks, public / "notebooks")
        pages = public / "appendix"
        pages.mkdir(parents=True)
        for file, text in self._pages.items():
            (pages / file).write_text(text, encoding="utf-8")
        index = make_index(last, self._common)
        (pages / index.file).write_text(render_index(index), encoding="utf-8")
        (public / WORKFLOW).write_text(workflow(self._entries), encoding="utf-8")
        report = last.report
        metadata = crate_metadata(
            public,
            self._parameters,
            self._entries,
            title=self._common["title"],
            description=report.citation if report else label(last.questionnaire.about, "en"),
            invented=last.source == "invented",
            key=machine_key(),
        )
        (public / "ro-crate-metadata.json").write_text(metadata, encoding="utf-8")

    @cached_property
    def _common(self) -> dict[str, Any]:
        """What all pages share; known once the first step is done."""
        language = self._parameters.language
        first = self._entries[STEPS[0]].folder / "private" / "source.json"
        source = json.loads(first.read_text(encoding="utf-8"))["source"]
        consultation = self._root / "data" / self._parameters.consultation
        return {
            "title": label(read_questionnaire(consultation).title, language),
            "language": language,
            "banner": "invented" if source == "invented" else "none",
            "pages": (
                Link("index.html", say("step.index", language)),
                *(Link(f"{step}.html", say(PAGE_TITLES[step], language)) for step in STEPS),
            ),
            "provenance": _provenance(self._parameters, source),
        }

    def _expected(self) -> set[str]:
        published = {
            name.removeprefix("public/")
            for entry in self._entries.values()
            for name in entry.files
            if name.startswith("public/")
        }
        pages = {f"appendix/{file}" for file in (*self._pages, "index.html")}
        copies = {f"notebooks/{step}.ipynb" for step in STEPS}
        return published | pages | copies | {WORKFLOW, "ro-crate-metadata.json"}


def _notes(last: Step, folder: Path) -> list[str]:
    """Return what a researcher should look at: nothing of an answer, only how many and where."""
    unknown = last.read("unknown_places")
    sheet = last.read("back_coding")
    others = sheet.loc[sheet["option"] == "", "respondents"].sum()
    notes = []
    if len(unknown):
        notes.append(
            f"{int(unknown['respondents'].sum())} answers name places that were not understood: "
            f"see {folder / 'private' / 'unknown_places.csv'} and decide in places.yml."
        )
    if others:
        notes.append(
            f"{int(others)} answers in own words are counted as 'other': see "
            f"{folder / 'private' / SHEET}, write options beside them and put it into the "
            "consultation's folder."
        )
    return notes


def _gather(steps: Mapping[str, Path], target: Path, side: str) -> Path:
    """Copy what the steps wrote on one side into one folder."""
    target.mkdir(parents=True, exist_ok=True)
    for folder in steps.values():
        for path in sorted((folder / side).rglob("*")):
            if not path.is_file():
                continue
            name = path.relative_to(folder / side)
            if side == "private" and path.suffix == ".ipynb":
                name = Path("notebooks") / name
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / name)
    return target


def _set_modes(folder: Path, folders: int, files: int) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod(folders if path.is_dir() else files)


def _as_shown(entry: Entry, source: Path) -> Any:
    """Return a notebook as executed, its prose as it stands in `source` now.

    Without what differs between equal runs or names this machine: times, ids, the run's folder.
    """
    executed = nbformat.read(entry.folder / "private" / f"{entry.step}.ipynb", as_version=4)
    code = iter([cell for cell in executed.cells if cell.cell_type == "code"])
    cells: list[Any] = []
    for cell in notebook_cells(source):
        if cell["cell_type"] == "markdown":
            cells.append(nbformat.v4.new_markdown_cell(cell["source"]))
        if cell["cell_type"] == "code":  # a raw cell is a note, and goes nowhere
            cells += itertools.islice(code, 1 + ("parameters" in cell["metadata"].get("tags", [])))
    for number, cell in enumerate(cells):
        tags = cell.metadata.get("tags", [])
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        cell.id = f"cell-{number}"
        if INJECTED in tags:
            cell.source = "\n".join(map(_as_published, cell.source.splitlines()))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def _as_published(line: str) -> str:
    """Return an injected parameter without what names this machine."""
    name = line.partition(" = ")[0]
    if name == "work":
        return f'work = "{BY_HAND}"'
    if name == "export":
        return f"export = {json.dumps(shown(literals(line, name)[name]))}"
    return line


def _write_notebooks(pages: Mapping[str, Any], folder: Path) -> None:
    """Write the notebooks as run, without outputs."""
    folder.mkdir(parents=True, exist_ok=True)
    for step, notebook in pages.items():
        bare = nbformat.from_dict(notebook)
        for cell in bare.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        text = json.dumps(bare, indent=1, ensure_ascii=False, sort_keys=True)
        (folder / f"{step}.ipynb").write_text(text + "\n", encoding="utf-8")


def _provenance(parameters: Parameters, source: str) -> tuple[str, ...]:
    language = parameters.language
    return (
        say("provenance.run", language, name=parameters.name),
        say("provenance.date", language, date=parameters.date),
        say(f"provenance.export.{source}", language),
        " · ".join(f"{name} {number}" for name, number in versions().items()),
    )


def _secrets(last: Step) -> Secrets:
    """Collect what the gate looks for; the words of a public record are no secret."""
    public_record = last.questionnaire.source == "public_record"
    answers: list[str] = []
    if not public_record:
        answers = [*last.read("typed_open_responses")["text"], *last.read("free_texts")["text"]]
    export = read_export(last.export_files, last.questionnaire)
    contacts = [
        export.answers[question.name]
        for question in last.questionnaire.with_role("contact")
        if question.name in export.answers
    ]
    _, strings = contact_strings([*contacts, *export.personal])
    # not simulation.yml, whose sentences the invented answers are made of
    own_texts = [
        path.read_text(encoding="utf-8")
        for path in last.consultation.glob("*.yml")
        if path.name in {"questionnaire.yml", "codebook.yml", "report.yml"}
    ]
    # what a notebook shows of itself, not what it put out when someone saved it
    own_texts += [
        cell["source"] for path in notebooks(last.root).values() for cell in notebook_cells(path)
    ]
    own_texts += last.read("quotes")["text"].tolist()  # of those who agreed to it
    values = last.parameters.model_dump(exclude={"reason", "export"}).values()
    own_texts += [" ".join(versions()), *map(str, values)]
    paths = {str(last.root), str(Path.home()), str(last.work)}
    pseudonyms = last.read("typed_respondents")["respondent"]
    return Secrets.gather(answers, strings, own_texts, paths, pseudonyms)
