"""A stack of LSTM layers that reads forward only: dropout between them, a state that goes on, documents kept apart."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence, unpack_sequence

State = list[tuple[Tensor, Tensor]]
"""Each layer's output and memory after the last token: (1, batch, width), (1, batch, width)."""


class LockedDropout(nn.Module):
    """Variational dropout (Gal & Ghahramani 2016): a text drops the same units at every token."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, states: Tensor) -> Tensor:
        """(batch, tokens, size) -> the same shape."""
        if not self.training or self.share == 0:
            return states
        kept = states.new_empty(states.size(0), 1, states.size(2)).bernoulli_(1 - self.share)
        return states * kept / (1 - self.share)


class LSTMDecoder(nn.Module):
    """Stacked LSTMs with dropout before, between and after the layers, never inside a recurrence (Zaremba et al. 2014);
    with `variational` the same units at every token of a text, as AWD-LSTM (Merity et al. 2018) does. `widths` are
    those of the inputs, then of each layer's outputs."""

    def __init__(self, widths: Sequence[int], dropout: float = 0.0, variational: bool = False) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.LSTM(before, after, batch_first=True) for before, after in pairwise(widths))
        self.dropout: nn.Module = LockedDropout(dropout) if variational else nn.Dropout(dropout)

    def forward(
        self, states: Tensor, documents: Tensor | None = None, last: Tensor | None = None, start: State | None = None
    ) -> tuple[Tensor, State]:
        """(batch, tokens, width of the inputs) -> (batch, tokens, width of the last layer), and the state after them.

        `documents`, (batch, tokens), are the number of each token's document in its row; each starts from a state of
        zeros. None: each row is one document. `last`, (batch,), is where in its row a text ends, whose state is
        returned; only looked at with `documents`. None: at the end of the row. `start` is the state to go on from; it
        belongs to rows, so `documents` is None then."""
        ends: State = []
        pieces = None if documents is None else _Pieces(documents, last)
        states = self.dropout(states)
        for number, layer in enumerate(self.layers):
            if pieces is None:
                states, end = layer(states, None if start is None else start[number])
            else:
                states, end = pieces.run(layer, states)
            states = self.dropout(states)
            ends.append(end)
        return states, ends


class _Pieces:
    """The documents of a batch as sequences of their own, so that torch's kernel starts each from zeros."""

    def __init__(self, documents: Tensor, last: Tensor | None) -> None:
        batch, tokens = documents.shape
        new = documents.diff(dim=1, prepend=documents[:, :1] - 1) != 0  # the first token of each document
        number = new.flatten().cumsum(dim=0).view(batch, tokens) - 1  # counted through the whole batch
        self.shape = (batch, tokens)
        self.lengths: list[int] = number.flatten().bincount().tolist()
        at = torch.full((batch,), tokens - 1, device=documents.device) if last is None else last
        self.final = number.gather(1, at[:, None]).flatten()

    def run(self, layer: nn.Module, states: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        packed = pack_sequence(list(states.flatten(0, 1).split(self.lengths)), enforce_sorted=False)
        outputs, (hidden, memory) = layer(packed)
        assert isinstance(outputs, PackedSequence)
        joined = torch.cat(unpack_sequence(outputs)).unflatten(0, self.shape)
        return joined, (hidden[:, self.final], memory[:, self.final])
