"""main: what stands between a command line and a job: flags, processes, the run's folder, exit statuses."""

import gc
import logging
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from hfkit.base import hardware
from hfkit.base.atomic import refusal, remove, unwritable
from hfkit.base.errors import HfkitError
from hfkit.base.processes import first_to_tell, is_first, meet, rank
from hfkit.base.sanitize import line
from hfkit.config import TrainConfig
from hfkit.models.names import check_name
from hfkit.runs.run import Run, claim
from hfkit.tasks.discover import find

Config = TypeVar("Config", bound=TrainConfig)


def main(
    job: Callable[[Config], object],
    config_class: type[Config],
    demo: dict[str, Any] | None = None,
    argv: Sequence[str] | None = None,
    recipe: str | None = None,
) -> NoReturn:
    """Run a recipe as a command and end the process: with 0 when it is done (also when it was before: its table is
    shown), 1 on an HfkitError, 2 on wrong usage, 130 when Ctrl-C or SIGTERM stopped it at a checkpoint.

    `job` are the recipe's verbs, `config_class` its defaults, `demo` what `--demo` changes, `argv` the flags, by
    default those of the process; `recipe` names the run's folder, by default the script's path."""
    sys.exit(exit_cleanly(lambda: start(job, config_class, demo, argv, recipe)))


def train(config: TrainConfig, data: Any = None) -> Run:
    """The verbs of a recipe in one call; the run of the same configuration that is there goes on, or is given.

    Args:
        config: Of the task that is learnt; its `output_dir` is the run's folder.
        data: Splits. Default: those that `config` names.

    Raises:
        HfkitError: As `load_data`, `build_task`, `build_model` and `fit`: also where the folder holds a run of another
            configuration, or of other rows.
        KeyboardInterrupt: A signal stopped training at a checkpoint.
    """
    import hfkit

    data = hfkit.load_data(config) if data is None else data
    task = hfkit.build_task(config, data)
    model, processor = hfkit.build_model(config, task, data)
    run = hfkit.fit(config, task, model, processor, data)
    hfkit.write_report(run)
    return run


@contextmanager
def _no_collecting() -> Iterator[None]:
    """Imports make a million objects that stay. The garbage collector would look through them again and again, for a
    fifth of the start's time, so it rests until training begins (`Engine.train`)."""
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()  # or libraries complain at the process's end that something leaked
        gc.enable()


@_no_collecting()
def start(
    job: Callable[[Config], object],
    config_class: type[Config],
    demo: dict[str, Any] | None = None,
    argv: Sequence[str] | None = None,
    recipe: str | None = None,
) -> None:
    """Parse, look at what is in the run's folder, and do the job. Arguments as for `main`."""
    from hfkit.config.parsing import default_output_dir, parse

    config = parse(config_class, demo, argv)
    if config.output_dir is None:
        config.output_dir = str(default_output_dir(config, recipe or sys.argv[0]))
    path = Path(config.output_dir)
    try:
        created = not (path / "run.json").exists()
    except OSError as error:  # a name of thousands of characters
        raise unwritable(path, error) from error
    spec = find(config.task)
    if created and config.model.startswith("baseline:"):
        spec.baseline(config.model)
    elif created:
        check_name(config.model)
    machine = [hardware.keep_memory(config.use_cpu), hardware.use_all_cores(config.use_cpu)]
    from accelerate import PartialState

    first = bool(meet(PartialState, cpu=config.use_cpu or hardware.stays_on_cpu()).is_main_process)
    if config.push_to_hub and first:
        from hfkit.hub.upload import publishing

        # Hours later is too late to learn that the token may not make the repository and branch, or write there.
        publishing.check_name(name := str(config.hub_model_id))
        publishing.prepare(publishing.connect(name), name, config.hub_private_repo, config.hub_revision)
    if finished(config, path, first):
        publish(config, path, first)
        return
    for sentence in filter(None, machine[not config.explain_speed :] if first else []):
        print(sentence)
    quiet_libraries(config.disable_tqdm)
    try:
        job(config)
    except HfkitError:
        if created and first:
            discard(path)
        raise
    except KeyboardInterrupt as error:
        kept = any((path / "checkpoints").glob("step-*"))
        again = "goes on from its last checkpoint" if kept else "begins anew: there is no checkpoint yet"
        raise KeyboardInterrupt(str(error) or f"stopped; the same command {again}") from error
    publish(config, path, first)


def publish(config: TrainConfig, path: Path, first: bool) -> None:
    """Publish the finished run where `--push_to_hub` asks for it."""
    if not config.push_to_hub or not first:
        return
    from hfkit.hub.upload.publishing import push

    push(path, str(config.hub_model_id), private=config.hub_private_repo, revision=config.hub_revision)


def finished(config: TrainConfig, path: Path, first: bool) -> bool:
    """Whether this very run was finished before; then its table is shown. Another run in the folder is refused."""
    if not (path / "run.json").is_file() or config.overwrite:
        return False
    run = claim(config, path, recipe=sys.argv[0])
    if not run.finished:
        return False
    if first:
        from hfkit.report import write_report

        print(f"{path} is finished; --overwrite runs it again.")
        write_report(run)
    return True


def discard(path: Path) -> None:
    """Remove a folder that this command made and left without a checkpoint: nothing half-written stays behind."""
    if (path / "run.json").is_file() and not any((path / "checkpoints").glob("step-*")):
        with suppress(OSError):
            remove(path)


def quiet_libraries(disable_tqdm: bool = False) -> None:
    """Keep the screen for what matters here: transformers draws a bar for each file of weights it reads or writes."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    if disable_tqdm or not sys.stderr.isatty():
        from datasets import disable_progress_bars

        disable_progress_bars()


def hush() -> None:
    """Keep noise off the screen, and in a file all but a fragment in 30 s of bars that are not ours. Call it before
    tqdm is imported, which reads its defaults from the environment once."""
    if os.environ.get("HFKIT_DEBUG") != "1":
        warnings.formatwarning = one_line
    timm = logging.getLogger("transformers.models.timm_wrapper.image_processing_timm_wrapper")
    known = "The `save_pretrained` method is disabled"  # which is as it should be
    timm.addFilter(lambda record: not record.getMessage().startswith(known))
    if not sys.stderr.isatty():
        os.environ.setdefault("TQDM_MININTERVAL", "30")


def one_line(message: Warning | str, *_: Any, **__: Any) -> str:
    """A warning in one line, without where in a library's C++ it arose."""
    said = re.sub(r"\(Triggered internally at .*?\)", "", str(message))
    return f"warning: {line(said, 600)}\n"


def exit_cleanly(function: Callable[[], Any]) -> int:
    """Call `function` and give the exit status; one process prints what a user has to know, in one message.

    HFKIT_DEBUG=1 lets the traceback through. Errors that are not the user's keep theirs, but for the one that follows
    from another process's end: then that process's message is what counts, and this one says so in a sentence. What
    the console cannot print, such as a label in Greek on a latin-1 one, is printed as an escape."""
    if hasattr(sys.stdout, "reconfigure"):  # a console's; stderr escapes by itself
        sys.stdout.reconfigure(errors="backslashreplace")
    hush()
    try:
        function()
    except HfkitError as error:
        if os.environ.get("HFKIT_DEBUG") == "1":
            raise
        if first_to_tell():
            print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as error:
        if is_first():
            print(f"\n{str(error) or 'stopped'}", file=sys.stderr)
        return 130
    except OSError as error:
        refused = refusal(error)
        if os.environ.get("HFKIT_DEBUG") == "1" or refused is None:
            raise
        fix = "take a place that is yours and has space: --output_dir, --output, HF_HOME"
        print(f"error: {HfkitError(str(refused), fix=fix)}", file=sys.stderr)
        return 1
    except RuntimeError as error:
        import torch

        # What a process sees of another one's end, in gloo's words or NCCL's.
        known = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "remote process exited")
        lost = isinstance(error, torch.distributed.DistNetworkError) or any(words in str(error) for words in known)
        if os.environ.get("HFKIT_DEBUG") == "1" or not lost:
            raise
        print(f"process {rank()} ends, because another process of the job has ended", file=sys.stderr)
        return 1
    return 0
