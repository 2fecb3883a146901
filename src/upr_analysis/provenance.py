"""Where a run comes from: a Provenance Run Crate for whoever gets what it published.

An RO-Crate 1.1 of the profile https://w3id.org/ro/wfrun/provenance/0.5. What is private is in it
by a keyed hash alone: who has the key can show which file it was, and nobody else can try files.
"""

import hmac
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Final

from filelock import FileLock
from platformdirs import user_data_path
from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

from upr_analysis.parameters import REQUIRED, Parameters, meaning
from upr_analysis.problems import InputError
from upr_analysis.steps import INPUTS, READS, WRITES, file_digest, versions
from upr_analysis.store import Entry
from upr_analysis.workspace import TABLES, shown

WORKFLOW: Final = "notebooks/workflow.json"  # under public/, as all names of published files here
KEY_VARIABLE: Final = "UPR_PROVENANCE_KEY"
KEY_BYTES: Final = 32
PROFILES: Final = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/ro/wfrun/provenance/0.5": "Provenance Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
# A term that the profile has and RO-Crate 1.1 has not.
TERMS: Final = {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}
MEDIA: Final = {
    ".html": "text/html",
    ".csv": "text/csv",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ipynb": "application/x-ipynb+json",
    ".json": "application/json",
}
KINDS: Final = {bool: "Boolean", int: "Integer"}  # of parameters; the others are Text
# What is public of a consultation; its other files repeat what somebody wrote.
OPEN: Final = frozenset({"questionnaire.yml", "codebook.yml", "report.yml", "invented.sha256"})
BETWEEN: Final = frozenset(name for names in INPUTS.values() for name in names)


def workflow(entries: Mapping[str, Entry]) -> str:
    """Return WORKFLOW's text: the steps in order, what each is set by, reads and writes."""
    steps = [
        {
            "step": step,
            "notebook": f"{step}.ipynb",
            "parameters": list(entry.depends["parameters"]),
            "reads": [*sorted(entry.depends.keys() & {"export"} | READS[step]), *INPUTS[step]],
            "writes": [
                *(f"private/{name}.parquet" for name in TABLES if TABLES[name].step == step),
                *WRITES.get(step, {}),
            ],
        }
        for step, entry in sorted(entries.items())
    ]
    return json.dumps({"steps": steps}, indent=1) + "\n"


def crate_metadata(
    public: Path,
    parameters: Parameters,
    entries: Mapping[str, Entry],
    *,
    title: str,
    description: str,
    invented: bool,
    key: bytes,
) -> str:
    """Return `ro-crate-metadata.json` for the files under `public`, the same for the same run.

    WORKFLOW is one of them. `entries` are the store's, by step; `key` is for the hashes of private
    files. The date of publication is the parameter `date`.
    """
    crate = ROCrate(version="1.1")
    _add_profiles(crate)
    crate.name = f"{title} - INVENTED DATA" if invented else title
    crate.description = description
    crate.keywords = ["stakeholder consultation", *(["invented data"] if invented else [])]
    crate.root_dataset["datePublished"] = parameters.date
    known = _add_files(crate, public)
    runner = _add_software(crate)
    given = _add_parameters(crate, parameters) | _add_inputs(crate, entries, invented, key)
    known |= given
    known |= _outputs(crate, entries, known, key)
    for place, step in enumerate(sorted(entries), 1):
        _add_step(crate, place, entries[step], known)
    _add_run(crate, f"run {parameters.name}", list(given.values()), runner)
    return _sorted_json(crate.metadata.generate())


def _add(crate: ROCrate, identifier: str, kind: str, /, **properties: Any) -> Any:
    """Add an entity that is no file."""
    return crate.add(ContextEntity(crate, identifier, {"@type": kind, **properties}))


def _add_profiles(crate: ROCrate) -> None:
    licence = "https://spdx.org/licenses/MIT"
    crate.license = _add(crate, licence, "CreativeWork", name="MIT License", identifier="MIT")
    crate.metadata.extra_terms.update(TERMS)
    crate.metadata["conformsTo"] = [{"@id": crate.metadata.profile}, {"@id": list(PROFILES)[-1]}]
    crate.root_dataset["conformsTo"] = [
        _add(crate, url, "CreativeWork", name=name, version=url.rpartition("/")[2])
        for url, name in PROFILES.items()
    ]


def _add_files(crate: ROCrate, public: Path) -> dict[str, Any]:
    """Add what is published, by its name there; notebooks and the workflow are programs too."""
    files = {}
    for path in sorted(path for path in public.rglob("*") if path.is_file()):
        name = path.relative_to(public).as_posix()
        types = ["File", *(["SoftwareSourceCode"] if name.startswith("notebooks/") else [])]
        properties = {
            "@type": [*types, "ComputationalWorkflow", "HowTo"] if name == WORKFLOW else types,
            "name": name,
            "encodingFormat": MEDIA.get(path.suffix, "application/octet-stream"),
            "contentSize": str(path.stat().st_size),
            "sha256": file_digest(path),
        }
        files[name] = crate.add_file(path, name, properties=properties)
    crate.mainEntity = files[WORKFLOW]
    return files


def _add_software(crate: ROCrate) -> Any:
    """Add what the workflow was run with; return the runner."""
    kind = "SoftwareApplication"
    software = {
        name: _add(crate, f"#software-{name}", kind, name=name, softwareVersion=number)
        for name, number in versions().items()
    }
    python = {"name": "Python", "version": software["python"]["softwareVersion"]}
    flow = crate.mainEntity
    flow["softwareRequirements"] = list(software.values())
    flow["programmingLanguage"] = _add(crate, "https://python.org/", "ComputerLanguage", **python)
    flow["version"] = software["upr_analysis"]["softwareVersion"]
    return software["upr_analysis"]


def _add_parameters(crate: ROCrate, parameters: Parameters) -> dict[str, Any]:
    """Add what may be set and what was; return the values by name.

    The reason is the researcher's own, and where the export lies is this machine's.
    """
    values = {}
    for name, field in type(parameters).model_fields.items():
        value = getattr(parameters, name)
        if name == "reason":
            continue
        slot = crate.add_formal_parameter(
            name,
            KINDS.get(type(value), "Text"),
            identifier=f"#parameter-{name}",
            description=meaning(name),
            valueRequired=name in REQUIRED,
        )
        slot["defaultValue"] = _plain(field.default)  # which rocrate drops if 0, False or ""
        value = "not published" if name == "export" and value else _plain(value)
        values[name] = _add(crate, f"#value-{name}", "PropertyValue", name=name, value=value)
        values[name]["exampleOfWork"], slot["workExample"] = slot, values[name]
    crate.mainEntity["input"] = [value["exampleOfWork"] for value in values.values()]
    return values


def _plain(value: object) -> object:
    """Return a value that JSON-LD keeps: to it an empty list is no value at all."""
    return shown(value) if isinstance(value, tuple) else value


def _add_inputs(
    crate: ROCrate, entries: Mapping[str, Entry], invented: bool, key: bytes
) -> dict[str, Any]:
    """Add what the steps read and none of them made: the export, the consultation's files."""
    status = "invented answers" if invented else "answers to the survey"
    inputs = {}
    for entry in entries.values():
        for place, digest in entry.depends.get("export", {}).items():
            name = f"export-{place}"
            inputs[name] = _add_private(crate, f"#input-{name}", f"{name}: {status}", digest, key)
        for name, digest in entry.depends["consultation"].items():
            inputs[name] = (
                _add(crate, f"#consultation-{name}", "CreativeWork", name=name, sha256=digest)
                if name in OPEN
                else _add_private(crate, f"#input-{name}", name, digest, key)
            )
    return inputs


def _outputs(
    crate: ROCrate, entries: Mapping[str, Entry], files: Mapping[str, Any], key: bytes
) -> dict[str, Any]:
    """Return what steps made, by path as others read it; add what is private and read by others."""
    made = {}
    for entry in entries.values():
        for path, digest in entry.outputs.items():
            step, side, name = path.split("/", 2)
            table = name.partition(".")[0]
            if side == "public":
                made[path] = files[name]
            elif path in BETWEEN:
                identifier = f"#private-{step}-{table}"
                made[path] = _add_private(crate, identifier, f"{table} of {step}", digest, key)
    return made


def _add_private(crate: ROCrate, identifier: str, name: str, digest: str, key: bytes) -> Any:
    keyed = f"hmac-sha256:{hmac.digest(key, digest.encode(), 'sha256').hex()}"
    about = "not published: a keyed hash of its SHA-256, whose key the run keeps"
    return _add(crate, identifier, "CreativeWork", name=name, description=about, identifier=keyed)


def _add_step(crate: ROCrate, place: int, entry: Entry, known: Mapping[str, Any]) -> None:
    """Add a step of the workflow, that it was started, and its run."""
    name, depends = entry.step, entry.depends
    notebook = known[f"notebooks/{name}.ipynb"]
    set_by = [known[one] for one in depends["parameters"]]
    notebook["input"] = [value["exampleOfWork"] for value in set_by]
    step = _add(crate, f"#step-{name}", "HowToStep", name=name, position=place)
    step["workExample"] = notebook
    crate.mainEntity.append_to("hasPart", notebook)
    crate.mainEntity.append_to("step", step)
    exports = [f"export-{number}" for number in depends.get("export", {})]
    read = [known[one] for one in (*exports, *depends["consultation"], *depends["inputs"])]
    made = [known[path] for path in entry.outputs if path in known]
    about = {"name": f"run of {name}"}
    action = crate.add_action(notebook, f"#run-{name}", [*set_by, *read], made, about)
    start = _add(crate, f"#start-{name}", "ControlAction", name=f"start of {name}", object=action)
    start["instrument"] = step
    crate.root_dataset.append_to("mentions", action)


def _add_run(crate: ROCrate, name: str, given: list[Any], runner: Any) -> None:
    """Add the run as a whole, what rendered its pages, and what organized it."""
    programs = crate.get_by_type("SoftwareSourceCode")
    made = [file for file in crate.get_by_type("File") if file not in programs]
    pages = [file for file in made if file.id.startswith("appendix/")]
    run = crate.add_action(crate.mainEntity, "#run", given, made, {"name": name})
    about = {"name": "rendering of the pages"}
    rendering = crate.add_action(runner, "#rendering", programs, pages, about)
    organized = _add(crate, "#organization", "OrganizeAction", name="upr run", instrument=runner)
    organized["object"], organized["result"] = crate.get_by_type("ControlAction"), run
    crate.root_dataset.append_to("mentions", [run, rendering, organized])


def _sorted_json(content: Any) -> str:
    content["@graph"] = sorted(content["@graph"], key=lambda entity: str(entity["@id"]))
    for entity in content["@graph"]:
        for name, value in entity.items():
            if isinstance(value, list) and all(isinstance(one, dict) for one in value):
                ordered = sorted(value, key=lambda one: str(one["@id"]))
                entity[name] = ordered if len(ordered) > 1 else ordered[0]
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def machine_key() -> bytes:
    """Return the key for hashes of private files: KEY_VARIABLE's, or this user's own.

    The user's own is made at the first call. InputError where it is none, or cannot be kept.
    """
    given = os.environ.get(KEY_VARIABLE)
    path = user_data_path("upr_analysis") / "provenance.key"
    try:
        key = bytes.fromhex(given or _kept(path))
    except OSError as error:
        raise InputError(
            f"{path} cannot be kept ({error.strerror}): set {KEY_VARIABLE} to {2 * KEY_BYTES} "
            "hexadecimal digits of your own."
        ) from error
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        where = KEY_VARIABLE if given else path
        raise InputError(f"{where} holds no key: give it {2 * KEY_BYTES} hexadecimal digits.")
    return key


def _kept(path: Path) -> str:
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            if not path.exists():  # not made by another process meanwhile
                with NamedTemporaryFile("w", dir=path.parent, delete=False) as new:  # mode 0600
                    new.write(secrets.token_hex(KEY_BYTES))
                Path(new.name).replace(path)
    return path.read_text(encoding="utf-8")
