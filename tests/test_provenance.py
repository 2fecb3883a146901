"""The crate of a small invented run: whole, true to its profile, and silent on what is private."""

import fnmatch
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

from upr_analysis import provenance
from upr_analysis.parameters import Parameters
from upr_analysis.problems import InputError
from upr_analysis.provenance import WORKFLOW, crate_metadata, machine_key, workflow
from upr_analysis.steps import INPUTS, READS, STEPS
from upr_analysis.store import Entry
from upr_analysis.workspace import TABLES

KEY = bytes(range(32))
PARAMETERS = Parameters(
    export="/home/anna/Answers of the prisoners.xlsx", reason="for Anna", seed=0, minimum_cell=0,
    deduplicate=False,
)  # fmt: skip
PUBLIC = {
    "04_cross_tabs": ["tables/estimates.csv", "tables/04_Q1 & Q2.csv"],
    "05_figures": ["figures/05_Q1.svg", "figures/05_Q1.png"],
}
MADE = [name for names in PUBLIC.values() for name in names]
PAGES = ["appendix/index.html", *(f"appendix/{step}.html" for step in STEPS)]
SET_BY = {"01_ingest": ["export", "seed"], "04_cross_tabs": ["minimum_cell", "seed"]}
SOFTWARE = {"SoftwareApplication", "SoftwareSourceCode", "ComputationalWorkflow"}
# What the profile and those that it builds on require: of a type, a property, what it leads to.
RULES = [
    ("ComputationalWorkflow", "hasPart", SOFTWARE),
    ("ComputationalWorkflow", "step", {"HowToStep"}),
    ("ComputationalWorkflow", "input", {"FormalParameter"}),
    ("ComputationalWorkflow", "programmingLanguage", {"ComputerLanguage"}),
    ("HowToStep", "workExample", SOFTWARE),
    ("ControlAction", "instrument", {"HowToStep"}),
    ("ControlAction", "object", {"CreateAction"}),
    ("OrganizeAction", "instrument", SOFTWARE),
    ("OrganizeAction", "object", {"ControlAction"}),
    ("OrganizeAction", "result", {"CreateAction"}),
    ("CreateAction", "instrument", SOFTWARE),
    ("FormalParameter", "workExample", {"PropertyValue"}),
    ("PropertyValue", "exampleOfWork", {"FormalParameter"}),
]


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def entry(step: str) -> Entry:
    private = [f"private/{name}.parquet" for name in TABLES if TABLES[name].step == step]
    private += [name.partition("/")[2] for names in INPUTS.values() for name in names
                if name.startswith(f"{step}/private/")]  # fmt: skip
    files = [*private, f"private/{step}.ipynb", *(f"public/{one}" for one in PUBLIC.get(step, []))]
    depends = {
        "parameters": dict.fromkeys(SET_BY.get(step, ["language"])),
        "inputs": {name: sha256(name) for name in INPUTS[step]},
        "consultation": {name: sha256(name) for name in READS[step]},
    }
    if step == STEPS[0]:
        depends["export"] = {"1": sha256("answers"), "2": sha256("more answers")}
    return Entry("key", step, Path(), {name: sha256(f"{step}/{name}") for name in files}, depends)


ENTRIES = {step: entry(step) for step in STEPS}


@pytest.fixture(scope="module")
def public(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "public"
    names = [*MADE, *PAGES, *(f"notebooks/{step}.ipynb" for step in STEPS)]
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name, encoding="utf-8")
    (folder / WORKFLOW).write_text(workflow(ENTRIES), encoding="utf-8")
    return folder


def crate_of(public, entries=ENTRIES, parameters=PARAMETERS, invented=True, key=KEY):
    return crate_metadata(
        public, parameters, entries, title="Small", description="Made for the tests.",
        invented=invented, key=key,
    )  # fmt: skip


@pytest.fixture(scope="module")
def graph(public):
    return by_id(crate_of(public))


def by_id(text):
    entities = json.loads(text)["@graph"]
    found = {entity["@id"]: entity for entity in entities}
    assert len(found) == len(entities)
    return found


def types(entity):
    return {entity["@type"]} if isinstance(entity["@type"], str) else set(entity["@type"])


def ids(value):
    """Return what a property leads to."""
    values = value if isinstance(value, list) else [value]
    return [one["@id"] for one in values if isinstance(one, dict)]


def test_same_run_gives_the_same_bytes_wherever_and_in_whatever_order(public, tmp_path):
    shutil.copytree(public, tmp_path / "elsewhere")
    reverse = dict(reversed(ENTRIES.items()))
    assert crate_of(public) == crate_of(tmp_path / "elsewhere", reverse)


def test_nothing_in_it_is_drawn_at_random_or_read_from_a_clock(public):
    text = crate_of(public)
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-", text)
    assert set(re.findall(r"\d{4}-\d\d-\d\d(?:T[\d:]*)?", text)) == {PARAMETERS.date}


def test_every_published_file_is_in_it_once_with_its_hash(public, graph):
    files = {unquote(name): one for name, one in graph.items() if "File" in types(one)}
    on_disk = {path.relative_to(public).as_posix(): path for path in public.rglob("*.*")}
    assert files.keys() == on_disk.keys()
    assert sorted(map(unquote, ids(graph["./"]["hasPart"]))) == sorted(on_disk)
    for name, path in on_disk.items():
        assert files[name]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert int(files[name]["contentSize"]) == path.stat().st_size


def test_no_link_leads_nowhere(graph):
    links = {link for entity in graph.values() for value in entity.values() for link in ids(value)}
    outside = {link for link in links - graph.keys() if not link.startswith("https://")}
    assert outside == set()
    assert "https://w3id.org/ro/wfrun/provenance/0.5" in graph


def test_each_output_is_of_the_step_that_made_it(graph):
    def made(action):
        return {unquote(one) for one in ids(graph[action]["result"]) if one[0] != "#"}

    assert made("#run-04_cross_tabs") == set(PUBLIC["04_cross_tabs"])
    assert made("#run-05_figures") == set(PUBLIC["05_figures"])
    assert made("#rendering") == set(PAGES)
    assert made("#run") == {*MADE, *PAGES}


def test_a_step_has_what_it_was_set_by_and_read_of_others(graph):
    assert set(ids(graph["#run-01_ingest"]["object"])) == {
        "#value-export", "#value-seed", "#input-export-1", "#input-export-2",
        "#consultation-questionnaire.yml", "#consultation-invented.sha256",
    }  # fmt: skip
    assert "#private-02_clean-respondents" in ids(graph["#run-02_clean"]["result"])
    assert "#private-02_clean-respondents" in ids(graph["#run-04_cross_tabs"]["object"])
    assert "tables/estimates.csv" in ids(graph["#run-05_figures"]["object"])
    assert [graph[f"#step-{step}"]["position"] for step in STEPS] == [1, 2, 3, 4, 5]


def test_values_that_are_nothing_are_there(public, graph):
    values = {name: graph[f"#value-{name}"]["value"] for name in ("seed", "minimum_cell")}
    assert values == {"seed": 0, "minimum_cell": 0}
    assert graph["#value-deduplicate"]["value"] is False
    assert graph["#value-figures"]["value"] == ""
    assert graph["#parameter-export"]["defaultValue"] == ""
    plain = by_id(crate_of(public, parameters=Parameters()))
    assert plain["#value-export"]["value"] == ""
    assert plain["#value-group_by"]["value"] == "region, stakeholder"


def test_every_parameter_but_the_reason_has_its_meaning_and_its_default(graph):
    fields = Parameters.model_fields
    names = {name.removeprefix("#value-") for name in graph if name.startswith("#value-")}
    assert names == fields.keys() - {"reason"}
    for name in names:
        assert graph[f"#parameter-{name}"]["description"] == fields[name].description
        assert graph[f"#parameter-{name}"]["defaultValue"] is not None


def test_no_private_name_path_or_digest_is_in_it(public):
    text = crate_of(public)
    private = [digest for one in ENTRIES.values() for name, digest in one.files.items()
               if name.startswith("private/")]  # fmt: skip
    private += [sha256(text) for text in ("answers", "more answers", "places.yml")]
    for secret in ("anna", "Anna", "prisoners", str(public.parent), str(Path.home()), *private):
        assert secret not in text


def test_what_is_private_has_a_keyed_hash_and_no_size(public, graph):
    private = {name: one for name, one in graph.items() if name.startswith(("#input", "#private"))}
    # the export, places, margins, back-coding, hashes of invented data, three files of coding
    assert len(private) == 8 + len({n for names in INPUTS.values() for n in names if "/pri" in n})
    other = by_id(crate_of(public, key=bytes(32)))
    for name, entity in private.items():
        assert entity.keys() == {"@id", "@type", "name", "description", "identifier"}
        assert entity["identifier"] != other[name]["identifier"]
    assert graph["#input-export-1"]["identifier"] == f"hmac-sha256:{hmac(sha256('answers'))}"


def hmac(message):
    """RFC 2104, section 2, for a key no longer than a block."""
    block = KEY.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(one ^ 0x36 for one in block) + message.encode())
    return hashlib.sha256(bytes(one ^ 0x5C for one in block) + inner.digest()).hexdigest()


def test_invented_answers_are_said_to_be_so(public, graph):
    assert graph["./"]["name"] == "Small - INVENTED DATA"
    assert "invented data" in graph["./"]["keywords"]
    assert "invented" in graph["#input-export-1"]["name"]
    real = by_id(crate_of(public, invented=False))
    assert "invented" not in json.dumps([real["./"], real["#input-export-1"]]).lower()


def test_the_workflow_has_the_steps_in_order_and_each_reads_what_one_before_wrote():
    steps = json.loads(workflow(dict(reversed(ENTRIES.items()))))["steps"]
    assert [one["step"] for one in steps] == list(STEPS)
    assert steps[0]["parameters"] == ["export", "seed"]
    assert "export" in steps[0]["reads"]
    written = set()
    for one in steps:
        read = {name for name in one["reads"] if "/" in name}
        assert read == {name for name in read if any(fnmatch.fnmatch(name, w) for w in written)}
        written |= {f"{one['step']}/{name}" for name in one["writes"]}


@pytest.mark.parametrize(("kind", "name", "wanted"), RULES)
def test_the_profile_s_requirements_hold(graph, kind, name, wanted):
    entities = [one for one in graph.values() if kind in types(one)]
    assert entities
    for one in entities:
        found = ids(one[name])
        assert found
        assert all(types(graph[link]) & wanted for link in found)


def test_the_crate_declares_its_profiles_and_its_workflow_was_run(public, graph):
    assert json.loads(crate_of(public))["@context"][0] == "https://w3id.org/ro/crate/1.1/context"
    assert set(ids(graph["ro-crate-metadata.json"]["conformsTo"])) == {
        "https://w3id.org/ro/crate/1.1", "https://w3id.org/workflowhub/workflow-ro-crate/1.0",
    }  # fmt: skip
    assert set(ids(graph["./"]["conformsTo"])) == set(provenance.PROFILES)
    flow = graph[graph["./"]["mainEntity"]["@id"]]
    assert types(flow) == {"File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"}
    used = {link for one in graph.values() if "CreateAction" in types(one)
            for link in ids(one["instrument"])}  # fmt: skip
    assert {flow["@id"], *ids(flow["hasPart"])} <= used


def problems(folder):
    """Return what roc-validator finds wrong, which meets the network nowhere."""
    pytest.importorskip("rocrate_validator", reason="roc-validator is not installed")
    import requests
    from requests.adapters import BaseAdapter
    from rocrate.vocabs import RO_CRATE
    from rocrate_validator.models import ValidationSettings
    from rocrate_validator.services import validate
    from rocrate_validator.utils.http import HttpRequester

    # rocrate's context is that of RO-Crate 1.3; these are the terms that had other names in 1.1
    names = {"ComputationalWorkflow": "", "input": "#input", "output": "#output"}
    terms = {term: f"https://bioschemas.org/ComputationalWorkflow{end}"
             for term, end in names.items()}  # fmt: skip
    terms["FormalParameter"] = "https://bioschemas.org/FormalParameter"
    context = json.dumps({"@context": RO_CRATE["@context"] | terms})

    class Copy(BaseAdapter):
        def close(self):
            pass

        def send(self, request, **_):
            assert request.url == "https://w3id.org/ro/crate/1.1/context"
            answer = requests.Response()
            answer.status_code, answer.url, answer.request = 200, request.url, request
            answer.headers["Content-Type"] = "application/ld+json"
            answer._content = context.encode()
            return answer

    settings = ValidationSettings(
        rocrate_uri=str(folder), profile_identifier="provenance-run-crate", no_cache=True
    )
    for scheme in ("https://", "http://"):
        HttpRequester().session.mount(scheme, Copy())
    result = validate(settings)
    assert len({check.requirement.profile.identifier for check in result.executed_checks}) == 5
    assert not result.skipped_checks
    return [issue.message for issue in result.get_issues()]


def test_roc_validator_finds_all_that_is_required(public, tmp_path):
    shutil.copytree(public, tmp_path / "crate")
    path = tmp_path / "crate" / "ro-crate-metadata.json"
    path.write_text(crate_of(public), encoding="utf-8")
    assert problems(path.parent) == []
    broken = json.loads(path.read_text(encoding="utf-8"))
    for one in broken["@graph"]:
        one.pop("workExample", None) if one["@type"] == "HowToStep" else None
    path.write_text(json.dumps(broken), encoding="utf-8")
    assert len(problems(path.parent)) == len(STEPS)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.delenv(provenance.KEY_VARIABLE, raising=False)
    monkeypatch.setattr(provenance, "user_data_path", lambda name: tmp_path / "data" / name)
    return tmp_path / "data" / "upr_analysis"


def test_the_key_is_made_once_for_its_owner_alone(home):
    key = machine_key()
    assert len(set(key)) > 8
    assert machine_key() == key
    path = home / "provenance.key"
    assert path.read_text(encoding="utf-8") == key.hex()
    if os.name != "nt":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {one.name for one in home.iterdir()} <= {path.name, "provenance.lock"}


def test_processes_that_start_at_once_have_one_key(tmp_path):
    code = "from upr_analysis.provenance import machine_key; print(machine_key().hex())"
    where = {"XDG_DATA_HOME": str(tmp_path), "HOME": str(tmp_path)}
    clean = {name: value for name, value in os.environ.items() if name != provenance.KEY_VARIABLE}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=clean | where
        )
        for _ in range(4)
    ]
    keys = {one.communicate()[0].strip() for one in started}
    assert len(keys) == 1
    assert len(keys.pop()) == 64


def test_a_key_that_is_given_goes_first_and_makes_none(home, monkeypatch):
    monkeypatch.setenv(provenance.KEY_VARIABLE, KEY.hex())
    assert machine_key() == KEY
    assert not home.exists()


@pytest.mark.parametrize("text", ["no key", "ab", KEY.hex() + "00"])
def test_what_is_no_key_is_named(home, monkeypatch, text):
    home.mkdir(parents=True)
    (home / "provenance.key").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"provenance.key holds no key: give it 64 hex"):
        machine_key()
    monkeypatch.setenv(provenance.KEY_VARIABLE, text)
    with pytest.raises(InputError, match=r"^UPR_PROVENANCE_KEY holds no key"):
        machine_key()


def test_where_no_key_can_be_kept_the_variable_is_named(home):
    home.parent.write_text("a file where a folder should be", encoding="utf-8")
    with pytest.raises(InputError, match=r"cannot be kept .* set UPR_PROVENANCE_KEY"):
        machine_key()
