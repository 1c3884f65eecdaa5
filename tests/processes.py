"""Work in processes of its own: forked from the suite, so that nothing is imported twice, and a SIGKILL is real."""

import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

Work = Callable[[], Any]


def in_child(work: Work, seconds: float = 120) -> int:
    """The exit status of `work` in a child: 0, 1 after an exception, or minus the signal that ended it."""
    return wait([started(work)], seconds)[0]


def in_children(work: Work, processes: int = 2, seconds: float = 120) -> list[int]:
    """`work` in several processes that know each other as torchrun's do, on the CPU (gloo). Their exit statuses."""
    from torch.distributed import TCPStore

    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)  # held here, as torchrun's agent does
    shared: dict[str, Any] = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": store.port, "ACCELERATE_USE_CPU": "true"}
    shared |= {"WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes, "TORCHELASTIC_USE_AGENT_STORE": "True"}
    return wait([started(work, **shared, RANK=rank, LOCAL_RANK=rank) for rank in range(processes)], seconds)


def wait(children: list[int], seconds: float) -> list[int]:
    """Exit statuses, once all have ended. One that outlives its time is killed, and counts as such (-9)."""
    ends, found = time.monotonic() + seconds, dict.fromkeys(children)
    while None in found.values():
        for child in [child for child in children if found[child] is None]:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                found[child] = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > ends:
                os.kill(child, signal.SIGKILL)
        time.sleep(0.005)
    return [status for status in found.values() if status is not None]


def started(work: Work, group: bool = False, **environment: Any) -> int:
    """The process id of a child that does `work`; with `group` it leads a process group, which can be killed whole."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        if group:
            os.setpgid(0, 0)
        os.environ.update({name: str(value) for name, value in environment.items()})
        work()
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)  # past pytest: the report of a test is its parent's to write


def free_port() -> int:
    """A port of this machine that nobody uses, so that two suites can run at once."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def printed_to(path: Path, work: Work) -> Work:
    """`work`, with what its process prints on either stream at the end of a file."""

    def call() -> None:
        file = path.open("a", buffering=1, encoding="utf-8")  # open as long as the process lives
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        sys.stdout = sys.stderr = file
        work()

    return call
