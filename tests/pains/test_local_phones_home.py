"""A job on local files must not ask the network for anything, also where nobody said HF_HUB_OFFLINE."""

import os
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


def test_a_whole_job_on_local_files_asks_nobody(tiny_bert: Path, reviews_csv: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WATCH)
    asked = tmp_path / "asked.txt"
    environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    environment |= {"PYTHONPATH": str(tmp_path), "ASKED": str(asked)}
    control = subprocess.run(
        [sys.executable, "-c", "import urllib.request as u; u.urlopen('https://huggingface.co')"],
        env=environment,
        capture_output=True,
    )
    assert control.returncode != 0 and "huggingface.co" in asked.read_text(), "the watch does not see anything"
    asked.unlink()
    command = [sys.executable, "-c", JOB, str(reviews_csv), str(tiny_bert)]
    job = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert job.returncode == 0, job.stderr
    assert not asked.exists(), asked.read_text()
