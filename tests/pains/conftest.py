"""One small finished run that several pains look at."""

from pathlib import Path

import pytest

import hfkit
from hfkit.run import Run


@pytest.fixture(scope="session")
def finished(tiny_bert: Path, reviews: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A recipe's verbs on a CSV of made reviews, with a column that is no text and no label."""
    folder = tmp_path_factory.mktemp("finished")
    table = folder / "reviews.csv"
    rows = [f'"{text}",cinema {place},{label}\n' for place, (text, label) in enumerate(reviews)]
    table.write_text("review,seen_at,sentiment\n" + "".join(rows))
    config = hfkit.TrainConfig(
        dataset=str(table),
        model=str(tiny_bert),
        output_dir=str(folder / "run"),
        max_length=24,
        num_train_epochs=6,
        learning_rate=3e-3,
        mixed_precision="no",
        use_cpu=True,
        disable_tqdm=True,
    )
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    run = hfkit.fit(config, task, *hfkit.build_model(config, task, data), data)
    hfkit.write_report(run)
    return run
