"""A small study, carried out in this process into real stores, with its report and its page."""

import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from ablate.assess import assess
from ablate.design import make_plan
from ablate.driver import Driver, default_storage, missing, unchecked
from ablate.engines.inline import InlineEngine
from ablate.home import Home, own
from ablate.mirror import Mirror
from ablate.preregistration import register
from ablate.publication import arm_lines, publication
from ablate.records import Records
from ablate.report import write_report
from ablate.study import Study
from ablate.target import load_target
from ablate.tracking import MLflowTracker
from ablate.tracking.address import file_of
from ablate.tracking.whole import make
from ablate.trials import Trials
from ablate.written import write_results


class Silent:
    """A watcher that watches nothing."""

    def preparing(self):
        pass

    def started(self, run):
        pass

    def retried(self, run, retry):
        pass

    def stopping(self):
        pass

    def ended(self, run, record):
        pass


def plan_of(mapping):
    study = Study.model_validate(mapping)
    return make_plan(study, load_target(study.target))


@cache
def _empty():
    """A folder with a store that holds nothing yet, as MLflow made it."""
    folder = TemporaryDirectory()
    make(f"sqlite:///{folder.name}/mlflow.db")
    return folder


def new_store(uri):
    """Put an empty store where there is none: MLflow would take some seventy migrations to it, each time anew."""
    if not file_of(uri).exists():
        file_of(uri).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(_empty().name) / "mlflow.db", file_of(uri))


def showing(uri, plan, records):
    """A mirror as the command line makes it."""
    own(records.out)
    new_store(uri)
    return Mirror(MLflowTracker(uri, plan, records.identity(), Home(records.out)), records)


def carry_out(mapping, out, uri, fresh=False):
    """Train what is missing, write the report, show it; returns the records."""
    plan, records = plan_of(mapping), Records(out)
    with records.lock(), showing(uri, plan, records) as mirror:
        mirror.opened()
        trials = Trials(default_storage(records.out), plan)
        register(plan, records, fresh)
        if fresh:
            records.forget()
            trials.forget()
        driver = Driver(plan, records, trials, mirror)
        driver.catch_up(records.load())
        if todo := [*missing(plan, records.load()), *unchecked(plan, records)]:
            driver.train(todo, InlineEngine(), Silent())
        driver.catch_up(records.load())
        mirror.settle()
        found = assess(plan, records)
        mirror.show_arms(arm_lines(found, records))
        write_results(found, out)
        write_report(found, records, out)
        mirror.publish(publication(found, records))
    return records
