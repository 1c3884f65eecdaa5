"""Sentence similarity: texts as vectors, near each other where the texts belong together; and search by them."""

from hfkit.tasks.spec import TaskSpec

SPEC = TaskSpec(
    names=("sentence-similarity", "feature-extraction"),
    task="SentenceSimilarity",
    auto_model="AutoModel",
    heads=(),  # a bare encoder, which says of itself what it is for
    peft="FEATURE_EXTRACTION",
    unread=("pooler.",),  # models of sentences are published without it
    labelled=False,
    files=("modules.json",),
    reads=("text", "text_pair"),
    keepsakes=("found.json",),
    demo={  # as in recipes/minilm_retrieve.py
        "dataset": "demo:kjv_web",
        "max_train_samples": 1024,
        "max_eval_samples": 200,
        "max_test_samples": 1000,
        "model": "demo:minilm",
        "max_length": 64,
        "learning_rate": 5e-5,
        "num_train_epochs": 1,
        "per_device_train_batch_size": 32,
        "gradient_accumulation_steps": 4,
        "warmup_steps": 0.1,
    },
)
