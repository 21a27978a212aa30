"""The commands that look at data and symptoms, and those that help to start: audit, diagnose, init, schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ablate.cli.app import app
from ablate.cli.options import (
    Device,
    DeviceOption,
    EngineName,
    Json,
    Out,
    Set,
    StudyFile,
    check_place,
    device_for,
    engine_for,
    parsed_settings,
)

if TYPE_CHECKING:
    from ablate.diagnose import Asked


@app.command()
def audit(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="FineHARD, FG-OVD or COCO: .json, .jsonl, a .txt of them, a folder.")
    ],
    json_: Json = False,
    min_area: Annotated[float, typer.Option(help="Least area to count by, a share of the image.")] = 0.01,
    image_root: Annotated[Path | None, typer.Option(help="Where images are; default the folder of each file.")] = None,
) -> None:
    """Count a data set's invalid boxes by reason, and what each filter rule would discard."""
    from ablate.audit import audit as count

    found = count(data, min_area, image_root)
    if json_:
        print(json.dumps(found.as_json(), indent=2, allow_nan=False))
    else:
        from ablate import display_audit, terminal

        display_audit.audit(terminal.stdout(), found)


@app.command()
def diagnose(
    study: StudyFile,
    arm: Annotated[str, typer.Option(metavar="ARM", help="all_off, all_on, or fixes joined by +.")] = "all_off",
    out: Out = None,
    device: DeviceOption = Device.auto,
    set_: Set = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Train again what was trained before.")] = False,
    json_: Json = False,
) -> None:
    """Look for the symptoms that a report names in one short training, and say which of its defects are there."""
    from ablate import display
    from ablate.diagnose import diagnose, run_command, write_json
    from ablate.intact import mend
    from ablate.progress import Progress
    from ablate.records import Records
    from ablate.report import write_diagnosis
    from ablate.report.diagnosis import headline, quality_said

    asked = _diagnosis(study, arm, set_)
    asked.plan.check()
    check_place(device, asked.plan.study.resources)
    command = run_command(study, set_ or [])
    folder = out or Path("reports") / asked.plan.study.name
    records = Records(folder / "diagnosis")
    with records.lock():
        mend(records)
        if fresh:
            records.forget()
        records.keep_to(asked.plan.fingerprints())
        with (
            engine_for(EngineName.inline, None, None, asked.plan.study.resources, asked.plan.planned) as engine,
            Progress(asked.plan, records) as watcher,
        ):
            found = diagnose(asked, records, engine, watcher, device_for(device, asked.plan.study.resources))
        write_json(found, folder)
        markdown, pdf = write_diagnosis(found, command, folder)
    if json_:
        print((folder / "diagnosis.json").read_text(encoding="utf-8"), end="")
    else:
        console = display.stdout()
        display.diagnosis(console, found, headline(found), quality_said(found))
        display.diagnosed(console, markdown, pdf, command)
    raise typer.Exit(3 if found.failures else 0)


def _diagnosis(study: Path, arm: str, settings: list[str] | None) -> Asked:
    """What a diagnosis asks for; an arm that isn't one is bad input."""
    from ablate.diagnose import asked
    from ablate.study import load_study
    from ablate.target import load_target

    loaded = load_study(study)
    return asked(loaded, load_target(loaded.target), arm, parsed_settings(settings or []))


@app.command()
def init() -> None:
    """Print a commented study to start from."""
    from importlib.resources import files

    print(files("ablate").joinpath("init.yaml").read_text(encoding="utf-8"), end="")


@app.command()
def schema() -> None:
    """Print the JSON Schema of study files, for editors."""
    from ablate.study import Study

    print(json.dumps(Study.model_json_schema(), indent=2))
