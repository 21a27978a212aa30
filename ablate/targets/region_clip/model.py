"""FG-CLIP's region path over transformers' `CLIPModel`."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.models.clip.configuration_clip import CLIPConfig
from transformers.models.clip.modeling_clip import CLIPModel

from ablate.targets.region_clip import tokens
from ablate.targets.region_clip.roi import roi_align
from ablate.targets.region_clip.scenes import IMAGE

#: CLIP's own pixel statistics would fit photographs; the scenes' are close to these.
MEAN, STD = 0.47, 0.25


def build_clip(hidden_size: int, vision_layers: int, text_layers: int, patch_size: int) -> CLIPModel:
    """A small CLIP for 64-pixel scenes, with random weights drawn from torch's global generator."""
    shared = {"hidden_size": hidden_size, "intermediate_size": 2 * hidden_size, "num_attention_heads": max(1, hidden_size // 32)}
    text = {"vocab_size": tokens.VOCABULARY, "num_hidden_layers": text_layers, "max_position_embeddings": tokens.MAX_CAPTION}
    text |= {"bos_token_id": tokens.BOS, "eos_token_id": tokens.EOS, "pad_token_id": tokens.PAD}
    vision = {"num_hidden_layers": vision_layers, "image_size": IMAGE, "patch_size": patch_size}
    config = CLIPConfig(text_config=shared | text, vision_config=shared | vision, projection_dim=hidden_size)
    return CLIPModel(config)


class RegionCLIP(nn.Module):
    """A CLIP whose regions are matched to their expressions.

    Args:
        clip: the towers.
        logit_scale: initial log of the multiplier of region logits; trained on. FG-CLIP keeps it apart from CLIP's own.
    """

    def __init__(self, clip: CLIPModel, logit_scale: float) -> None:
        super().__init__()
        self.clip = clip
        self.dim: int = clip.visual_projection.out_features
        self.region_logit_scale = nn.Parameter(torch.tensor(logit_scale))

    def dense_features(self, images: Tensor) -> Tensor:
        """Feature maps: the last vision layer without attention (FG-CLIP v1.0; MaskCLIP, Zhou et al. 2022).

        Args:
            images: uint8, [n, 3, height, width].

        Returns:
            [n, dim, rows, columns].
        """
        vision = self.clip.vision_model
        hidden = vision.pre_layrnorm(vision.embeddings(normalise_pixels(images)))
        *layers, last = vision.encoder.layers
        for layer in layers:
            hidden = layer(hidden, None)
        hidden = hidden[:, 1:]
        hidden = hidden + last.self_attn.out_proj(last.self_attn.v_proj(last.layer_norm1(hidden)))
        hidden = hidden + last.mlp(last.layer_norm2(hidden))
        hidden = self.clip.visual_projection(vision.post_layernorm(hidden))
        side = int(hidden.shape[1] ** 0.5)
        maps: Tensor = hidden.transpose(1, 2).unflatten(2, (side, side))
        return maps

    def regions(self, images: Tensor, boxes: Tensor, image: Tensor) -> Tensor:
        """Normalised region embeddings, [boxes, dim]; zero for boxes that pool to zero.

        Args:
            images: uint8, [n, 3, height, width].
            boxes: fractions of the image, [boxes, 4].
            image: which image each box lies on, [boxes].
        """
        return functional.normalize(roi_align(self.dense_features(images), boxes, image), dim=-1)

    def texts(self, ids: Tensor) -> Tensor:
        """Normalised text embeddings, [texts, dim], of token ids [texts, words]."""
        pooled = self.clip.text_model(input_ids=ids).pooler_output
        return functional.normalize(self.clip.text_projection(pooled), dim=-1)


def normalise_pixels(images: Tensor) -> Tensor:
    """uint8 pixels to floats of about zero mean and unit deviation."""
    return (images.float() / 255 - MEAN) / STD


def contrastive_loss(logits_i2t: Tensor, logits_t2i: Tensor) -> Tensor:
    """Symmetric cross-entropy: row i's match is column i, columns past the batch are the bank's (CLIP, Radford et al. 2021)."""
    target = torch.arange(len(logits_i2t), device=logits_i2t.device)
    return (functional.cross_entropy(logits_i2t, target) + functional.cross_entropy(logits_t2i, target)) / 2
