"""What runs a notebook: papermill injects and executes, on kernels of its own or on forked ones.

Stock papermill starts an interpreter for each notebook, which imports everything anew. The engine
`fork` hands papermill kernels forked from one process in which the imports are done (`nursery`),
the next one started while the last is at work. Either way kernels are held here: papermill would
leave one that is interrupted as it starts.
"""

import logging
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from queue import Empty
from typing import Any, Final

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.manager import KernelManager
from papermill.engines import NBClientEngine, papermill_engines
from papermill.execute import execute_notebook
from traitlets import DottedObjectName
from traitlets.config import Config

from upr_analysis.nursery import Nursery

# What nbclient logs is what it raises, and `failures` says that.
logging.getLogger("papermill").addHandler(logging.NullHandler())
HELD: Final = "upr-held"  # papermill's name for it
# A kernel's own warnings are not the user's; a history is kept nowhere.
KERNEL_ARGUMENTS: Final = (
    "--log-level=50",
    "--HistoryManager.enabled=False",
    "--InteractiveShellApp.exec_PYTHONSTARTUP=False",
)


class Engine:
    """Executes notebooks from the project's root, several at once from several threads."""

    def __init__(self, root: Path, sockets: Path, nursery: Nursery | None) -> None:
        self._root = root
        self._kernels = Kernels(nursery, sockets)

    def execute(
        self,
        notebook: Path,
        executed: Path,
        values: Mapping[str, Any],
        on_cell: Callable[[int], None],
    ) -> None:
        """Inject `values`, execute and write to `executed`; `on_cell` hears each cell's number.

        Raises what papermill and nbclient raise. That it returns is no proof that all went well: a
        cell may have called `sys.exit(0)`.
        """
        execute_notebook(
            str(notebook),
            str(executed),
            parameters=dict(values),
            kernel_name="python3",
            progress_bar=False,
            resources={"metadata": {"path": str(self._root)}},
            on_cell_start=lambda cell_index, **_: on_cell(cell_index + 1),
            engine_name=HELD,
            kernels=self._kernels,
        )

    def stop(self) -> None:
        """End all kernels and start no more; `execute` in other threads ends with an exception."""
        self._kernels.kill()


def _private_sockets(folder: Path) -> Config:
    """Have a kernel speak through files of its own that only this user can open, not by ports."""
    path = tempfile.mkdtemp(dir=folder)
    own = {"connection_file": f"{path}/kernel.json"}
    if os.name != "nt":
        own |= {"transport": "ipc", "ip": f"{path}/k"}
    return Config({"KernelManager": own})


class Kernels:
    """Kernels of their own or, with a nursery, forked: then one is ready for the next notebook."""

    def __init__(self, nursery: Nursery | None, sockets: Path) -> None:
        self._nursery = nursery
        self._sockets = sockets
        self._spare: Kernel | None = None
        self._live: set[Kernel] = set()
        self._stopped = False
        self._lock = threading.Lock()

    def take(self, kernel_name: str, cwd: str) -> "Kernel":
        """Return a started kernel that ran nothing yet, and start the next."""
        kernel = self._swap(None) or self._start(kernel_name, cwd)
        if self._nursery and (spare := self._swap(self._start(kernel_name, cwd))):
            self.end(spare)  # another thread was as quick
        return kernel

    def end(self, kernel: "Kernel") -> None:
        """End a kernel, and let go of its sockets."""
        kernel.end()
        self._live.discard(kernel)

    def kill(self) -> None:
        """End the processes of all kernels, and start no more."""
        self._stopped = True
        for kernel in tuple(self._live):
            kernel.kill()

    def _swap(self, spare: "Kernel | None") -> "Kernel | None":
        with self._lock:
            self._spare, spare = spare, self._spare
        return spare

    def _start(self, kernel_name: str, cwd: str) -> "Kernel":
        if self._stopped:
            raise RuntimeError("notebooks were stopped")
        config = _private_sockets(self._sockets)
        kernel = Kernel(config=config, kernel_name=kernel_name, nursery=self._nursery)
        self._live.add(kernel)
        kernel.start_kernel(extra_arguments=list(KERNEL_ARGUMENTS), cwd=cwd)
        return kernel


class HeldEngine(NBClientEngine):
    """papermill's own engine, on a kernel that is given to it."""

    @classmethod
    def execute_managed_notebook(  # type: ignore[override]  # the options are those of `execute`
        cls, nb_man: Any, kernel_name: str, *, kernels: Kernels, **options: Any
    ) -> Any:
        """Execute as papermill does, and end the kernel whatever happens."""
        cwd = options["resources"]["metadata"]["path"]
        kernel = kernels.take(kernel_name, cwd)
        try:
            execute = super().execute_managed_notebook
            return execute(nb_man, kernel_name, km=kernel, **options)  # type: ignore[no-untyped-call]
        finally:
            kernels.end(kernel)


papermill_engines.register(HELD, HeldEngine)


class Kernel(KernelManager):
    """A kernel whose process is forked, where that is safe, and else started as any."""

    client_class = DottedObjectName("upr_analysis.engines.ReadyClient")

    def __init__(self, *, nursery: Nursery | None, **traits: Any) -> None:
        super().__init__(**traits)
        self._nursery = nursery

    async def _async_launch_kernel(self, kernel_cmd: list[str], **options: Any) -> None:
        provisioner: Any = self.provisioner
        if self._nursery is None or not self._nursery.ready():
            return await super()._async_launch_kernel(kernel_cmd, **options)
        arguments = kernel_cmd[kernel_cmd.index("-m") + 2 :]
        provisioner.process = ForkedProcess(self._nursery, arguments)
        provisioner.pid = provisioner.pgid = provisioner.process.pid
        self._reconcile_connection_info(provisioner.connection_info)
        return None

    def kill(self) -> Any:
        """End the process at once, and what it started; returns it, None if there is none."""
        process = getattr(self.provisioner, "process", None)
        if process:
            with suppress(ProcessLookupError, PermissionError):  # on macOS of a group that ended
                process.kill() if os.name == "nt" else os.killpg(process.pid, signal.SIGKILL)
        return process

    def end(self) -> None:
        """End the process at once, and let go of its sockets."""
        if process := self.kill():
            process.wait()  # here, as jupyter_client looks every tenth of a second only
        self.shutdown_kernel(now=True)


class ReadyClient(AsyncKernelClient):
    """A client that begins when the kernel has answered, not a fifth of a second later."""

    async def _async_wait_for_ready(self, timeout: float | None = None) -> None:
        end = time.monotonic() + (timeout or 60)
        while time.monotonic() < end:
            asked = self.kernel_info()
            with suppress(Empty):
                # idle, as the outputs' channel tells it, is the last that comes of a request
                while True:
                    said = await self.iopub_channel.get_msg(timeout=1)
                    idle = said["content"].get("execution_state") == "idle"
                    if idle and said["parent_header"].get("msg_id") == asked:
                        break
                self._handle_kernel_info_reply(await self.shell_channel.get_msg(timeout=1))
                return
            if not await self._async_is_alive():
                raise RuntimeError("the kernel died before it began")
        raise RuntimeError(f"the kernel did not answer within {timeout} seconds")

    wait_for_ready = _async_wait_for_ready


class ForkedProcess:
    """What a kernel's manager asks of a process, for the child of another process."""

    stdin = stdout = stderr = None

    def __init__(self, nursery: Nursery, arguments: list[str]) -> None:
        self._nursery = nursery
        self._status: int | None = None
        self.pid = nursery.fork(arguments)

    def poll(self) -> int | None:
        """Return how it ended (minus the signal that ended it), None while it lives."""
        if self._status is None:
            self._status = self._nursery.poll(self.pid)
        return self._status

    def wait(self) -> int:
        """Wait for the end, and return how it ended."""
        while (status := self.poll()) is None:
            time.sleep(0.002)
        return status

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)
