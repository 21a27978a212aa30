"""What the target logs and returns, with units. Imports no torch."""

from __future__ import annotations

from ablate.target import Metric

#: Panels of probes that hold two metrics.
_LOGITS, _NORMS = "logits, least and greatest", "region norms, least and greatest"
_FILL = "bank fill: texts to choose from"
_LOSS = "the bank changes the number of candidates (chance is ln N) and the scale the logits"

METRICS = {
    "eval/region_top1": Metric("held-out region→text top-1 among 32", step=True, final=True, unit="share"),
    "eval/region_top1_small": Metric("the same, boxes below 1 % of their image", step=True, final=True, unit="share"),
    "eval/region_top1_large": Metric("the same, boxes of at least 1 %", step=True, final=True, unit="share"),
    "eval/region_loss": Metric(
        "held-out region loss at the best scale ÷ ln 32; 1 is chance", step=True, final=True, unit="× chance",
    ),
    "bank/first_step": Metric("optimizer steps completed when the bank's ptr first grew", final=True, unit="steps"),
    "data/boxes": Metric(
        "annotated boxes: of all forwards' scenes, or of the data set's training rows", final=True, unit="boxes",
    ),
    "data/invalid_share": Metric("share of them out of [0, 1], without area, reversed or not finite", final=True, unit="share"),
    "data/small_share": Metric("share of the valid ones below 1 % of their image", final=True, unit="share"),
    "data/faults": Metric("rows and boxes of the data set that could not be used at all", final=True, unit="rows and boxes"),
    "train/region_loss": Metric(
        "region loss of a forward, nats", step=True, incomparable=_LOSS,
        chance="train/chance_loss", twin="train/region_loss_over_chance", unit="nats",
    ),
    "train/region_loss_over_chance": Metric("region loss ÷ ln(candidates); 1 is chance", step=True, unit="× chance"),
    "train/chance_loss": Metric("ln(candidates), nats", step=True, unit="nats"),
    "train/global_loss": Metric("image-text loss of a forward, nats", step=True, unit="nats"),
    "train/valid_boxes": Metric("boxes in the loss", step=True, unit="boxes"),
    "train/optimizer_step": Metric("optimizer steps completed", step=True, unit="steps"),
    "logit_scale/log": Metric("region logit scale", step=True, unit="1"),
    "logit_scale/exp": Metric("its exponential: multiplies region cosines, with cosine_spread", step=True, unit="1"),
    "logits_i2t/min": Metric("least region→text logit within the batch", step=True, unit="1", probe=_LOGITS),
    "logits_i2t/max": Metric("greatest logit", step=True, unit="1", probe=_LOGITS),
    "logits_i2t/range": Metric("greatest less least logit", step=True, unit="1"),
    "logits_i2t/mean": Metric("mean logit", step=True, unit="1"),
    "logits_i2t/std": Metric("standard deviation of the logits (n − 1)", step=True, unit="1"),
    "image_norm/min": Metric("least norm of a region embedding", step=True, unit="1", probe=_NORMS),
    "image_norm/max": Metric("greatest norm", step=True, unit="1", probe=_NORMS),
    "image_norm/mean": Metric("mean norm", step=True, unit="1"),
    "image_norm/std": Metric("standard deviation of the norms (n − 1)", step=True, unit="1"),
    "image_norm/zeros": Metric("region embeddings of norm 0", step=True, unit="regions", probe="regions of norm 0"),
    "train/candidates": Metric(
        "texts that a region is matched to: the batch's and the bank's", step=True, unit="texts", probe=_FILL,
    ),
    "bank/ptr": Metric(
        "where the bank writes next", step=True, unit="pairs", event="bank starts", probe="where the bank writes next",
    ),
    "bank/full": Metric("whether the bank has come round", step=True, unit="0 or 1"),
    "bank/size": Metric("pairs that the bank can hold", step=True, unit="pairs"),
    "train/grad_norm": Metric(
        "norm of an optimizer step's gradient, at its last forward", step=True, unit="1", probe="gradient norm",
    ),
}  # fmt: skip

#: Of the params that are swept.
UNITS = {
    "logit_scale_init": "1",
    "logit_scale_exp": "1",
    "bank_warmup": "forwards",
    "bank_size": "pairs",
    "min_box_area": "share of image",
    "forwards": "forwards",
    "batch_size": "images",
}
