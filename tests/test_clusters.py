"""recipes/clusters/: each configuration is read by the program it is for, and two machines survive a loss."""

import hashlib
import os
import re
import signal
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils import FullyShardedDataParallelPlugin
from accelerate.utils.launch import prepare_multi_gpu_env
from datasets import DatasetDict
from processes import free_port, in_children, printed_to, started, wait
from torch.distributed.launcher.api import LaunchConfig, elastic_launch
from transformers import AutoModel, BertConfig, LlamaConfig

from hfkit import build_model, build_task, fit
from hfkit.config import TrainConfig
from hfkit.runs.run import Run
from hfkit.training.engine import Engine

FOLDER = Path(__file__).parent.parent / "recipes" / "clusters"
CONFIGS = sorted(path for path in FOLDER.glob("*.yaml") if path.stem != "kubernetes")


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_accelerate_reads_its_configurations(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments, *_ = _validate_launch_command(
        launch_command_parser().parse_args(["--config_file", str(config), "recipe.py"])
    )
    environment = prepare_multi_gpu_env(arguments)
    assert arguments.num_processes == 8
    assert environment["ACCELERATE_MIXED_PRECISION"] == "no", "hfkit's own flag decides"
    sharded = config.stem.startswith("fsdp2")
    assert (environment.get("ACCELERATE_USE_FSDP") == "true") == sharded
    if sharded:
        for name, value in environment.items():
            if name.startswith("FSDP_"):
                monkeypatch.setenv(name, value)
        plugin = FullyShardedDataParallelPlugin()
        assert plugin.fsdp_version == 2 and not plugin.cpu_ram_efficient_loading
        assert plugin.reshard_after_forward == (config.stem == "fsdp2")


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_every_line_is_explained(config: Path) -> None:
    text = config.read_text(encoding="utf-8")
    assert f"--config_file recipes/clusters/{config.name} recipes/" in text
    for line in text.splitlines():
        assert not line.strip() or "#" in line or line == "fsdp_config:", line


def test_the_kubernetes_job_has_the_fields_of_the_api() -> None:
    """Names as in pkg/apis/trainer/v1alpha1/trainjob_types.go of kubeflow/trainer."""
    job = yaml.safe_load((FOLDER / "kubernetes.yaml").read_text(encoding="utf-8"))
    assert (job["apiVersion"], job["kind"]) == ("trainer.kubeflow.org/v1alpha1", "TrainJob")
    assert set(job["spec"]) <= {"runtimeRef", "trainer", "runtimePatches", "initializer", "suspend"}
    trainer = job["spec"]["trainer"]
    known = {"image", "command", "args", "env", "numNodes", "resourcesPerNode", "numProcPerNode"}
    assert set(trainer) <= known
    assert all(isinstance(part, str) for part in trainer["command"] + trainer["args"])
    assert (FOLDER.parent.parent / trainer["args"][0]).is_file()
    (patch,) = job["spec"]["runtimePatches"]
    (node,) = patch["trainingRuntimeSpec"]["template"]["spec"]["replicatedJobs"]
    pod = node["template"]["spec"]["template"]["spec"]
    (mount,) = pod["containers"][0]["volumeMounts"]
    assert mount["name"] == pod["volumes"][0]["name"]
    output = trainer["args"][trainer["args"].index("--output_dir") + 1]
    assert output.startswith(mount["mountPath"]), "every pod has to see the run"


def test_the_pages_arithmetic_is_right() -> None:
    """18 bytes a parameter on one GPU, 22 under DDP, 16 / N + 2 and 16 / N in slices; all files are on the page."""
    page = (FOLDER.parent.parent / "docs" / "clusters.md").read_text(encoding="utf-8")
    lines = re.findall(r"^\| ([\d.]+) billion \| [^|]+ \| (.+) \|$", page, re.MULTILINE)
    assert len(lines) == 6
    for billions, figures in lines:
        size = float(billions)
        right = [18 * size, 22 * size, 16 * size / 8 + 2 * size, 16 * size / 8, 16 * size / 16]
        assert [float(figure) for figure in figures.split(" | ")] == pytest.approx(right, abs=0.0501)
    assert round(44 * 768 * 12 * 32 * 512 / 1e9, 1) == 6.6 and "= 6.6 GB" in page
    for path in FOLDER.iterdir():
        assert path.name in page


@pytest.mark.parametrize(("kind", "bf16", "fp32"), [("bert", 44, 72), ("llama", 55, 83)])
def test_a_layer_keeps_as_many_bytes_as_the_page_says(kind: str, bf16: int, fp32: int) -> None:
    """Of each token, as a multiple of the hidden size; and 4 with gradient checkpointing."""
    assert kept(kind, torch.bfloat16) == pytest.approx(bf16, rel=0.1)
    assert kept(kind, torch.float32) == pytest.approx(fp32, rel=0.1)
    assert kept(kind, torch.float32, checkpointing=True) == pytest.approx(4, rel=0.1)


def kept(kind: str, dtype: torch.dtype, checkpointing: bool = False) -> float:
    """Bytes that autograd keeps for a layer, over tokens and hidden size; the weights and their copies aside."""
    found = []
    for layers in (1, 2):
        sizes = {"hidden_size": 128, "num_hidden_layers": layers, "num_attention_heads": 2, "vocab_size": 9}
        if kind == "bert":
            settings: Any = BertConfig(**sizes, intermediate_size=512, attention_probs_dropout_prob=0.0)
        else:
            settings = LlamaConfig(**sizes, intermediate_size=344, pad_token_id=0, use_cache=False)
        model = AutoModel.from_config(settings).train()
        if checkpointing:
            model.gradient_checkpointing_enable()
        weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
        saved: dict[int, torch.Tensor] = {}

        def pack(tensor: torch.Tensor, saved: dict[int, torch.Tensor] = saved) -> torch.Tensor:
            saved[tensor.untyped_storage().data_ptr()] = tensor
            return tensor

        copies = 2 * sum(weight.numel() for weight in model.parameters()) if dtype == torch.bfloat16 else 0
        with (
            torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
            torch.autocast("cpu", torch.bfloat16, enabled=copies > 0),
        ):
            output = model(torch.zeros(4, 128, dtype=torch.long)).last_hidden_state
        own = {place: tensor for place, tensor in saved.items() if place not in weights}
        found.append(sum(tensor.untyped_storage().nbytes() for tensor in own.values()) - copies)
        del output
    return (found[1] - found[0]) / (4 * 128 * 128)


def stub(folder: Path, name: str, body: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_slurm_hands_every_machine_the_same_line(tmp_path: Path) -> None:
    """With stand-ins for srun, scontrol and torchrun that write down what they are given."""
    stub(tmp_path, "scontrol", 'echo "$*" > scontrol.txt; echo node7; sleep 0.1; echo node8')
    stub(tmp_path, "srun", 'echo "$1" > srun.txt; shift; "$@"')
    stub(tmp_path, "torchrun", 'echo "$*" > torchrun.txt; env | grep ^TORCH | sort >> torchrun.txt')
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_NUM_NODES": "2", "SLURM_JOB_ID": "4711"}
    environment |= {"SLURM_JOB_NODELIST": "node[7-8]", "SLURM_SUBMIT_DIR": str(FOLDER.parent.parent)}
    copy = tmp_path / "slurm_script"  # as Slurm does
    copy.write_text((FOLDER / "slurm.sh").read_text())
    subprocess.run(["bash", str(copy), "recipes/bert_imdb.py", "--seed", "3"], env=environment, check=True)
    assert Path("scontrol.txt").read_text() == "show hostnames node[7-8]\n"
    assert Path("srun.txt").read_text() == "--kill-on-bad-exit=1\n"
    line, *settings = Path("torchrun.txt").read_text().splitlines()
    assert line == (
        "--nnodes 2 --nproc_per_node gpu --max_restarts 10 --rdzv_backend c10d --rdzv_endpoint node7:24711"
        " --rdzv_id 4711 recipes/bert_imdb.py --seed 3"
    )
    assert settings == ["TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1", "TORCH_ELASTIC_SHUTDOWN_TIMEOUT=60"]
    refused = subprocess.run(["bash", str(FOLDER / "multi_node.sh"), "x.py"], capture_output=True, text=True)
    assert refused.returncode != 0 and "how many machines" in refused.stderr


def test_slurms_own_lines_are_read_before_the_first_command() -> None:
    """sbatch stops reading #SBATCH lines at the first command."""
    lines = (FOLDER / "slurm.sh").read_text(encoding="utf-8").splitlines()
    first = next(at for at, line in enumerate(lines) if line and not line.startswith("#"))
    options = [at for at, line in enumerate(lines) if line.startswith("#SBATCH")]
    assert len(options) == 10 and max(options) < first
    assert all(re.match(r"#SBATCH --(job-name|output)=|#SBATCH --[a-z-]+(=\S+)?  +# ", lines[at]) for at in options)


@pytest.fixture
def job(tiny_bert: Path, splits: DatasetDict, tmp_path: Path) -> Callable[[str], Callable[[], None]]:
    """A recipe's verbs, as a function for a process of a launch; slowed down, so that there is time to kill it."""

    def make(name: str) -> Callable[[], None]:
        def work() -> None:
            count = Engine._count

            def slowly(self: Engine, *rest: Any) -> None:
                count(self, *rest)
                time.sleep(0.02)

            Engine._count = slowly  # type: ignore[method-assign]
            os.environ["ACCELERATE_USE_CPU"] = "true"
            config = TrainConfig(
                model=str(tiny_bert),
                output_dir=str(tmp_path / name),
                max_length=16,
                per_device_train_batch_size=8,
                num_train_epochs=4,
                learning_rate=3e-3,
                save_strategy="steps",
                save_steps=3,
                mixed_precision="no",
                use_cpu=True,
                disable_tqdm=True,
            )
            task = build_task(config, splits)
            fit(config, task, *build_model(config, task, splits), splits)

        return work

    return make


def test_a_machine_that_is_lost_and_comes_back_changes_nothing(
    job: Callable[[str], Callable[[], None]], tmp_path: Path
) -> None:
    """Two machines on loopback, met by torchrun's own rendezvous; one is killed whole, and started again.

    The other waits for it, both take up the newest checkpoint, and the run ends in the bytes of an undisturbed one.
    """
    assert in_children(job("whole")) == [0, 0]
    endpoint = f"127.0.0.1:{free_port()}"

    def machine(number: int) -> int:
        os.environ["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] = "1"  # as in multi_node.sh
        launch = LaunchConfig(
            min_nodes=2,
            max_nodes=2,
            nproc_per_node=1,
            max_restarts=5,
            run_id="loopback",
            rdzv_backend="c10d",
            rdzv_endpoint=endpoint,
            # Both have the endpoint's address here: whichever came first would be the host, and be killed with it.
            rdzv_configs={"is_host": number == 1},
            local_addr="127.0.0.1",
            start_method="fork",
        )
        return started(printed_to(tmp_path / f"{number}.txt", lambda: elastic_launch(launch, job("run"))()), group=True)

    first = machine(1)  # the rendezvous runs there
    second = machine(2)
    patience = time.monotonic() + 120
    while not list((tmp_path / "run" / "checkpoints").glob("step-*")):
        assert time.monotonic() < patience, (tmp_path / "1.txt").read_text()
        time.sleep(0.01)
    os.killpg(second, signal.SIGKILL)
    os.waitpid(second, 0)
    again = machine(2)
    assert wait([first, again], 180) == [0, 0], (tmp_path / "1.txt").read_text()
    said = (tmp_path / "1.txt").read_text() + (tmp_path / "2.txt").read_text()
    assert "resumed at update" in said
    assert Run(tmp_path / "run").state == "finished"
    assert fingerprint(tmp_path / "run") == fingerprint(tmp_path / "whole")


def fingerprint(run: Path) -> dict[str, str]:
    files = [path for path in run.rglob("*") if path.is_file() and path.name not in ("run.json", "timing.jsonl")]
    return {str(path.relative_to(run)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files)}
