"""What the commands take: arguments and options with their help and completion, and whose project.

Heavy modules are imported where they are used, so that help is quick.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


def parameter_names() -> list[str]:
    from upr_analysis.parameters import Parameters

    return [f"{name}=" for name in Parameters.model_fields]


def run_names() -> list[str]:
    return sorted(path.parent.name for path in Path("outputs/runs").glob("*/run.json"))


def tried_names() -> list[str]:
    from upr_analysis.inspection import tried

    return sorted({*run_names(), *tried(Path("outputs"))})


def step_names() -> list[str]:
    from upr_analysis.steps import STEPS

    return list(STEPS)


ParamsFile = Annotated[
    Path, typer.Argument(metavar="PARAMS.yml", help="The run's parameters.", show_default=False)
]
Assignments = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Set a parameter for this run; may be repeated. `upr parameters` lists them.",
        autocompletion=parameter_names,
        show_default=False,
    ),
]
Outputs = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Where runs and the store are kept. [default: outputs]",
        show_default=False,
    ),
]  # fmt: skip

Engines = StrEnum("Engines", ["fork", "papermill"])
Languages = StrEnum("Languages", ["en", "fr", "es"])
EngineOption = Annotated[
    Engines | None,
    typer.Option(
        "--engine",
        help="Where notebooks run: in forks of one process that has imported all, or in stock "
        "papermill's kernels. [default: fork on Linux]",
        show_default=False,
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print paths only.")]


RunName = Annotated[
    str,
    typer.Argument(
        metavar="RUN", help="A run's name or folder.", autocompletion=run_names, show_default=False
    ),
]


def root_of(params: Path) -> Path:
    """Return the project of the params file, or of the current folder where that is elsewhere."""
    from upr_analysis.parameters import project_root
    from upr_analysis.problems import InputError

    if not params.is_file():
        raise InputError(f"{params} is not there: check the path and its spelling.")
    try:
        return project_root(params.parent)
    except InputError:
        return here()


def here() -> Path:
    """Return the project of the current folder."""
    from upr_analysis.parameters import project_root

    return project_root(Path.cwd())


def outputs_of(given: Path | None, root: Path) -> Path:
    """Return the folder of runs and store: as given, or the project's own."""
    return (given or root / "outputs").expanduser().resolve()
