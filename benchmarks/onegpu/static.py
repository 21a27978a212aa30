"""The losses of a window without a shape that depends on its content, on transformers' own layers.

It is the arithmetic of ablate's own `Trainer` once more, and verified against it. No value goes to the host,
so that a GPU can replay it, a compiler sees it whole, and `torch.func` can run many of it at once.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.models.clip.modeling_clip import CLIPEncoderLayer

from ablate.targets.region_clip.inputs import inputs_of
from ablate.targets.region_clip.loop import make_model
from ablate.targets.region_clip.roi import axis_weights
from benchmarks.onegpu.setting import Setting


class StaticLoss(nn.Module):
    """A training's model, and what its Trainer would make of a window.

    Of the params, the bank takes zeros and after the loss, and serves both sides.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, of: Setting) -> None:
        super().__init__()
        params = of.params
        assert (params["bank_enqueue"], params["bank_zeros"], params["bank_side"]) == ("after", "enqueue", "both")
        self.model = make_model(params, of.device).train()
        self.batch, self.accumulation = params["batch_size"], params["gradient_accumulation"]
        self.region_weight, self.global_weight = params["region_weight"], params["global_weight"]
        mean, deviation = (torch.tensor(part, device=of.device).view(3, 1, 1) for part in inputs_of(params).pixels)
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)
        self.end = self.model.clip.text_model.eos_token_id

    def forward(
        self,
        images: Tensor,
        boxes: Tensor,
        at: Tensor,
        expressions: Tensor,
        captions: Tensor,
        weight: Tensor,
        allowed: Tensor,
        carry: Tensor,
        bank_images: Tensor,
        bank_texts: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The loss of a frame (see `Frame`), and the bank after it, [K, dim] each."""
        maps, whole = self._see(images)
        region = functional.normalize(pool(maps.float(), boxes)[at], dim=-1)
        text = self._read(expressions)
        past_region, past_text = region.detach(), text.detach()
        scale = self.model.spread * self.model.region_logit_scale.float().exp()
        i2t = scale * region @ torch.cat([text, past_text, bank_texts]).T
        t2i = scale * text @ torch.cat([region, past_region, bank_images]).T
        each = (_own_entropy(i2t, allowed) + _own_entropy(t2i, allowed)) / 2
        loss = self.region_weight * (weight * each).sum() + self.global_weight * self._whole(whole, captions)
        kept = (torch.cat([old, new])[carry] for old, new in ((bank_images, past_region), (bank_texts, past_text)))
        return loss / self.accumulation, *kept

    def _see(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Feature maps [N, dim, rows, columns], and image embeddings of norm 1, [N, dim]."""
        clip, vision = self.model.clip, self.model.clip.vision_model
        hidden = vision.pre_layrnorm(self._patches(images))
        for layer in vision.encoder.layers[:-1]:
            hidden = block(layer, hidden)
        last = vision.encoder.layers[-1]
        patches = hidden[:, 1:]
        patches = patches + last.self_attn.out_proj(last.self_attn.v_proj(last.layer_norm1(patches)))
        patches = patches + last.mlp(last.layer_norm2(patches))
        features = clip.visual_projection(vision.post_layernorm(patches)).transpose(1, 2)
        side = int(features.shape[2] ** 0.5)
        token = block(last, hidden, asked=1)[:, 0]
        whole = functional.normalize(clip.visual_projection(vision.post_layernorm(token)).float(), dim=-1)
        return features.unflatten(2, (side, side)), whole

    def _patches(self, images: Tensor) -> Tensor:
        """Patch embeddings behind the class token: the convolution as a product, since a stack's would be one a model in turn."""
        embeddings = self.model.clip.vision_model.embeddings
        kernel = embeddings.patch_embedding.weight
        pixels = ((images.float() / 255 - self.mean) / self.deviation).to(kernel.dtype)
        cut = pixels.unfold(2, kernel.shape[2], kernel.shape[2]).unfold(3, kernel.shape[3], kernel.shape[3])
        patches = cut.permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2) @ kernel.flatten(1).T
        token = embeddings.class_embedding.expand(len(images), 1, -1)
        embedded: Tensor = torch.cat([token, patches], dim=1) + embeddings.position_embedding.weight
        return embedded

    def _read(self, ids: Tensor) -> Tensor:
        """Text embeddings of norm 1, [texts, dim]."""
        clip, tower = self.model.clip, self.model.clip.text_model
        embeddings = tower.embeddings
        hidden = embeddings.token_embedding(ids) + embeddings.position_embedding.weight[: ids.shape[1]]
        for layer in tower.encoder.layers:
            hidden = block(layer, hidden, causal=True)
        hidden = tower.final_layer_norm(hidden)
        end = ids.argmax(dim=-1) if self.end == 2 else (ids == self.end).int().argmax(dim=-1)  # as transformers' CLIPTextModel
        pooled = hidden.gather(1, end[:, None, None].expand(-1, 1, hidden.shape[2]))[:, 0]
        return functional.normalize(clip.text_projection(pooled).float(), dim=-1)

    def _whole(self, images: Tensor, captions: Tensor) -> Tensor:
        """CLIP's loss of each micro-batch and kind of caption, summed."""
        kinds = captions.shape[1]
        texts = self._read(captions.flatten(0, 1)).unflatten(0, (-1, self.batch, kinds)).transpose(1, 2)
        scale = self.model.clip.logit_scale.float().exp()
        logits = scale * images.unflatten(0, (-1, 1, self.batch)) @ texts.transpose(2, 3)
        own = logits.diagonal(dim1=2, dim2=3)
        loss: Tensor = ((logits.logsumexp(3) + logits.logsumexp(2)) / 2 - own).mean(2).sum()
        return loss


def block(layer: CLIPEncoderLayer, hidden: Tensor, causal: bool = False, asked: int | None = None) -> Tensor:
    """A CLIP layer over [n, places, hidden]; only the first places ask where so `asked`, and only they are returned."""
    attention, normed = layer.self_attn, layer.layer_norm1(hidden)
    projected = attention.q_proj(normed[:, :asked]), attention.k_proj(normed), attention.v_proj(normed)
    query, key, value = (part.unflatten(2, (attention.num_heads, -1)).transpose(1, 2) for part in projected)
    attended = functional.scaled_dot_product_attention(query, key, value, is_causal=causal, scale=attention.scale)
    hidden = hidden[:, :asked] + attention.out_proj(attended.transpose(1, 2).flatten(2))
    after: Tensor = hidden + layer.mlp(layer.layer_norm2(hidden))
    return after


def pool(maps: Tensor, boxes: Tensor) -> Tensor:
    """RoI Align to one value a box: maps [N, dim, rows, columns], boxes [N, slots, 4] → [N x slots, dim]."""
    rows, columns = maps.shape[-2:]
    x1, y1, x2, y2 = boxes.flatten(0, 1).unbind(1)
    wy, wx = axis_weights(y1 * rows, y2 * rows, rows), axis_weights(x1 * columns, x2 * columns, columns)
    table = torch.einsum("br,bc->brc", wy, wx).flatten(1).unflatten(0, boxes.shape[:2])
    return torch.bmm(table, maps.flatten(2).transpose(1, 2)).flatten(0, 1)


def _own_entropy(logits: Tensor, allowed: Tensor) -> Tensor:
    """Cross-entropy of each row's own column among those allowed to it, [T]."""
    return logits.masked_fill(~allowed, -torch.inf).logsumexp(1) - logits.diagonal()
