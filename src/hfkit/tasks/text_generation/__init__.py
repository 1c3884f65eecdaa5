"""Text generation: a causal language model learns to say the next token of texts, of completions or of answers."""

from hfkit.tasks.spec import TaskSpec

SPEC = TaskSpec(
    names=("text-generation",),
    task="TextGeneration",
    auto_model="AutoModelForCausalLM",
    heads=("ForCausalLM", "LMHeadModel"),
    peft="CAUSAL_LM",
    labelled=False,
    reads=("text", "completion", "messages"),
    keepsakes=("passages.json", "samples.jsonl"),
    baselines={
        "transformer_lm": ("hfkit.baselines.language.configs:TransformerLMConfig", {}),
        "lstm_lm": ("hfkit.baselines.language.configs:LSTMLMConfig", {}),
    },
    demo={  # as in recipes/gpt2_wikitext.py
        "dataset": "demo:imdb",
        "max_train_samples": 160,
        "max_eval_samples": 30,
        "max_test_samples": 100,
        "model": "demo:smollm2",
        "max_length": 512,
        "num_train_epochs": 1,
        "per_device_train_batch_size": 2,
        "per_device_eval_batch_size": 8,
        "warmup_steps": 0.05,
    },
)
