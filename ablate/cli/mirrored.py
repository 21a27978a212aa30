"""The command that tells MLflow what it lacks: sync; and what it shares with run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ablate.cli.app import app, say
from ablate.cli.options import Out, Quick, Seeds, Set, StudyFile, TrackingUri, planned, sync_command
from ablate.cli.pages import tracking_from
from ablate.errors import BadInput

if TYPE_CHECKING:
    from ablate.assess import Assessment
    from ablate.design import Plan
    from ablate.mirror import Mirror, NullMirror
    from ablate.records import Records


@contextmanager
def mirrored(uri: str, plan: Plan, records: Records) -> Iterator[Mirror | NullMirror]:
    """Tell a tracking store, or with `none` nothing, of a study. It is opened meanwhile; `Mirror.opened` waits for a local one.

    Raises:
        BadInput: if there can't be such a store.
    """
    from ablate.mirror import Mirror, NullMirror

    if uri == "none":
        yield NullMirror()
        return
    from ablate.home import Home
    from ablate.tracking import MLflowTracker

    with Mirror(MLflowTracker(uri, plan, records.identity(), Home(records.out)), records, say) as mirror:
        yield mirror


def show_arms(mirror: Mirror | NullMirror, found: Assessment, records: Records) -> None:
    """Have a study's arms shown while its report is written."""
    from ablate.mirror import Mirror
    from ablate.publication import arm_lines

    if isinstance(mirror, Mirror):
        mirror.show_arms(arm_lines(found, records))


def show(mirror: Mirror | NullMirror, found: Assessment, records: Records, command: str, patient: bool = False) -> bool:
    """Show what is left of a study: runs, then the verdict, the report and the arms. Say what can't be shown now.

    Args:
        command: what delivers it later.
        patient: whether to wait for as long as the store answers at all.

    Returns:
        whether nothing is left.
    """
    from ablate.mirror import NullMirror
    from ablate.publication import publication

    if isinstance(mirror, NullMirror):
        return True
    done = mirror.deliver(patient)
    _tell_ids(found, records)
    if done and (records.out / "verdict.json").exists():
        mirror.publish(publication(found, records))
        done = mirror.deliver(patient)
    if not done:
        say(f"{mirror.left}; nothing is lost: once it is there, type {command}")
    return done


def _tell_ids(found: Assessment, records: Records) -> None:
    """Write runs.csv again where runs were shown only after it was written."""
    from ablate.records import write_atomic
    from ablate.written import runs_csv

    path, kept = records.out / "runs.csv", records.load()
    text = runs_csv(replace(found, records={run: kept.get(run, record) for run, record in found.records.items()})).encode()
    if path.exists() and path.read_bytes() != text:
        write_atomic(path, text)


@app.command()
def sync(
    study: StudyFile,
    seeds: Seeds = None,
    quick: Quick = False,
    out: Out = None,
    set_: Set = None,
    tracking_uri: TrackingUri = None,
) -> None:
    """Show MLflow what it lacks of a study: it was down, or the study was trained without it. Trains nothing."""
    from ablate.assess import assess
    from ablate.home import own
    from ablate.intact import leave_out
    from ablate.records import Records
    from ablate.search import with_asked

    uri = tracking_from(tracking_uri)
    if uri == "none":
        raise BadInput("--tracking-uri: sync takes a store to show the study in; give its address")
    made = planned(study, seeds, quick, set_)
    records = Records(out or Path("reports") / made.name)
    leave_out(records)
    plan, kept = with_asked(made, records), records.load()
    if not kept:
        raise BadInput(f"{records.out}: holds no runs; `python -m ablate run {study}` trains them")
    command = sync_command(study, tracking_uri, out=out, seeds=seeds, quick=quick, set_=set_)
    with records.lock(), ExitStack() as held:
        if own(records.out):  # as `run` does: its trials bear the other's name
            (records.out / "optuna.db").unlink(missing_ok=True)
        mirror = held.enter_context(mirrored(uri, plan, records))
        mirror.opened()
        mirror.catch_up(plan.runs, kept)
        done = show(mirror, assess(plan, records), records, command, patient=True)
    _say_delivered(mirror, done, len(kept))
    raise typer.Exit(0 if done else 3)


def _say_delivered(mirror: Mirror | NullMirror, done: bool, kept: int) -> None:
    from ablate.delivery import counted
    from ablate.mirror import Mirror

    if isinstance(mirror, Mirror):
        runs, points = mirror.delivered
        said = (
            f"{counted(runs)} with {points:,} points delivered" if runs or not done else f"nothing was lacking of {counted(kept)}"
        )
        print(f"{said}; MLflow is at {mirror.where}")
