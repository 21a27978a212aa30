"""The baseline: three fixes × seeds as they are tried today, by an Optuna grid around a transformers `Trainer`, with MLflow.

`PYTHONPATH=. python benchmarks/peer.py --seeds 6 --out FOLDER` trains all trials one after another in this process, with
torch's own number of threads, and leaves `peer.json` there: each trial's seconds, the losses of each of its forwards, its final
metrics. It needs `accelerate`.

Model, data, losses, evaluation and metrics are those of `studies/three_fixes.yaml`. The towers' forward pass,
over transformers' own layers, the loop (a Trainer) and the optimizer are its own, and of these it is also an independent check:
`time_to_verdict.py` holds the one training against the other. What both share it does not check: RoI Align, the memory bank, the
box filter, the contrastive loss, the data and the start are the region training's, and of its evaluation the held-out set and the
grid of scales.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import mlflow
import optuna
import torch

from ablate.analysis.layout import arm_label
from ablate.study import Study, load_study, parse_value
from ablate.targets.region_clip.data import training_set
from ablate.targets.region_clip.settings import resolve
from benchmarks.baseline.training import train_trial

STUDY = Path(__file__).parent.parent / "studies" / "three_fixes.yaml"
OUTCOME = "eval/region_top1"


def params_of(study: Study, on: dict[str, bool], changes: dict[str, Any]) -> dict[str, Any]:
    """A trial's params: the study's, with each fix on or off."""
    params = {**study.params, **changes}
    for name, fix in study.fixes.items():
        params |= fix.on if on[name] else fix.off
    return resolve(params)


def run_grid(out: Path, seeds: int, changes: dict[str, Any], attention: str) -> list[dict[str, Any]]:
    """Every arm with every seed, a trial each; what came of them."""
    study, trials = load_study(STUDY), list[dict[str, Any]]()
    grid: dict[str, list[Any]] = {**{name: [False, True] for name in study.fixes}, "seed": list(range(seeds))}
    data = [training_set(resolve({**study.params, **changes}), seed) for seed in range(seeds)]  # the same in all arms of a seed
    mlflow.set_tracking_uri(f"sqlite:///{out}/mlflow.db")
    mlflow.set_experiment(study.name)

    def objective(trial: optuna.Trial) -> float:
        started = time.perf_counter()
        on = {name: trial.suggest_categorical(name, [False, True]) for name in study.fixes}
        seed = trial.suggest_int("seed", 0, seeds - 1)
        arm = arm_label([name for name in on if on[name]], list(on))
        with mlflow.start_run(run_name=f"{arm} seed {seed}"):
            mlflow.log_params(trial.params)
            trained = train_trial(params_of(study, on, changes), data[seed], seed, out, attention, "mlflow")
        losses = {"region": trained.losses.region, "global": trained.losses.whole}
        seconds = time.perf_counter() - started
        trials.append({"arm": arm, "seed": seed, "seconds": seconds, "losses": losses, "metrics": trained.final})
        return trained.final[OUTCOME]

    sampler = optuna.samplers.GridSampler(grid, seed=0)
    search = optuna.create_study(
        study_name=study.name, storage=f"sqlite:///{out}/optuna.db", sampler=sampler, direction="maximize"
    )
    search.optimize(objective, n_trials=seeds * 2 ** len(study.fixes))
    return trials


def main(words: list[str] | None = None) -> None:
    """Train the grid and leave what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--out", type=Path, required=True, help="a folder; its stores are made anew")
    parser.add_argument("--attention", default="sdpa", help="transformers' implementation of attention; sdpa is its default")
    parser.add_argument("--threads", type=int, help="torch's; default its own choice")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a shared param; may be repeated")
    chosen = parser.parse_args(words)
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    out = chosen.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    changes = {key: parse_value(value) for key, _, value in (text.partition("=") for text in chosen.set)}
    trials = run_grid(out, chosen.seeds, changes, chosen.attention)
    (out / "peer.json").write_text(json.dumps(trials), encoding="utf-8")


if __name__ == "__main__":
    main()
