"""A window's losses at once against the plain loop: micro-batch after micro-batch, the bank's queue in between."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from ablate.targets.region_clip.bank import MemoryBank
from ablate.targets.region_clip.losses import Groups, global_losses, region_losses
from ablate.targets.region_clip.model import contrastive_loss
from ablate.targets.region_clip.probes import measure

CPU = torch.device("cpu")


def pairs(seed, count, zeros=0.0):
    """Embeddings of regions, some of them zero, and of texts."""
    rng = torch.Generator().manual_seed(seed)
    regions, texts = (functional.normalize(torch.randn(count, 5, generator=rng), dim=1) for _ in range(2))
    regions[torch.rand(count, generator=rng) < zeros] = 0
    return regions.requires_grad_(), texts.requires_grad_()


def plain_loop(bank, forwards, sizes, regions, texts, scale, before):
    """Losses, candidates and the bank's states, one micro-batch after the other."""
    losses, candidates, states = [], [], []
    for forward, region, text in zip(forwards, regions.split(sizes), texts.split(sizes), strict=True):
        if before:
            bank.enqueue(forward, region, text)
        images, held = bank.negatives(forward)
        if len(region):
            losses.append(
                contrastive_loss(scale * region @ torch.cat([text, held]).T, scale * text @ torch.cat([region, images]).T)
            )
            candidates.append(len(region) + len(held))
        if not before:
            bank.enqueue(forward, region, text)
        states.append((bank.ptr, bank.full))
    return losses, candidates, states


@settings(deadline=None, max_examples=150)
@given(
    windows=st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=5), min_size=1, max_size=4),
    size=st.integers(0, 9),
    warmup=st.integers(0, 8),
    before=st.booleans(),
    skip=st.booleans(),
    side=st.sampled_from(["both", "image", "text"]),
    seed=st.integers(0, 99),
)
def test_windows_give_the_losses_gradients_and_banks_of_the_plain_loop(windows, size, warmup, before, skip, side, seed):
    ours, theirs = (MemoryBank(size, warmup, 5, skip_zeros=skip, side=side) for _ in range(2))
    start = 0
    for number, sizes in enumerate(windows):
        forwards = range(start, start + len(sizes))
        start = forwards.stop
        regions, texts = pairs(100 * seed + number, sum(sizes), zeros=0.2)
        scale = torch.tensor(14.0, requires_grad=True)
        expected, candidates, states = plain_loop(theirs, forwards, sizes, regions, texts, scale, before)

        zero = (regions == 0).all(1).numpy()
        past, after = ours.over(forwards, sizes, zero, before)
        assert [(state.ptr, state.full) for state in after] == states
        early = sum(count for forward, count in zip(forwards, sizes, strict=True) if not ours.active(forward))
        if expected:
            losses, _ = region_losses(regions, texts, scale, Groups.of(sizes, CPU), past)
            assert losses.tolist() == pytest.approx([loss.item() for loss in expected], rel=1e-5, abs=1e-6)
            held = past.count if past else np.zeros(len(candidates), int)
            assert [count + more for count, more in zip([s for s in sizes if s], held, strict=True)] == candidates
            theirs_of = torch.autograd.grad(torch.stack(expected).sum(), (regions, texts, scale), retain_graph=True)
            ours_of = torch.autograd.grad(losses.sum(), (regions, texts, scale))
            for mine, other in zip(ours_of, theirs_of, strict=True):
                assert torch.allclose(mine, other, atol=1e-4, rtol=1e-4)
            ours.enqueue(forwards[-1], regions[early:], texts[early:])
        assert (ours.ptr, ours.full) == (theirs.ptr, theirs.full)
        assert torch.equal(ours.images, theirs.images) and torch.equal(ours.texts, theirs.texts)


def test_the_plain_loop_would_notice_a_bank_that_comes_a_micro_batch_late():
    sizes, forwards = [2, 3], range(2)
    regions, texts = pairs(0, 5)
    expected, *_ = plain_loop(MemoryBank(8, 0, 5), forwards, sizes, regions, texts, 14.0, before=False)
    late, _ = MemoryBank(8, 1, 5).over(forwards, sizes, np.zeros(5, bool), before=False)
    losses, _ = region_losses(regions, texts, torch.tensor(14.0), Groups.of(sizes, CPU), late)
    assert losses[1].item() != pytest.approx(expected[1].item(), rel=1e-3)


@pytest.mark.parametrize("kinds", [1, 2])
def test_global_losses_are_clips_of_each_micro_batch_summed_over_kinds_of_captions(kinds):
    rng = torch.Generator().manual_seed(kinds)
    images, texts = torch.randn(3, 4, 6, generator=rng), torch.randn(3, kinds, 4, 6, generator=rng)
    found = global_losses(images, texts, torch.tensor(2.0))
    for image, text, loss in zip(images, texts, found, strict=True):
        logits = [2.0 * image @ each.T for each in text]
        assert loss.item() == pytest.approx(sum(contrastive_loss(each, each.T).item() for each in logits), rel=1e-5)


def test_probes_of_each_forward_are_torchs_own_of_its_boxes():
    sizes = [4, 0, 1, 3]
    regions, _ = pairs(1, 8, zeros=0.3)
    logits, losses = torch.randn(8, 8, generator=torch.Generator().manual_seed(2)), torch.tensor([1.0, 2.0, 3.0])
    found = measure(losses, torch.tensor(2.6592), regions, logits, Groups.of(sizes, CPU))
    assert found.shape == (3, 12)
    start = 0
    for row, size in zip(found, [size for size in sizes if size], strict=True):
        here = slice(start, start + size)
        norms, own = regions[here].norm(dim=1), logits[here, here]
        start += size
        expected = [norms.min(), norms.max(), norms.mean(), norms.std() if size > 1 else torch.tensor(0.0), (norms == 0).sum()]
        expected += [own.min(), own.max(), own.mean(), own.std() if size > 1 else torch.tensor(0.0)]
        assert row[3:].tolist() == pytest.approx([value.item() for value in expected], rel=1e-5, abs=1e-6)
        assert row[1:3].tolist() == pytest.approx([2.6592, math.exp(2.6592)])
    assert found[:, 0].tolist() == [1, 2, 3]


def test_a_forward_that_is_not_finite_leaves_the_others_losses_as_they_are():
    regions, texts = (part.detach() for part in pairs(3, 5))
    broken = regions.clone()
    broken[0] = math.nan
    groups = Groups.of([2, 3], CPU)
    sound, _ = region_losses(regions, texts, torch.tensor(14.0), groups, None)
    found, _ = region_losses(broken, texts, torch.tensor(14.0), groups, None)
    assert math.isnan(found[0]) and found[1] == sound[1]
