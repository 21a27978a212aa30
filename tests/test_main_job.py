"""The main job, small: the region study end to end, and what `mlflow ui` then lists."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request

from tests.shell import environment, rows, verdict, wait_for


def test_a_quick_region_study_runs_whole_and_plain_mlflow_ui_lists_it(cli):
    small = ("pretrain_steps=2", "pretrain_batch=8", "eval_images=16", "forwards=52")  # the bank starts at 50
    done = cli(
        "run", "studies/three_fixes.yaml", "--quick", "--engine", "inline", *(w for s in small for w in ("--set", s)), timeout=280
    )
    assert done.returncode == 0, done.stderr
    found = verdict(cli.folder, "three_fixes-quick")
    assert set(found["fixes"]) == {"logit_scale", "bbox_filter", "memory_bank"}
    verdicts = [claim["verdict"] for claim in found["claims"]]
    assert verdicts.count("untestable") == 4  # the logits' reach twice, the late loss, and 10 trainer steps
    assert len(rows(cli.folder, "three_fixes-quick")) == found["design"]["planned"]
    assert_listed_by_the_ui(cli.folder, {row["mlflow_run_id"] for row in rows(cli.folder, "three_fixes-quick")})


def assert_listed_by_the_ui(folder, ids):
    """Start `mlflow ui` as a user does, and ask what its page asks for."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ui = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "ui", "--port", str(port), "--workers", "1"],
        cwd=folder, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/health"))
        api = f"http://127.0.0.1:{port}/ajax-api/2.0/mlflow"
        experiment = ask(f"{api}/experiments/get-by-name?experiment_name=three_fixes-quick")["experiment"]
        listed = ask(f"{api}/runs/search", {"experiment_ids": [experiment["experiment_id"]], "max_results": 500})["runs"]
        children = {run["info"]["run_id"]: run for run in listed if any(t["key"] == "cell" for t in run["data"]["tags"])}
        assert set(children) == ids
        some = next(key for key, run in children.items() if {"key": "arm", "value": "all off"} in run["data"]["tags"])
        history = ask(f"{api}/metrics/get-history?run_id={some}&metric_key=train/region_loss")["metrics"]
        assert [int(point["step"]) for point in history] == list(range(52))
    finally:
        os.killpg(ui.pid, signal.SIGTERM)
        ui.wait(20)


def answers(url):
    try:
        return urllib.request.urlopen(url, timeout=2).status == 200
    except OSError:
        return False


def ask(url, body=None):
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(request, timeout=30))
