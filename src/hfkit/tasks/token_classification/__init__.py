"""Token classification: each word of a text gets a tag, such as the name that it is a part of."""

from hfkit.tasks.spec import TaskSpec

SPEC = TaskSpec(
    names=("token-classification",),
    task="TokenClassification",
    auto_model="AutoModelForTokenClassification",
    heads=("ForTokenClassification",),
    peft="TOKEN_CLS",
    reads=("tokens",),
    keepsakes=("names.json",),
    baselines={
        "bilstm_crf": ("hfkit.baselines.configs:RecurrentTaggerConfig", {}),
        "bilstm": ("hfkit.baselines.configs:RecurrentTaggerConfig", {"crf": False}),
    },
    demo={  # as in recipes/bert_ner.py
        "dataset": "demo:usaddress",
        "model": "demo:distilbert_cased",
        "max_length": 64,
        "learning_rate": 1e-4,
        "num_train_epochs": 6,
        "per_device_train_batch_size": 16,
        "warmup_steps": 0.1,
    },
)
