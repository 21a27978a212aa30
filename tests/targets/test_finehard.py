"""FineHARD's files, written here: what is read, what is left out, and what each fault says."""

import json
import math
import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ablate.errors import BadInput
from ablate.targets.region_clip.finehard import Dataset, Fault, Region, coordinates, read_finehard

BOX = [0.1, 0.2, 0.5, 0.6, 1.0]


def region(**changes):
    return {
        "bbox": BOX,
        "short_expr": "a cat",
        "long_expr": "a cat on a mat",
        "flag_short_neg": 0,
        "short_expr_negs": {},
        **changes,
    }


def row(**changes):
    return {"f_path": "images/0.jpg", "caption": "A cat lies.", "short_caption": "A cat.", "bbox_info": [region()], **changes}


def without(key, value):
    return {name: part for name, part in value.items() if name != key}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images").mkdir()
    Image.new("RGB", (40, 30), "red").save(tmp_path / "images/0.jpg")
    return tmp_path


def write(folder, value, name="train.json"):
    (folder / name).write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return folder / name


def read(folder, *rows, **options):
    return read_finehard(write(folder, [row(), *rows]), **options)


def test_a_row_is_read_with_its_image_captions_boxes_and_expressions(folder):
    data = read_finehard(write(folder, [row()]))
    assert data.faults == ()
    (only,) = data.rows
    assert (only.file, only.row, only.image) == ("train.json", 1, folder / "images/0.jpg")
    assert (only.caption, only.short_caption) == ("A cat lies.", "A cat.")
    assert only.regions == (Region((0.1, 0.2, 0.5, 0.6), "a cat", "a cat on a mat"),)


def test_the_same_rows_come_from_a_list_from_lines_from_a_text_file_and_from_a_folder(folder):
    rows = [row(caption=f"Cat {number}.") for number in range(4)]
    captions = [part["caption"] for part in rows]
    (folder / "parts").mkdir()
    for name, part in (("b.jsonl", rows[2:]), ("a.json", rows[:2])):
        text = "\n".join(map(json.dumps, part)) + "\n" if name.endswith("l") else json.dumps(part)
        write(folder / "parts", text, name)
    write(folder / "parts", "not data", "notes.md")
    write(folder / "parts", "{", ".hidden.json")
    forms = {
        "a list": write(folder, rows, "list.json"),
        "lines, one of them blank": write(folder, "\n\n".join(map(json.dumps, rows)), "lines.jsonl"),
        "lines that are a list": write(folder, rows, "list.jsonl"),
        "a text file": write(folder, "parts/a.json\n\nparts/b.jsonl\n", "all.txt"),
        "a folder": folder / "parts",
    }
    for form, path in forms.items():
        data = read_finehard(path, image_root=folder)
        assert [part.caption for part in data.rows] == captions, form
        assert data.faults == (), form


def test_rows_are_numbered_from_1_and_json_lines_by_their_line(folder):
    bad = row(caption="", short_caption=" ")
    lines = "\n".join(["", json.dumps(row()), "", json.dumps(bad)])
    assert [fault.row for fault in read_finehard(write(folder, [row(), bad])).faults] == [2]
    assert [fault.row for fault in read_finehard(write(folder, lines, "x.jsonl")).faults] == [4]


def test_images_are_looked_for_beside_each_json_file_unless_a_root_is_given(folder):
    (folder / "deep").mkdir()
    write(folder / "deep", [row()], "deep.json")
    listing = write(folder, "train.json\ndeep/deep.json", "all.txt")
    write(folder, [row()])
    assert [(fault.file, fault.kind) for fault in read_finehard(listing).faults] == [("deep/deep.json", "missing image")]
    assert read_finehard(listing, folder).faults == ()


def test_the_prefix_of_the_published_rows_is_stripped_as_fgclip_strips_it_unless_the_file_is_there(folder):
    published = row(f_path="grit-20m/data-12m/images/0.jpg")
    assert read(folder, published).rows[1].image == folder / "images/0.jpg"
    (folder / "grit-20m/data-12m/images").mkdir(parents=True)
    Image.new("RGB", (4, 4)).save(folder / "grit-20m/data-12m/images/0.jpg")
    assert read(folder, published).rows[1].image == folder / "grit-20m/data-12m/images/0.jpg"


#: What is wrong with a row → (the row, kind of the fault, its detail). The row is dropped.
BAD_ROWS = {
    "no object": ([1, 2], "malformed row", "a list in place of an object"),
    "null": (None, "malformed row", "null in place of an object"),
    "no f_path": (without("f_path", row()), "malformed row", "f_path is missing"),
    "a caption that is no text": (row(caption=7), "malformed row", "caption is 7, and must be a text"),
    "no bbox_info": (without("bbox_info", row()), "malformed row", "bbox_info is missing"),
    "bbox_info that is no list": (row(bbox_info={"a": 1}), "malformed row", "bbox_info is {'a': 1}, and must be a list"),
    "blank captions": (row(caption=" \n", short_caption=""), "empty caption", "caption and short_caption are blank"),
    "an image that isn't there": (row(f_path="images/9.jpg"), "missing image", "images/9.jpg"),
    "a folder in place of an image": (row(f_path="images"), "missing image", "images"),
    "a blank path": (row(f_path=""), "missing image", ""),
    "a path with a zero byte": (row(f_path="images/\0.jpg"), "missing image", r"\x00"),
    "a path that no file system takes": (row(f_path="x" * 5000), "missing image", "..."),
    "half a character": (row(f_path="\ud800.jpg"), "missing image", r"\ud800"),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_a_faulty_row_is_dropped_counted_and_named(folder, case):
    bad, kind, detail = BAD_ROWS[case]
    data = read(folder, bad, row(caption="The last."))
    assert [part.row for part in data.rows] == [1, 3]
    (fault,) = data.faults
    assert (fault.file, fault.row, fault.kind) == ("train.json", 2, kind)
    assert detail in str(fault)
    assert str(fault).isprintable()
    assert data.counts() == {kind: 1}


#: What is wrong with a region → (the region, kind of the fault, its detail). The region is dropped, the row kept.
BAD_REGIONS = {
    "no object": ("a cat", "malformed box", "region 2 is a text in place of an object"),
    "no bbox": (without("bbox", region()), "malformed box", "region 2: bbox is missing"),
    "three numbers": (region(bbox=[0, 0, 1]), "malformed box", "region 2: bbox is [0, 0, 1]"),
    "six numbers": (region(bbox=[0, 0, 1, 1, 1, 1]), "malformed box", "region 2"),
    "numbers as texts": (region(bbox=["0", "0", "1", "1"]), "malformed box", "bbox is ['0', '0', '1', '1']"),
    "truths": (region(bbox=[False, False, True, True]), "malformed box", "[False, False, True, True]"),
    "null": (region(bbox=None), "malformed box", "bbox is None"),
    "not a number": (region(bbox=[math.nan, 0, 1, 1]), "not finite box", "bbox is [nan, 0, 1, 1]"),
    "infinity": (region(bbox=[0, 0, math.inf, 1]), "not finite box", "inf"),
    "beyond floats": (region(bbox=[0, 0, 10**400, 1]), "not finite box", "region 2"),
    "reversed in x": (region(bbox=[0.5, 0, 0.4, 1]), "reversed box", "bbox is [0.5, 0, 0.4, 1]"),
    "reversed in y": (region(bbox=[0, 0.5, 1, 0.4, 1.0]), "reversed box", "region 2"),
    "no expression": (without("long_expr", region()), "malformed expression", "region 2: short_expr and long_expr must be texts"),
    "a number for an expression": (region(short_expr=1), "malformed expression", "region 2"),
    "blank expressions": (
        region(short_expr=" ", long_expr=""),
        "empty expression",
        "region 2: short_expr and long_expr are blank",
    ),
}


@pytest.mark.parametrize("case", BAD_REGIONS)
def test_a_faulty_region_is_dropped_and_its_row_kept(folder, case):
    bad, kind, detail = BAD_REGIONS[case]
    data = read(folder, row(bbox_info=[region(), bad, region(short_expr="the last")]))
    assert [part.short for part in data.rows[1].regions] == ["a cat", "the last"]
    (fault,) = data.faults
    assert (fault.row, fault.kind) == (2, kind)
    assert detail in str(fault)
    assert data.counts()[kind] == 1


def test_a_dropped_row_has_one_fault_whatever_its_regions(folder):
    data = read(folder, row(f_path="nowhere.jpg", bbox_info=[region(bbox=None)] * 3))
    assert data.counts() == {"missing image": 1}


def test_boxes_of_no_area_or_out_of_the_image_are_what_the_filter_is_about_and_pass(folder):
    boxes = [[0.5, 0.5, 0.5, 0.9], [0.2, 0.2, 0.2, 0.2], [-0.5, 0, 1, 1], [0, 0, 1.5, 2], [0, 0, 0, 0]]
    data = read(folder, row(bbox_info=[region(bbox=box) for box in boxes]))
    assert [list(part.box) for part in data.rows[1].regions] == boxes
    assert data.faults == ()


def test_where_one_of_two_texts_is_blank_the_other_stands_in(folder):
    texts = [("", "long"), ("short", " ")]
    data = read(folder, *(row(caption=a, short_caption=b, bbox_info=[region(short_expr=a, long_expr=b)]) for a, b in texts))
    assert data.faults == ()
    assert [(part.caption, part.short_caption) for part in data.rows[1:]] == [("long", "long"), ("short", "short")]
    assert [(part.regions[0].short, part.regions[0].long) for part in data.rows[1:]] == [("long", "long"), ("short", "short")]


def test_a_row_without_boxes_is_a_row(folder):
    assert read(folder, row(bbox_info=[])).rows[1].regions == ()


def test_broken_images_are_found_where_they_are_opened_and_only_there(folder):
    (folder / "images/text.jpg").write_text("no picture")
    (folder / "images/empty.png").write_bytes(b"")
    Image.effect_noise((90, 90), 50).save(folder / "images/whole.png")
    (folder / "images/cut.png").write_bytes((folder / "images/whole.png").read_bytes()[:2000])
    names = ("text.jpg", "empty.png", "cut.png", "whole.png")
    rows = [row(f_path=f"images/{name}") for name in names]
    assert read(folder, *rows).faults == ()
    data = read(folder, *rows, open_images=True)
    assert [(fault.row, fault.kind) for fault in data.faults] == [(number, "broken image") for number in (2, 3, 4)]
    assert str(data.faults[0]).endswith(f"broken image ({folder}/images/text.jpg: cannot identify image file it)")


def test_an_image_that_breaks_only_when_decoded_can_be_counted_as_the_same_kind_of_fault(folder):
    Image.effect_noise((90, 90), 50).convert("RGB").save(folder / "images/whole.jpg")
    (folder / "images/cut.jpg").write_bytes((folder / "images/whole.jpg").read_bytes()[:1500])
    cut = read(folder, row(f_path="images/cut.jpg"), open_images=True).rows[1]
    with pytest.raises(OSError, match="truncated") as raised:
        Image.open(cut.image).load()
    fault = cut.broken_image(raised.value)
    assert str(fault).startswith(f"train.json row 2: broken image ({folder}/images/cut.jpg: image file is truncated")


def test_a_fault_is_one_line():
    assert str(Fault("train.json", 12, "broken image", "images/000.jpg: cut short")) == (
        "train.json row 12: broken image (images/000.jpg: cut short)"
    )


#: What is wrong → (the file's name, its text, the line that says so).
BAD_FILES = {
    "text": ("a.json", "hello", r"a\.json is not JSON at line 1, column 1 \(Expecting value\); mend it there"),
    "nothing": ("a.json", "", r"a\.json is not JSON at line 1, column 1 .*; it may be cut short"),
    "cut short": ("a.json", '[\n{"f_path": "x",', r"not JSON at line 2, column \d+ .*; it may be cut short: fetch it again"),
    "cut in a text": (
        "a.json",
        '[\n{"f_path": "x',
        r"not JSON at line 2, column 12 \(Unterminated string .*; it may be cut short",
    ),
    "lines in a .json": ("a.json", "{}\n{}", r"not JSON at line 2, column 1 \(Extra data\); .* name it \.jsonl if it holds one"),
    "a bad line": ("a.jsonl", '{}\n\n{"f_path": x}', r"a\.jsonl is not JSON at line 3, column 12 \(Expecting value\)"),
    "a bad list in lines": ("a.jsonl", "[{},", r"a\.jsonl is not JSON at line 1, column \d"),
    "an object": ("a.json", "{}", r"a\.json holds an object, and must hold a list of rows"),
    "an empty list": ("a.json", "[]", r"a\.json holds no rows; give a file that does"),
    "no lines": ("a.jsonl", "\n", r"a\.jsonl holds no rows"),
    "too many digits": ("a.json", "[" + "1" * 5000 + "]", r"a\.json can't be parsed from line 1"),
    "too deep": ("a.json", "[" * 100_000, r"a\.json can't be parsed from line 1"),
    "another kind of file": (
        "a.csv",
        "x",
        r"a\.csv must be a \.json or \.jsonl file, a \.txt that lists such files, or a folder",
    ),
    "a list of nothing": ("a.txt", "\n", r"a\.txt lists no files; give one \.json or \.jsonl a line"),
    "a list of what isn't there": ("a.txt", "b.json", r"a\.txt lists 'b\.json', but .*/b\.json is no file; mend the line"),
    "a list of lists": ("a.txt", "a.txt", r"a\.txt lists 'a\.txt' \(file 1\), and must list \.json or \.jsonl"),
    "no usable row": (
        "a.json",
        "[1, {}, {}]",
        r"has no usable row: 3 malformed row; the first: a\.json row 1: malformed row \(a number in place of an object\); mend",
    ),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_is_one_line_with_params_data_its_value_and_the_remedy(tmp_path, case):
    name, text, message = BAD_FILES[case]
    with pytest.raises(BadInput, match=message) as raised:
        read_finehard(write(tmp_path, text, name))
    assert str(raised.value).startswith("params.data: ")
    assert name in str(raised.value)
    assert "\n" not in str(raised.value)


def test_missing_files_empty_folders_wrong_roots_and_other_encodings_are_named(folder):
    with pytest.raises(BadInput, match=r"params\.data: .*/nowhere\.json: no such file or folder; mend the path"):
        read_finehard(folder / "nowhere.json")
    with pytest.raises(BadInput, match=r"params\.data: .*/images is a folder without \*\.json or \*\.jsonl"):
        read_finehard(folder / "images")
    with pytest.raises(BadInput, match=r"params\.image_root: .*/nowhere is no folder"):
        read_finehard(write(folder, [row()]), folder / "nowhere")
    (folder / "utf16.json").write_bytes(json.dumps([row()]).encode("utf-16"))
    with pytest.raises(BadInput, match=r"utf16\.json is not UTF-8 text; save it as UTF-8"):
        read_finehard(folder / "utf16.json")
    (folder / "bom.json").write_bytes(json.dumps([row(caption="Kötzchen")]).encode("utf-8-sig"))
    assert read_finehard(folder / "bom.json").rows[0].caption == "Kötzchen"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(string.ascii_lowercase, max_size=4), inner, max_size=3),
    max_leaves=8,
)
NUMBER = st.floats() | st.integers(-2, 2) | st.integers()
REGIONS = st.fixed_dictionaries({}, optional={
    "bbox": ANYTHING | st.lists(NUMBER, min_size=3, max_size=6), "short_expr": ANYTHING | st.text(), "long_expr": st.text(),
})  # fmt: skip
ROWS = ANYTHING | st.fixed_dictionaries({}, optional={
    "f_path": ANYTHING | st.just("images/0.jpg"), "caption": ANYTHING | st.text(), "short_caption": st.text(),
    "bbox_info": ANYTHING | st.lists(ANYTHING | REGIONS, max_size=4),
})  # fmt: skip


@given(rows=st.lists(ROWS, max_size=6), open_images=st.booleans())
def test_whatever_rows_hold_they_become_rows_or_faults(tmp_path_factory, rows, open_images):
    folder = tmp_path_factory.getbasetemp()
    (folder / "images").mkdir(exist_ok=True)
    if not (folder / "images/0.jpg").exists():
        Image.new("RGB", (4, 3)).save(folder / "images/0.jpg")
    data = read(folder, *rows, open_images=open_images)
    assert isinstance(data, Dataset)
    dropped = {fault.row for fault in data.faults} - {part.row for part in data.rows}
    assert len(data.rows) + len(dropped) == len(rows) + 1
    assert all("\n" not in str(fault) for fault in data.faults)
    for part in data.rows[1:]:
        faults = sum(fault.row == part.row for fault in data.faults)
        assert len(part.regions) + faults == len(rows[part.row - 2]["bbox_info"])
        assert all(math.isfinite(value) for found in part.regions for value in found.box)


@given(st.lists(st.floats(allow_nan=False) | st.integers(-(10**9), 10**9), min_size=4, max_size=4), st.none() | st.floats())
def test_four_numbers_are_a_box_whatever_follows_them(box, fifth):
    assert coordinates([*box, fifth]) == coordinates(box) == tuple(map(float, box))


def test_a_hundred_thousand_rows_are_read_in_seconds(folder):
    line = json.dumps(row(bbox_info=[region()] * 3))
    path = write(folder, "\n".join([line] * 100_000), "many.jsonl")
    start = time.process_time()
    data = read_finehard(path)
    assert time.process_time() - start < 20  # some 3 s on a quiet machine
    assert len(data.rows) == 100_000
