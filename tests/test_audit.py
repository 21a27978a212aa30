"""The audit of region data: counts against plain loops, over real files and made ones in every format and form."""

import json
import math
import random
import re
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ablate.audit import EDGES, REASONS, audit, reasons, rules
from ablate.errors import BadInput
from ablate.targets.region_clip.boxes import valid
from tests.shell import ROOT, environment

SHARED = ROOT.parent / "shared" / "data"
real = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data isn't beside the checkout")
SOUND = [0.1, 0.2, 0.5, 0.6]


def region(box, short="a cat", long="a cat on a mat"):
    return {"bbox": box, "short_expr": short, "long_expr": long}


def finehard(*boxes, **changes):
    return {"f_path": "0.jpg", "caption": "A cat.", "short_caption": "", "bbox_info": [region(box) for box in boxes], **changes}


def fgovd(box, width=640, height=480, text="A black sweater."):
    return {"img_path": "0.jpg", "bbox": box, "pos_expression": [text], "width": width, "height": height}


def write(folder, value, name="data.json"):
    (folder / name).write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return folder / name


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def counted(found):
    return {reason: count for reason, count in found.reasons.items() if count}


# Real data


def assert_as_counted_by_hand(path):
    """FG-OVD's boxes, counted from the pixels with a loop."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    small = outside = flat = 0
    for row in rows:
        x, y, w, h = row["bbox"]
        outside += x < 0 or y < 0 or round(x + w, 4) > row["width"] or round(y + h, 4) > row["height"]
        flat += w <= 0 or h <= 0
        small += w * h < 0.01 * row["width"] * row["height"]
    found = audit(path)
    assert (found.form, found.boxes, found.rows) == ("FG-OVD", len(rows), len(rows))
    assert (found.reasons["out_of_range"], found.reasons["zero_area"]) == (outside, flat)
    assert (found.invalid, found.reasons["below_area"]) == (0, small)
    assert found.images == len({row["img_path"] for row in rows})
    assert found.texts.distinct_expressions == len({row["pos_expression"][0] for row in rows})
    return found


@real
def test_fgovds_real_boxes_are_all_sound_and_a_third_is_below_one_percent():
    found = assert_as_counted_by_hand(SHARED / "fgovd_sample.jsonl")
    assert (found.boxes, found.reasons["below_area"]) == (400, 121)


@real
@pytest.mark.parametrize(("name", "boxes", "below"), [("train", 465, 257), ("val", 377, 202)])
def test_more_than_half_of_cocos_real_boxes_are_below_one_percent_and_none_is_invalid(name, boxes, below):
    found = audit(SHARED / "coco100" / f"{name}.json")
    assert (found.form, found.rows, found.images, found.boxes) == ("FineHARD", 50, 50, boxes)
    assert counted(found) == {"below_area": below}
    assert found.rules[-1].discards == below
    assert (found.faults, found.notes) == ({}, ())


def test_a_made_file_like_fgovds_is_counted_as_by_hand(tmp_path):
    rng, rows = random.Random(5), []
    for number in range(300):
        width, height = rng.choice([(640, 480), (427, 640), (500, 333)])
        x, y = round(rng.uniform(0, width - 9), 2), round(rng.uniform(0, height - 9), 2)
        w, h = round(width - x, 2), round(height - y, 2)  # to the edge, a third of them
        if number % 3:
            w, h = (round(side * 10 ** rng.uniform(-1.5, 0), 2) for side in (w, h))
        rows.append(fgovd([x, y, w, h], width, height, f"a thing {number % 50}") | {"img_path": f"{number % 200}.jpg"})
    found = assert_as_counted_by_hand(write(tmp_path, lines(rows), "made.jsonl"))
    assert 0.1 < found.reasons["below_area"] / found.boxes < 0.9


# Reasons and rules

#: A box → the one reason it is counted under.
BOXES = {
    "malformed": ["no box", None, [0, 0, 1], ["0", "0", "1", "1"], [False, False, True, True], {"x": 1}],
    "not_finite": [[math.nan, 0, 1, 1], [0, 0, math.inf, 1], [0.9, math.nan, 0.1, 1], [10**400, 0, 1, 1]],
    "reversed": [[0.5, 0, 0.4, 1], [0, 0.5, 1, 0.4], [2, 0, 1, 1], [0.5, 0.5, 0.4, 0.4]],
    "out_of_range": [[-0.1, 0, 1, 1], [0, 0, 1.01, 1], [1.2, 0, 1.2, 1], [0, 0, 1 + 1e-9, 1]],
    "zero_area": [[0.5, 0, 0.5, 1], [0, 0, 0, 0], [0.1, 0.3, 0.9, 0.3]],
    "below_area": [[0.1, 0.1, 0.19, 0.2], [0, 0, 1e-200, 1e-200]],
}


@pytest.mark.parametrize("reason", BOXES)
def test_each_box_is_counted_once_under_the_first_reason_that_applies(tmp_path, reason):
    found = audit(write(tmp_path, [finehard(*BOXES[reason], SOUND)]))
    assert counted(found) == {reason: len(BOXES[reason])}
    assert found.boxes == len(BOXES[reason]) + 1
    assert found.invalid == (0 if reason == "below_area" else len(BOXES[reason]))


def test_what_each_rule_alone_would_discard(tmp_path):
    boxes = [SOUND, [0, 0, 1, 1], [0, 0, 0.05, 0.05], [0.5, 0, 0.4, 1], [0, 0, 1.5, 1], "no box", [math.nan, 0, 1, 1]]
    found = audit(write(tmp_path, [finehard(*boxes)]), min_area=0.002)
    assert [(rule.rule, rule.min_area, rule.discards) for rule in found.rules] == [
        ("finite", None, 2),
        ("ordered", None, 3),
        ("inside", None, 3),
        ("area", 0.001, 3),
        ("area", 0.002, 3),
        ("area", 0.003, 4),
        ("area", 0.01, 4),
        ("area", 0.03, 4),
        ("diagnosis", 0.01, 5),
    ]
    assert found.reasons["below_area"] == 0
    assert found.headline == (
        "the diagnosis's rule would discard 5 of 7 boxes (71.4 %): 4 invalid, 1 sound but below 1 % of their image"
    )


COORDINATE = st.floats() | st.floats(-0.2, 1.2) | st.sampled_from([0.0, 0.1, 0.5, 1.0])


@given(st.lists(st.lists(COORDINATE, min_size=4, max_size=4) | st.none(), max_size=20), st.floats(0, 1))
def test_reasons_add_up_and_agree_with_the_training_filter_for_arbitrary_boxes(boxes, min_area):
    malformed = np.array([box is None for box in boxes], bool)
    array = np.array([box or [math.nan] * 4 for box in boxes], float).reshape(-1, 4)
    codes = reasons(array, malformed, min_area)
    assert np.array_equal(codes >= REASONS.index("below_area"), valid(array))
    assert np.array_equal(codes == len(REASONS), valid(array, min_area))
    assert np.array_equal(codes == 0, malformed)
    found = {(rule.rule, rule.min_area): rule.discards for rule in rules(array, [min_area])}
    assert found["finite", None] == sum(not all(map(math.isfinite, box)) for box in array)
    assert found["ordered", None] == sum(not (box[0] < box[2] and box[1] < box[3]) for box in array)
    assert found["inside", None] == sum(not all(0 <= value <= 1 for value in box) for box in array)
    assert found["diagnosis", 0.01] >= max(found["finite", None], found["ordered", None], found["inside", None])


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from(["bbox", "bbox_info", "id"]), inner, max_size=2),
    max_leaves=6,
)
BOX = ANYTHING | st.lists(COORDINATE | st.integers(), min_size=4, max_size=5)
NOTE = ANYTHING | st.fixed_dictionaries({"bbox": BOX}, optional=dict.fromkeys(("image_id", "category_id", "iscrowd"), ANYTHING))
PART = ANYTHING | st.fixed_dictionaries({}, optional=dict.fromkeys(("id", "width", "height", "file_name", "name"), ANYTHING))
WHOLE = {
    "FineHARD": st.lists(ANYTHING | st.builds(lambda boxes: finehard(*boxes), st.lists(BOX, max_size=4)), max_size=5).map(
        lambda rows: [finehard(), *rows]
    ),
    "FG-OVD": st.lists(ANYTHING | st.builds(fgovd, BOX, ANYTHING, ANYTHING, ANYTHING), max_size=5).map(
        lambda rows: [fgovd([0, 0, 9, 9]), *(row for row in rows if not (isinstance(row, dict) and "bbox_info" in row))]
    ),
    "COCO": st.fixed_dictionaries(
        {
            "images": st.lists(PART, min_size=1, max_size=4),
            "annotations": st.lists(NOTE, max_size=5).map(lambda notes: [{"bbox": 0}, *notes]),
        },
        optional={"categories": ANYTHING | st.lists(PART, max_size=3)},
    ),
}


@pytest.mark.parametrize("form", WHOLE)
@given(data=st.data())
def test_whatever_a_file_holds_no_box_is_lost_and_the_json_is_plain(tmp_path_factory, form, data):
    value = data.draw(WHOLE[form])
    found = audit(write(tmp_path_factory.getbasetemp(), value))
    assert found.form == form
    if form == "FineHARD":
        infos = [row["bbox_info"] for row in value if isinstance(row, dict) and isinstance(row.get("bbox_info"), list)]
        expected = sum(map(len, infos))
    elif form == "FG-OVD":
        expected = sum(isinstance(row, dict) for row in value)
    else:
        expected = len(value["annotations"]) - found.crowd_boxes
        assert found.rows == len(value["images"])
    assert found.boxes == expected
    plain = json.loads(json.dumps(found.as_json(), allow_nan=False))
    sound = plain["area"]["boxes"]
    assert plain["invalid"]["boxes"] + sound == expected
    assert sum(part["boxes"] for part in plain["area"]["histogram"]) == sound
    assert sum(part["boxes"] for part in plain["reasons"].values()) <= expected
    assert len(plain["invalid"]["first"]) == min(5, plain["invalid"]["boxes"])
    assert plain["rules"][-1]["discards"] == plain["invalid"]["boxes"] + plain["reasons"]["below_area"]["boxes"]


def test_areas_are_binned_by_fixed_edges_and_a_box_on_an_edge_belongs_to_the_next_bin(tmp_path):
    areas = [0.0001, 0.0003, 0.0099, 0.01, 0.5, 1.0]
    found = audit(write(tmp_path, [finehard(*([0, 0, 1, area] for area in areas), [0, 0, 2, 1], [0, 0, 0, 1])]))
    assert found.histogram() == [1, 1, 0, 1, 1, 0, 0, 2]
    bins = found.as_json()["area"]["histogram"]
    assert [bins[0]["from"], *(part["to"] for part in bins)] == list(EDGES)
    assert found.quantiles()[0.5] == pytest.approx((0.0099 + 0.01) / 2)
    assert audit(write(tmp_path, [finehard()])).quantiles() == {}


# Pixels


@given(st.integers(1, 5000), st.integers(0, 499_999))
def test_a_box_in_pixels_that_ends_at_the_edge_is_never_out_of_range(tmp_path_factory, size, cents):
    x = cents % (size * 100) / 100
    box = [x, x, size - x, round(size - x, 2)]
    found = audit(write(tmp_path_factory.getbasetemp(), [fgovd(box, size, size)]), min_area=0)
    assert counted(found) == {}


def test_only_boxes_in_pixels_are_allowed_an_edge_of_a_millionth(tmp_path):
    edges = [[0, 0, 640 * (1 + part), 480] for part in (0, 1e-15, 0.9e-6, 1.1e-6)] + [[-1e-4, 0, 9, 480], [-1e-2, 0, 9, 480]]
    assert counted(audit(write(tmp_path, [fgovd(box) for box in edges]))) == {"out_of_range": 2}
    assert counted(audit(write(tmp_path, [finehard([0, 0, 1 + 1e-15, 1], [-1e-9, 0, 1, 1])]))) == {"out_of_range": 2}


def test_boxes_in_pixels_are_turned_into_fractions_of_their_own_image(tmp_path):
    boxes = [fgovd([10, 10, 20, 20], 100, 100), fgovd([10, 10, 20, 20], 1000, 1000), fgovd([10, 10, 200, 20], 100, 100)]
    broken = [fgovd([0, 0, -5, 9]), fgovd([0, 0, 0, 9]), fgovd([0, 0, 9, 9], 0), fgovd([0, 0, 9, 9], "640"), fgovd(None)]
    found = audit(write(tmp_path, boxes + broken))
    assert counted(found) == {"malformed": 3, "reversed": 1, "out_of_range": 1, "zero_area": 1, "below_area": 1}
    assert found.quantiles()[1.0] == pytest.approx(0.04)


# Formats and forms


def coco():
    notes = [
        {"id": 1, "image_id": 7, "category_id": 1, "bbox": [10, 10, 50, 50], "iscrowd": 0},
        {"id": 2, "image_id": 7, "category_id": 2, "bbox": [90, 10, 20, 50]},
        {"id": 3, "image_id": 7, "category_id": 1, "bbox": [0, 0, 100, 100], "iscrowd": 1},
        {"id": 4, "image_id": 9, "category_id": 3, "bbox": [0, 0, 5, 5], "iscrowd": 0},
        {"id": 5, "image_id": 99, "category_id": 1, "bbox": [0, 0, 5, 5], "iscrowd": 0},
    ]
    images = [{"id": number, "file_name": f"{number}.jpg", "width": 100, "height": 100} for number in (7, 8, 9)]
    return {"images": images, "annotations": notes, "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]}


def test_cocos_crowds_are_counted_apart_and_a_box_of_no_image_is_malformed(tmp_path):
    found = audit(write(tmp_path, coco()))
    assert (found.form, found.rows, found.images, found.rows_without_boxes) == ("COCO", 3, 3, 1)
    assert (found.boxes, found.crowd_boxes) == (4, 1)
    assert counted(found) == {"malformed": 1, "out_of_range": 1, "below_area": 1}
    assert [(box.row, box.box, box.bbox) for box in found.first] == [(1, 2, "[90, 10, 20, 50]"), (None, 5, "[0, 0, 5, 5]")]
    assert (found.texts.distinct_expressions, found.texts.empty_expressions) == (2, 1)
    assert found.notes == ("images are not looked for in COCO data",)


def test_lists_lines_text_files_and_folders_hold_the_same_boxes(tmp_path):
    rows = [fgovd([number, 0, 30, 9 * number]) for number in range(8)]
    (tmp_path / "parts").mkdir()
    write(tmp_path / "parts", rows[:3], "a.json")
    write(tmp_path / "parts", lines(rows[3:]), "b.jsonl")
    whole = audit(write(tmp_path, rows))
    assert counted(whole) == {"zero_area": 1, "below_area": 7}
    for path in (
        write(tmp_path, lines(rows), "x.jsonl"),
        write(tmp_path, "parts/a.json\nparts/b.jsonl", "x.txt"),
        tmp_path / "parts",
    ):
        found = audit(path)
        assert (found.reasons, found.rules, found.boxes, found.texts) == (whole.reasons, whole.rules, 8, whole.texts)
        assert np.array_equal(found.areas, whole.areas)
        assert found.files == (1 if path.suffix == ".jsonl" else 2)


def test_texts_and_faults_of_rows_are_counted_and_their_boxes_kept(tmp_path):
    rows = [
        finehard(SOUND, SOUND),
        finehard(SOUND, caption=" "),
        finehard(SOUND, caption=3),
        "no row",
        {"bbox_info": [region(SOUND, "", ""), region(SOUND, None), "no region"]},
    ]
    found = audit(write(tmp_path, rows))
    assert (found.boxes, found.rows, found.rows_without_boxes) == (7, 5, 1)
    assert counted(found) == {"malformed": 1}
    assert (found.texts.distinct_expressions, found.texts.expressions, found.texts.empty_expressions) == (2, 8, 3)
    assert (found.texts.distinct_captions, found.texts.empty_captions) == (1, 1)
    assert found.faults == {"empty caption": 1, "malformed row": 3}
    assert found.first_faults[0] == "data.json row 2: empty caption (caption and short_caption are blank)"


def test_missing_images_are_named_where_some_are_found_and_noted_once_where_none_is(tmp_path):
    path = write(tmp_path, [finehard(SOUND), finehard(SOUND, f_path="1.jpg"), finehard(SOUND, f_path="2.jpg")])
    found = audit(path)
    assert found.faults == {}
    assert found.notes == (f"images not found under {tmp_path}; --image-root names their folder",)
    (tmp_path / "images").mkdir()
    Image.new("RGB", (4, 3)).save(tmp_path / "images/0.jpg")
    assert audit(path).notes == found.notes
    found = audit(path, image_root=tmp_path / "images")
    assert (found.faults, found.notes) == ({"missing image": 2}, ())
    assert found.first_faults[0] == f"data.json row 2: missing image ({tmp_path}/images/1.jpg)"


def test_the_first_five_invalid_boxes_are_named_with_file_row_and_place(tmp_path):
    write(tmp_path, [finehard(SOUND), finehard(SOUND, [0.5, 0, 0.4, 1])], "a.json")
    write(tmp_path, lines([finehard(*[[0, 0, 0, 1]] * 9)]), "b.jsonl")
    first = audit(tmp_path).first
    assert [(box.file, box.row, box.box) for box in first] == [
        ("a.json", 2, 2),
        *(("b.jsonl", 1, place) for place in range(1, 5)),
    ]
    assert (first[0].bbox, first[0].reason) == ("[0.5, 0, 0.4, 1]", "reversed")


# The command line


def test_invalid_boxes_are_a_report_and_no_error(cli):
    write(cli.folder, [finehard(SOUND, [0.5, 0, 0.4, 1], [0, 0, 0.01, 0.01])])
    done = cli("audit", "data.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 invalid of 3 boxes (33.3 %):" in done.stdout
    assert "data.json row 1 box 2: [0.5, 0, 0.4, 1]  reversed" in done.stdout
    assert re.search(r"sound, but below 1 % of its image +1 +33\.3 %", done.stdout)
    assert done.stdout.splitlines()[-1].startswith("the diagnosis's rule would discard 2 of 3 boxes (66.7 %): 1 invalid")
    found = json.loads(cli("audit", "data.json", "--json", "--min-area", "0").stdout)
    assert (found["format"], found["invalid"]["boxes"], found["reasons"]["below_area"]) == (
        "FineHARD",
        1,
        {"boxes": 0, "share": 0},
    )
    assert found["headline"] == done.stdout.splitlines()[-1]


def test_no_invalid_box_is_seen_at_a_glance_and_no_box_at_all_is_no_failure(cli):
    write(cli.folder, [finehard(SOUND, [0, 0, 0.01, 0.01], f_path="[red].jpg")], "[bold].json")
    assert "\n0 invalid of 2 boxes\n" in cli("audit", "[bold].json").stdout
    write(cli.folder, [finehard()])
    done = cli("audit", "data.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].startswith("the diagnosis's rule would discard 0 of 0 boxes: 0 invalid")
    found = json.loads(cli("audit", "data.json", "--json").stdout)
    assert (found["invalid"]["share"], found["area"]["quantiles"]) == (None, {})


def test_what_is_odd_about_a_data_set_is_said_before_its_boxes(cli):
    write(cli.folder, coco())
    out = cli("audit", "data.json").stdout
    assert "rows      3, of 3 images; 1 without boxes\nboxes     4, and 1 of crowds, not counted\n" in out
    assert "texts     2 distinct expressions among 3; 1 box without\n" in out
    assert "note      images are not looked for in COCO data\n" in out
    assert "  data.json annotation 5: [0, 0, 5, 5]  malformed\n" in out
    write(cli.folder, [finehard(*[[0, 0, 0, 1]] * 6), finehard(SOUND, caption="", f_path="[bold].jpg")])
    (cli.folder / "0.jpg").touch()
    out = cli("audit", "data.json").stdout
    assert "faults    1 row: empty caption\nfaults    1 row: missing image\n" in out
    assert "          data.json row 2: missing image ([bold].jpg)\n" in out
    assert "6 invalid of 7 boxes (85.7 %); the first 5:\n" in out


#: What is wrong → (the data's name, what it holds, more words, the line that says so).
BAD = {
    "no such file": ("", "", [], r"DATA: nowhere\.json: no such file or folder; mend the path"),
    "an unknown format": ("a.json", [{"box": SOUND}], [], r"DATA: a\.json is in no format that is known; give FineHARD"),
    "an object": ("a.json", {"a": 1}, [], r"DATA: a\.json is in no format that is known"),
    "COCO's captions": ("a.json", {"images": [{}], "annotations": [{"caption": "x"}]}, [], "in no format that is known"),
    "no rows": ("a.json", [], [], r"DATA: a\.json holds no rows"),
    "no images": ("a.json", {"images": [], "annotations": []}, [], r"DATA: a\.json holds no images"),
    "JSON cut short": ("a.json", "[{", [], r"DATA: a\.json is not JSON at line 1, column 3 .*; it may be cut short"),
    "an area beyond the image": ("a.json", [finehard()], ["--min-area", "2"], r"--min-area: 2\.0 can't be used; give a share"),
    "an area that is no number": ("a.json", [finehard()], ["--min-area", "nan"], r"--min-area: nan can't be used"),
    "a root that isn't there": ("a.json", [finehard()], ["--image-root", "x"], r"--image-root: x is no folder; give the folder"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_data_ends_in_one_line(cli, case):
    name, value, words, message = BAD[case]
    if name:
        write(cli.folder, value, name)
    done = cli("audit", name or "nowhere.json", *words)
    assert (done.returncode, done.stderr.count("\n"), done.stdout) == (2, 1, "")
    assert re.search(message, done.stderr), done.stderr


def test_files_in_two_formats_are_not_counted_together(tmp_path):
    write(tmp_path, [finehard(SOUND)], "a.json")
    write(tmp_path, coco(), "b.json")
    with pytest.raises(BadInput, match=r"DATA: .*/b\.json is COCO, but the files before it are FineHARD; audit them apart"):
        audit(tmp_path)


def test_the_audit_starts_without_anything_heavy(cli):
    write(cli.folder, [finehard(SOUND)])
    code = "import sys; sys.argv = ['ablate', 'audit', 'data.json']\nimport ablate.cli\n"
    code += "try: ablate.cli.main()\nexcept SystemExit as end:\n"
    code += "    print(end.code, {'torch', 'scipy', 'pandas', 'PIL', 'mlflow', 'optuna', 'ray'} & set(sys.modules))\n"
    done = subprocess.run([sys.executable, "-c", code], cwd=cli.folder, env=environment(), text=True, capture_output=True)
    assert done.stdout.splitlines()[-1] == "0 set()", done.stderr


def test_a_box_is_counted_once_however_many_reasons_apply():
    boxes = np.array([[2, 0, 1, 0], [1.5, 0, 1.5, 1], [math.inf, 0, 0, 0]], float)
    names = [REASONS[code] for code in reasons(boxes, np.zeros(3, bool), 0.01)]
    assert Counter(names) == {"reversed": 1, "out_of_range": 1, "not_finite": 1}
