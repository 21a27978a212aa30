"""Dense features against a straight-line CLIP in float64, written from the weights alone (Radford et al. 2021; FG-CLIP v1.0)."""

import math

import pytest
import torch
from transformers.models.clip.configuration_clip import CLIPConfig
from transformers.models.clip.modeling_clip import CLIPModel

from ablate.targets.region_clip.inputs import SCENE_PIXELS
from ablate.targets.region_clip.model import RegionCLIP

VISION = [
    {"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 2, "image_size": 64, "patch_size": 8},
    {
        "hidden_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "image_size": 224,
        "patch_size": 16,
        "hidden_act": "gelu",
    },
]
ACTIVATIONS = {
    "quick_gelu": lambda x: x / (1 + torch.exp(-1.702 * x)),
    "gelu": lambda x: x / 2 * (1 + torch.erf(x / math.sqrt(2))),
}


def double_clip(vision):
    """Towers of random weights in float64; none of the biases and scales is left at the zero or one that would hide it."""
    text = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 32, "vocab_size": 8}
    text |= {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}
    clip = CLIPModel(CLIPConfig(text_config=text, vision_config={"intermediate_size": 160, **vision}, projection_dim=48))
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in clip.parameters():
            spread = 1 / math.sqrt(weight[0].numel()) if weight.ndim > 1 else 0.3
            weight.add_(spread * torch.randn(weight.shape, generator=rng))
    return clip.double().eval()


class StraightLine:
    """What `RegionCLIP.dense_features` should compute, in plain tensor arithmetic.

    Args:
        weights: the state dict of a float64 CLIPModel.
        vision: its vision configuration.
    """

    def __init__(self, weights, vision):
        self.weights = {name.removeprefix("vision_model."): weight for name, weight in weights.items()}
        self.heads, self.layers, self.patch = vision.num_attention_heads, vision.num_hidden_layers, vision.patch_size
        self.eps, self.activation = vision.layer_norm_eps, ACTIVATIONS[vision.hidden_act]

    def linear(self, x, name):
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def norm(self, x, name):
        centred = x - x.mean(-1, keepdim=True)
        deviation = (centred.square().mean(-1, keepdim=True) + self.eps).sqrt()
        return centred / deviation * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def mlp(self, x, layer):
        return self.linear(
            self.activation(self.linear(self.norm(x, f"{layer}.layer_norm2"), f"{layer}.mlp.fc1")), f"{layer}.mlp.fc2"
        )

    def attention(self, x, name):
        q, k, v = (self.linear(x, f"{name}.{part}_proj").unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in "qkv")
        scores = torch.exp(q @ k.transpose(2, 3) / math.sqrt(q.shape[-1]))
        mixed = scores / scores.sum(-1, keepdim=True) @ v
        return self.linear(mixed.transpose(1, 2).flatten(2), f"{name}.out_proj")

    def tokens(self, images):
        """Class token and patches, [n, 1 + patches, hidden]."""
        n, _, height, width = images.shape
        pixels = (images.double() / 255 - SCENE_PIXELS[0][0]) / SCENE_PIXELS[1][0]
        grid = pixels.reshape(n, 3, height // self.patch, self.patch, width // self.patch, self.patch)
        patches = grid.permute(0, 2, 4, 1, 3, 5).reshape(n, -1, 3 * self.patch**2)
        embedded = patches @ self.weights["embeddings.patch_embedding.weight"].flatten(1).T
        first = self.weights["embeddings.class_embedding"].expand(n, 1, -1)
        return torch.cat([first, embedded], 1) + self.weights["embeddings.position_embedding.weight"]

    def dense_features(self, images):
        x = self.norm(self.tokens(images), "pre_layrnorm")
        for index in range(self.layers):
            layer = f"encoder.layers.{index}"
            inner = self.norm(x, f"{layer}.layer_norm1")
            if index < self.layers - 1:
                x = x + self.attention(inner, f"{layer}.self_attn")
            else:
                x = x + self.linear(self.linear(inner, f"{layer}.self_attn.v_proj"), f"{layer}.self_attn.out_proj")
            x = x + self.mlp(x, layer)
        x = self.norm(x, "post_layernorm") @ self.weights["visual_projection.weight"].T
        return x[:, 1:].reshape(len(x), images.shape[2] // self.patch, -1, x.shape[-1]).permute(0, 3, 1, 2)


@pytest.mark.parametrize("vision", VISION, ids=["64 px, patch 8", "224 px, patch 16"])
def test_dense_features_equal_a_straight_line_reference_in_float64(vision):
    clip, side = double_clip(vision), vision["image_size"]
    images = torch.randint(256, (2, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours = RegionCLIP(clip, 1.0).dense_features(images)
        expected = StraightLine(clip.state_dict(), clip.config.vision_config).dense_features(images)
    assert ours.shape == (2, 48, side // vision["patch_size"], side // vision["patch_size"])
    assert expected.std() > 0.5
    # 5e-7 are the pixels' own: the model normalises them in float32, the reference in float64.
    assert (ours - expected).abs().max() < 1e-6
