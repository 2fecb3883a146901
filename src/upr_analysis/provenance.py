"""Where a run comes from: its versions, and an RO-Crate for whoever publishes it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

from upr_analysis.parameters import Parameters, meaning
from upr_analysis.workspace import shown

MEDIA: Final = {
    ".html": "text/html",
    ".csv": "text/csv",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ipynb": "application/x-ipynb+json",
}


def crate_metadata(
    public: Path,
    parameters: Parameters,
    title: str,
    description: str,
    invented: bool,
    software: Mapping[str, str],
) -> str:
    """Return `ro-crate-metadata.json` for the files under `public`, the same for the same run.

    Private inputs are not named. The date of publication is the parameter `date`.
    """
    crate = ROCrate()
    crate.name = f"{title} - INVENTED DATA" if invented else title
    crate.description = description
    crate.root_dataset["datePublished"] = parameters.date
    crate.license = "https://spdx.org/licenses/MIT"
    crate.keywords = ["stakeholder consultation", *(["invented data"] if invented else [])]
    for path in sorted(path for path in public.rglob("*") if path.is_file()):
        name = path.relative_to(public).as_posix()
        crate.add_file(
            path,
            dest_path=name,
            properties={
                "encodingFormat": MEDIA.get(path.suffix, "application/octet-stream"),
                "contentSize": str(path.stat().st_size),
            },
        )
    values = [
        ContextEntity(
            crate,
            f"#parameter-{name}",
            {
                "@type": "PropertyValue",
                "name": name,
                "value": shown(getattr(parameters, name)),
                "description": meaning(name),
            },
        )
        for name in type(parameters).model_fields
        if name != "reason"
    ]
    tools = [
        ContextEntity(
            crate,
            f"#software-{name}",
            {"@type": "SoftwareApplication", "name": name, "softwareVersion": number},
        )
        for name, number in software.items()
    ]
    action = ContextEntity(
        crate,
        "#run",
        {"@type": "CreateAction", "name": f"run {parameters.name}"},
    )
    crate.add(*values, *tools, action)
    action["object"] = values
    action["instrument"] = tools
    crate.root_dataset["mentions"] = action
    return _sorted_json(crate.metadata.generate())


def _sorted_json(content: Any) -> str:
    content["@graph"] = sorted(content["@graph"], key=lambda entity: str(entity["@id"]))
    for entity in content["@graph"]:
        for name, value in entity.items():
            if isinstance(value, list) and all(isinstance(one, dict) for one in value):
                entity[name] = sorted(value, key=lambda one: str(one.get("@id")))
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
