"""Question answering: the answer to a question, as it stands in a text."""

from hfkit.tasks.spec import TaskSpec

SPEC = TaskSpec(
    names=("question-answering",),
    task="QuestionAnswering",
    auto_model="AutoModelForQuestionAnswering",
    heads=("ForQuestionAnswering", "ForQuestionAnsweringSimple"),
    peft="QUESTION_ANS",
    reads=("text", "text_pair"),
    demo={  # as in recipes/bert_squad.py
        "dataset": "demo:facts",
        "model": "demo:bge_small",
        "max_length": 192,
        "stride": 64,
        "learning_rate": 3e-4,
        "num_train_epochs": 4,
        "per_device_train_batch_size": 16,
        "warmup_steps": 0.1,
    },
)
