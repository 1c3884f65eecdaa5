"""Recurrent networks: Elman's RNN, the GRU and the LSTM, by torch's kernels, run to each text's own end."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

KERNELS: dict[str, Callable[..., nn.RNNBase]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


class RecurrentEncoder(nn.Module):
    """torch's RNN, GRU or LSTM over texts of their own lengths. `hidden_size` is the width of the state in each of one
    or two (`bidirectional`) directions. `dropout` stands between layers."""

    def __init__(
        self,
        cell: str,
        input_size: int,
        hidden_size: int,
        layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.kernel: nn.RNNBase = KERNELS[cell](
            input_size,
            hidden_size,
            num_layers=layers,
            batch_first=True,
            bidirectional=bidirectional,
            dropout=dropout if layers > 1 else 0.0,  # torch warns when there is no layer to put it between
        )
        self.directions = 2 if bidirectional else 1

    def forward(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Read each text to its own end: (batch, tokens, input_size), padded on the right, and lengths of at least 1 ->
        outputs (batch, tokens, width), zero on padding, and the last layer's final states (batch, width)."""
        if inputs.device.type == "cpu":
            return self._padded(inputs, lengths)
        packed = pack_padded_sequence(inputs, lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, state = self.kernel(packed)
        assert isinstance(outputs, PackedSequence)
        hidden = state[0] if isinstance(state, tuple) else state
        padded, _ = pad_packed_sequence(outputs, batch_first=True, total_length=inputs.size(1))
        return padded, hidden[-self.directions :].transpose(0, 1).flatten(1)

    def _padded(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The same without packing, for which a CPU takes ten times as long (benchmarks/NOTES.md). A state depends on
        no token that is read after it. So padding may be read after a text, and what comes of it is thrown away; the
        other direction reads each text turned around where it stands."""
        places = torch.arange(inputs.size(1))
        inside = places < lengths[:, None]
        turned = torch.where(inside, lengths[:, None] - 1 - places, places)
        states = inputs
        finals: list[Tensor] = []
        for layer in range(self.kernel.num_layers):
            if layer:
                states = nn.functional.dropout(states, self.kernel.dropout, self.training)
            outputs: list[Tensor] = []
            finals = []
            for direction in range(self.directions):
                weights = self.kernel.all_weights[layer * self.directions + direction]
                output = self._run(_taken(states, turned) if direction else states, weights)
                finals.append(output[torch.arange(len(output)), lengths - 1])
                outputs.append(_taken(output, turned) if direction else output)
            states = torch.cat(outputs, dim=-1).masked_fill(~inside[..., None], 0.0)
        return states, torch.cat(finals, dim=-1)

    def _run(self, inputs: Tensor, weights: Sequence[Tensor]) -> Tensor:
        """torch's kernel over one layer in one direction: (batch, tokens, width) -> (batch, tokens, hidden_size)."""
        zeros = inputs.new_zeros(1, inputs.size(0), self.kernel.hidden_size)
        biases, layers, dropout, both_ways, batch_first = True, 1, 0.0, False, True
        options = (biases, layers, dropout, self.training, both_ways, batch_first)
        if isinstance(self.kernel, nn.LSTM):
            return torch.lstm(inputs, (zeros, zeros), list(weights), *options)[0]
        function = torch.gru if isinstance(self.kernel, nn.GRU) else torch.rnn_tanh
        return function(inputs, zeros, list(weights), *options)[0]


def _taken(states: Tensor, places: Tensor) -> Tensor:
    """Each row's states (batch, tokens, width) in the order of its places (batch, tokens)."""
    return states.gather(1, places[..., None].expand_as(states))
