"""The linear-chain conditional random field (Lafferty, McCallum & Pereira 2001): labels of a sequence, judged together.

A sequence of labels y gets the score: the sum of its emissions x[t, y[t]], of the transitions A[y[t-1], y[t]], and of
how well y begins and ends. Its probability is exp(score) / Z, Z being the sum over all sequences.
"""

import torch
from torch import Tensor, nn


class LinearChainCRF(nn.Module):
    """Transitions between so many labels, and the sums and maxima over all sequences that training and answers need, in
    float32. Padding stands on the right; each sequence has at least one word."""

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.transitions = nn.Parameter(torch.zeros(labels, labels))
        self.start = nn.Parameter(torch.zeros(labels))
        self.end = nn.Parameter(torch.zeros(labels))

    def forward(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """Minus the log of the probability of each row's tags, (rows,): from emissions (rows, words, labels), tags
        (rows, words), any label on padding, and the mask (rows, words) of bool: what is no padding."""
        emissions = emissions.float()
        said = emissions.gather(2, tags[..., None])[..., 0]
        moves = self.transitions[tags[:, :-1], tags[:, 1:]]
        last = tags.gather(1, mask.sum(dim=1, keepdim=True) - 1)[:, 0]
        inner = (said * mask).sum(dim=1) + (moves * mask[:, 1:]).sum(dim=1)
        return self.log_partition(emissions, mask) - (self.start[tags[:, 0]] + inner + self.end[last])

    def log_partition(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """log Z of each row, (rows,), by the forward algorithm."""
        return torch.logsumexp(self._alphas(emissions.float(), mask)[-1] + self.end, dim=1)

    def _alphas(self, emissions: Tensor, mask: Tensor) -> list[Tensor]:
        """Of each word, (rows, labels): the log of the sum over all ways that lead to a label there."""
        alphas = [self.start + emissions[:, 0]]
        for place in range(1, emissions.shape[1]):
            step = torch.logsumexp(alphas[-1][:, :, None] + self.transitions, dim=1) + emissions[:, place]
            alphas.append(torch.where(mask[:, place, None], step, alphas[-1]))
        return alphas

    def marginals(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """The log of each word's probability of each label, over all sequences: (rows, words, labels), 0 on padding.

        By the forward and the backward algorithm; what autograd makes of log Z is the same."""
        emissions = emissions.float()
        beta = [self.end.expand(len(emissions), -1)]
        for place in range(emissions.shape[1] - 1, 0, -1):
            step = torch.logsumexp(self.transitions + (emissions[:, place] + beta[0])[:, None, :], dim=2)
            beta.insert(0, torch.where(mask[:, place, None], step, beta[0]))
        both = torch.stack(self._alphas(emissions, mask), dim=1) + torch.stack(beta, dim=1)
        return (both - torch.logsumexp(both, dim=2, keepdim=True)) * mask[..., None]

    @torch.no_grad()
    def decode(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """The likeliest labels of each row as a whole, (rows, words), 0 on padding (Viterbi 1967)."""
        emissions = emissions.float()
        score = self.start + emissions[:, 0]
        came: list[Tensor] = []
        same = torch.arange(emissions.shape[2], device=emissions.device).expand(len(emissions), -1)
        for place in range(1, emissions.shape[1]):
            best, before = (score[:, :, None] + self.transitions).max(dim=1)
            inside = mask[:, place, None]
            score = torch.where(inside, best + emissions[:, place], score)
            came.append(torch.where(inside, before, same))
        path = [(score + self.end).argmax(dim=1)]
        for before in reversed(came):
            path.insert(0, before.gather(1, path[0][:, None])[:, 0])
        return torch.stack(path, dim=1) * mask
