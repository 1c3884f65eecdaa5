"""Checks of tokens: what a tokenizer loses, and whether it is the model's own."""

from itertools import pairwise
from typing import Any

import numpy as np
import torch

from hfkit.data.text.token_cache import flat, lost_in_tokens
from hfkit.models.inspection import token_ends
from hfkit.training.doctor.finding import Findings, fault, graded, left_out
from hfkit.training.doctor.patient import SAMPLE, Patient

STEM, TAIL, PAIRS = 5, 2, 60  # letters that kin share, letters that one has more, and pairs that it takes


def ids_as_texts(patient: Patient) -> Findings:
    """`id_column`: texts that are none, each another word with digits."""
    texts = patient.texts("train")
    if texts is None:
        yield left_out("id_column", "rows are no texts")
        return
    codes = [" " not in text and any(map(str.isdigit, text)) for text in texts]
    share = float(np.mean(codes)) * len(set(texts)) / max(len(texts), 1)
    evidence = f"{share:.0%} of the texts are one word with digits, each another, such as {texts[0][:40]!r}"
    yield graded("id_column", share, evidence, "name the column with the text: --text_column", warn=0.5, fail=0.8)


def unknown_tokens(patient: Patient) -> Findings:
    """`unknown_tokens`: the share of tokens that stand for nothing, or for a part of a letter; `one_sequence`: texts
    that became the tokens of another one."""
    train = patient.encoded["train"]
    if "input_ids" not in train.column_names:
        yield left_out("unknown_tokens", "rows have no tokens")
        return
    lost = lost_in_tokens(patient.processor, patient.data["train"], train)
    ids, often = np.unique(flat(train, "input_ids"), return_counts=True)
    special = set(patient.processor.all_special_ids)
    read = {int(one): int(many) for one, many in zip(ids, often, strict=True) if int(one) not in special}
    parts = sum(many for one, many in read.items() if _is_part(patient.processor, one))
    share = lost["unknown"] + parts / max(sum(read.values()), 1)
    evidence = f"{lost['unknown']:.1%} of the tokens are unknown, {share - lost['unknown']:.1%} bytes of a letter"
    fix = "take a model whose tokenizer knows the script of these texts"
    yield graded("unknown_tokens", share, evidence, fix, warn=0.1, fail=0.3)
    evidence = f"{lost['equal']:,} different texts share their tokens with another one, {lost['equal_share']:.1%}"
    yield graded("one_sequence", lost["equal_share"], evidence, fix, warn=0.05, fail=0.3)


def _is_part(processor: Any, token: int) -> bool:
    """Whether a token is a byte of a letter that has several: alone it is no text."""
    name = str(processor.convert_ids_to_tokens(token))
    return (len(name) == 6 and name.startswith("<0x")) or "\ufffd" in processor.decode([token])


def own_tokenizer(patient: Patient) -> Findings:
    """`permuted_tokenizer`: in a model that has read, kin (film, films) have vectors that are more alike than those of
    words at random. Where they are not, ids mean other words than they did."""
    places = _kin(patient.processor) if hasattr(patient.processor, "get_vocab") else []
    embedding = token_ends(patient.model)[0]
    if patient.config.model.startswith("baseline:") or len(places) < PAIRS or not hasattr(embedding, "weight"):
        yield left_out("permuted_tokenizer", "there is no model that has read, or no words of one stem")
        return
    table = embedding.weight.detach().float()
    table = torch.nn.functional.normalize(table - table.mean(dim=0), dim=1)
    one, other = (torch.tensor(column) for column in zip(*places, strict=True))
    kin = (table[one] * table[other]).sum(dim=1)
    others = (table[one] * table[other.roll(1)]).sum(dim=1)
    apart = kin - others
    sure = float(apart.mean() / (apart.std() / len(apart) ** 0.5 + 1e-9))
    evidence = f"{len(places):,} pairs as {patient.processor.convert_ids_to_tokens(list(places[0]))}: cosine"
    evidence += f" {float(kin.mean()):.2f}, of words at random {float(others.mean()):.2f}"
    fix = "open the tokenizer that was saved with the model"
    yield fault("permuted_tokenizer", sure < 3, f"{evidence}; {sure:.1f} deviations", fix, "at least 3")


def _kin(processor: Any) -> list[tuple[int, int]]:
    """Ids of words of the vocabulary of which one is the other with a letter or two more."""
    known = sorted(
        (word.lstrip("▁Ġ"), place)
        for word, place in processor.get_vocab().items()
        if word.isascii() or "▁" in word or "Ġ" in word
    )
    words = [(word, place) for word, place in known if word.isalpha() and len(word) >= STEM]
    return [
        (place, after)
        for (word, place), (longer, after) in pairwise(words)
        if longer.startswith(word) and 0 < len(longer) - len(word) <= TAIL
    ]


def end_is_learnt(patient: Patient) -> Findings:
    """`end_never_learnt`: a model that writes has to learn when to stop."""
    known = "targets" in patient.encoded["train"].column_names
    end = getattr(patient.task, "end_token_id", patient.processor.eos_token_id if known else None)
    if end is None:
        yield left_out("end_never_learnt", "nothing is written")
        return
    name = "targets" if "targets" in patient.learnt.column_names else "input_ids"
    drawn = np.random.default_rng(0).permutation(len(patient.learnt))[:SAMPLE].tolist()  # packed rows have an order
    rows = [row for row, ids in zip(drawn, patient.learnt[drawn][name], strict=True) if end in ids[1:]][:32]
    batch = patient.batch(rows) if rows else {}
    learnt = int((batch["targets"] == end).sum()) if "targets" in batch else 0
    evidence = f"of {len(rows)} rows that hold the end token {learnt} are taught to say it"
    fix = "keep padding apart from the end token, and texts whole (max_length)"
    yield fault("end_never_learnt", learnt == 0, evidence, fix, "at least one")


CHECKS = (ids_as_texts, unknown_tokens, own_tokenizer, end_is_learnt)
