"""A study whose runs share what they have in common: it is the same as one that shares nothing, and says how much it shared."""

import io

import pytest
from rich.console import Console

from ablate.assess import assess
from ablate.design import make_plan
from ablate.display import where
from ablate.driver import Driver, default_storage, missing, unchecked
from ablate.engines.inline import InlineEngine
from ablate.forecast import forecast
from ablate.mirror import NullMirror
from ablate.records import Records
from ablate.report.appendix import appendix
from ablate.study import Study
from ablate.target import load_target
from ablate.trials import Trials
from tests.stored import Silent

SMALL = {"forwards": 32, "pretrain_steps": 2, "pretrain_batch": 8, "eval_images": 16, "eval_every": 8}
STUDY = {
    "name": "trial",
    "target": "ablate.targets.region_clip:train",
    "params": SMALL,
    "fixes": {"memory_bank": {"off": {"bank_warmup": 400}, "on": {"bank_warmup": 8}}},
    "design": {"seeds": 3},
    "sweeps": {"warmup": {"param": "bank_warmup", "values": [0, 17, 99, 400], "seeds": 2}},
    "outcome": {"metric": "eval/region_top1"},
}


def planned(**resources):
    study = Study.model_validate({**STUDY, "resources": resources})
    return make_plan(study, load_target(study.target))


def driven(made, out):
    records = Records(out)
    with records.lock():
        driver = Driver(made, records, Trials(default_storage(out), made, records.identity()), NullMirror())
        driver.train(missing(made, records.load()) + unchecked(made, records), InlineEngine(), Silent())
    return records


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    made = planned()
    return made, driven(made, tmp_path_factory.mktemp("shared"))


@pytest.fixture(scope="module")
def apart(tmp_path_factory):
    made = planned(share_prefixes=False)
    return made, driven(made, tmp_path_factory.mktemp("apart"))


def test_every_run_is_what_it_is_where_nothing_is_shared(shared, apart):
    (made, one), (_, other) = shared, apart
    assert [run.id for run in made.runs] == [run.id for run in apart[0].runs]
    for run in (*made.runs, *made.checks):
        here, there = one.load_one(run.id), other.load_one(run.id)
        assert (here.state, here.metrics) == ("completed", there.metrics)
        curves = [each.place("curves", run.id) / f"{run.id}.parquet" for each in (one, other)]
        assert curves[0].read_bytes() == curves[1].read_bytes()
        assert there.shared == there.shared_seconds == 0


def test_the_run_that_checks_repeatability_is_trained_from_its_start(shared):
    made, records = shared
    again = records.load_one(made.checks[0].id)
    first = records.load_one(made.checks[0].id.removesuffix("-again"))
    assert (again.shared, again.steps) == (0, 32)
    assert again.metrics == first.metrics


def test_how_much_was_shared_is_said_in_the_report_and_on_the_terminal(shared, apart):
    made, records = shared
    taken = {run.id: records.load_one(run.id).shared for run in made.runs}
    assert sorted(taken.values()) == [0, 0, 0, 0, 0, 8, 8, 8, 16, 16]
    found = assess(made, records)
    assert found.shared == "264 of 320 forwards were trained; the others were shared with a run that had done the same"
    assert ("shared", found.shared) in appendix(found).design
    console = Console(file=io.StringIO(), width=200)
    where(console, records.out / "report.pdf", None, 10, 10, found.shared)
    assert f"10 trained now, 10 in the study\n          {found.shared}\n" in console.file.getvalue()
    alone = assess(*apart)
    assert alone.shared == ""
    assert "shared" not in dict(appendix(alone).design)


def test_what_is_left_takes_the_time_of_what_is_not_shared(tmp_path):
    less, whole = (forecast(made, Records(tmp_path)).seconds for made in (planned(), planned(share_prefixes=False)))
    assert less == pytest.approx(whole * 264 / 320)
