"""Which model, how a gradient becomes an update, and how long."""

from dataclasses import dataclass
from typing import Literal

from hfkit.config.knobs import knob


@dataclass
class ModelArguments:
    """Which model, and which of its parameters learn."""

    model: str = knob(
        "google-bert/bert-base-uncased",
        "A Hub id or folder, timm/NAME, a baseline (baseline:lstm, baseline:cnn), or an embedded one (demo:minilm).",
        lead=2,
    )
    model_revision: str | None = knob(None, "Commit, tag or branch of a Hub model.")
    model_args: str | None = knob(
        None, "JSON object that overrides fields of the model's config, such as '{\"hidden_size\": 128}'."
    )
    dropout: float | None = knob(None, "Dropout of the hidden layers. Default: the model's own.", low=0, below=1)
    attention_dropout: float | None = knob(
        0.0,
        "Dropout of attention weights. Above 0 it leaves the fast attention kernel and costs a third of a CPU step.",
        low=0,
        below=1,
    )
    trust_remote_code: bool = knob(False, "Run Python code that a model's repository ships. Off unless you trust it.")
    freeze: list[str] = knob(
        [], "Parameters that do not learn: backbone, embeddings, or shell patterns such as *.layer.0.*"
    )
    unfreeze_epoch: int | None = knob(None, "Epoch (from 0) at whose start frozen parameters begin to learn.", low=0)
    unfreeze_layers: int | None = knob(
        None, "Frozen layers that begin to learn an epoch from then on, those near the head first. Default: all.", low=1
    )
    gradient_checkpointing: bool = knob(
        False, "Recompute activations in the backward pass: less memory, a third slower."
    )
    lora: bool = knob(False, "Train a low-rank adapter and the head instead of all weights.", lead=8)
    lora_r: int = knob(8, "Rank of the adapter.", low=1, high=65536, needs="lora")
    lora_alpha: int = knob(16, "The adapter's output is scaled by lora_alpha / lora_r.", low=1, needs="lora")
    lora_dropout: float = knob(0.0, "Dropout on the adapter's input.", low=0, below=1, needs="lora")
    lora_target_modules: list[str] = knob(
        [],
        "Layers that get an adapter: names (query), shell patterns (*.layer.1.*) or all-linear. Default: PEFT's for the"
        " model.",
        needs="lora",
    )
    use_dora: bool = knob(False, "DoRA: learn the size of each adapted weight apart from its direction.", needs="lora")
    use_rslora: bool = knob(
        False, "rsLoRA: scale the adapter by lora_alpha / sqrt(lora_r), for high ranks.", needs="lora"
    )


@dataclass
class OptimArguments:
    """How a gradient becomes an update."""

    optim: str = knob("adamw", "adamw (fused), sgd, adafactor, or the name of any class in torch.optim.")
    optim_args: str | None = knob(None, "JSON object of further arguments for the optimizer.")
    learning_rate: float = knob(5e-5, "The highest learning rate of the schedule.", above=0, lead=6)
    layer_wise_lr_decay: float = knob(
        1.0, "Factor on the learning rate for each layer further from the head.", above=0, high=1
    )
    weight_decay: float = knob(0.01, "Weight decay; never applied to biases, norms and other vectors.", low=0)
    adam_beta1: float = knob(0.9, "Decay of the mean of the gradients.", low=0, below=1)
    adam_beta2: float = knob(0.999, "Decay of the mean of the squared gradients.", low=0, below=1)
    adam_epsilon: float = knob(1e-8, "Added to the denominator of the update.", above=0)
    max_grad_norm: float = knob(1.0, "Gradients are scaled down to this norm; 0 turns clipping off.", low=0)
    lr_scheduler_type: str = knob(
        "linear", "Any schedule of transformers, or step, multistep, one_cycle, warm_restarts of torch."
    )
    lr_scheduler_kwargs: str | None = knob(None, "JSON object of further arguments for the schedule.")
    warmup_steps: float = knob(0.0, "Updates of linear warm-up; below 1 a share of all updates.", low=0, high=2**31 - 1)
    ema_decay: float = knob(
        0.0, "Decay of an exponential moving average of the weights, which is then the model; 0 is off.", low=0, below=1
    )


@dataclass
class LoopArguments:
    """How long, in which batches, and when to look."""

    num_train_epochs: float = knob(3.0, "Passes over the training rows.", above=0, high=2**31 - 1, lead=5)
    max_steps: int = knob(-1, "Updates to make, whatever num_train_epochs says; -1 is off.")
    per_device_train_batch_size: int = knob(16, "Rows in a training batch on each device.", low=1, lead=7)
    per_device_eval_batch_size: int = knob(32, "Rows in an evaluation batch on each device.", low=1)
    gradient_accumulation_steps: int = knob(1, "Batches in one update.", low=1)
    train_sampling_strategy: Literal["random", "sequential", "group_by_length"] = knob(
        "group_by_length", "Order of the rows. group_by_length pads little: rows of like length share a batch."
    )
    auto_find_batch_size: bool = knob(False, "Halve the batch and double the accumulation when memory runs out.")
    dataloader_num_workers: int = knob(0, "Processes that prepare batches.", low=0, high=1024)
    mixed_precision: Literal["auto", "no", "fp16", "bf16", "fp8"] = knob(
        "auto", "auto takes the launcher's choice, else bf16 where the hardware has it, else fp16 on a GPU, else no."
    )
    use_cpu: bool = knob(False, "Stay on the CPU even where there is a GPU.")
    seed: int = knob(42, "Seed of the weights, the dropout and the order of the rows.", low=0)
    full_determinism: bool = knob(False, "Deterministic kernels on a GPU too: slower, and the same bits each time.")
    logging_steps: int = knob(10, "Updates between two lines of the log.", low=1)
    eval_strategy: Literal["no", "steps", "epoch"] = knob("epoch", "When the validation split is looked at.")
    eval_steps: int | None = knob(None, "Updates between two looks (--eval_strategy steps).", low=1)
    save_strategy: Literal["no", "steps", "epoch"] = knob("epoch", "When a checkpoint is written.")
    save_steps: int | None = knob(None, "Updates between two checkpoints (--save_strategy steps).", low=1)
    save_total_limit: int = knob(
        2, "Checkpoints kept. The newest is never deleted; the best model is kept besides.", low=1
    )
    load_best_model_at_end: bool = knob(True, "Publish the model that was best on validation, not the last one.")
    metric_for_best_model: str | None = knob(None, "The figure that says best. Default: the task's own.")
    early_stopping_patience: int | None = knob(None, "Stop after so many looks without a better figure.", low=1)
    early_stopping_threshold: float = knob(0.0, "How much better a figure must be to count.", low=0)
