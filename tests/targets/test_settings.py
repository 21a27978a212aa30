"""The params: one spelling for each meaning, and a line for each value that can't be used."""

import pytest

from ablate.errors import BadInput
from ablate.targets.region_clip import DEFAULTS, resolve
from ablate.targets.region_clip.settings import SMALL_SPREAD, WORDS


def test_the_multiplier_and_its_log_are_one_param():
    assert resolve({"logit_scale_exp": 100})["logit_scale_init"] == 4.6052
    assert resolve({"logit_scale_exp": 14.285}) == resolve({"logit_scale_init": 2.6592})
    assert resolve({"min_box_area": 0.5}) == resolve({})


def test_resolving_twice_changes_nothing():
    once = resolve({"logit_scale_exp": 50, "lr": 1})
    assert resolve(once) == once
    assert set(once) == set(DEFAULTS)


def test_the_spread_is_set_for_the_small_model_alone():
    assert resolve({})["cosine_spread"] == SMALL_SPREAD
    assert resolve({"model": "some/clip"})["cosine_spread"] == 1.0
    assert resolve({"cosine_spread": 1})["cosine_spread"] == 1.0


@pytest.mark.parametrize("key", WORDS)
def test_the_fork_and_the_diagnosis_give_the_defaults_of_words(key):
    assert DEFAULTS[key] in WORDS[key]
    with pytest.raises(BadInput, match=rf"params\.{key}: 'other' can't be used; give {' or '.join(WORDS[key])}"):
        resolve({key: "other"})


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"forwards": 0}, r"params\.forwards: 0 can't be used; give a whole number of at least 1"),
        ({"bank_warmup": 50.5}, r"params\.bank_warmup: 50\.5 can't be used; give a whole number of at least 0"),
        ({"lr": "fast"}, r"params\.lr: 'fast' can't be used; give a number of at least 0"),
        ({"lr": True}, r"params\.lr: true can't be used; give a number of at least 0"),
        ({"train_text": 1}, r"params\.train_text: 1 can't be used; give true or false"),
        ({"data": ""}, r"params\.data: '' can't be used; give a path or a name"),
        ({"logit_scale_exp": -1}, r"params\.logit_scale_exp: -1 can't be used; give a number above 0"),
        ({"cosine_spread": 0}, r"params\.cosine_spread: 0 can't be used; give a number above 0"),
        ({"invalid_rate": 7}, r"params\.invalid_rate: 7 can't be used; give a share, at most 1"),
        ({"min_box_area": 2}, r"params\.min_box_area: 2 can't be used; give a share of the image, at most 1"),
        ({"val_data": "val.json"}, r"params\.val_data: 'val\.json' can't be used; give it with data"),
        ({"eval_images": 2}, r"params\.eval_images: 2 can't be used; give at least 16"),
        ({"patch_size": 7}, r"params\.patch_size: 7 can't be used; give a divisor of 64"),
        ({"hidden_size": 65}, r"params\.hidden_size: 65 can't be used; give a multiple of 32"),
        ({"region_weight": 0, "global_weight": 0}, r"params\.region_weight: 0 can't be used; give a number above 0, or one for"),
    ],
)
def test_values_that_cannot_be_used_are_named_with_the_remedy(params, message):
    with pytest.raises(BadInput, match=message):
        resolve(params)
