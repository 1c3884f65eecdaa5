"""Text classification: a text, or a pair of texts, gets one label, several labels, or a number."""

from hfkit.tasks.spec import TaskSpec

SPEC = TaskSpec(
    names=("text-classification",),
    task="TextClassification",
    auto_model="AutoModelForSequenceClassification",
    heads=("ForSequenceClassification",),
    peft="SEQ_CLS",
    reads=("text",),
    baselines={
        "lstm": ("hfkit.baselines.configs:RecurrentConfig", {"cell": "lstm"}),
        "bilstm": ("hfkit.baselines.configs:RecurrentConfig", {"cell": "lstm", "bidirectional": True}),
        "gru": ("hfkit.baselines.configs:RecurrentConfig", {"cell": "gru"}),
        "rnn": ("hfkit.baselines.configs:RecurrentConfig", {"cell": "rnn"}),
        "transformer": ("hfkit.baselines.configs:BaselineTransformerConfig", {}),
    },
    demo={
        "dataset": "demo:rotten_tomatoes",
        "model": "demo:minilm",
        "pooling": "mean",
        "max_length": 128,
        "learning_rate": 1e-4,
        "num_train_epochs": 2,
        "warmup_steps": 0.1,
    },
)
