"""FG-CLIP's region path over transformers' `CLIPModel`."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.models.clip.configuration_clip import CLIPConfig
from transformers.models.clip.modeling_clip import CLIPModel

from ablate.targets.region_clip.inputs import SCENE_PIXELS, Pixels
from ablate.targets.region_clip.roi import roi_align
from ablate.targets.region_clip.settings import SMALL_IMAGE
from ablate.targets.region_clip.tokens import Marks


def build_clip(hidden_size: int, vision_layers: int, text_layers: int, patch_size: int, marks: Marks, words: int) -> CLIPModel:
    """A small CLIP for 64-pixel images, with random weights drawn from torch's global generator.

    Args:
        marks: the tokenizer's ids of begin, end and padding, and how many ids there are.
        words: the longest text, tokens.
    """
    shared = {"hidden_size": hidden_size, "intermediate_size": 2 * hidden_size, "num_attention_heads": max(1, hidden_size // 32)}
    text = {"vocab_size": marks.size, "num_hidden_layers": text_layers, "max_position_embeddings": words}
    text |= {"bos_token_id": marks.begin, "eos_token_id": marks.end, "pad_token_id": marks.pad}
    vision = {"num_hidden_layers": vision_layers, "image_size": SMALL_IMAGE, "patch_size": patch_size}
    config = CLIPConfig(text_config=shared | text, vision_config=shared | vision, projection_dim=hidden_size)
    return CLIPModel(config)


class RegionCLIP(nn.Module):
    """A CLIP whose regions are matched to their expressions.

    Args:
        clip: the towers, any size; computed in the precision of their weights.
        logit_scale: initial log of the multiplier of region logits; trained on. FG-CLIP keeps it apart from CLIP's own.
        spread: multiplies the cosine of a region and a text. A component that all regions share, and another that all texts
            share (the modality gap: Liang et al. 2022, "Mind the Gap"), does the same to the cosines of unit vectors. A
            large CLIP has it; a small one, whose cosines spread several times as wide, gets it from here.
        pixels: mean and deviation of the images' channels.
    """

    def __init__(self, clip: CLIPModel, logit_scale: float, spread: float = 1.0, pixels: Pixels = SCENE_PIXELS) -> None:
        super().__init__()
        self.clip = clip
        self.dim: int = clip.visual_projection.out_features
        self.spread = spread
        self.region_logit_scale = nn.Parameter(torch.tensor(logit_scale))
        self._pixels = pixels

    def encode(self, images: Tensor, boxes: Tensor, image: Tensor, whole: bool = True) -> tuple[Tensor, Tensor | None]:
        """Embeddings of regions and of whole images, all but the last layer computed once for both.

        Args:
            images: uint8, [n, 3, height, width].
            boxes: fractions of the image, [boxes, 4].
            image: which image each box lies on, [boxes].
            whole: whether the whole images are wanted too.

        Returns:
            float32, norm 1: [boxes, dim], zero for boxes that pool to zero; and [n, dim] or None.
        """
        hidden = self._hidden(images)
        pooled = functional.normalize(self._pooled(hidden).float(), dim=-1) if whole else None
        return self._regions(self._dense(hidden), boxes, image), pooled

    def dense_features(self, images: Tensor) -> Tensor:
        """Feature maps: the last vision layer without attention (FG-CLIP v1.0; MaskCLIP, Zhou et al. 2022).

        Args:
            images: uint8, [n, 3, height, width].

        Returns:
            [n, dim, rows, columns].
        """
        return self._dense(self._hidden(images))

    def regions(self, images: Tensor, boxes: Tensor, image: Tensor) -> Tensor:
        """`encode` for regions alone."""
        return self.encode(images, boxes, image, whole=False)[0]

    def texts(self, ids: Tensor) -> Tensor:
        """Normalised text embeddings, float32 [texts, dim], of token ids [texts, words]."""
        pooled = self.clip.text_model(input_ids=ids).pooler_output
        return functional.normalize(self.clip.text_projection(pooled).float(), dim=-1)

    def pixel_values(self, images: Tensor) -> Tensor:
        """uint8 pixels to floats of about zero mean and unit deviation: in float32 at least, then as the towers have it."""
        weight = self.clip.visual_projection.weight
        wide = torch.promote_types(weight.dtype, torch.float32)
        mean, std = (torch.tensor(part, dtype=wide, device=images.device).view(3, 1, 1) for part in self._pixels)
        return ((images.to(wide) / 255 - mean) / std).to(weight.dtype)

    def _hidden(self, images: Tensor) -> Tensor:
        """What enters the last vision layer, class token first: [n, 1 + patches, hidden]."""
        vision = self.clip.vision_model
        hidden: Tensor = vision.pre_layrnorm(vision.embeddings(self.pixel_values(images)))
        for layer in vision.encoder.layers[:-1]:
            hidden = layer(hidden, None)
        return hidden

    def _dense(self, hidden: Tensor) -> Tensor:
        vision, last = self.clip.vision_model, self.clip.vision_model.encoder.layers[-1]
        patches = hidden[:, 1:]
        patches = patches + last.self_attn.out_proj(last.self_attn.v_proj(last.layer_norm1(patches)))
        patches = patches + last.mlp(last.layer_norm2(patches))
        features = self.clip.visual_projection(vision.post_layernorm(patches))
        side = int(features.shape[1] ** 0.5)
        maps: Tensor = features.transpose(1, 2).unflatten(2, (side, side))
        return maps

    def _pooled(self, hidden: Tensor) -> Tensor:
        """CLIP's image features, [n, dim]: in the last layer only the class token asks, since only it is read."""
        vision, last = self.clip.vision_model, self.clip.vision_model.encoder.layers[-1]
        attention, normed = last.self_attn, last.layer_norm1(hidden)
        asked, keys, values = attention.q_proj(normed[:, :1]), attention.k_proj(normed), attention.v_proj(normed)
        query, key, value = (part.unflatten(2, (attention.num_heads, -1)).transpose(1, 2) for part in (asked, keys, values))
        attended = _attend(query, key, value, attention.scale).transpose(1, 2).flatten(2)
        token = hidden[:, :1] + attention.out_proj(attended)
        token = token + last.mlp(last.layer_norm2(token))
        features: Tensor = self.clip.visual_projection(vision.post_layernorm(token[:, 0]))
        return features

    @staticmethod
    def _regions(maps: Tensor, boxes: Tensor, image: Tensor) -> Tensor:
        """Pooled in float32, as FG-CLIP does, and normalised with an epsilon, so that a zero vector stays zero."""
        return functional.normalize(roi_align(maps.float(), boxes, image), dim=-1)


def _attend(query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
    """Attention written out, [n, heads, asked, dim]: for one query faster than a fused kernel."""
    weights = (scale * query @ key.transpose(2, 3)).softmax(dim=-1, dtype=torch.float32)
    attended: Tensor = weights.to(query.dtype) @ value
    return attended


def contrastive_loss(logits_i2t: Tensor, logits_t2i: Tensor) -> Tensor:
    """Symmetric cross-entropy: row i's match is column i, columns past the batch are the bank's (CLIP, Radford et al. 2021)."""
    target = torch.arange(len(logits_i2t), device=logits_i2t.device)
    return (functional.cross_entropy(logits_i2t, target) + functional.cross_entropy(logits_t2i, target)) / 2
