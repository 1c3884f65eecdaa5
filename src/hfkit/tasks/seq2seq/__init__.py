"""Seq2seq: a text that a text becomes, as its translation or its summary does."""

from hfkit.tasks.spec import TaskSpec

SPEC = TaskSpec(
    names=("translation", "summarization", "text2text-generation"),
    task="Seq2Seq",
    auto_model="AutoModelForSeq2SeqLM",
    # By their whole names: what reads pictures or speech ends in ForConditionalGeneration too.
    heads=(
        "T5ForConditionalGeneration",
        "BartForConditionalGeneration",
        "MarianMTModel",
        "M2M100ForConditionalGeneration",
        "PegasusForConditionalGeneration",
        "PegasusXForConditionalGeneration",
        "LEDForConditionalGeneration",
        "BlenderbotForConditionalGeneration",
        "BlenderbotSmallForConditionalGeneration",
        "FSMTForConditionalGeneration",
        "MvpForConditionalGeneration",
        "NllbMoeForConditionalGeneration",
        "ProphetNetForConditionalGeneration",
        "SwitchTransformersForConditionalGeneration",
        "BaselineSeq2SeqForConditionalGeneration",
    ),
    peft="SEQ_2_SEQ_LM",
    labelled=False,
    reads=("source", "target"),
    baselines={"transformer": ("hfkit.baselines.configs:BaselineSeq2SeqConfig", {})},
    demo={  # as in recipes/t5_modernise.py
        "dataset": "demo:kjv_web",
        "max_train_samples": 2000,
        "max_eval_samples": 100,
        "max_test_samples": 100,
        "model": "demo:flan_t5_small",
        "source_prefix": "modernise: ",
        "max_length": 96,
        "max_target_length": 96,
        "learning_rate": 1e-3,
        "num_train_epochs": 1,
        "per_device_train_batch_size": 16,
        "warmup_steps": 0.1,
    },
)
