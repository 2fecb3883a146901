"""The process that kernels are forked from: it imports what notebooks need, once, and runs none.

A forked kernel starts from that state, in which no notebook has run, so nothing leaks from one to
the next. It speaks lines of JSON: `{"fork": [arguments]}`, `{"poll": pid}`. When its standard
input closes, whoever ran it is gone, and it ends all its kernels and itself.
"""

import ctypes
import gc
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final

KERNEL_MODULES: Final = (
    "IPython.core.completerlib",
    "IPython.extensions.storemagic",
    "ipykernel.debugger",
    "ipykernel.ipkernel",
    "ipykernel.kernelapp",
)
DIE_WITH_PARENT: Final = 1  # prctl(2): PR_SET_PDEATHSIG
LONGEST: Final = 70  # characters of a temporary folder's path under which sockets fit


# What a kernel must not take from whoever runs it, for equal bytes from equal inputs.
ENVIRONMENT: Final = {
    "PYTHONHASHSEED": "0",
    "SOURCE_DATE_EPOCH": "0",
    "TZ": "UTC",
    "MPLBACKEND": "agg",
    "JUPYTER_PREFER_ENV_PATH": "1",
    "PYTHONDONTWRITEBYTECODE": "",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",  # pyarrow's, see the next line
    # Sums in another order round otherwise, and a fork takes no thread but its own along.
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
}


@contextmanager
def quiet_environment() -> Iterator[Path]:
    """Take out of the environment what kernels must not inherit, and put it back.

    Yields a folder for their sockets and settings that is gone afterwards. What is written
    meanwhile is its owner's only.
    """
    # A socket's path may have some hundred characters only.
    long = os.name != "nt" and len(tempfile.gettempdir()) > LONGEST
    runtime = tempfile.mkdtemp(prefix="upr-", dir="/tmp" if long else None)
    changes = ENVIRONMENT | {"IPYTHONDIR": f"{runtime}/ipython", "JUPYTER_RUNTIME_DIR": runtime}
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    mask = os.umask(0o077)
    try:
        yield Path(runtime)
    finally:
        os.umask(mask)
        shutil.rmtree(runtime, ignore_errors=True)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


class Nursery:
    """The process, for whoever runs it; safe for several threads."""

    def __init__(self, modules: Iterable[str], root: Path, empty: Path) -> None:
        self._lock = threading.Lock()
        self._threads = 0  # unknown until it has imported all
        self._asked = 0
        self._process = subprocess.Popen(
            # as Jupyter starts kernels, else the debugger complains in each of them
            [
                sys.executable,
                "-Xfrozen_modules=off",
                "-m",
                "upr_analysis.nursery",
                str(root),
                *modules,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=empty,  # where no file of a project can pass for a module of Python's
            start_new_session=True,  # Ctrl-C is for whoever runs it, who then ends it
        )

    def ready(self) -> bool:
        """Wait until all is imported; whether a fork of it is safe."""
        with self._lock:
            self._threads = self._threads or int(self._answer()["threads"])
        return self._threads == 1

    def fork(self, arguments: list[str]) -> int:
        """Fork a kernel with these arguments, and return its process number."""
        return int(self._ask({"fork": arguments})["pid"])

    def poll(self, pid: int) -> int | None:
        """Return how a kernel ended (minus the signal that ended it), None while it lives."""
        try:
            status: int | None = self._ask({"poll": pid})["status"]
        except RuntimeError:
            return -signal.SIGKILL  # closed or killed, and its kernels with it
        return status

    def close(self) -> None:
        """End the process and all that was forked from it."""
        if not self._threads:
            self._process.kill()  # it imports, and has no kernel yet
        with self._lock, suppress(BrokenPipeError):
            self._pipe(self._process.stdin).close()
        self._process.wait()
        self._pipe(self._process.stdout).close()

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        with self._lock:
            asks = self._pipe(self._process.stdin)
            if asks.closed:
                raise RuntimeError("notebooks were stopped")
            self._asked += 1
            with suppress(BrokenPipeError):  # `_answer` says it
                asks.write(json.dumps({**request, "number": self._asked}).encode() + b"\n")
                asks.flush()
            while (answer := self._answer())["number"] != self._asked:
                pass  # to what was asked when Ctrl-C came
            return answer

    def _answer(self) -> dict[str, Any]:
        line = self._pipe(self._process.stdout).readline()
        if not line:
            raise RuntimeError("the process that kernels are forked from ended: start again")
        answer: dict[str, Any] = json.loads(line)
        return answer

    @staticmethod
    def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
        assert stream is not None  # as subprocess.PIPE was asked for
        return stream


def main(root: str, modules: list[str]) -> None:
    """Import `modules` and what a kernel needs, say so, and fork kernels in `root` as asked."""
    here = Path.cwd()
    answers = os.dup(1)
    os.dup2(2, 1)  # what a module prints as it is imported is no answer
    sys.path = [entry for entry in sys.path if Path(entry) != here]  # as ipykernel's launcher does
    runner = os.getppid()
    for name in [*KERNEL_MODULES, *modules]:
        if os.getppid() != runner:  # it is gone, and nobody will ask
            return
        with suppress(Exception):  # the notebook that wants it says so better
            importlib.import_module(name)
    os.chdir(root)
    gc.collect()
    gc.freeze()  # what is shared stays shared
    # Only the calling thread lives on in a fork; a lock that another held would stay held.
    threads = len(os.listdir("/proc/self/task")) if sys.platform == "linux" else 1
    _say(answers, {"threads": threads})
    kernels: dict[int, int | None] = {}  # how each ended
    for line in sys.stdin.buffer:
        request = json.loads(line)
        if "fork" in request:
            child = os.fork()
            if not child:
                os.close(answers)
                _be_kernel(request["fork"])
            kernels[child] = None
            answer: dict[str, int | None] = {"pid": child}
        else:
            answer = {"status": _poll(request["poll"], kernels)}
        _say(answers, {**answer, "number": request["number"]})
    for pid in kernels:
        if _poll(pid, kernels) is None:
            _end(pid)


def _say(to: int, answer: dict[str, Any]) -> None:
    with suppress(BrokenPipeError):  # whoever asked is gone: standard input says so too
        os.write(to, json.dumps(answer).encode() + b"\n")


def _poll(pid: int, kernels: dict[int, int | None]) -> int | None:
    """Return how a kernel ended (minus the signal that ended it), None while it lives."""
    if kernels[pid] is None:
        ended, status = os.waitpid(pid, os.WNOHANG)
        kernels[pid] = os.waitstatus_to_exitcode(status) if ended else None
    return kernels[pid]


def _end(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        os.kill(pid, signal.SIGKILL)  # forked, but not yet in a group of its own


def _be_kernel(arguments: list[str]) -> None:
    """Turn this fresh fork into a kernel; does not return."""
    from ipykernel.kernelapp import IPKernelApp

    parent = os.getppid()
    os.setsid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    if "numpy" in sys.modules:  # forks would all draw the same
        sys.modules["numpy"].random.seed()
    sys.argv = ["ipykernel_launcher", *arguments]
    app = IPKernelApp.instance()
    app.initialize(arguments)  # type: ignore[no-untyped-call]
    app.start()  # type: ignore[no-untyped-call]
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
