"""A load from local files asks the network all the same: it leaks what is used, or hangs behind a firewall.

Whatever is looked up or connected to is written down, in processes where nobody said HF_HUB_OFFLINE.

Threads: transformers#45545 #30345
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.pain("local-phones-home")

# Python runs sitecustomize before the program: each name looked up and each connection is written down and refused.
WATCH = """
import os, socket

def refuse(what):
    with open(os.environ["ASKED"], "a") as file:
        file.write(f"{what}\\n")
    raise OSError(f"no network: {what}")

connect = socket.socket.connect
def guarded(self, address):
    if self.family != socket.AF_UNIX and not str(address[0]).startswith(("127.", "::1", "localhost")):
        refuse(address)
    return connect(self, address)

look_up = socket.getaddrinfo
def guarded_look_up(host, *rest, **more):
    if host not in (None, "localhost", "127.0.0.1", "::1"):
        refuse(host)
    return look_up(host, *rest, **more)

socket.socket.connect, socket.getaddrinfo = guarded, guarded_look_up
"""

JOB = """
import sys, hfkit
dataset, model = sys.argv[1:]
config = hfkit.TrainConfig(dataset=dataset, model=model, max_length=24, max_steps=2, use_cpu=True, output_dir="run")
data = hfkit.load_data(config)
task = hfkit.build_task(config, data)
run = hfkit.fit(config, task, *hfkit.build_model(config, task, data), data)
hfkit.write_report(run)
print(hfkit.pipeline(run.path)("a warm film"))
"""


# It is asked five times, with longer and longer pauses: the first time is enough.
PEER = """
import os, threading, time
from transformers import AutoModel
load = lambda: AutoModel.from_pretrained("me/model", local_files_only=True)
thread = threading.Thread(target=load, daemon=True)
thread.start()
while thread.is_alive() and not os.path.getsize(os.environ["ASKED"]):
    time.sleep(0.05)
os._exit(0)
"""


def watched(program: str, *arguments: str, folder: Path) -> str:
    """Run Python code, and return what it asked the network for, a line each."""
    (folder / "sitecustomize.py").write_text(WATCH)
    asked = folder / "asked.txt"
    asked.touch()
    environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    paths = [str(folder), os.environ.get("PYTHONPATH", "")]
    environment |= {"PYTHONPATH": os.pathsep.join(paths), "ASKED": str(asked), "HF_HOME": str(folder / "home")}
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return asked.read_text()


def test_upstream_asks_in_spite_of_local_files_only(tiny_bert: Path, tmp_path: Path) -> None:
    """A whole model in the cache: the Hub is asked whether it is an adapter. It shows, too, that the watch sees."""
    cache = tmp_path / "home" / "hub" / "models--me--model"
    snapshot = cache / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text("0" * 40)
    for name in ("config.json", "model.safetensors"):
        shutil.copy(tiny_bert / name, snapshot)
    assert "huggingface.co" in watched(PEER, folder=tmp_path)


def test_hfkit_does_a_whole_job_and_asks_nobody(tiny_bert: Path, reviews_csv: Path, tmp_path: Path) -> None:
    assert watched(JOB, str(reviews_csv), str(tiny_bert), folder=tmp_path) == ""
