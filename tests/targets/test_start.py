"""The start: pretrained once and kept, or a saved CLIPModel of any size, with or without its tokenizer."""

import json

import numpy as np
import pytest
import torch

from ablate.errors import BadInput
from ablate.targets.region_clip import DEFAULTS, check, fingerprint, prepare
from ablate.targets.region_clip import start as starting
from ablate.targets.region_clip.inputs import inputs_of
from ablate.targets.region_clip.start import load_start, pretrain, start_path
from ablate.targets.region_clip.tokens import SavedTokenizer, SceneTokenizer, TrainedTokenizer
from tests.targets.small import by_metric, save_clip, settled, trained


def test_pretraining_is_deterministic_and_leaves_the_callers_random_state_alone():
    params = settled(pretrain_steps=2)
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, second = pretrain(params), pretrain(params)
    assert torch.equal(torch.rand(1), expected)
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)


def test_pretraining_is_done_once_and_kept_by_what_made_it():
    params = settled(pretrain_steps=1)
    prepare(params)
    made = (start_path(params) / "config.json").stat().st_mtime_ns
    prepare({**params, "lr": 0.5})
    assert (start_path(params) / "config.json").stat().st_mtime_ns == made
    assert start_path({**params, "pretrain_steps": 2}) != start_path(params)
    assert set(starting.KEYS) <= set(DEFAULTS)


def test_pretraining_ends_at_the_scale_that_clips_training_ends_at():
    assert load_start(settled()).logit_scale.exp().item() == pytest.approx(100)


def test_a_saved_clip_of_another_size_trains_a_few_steps(tmp_path):
    saved = save_clip(tmp_path, image=224, patch=16)
    final, run = trained(model=str(tmp_path), forwards=16, batch_size=2, eval_every=0)
    seen = by_metric(run)
    assert len(seen["train/grad_norm"]) == 2
    assert seen["train/grad_norm"].min() > 0
    assert 0 <= final["eval/region_top1"] <= 1
    params = settled(model=str(tmp_path))
    assert params["cosine_spread"] == 1.0
    assert inputs_of(params).size == 224
    assert all(torch.equal(a, b) for a, b in zip(load_start(params).parameters(), saved.parameters(), strict=True))


def test_a_model_saved_with_an_end_mark_beyond_its_vocabulary_still_pools_at_the_end_of_a_text(tmp_path):
    save_clip(tmp_path, image=32, patch=8, eos_token_id=49407)
    params = settled(model=str(tmp_path))
    clip, tokenizer = load_start(params), inputs_of(params).tokenizer
    short, longer = (torch.from_numpy(tokenizer([text], 77)) for text in ("a tiny red circle", "a tiny red square"))
    with torch.no_grad():
        one, two = (clip.text_model(input_ids=ids).pooler_output for ids in (short, longer))
    assert not torch.allclose(one, two)


def test_a_saved_tokenizer_is_used(tmp_path):
    save_clip(tmp_path)
    words = [
        "<|startoftext|>",
        "<|endoftext|>",
        *(f"{c}</w>" for c in "abcdefghijklmnopqrstuvwxyz"),
        *"abcdefghijklmnopqrstuvwxyz",
    ]
    (tmp_path / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "CLIPTokenizer"}))
    tokenizer = inputs_of(settled(model=str(tmp_path))).tokenizer
    assert isinstance(tokenizer, SavedTokenizer)
    ids = tokenizer(["ab", "a cat and a dog"], 5)
    assert ids.shape == (2, 5)
    assert ids[:, 0].tolist() == [0, 0]
    assert ids[1, -1] == 1


def test_a_models_own_pixel_statistics_are_used(tmp_path):
    save_clip(tmp_path)
    assert inputs_of(settled(model=str(tmp_path))).pixels[1][0] == 0.25  # the scenes'
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"image_mean": [0.5, 0.5, 0.5], "image_std": [0.1, 0.2, 0.3]}))
    from ablate.targets.region_clip import inputs

    inputs._inputs.cache_clear()
    assert inputs_of(settled(model=str(tmp_path))).pixels == ((0.5, 0.5, 0.5), (0.1, 0.2, 0.3))


def test_a_saved_model_is_identified_by_what_its_folder_holds(tmp_path):
    save_clip(tmp_path)
    params = settled(model=str(tmp_path))
    before = fingerprint(params)
    assert before == fingerprint(params)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"logit_scale_init_value": 1.0}))
    assert fingerprint(params) != before
    assert fingerprint(settled()) == ""


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (None, r"no usable config\.json"),
        ("{", r"no usable config\.json"),
        ('{"model_type": "bert"}', r"holds no CLIPModel \(model_type is 'bert'\)"),
        ('{"model_type": "clip", "vision_config": {"image_size": 224, "patch_size": 15}}', "uneven patches"),
    ],
)
def test_a_folder_that_holds_no_usable_clip_is_refused_before_training(tmp_path, config, message):
    if config:
        (tmp_path / "config.json").write_text(config)
    with pytest.raises(BadInput, match=rf"params\.model: .*{message}"):
        check(settled(model=str(tmp_path)))


@pytest.mark.parametrize("part", ["text_config", "vision_config"])
def test_a_model_with_attention_dropout_is_refused_since_it_would_be_trained_without(tmp_path, part):
    save_clip(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config[part]["attention_dropout"] == 0
    check(settled(model=str(tmp_path)))
    config[part]["attention_dropout"] = 0.1
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(BadInput, match=rf"params\.model: .* has {part}\.attention_dropout 0\.1 .*; set it to 0 there") as refused:
        check(settled(model=str(tmp_path)))
    assert "\n" not in str(refused.value)
    with pytest.raises(BadInput, match=rf"{part}\.attention_dropout"):  # where a hub's name is seen through too
        inputs_of(settled(model=str(tmp_path)))


def test_a_model_folder_that_is_not_there_is_refused():
    with pytest.raises(BadInput, match=r"params\.model: no folder './nowhere'; give one that CLIPModel"):
        check(settled(model="./nowhere"))


def test_weights_that_cannot_be_loaded_are_named(tmp_path):
    save_clip(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(BadInput, match=r"params\.model: .* can't be loaded"):
        load_start(settled(model=str(tmp_path)))


def test_the_scenes_tokenizer_marks_ends_cuts_and_refuses_unknown_words():
    tokenizer = SceneTokenizer()
    ids = tokenizer(["a tiny red plain ring", "a ring"], 13)
    assert ids.shape == (2, 7)
    assert ids[0, 0] == 1
    assert ids[0, -1] == SceneTokenizer.marks.end == ids.max()
    assert ids[1].tolist()[-3:] == [0, 0, 0]
    assert tokenizer(["a tiny red plain ring"], 4)[0, -1] == SceneTokenizer.marks.end
    with pytest.raises(KeyError, match="dog"):
        tokenizer(["a dog"], 13)


def test_a_trained_tokenizer_repeats_itself_and_knows_words_that_it_never_saw():
    texts = ["a man rides a horse", "a horse eats", "Two men ride"]
    one, two = TrainedTokenizer(texts, 60), TrainedTokenizer(texts, 60)
    asked = ["a horse", "mares eat oats", "ŝ"]
    assert np.array_equal(one(asked, 20), two(asked, 20))
    ids = one(asked, 20)
    assert ids.max() == 59
    assert (ids == 59).sum(axis=1).tolist() == [1, 1, 1]
    assert len({tuple(row) for row in ids.tolist()}) == 3
