"""Models and images that others made: they are read as numbers and pixels, and nothing of them runs."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import pytest
from PIL import Image

from ablate.errors import BadInput
from ablate.targets.region_clip import check, resolve
from ablate.targets.region_clip.finehard import image_fault, locate
from ablate.targets.region_clip.photos import BrokenImage, pixels
from ablate.targets.region_clip.start import load_start
from tests.targets.small import save_clip


class Planted:
    """Pickled, it makes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self._path), "w")


def test_a_model_that_brings_code_runs_none_of_it(tmp_path: Path) -> None:
    model, ran = tmp_path / "model", tmp_path / "ran"
    save_clip(model)
    (model / "model.safetensors").unlink()
    (model / "pytorch_model.bin").write_bytes(pickle.dumps({"weight": Planted(ran)}, protocol=2))
    (model / "evil.py").write_text(f"open({str(ran)!r}, 'w')\nclass Evil: pass\n", encoding="utf-8")
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    config["auto_map"] = {"AutoModel": "evil.Evil", "AutoConfig": "evil.Evil"}
    (model / "config.json").write_text(json.dumps(config), encoding="utf-8")
    params = resolve({"model": str(model)})
    check(params)
    with pytest.raises(BadInput, match=r"holds more than numbers, and could run code\); give a model saved as safetensors"):
        load_start(params)
    assert not ran.exists()
    pickle.loads((model / "pytorch_model.bin").read_bytes())  # and it would have
    assert ran.exists()


def test_a_tokenizer_that_brings_code_runs_none_of_it(tmp_path: Path) -> None:
    model, ran = tmp_path / "model", tmp_path / "ran"
    save_clip(model)
    (model / "evil.py").write_text(f"open({str(ran)!r}, 'w')\nclass Evil: pass\n", encoding="utf-8")
    asked = {"tokenizer_class": "Evil", "auto_map": {"AutoTokenizer": ["evil.Evil", None]}}
    (model / "tokenizer_config.json").write_text(json.dumps(asked), encoding="utf-8")
    (model / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(BadInput, match=r"params\.model: the tokenizer of .* can't be loaded"):
        load_start(resolve({"model": str(model)}))
    assert not ran.exists()


@pytest.mark.parametrize(
    "config",
    [
        "[]",
        "1",
        "[" * 5000,
        '{"model_type": "clip", "vision_config": [1]}',
        '{"model_type": "clip", "text_config": [1]}',
        '{"model_type": "clip", "vision_config": {"image_size": "a"}}',
        '{"model_type": "clip", "vision_config": {"patch_size": 0}}',
    ],
    ids=range(7),
)
def test_a_configuration_of_the_wrong_kind_is_one_line(tmp_path: Path, config: str) -> None:
    (tmp_path / "config.json").write_text(config, encoding="utf-8")
    with pytest.raises(BadInput, match=r"^params\.model: ") as refused:
        check(resolve({"model": str(tmp_path)}))
    assert "\n" not in str(refused.value)


def test_what_is_no_photograph_is_a_fault_and_never_waited_for(tmp_path: Path) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / "good.jpg")
    whole = (tmp_path / "good.jpg").read_bytes()
    (tmp_path / "half.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "byte.jpg").write_bytes(b"\xff")
    (tmp_path / "page.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n")
    Image.new("1", (10_000, 10_000)).save(tmp_path / "bomb.png")
    for name in ("half.jpg", "byte.jpg", "page.jpg", "bomb.png"):
        with pytest.raises(BrokenImage):
            pixels(tmp_path / name, 8)
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "zero.jpg").symlink_to("/dev/zero")
    kinds = {name: image_fault(tmp_path / name, open_it=True) for name in ("pipe.jpg", "folder.jpg", "zero.jpg", "bomb.png")}
    assert {name: fault and fault[0] for name, fault in kinds.items()} == {
        "pipe.jpg": "missing image",
        "folder.jpg": "missing image",
        "zero.jpg": "missing image",
        "bomb.png": "broken image",
    }
    assert pixels(tmp_path / "good.jpg", 8).shape == (3, 8, 8)


def test_an_image_may_lie_anywhere_but_is_only_ever_opened_as_one(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "beside.png")
    assert image_fault(locate("../beside.png", tmp_path / "root"), open_it=True) is None
    assert image_fault(locate(str(tmp_path / "beside.png"), tmp_path / "root"), open_it=True) is None
    (tmp_path / "secret.txt").write_text("a password")
    fault = image_fault(locate("../secret.txt", tmp_path / "root"), open_it=True)
    assert fault is not None and fault[0] == "broken image" and "password" not in fault[1]
