"""The linear-chain CRF is what its definition says: sums and maxima over all sequences, one by one."""

import itertools

import pytest
import torch

from hfkit.baselines.crf import LinearChainCRF


def made(labels: int, lengths: list[int], seed: int = 0) -> tuple[LinearChainCRF, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    crf = LinearChainCRF(labels)
    for parameter in crf.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    emissions = 2 * torch.randn(len(lengths), max(lengths), labels, generator=generator)
    return crf, emissions, torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]


def every(crf: LinearChainCRF, emissions: torch.Tensor) -> dict[tuple[int, ...], float]:
    """The score of each sequence of one text, word by word."""
    words, labels = emissions.shape
    scores = {}
    for tags in itertools.product(range(labels), repeat=words):
        score = crf.start[tags[0]] + crf.end[tags[-1]] + sum(emissions[place, tag] for place, tag in enumerate(tags))
        scores[tags] = float(score + sum(crf.transitions[a, b] for a, b in itertools.pairwise(tags)))
    return scores


@pytest.mark.parametrize("labels", [2, 3, 4])
def test_sums_and_maxima_equal_enumeration(labels: int) -> None:
    lengths = [1, 2, 3, 5]
    crf, emissions, mask = made(labels, lengths, seed=labels)
    tags = torch.randint(labels, mask.shape, generator=torch.Generator().manual_seed(1))
    losses, sums = crf(emissions, tags, mask), crf.log_partition(emissions, mask)
    marginals, paths = crf.marginals(emissions, mask), crf.decode(emissions, mask)
    for row, length in enumerate(lengths):
        scores = every(crf, emissions[row, :length])
        values = torch.tensor(list(scores.values()), dtype=torch.float64)
        log_z = torch.logsumexp(values, dim=0)
        assert float(sums[row]) == pytest.approx(float(log_z), abs=1e-4)
        assert float(losses[row]) == pytest.approx(float(log_z) - scores[tuple(tags[row, :length].tolist())], abs=1e-4)
        assert tuple(paths[row, :length].tolist()) == max(scores, key=lambda path: scores[path])
        assert not paths[row, length:].any()
        for place in range(length):
            for label in range(labels):
                share = sum(float((score - log_z).exp()) for path, score in
                            zip(scores, values, strict=True) if path[place] == label)  # fmt: skip
                assert float(marginals[row, place, label].exp()) == pytest.approx(share, abs=1e-4)


def test_marginals_are_the_gradient_of_log_z() -> None:
    crf, emissions, mask = made(4, [2, 6])
    emissions.requires_grad_()
    (gradient,) = torch.autograd.grad(crf.log_partition(emissions, mask).sum(), emissions)
    assert torch.allclose(gradient, crf.marginals(emissions, mask).exp() * mask[..., None], atol=1e-5)


def test_padding_changes_nothing_and_bf16_is_computed_in_float32() -> None:
    crf, emissions, mask = made(3, [4, 4])
    tags = torch.randint(3, mask.shape)
    wider = torch.cat([emissions, torch.full((2, 3, 3), 1e4)], dim=1)
    more = torch.cat([mask, torch.zeros(2, 3, dtype=torch.bool)], dim=1)
    padded = torch.cat([tags, torch.full((2, 3), 2)], dim=1)
    assert torch.allclose(crf(wider, padded, more), crf(emissions, tags, mask), atol=1e-4)
    assert torch.equal(crf.decode(wider, more)[:, :4], crf.decode(emissions, mask))
    assert not crf.decode(wider, more)[:, 4:].any()
    low = emissions.bfloat16()
    assert torch.equal(crf(low, tags, mask), crf(low.float(), tags, mask))


def test_gradients_are_right() -> None:
    crf, emissions, mask = made(3, [1, 3])
    tags, wide = torch.randint(3, mask.shape), emissions.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda e: crf(e, tags, mask), wide, eps=1e-3, atol=1e-2, rtol=1e-2)
