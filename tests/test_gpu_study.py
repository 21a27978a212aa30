"""The study at the diagnosis's own size: what it asks for, and that it trains ViT-B/16 on real image files; here on a CPU."""

import json
import subprocess
import sys

import pytest
import torch
from transformers import CLIPConfig, CLIPModel

from ablate.design import make_plan
from ablate.engines.base import Task, execute
from ablate.study import load_study
from ablate.target import load_target
from tests.shell import ROOT, STUDY, command, environment
from tests.targets.small import write_photos

GPU = "studies/three_fixes_gpu.yaml"
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A CLIP with ViT-B/16's vision tower and a short text tower; a FineHARD folder of eight photographs, and three held out."""
    folder = tmp_path_factory.mktemp("gpu")
    (folder / "studies").symlink_to(ROOT / "studies")
    torch.manual_seed(3)
    text = {"num_hidden_layers": 2, "vocab_size": 54, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    vision = {"image_size": 224, "patch_size": 16}  # the rest is ViT-B's by default
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision)).save_pretrained(folder / "clip")
    words = ["<|startoftext|>", "<|endoftext|>", *(f"{letter}</w>" for letter in LETTERS), *LETTERS]
    (folder / "clip" / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (folder / "clip" / "merges.txt").write_text("#version: 0.2\n")
    (folder / "clip" / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "CLIPTokenizer"}))
    rows = write_photos(folder / "photos", 8)
    rows[0]["bbox_info"][0]["bbox"] = [0.1, 0.1, 0.15, 0.15, 1.0]  # one that the filter drops
    (folder / "photos" / "train.json").write_text(json.dumps(rows))
    write_photos(folder / "photos", 3, "val.json")
    return folder


def test_it_is_planned_without_torch(folder):
    words = ["ablate", "plan", GPU, "--json", "--set", f"data={folder / 'photos'}", "--set", f"model={folder / 'clip'}"]
    code = f"""
import atexit, runpy, sys
sys.argv = {words}
atexit.register(lambda: print("torch" in sys.modules, file=sys.stderr))
runpy.run_module("ablate", run_name="__main__")
"""
    ran = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "False\n")
    plan = json.loads(ran.stdout)
    assert (plan["design"]["arms"], plan["design"]["seeds"], plan["runs"]) == (8, 6, 84)
    assert plan["seconds"] is None  # nobody knows before a first run is timed, and no guess is made


@pytest.mark.parametrize("words", [("plan",), ("run",), ("run", "--engine", "inline", "--device", "cpu"), ("diagnose",)])
def test_without_data_one_line_says_how_to_give_it(cli, words):
    ran = cli(words[0], GPU, *words[1:])
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == (
        "error: params.data: no such file or folder 'FINEHARD_FOLDER'; mend the path, or give it by --set data=PATH\n"
    )
    assert [path.name for path in cli.folder.iterdir()] == ["studies"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
@pytest.mark.parametrize("name", ["run", "diagnose"])
def test_without_cuda_one_line_says_that_it_asks_for_a_gpu(folder, name):
    given = ("--set", f"data={folder / 'photos'}", "--set", f"model={folder / 'clip'}")
    ran = subprocess.run(command(name, GPU, *given), cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (2, "")
    said = "resources.gpus: 0.25, but torch sees no CUDA device on this machine; give --device cpu, or mend its driver or torch"
    assert ran.stderr == f"error: {said}\n"
    assert not (folder / "reports").exists()


def test_a_study_that_asks_for_gpus_is_trained_on_a_cpu_where_it_is_told_to(cli):
    (cli.folder / "study.yaml").write_text(STUDY + "resources: {gpus: 0.25}\n")
    ran = cli("run", "study.yaml", "--device", "cpu", "--workers", "1", "--tracking-uri", "none", timeout=120)
    assert ran.returncode == 0, ran.stderr


def test_all_fixes_at_once_train_vit_b_16_in_bf16_as_the_study_has_it(folder):
    study = load_study(ROOT / GPU)
    few = {"forwards": 56, "batch_size": 1, "gradient_accumulation": 2, "eval_every": 0}
    given = {"data": str(folder / "photos"), "model": str(folder / "clip")}
    plan = make_plan(study, load_target(study.target), params={**few, **given})
    plan.check()
    arm = plan.cells[plan.arms[max(plan.layout.arms, key=len)]].params | {"forwards": 4, "bank_warmup": 1}
    assert (arm["precision"], arm["cosine_spread"], arm["bank_size"]) == ("bf16", 1.0, 128)
    done = execute(Task("one", study.target, arm, 0))
    assert (done.state, done.error) == ("completed", "")
    points = {name: [value for n, _, value in done.points if n == name] for name, _, _ in done.points}
    assert points["logit_scale/log"][0] == 4.59375  # bf16's neighbour of ln 100
    assert len(points["train/grad_norm"]) == 2 and min(points["train/grad_norm"]) > 0
    assert points["bank/ptr"][-1] > 0
    assert 0 <= done.metrics["eval/region_top1"] <= 1
    assert done.metrics["data/invalid_share"] == 0
