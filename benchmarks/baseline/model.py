"""The region model as its formulas read: transformers' own towers, layer by layer, with nothing left out that is not needed."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.models.clip.modeling_clip import CLIPModel

from ablate.targets.region_clip.inputs import Pixels
from ablate.targets.region_clip.roi import roi_align


class PlainRegionCLIP(nn.Module):
    """The same model as `ablate.targets.region_clip.model.RegionCLIP`, of which it uses nothing; RoI Align is the target's.

    Args:
        clip: the towers, as transformers has them.
        logit_scale: initial log of the multiplier of region logits.
        spread: multiplies the cosine of a region and a text.
        pixels: mean and deviation of the images' channels.
    """

    def __init__(self, clip: CLIPModel, logit_scale: float, spread: float, pixels: Pixels) -> None:
        super().__init__()
        self.clip = clip
        self.dim: int = clip.visual_projection.out_features
        self.spread = spread
        self.region_logit_scale = nn.Parameter(torch.tensor(logit_scale))
        self._pixels = pixels

    def forward(
        self, images: Tensor, boxes: Tensor, image: Tensor, expressions: Tensor, captions: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Embeddings of a micro-batch, float32 of norm 1 (a box that pools to zero stays zero).

        Args:
            images: uint8, [n, 3, height, width].
            boxes: fractions of the image, [boxes, 4].
            image: which image each lies on, [boxes].
            expressions: token ids of each box's text, [boxes, words].
            captions: token ids of each image's text, [n, words].

        Returns:
            Regions and their texts, [boxes, dim] each; images and their captions, [n, dim] each.
        """
        regions, whole = self.encode(images, boxes, image)
        return regions, self.texts(expressions) if len(boxes) else regions, whole, self.texts(captions)

    def encode(self, images: Tensor, boxes: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        """Regions, [boxes, dim], and whole images, [n, dim]."""
        seen = self.clip.vision_model(pixel_values=self._pixel_values(images), output_hidden_states=True)
        maps = self._dense(seen.hidden_states[-2][:, 1:]).float()
        whole = self.clip.visual_projection(seen.pooler_output).float()
        return functional.normalize(roi_align(maps, boxes, image), dim=-1), functional.normalize(whole, dim=-1)

    def texts(self, ids: Tensor) -> Tensor:
        """Text embeddings, [texts, dim], of token ids [texts, words]."""
        pooled = self.clip.text_model(input_ids=ids).pooler_output
        return functional.normalize(self.clip.text_projection(pooled).float(), dim=-1)

    def _dense(self, patches: Tensor) -> Tensor:
        """FG-CLIP's feature maps, [n, dim, rows, columns]: the last vision layer without its attention, over what enters it,
        [n, patches, hidden]."""
        vision, last = self.clip.vision_model, self.clip.vision_model.encoder.layers[-1]
        patches = patches + last.self_attn.out_proj(last.self_attn.v_proj(last.layer_norm1(patches)))
        patches = patches + last.mlp(last.layer_norm2(patches))
        features = self.clip.visual_projection(vision.post_layernorm(patches))
        side = int(features.shape[1] ** 0.5)
        maps: Tensor = features.transpose(1, 2).unflatten(2, (side, side))
        return maps

    def _pixel_values(self, images: Tensor) -> Tensor:
        mean, std = (torch.tensor(part, device=images.device).view(3, 1, 1) for part in self._pixels)
        return ((images.float() / 255 - mean) / std).to(self.clip.visual_projection.weight.dtype)
