"""TrainConfig: every knob of a run, under the names that transformers.TrainingArguments uses.

The knobs stand in groups. A group is a dataclass of its own, so that `load_data` takes `DataArguments` alone and
never sees a learning rate. A recipe subclasses `TrainConfig` and changes defaults; `hfkit.parsing` turns every field
into a flag. This module imports nothing, so that `--help` costs nothing.
"""

from dataclasses import dataclass, field
from typing import Any, Literal


def _knob(default: Any, help: str) -> Any:
    """A dataclass field with its help text; lists get a factory because a shared default would leak between runs."""
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata={"help": help})
    return field(default=default, metadata={"help": help})


@dataclass
class DataArguments:
    """Which rows are read, and how they are split."""

    dataset: str = _knob(
        "imdb",
        "A card's name (imdb), a Hub id (stanfordnlp/imdb), a CSV, JSON lines or Parquet file, a folder of them,"
        " a folder of images by class, or demo:imdb.",
    )
    dataset_config_name: str | None = _knob(None, "The configuration of a Hub data set, such as mnli of nyu-mll/glue.")
    dataset_revision: str | None = _knob(None, "Commit, tag or branch of a Hub data set. A card pins its own.")
    text_column: str | None = _knob(None, "The column with the text. Found by name and content when not given.")
    text_pair_column: str | None = _knob(None, "The column with the second text of a pair (MNLI, MRPC).")
    document_start: str | None = _knob(
        None,
        "Regular expression of the line that begins a document, where many stand in one text file, or in a column"
        " line by line. Default: the card's.",
    )
    image_column: str | None = _knob(
        None, "The column with the images, or their paths seen from the file's folder. Found when not given."
    )
    label_column: str | None = _knob(None, "The column with the label. Found by name and content when not given.")
    train_split: str | None = _knob(None, "The split to train on. Default: train.")
    validation_split: str | None = _knob(None, "The split that picks the best model, such as validation_matched.")
    test_split: str | None = _knob(None, "The split that the final figures come from. Default: test.")
    validation_size: float | None = _knob(
        None, "Share of the training rows held out where there is no validation split. Default: the card's, else 0.1."
    )
    test_size: float | None = _knob(
        None, "Share of the rows held out for the figures where there is no test split. Default: the card's, else 0.1."
    )
    data_seed: int = _knob(
        0, "Seed of the splits and of max_*_samples. Apart from seed, so that seeds can be compared."
    )
    encoding: str = _knob("utf-8", "Encoding of CSV and JSON files.")
    delimiter: str | None = _knob(None, "Separator of CSV files. Default: comma, or tab in a .tsv file.")
    merge_labels: bool = _knob(False, "Merge labels that differ only in case or surrounding space (Pos, pos ).")
    streaming: bool = _knob(
        False,
        "Read documents as training goes on, from the Hub, .jsonl or .parquet files or texts that need not fit into"
        " memory (--task text-generation, --max_steps).",
    )
    streaming_window: int = _knob(
        2000,
        "Documents of a stream that are held, packed and shuffled at a time. Where epochs are spoken of, as in"
        " --eval_strategy epoch, a stream has its windows.",
    )
    drop_bad_rows: bool = _knob(False, "Drop rows without a text or label, counted, instead of stopping.")
    keep_duplicates: bool = _knob(False, "Keep repeated texts, also those that stand in training and test at once.")
    skip_corrupt: bool = _knob(False, "Go on without images that cannot be read, counted, instead of stopping.")
    max_train_samples: int | None = _knob(None, "Train on at most so many rows, drawn with data_seed.")
    max_eval_samples: int | None = _knob(None, "Validate on at most so many rows, drawn with data_seed.")
    max_test_samples: int | None = _knob(None, "Take the final figures on at most so many rows, drawn with data_seed.")


@dataclass
class TaskArguments:
    """What the job means: how a row becomes model inputs, and what is learnt from it."""

    task: str = _knob("text-classification", "The transformers pipeline's name of the job.")
    problem_type: Literal["auto", "single_label_classification", "multi_label_classification", "regression"] = _knob(
        "auto", "auto reads it from the labels: classes, lists of classes, or numbers with a fraction."
    )
    max_length: int | None = _knob(None, "Tokens a text may have, special tokens included. Default: the model's limit.")
    long_text: Literal["head", "tail", "head_tail", "windows"] = _knob(
        "head",
        "What is kept of a text that is too long: its head, its tail, a quarter head and three quarters tail,"
        " or all of it in overlapping windows.",
    )
    stride: int = _knob(128, "Tokens that two neighbouring windows share (--long_text windows).")
    class_weights: Literal["none", "balanced"] = _knob("none", "balanced weighs a class by 1 / its frequency.")
    label_smoothing_factor: float = _knob(0.0, "Share of a label's weight spread over the other classes.")
    regression_loss: Literal["mse", "mae"] = _knob(
        "mse", "What a regression learns to make small: mse the mean of the squared errors, mae of their sizes."
    )


@dataclass
class LanguageArguments:
    """How texts are laid out for a language model (--task text-generation)."""

    packing: bool = _knob(
        True, "Fill rows of max_length tokens with several documents, none of which sees another; false pads instead."
    )
    eval_stride: int | None = _knob(
        None,
        "Tokens between two windows of a long text in evaluation: fewer show each token more of what came before it,"
        " for more work. Default: max_length, windows side by side.",
    )
    sample_prompts: list[str] = _knob(
        [], "Texts that are continued at every look at the validation split. Default: how three of its texts begin."
    )
    tokenizer: Literal["bpe", "char"] = _knob(
        "bpe", "What a baseline's tokenizer learns from the training texts: pairs of bytes, or single characters."
    )


@dataclass
class ImageArguments:
    """How images are read, changed in training, and looked at."""

    image_size: int | None = _knob(
        None,
        "Pixels of each side of what the model sees. Default: the model's own; a baseline's is the images'.",
    )
    augment: list[str] = _knob(
        ["light"],
        "How training images are changed: none, light, medium or strong, or names: flip, vertical_flip, crop,"
        " resized_crop, rotate, zoom, color, randaugment, autoaugment, trivialaugment, erase.",
    )
    mixup: float = _knob(0.0, "Add images up in pairs, with shares drawn from Beta(a, a) of this a; 0 is off.")
    cutmix: float = _knob(0.0, "Paste boxes of other images in, with shares drawn from Beta(a, a) of this a; 0 is off.")
    test_time_augmentation: Literal["none", "flip"] = _knob(
        "none", "flip answers with the mean over the image and its mirror image: twice the work."
    )
    drop_path: float | None = _knob(
        None, "Stochastic depth: share of the residual branches that training leaves out. Default: the model's own."
    )
    from_scratch: bool = _knob(False, "Take the architecture of the model and not its weights.")
    linear_probe: bool = _knob(
        False, "Train the head alone, on features that the model computes once: seconds instead of minutes."
    )


@dataclass
class ModelArguments:
    """Which model, and which of its parameters learn."""

    model: str = _knob(
        "google-bert/bert-base-uncased",
        "A Hub id or folder, timm/NAME, a baseline (baseline:lstm, baseline:cnn), or an embedded one (demo:minilm).",
    )
    model_revision: str | None = _knob(None, "Commit, tag or branch of a Hub model.")
    model_args: str | None = _knob(
        None, "JSON object that overrides fields of the model's config, such as '{\"hidden_size\": 128}'."
    )
    pooling: Literal["model", "mean"] = _knob(
        "model", "model keeps the architecture's own head; mean puts a linear head on the mean of the token vectors."
    )
    dropout: float | None = _knob(None, "Dropout of the hidden layers. Default: the model's own.")
    attention_dropout: float | None = _knob(
        0.0,
        "Dropout of attention weights. Above 0 it leaves the fast attention kernel and costs a third of a CPU step.",
    )
    vocab_size: int = _knob(
        20000, "Entries of the tokenizer that a from-scratch baseline trains on the training split."
    )
    trust_remote_code: bool = _knob(False, "Run Python code that a model's repository ships. Off unless you trust it.")
    freeze: list[str] = _knob(
        [], "Parameters that do not learn: backbone, embeddings, or shell patterns such as *.layer.0.*"
    )
    unfreeze_epoch: int | None = _knob(None, "Epoch (from 0) at whose start frozen parameters begin to learn.")
    gradient_checkpointing: bool = _knob(
        False, "Recompute activations in the backward pass: less memory, a third slower."
    )
    lora: bool = _knob(False, "Train a low-rank adapter and the head instead of all weights.")
    lora_r: int = _knob(8, "Rank of the adapter.")
    lora_alpha: int = _knob(16, "The adapter's output is scaled by lora_alpha / lora_r.")
    lora_dropout: float = _knob(0.0, "Dropout on the adapter's input.")
    lora_target_modules: list[str] = _knob(
        [],
        "Layers that get an adapter: names (query), shell patterns (*.layer.1.*) or all-linear. Default: PEFT's for the"
        " model.",
    )
    use_dora: bool = _knob(False, "DoRA: learn the size of each adapted weight apart from its direction.")
    load_in_4bit: bool = _knob(
        False, "QLoRA: the matrices of the frozen model in four bits a weight (NF4, through bitsandbytes)."
    )
    use_rslora: bool = _knob(False, "rsLoRA: scale the adapter by lora_alpha / sqrt(lora_r), for high ranks.")


@dataclass
class OptimArguments:
    """How a gradient becomes an update."""

    optim: str = _knob("adamw", "adamw (fused), sgd, adafactor, or the name of any class in torch.optim.")
    optim_args: str | None = _knob(None, "JSON object of further arguments for the optimizer.")
    learning_rate: float = _knob(5e-5, "The highest learning rate of the schedule.")
    layer_wise_lr_decay: float = _knob(1.0, "Factor on the learning rate for each layer further from the head.")
    weight_decay: float = _knob(0.01, "Weight decay; never applied to biases, norms and other vectors.")
    adam_beta1: float = _knob(0.9, "Decay of the mean of the gradients.")
    adam_beta2: float = _knob(0.999, "Decay of the mean of the squared gradients.")
    adam_epsilon: float = _knob(1e-8, "Added to the denominator of the update.")
    max_grad_norm: float = _knob(1.0, "Gradients are scaled down to this norm; 0 turns clipping off.")
    lr_scheduler_type: str = _knob(
        "linear", "Any schedule of transformers, or step, multistep, one_cycle, warm_restarts of torch."
    )
    lr_scheduler_kwargs: str | None = _knob(None, "JSON object of further arguments for the schedule.")
    warmup_steps: float = _knob(0.0, "Updates of linear warm-up; below 1 a share of all updates.")
    ema_decay: float = _knob(
        0.0, "Decay of an exponential moving average of the weights, which is then the model; 0 is off."
    )


@dataclass
class LoopArguments:
    """How long, in which batches, and when to look."""

    num_train_epochs: float = _knob(3.0, "Passes over the training rows.")
    max_steps: int = _knob(-1, "Updates to make, whatever num_train_epochs says; -1 is off.")
    per_device_train_batch_size: int = _knob(16, "Rows in a training batch on each device.")
    per_device_eval_batch_size: int = _knob(32, "Rows in an evaluation batch on each device.")
    gradient_accumulation_steps: int = _knob(1, "Batches in one update.")
    tokens_per_batch: int | None = _knob(None, "Padded tokens in a training batch, instead of a fixed number of rows.")
    train_sampling_strategy: Literal["random", "sequential", "group_by_length"] = _knob(
        "group_by_length", "Order of the rows. group_by_length pads little: rows of like length share a batch."
    )
    auto_find_batch_size: bool = _knob(False, "Halve the batch and double the accumulation when memory runs out.")
    dataloader_num_workers: int = _knob(0, "Processes that prepare batches.")
    mixed_precision: Literal["auto", "no", "fp16", "bf16", "fp8"] = _knob(
        "auto", "auto takes the launcher's choice, else bf16 where the hardware has it, else fp16 on a GPU, else no."
    )
    use_cpu: bool = _knob(False, "Stay on the CPU even where there is a GPU.")
    seed: int = _knob(42, "Seed of the weights, the dropout and the order of the rows.")
    full_determinism: bool = _knob(False, "Deterministic kernels on a GPU too: slower, and the same bits each time.")
    logging_steps: int = _knob(10, "Updates between two lines of the log.")
    eval_strategy: Literal["no", "steps", "epoch"] = _knob("epoch", "When the validation split is looked at.")
    eval_steps: int | None = _knob(None, "Updates between two looks (--eval_strategy steps).")
    save_strategy: Literal["no", "steps", "epoch"] = _knob("epoch", "When a checkpoint is written.")
    save_steps: int | None = _knob(None, "Updates between two checkpoints (--save_strategy steps).")
    save_total_limit: int = _knob(2, "Checkpoints kept. The newest is never deleted; the best model is kept besides.")
    load_best_model_at_end: bool = _knob(True, "Publish the model that was best on validation, not the last one.")
    metric_for_best_model: str | None = _knob(None, "The figure that says best. Default: the task's own.")
    early_stopping_patience: int | None = _knob(None, "Stop after so many looks without a better figure.")
    early_stopping_threshold: float = _knob(0.0, "How much better a figure must be to count.")


@dataclass
class GenerationArguments:
    """How a text is continued. What is not said is the model's own generation config, else transformers' default."""

    max_new_tokens: int | None = _knob(None, "Tokens to add at most. Default: the model's own, else 50.")
    do_sample: bool | None = _knob(None, "Draw each token by its probability; else the likeliest is taken.")
    temperature: float | None = _knob(None, "Below 1 likely tokens become likelier, above 1 rare ones (--do_sample).")
    top_k: int | None = _knob(None, "Draw among the k likeliest tokens; 0 is all. Default: 50 (--do_sample).")
    top_p: float | None = _knob(
        None, "Draw among the likeliest tokens that together have this probability (--do_sample)."
    )
    repetition_penalty: float | None = _knob(None, "Above 1 a token that has occurred becomes less likely.")
    no_repeat_ngram_size: int | None = _knob(None, "No sequence of so many tokens occurs twice; 0 is off.")
    num_beams: int | None = _knob(None, "Continuations followed side by side, of which the likeliest is taken.")
    num_return_sequences: int | None = _knob(None, "Answers to each prompt. Default: 1.")
    seed: int = _knob(0, "Seed of what is drawn. An answer depends on it, its prompt and its place, on no batch.")


@dataclass
class RunArguments:
    """Where the run is kept, and who is told of it."""

    output_dir: str | None = _knob(None, "The run's folder. Default: runs/<recipe>, or runs/<recipe>-demo.")
    reuse_tokens: bool = _knob(
        True,
        "Keep prepared splits and tokens under HF_HOME, and take them again where all they come from is the same.",
    )
    overwrite: bool = _knob(False, "Delete the run of another configuration that stands in output_dir.")
    report_to: list[str] = _knob([], "Trackers: tensorboard, trackio, wandb.")
    disable_tqdm: bool = _knob(False, "No progress bars.")
    explain_speed: bool = _knob(
        False, "Say what was chosen for speed, what came of it, and what holds the run back; kept in run.json."
    )
    push_to_hub: bool = _knob(False, "Publish the finished run on the Hub, verified; see hfkit push.")
    hub_model_id: str | None = _knob(None, "Where to publish: user/name (--push_to_hub).")
    hub_private_repo: bool = _knob(False, "Make a new repository private (--push_to_hub).")
    hub_revision: str = _knob("main", "The branch to publish on (--push_to_hub).")


@dataclass
class TrainConfig(
    RunArguments,
    LoopArguments,
    OptimArguments,
    ModelArguments,
    ImageArguments,
    LanguageArguments,
    TaskArguments,
    DataArguments,
):
    """Every knob of a run. A recipe is a subclass with other defaults."""

    demo: bool = _knob(False, "Run on the embedded model and data, without a network.")
