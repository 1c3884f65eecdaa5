"""A fine-grained token that may not write passes the checks before training, and is refused after it.

Threads: huggingface_hub#2955
"""

from pathlib import Path
from typing import Any

import pytest
from hub_store import Account
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError

from hfkit.cli.main import main

pytestmark = pytest.mark.pain("token-may-not-write")

NAME = "tester/films"


@pytest.fixture
def fine_grained(hub: Any) -> Any:
    """A token that may read everything and write to one other repository."""
    hub.accounts = {"hf_test": Account("tester", role="fineGrained", writes=("tester/other",))}
    return hub


def test_upstream_learns_it_from_the_upload(fine_grained: Any) -> None:
    fine_grained.store.create("model", NAME)
    api = HfApi(endpoint=fine_grained.url)
    assert api.whoami()["auth"]["accessToken"]["role"] != "read"
    api.create_repo(NAME, exist_ok=True)
    with pytest.raises(HfHubHTTPError):
        api.upload_file(path_or_fileobj=b"weights", path_in_repo="model.safetensors", repo_id=NAME)


@pytest.mark.parametrize("there", [True, False])
def test_hfkit_tells_it_before_training(
    fine_grained: Any, there: bool, reviews_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if there:
        fine_grained.store.create("model", NAME)
    flags = f"--dataset {reviews_csv} --model baseline:lstm --output_dir run --push_to_hub --hub_model_id {NAME}"
    with pytest.raises(SystemExit) as ended:
        main(["train", *flags.split(), "--max_steps", "1", "--use_cpu"])
    assert ended.value.code == 1 and not Path("run").exists()
    said = capsys.readouterr()
    assert f"the token may not write to {NAME}" in said.err and "fine-grained" in said.err
    assert "data " not in said.out, "before the data are read"


def test_hfkit_makes_repository_and_branch_before_training(hub: Any, reviews_csv: Path) -> None:
    flags = f"--dataset {reviews_csv} --model nowhere/x --output_dir run --push_to_hub --hub_model_id {NAME}"
    with pytest.raises(SystemExit):
        main(["train", *flags.split(), "--hub_revision", "dev", "--hub_private_repo", "--use_cpu"])
    repository = hub.store.repositories["model", NAME]
    assert repository.private and sorted(repository.branches) == ["dev", "main"]
    assert hub.store.files(NAME, "dev") == {}
