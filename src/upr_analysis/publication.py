"""From a run's steps to the folder that may be published: pages, tables, figures, crate, gate."""

import ast
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import nbformat

from upr_analysis.appendix import Link, Page, render_index, render_page
from upr_analysis.documents import label
from upr_analysis.exports import read_export
from upr_analysis.gate import Secrets, inspect
from upr_analysis.overview import make_index
from upr_analysis.privacy import contact_strings
from upr_analysis.provenance import crate_metadata, versions
from upr_analysis.words import say
from upr_analysis.workspace import BY_HAND, STEPS, Step, shown

PAGE_TITLES: Final = {
    "01_ingest": "step.ingest",
    "02_clean": "step.clean",
    "03_thematic_coding": "step.coding",
    "04_cross_tabs": "step.cross_tabs",
    "05_figures": "step.figures",
}


class Refused(Exception):
    """The gate's reasons for publishing nothing."""

    def __init__(self, reasons: tuple[str, ...]) -> None:
        self.reasons = reasons
        super().__init__("\n".join(reasons))


def publish_run(last: Step, steps: Mapping[str, Path], staged: Path) -> None:
    """Make the run's folder at `staged`: `public/` if the gate lets it pass, and `private/`.

    `last` sees every table of the run; `steps` are the steps' folders in the store. Raises Refused,
    `public/` removed, where something in it could harm anyone.
    """
    staged.mkdir(parents=True)
    private = _gather(steps, staged / "private", "private")
    last.read("unknown_places").to_csv(private / "unknown_places.csv", index=False)
    _set_modes(private, folders=0o700, files=0o600)
    public = staged / "public"
    _gather(steps, public, "public")
    pages = _pages(steps)
    _write_notebooks(pages, public / "notebooks")
    _write_appendix(last, pages, public / "appendix")
    report = last.report
    metadata = crate_metadata(
        public,
        last.parameters,
        title=label(last.questionnaire.title, last.parameters.language),
        description=report.citation if report else label(last.questionnaire.about, "en"),
        invented=last.source == "invented",
        software=versions(),
    )
    (public / "ro-crate-metadata.json").write_text(metadata, encoding="utf-8")
    _set_modes(public, folders=0o755, files=0o644)
    staged.chmod(0o755)
    expected = _expected(steps)
    refusals = inspect(public, expected, _secrets(last))
    if refusals:
        shutil.rmtree(public)
        reasons = tuple(map(str, refusals))
        (private / "refused.txt").write_text("\n".join(reasons) + "\n", encoding="utf-8")
        raise Refused(reasons)


def _gather(steps: Mapping[str, Path], target: Path, side: str) -> Path:
    """Copy what the steps wrote on one side into one folder."""
    target.mkdir(parents=True, exist_ok=True)
    for folder in steps.values():
        for path in sorted((folder / side).rglob("*")):
            if not path.is_file() or ".ipython" in path.parts:
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


def _pages(steps: Mapping[str, Path]) -> dict[str, Any]:
    """Read the executed notebooks, without what differs between equal runs or names this machine.

    The injected folder of the run becomes the default one.
    """
    pages = {}
    for step, folder in steps.items():
        path = folder / "private" / f"{step}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        notebook.metadata = nbformat.from_dict(
            {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        )
        for number, cell in enumerate(notebook.cells):
            tags = cell.metadata.get("tags", [])
            cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
            cell.id = f"cell-{number}"
            if "injected-parameters" in tags:
                cell.source = "\n".join(map(_as_published, cell.source.splitlines()))
        pages[step] = notebook
    return pages


def _as_published(line: str) -> str:
    """Return an injected parameter without what names this machine."""
    name, _, value = line.partition(" = ")
    if name == "work":
        return f'work = "{BY_HAND}"'
    if name == "export":
        return f"export = {json.dumps(shown(ast.literal_eval(value)))}"
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


def _write_appendix(last: Step, notebooks: Mapping[str, Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    language = last.parameters.language
    links = (
        Link("index.html", say("step.index", language)),
        *(Link(f"{step}.html", say(PAGE_TITLES[step], language)) for step in STEPS),
    )
    common: dict[str, Any] = {
        "title": label(last.questionnaire.title, language),
        "language": language,
        "banner": "invented" if last.source == "invented" else "none",
        "pages": links,
        "provenance": _provenance(last),
    }
    for step, notebook in notebooks.items():
        page = Page(step=say(PAGE_TITLES[step], language), file=f"{step}.html", **common)
        text = render_page(notebook, page)
        (folder / page.file).write_text(text, encoding="utf-8")
    index = make_index(last, common)
    (folder / "index.html").write_text(render_index(index), encoding="utf-8")


def _provenance(last: Step) -> tuple[str, ...]:
    language = last.parameters.language
    software = versions()
    return (
        say("provenance.run", language, name=last.parameters.name),
        say("provenance.date", language, date=last.parameters.date),
        say(f"provenance.export.{last.source}", language),
        " · ".join(f"{name} {number}" for name, number in software.items()),
    )


def _expected(steps: Mapping[str, Path]) -> set[str]:
    published = {
        path.relative_to(folder / "public").as_posix()
        for folder in steps.values()
        for path in (folder / "public").rglob("*")
        if path.is_file()
    }
    pages = {f"appendix/{step}.html" for step in STEPS} | {"appendix/index.html"}
    notebooks = {f"notebooks/{step}.ipynb" for step in STEPS}
    return published | pages | notebooks | {"ro-crate-metadata.json"}


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
    own_texts += [
        path.read_text(encoding="utf-8") for path in (last.root / "notebooks").glob("*.ipynb")
    ]
    paths = {str(last.root), str(Path.home()), str(last.work)}
    return Secrets.gather(answers, strings, own_texts, paths)
