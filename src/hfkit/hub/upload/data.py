"""push_data: the splits of a data card as a data set on the Hub, Parquet and card in one commit."""

import tempfile
from pathlib import Path

from huggingface_hub import DatasetCard, get_token

from hfkit.base.errors import HfkitError
from hfkit.data.cards.card import DataCard
from hfkit.data.cards.check import check_cards
from hfkit.data.cards.vocabulary import size_category
from hfkit.data.load import load_data
from hfkit.data.summary import LoadedData
from hfkit.hub.upload import publishing
from hfkit.hub.upload.bundle import Bundle
from hfkit.hub.upload.readme import both
from hfkit.hub.upload.secrets import Secrets

# Keys of the hfkit block that say how the published rows were made, and would be done a second time.
_DONE = ("config", "revision", "replace", "blocks", "group", "validation_size", "test_size", "embedded")


def push_data(
    name: str,
    repository: str,
    *,
    private: bool = False,
    message: str | None = None,
    overwrite_card: bool = False,
    dry_run: bool = False,
) -> str | None:
    """Publish the checked splits of a data set with its card. Returns the commit; None for a dry run.

    The rows are those that training reads: split, without repeats and leaks, labels with their names. The card is the
    one of `data_cards/`, named as `--dataset` takes it, `demo:NAME` for its embedded form; it must be good (`hfkit card
    check`), and the published one names the repository as its source. The other arguments are as of `hfkit.push`.
    Raises HfkitError: the card has something to mend, a text or the card holds what is private, or the Hub refuses."""
    publishing.check_name(repository)
    card = DataCard.find(name.removeprefix("demo:"))
    (found,) = check_cards([card.path], data=False)
    if found.faults:
        raise HfkitError(f"{card.path} has something to mend: {found.faults[0]}", fix=f"hfkit card check {card.path}")
    data = load_data(name, drop_bad_rows=True, skip_corrupt=True)
    secrets = Secrets(get_token(), [Path.cwd(), card.path.parent])
    with tempfile.TemporaryDirectory() as folder:
        files = data_files(data, secrets, Path(folder))
        text, said = secrets.without(published_card(card, data, repository))
        files.said += [f"README.md: rewritten: {reason}" for reason in sorted(set(said))]
        files.files |= both(text)
        files.check(secrets)
        title = message or f"{name}, by hfkit push-data"
        return publishing.publish(files, repository, name, title, "dataset", private, overwrite_card, dry_run)


def data_files(data: LoadedData, secrets: Secrets, folder: Path) -> Bundle:
    """Each split as one Parquet file in `folder`, its texts looked through before they are compressed. Raises
    HfkitError: a text holds a token or a private path of this machine."""
    found = Bundle({})
    for split, rows in data.items():
        for column in ("id", "text", "text_pair"):
            if column in rows.column_names:
                content = "\n".join(rows[column][:]).encode("utf-8", "surrogatepass")
                if private := secrets.search(content):
                    row = content[: private[0].start].count(b"\n")
                    what, where = f"{column} of {split} holds what is private", f"about row {row} of {len(rows):,}"
                    fix = "take it out of the data; nothing was sent"
                    raise HfkitError(f"{what}: {private[0]}", where=where, fix=fix)
        path = folder / f"{split}.parquet"
        rows.to_parquet(path)
        found.files[f"data/{split}-00000-of-00001.parquet"] = path
    return found


def published_card(card: DataCard, data: LoadedData, repository: str) -> str:
    """The card as the repository's README.md: its front matter says where the rows now are."""
    page = DatasetCard(card.path.read_text(encoding="utf-8-sig"))
    block = {key: value for key, value in page.data["hfkit"].items() if key not in _DONE}
    columns = [name for name in next(iter(data.values())).column_names if name != "id"]
    block |= {"source": repository, "splits": {split: split for split in data}}
    block["columns"] = {name: name for name in [*columns, "id"]}
    block.pop("labels", None)  # the Parquet files name them
    page.data["hfkit"] = block
    page.data["size_categories"] = size_category(sum(len(split) for split in data.values()))
    paths = [{"split": split, "path": f"data/{split}-*.parquet"} for split in data]
    page.data["configs"] = [{"config_name": "default", "data_files": paths}]
    return str(page)
