"""The tokenizer of a from-scratch baseline: byte-pair encoding, trained on the training split and nothing else."""

from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast


def train_tokenizer(
    texts: Iterable[str], vocab_size: int = 20000, max_length: int = 512, lowercase: bool = True
) -> PreTrainedTokenizerFast:
    """Learn a vocabulary of words and pieces of words; the same texts give the same one.

    Text is split as BERT splits it: at spaces and punctuation, and around each Chinese character. Each word then begins
    with a mark, and pieces are merged inside words. (WordPiece would mark the pieces that follow, but `tokenizers`
    numbers those in another order in every process, and a resumed run needs the same vocabulary again.) The line breaks
    of web pages (`<br />`) count as spaces. With `lowercase` capitals are read as small letters, and accents left out;
    names want theirs.

    There are `vocab_size` entries at most, special tokens included; few texts give fewer. `max_length` is saved as
    `model_max_length`. The tokenizer pads on the right with `[PAD]`, which is token 0."""
    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))
    breaks = normalizers.Replace(Regex(r"<br\s*/?>"), " ")
    tokenizer.normalizer = normalizers.Sequence([breaks, normalizers.BertNormalizer(lowercase=lowercase)])
    marked = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.BertPreTokenizer(), marked])
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]"],
        limit_alphabet=vocab_size,  # the default, 1000, would lose most Chinese characters
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer=trainer)
    marks = [(mark, tokenizer.token_to_id(mark)) for mark in ("[CLS]", "[SEP]")]
    single, pair = "[CLS] $A [SEP]", "[CLS] $A [SEP] $B [SEP]"
    tokenizer.post_processor = processors.TemplateProcessing(single=single, pair=pair, special_tokens=marks)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=max_length,
        model_input_names=["input_ids", "attention_mask"],
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        padding_side="right",
    )
