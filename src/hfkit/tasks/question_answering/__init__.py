"""Question answering: the answer to a question, as it stands in a text."""

from hfkit.tasks.spec import TaskSpec

SPEC = TaskSpec(
    names=("question-answering",),
    task="QuestionAnswering",
    auto_model="AutoModelForQuestionAnswering",
    heads=("ForQuestionAnswering", "ForQuestionAnsweringSimple"),
    peft="QUESTION_ANS",
    reads=("text", "text_pair"),
    demo={
        "dataset": "demo:facts",
        "model": "demo:minilm",
        "learning_rate": 1e-4,
        "num_train_epochs": 2,
        "warmup_steps": 0.1,
    },
)
