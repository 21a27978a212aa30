"""The commands on a study: run, plan, status, report."""

from __future__ import annotations

import gc
import json
from contextlib import ExitStack
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Annotated

import typer

from ablate.cli.app import app, say, unread
from ablate.cli.mirrored import mirrored, show, show_arms
from ablate.cli.options import (
    Device,
    DeviceOption,
    EngineName,
    Json,
    Out,
    Paper,
    PaperOption,
    Quick,
    Seeds,
    Set,
    Storage,
    StudyFile,
    TrackingUri,
    Workers,
    check_place,
    command_line,
    device_for,
    engine_for,
    planned,
    sync_command,
    write_all,
)
from ablate.cli.pages import tracking_from
from ablate.errors import BadInput
from ablate.secrets import check_address

if TYPE_CHECKING:
    from ablate.design import Plan
    from ablate.driver import Driver
    from ablate.engines.base import Engine
    from ablate.records import Records


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
    storage: Storage = None,
    tracking_uri: Annotated[str | None, typer.Option(metavar="URI", help="MLflow's; default mlflow.db here; or none.")] = None,
    ray_address: Annotated[str | None, typer.Option(metavar="ADDR", help="A running ray cluster.")] = None,
    paper: PaperOption = Paper.a4,
    set_: Set = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget what was trained before.")] = False,
    continue_: Annotated[
        bool, typer.Option("--continue", help="Keep runs that were trained before the target's source changed.")
    ] = False,
) -> None:
    """Train what is missing, then analyse and write the report. Run again, it resumes; complete, it only re-reports."""
    plan = planned(study, seeds, quick, set_)
    plan.check()
    check_address("--storage", storage or "")
    check_place(device, plan.study.resources, engine, ray_address)
    # Only now what takes long to import: bad input is refused without it.
    from ablate import display
    from ablate.assess import assess
    from ablate.driver import Driver, default_storage
    from ablate.engines.ahead import Ahead
    from ablate.home import own
    from ablate.intact import mend
    from ablate.preregistration import register
    from ablate.records import Records
    from ablate.report import import_ahead
    from ablate.search import with_asked
    from ablate.sittings import sitting
    from ablate.trials import Trials

    records = Records(out or Path("reports") / plan.name)
    uri = tracking_from(tracking_uri)
    same = {"out": out, "seeds": seeds, "quick": quick, "set_": set_}
    with records.lock([run.id for run in plan.runs]), ExitStack() as held:
        if own(records.out) and not storage:  # its trials bear the other's name; they are told anew from the records
            (records.out / "optuna.db").unlink(missing_ok=True)
        mend(records)
        plan = plan if fresh else with_asked(plan, records)
        if not fresh:
            records.keep_to(plan.fingerprints())
        most = _to_train(plan, records, fresh)
        if most and not fresh and not continue_:
            _same_source(plan, records)
        mirror = held.enter_context(mirrored(uri, plan, records))
        ahead = Ahead(engine_for(engine, workers, ray_address, plan.study.resources, most)) if most else None
        started = held.enter_context(ahead) if ahead else None  # meanwhile a new store is made; nothing is written before it is
        mirror.opened()
        gc.freeze()  # what is imported by now never goes away: MLflow's thousands of objects a run call for no look at it
        trials = Trials(storage or default_storage(records.out), plan, records.identity())
        register(plan, records, fresh)
        if fresh:  # once it is known that both can be written; MLflow follows the records
            records.forget()
            trials.forget()
            records.keep_to(plan.fingerprints())
        say(f"target {plan.target.described}")
        driver, on = Driver(plan, records, trials, mirror), device_for(device, plan.study.resources)
        driver.catch_up(records.load())
        if aside := len(records.load().keys() - {run.id for run in plan.runs}):
            say(f"{aside} {'run' if aside == 1 else 'runs'} in {records.out} of other params or seeds: kept aside")
        where = {"engine": engine if engine is not EngineName.ray else None, "workers": workers, "ray_address": ray_address}
        stores = {"device": device if device is not Device.auto else None, "storage": storage, "tracking_uri": tracking_uri}
        commands = command_line("run", study, **same, **where, **stores), command_line("report", study, **same)

        trained = 0
        if started is not None:
            if engine is EngineName.ray:  # this process has little to do meanwhile
                Thread(target=import_ahead, name="imports").start()
            with sitting(records, study, *commands, engine.value, started.engine.workers, on):
                plan, trained = _train(plan, records, driver, started.engine, on)
            started.leave()
        driver.catch_up(records.load())
        mirror.settle()
        found = assess(plan, records)
        show_arms(mirror, found, records)
        pdf = write_all(found, records, paper)
        with unread():
            console = display.stdout()
            display.verdict(console, found)
            display.where(console, pdf, uri, trained, len(found.plan.runs))
            console.file.flush()
        show(mirror, found, records, sync_command(study, tracking_uri, **same))  # last: the answer is there
    raise typer.Exit(0 if found.complete else 3)


def _same_source(plan: Plan, records: Records) -> None:
    """See that what is to be trained is trained by the source that the plan's other runs were.

    Raises:
        BadInput: if it isn't.
    """
    from ablate.source import refuse_changed

    refuse_changed(records, plan.target.name, (kept for run in plan.runs if (kept := records.load_one(run.id))))


def _to_train(plan: Plan, records: Records, fresh: bool) -> int:
    """How many runs are to be trained at most, checks and searched values included; 0 where nothing is missing."""
    from ablate.driver import missing, unchecked
    from ablate.stages import due

    asked = sum(plan.to_ask.values())
    if fresh:
        return len(plan.runs) + asked + len(plan.checks)
    kept, checks = records.load(), unchecked(plan, records)
    if not (checks or due(plan, kept) or asked):
        return 0
    return len(missing(plan, kept)) + asked + len(checks)


def _train(plan: Plan, records: Records, driver: Driver, engine: Engine, on: str) -> tuple[Plan, int]:
    """Train what is missing of a plan, its checks and searches included.

    Args:
        on: the device.

    Returns:
        the plan with the values that its searches picked, and how many runs of it were trained.
    """
    from ablate.driver import unchecked
    from ablate.progress import Progress
    from ablate.search import search
    from ablate.stages import stage, until_decided, with_checks
    from ablate.stop import Stop

    trained, stop = 0, Stop()
    for part, todo in with_checks(until_decided(plan, records.load, say), plan, unchecked(plan, records)):
        with Progress(part, records) as watcher:
            driver.train(todo, engine, watcher, on, stop)
        trained += sum(not each.aside for each in todo)
    if plan.to_ask:
        before = stage(plan, records.load()).plan
        with Progress(before, records) as watcher:
            plan = search(before, records, driver, engine, watcher, on, stop)
        trained += len(plan.runs) - len(before.runs)
    return plan, trained


@app.command()
def plan(
    study: StudyFile, seeds: Seeds = None, quick: Quick = False, out: Out = None, set_: Set = None, json_: Json = False
) -> None:
    """Dry run: what, how long, what effect could be seen, and what other designs would cost. Trains nothing."""
    from ablate import display, display_plan
    from ablate.forecast import forecast
    from ablate.records import Records
    from ablate.search import with_asked

    made = planned(study, seeds, quick, set_)
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

    made = planned(study, seeds, quick, set_)
    records = Records(out or Path("reports") / made.name)
    now = progress(with_asked(made, records), records)
    if json_:
        print(json.dumps(now, indent=2))
    else:
        display.status(display.stdout(), made, now)


@app.command()
def report(
    study: StudyFile,
    seeds: Seeds = None,
    quick: Quick = False,
    out: Out = None,
    paper: PaperOption = Paper.a4,
    set_: Set = None,
    from_mlflow: Annotated[bool, typer.Option("--from-mlflow", help="Fetch what OUT lacks from the tracking server.")] = False,
    tracking_uri: TrackingUri = None,
) -> None:
    """Analyse again and rewrite the report from what is stored. Trains nothing."""
    from ablate import display
    from ablate.assess import assess
    from ablate.intact import leave_out
    from ablate.preregistration import register
    from ablate.records import Records
    from ablate.search import with_asked

    made = planned(study, seeds, quick, set_)
    records = Records(out or Path("reports") / made.name)
    if from_mlflow:
        from ablate.tracking.restore import restore

        fetched = restore(tracking_from(tracking_uri), made, records)
        say(f"{fetched} {'run' if fetched == 1 else 'runs'} fetched")
    elif tracking_uri not in (None, "none"):
        raise BadInput("--tracking-uri: a report is made from OUT; give --from-mlflow as well to fetch what it lacks")
    if not records.load():
        raise BadInput(f"{records.out}: holds no runs; `python -m ablate run {study}` trains them")
    with records.lock([run.id for run in made.runs]):
        leave_out(records)
        register(made, records)
        found = assess(with_asked(made, records), records)
        pdf = write_all(found, records, paper)
    console = display.stdout()
    display.verdict(console, found)
    display.where(console, pdf)
    raise typer.Exit(0 if found.complete else 3)
