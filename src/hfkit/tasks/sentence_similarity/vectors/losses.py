"""What is learnt of texts that belong together: before which others, by which margin, or how near to each other."""

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from hfkit.tasks.sentence_similarity.task import Parts, SentenceSimilarity


def joint_loss(task: "SentenceSimilarity", parts: "Parts") -> torch.Tensor:
    """(rows,) losses of an update's rows, in the order of its batches; with Matryoshka dimensions the mean over these
    and all of them. `parts` are what `represent` gives of each batch."""
    of = {"ranking": ranking, "cosine": cosine, "margin": margin}[task.loss]
    found = [of(task, [(one[:, :dims], facts) for one, facts in parts]) for dims in (None, *task.matryoshka_dims)]
    return torch.stack(found).mean(dim=0)


def ranking(task: "SentenceSimilarity", parts: "Parts") -> torch.Tensor:
    """Cross-entropy of each row's first document among all documents of the update, by cosine.

    A document that any row says is right for the query, a copy of one, and a copy of the query are no negatives."""
    split = [_split(*part) for part in parts]
    documents, keys = torch.cat([one for _, one, _ in split]), torch.cat([facts["keys"] for *_, facts in split])
    losses, begin = [], 0
    for queries, _, facts in split:
        counts = facts["counts"]
        own = begin + counts.cumsum(0) - counts
        begin += int(counts.sum())
        cosines = queries @ documents.T
        gone = torch.stack([torch.isin(keys, right) for right in facts["right"]])
        gone[torch.arange(len(own), device=own.device), own] = False
        logits = (cosines / task.temperature).masked_fill(gone, -torch.inf)
        losses.append(F.cross_entropy(logits, own, reduction="none"))
    return torch.cat(losses)


def cosine(task: "SentenceSimilarity", parts: "Parts") -> torch.Tensor:
    """The squared error of each pair's cosine as its score."""
    split = [_split(*part) for part in parts]
    return torch.cat([((one * other).sum(dim=1) - facts["grades"]) ** 2 for one, other, facts in split])


def margin(task: "SentenceSimilarity", parts: "Parts") -> torch.Tensor:
    """By how much each row's negatives come nearer to the query than its document does less the margin, on average
    (Schroff et al. 2015, on cosines)."""
    found = []
    for queries, documents, facts in (_split(*part) for part in parts):
        counts = facts["counts"]
        rows = torch.arange(len(counts), device=counts.device).repeat_interleave(counts)
        cosines, first = (queries[rows] * documents).sum(dim=1), counts.cumsum(0) - counts
        beyond = (task.margin - cosines[first][rows] + cosines).clamp(min=0)
        denied = facts["grades"] <= 0
        sums = beyond.new_zeros(len(counts)).index_add(0, rows[denied], beyond[denied])
        found.append(
            sums / beyond.new_zeros(len(counts)).index_add(0, rows[denied], denied[denied].float()).clamp(min=1)
        )
    return torch.cat(found)


def _split(found: torch.Tensor, facts: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor, dict[str, Any]]:
    """Queries and documents of a batch, of length 1."""
    vectors, rows = F.normalize(found, dim=1), len(facts["counts"])
    return vectors[:rows], vectors[rows:], facts
