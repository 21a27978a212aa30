"""Data sets of files: what is trained on and held out, and that a faulty row costs no more than itself."""

import csv
import json
import subprocess

import numpy as np
import pytest

from ablate.errors import BadInput
from ablate.targets.region_clip import check
from ablate.targets.region_clip.boxes import valid
from ablate.targets.region_clip.data import training_set
from ablate.targets.region_clip.evaluate import held_out
from ablate.targets.region_clip.photos import BrokenImage, pixels
from ablate.targets.region_clip.source import Source, fingerprint, order, split
from ablate.targets.region_clip.start import start_path
from tests.builders import write_study
from tests.shell import command, environment
from tests.targets.small import by_metric, save_clip, settled, trained, write_photos


@pytest.fixture
def photos(tmp_path):
    """68 rows of real image files, 4 of them at fault, and 12 rows held out."""
    rows = write_photos(tmp_path, 68)
    write_photos(tmp_path, 12, "val.json")
    whole = (tmp_path / rows[3]["f_path"]).read_bytes()
    (tmp_path / rows[3]["f_path"]).write_bytes(whole[: len(whole) // 2])
    (tmp_path / rows[10]["f_path"]).write_text("no image")
    (tmp_path / rows[20]["f_path"]).unlink()
    rows[30]["caption"] = rows[30]["short_caption"] = " "
    rows[40]["bbox_info"][0]["bbox"] = [float("nan"), 0, 1, 1]
    rows[41]["bbox_info"][1]["bbox"] = [0.9, 0.1, 0.2, 0.3]
    rows[42]["bbox_info"][0]["bbox"] = [0.4, 0.4, 0.4, 0.9]
    (tmp_path / "train.json").write_text(json.dumps(rows), encoding="utf-8")
    return tmp_path


KINDS = {"broken image": 2, "missing image": 1, "empty caption": 1, "not finite box": 1, "reversed box": 1}


def study(folder):
    """One fix, two seeds, a few forwards."""
    fixes = {"bbox_filter": {"off": {"box_filter": "none"}, "on": {"box_filter": "valid", "min_box_area": 0.01}}}
    params = {"forwards": 40, "pretrain_steps": 2, "eval_every": 0}
    whole = {"name": "photos", "target": "ablate.targets.region_clip:train", "params": params, "fixes": fixes}
    return write_study(folder, {**whole, "design": {"seeds": 2}, "outcome": {"metric": "eval/region_top1"}})


def run(folder, *words):
    told = ("run", study(folder), "--engine", "inline", "--tracking-uri", "none", "--out", folder / "out", *words)
    return subprocess.run(command(*told), cwd=folder, env=environment(), capture_output=True, text=True, check=False)


def test_a_folder_of_real_image_files_trains_end_to_end_and_says_what_it_left_out(photos):
    ran = run(photos, "--set", f"data={photos / 'train.json'}")
    assert ran.returncode == 0, ran.stderr
    assert "warning: params.data: left out 6 faults (2 broken image, 1 missing image" in ran.stderr
    assert ran.stderr.count("warning: params.data") == 1
    rows = list(csv.DictReader((photos / "out" / "runs.csv").open()))
    assert [row["state"] for row in rows] == ["completed"] * 4
    assert {float(row["data/faults"]) for row in rows} == {6}
    noted = [path.read_text() for path in (photos / "out" / "artifacts").glob("*/data_faults.txt")]
    assert len(noted) == 4
    assert "train.json row 4: broken image" in noted[0]
    assert "train.json row 41: not finite box" in noted[0]
    assert {kind: noted[0].count(kind) for kind in KINDS} == KINDS
    assert (photos / "out" / "report.pdf").stat().st_size > 10_000


def test_faulty_rows_may_be_refused_before_anything_is_written(photos):
    ran = run(photos, "--set", f"data={photos / 'train.json'}", "--set", "bad_rows=refuse")
    assert ran.returncode == 2
    (line,) = ran.stderr.splitlines()
    assert line.startswith("error: params.data: ")
    assert "has 6 faults (2 broken image" in line
    assert "row " in line
    assert line.endswith("mend them, or give bad_rows: skip")
    assert not (photos / "out").exists()


def test_a_data_set_that_is_not_there_is_one_line(photos):
    ran = run(photos, "--set", "data=nowhere.json")
    assert ran.returncode == 2
    (line,) = ran.stderr.splitlines()
    assert "params.data" in line
    assert "nowhere.json" in line
    assert not (photos / "out").exists()


def test_a_box_without_area_is_no_fault_of_the_data_but_what_the_filter_is_for(photos):
    params = {"data": str(photos / "train.json"), "forwards": 68, "batch_size": 4}
    off, run_off = trained(**params)
    on = trained(**params, box_filter="valid")[1]
    assert off["data/invalid_share"] > 0
    assert by_metric(run_off)["image_norm/zeros"].sum() > 0
    assert by_metric(on)["image_norm/zeros"].sum() == 0


def test_the_file_beside_it_is_held_out_and_without_one_every_fifth_row(photos):
    params = settled(data=str(photos / "train.json"))
    found = split(Source.of(params))
    assert {row.file for row in found.val} == {"val.json"}
    assert len(found.val) == 12
    regions = held_out(params)
    assert valid(regions.boxes.numpy()).all()
    assert len(regions.groups.flatten()) == 32
    alone = split(Source.of(settled(data=str(photos / "val.json"))))
    assert (len(alone.train), len(alone.val)) == (10, 2)
    assert not set(alone.train) & set(alone.val)
    other = split(Source.of(settled(data=str(photos / "val.json"), val_data=str(photos / "train.json"))))
    assert {row.file for row in other.val} == {"train.json"}


def test_each_time_round_has_every_row_once_in_an_order_of_the_seed(photos):
    rows = split(Source.of(settled(data=str(photos / "train.json")))).train
    (first, broken), (again, _), (other, _) = (order(rows, 128, seed, 64) for seed in (0, 0, 1))
    assert first == again != other
    assert len(broken) == 2
    usable = len(rows) - 2
    assert len(set(first[:usable])) == usable
    assert {row.row for row in first} == {row.row for row in rows} - {4, 11}


def test_texts_are_short_or_long_by_chance_or_by_param(photos):
    whole = {"data": str(photos / "train.json"), "forwards": 16}
    short, long, both = (training_set(settled(**whole, expression=kind), 0).expressions for kind in ("short", "long", "both"))
    short, long, both = (ids.argmax(axis=2) for ids in (short, long, both))  # the end mark has the highest id
    there = short > 0
    assert (short < long)[there].all()
    assert ((both == short) | (both == long)).all()
    assert 0.3 < (both == short)[there].mean() < 0.7


def test_arms_of_a_seed_see_the_same_photos(photos):
    params = settled(data=str(photos / "train.json"), forwards=16)
    off, on = training_set(params, 0), training_set({**params, "box_filter": "valid", "bank_warmup": 0}, 0)
    assert off is on
    assert not np.array_equal(off.boxes, training_set(params, 1).boxes)


def test_an_image_that_breaks_after_the_check_costs_its_row_alone(photos):
    params = settled(data=str(photos / "train.json"), forwards=24)
    with pytest.warns(UserWarning, match="left out 6 faults"):
        check(params)
    pixels.cache_clear()
    victim = split(Source.of(params)).train[0].image
    victim.write_bytes(victim.read_bytes()[:40])
    final = trained(**{key: params[key] for key in ("data", "forwards")})[0]
    assert final["data/faults"] == 7


def test_images_none_of_which_can_be_decoded_are_named(photos):
    rows = split(Source.of(settled(data=str(photos / "train.json")))).train[:3]
    for row in rows:
        row.image.write_text("broken")
    pixels.cache_clear()
    with pytest.raises(BadInput, match=r"params\.data: none of its 3 images can be decoded"):
        order(rows, 8, 0, 64)
    with pytest.raises(BrokenImage, match="cannot identify"):
        pixels(rows[0].image, 64)


def test_data_without_boxes_is_refused(tmp_path):
    rows = write_photos(tmp_path, 10)
    (tmp_path / "train.json").write_text(json.dumps([{**row, "bbox_info": []} for row in rows]))
    with pytest.raises(BadInput, match=r"params\.data: .* has no box to train on; give data with bbox_info"):
        check(settled(data=str(tmp_path / "train.json")))


def test_a_box_that_could_not_be_used_counts_as_invalid(photos):
    final = trained(data=str(photos / "train.json"), forwards=4)[0]
    rows = json.loads((photos / "train.json").read_text())
    lost = {3, 10, 20, 30}  # broken, missing and without a caption: the last two never come to their boxes, the first two do
    boxes = [region["bbox"][:4] for i, row in enumerate(rows) for region in row["bbox_info"] if i not in lost - {3, 10}]
    invalid = sum(not (0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1) for x1, y1, x2, y2 in boxes)
    assert invalid == 3
    assert (final["data/boxes"], final["data/invalid_share"]) == (len(boxes), pytest.approx(3 / len(boxes)))


def test_no_image_is_both_trained_on_and_held_out(tmp_path):
    rows = write_photos(tmp_path, 10)
    (tmp_path / "train.json").write_text(json.dumps([row for row in rows for _ in range(2)]))
    found = split(Source.of(settled(data=str(tmp_path / "train.json"))))
    assert (len(found.train), len(found.val)) == (16, 4)
    assert not {row.image for row in found.train} & {row.image for row in found.val}
    (tmp_path / "other.json").write_text(json.dumps(rows[3:5]))
    with pytest.raises(BadInput, match=r"params\.val_data: .* holds 2 images that are trained on too, train-003\.png for one"):
        check(settled(data=str(tmp_path / "train.json"), val_data=str(tmp_path / "other.json")))


def test_of_a_folder_the_files_named_val_are_held_out(photos):
    found = split(Source.of(settled(data=str(photos))))
    assert {row.file for row in found.val} == {"val.json"}
    assert {row.file for row in found.train} == {"train.json"}


def test_held_out_images_that_are_all_broken_are_refused_before_training(tmp_path):
    write_photos(tmp_path, 6)
    for row in write_photos(tmp_path, 4, "val.json"):
        (tmp_path / row["f_path"]).write_text("broken")
    refused = pytest.raises(BadInput, match=r"params\.val_data: .* holds out fewer than two valid boxes")
    with refused, pytest.warns(UserWarning, match="left out 4 faults"):
        check(settled(data=str(tmp_path / "train.json")))


def test_texts_boxes_and_images_identify_a_data_set_and_the_start_made_from_it(photos):
    params = settled(data=str(photos / "train.json"))

    def identity():
        for cached in (split, fingerprint):
            cached.cache_clear()
        return fingerprint(Source.of(params)), start_path(params)

    before = identity()
    assert identity() == before
    rows = json.loads((photos / "train.json").read_text())
    rows[0]["bbox_info"][0]["long_expr"] += " again"
    (photos / "train.json").write_text(json.dumps(rows))
    reworded = identity()
    image = photos / rows[0]["f_path"]
    whole = bytearray(image.read_bytes())
    whole[-30] ^= 1
    image.write_bytes(bytes(whole))
    repainted = identity()
    assert before[0] != reworded[0] == repainted[0]  # names and sizes of images, not their bytes
    assert len({path for _, path in (before, reworded, repainted)}) == 3


def test_runs_of_data_that_has_changed_since_are_not_taken_for_this_studys(photos):
    words = ("--set", f"data={photos / 'train.json'}", "--set", "forwards=4")
    assert run(photos, *words).returncode == 0
    assert "0 trained now" in run(photos, *words).stdout
    rows = json.loads((photos / "train.json").read_text())
    (photos / "train.json").write_text(json.dumps(rows[:50]))
    changed = run(photos, *words)
    assert changed.returncode == 2
    assert changed.stderr.splitlines()[-1].endswith("has changed since; give --fresh, or another folder")
    fresh = run(photos, *words, "--fresh")
    assert fresh.returncode == 0
    assert "4 trained now" in fresh.stdout


def test_too_little_held_out_is_refused(tmp_path):
    write_photos(tmp_path, 3)
    with pytest.raises(BadInput, match=r"params\.val_data: .* holds out fewer than two valid boxes; give more rows"):
        check(settled(data=str(tmp_path / "train.json")))


def test_photos_train_a_saved_clip_of_224_pixels(photos):
    save_clip(photos / "clip", image=224, patch=16)
    whole = {"data": str(photos / "train.json"), "model": str(photos / "clip")}
    final, run = trained(**whole, forwards=4, batch_size=2, gradient_accumulation=2, eval_every=0)
    assert by_metric(run)["train/grad_norm"].min() > 0
    assert 0 <= final["eval/region_top1"] <= 1
