"""Where the region training's constants come from: `PYTHONPATH=. python benchmarks/start.py` prints four tables in some minutes.

1. The spread of region cosines at the start, and the `cosine_spread` that gives their logits the diagnosis's standard deviation.
2. The same of CLIPs with random weights by width, up to ViT-B/16's: how far the spread is a matter of size.
3. The learning rate: what each leaves of the image-text loss, and what it teaches of regions, all fixes off and all on.
4. The region loss of the first optimizer step, of seeds 0 to 5, beside ln 4: in a diagnosis's trainings and in a study's.

Seeds of the first three are 100 and up; the studies use those from 0.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

import torch
from transformers import CLIPConfig, CLIPModel

from ablate.run import Run
from ablate.targets.region_clip import resolve, train
from ablate.targets.region_clip.data import training_set, windows
from ablate.targets.region_clip.loop import make_bank, make_model
from ablate.targets.region_clip.model import RegionCLIP, build_clip, contrastive_loss
from ablate.targets.region_clip.optimizer import Optimizer
from ablate.targets.region_clip.probes import Probes
from ablate.targets.region_clip.scenes import make_scenes
from ablate.targets.region_clip.tokens import SceneTokenizer
from ablate.targets.region_clip.trainer import Trainer

CPU = torch.device("cpu")
SEEDS = (100, 101, 102)
#: exp of 2.6592 in bf16, and the mean of the three standard deviations that the diagnosis printed.
SCALE, REPORTED = 14.2428, (0.3086 + 0.2617 + 0.2754) / 3
ON = {"logit_scale_init": 4.6052, "box_filter": "valid", "min_box_area": 0.01, "bank_warmup": 50}


@torch.no_grad()
def spread(model: RegionCLIP, params: Mapping[str, Any], seed: int, forwards: int) -> tuple[float, float]:
    """Median over forwards of the logits' standard deviation and of the region loss, at scale 14.24 and a spread of 1."""
    data = training_set({**params, "forwards": forwards}, seed)
    deviations, losses = [], []
    for batch in windows(data, 4, 1, "valid", 0.0, model.side, CPU):
        regions, texts = (
            model.regions(batch.images, batch.boxes, batch.image),
            model.texts(batch.expressions.ids)[batch.expressions.place],
        )
        logits = SCALE * regions @ texts.T
        if logits.numel() > 1:
            deviations.append(logits.std().item())
            losses.append(contrastive_loss(logits, logits.T).item())
    return statistics.median(deviations), statistics.median(losses)


def spread_table() -> None:
    """The start of the studies."""
    params = resolve({})
    model = make_model(params, CPU).eval()
    print("| seed | std of logits at scale 14.24 | spread that gives 0.282 |\n| --- | ---: | ---: |")
    found = []
    for seed in SEEDS:
        deviation, _ = spread(model, params, seed, 256)
        found.append(REPORTED / deviation)
        print(f"| {seed} | {deviation:.3f} | {found[-1]:.4f} |")
    print(f"| median | | {statistics.median(found):.3f} |\n")


def width_table() -> None:
    """CLIPs of random weights on the same scenes."""
    print("| random weights | std of logits, 3 draws | region loss, 3 draws (chance among 4: 1.386) |\n| --- | --- | --- |")
    for name, build, size, forwards in (
        ("hidden 64, patch 8, 64 px", lambda: small(64), 64, 64),
        ("hidden 512, patch 8, 64 px", lambda: small(512), 64, 16),
        ("ViT-B/16, 224 px", vit_b, 224, 8),
    ):
        rows = []
        for draw in range(3):
            torch.manual_seed(draw)
            rows.append(random_spread(RegionCLIP(build(), 0.0).eval(), size, forwards))
        print(f"| {name} | {', '.join(f'{d:.2f}' for d, _ in rows)} | {', '.join(f'{x:.2f}' for _, x in rows)} |")
    print()


@torch.no_grad()
def random_spread(model: RegionCLIP, size: int, forwards: int) -> tuple[float, float]:
    """As `spread`, for a model that no params describe."""
    scenes, tokenizer = make_scenes(4 * forwards, 100, size=size), SceneTokenizer()
    deviations, losses = [], []
    for start in range(0, 4 * forwards, 4):
        here = range(start, start + 4)
        boxes = torch.cat([torch.from_numpy(scenes.boxes[i, : scenes.counts[i]]) for i in here])
        image = torch.cat([torch.full((int(scenes.counts[i]),), i - start) for i in here])
        texts = model.texts(torch.from_numpy(tokenizer([text for i in here for text in scenes.expressions[i]], 13)))
        logits = SCALE * model.regions(torch.from_numpy(scenes.images[start : start + 4]), boxes, image) @ texts.T
        deviations.append(logits.std().item())
        losses.append(contrastive_loss(logits, logits.T).item())
    return statistics.median(deviations), statistics.median(losses)


def small(hidden: int) -> CLIPModel:
    """The studies' model, of another width."""
    return build_clip(hidden, 3, 2, 8, SceneTokenizer.marks, 13)


def vit_b() -> CLIPModel:
    """CLIP ViT-B/16 with random weights and the scenes' vocabulary."""
    marks = SceneTokenizer.marks
    ids = {"vocab_size": marks.size, "bos_token_id": marks.begin, "eos_token_id": marks.end, "pad_token_id": marks.pad}
    return CLIPModel(CLIPConfig(text_config=ids, vision_config={"image_size": 224, "patch_size": 16}))


def rate_table() -> None:
    """Learning rates, by one run each of all off and all on."""
    print(
        "| lr | arm | image-text loss, first, last 80 forwards | top-1 at the start and at the end |\n| --- | --- | --- | --- |"
    )
    for lr in (1e-4, 3e-4, 1e-3):
        for name, arm in (("all off", {}), ("all on", ON)):
            run = Run(SEEDS[0])
            train({**arm, "lr": lr}, run)
            whole = [value for metric, _, value in run.points if metric == "train/global_loss"]
            top = [value for metric, _, value in run.points if metric == "eval/region_top1"]
            first, last = statistics.mean(whole[:80]), statistics.mean(whole[-80:])
            print(f"| {lr:g} | {name} | {first:.3f}, {last:.3f} | {top[0]:.3f}, {top[-1]:.3f} |", flush=True)


def first_loss_table() -> None:
    """The mean region loss of the first 8 forwards, all fixes off; made scenes differ with how many are made."""
    print("\n| forwards of the training | mean region loss of the first optimizer step, seeds 0 to 5 |\n| --- | --- |")
    for forwards in (134, 400):
        losses = []
        for seed in range(6):
            params = resolve({"forwards": forwards})
            model, run = make_model(params, CPU), Run(seed)
            trainer = Trainer(params, model, Optimizer(model, 0.0, 0.0), make_bank(params, model.dim, CPU), Probes(run, "loss"))
            trainer.step(next(windows(training_set(params, seed), 4, 8, "none", 0.0, model.side, CPU)), range(8), 0)
            losses.append(statistics.mean(value for metric, _, value in run.points if metric == "train/region_loss"))
        print(f"| {forwards} | {', '.join(f'{loss:.2f}' for loss in losses)} |")


if __name__ == "__main__":
    torch.set_num_threads(1)
    spread_table()
    width_table()
    rate_table()
    first_loss_table()
