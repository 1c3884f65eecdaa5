"""make hub-demo: runs of five kinds, published to a Hub on this machine, with faults, and opened by strangers.

Small runs, so that all of it takes minutes: what is shown is publishing. Each push ends with a new process that opens
the commit from an empty cache and must give the run's logits, bit for bit. Runs are kept in runs/hub-demo/ and reused.
"""

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from hub_faults import CUT, LOST, Fault
from hub_server import HubServer

ROOT = Path(__file__).parents[1]
FEW = "--max_train_samples 400 --max_eval_samples 100 --max_test_samples 200 --num_train_epochs 1 --disable_tqdm"

# name -> recipe, its further flags, and how the run is pushed
RUNS: dict[str, tuple[str, str]] = {
    "text": ("bert_rotten_tomatoes", "--pooling model"),
    "adapter": ("bert_imdb_lora", "--max_length 64"),
    "lstm": ("lstm_imdb", "--max_length 64"),
    "timm": ("resnet50_xray", ""),
    "language": ("lstm_lm", "--max_length 64"),
}
PUSHES = [
    ("text", "tester/text", ""),
    ("adapter", "tester/adapter", "--with_base"),
    ("adapter", "tester/merged", "--merged"),
    ("lstm", "tester/lstm", ""),
    ("timm", "tester/timm", ""),
    ("language", "tester/language", ""),
]
COMMIT = "POST .*/commit/"
FAULTS = [
    Fault(COMMIT, 412),
    Fault(COMMIT, 409),
    Fault(COMMIT, 503),
    Fault(COMMIT, LOST),
    Fault("PUT /_lfs", CUT),
    Fault("POST .*/preupload/", 429, headers={"Retry-After": "1"}),
]


def run(*command: str, **environment: str) -> None:
    """A command, shown, that has to succeed."""
    print("\n$ " + " ".join(command), flush=True)
    subprocess.run(command, cwd=ROOT, env=os.environ | environment, check=True)


def main() -> None:
    for name, (recipe, flags) in RUNS.items():
        script, folder = f"recipes/{recipe}.py", f"runs/hub-demo/{name}"
        run(sys.executable, script, "--demo", "--output_dir", folder, *FEW.split(), *flags.split())
    with HubServer() as hub:
        hub.order(*FAULTS)
        token = {"HF_ENDPOINT": hub.url, "HF_TOKEN": "hf_test", "HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0"}
        for name, repository, flags in PUSHES:
            run(
                sys.executable,
                "-m",
                "hfkit.cli.main",
                "push",
                f"runs/hub-demo/{name}",
                repository,
                *flags.split(),
                **token,
            )
        print("\npublished, each opened from an empty cache with equal logits:")
        for (_, name), repository in hub.store.repositories.items():
            commits = len(repository.history("main")) - 1
            print(f"  {name:<20} {len(hub.store.files(name)):>3} files in {commits} commit")
        struck = ", ".join(f"{count} x {fault}" for fault, count in hub.faults.struck.items())
        print(f"faults on the way: {struck}; requests: {len(hub.requests):,}")
        (ROOT / "runs/hub-demo/card.md").write_bytes(hub.store.files("tester/text")["README.md"])
        print("a card to read: runs/hub-demo/card.md")


if __name__ == "__main__":
    main()
