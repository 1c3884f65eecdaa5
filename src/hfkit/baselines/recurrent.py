"""Recurrent networks: Elman's RNN, the GRU and the LSTM, each written out as a cell, and torch's kernel for training.

The cells are the reference: one step, in the equations of torch's documentation, with torch's parameter names, so that
weights move between the two unchanged. `RecurrentEncoder` runs torch's kernel, to each text's own end.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence


class RecurrentCell(nn.Module):
    """The parameters that every cell has, and its run over a sequence.

    Args:
        input_size: Width of the inputs.
        hidden_size: Width of the state.
    """

    gates: int

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.weight_ih = nn.Parameter(torch.empty(self.gates * hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(self.gates * hidden_size, hidden_size))
        self.bias_ih = nn.Parameter(torch.empty(self.gates * hidden_size))
        self.bias_hh = nn.Parameter(torch.empty(self.gates * hidden_size))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -1 / math.sqrt(hidden_size), 1 / math.sqrt(hidden_size))

    def start(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """The state before the first step: zeros, each (batch, hidden_size); the first one is the output."""
        return (inputs.new_zeros(inputs.size(0), self.hidden_size),)

    def step(self, inputs: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """(batch, input_size) and a state -> the next state."""
        raise NotImplementedError

    def forward(self, inputs: Tensor, lengths: Tensor, reverse: bool = False) -> tuple[Tensor, Tensor]:
        """Step through the tokens one by one; past its end a text keeps its state.

        Args:
            inputs: (batch, tokens, input_size).
            lengths: (batch,), tokens of each text.
            reverse: Start at each text's last token.

        Returns:
            Outputs (batch, tokens, hidden_size), zero on padding, and the final output (batch, hidden_size).
        """
        state = self.start(inputs)
        outputs = [torch.zeros_like(state[0])] * inputs.size(1)
        for time in reversed(range(inputs.size(1))) if reverse else range(inputs.size(1)):
            alive = (time < lengths)[:, None]
            new = self.step(inputs[:, time], state)
            state = tuple(torch.where(alive, now, before) for now, before in zip(new, state, strict=True))
            outputs[time] = torch.where(alive, state[0], 0.0)
        return torch.stack(outputs, dim=1), state[0]

    def _project(self, inputs: Tensor, hidden: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Each gate's share from the inputs, and from the state."""
        from_inputs = inputs @ self.weight_ih.T + self.bias_ih
        from_hidden = hidden @ self.weight_hh.T + self.bias_hh
        return list(from_inputs.chunk(self.gates, dim=-1)), list(from_hidden.chunk(self.gates, dim=-1))


class RNNCell(RecurrentCell):
    """h' = tanh(W x + U h) (Elman 1990)."""

    gates = 1

    def step(self, inputs: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        (x,), (h,) = self._project(inputs, state[0])
        return (torch.tanh(x + h),)


class GRUCell(RecurrentCell):
    """A reset gate and an update gate (Cho et al. 2014), in the order of torch: reset, update, new."""

    gates = 3

    def step(self, inputs: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        (x_reset, x_update, x_new), (h_reset, h_update, h_new) = self._project(inputs, state[0])
        reset = torch.sigmoid(x_reset + h_reset)
        update = torch.sigmoid(x_update + h_update)
        new = torch.tanh(x_new + reset * h_new)
        return ((1 - update) * new + update * state[0],)


class LSTMCell(RecurrentCell):
    """Input, forget and output gates around a memory (Hochreiter & Schmidhuber 1997; Gers et al. 2000).

    The state is (output, memory). Gates in the order of torch: input, forget, candidate, output.
    """

    gates = 4

    def start(self, inputs: Tensor) -> tuple[Tensor, ...]:
        zeros = inputs.new_zeros(inputs.size(0), self.hidden_size)
        return (zeros, zeros)

    def step(self, inputs: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        shares = [x + h for x, h in zip(*self._project(inputs, state[0]), strict=True)]
        let_in, keep, let_out = torch.sigmoid(shares[0]), torch.sigmoid(shares[1]), torch.sigmoid(shares[3])
        memory = keep * state[1] + let_in * torch.tanh(shares[2])
        return (let_out * torch.tanh(memory), memory)


CELLS: dict[str, type[RecurrentCell]] = {"rnn": RNNCell, "gru": GRUCell, "lstm": LSTMCell}
KERNELS: dict[str, Callable[..., nn.RNNBase]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


class RecurrentEncoder(nn.Module):
    """torch's RNN, GRU or LSTM over texts of their own lengths.

    Args:
        cell: "rnn", "gru" or "lstm".
        input_size: Width of the inputs.
        hidden_size: Width of the state in each direction.
        layers: Layers on top of each other.
        bidirectional: Read each text from both ends; the outputs are twice as wide.
        dropout: Dropout between layers.
    """

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
        """Read each text to its own end.

        Args:
            inputs: (batch, tokens, input_size), padded on the right.
            lengths: (batch,), at least 1.

        Returns:
            Outputs (batch, tokens, directions * hidden_size), zero on padding, and the last layer's final states
            (batch, directions * hidden_size).
        """
        if inputs.device.type == "cpu":
            return self._padded(inputs, lengths)
        packed = pack_padded_sequence(inputs, lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, state = self.kernel(packed)
        assert isinstance(outputs, PackedSequence)
        hidden = state[0] if isinstance(state, tuple) else state
        padded, _ = pad_packed_sequence(outputs, batch_first=True, total_length=inputs.size(1))
        return padded, hidden[-self.directions :].transpose(0, 1).flatten(1)

    def _padded(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The same without packing, for which a CPU takes ten times as long (benchmarks/NOTES.md).

        A state depends on no token that is read after it. So padding may be read after a text, and what comes of it is
        thrown away; the other direction reads each text turned around where it stands.
        """
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
