"""What the target logs and returns, with units. Imports no torch."""

from __future__ import annotations

from ablate.target import Metric

_LOSS = "the bank changes the number of candidates (chance is ln N) and the scale the logits"

METRICS = {
    "eval/region_top1": Metric("held-out region→text top-1 among 32", step=True, final=True),
    "eval/region_top1_small": Metric("the same, boxes below 1 % of their image", step=True, final=True),
    "eval/region_top1_large": Metric("the same, boxes of at least 1 %", step=True, final=True),
    "eval/region_loss": Metric("held-out region loss at the best scale ÷ ln 32; 1 is chance", step=True, final=True),
    "bank/first_step": Metric("optimizer steps completed when the bank's ptr first grew", final=True),
    "data/boxes": Metric("annotated boxes in all forwards, before any filter", final=True),
    "data/invalid_share": Metric("share of them out of [0, 1] or without area", final=True),
    "data/small_share": Metric("share of the valid ones below 1 % of their image", final=True),
    "data/faults": Metric("rows and boxes of the data set that could not be used at all", final=True),
    "train/region_loss": Metric(
        "region loss of a forward, nats", step=True, incomparable=_LOSS,
        chance="train/chance_loss", twin="train/region_loss_over_chance",
    ),
    "train/region_loss_over_chance": Metric("region loss ÷ ln(candidates); 1 is chance", step=True),
    "train/chance_loss": Metric("ln(candidates), nats", step=True),
    "train/global_loss": Metric("image-text loss of a forward, nats", step=True),
    "train/grad_norm": Metric("norm of an optimizer step's gradient, at its last forward", step=True),
    "train/candidates": Metric("texts that a region is matched to: the batch's and the bank's", step=True),
    "train/valid_boxes": Metric("boxes in the loss", step=True),
    "train/optimizer_step": Metric("optimizer steps completed", step=True),
    "logit_scale/log": Metric("region logit scale", step=True),
    "logit_scale/exp": Metric("its exponential, the multiplier of the logits", step=True),
    "image_norm/min": Metric("least norm of a region embedding", step=True),
    "image_norm/max": Metric("greatest norm", step=True),
    "image_norm/mean": Metric("mean norm", step=True),
    "image_norm/std": Metric("standard deviation of the norms (n − 1)", step=True),
    "image_norm/zeros": Metric("region embeddings of norm 0", step=True),
    "logits_i2t/min": Metric("least region→text logit within the batch", step=True),
    "logits_i2t/max": Metric("greatest logit", step=True),
    "logits_i2t/range": Metric("greatest less least logit", step=True),
    "logits_i2t/mean": Metric("mean logit", step=True),
    "logits_i2t/std": Metric("standard deviation of the logits (n − 1)", step=True),
    "bank/ptr": Metric("where the bank writes next", step=True),
    "bank/full": Metric("whether the bank has come round", step=True),
    "bank/size": Metric("pairs that the bank can hold", step=True),
}  # fmt: skip
