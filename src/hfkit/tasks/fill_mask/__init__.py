"""Fill-mask: a model that sees both sides of a hidden word learns to say it; how an encoder learns a domain's texts."""

from hfkit.tasks.spec import TaskSpec

SPEC = TaskSpec(
    names=("fill-mask",),
    task="FillMask",
    auto_model="AutoModelForMaskedLM",
    heads=("ForMaskedLM",),
    labelled=False,
    reads=("text", "completion", "messages"),
    keepsakes=("guesses.json",),
    baselines={"bert": ("hfkit.baselines.configs:BaselineBertConfig", {})},
    demo={  # as in recipes/bert_fill_mask.py
        "dataset": "demo:imdb",
        "max_train_samples": 1000,
        "max_eval_samples": 60,
        "max_test_samples": 200,
        "model": "demo:minilm",
        "max_length": 128,
        "learning_rate": 5e-4,
        "num_train_epochs": 2,
        "per_device_train_batch_size": 32,
        "warmup_steps": 0.1,
    },
)
