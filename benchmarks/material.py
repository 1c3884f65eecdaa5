"""What the benchmarks of texts work on: reviews as CSV files and a BERT as a plain folder, the same for all sides.

Both come from the `demo` extra, without a network, and are made once.
"""

import csv
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.fresh import WORK, surroundings

SWITCHES = ["--use_cpu", "--overwrite", "--disable_tqdm", "--keep_duplicates"]
"""Of `hfkit train`. Repeated texts are kept, because the other side keeps them."""


def reviews(train: int, test: int, dataset: str = "demo:imdb", **options: Any) -> Path:
    """A folder with train.csv, validation.csv and test.csv (text, label): so many rows of real film reviews.

    `options` are those of `hfkit.load_data`; they are not in the folder's name.
    """
    folder = WORK / f"{dataset.removeprefix('demo:')}-{train}-{test}"
    if not (folder / "test.csv").is_file():
        import hfkit

        rows = {"max_train_samples": train, "max_eval_samples": 100, "max_test_samples": test}
        data = hfkit.load_data(dataset, **rows, **options)
        folder.mkdir(parents=True, exist_ok=True)
        for name, split in data.items():
            names = split.features["label"].names
            write_rows(folder / f"{name}.csv", [(row["text"], names[row["label"]]) for row in split])
    return folder


def halves(whole: Path) -> list[Path]:
    """Two folders like that of `reviews`, each with every other one of its training rows."""
    folders = []
    with (whole / "train.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["text"], row["label"]) for row in csv.DictReader(file)]
    for part in (0, 1):
        folders.append(whole.with_name(f"{whole.name}-half{part}"))
        write_rows(folders[part] / "train.csv", rows[part::2])
        for name in ("validation.csv", "test.csv"):
            shutil.copyfile(whole / name, folders[part] / name)
    return folders


def many_texts(rows: int) -> Path:
    """A CSV file of that many short, numbered reviews: real sentences, over and over, no two rows alike."""
    path = WORK / f"many-{rows}.csv"
    if not path.is_file():
        import hfkit

        data = hfkit.load_data("demo:rotten_tomatoes")["train"]
        names, count = data.features["label"].names, len(data)
        texts, labels = data["text"][:], data["label"][:]
        numbered = [(f"{row} {texts[row % count]}", names[labels[row % count]]) for row in range(rows)]
        write_rows(path, numbered)
    return path


def write_rows(path: Path, rows: list[tuple[str, str]]) -> None:
    """A CSV file of texts and labels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows(rows)


def bert(quick: bool = False) -> Path:
    """MiniLM, a pretrained BERT of 6 layers, as the folder that its package holds: nothing of hfkit is in it.

    A trial takes a BERT of two thin layers instead.
    """
    from hfkit.data.sources.embedded import model_path

    if quick:
        return bert_of("tiny", hidden_size=64, num_hidden_layers=2, num_attention_heads=2, intermediate_size=128)
    return model_path("minilm")


def bert_of(name: str, **sizes: Any) -> Path:
    """A BERT of random weights and MiniLM's tokenizer, as a folder: where only time and memory count."""
    folder = WORK / name
    if not (folder / "config.json").is_file():
        from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

        tokenizer = AutoTokenizer.from_pretrained(bert())
        config = BertConfig(vocab_size=len(tokenizer), num_labels=2, **sizes)
        BertForSequenceClassification(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder


def trained_run(quick: bool = False) -> Path:
    """A finished run of hfkit on 2,000 reviews, whose `model/` opens in plain transformers."""
    train, test = (32, 32) if quick else (2000, 200)
    run = WORK / f"run-{train}"
    if not (run / "report.html").is_file():
        flags = {"dataset": reviews(train, test), "model": bert(quick), "output_dir": run}
        flags |= {"learning_rate": 1e-4, "num_train_epochs": 1, "save_strategy": "no", "eval_strategy": "no"}
        command = [sys.executable, "-m", "hfkit.cli.main", "train", *SWITCHES, *spelt(flags)]
        subprocess.run(command, check=True, env=surroundings({}), stdout=subprocess.DEVNULL)
    return run


def spelt(flags: dict[str, Any]) -> list[str]:
    """Flags as a command line has them."""
    return [part for name, value in flags.items() for part in (f"--{name}", str(value))]
