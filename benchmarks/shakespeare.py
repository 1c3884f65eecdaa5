"""Does the from-scratch decoder learn what nanoGPT's learns? Its small CPU setting on Tiny Shakespeare's characters.

4 layers, 4 heads, 128 wide, windows of 64 characters, 12 a batch, 2,000 updates, no dropout; nanoGPT's README gives a
validation loss of 1.88 nats. The validation text is the last tenth, as there. nanoGPT draws windows at random places;
here they stand side by side, and each is seen one and a half times. The tokenizer knows 256 bytes besides the text's
characters, which are never used here: 33,000 of 838,000 parameters.

    python -m benchmarks shakespeare --data input.txt
"""

import json
import tempfile
from pathlib import Path

import hfkit
from benchmarks.pairing import write
from hfkit.base import hardware
from hfkit.config import TrainConfig

LIMIT = 1.85
SIZES = {"hidden_size": 128, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 512}


def main(data: Path) -> bool:
    """Print the validation loss; within the limit at 1.85 or less."""
    if not data.is_file():
        print(f"shakespeare: there is no file {data}.")
        return False
    hardware.keep_memory(use_cpu=True)
    text = data.read_text(encoding="utf-8")
    cut = len(text) * 9 // 10
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "text"
        files.mkdir()
        for name, part in (("train", text[:cut]), ("validation", text[cut:]), ("test", text[cut:])):
            (files / f"{name}.txt").write_text(part, encoding="utf-8")
        config = TrainConfig(
            task="text-generation",
            dataset=str(files),
            keep_duplicates=True,  # the figures are the validation text's, as nanoGPT's are
            model="baseline:transformer_lm",
            tokenizer="char",
            model_args=json.dumps(SIZES),
            max_length=64,
            dropout=0.0,
            max_steps=2000,
            per_device_train_batch_size=12,
            per_device_eval_batch_size=128,
            learning_rate=3e-3,
            weight_decay=0.1,
            adam_beta2=0.99,
            warmup_steps=100,
            lr_scheduler_type="cosine",
            eval_strategy="steps",
            eval_steps=500,
            save_strategy="no",
            use_cpu=True,
            disable_tqdm=True,
            output_dir=str(Path(folder) / "run"),
        )
        rows = hfkit.load_data(config)
        task = hfkit.build_task(config, rows)
        model, processor = hfkit.build_model(config, task, rows)
        run = hfkit.fit(config, task, model, processor, rows)
        loss, bits = run.metrics["loss"], run.metrics["bits_per_byte"]
        seconds = run.timing()[-1]["train_seconds"]
    print(
        f"validation loss {loss['value']:.3f} ({loss['low']:.3f} to {loss['high']:.3f}), limit {LIMIT}; nanoGPT 1.88."
        f" {run.info['model']['parameters']:,} parameters, {seconds:.0f} s"
    )
    found = {"loss": loss, "bits_per_byte": bits, "train_seconds": seconds, "nanogpt": 1.88}
    write("shakespeare", "Does the from-scratch decoder learn what nanoGPT's learns?", found)
    return bool(loss["value"] <= LIMIT)
