"""The commands on a study: run, plan, status, report."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Annotated

import typer

from ablate.cli.app import app, say, unread
from ablate.cli.asked import Asked
from ablate.cli.mirrored import mirrored, show, show_arms
from ablate.cli.options import (
    Continue,
    Device,
    DeviceOption,
    EngineName,
    EngineOption,
    Fresh,
    Json,
    Out,
    Paper,
    PaperOption,
    ProfileOption,
    Quick,
    RayAddress,
    RunTrackingUri,
    Seeds,
    Set,
    Storage,
    StudyFile,
    TrackingUri,
    Workers,
    check_place,
    planned,
    write_all,
)
from ablate.cli.pages import tracking_from
from ablate.collecting import importing
from ablate.errors import BadInput
from ablate.secrets import check_address

if TYPE_CHECKING:
    from ablate.assess import Assessment
    from ablate.design import Plan
    from ablate.driver import Driver
    from ablate.engines.ahead import Ahead
    from ablate.engines.base import Engine
    from ablate.mirror import Mirror, NullMirror
    from ablate.records import Records


@app.command()
def run(
    study: StudyFile,
    out: Out = None,
    engine: EngineOption = EngineName.ray,
    workers: Workers = None,
    device: DeviceOption = Device.auto,
    seeds: Seeds = None,
    quick: Quick = False,
    storage: Storage = None,
    tracking_uri: RunTrackingUri = None,
    ray_address: RayAddress = None,
    paper: PaperOption = Paper.a4,
    set_: Set = None,
    fresh: Fresh = False,
    continue_: Continue = False,
    profile: ProfileOption = False,
) -> None:
    """Train what is missing, then analyse and write the report. Run again, it resumes; complete, it only re-reports."""
    plan = planned(study, seeds, quick, set_)
    plan.check()
    check_address("--storage", storage or "")
    check_place(device, plan.study.resources, engine, ray_address)
    # Only now what takes long to import: bad input is refused without it.
    from ablate.assess import assess
    from ablate.records import Records

    records = Records(out or Path("reports") / plan.name)
    uri = tracking_from(tracking_uri)
    same = {"out": out, "seeds": seeds, "quick": quick, "set_": set_}
    where = (engine, workers, device, ray_address, storage, tracking_uri, uri)
    asked = Asked(study, same, plan, records, *where, fresh, continue_, profile)
    with records.lock([run.id for run in plan.runs]), ExitStack() as held:
        plan, driver, mirror, ahead = _opened(asked, held)
        plan, trained = _trained(asked, plan, driver, ahead) if ahead else (plan, 0)
        driver.catch_up(records.load())
        mirror.settle()
        found = assess(plan, records)
        show_arms(mirror, found, records)
        pdf = write_all(found, records, paper)
        if profile:
            _tell_profile(found, trained)
        _answer(found, pdf, uri, trained)
        show(mirror, found, records, asked.sync)  # last: the answer is there
    raise typer.Exit(0 if found.complete else 3)


def _opened(asked: Asked, held: ExitStack) -> tuple[Plan, Driver, Mirror | NullMirror, Ahead | None]:
    """See to the folder and the stores: what is in them fits the plan, or is forgotten, and each knows what is recorded.

    Returns:
        the plan with the values that its searches picked before, what carries it out, what MLflow is told by, and the engine,
        started; None where nothing is to be trained.
    """
    from ablate.driver import Driver, default_storage
    from ablate.preregistration import register
    from ablate.trials import Trials

    records, fresh = asked.records, asked.fresh
    plan, most = _fitting(asked)
    with importing():  # MLflow and ray
        mirror = held.enter_context(mirrored(asked.uri, plan, records))
        # The engine starts while a new store is made; nothing is written before that is known to work.
        ahead = held.enter_context(asked.ahead(most)) if most else None
        mirror.opened()
    trials = Trials(asked.storage or default_storage(records.out), plan, records.identity())
    register(plan, records, fresh)
    if fresh:  # once it is known that both can be written; MLflow follows the records
        records.forget()
        trials.forget()
        records.keep_to(plan.fingerprints())
    say(f"target {plan.target.described}")
    for alike in plan.alike:
        say(alike)
    driver = Driver(plan, records, trials, mirror, asked.profile)
    driver.catch_up(records.load())
    if aside := len(records.load().keys() - {run.id for run in plan.runs}):
        say(f"{aside} {'run' if aside == 1 else 'runs'} in {records.out} of other params or seeds: kept aside")
    return plan, driver, mirror, ahead


def _fitting(asked: Asked) -> tuple[Plan, int]:
    """See that what is in the folder fits the plan.

    Returns:
        the plan with the values that its searches picked before, and how many runs are to be trained at most.

    Raises:
        BadInput: if it doesn't fit.
    """
    from ablate.home import own
    from ablate.intact import mend
    from ablate.search import with_asked

    plan, records, fresh = asked.plan, asked.records, asked.fresh
    if own(records.out) and not asked.storage:  # its trials bear the other's name; they are told anew from the records
        (records.out / "optuna.db").unlink(missing_ok=True)
    mend(records)
    plan = plan if fresh else with_asked(plan, records)
    if not fresh:
        records.keep_to(plan.fingerprints())
    most = _to_train(plan, records, fresh)
    if most and not fresh and not asked.continue_:
        _same_source(plan, records)
    return plan, most


def _trained(asked: Asked, plan: Plan, driver: Driver, ahead: Ahead) -> tuple[Plan, int]:
    """Train what is missing, and let the engine go; see `_train`."""
    from ablate.report import import_ahead

    if asked.engine is EngineName.ray:  # this process has little to do meanwhile
        Thread(target=import_ahead, name="imports").start()
    with asked.sitting(ahead.engine.workers):
        found = _train(plan, asked.records, driver, ahead.engine, asked.on)
    ahead.leave()
    return found


def _answer(found: Assessment, pdf: Path, uri: str, trained: int) -> None:
    """Print the verdict, and where everything is."""
    from ablate import display

    with unread():
        console = display.stdout()
        display.verdict(console, found)
        display.where(console, pdf, uri, trained, len(found.plan.runs), found.shared)
        console.file.flush()


def _tell_profile(found: Assessment, trained: int) -> None:
    """Say what profile there is, where that isn't of all that was trained now."""
    from ablate.profile import profiled_said

    if not trained:
        say(f"--profile: nothing was left to train, so nothing to profile; {profiled_said(found.profile, found.records)}")


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
