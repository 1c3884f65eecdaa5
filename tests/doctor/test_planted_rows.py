"""Faults planted in rows: each is named within the first two findings."""

from typing import Any

import numpy as np
import pytest
from jobs import Job, named, relabelled, rewritten, sentence, texts

RNG = np.random.default_rng(5)
THAI = ["ดีมาก", "แย่มาก", "ภาพยนตร์", "เรื่อง", "นักแสดง", "ตอนจบ", "เพลง", "กล้อง", "คน", "ปี", "เวลา", "ฉาก"]


def shuffled(job: Job) -> None:
    for split in ("train", "validation"):
        job.data[split] = relabelled(job.data, split, RNG.permutation(job.data[split]["label"][:]))


def flipped(job: Job) -> None:
    labels = np.asarray(job.data["train"]["label"][:])
    at = np.random.default_rng(0).choice(len(labels), len(labels) // 20, replace=False)
    labels[at] = 1 - labels[at]
    job.data["train"] = relabelled(job.data, "train", labels)


def told(job: Job) -> None:
    for split, each in job.data.items():
        names = each.features["label"].names
        new = [f"{text} rated {names[label]}" for text, label in zip(each["text"], each["label"], strict=True)]
        job.data[split] = rewritten(job.data, split, new)


def copied(job: Job) -> None:
    new = job.data["validation"]["text"][:]
    for at in range(40):
        words = job.data["train"]["text"][at].split()
        new[at] = " ".join([*words[:-1], "altogether"])
    job.data["validation"] = rewritten(job.data, "validation", new)


def cut_to_the_same(job: Job) -> None:
    """Texts that differ only behind what the model reads of them."""
    new, rng = job.data["validation"]["text"][:], np.random.default_rng(1)
    train = job.data["train"]["text"][:]
    for at in range(40):
        train[at] = f"{sentence(rng, True, 30)} {train[at]}"
        new[at] = f"{' '.join(train[at].split()[:30])} {sentence(rng, False, 60)}"
    job.data["train"] = rewritten(job.data, "train", train)
    job.data["validation"] = rewritten(job.data, "validation", new)


def numbered(job: Job) -> None:
    for split, each in job.data.items():
        job.data[split] = rewritten(job.data, split, [f"tt{at:07d}" for at in range(len(each))])


def in_thai(job: Job) -> None:
    for split, each in job.data.items():
        new = [
            " ".join(RNG.choice(THAI[6 * label :][:6], 4).tolist() + RNG.choice(THAI, 9).tolist())
            for label in each["label"]
        ]
        job.data[split] = rewritten(job.data, split, new)


def other_test(job: Job) -> None:
    new = [
        text.replace("film", "phone").replace("the", "battery").replace("a ", "screen ") + " shipped"
        for text in job.data["test"]["text"]
    ]
    job.data["test"] = rewritten(job.data, "test", new)


def other_shares(job: Job) -> None:
    labels = job.data["validation"]["label"][:]
    kept = [at for at, label in enumerate(labels) if label or at % 10 == 0]
    job.data["validation"] = job.data["validation"].select(kept)


def of_one_patient(job: Job) -> None:
    for split, each in job.data.items():
        job.data[split] = each.add_column("group", [f"patient {at % 30}" for at in range(len(each))])


def in_order(job: Job) -> None:
    job.data["train"] = job.data["train"].sort("label")
    job.config.train_sampling_strategy = "sequential"


FAULTS: dict[str, Any] = {
    "shuffled_labels": shuffled,
    "flipped_labels": flipped,
    "label_in_text": told,
    "near_copies": copied,
    "same_rows": cut_to_the_same,
    "id_column": numbered,
    "unknown_tokens": in_thai,
    "unlike_test": other_test,
    "class_shares": other_shares,
    "group_in_two_splits": of_one_patient,
    "sorted_rows": in_order,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_rows_is_named(fault: str) -> None:
    assert fault in named(texts(), FAULTS[fault])


def test_a_healthy_job_has_no_fault() -> None:
    found = texts().examined()
    assert [one for one in found if one.level == "FAIL"] == []
    assert [str(one) for one in found if one.level == "WARN"] == []
