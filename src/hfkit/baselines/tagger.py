"""The recurrent tagger: a bidirectional network over pieces, and a linear-chain CRF over the labels of the words."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.modeling_outputs import TokenClassifierOutput

from hfkit.baselines.auto import RecurrentModel
from hfkit.baselines.configs import RecurrentTaggerConfig
from hfkit.baselines.crf import LinearChainCRF

IGNORED = -100


class RecurrentForTokenClassification(RecurrentModel):
    """BiLSTM-CRF (Huang, Xu & Yu 2015), on pieces of words.

    A word is told by its first piece, whose two states have read the whole text. The CRF goes from word to word, and
    not over the pieces between. Without `crf` each word is told alone."""

    config_class = RecurrentTaggerConfig

    def __init__(self, config: RecurrentTaggerConfig) -> None:
        super().__init__(config, bidirectional=True)
        labels = config.num_labels or 2
        self.classifier = nn.Linear(2 * config.hidden_size, labels)
        self.crf = LinearChainCRF(labels) if config.crf else None
        self.post_init()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        word_starts: Tensor | None = None,
        **kwargs: Any,
    ) -> TokenClassifierOutput:
        """Labels of words; everything is (rows, pieces), padded on the right.

        `labels` are -100 at all but the first pieces of words. `word_starts`, of bool, are these first pieces; by
        default where there are labels, else all pieces.

        `logits` are (rows, pieces, labels): with a CRF the logs of each word's probabilities of its labels, over all
        sequences; elsewhere than at the first pieces they say nothing. `loss` is the mean over words of minus the log
        of the probability of the right labels, with a CRF of each text's as a whole."""
        emissions, starts = self._emissions(input_ids, attention_mask, labels, word_starts)
        if self.crf is None:
            right = None if labels is None else labels.masked_fill(~starts, IGNORED)
            loss = None if right is None else F.cross_entropy(emissions.float().flatten(0, 1), right.flatten())
            return TokenClassifierOutput(loss=loss, logits=emissions)
        words, mask = _gathered(emissions, starts)
        loss = None
        if labels is not None:
            tags, _ = _gathered(labels[..., None], starts)
            loss = self.crf(words, tags[..., 0].clamp(min=0), mask).sum() / mask.sum()
            if self.training:
                return TokenClassifierOutput(loss=loss, logits=emissions)
        logits = torch.zeros_like(emissions, dtype=torch.float32)
        logits[_with_words(starts)] = self.crf.marginals(words, mask)[mask]
        return TokenClassifierOutput(loss=loss, logits=logits)

    def decode(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, word_starts: Tensor | None = None
    ) -> Tensor:
        """(rows, pieces): at the first pieces of words their likeliest labels, as a whole with a CRF; else -100."""
        emissions, starts = self._emissions(input_ids, attention_mask, None, word_starts)
        found = torch.full_like(input_ids, IGNORED)
        if self.crf is None:
            found[starts] = emissions.argmax(dim=2)[starts]
        else:
            words, mask = _gathered(emissions, starts)
            found[_with_words(starts)] = self.crf.decode(words, mask)[mask]
        return found

    def _emissions(
        self, input_ids: Tensor, attention_mask: Tensor | None, labels: Tensor | None, word_starts: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """(rows, pieces, labels) of each piece alone, and the first pieces, (rows, pieces) of bool."""
        mask = self._mask(input_ids, attention_mask)
        if word_starts is None:
            word_starts = mask.bool() if labels is None else labels != IGNORED
        states, _ = self._read(input_ids, mask)
        return self.classifier(self.dropout(states)), word_starts


def _with_words(starts: Tensor) -> Tensor:
    """The first pieces; of a row without a word its first piece stands for one."""
    none = ~starts.any(dim=1)
    starts = starts.clone()
    starts[none, 0] = True
    return starts


def _gathered(values: Tensor, starts: Tensor) -> tuple[Tensor, Tensor]:
    """What stands at the first pieces, (rows, words, ...), moved together, and where words are, (rows, words)."""
    starts = _with_words(starts)
    order = torch.argsort((~starts).long(), dim=1, stable=True)[:, : int(starts.sum(dim=1).max())]
    mask = starts.gather(1, order)
    return values.gather(1, order[..., None].expand(-1, -1, values.shape[2])) * mask[..., None], mask
