"""The tokenizer of a from-scratch baseline: WordPiece, trained on the training split and nothing else."""

from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


def train_tokenizer(texts: Iterable[str], vocab_size: int = 20000, max_length: int = 512) -> PreTrainedTokenizerFast:
    """Learn a lower-case WordPiece vocabulary.

    Text is split as BERT splits it: at spaces and punctuation, and around each Chinese character. The line breaks of
    web pages (`<br />`, four useless tokens in every paragraph of IMDB) count as spaces. One text becomes
    `[CLS] text [SEP]`, a pair `[CLS] first [SEP] second [SEP]`.

    Args:
        texts: The training texts, read once. The same texts in the same order give the same vocabulary.
        vocab_size: Entries at most, special tokens included; few texts give fewer.
        max_length: Tokens that a text may have, saved as the tokenizer's `model_max_length`.

    Returns:
        A tokenizer that pads on the right with `[PAD]`, which is token 0.
    """
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Replace(Regex(r"<br\s*/?>"), " "), normalizers.BertNormalizer(lowercase=True)]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIAL_TOKENS),
        # A character outside the alphabet is lost for good: Chinese needs thousands, and words need room too.
        limit_alphabet=max(vocab_size // 3, 1),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer=trainer)
    cls, sep = (("[CLS]", tokenizer.token_to_id("[CLS]")), ("[SEP]", tokenizer.token_to_id("[SEP]")))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[cls, sep]
    )
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
