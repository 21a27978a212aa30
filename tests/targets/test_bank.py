"""The memory bank against a plain Python list."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ablate.targets.region_clip.bank import MemoryBank


@settings(deadline=None)
@given(st.lists(st.integers(0, 7), min_size=1, max_size=40), st.integers(1, 12), st.integers(0, 20))
def test_holds_what_a_list_of_the_last_pairs_would(sizes, size, warmup):
    bank, kept, count = MemoryBank(size, warmup, dim=1), [], 0
    for forward, boxes in enumerate(sizes):
        values = torch.arange(count, count + boxes, dtype=torch.float32)[:, None]
        if forward >= warmup:
            images, texts = bank.negatives(forward)
            assert sorted(images.flatten().tolist()) == sorted(kept)
            assert torch.equal(texts, -images)
            kept = [*kept, *values.flatten().tolist()][-size:]
        else:
            assert len(bank.negatives(forward)[0]) == 0
        bank.enqueue(forward, values, -values)
        count += boxes
    started = sum(sizes[warmup:])
    assert (bank.ptr, bank.full) == (started % size, started >= size)


def test_never_starts_where_the_warmup_is_as_long_as_the_training():
    bank = MemoryBank(128, warmup=400, dim=2)
    for forward in range(400):
        bank.enqueue(forward, torch.ones(4, 2), torch.ones(4, 2))
    assert (bank.ptr, bank.full) == (0, False)


def test_passes_no_gradient_and_leaves_earlier_losses_their_own_negatives():
    bank = MemoryBank(2, warmup=0, dim=1)
    first = torch.ones(2, 1, requires_grad=True)
    bank.enqueue(0, first, first)
    images, _ = bank.negatives(1)
    bank.enqueue(1, torch.full((2, 1), 5.0), torch.full((2, 1), 5.0))
    assert not images.requires_grad
    assert images.tolist() == [[1.0], [1.0]]
    assert bank.negatives(2)[0].tolist() == [[5.0], [5.0]]
