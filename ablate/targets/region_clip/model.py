"""FG-CLIP's region path over transformers' `CLIPModel`."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.models.clip.configuration_clip import CLIPConfig
from transformers.models.clip.modeling_clip import CLIPEncoderLayer, CLIPModel

from ablate.targets.region_clip.inputs import SCENE_PIXELS, Pixels
from ablate.targets.region_clip.roi import Pooling, cell_weights
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
        self.pixels = pixels

    @property
    def side(self) -> int:
        """Patches along a side of an image."""
        return int(self.clip.vision_model.embeddings.num_patches**0.5)

    def encode(self, images: Tensor, pooling: Pooling, whole: bool = True) -> tuple[Tensor, Tensor | None]:
        """Embeddings of regions and of whole images, all but the last layer computed once for both.

        Args:
            images: uint8, [n, 3, height, width], or as `patches` gives them.
            pooling: of the boxes, over maps of `side` x `side` cells.
            whole: whether the whole images are wanted too.

        Returns:
            float32, norm 1: [boxes, dim], zero for boxes that pool to zero; and [n, dim] or None.
        """
        hidden = self._hidden(images)
        pooled = functional.normalize(self._pooled(hidden).float(), dim=-1) if whole else None
        count = hidden.shape[1] - 1
        needed = hidden.flatten(0, 1).index_select(0, pooling.cells + pooling.cells // count + 1)  # past the class tokens
        return self._regions(pooling, self._dense(needed)), pooled

    def images(self, images: Tensor) -> Tensor:
        """Normalised embeddings of whole images alone, float32 [n, dim]."""
        return functional.normalize(self._pooled(self._hidden(images)).float(), dim=-1)

    def dense_features(self, images: Tensor) -> Tensor:
        """Feature maps: the last vision layer without attention (FG-CLIP v1.0; MaskCLIP, Zhou et al. 2022).

        Args:
            images: uint8, [n, 3, height, width].

        Returns:
            [n, dim, rows, columns].
        """
        maps: Tensor = self._dense(self._hidden(images)[:, 1:]).transpose(1, 2).unflatten(2, (self.side, self.side))
        return maps

    def regions(self, images: Tensor, boxes: Tensor, image: Tensor) -> Tensor:
        """`encode` for regions alone, from boxes as fractions of their images, [boxes, 4], and the image of each, [boxes]."""
        pooling = Pooling.of(cell_weights(boxes.cpu(), self.side, self.side), image.cpu()).to(images.device)
        return self.encode(images, pooling, whole=False)[0]

    def texts(self, ids: Tensor) -> Tensor:
        """Normalised text embeddings, float32 [texts, dim], of token ids, [texts, words].

        The tower is causal and its end token alone is read, so what comes after it is left out, and the last layer asks for it
        alone. Ids on the host spare a device a wait for where that is.
        """
        text, ends = self.clip.text_model, self._ends(ids)
        longest = int(ends.max()) + 1
        device = self.region_logit_scale.device
        places, place = torch.arange(longest, device=device), ends.to(device)
        hidden = text.embeddings(input_ids=ids[:, :longest].to(device))
        for layer in text.encoder.layers[:-1]:
            hidden = _layer(layer, hidden, hidden, places > places[:, None])
        token = hidden[torch.arange(len(hidden), device=device), place][:, None]
        token = _layer(text.encoder.layers[-1], hidden, token, (places > place[:, None])[:, None, None])
        features = self.clip.text_projection(text.final_layer_norm(token[:, 0]))
        return functional.normalize(features.float(), dim=-1)

    def _ends(self, ids: Tensor) -> Tensor:
        """Where each text ends, [texts]: at its first end token; at the highest id for a model saved with 2 as its end token, as
        transformers has it."""
        end: int = self.clip.text_model.eos_token_id
        return ids.argmax(1) if end == 2 else (ids == end).int().argmax(1)

    def pixel_values(self, images: Tensor) -> Tensor:
        """uint8 pixels to floats of about zero mean and unit deviation, as the towers have them."""
        return _normalised(images, self.pixels, self.clip.visual_projection.weight.dtype)

    def _embedded(self, images: Tensor) -> Tensor:
        """transformers' `CLIPVisionEmbeddings`, [n, 1 + patches, hidden]."""
        embeddings = self.clip.vision_model.embeddings
        if images.ndim == 4:
            whole: Tensor = embeddings(self.pixel_values(images))
            return whole
        patches = functional.linear(images, embeddings.patch_embedding.weight.flatten(1))
        token = embeddings.class_embedding.expand(len(images), 1, -1)
        embedded: Tensor = torch.cat([token, patches], dim=1) + embeddings.position_embedding.weight
        return embedded

    def _hidden(self, images: Tensor) -> Tensor:
        """What enters the last vision layer, class token first: [n, 1 + patches, hidden]."""
        vision = self.clip.vision_model
        hidden: Tensor = vision.pre_layrnorm(self._embedded(images))
        for layer in vision.encoder.layers[:-1]:
            hidden = _layer(layer, hidden, hidden)
        return hidden

    def _dense(self, patches: Tensor) -> Tensor:
        """The last layer without attention, projected, of what enters it at any patches, [..., hidden]: [..., dim]."""
        vision, last = self.clip.vision_model, self.clip.vision_model.encoder.layers[-1]
        patches = patches + last.self_attn.out_proj(last.self_attn.v_proj(last.layer_norm1(patches)))
        patches = patches + last.mlp(last.layer_norm2(patches))
        features: Tensor = self.clip.visual_projection(vision.post_layernorm(patches))
        return features

    def _pooled(self, hidden: Tensor) -> Tensor:
        """CLIP's image features, [n, dim]: of the last layer the class token alone is read."""
        vision = self.clip.vision_model
        token = _layer(vision.encoder.layers[-1], hidden, hidden[:, :1])
        features: Tensor = self.clip.visual_projection(vision.post_layernorm(token[:, 0]))
        return features

    @staticmethod
    def _regions(pooling: Pooling, features: Tensor) -> Tensor:
        """Pooled in float32, as FG-CLIP does, and normalised with an epsilon, so that a zero vector stays zero."""
        return functional.normalize(pooling(features.float()), dim=-1)


def _layer(layer: CLIPEncoderLayer, hidden: Tensor, asked: Tensor, unseen: Tensor | None = None) -> Tensor:
    """transformers' `CLIPEncoderLayer` for the tokens that are read; the others only answer.

    Args:
        hidden: what enters the layer, [n, tokens, hidden].
        asked: of it the tokens that are read, [n, asked, hidden].
        unseen: which tokens they don't attend to; bool, broadcast to [n, heads, asked, tokens].

    Returns:
        [n, asked, hidden].
    """
    attention, normed = layer.self_attn, layer.layer_norm1(hidden)
    query = attention.q_proj(normed if asked is hidden else layer.layer_norm1(asked))
    parts = query, attention.k_proj(normed), attention.v_proj(normed)
    query, key, value = (part.unflatten(2, (attention.num_heads, -1)).transpose(1, 2) for part in parts)
    asked = asked + attention.out_proj(_attend(query, key, value, unseen).transpose(1, 2).flatten(2))
    read: Tensor = asked + layer.mlp(layer.layer_norm2(asked))
    return read


def _attend(query: Tensor, key: Tensor, value: Tensor, unseen: Tensor | None) -> Tensor:
    """Attention, [n, heads, asked, dim]: on a CPU written out, as the fused kernel's backward pass is slow there in bf16,
    for sequences as short as these."""
    if query.is_cuda:
        return functional.scaled_dot_product_attention(query, key, value, None if unseen is None else ~unseen)
    scores = query.shape[-1] ** -0.5 * query @ key.transpose(2, 3)
    if unseen is not None:
        scores = scores.masked_fill(unseen, float("-inf"))
    attended: Tensor = scores.softmax(dim=-1) @ value
    return attended


def _normalised(images: Tensor, pixels: Pixels, dtype: torch.dtype) -> Tensor:
    """In float32 at least, and then in the precision that is wanted."""
    wide = torch.promote_types(dtype, torch.float32)
    mean, std = (torch.tensor(part, dtype=wide, device=images.device).view(3, 1, 1) for part in pixels)
    values: Tensor = images.to(wide).div_(255).sub_(mean).div_(std).to(dtype)
    return values


def patches(images: Tensor, side: int, pixels: Pixels, dtype: torch.dtype) -> Tensor:
    """Images, uint8 [n, 3, height, width], as floats cut into side x side patches, [n, patches, 3 x size x size].

    To embed these is one matrix product.
    """
    cut: Tensor = _normalised(images, pixels, dtype).unflatten(3, (side, -1)).unflatten(2, (side, -1))
    return cut.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)


def contrastive_loss(logits_i2t: Tensor, logits_t2i: Tensor) -> Tensor:
    """Symmetric cross-entropy: row i's match is column i, columns past the batch are the bank's (CLIP, Radford et al. 2021)."""
    target = torch.arange(len(logits_i2t), device=logits_i2t.device)
    return (functional.cross_entropy(logits_i2t, target) + functional.cross_entropy(logits_t2i, target)) / 2
