"""The study's page in MLflow, and the way back from it to the records. Real SQLite stores."""

import json
import shutil
from dataclasses import replace

import pytest
from mlflow.entities import RunStatus
from mlflow.tracking import MlflowClient

from ablate.errors import BadInput
from ablate.kept import beside
from ablate.records import Records
from ablate.tracking import texts
from ablate.tracking.datasets import dataset_of, digest_of
from ablate.tracking.monitor import Monitor
from ablate.tracking.restore import _safe, restore
from ablate.tracking.serve import find_pages
from tests.builders import FIXES, raw
from tests.stored import carry_out, plan_of

STUDY = raw(fixes={name: FIXES[name] for name in ("good", "bad")}, design={"seeds": 3}, curves=["progress"], params={"evals": 4})


class Store:
    """What a store holds of the study, as others read it."""

    def __init__(self, uri):
        self.uri, self.client = uri, MlflowClient(uri)

    def runs(self, kind):
        experiment = self.client.get_experiment_by_name("trial").experiment_id
        return self.client.search_runs([experiment], f"tags.kind = '{kind}'")

    def arms(self):
        return {run.data.tags["arm"]: run for run in self.runs("arm")}

    def history(self, run, metric):
        return {point.step: point.value for point in self.client.get_metric_history(run.info.run_id, metric)}


@pytest.fixture(scope="module")
def carried(tmp_path_factory):
    """A store and the folder of a study that was run into it. Not to be changed."""
    folder = tmp_path_factory.mktemp("carried")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)  # where a store is opened first, its artifacts go
        patch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.05")
        store = Store(f"sqlite:///{folder}/mlflow.db")
        return store, carry_out(STUDY, folder / "out", store.uri)


@pytest.fixture
def copied(carried, tmp_path, monkeypatch):
    """The same, to be changed but for its artifacts, which stay where they are."""
    _, records = carried
    monkeypatch.chdir(tmp_path)
    shutil.copy(records.out.parent / "mlflow.db", tmp_path)
    shutil.copytree(records.out, tmp_path / "out")
    return Store(f"sqlite:///{tmp_path}/mlflow.db"), tmp_path / "out"


def test_an_arm_is_one_run_with_the_mean_over_its_seeds_and_its_interval(carried):
    store, records = carried
    arms, plan = store.arms(), plan_of(STUDY)
    assert set(arms) == {"all off", "good", "bad", "all on"}
    good = arms["good"]
    assert good.info.run_name == "good · mean of 3 seeds"
    assert good.info.status == RunStatus.to_string(RunStatus.FINISHED)
    assert {good.data.tags[key] for key in ("fix.good", "kind", "study")} == {"on", "arm", "trial"}
    assert good.data.tags["fix.bad"] == "off"
    assert good.data.params["helps"] == "1"
    assert not {"cell", "seed", "run_id"} & set(good.data.tags)  # these find trainings alone
    cell = plan.arms[frozenset({"good"})]
    curves = [records.curves(f"{cell}-{seed}").set_index("step")["progress"] for seed in range(3)]
    mean, low, high = (store.history(good, f"progress_{part}") for part in ("mean", "low", "high"))
    assert list(mean) == list(range(20))
    assert mean[19] == pytest.approx(sum(curve[19] for curve in curves) / 3)
    assert low[19] < mean[19] < high[19]
    scores = [records.load()[f"{cell}-{seed}"].metrics["score"] for seed in range(3)]
    assert good.data.metrics["outcome/mean"] == pytest.approx(sum(scores) / 3)
    assert good.data.metrics["seeds"] == 3
    assert set(store.history(good, "score_mean")) == {5, 10, 15, 20}  # the outcome as it comes about, though it is no curve
    assert {run.data.tags["run_id"] for run in store.runs("run")} == {run.id for run in plan.runs}
    assert all("mlflow.parentRunId" not in arm.data.tags for arm in arms.values())


def test_shown_again_the_arms_stay_as_they_are_and_one_that_changed_is_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store, out = Store(f"sqlite:///{tmp_path}/mlflow.db"), tmp_path / "out"
    carry_out(STUDY, out, store.uri)
    before = {arm: run.info.run_id for arm, run in store.arms().items()}
    carry_out(STUDY, out, store.uri)
    assert {arm: run.info.run_id for arm, run in store.arms().items()} == before
    cell = plan_of(STUDY).arms[frozenset({"bad"})]
    (out / f"runs/{cell}-0.json").unlink()
    kept = Records(out).read(f"{cell}-1")
    Records(out).save(replace(kept, metrics={**kept.metrics, "score": kept.metrics["score"] + 1}))
    carry_out(STUDY, out, store.uri)
    after = store.arms()
    assert {arm for arm, run in after.items() if run.info.run_id != before[arm]} == {"bad"}
    assert len(store.history(after["bad"], "progress_mean")) == 20
    carry_out(STUDY, out, store.uri, fresh=True)
    assert set(before.values()).isdisjoint(run.info.run_id for run in store.arms().values())
    assert len(store.runs("run")) == 12


def test_the_study_has_a_description_its_report_the_verdict_as_a_table_and_the_machines_load(carried):
    store, records = carried
    (parent,) = store.runs("study")
    note = parent.data.tags["mlflow.note.content"]
    assert note == store.client.get_experiment(parent.info.experiment_id).tags["mlflow.note.content"]
    verdict = json.loads((records.out / "verdict.json").read_text())
    assert note.startswith(f"**{verdict['headline']}**")
    assert f"(#/experiments/1/runs/{parent.info.run_id}/artifacts/report.pdf?" in note
    there = {item.path for item in store.client.list_artifacts(parent.info.run_id)}
    assert {"report.pdf", "verdict.json", "runs.csv", "figures", "study", "verdict_table.json"} <= there
    table = store.client.download_artifacts(parent.info.run_id, "verdict_table.json", str(records.out.parent))
    with open(table, encoding="utf-8") as file:
        shown = json.load(file)
    rows = [dict(zip(shown["columns"], row, strict=True)) for row in shown["data"]]
    assert {row["fix"]: row["verdict"] for row in rows} == {name: fix["verdict"] for name, fix in verdict["fixes"].items()}
    assert rows[0]["effect"] == pytest.approx(verdict["fixes"]["good"]["effect"], rel=1e-3)
    assert "system/cpu_utilization_percentage" in parent.data.metrics
    assert parent.info.status == "FINISHED"


def test_trainings_say_whether_they_are_of_the_design(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = Store(f"sqlite:///{tmp_path}/mlflow.db")
    sweep = {"param": "helps", "values": [3, 4], "fixes": "all_off"}
    mapping = STUDY | {"name": "trial", "sweeps": {"more": sweep}, "contexts": {"other": {"evals": 2}}}
    carry_out(mapping, tmp_path / "out", store.uri)
    told = {run.info.run_id: run.data.tags["part"] for run in store.runs("run")}
    assert [list(told.values()).count(part) for part in ("design", "context", "sweep")] == [12, 12, 6]
    for run in told:  # as an earlier version left them
        store.client.delete_tag(run, "part")
    carry_out(mapping, tmp_path / "out", store.uri)
    assert {run.info.run_id: run.data.tags["part"] for run in store.runs("run")} == told


def test_why_a_server_is_not_reached_is_said_in_a_few_words():
    with pytest.raises(BadInput, match=r"^--tracking-uri: 'http://127.0.0.1:1' can't be opened \(Connection refused\); give one"):
        find_pages("http://127.0.0.1:1")


def test_system_metrics_are_not_logged_where_mlflow_is_told_not_to(monkeypatch):
    monkeypatch.setenv("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", "false")
    monitor = Monitor("nonsense://", "nowhere")
    monitor.start()
    assert monitor._thread is None
    monitor.stop()


def test_data_has_a_name_and_a_digest_of_what_tells_it_apart():
    scenes = plan_of(raw(target="ablate.targets.region_clip:train", outcome={"metric": "eval/region_top1"}, **REGION))
    one, other = (dataset_of(scenes, run) for run in scenes.runs[:2])
    assert one["name"] == "made scenes"
    assert digest_of(one) == digest_of(other)  # two arms of one seed
    assert digest_of(one) != digest_of(dataset_of(scenes, scenes.runs[-1]))  # another seed's scenes
    assert len(digest_of(one)) == 36
    assert dataset_of(plan_of(STUDY), plan_of(STUDY).runs[0]) == {}


REGION = {"fixes": {"bank": {"off": {"bank_warmup": 400}, "on": {"bank_warmup": 50}}}, "design": {"seeds": 2}}


def test_what_a_study_says_of_itself_is_text_in_markdown():
    shown = texts._plain("a|b [c](d) <script>\nnext")
    assert shown == "a\\|b \\[c\\](d) \\<script\\> next"


def test_a_folder_is_rebuilt_from_the_store_alone(carried, tmp_path):
    store, records = carried
    assert restore(store.uri, plan_of(STUDY), Records(tmp_path / "back")) == 12
    assert Records(tmp_path / "back").load() == Records(records.out).load()  # where each is known, which is kept beside, included
    made = {"verdict.json", "report.pdf", "report.html", "runs.csv", "optuna.db", "running.json", "links.jsonl", ".home"}
    for path in (path for path in records.out.rglob("*") if path.is_file() and path.name not in made):
        inside = path.relative_to(records.out)
        if inside.parts[0] not in ("figures", ".lock", "runs"):
            assert (tmp_path / "back" / inside).read_bytes() == path.read_bytes(), inside


def test_what_others_keep_in_the_folder_goes_nowhere_and_nothing_else_comes_from_a_store(copied, tmp_path):
    store, out = copied
    (out / "service-account.json").write_text('{"private": 1}')
    assert "service-account.json" not in beside(out) and "preregistration.json" in beside(out)
    (parent,) = store.runs("study")
    foreign = tmp_path / "package.json"
    foreign.write_text("{}")
    store.client.log_artifact(parent.info.run_id, str(foreign), "study")
    victim = store.runs("run")[0]
    odd = tmp_path / "conf~mat&rix 'a'.txt"
    odd.write_text("an artifact")
    store.client.log_artifact(victim.info.run_id, str(odd))
    assert restore(store.uri, plan_of(STUDY), Records(tmp_path / "back")) == 12
    assert not (tmp_path / "back/package.json").exists()
    assert (tmp_path / "back/artifacts" / victim.data.tags["run_id"] / odd.name).read_text() == "an artifact"


def test_a_folder_is_only_given_what_it_lacks_and_none_that_holds_another_studys_runs(copied, tmp_path):
    store, out = copied
    plan = plan_of(STUDY)
    lost, kept = sorted((out / "runs").glob("*.json"))[:2]
    lost.unlink()
    kept.write_text(kept.read_text() + "\n")
    assert restore(store.uri, plan, Records(out)) == 1
    assert lost.exists()
    assert kept.read_text().endswith("}\n")
    (out / "id").write_text("another")
    with pytest.raises(BadInput, match=r"--out: .*out holds runs of another folder than the tracking store's; give another"):
        restore(store.uri, plan, Records(out))


def test_a_store_that_has_nothing_to_give_is_named_and_nothing_is_written(copied, tmp_path):
    store, _ = copied
    back, plan = Records(tmp_path / "back"), plan_of(STUDY)
    with pytest.raises(BadInput, match=r"--tracking-uri: .*none.db is no MLflow store"):
        restore(f"sqlite:///{tmp_path}/none.db", plan, back)
    with pytest.raises(BadInput, match=r"--from-mlflow: .* holds no study 'other'"):
        restore(store.uri, plan_of(STUDY | {"name": "other"}), back)
    for run in store.runs("run"):
        store.client.delete_tag(run.info.run_id, "state")
    with pytest.raises(BadInput, match=r"holds study 'trial', but none of its runs in full"):
        restore(store.uri, plan, back)
    assert not back.out.exists()
    assert not (tmp_path / "none.db").exists()
    (tmp_path / "text.db").write_text("not a store")
    with pytest.raises(BadInput, match=r"text.db is no MLflow store"):
        find_pages(f"sqlite:///{tmp_path}/text.db")


def test_names_from_a_store_stay_in_the_folder(copied, tmp_path):
    for name in ("..", ".", "../x", "a/b", "/etc/x", "", "a\x00", "a\\b"):
        with pytest.raises(ValueError, match="no file's name"):
            _safe(name)
    store, _ = copied
    victim = store.runs("run")[0]
    store.client.set_tag(victim.info.run_id, "run_id", "../../outside")
    with pytest.raises(BadInput, match="is no file's name"):
        restore(store.uri, plan_of(STUDY), Records(tmp_path / "back"))
    assert not list(tmp_path.glob("outside*"))
    assert not (tmp_path / "back").exists()
