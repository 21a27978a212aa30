"""The command line: `python -m ablate COMMAND`. The only module that prints and exits.

Results go to stdout, progress and logs to stderr. Exit codes: 0 done; 2 bad input; 3 ran, but some runs failed or the design is
incomplete; 130 interrupted, with all that finished kept.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import warnings
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from ablate.errors import AblateError, BadInput

if TYPE_CHECKING:
    from ablate.assess import Assessment
    from ablate.design import Plan
    from ablate.diagnose import Asked
    from ablate.engines.base import Engine
    from ablate.records import Records
    from ablate.sections import Resources

app = typer.Typer(add_completion=False, rich_markup_mode=None, help="Of the fixes proposed for a training, which matter?")


class EngineName(StrEnum):
    """Where trainings run."""

    ray = "ray"
    inline = "inline"


class Device(StrEnum):
    """What they run on."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


INTERRUPTED = 130

StudyFile = Annotated[Path, typer.Argument(metavar="STUDY.yaml", help="The study file.")]
Out = Annotated[Path | None, typer.Option(help="Where results go; default reports/<name>.")]
Seeds = Annotated[int | None, typer.Option(help="Paired seeds a cell, in place of design.seeds and stopping.")]
Quick = Annotated[bool, typer.Option("--quick", help="A small budget, marked as such everywhere.")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A shared param; may be repeated.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DeviceOption = Annotated[Device, typer.Option(help="auto: cuda where the study asks for GPUs, else cpu.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Trainings at a time; default one a core.")]


@app.command()
def run(
    study: StudyFile,
    out: Out = None,
    engine: Annotated[
        EngineName, typer.Option(help="ray: one worker a core, or a cluster; inline: this process.")
    ] = EngineName.ray,
    workers: Workers = None,
    device: DeviceOption = Device.auto,
    seeds: Seeds = None,
    quick: Quick = False,
    storage: Annotated[str | None, typer.Option(metavar="URL", help="Optuna's; default OUT/optuna.db.")] = None,
    tracking_uri: Annotated[str | None, typer.Option(metavar="URI", help="MLflow's; default mlflow.db here; or none.")] = None,
    ray_address: Annotated[str | None, typer.Option(metavar="ADDR", help="A running ray cluster.")] = None,
    set_: Set = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget what was trained before.")] = False,
) -> None:
    """Train what is missing, then analyse and write the report. Run again, it resumes; complete, it only re-reports."""
    from ablate import display
    from ablate.driver import Driver, default_storage, missing, unchecked
    from ablate.preregistration import register
    from ablate.progress import Progress
    from ablate.records import Records
    from ablate.search import search, with_asked
    from ablate.stages import due, stage, until_decided, with_checks
    from ablate.tracking import DEFAULT_URI, MLflowTracker, NullTracker
    from ablate.trials import Trials

    plan = _plan(study, seeds, quick, set_)
    plan.check()
    records = Records(out or Path("reports") / plan.name)
    plan = plan if fresh else with_asked(plan, records)
    uri = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI
    with records.lock():
        if not fresh:
            records.keep_to(plan.fingerprints())
        trials = Trials(storage or default_storage(records.out), plan)
        tracker = NullTracker() if uri == "none" else MLflowTracker(uri, plan, records.identity())
        register(plan, records, fresh)
        if fresh:  # once it is known that all three can be written
            records.forget()
            trials.forget()
            tracker.forget()
            records.keep_to(plan.fingerprints())
        driver = Driver(plan, records, trials, tracker)
        trained, checks = 0, unchecked(plan, records)
        if checks or due(plan, records.load()) or plan.to_ask:
            at_most = len(missing(plan, records.load())) + sum(plan.to_ask.values()) + len(checks)
            on = _device(device, plan.study.resources)
            with _engine(engine, workers, ray_address, plan.study.resources, at_most) as trainer:
                for part, todo in with_checks(until_decided(plan, records.load, _say), plan, checks):
                    with Progress(part, records) as watcher:
                        driver.train(todo, trainer, watcher, on)
                    trained += sum(not each.aside for each in todo)
                if plan.to_ask:
                    before = stage(plan, records.load()).plan
                    with Progress(before, records) as watcher:
                        plan = search(before, records, driver, trainer, watcher, on)
                    trained += len(plan.runs) - len(before.runs)
        driver.catch_up(records.load())
        found, pdf = _report(plan, records)
        driver.publish(found.headline_metrics(), [pdf, records.out / "verdict.json", records.out / "runs.csv"])
    console = display.stdout()
    display.verdict(console, found)
    display.where(console, pdf, uri, trained, len(found.plan.runs))
    raise typer.Exit(0 if found.complete else 3)


@app.command()
def plan(
    study: StudyFile, seeds: Seeds = None, quick: Quick = False, out: Out = None, set_: Set = None, json_: Json = False
) -> None:
    """Dry run: what, how long, what effect could be seen, and what other designs would cost. Trains nothing."""
    from ablate import display, display_plan
    from ablate.forecast import forecast
    from ablate.records import Records
    from ablate.search import with_asked

    made = _plan(study, seeds, quick, set_)
    made.check()
    records = Records(out or Path("reports") / made.name)
    seen = forecast(with_asked(made, records), records)
    if json_:
        print(json.dumps(seen.as_json(), indent=2))
    else:
        console = display.stdout()
        display.plan(console, seen)
        display_plan.designs(console, seen)


@app.command()
def status(
    study: StudyFile, seeds: Seeds = None, quick: Quick = False, out: Out = None, set_: Set = None, json_: Json = False
) -> None:
    """Show what is done, failed, running and missing, and the time left."""
    from ablate import display
    from ablate.forecast import progress
    from ablate.records import Records
    from ablate.search import with_asked

    made = _plan(study, seeds, quick, set_)
    records = Records(out or Path("reports") / made.name)
    now = progress(with_asked(made, records), records)
    if json_:
        print(json.dumps(now, indent=2))
    else:
        display.status(display.stdout(), made, now)


@app.command()
def report(study: StudyFile, seeds: Seeds = None, quick: Quick = False, out: Out = None, set_: Set = None) -> None:
    """Analyse again and rewrite the report from what is stored. Trains nothing."""
    from ablate import display
    from ablate.preregistration import register
    from ablate.records import Records
    from ablate.search import with_asked

    made = _plan(study, seeds, quick, set_)
    records = Records(out or Path("reports") / made.name)
    if not records.load():
        raise BadInput(f"{records.out}: holds no runs; `python -m ablate run {study}` trains them")
    with records.lock():
        register(made, records)
        found, pdf = _report(with_asked(made, records), records)
    console = display.stdout()
    display.verdict(console, found)
    display.where(console, pdf)
    raise typer.Exit(0 if found.complete else 3)


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
        from ablate import display

        display.audit(display.stdout(), found)


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
    from ablate.engines.inline import InlineEngine
    from ablate.progress import Progress
    from ablate.records import Records
    from ablate.report import write_diagnosis
    from ablate.report.diagnosis import headline, quality_said

    asked = _diagnosis(study, arm, set_)
    asked.plan.check()
    command = run_command(study, set_ or [])
    folder = out or Path("reports") / asked.plan.study.name
    records = Records(folder / "diagnosis")
    with records.lock():
        if fresh:
            records.forget()
        records.keep_to(asked.plan.fingerprints())
        with InlineEngine() as engine, Progress(asked.plan, records) as watcher:
            found = diagnose(asked, records, engine, watcher, _device(device, asked.plan.study.resources))
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
    return asked(loaded, load_target(loaded.target), arm, _settings(settings or []))


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


def _plan(study: Path, seeds: int | None, quick: bool, settings: list[str] | None) -> Plan:
    from ablate.design import make_plan
    from ablate.study import load_study
    from ablate.target import load_target

    loaded = load_study(study)
    return make_plan(loaded, load_target(loaded.target), quick, _settings(settings or []), seeds)


def _settings(settings: list[str]) -> dict[str, Any]:
    from ablate.study import parse_value

    parsed = {}
    for text in settings:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise BadInput(f"--set: {text!r} must be KEY=VALUE, for example --set lr=0.001")
        parsed[key] = parse_value(value)
    return parsed


def _device(asked: Device, resources: Resources) -> str:
    return "cuda" if asked is Device.cuda or (asked is Device.auto and resources.gpus) else "cpu"


def _engine(name: EngineName, workers: int | None, address: str | None, resources: Resources, runs: int) -> Engine:
    if name is EngineName.inline:
        from ablate.engines.inline import InlineEngine

        return InlineEngine()
    from ablate.engines.ray import RayEngine

    return RayEngine(workers, resources.cpus, resources.gpus, address, at_most=runs)


def _report(plan: Plan, records: Records) -> tuple[Assessment, Path]:
    from ablate.assess import assess
    from ablate.report import write_report
    from ablate.written import write_results

    found = assess(plan, records)
    write_results(found, records.out)
    return found, write_report(found, records, records.out)


def main() -> NoReturn:
    """Run the command line and exit. What goes wrong on purpose is one line on stderr."""
    warnings.simplefilter("default", UserWarning)
    warnings.showwarning = _warn
    signal.signal(signal.SIGTERM, _terminate)
    try:
        code = app(standalone_mode=False)
    except typer.TyperException as error:
        _fail(" ".join(error.format_message().split()))
    except AblateError as error:
        _fail(str(error))
    if code == INTERRUPTED:  # typer turns KeyboardInterrupt into this code
        print("interrupted; what finished is kept, and the same command goes on from there", file=sys.stderr)
    sys.exit(code or 0)


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _fail(message: str) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


def _terminate(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _warn(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    if issubclass(category, UserWarning):
        print(f"warning: {message}", file=sys.stderr)
