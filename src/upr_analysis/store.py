"""The store of steps' results, and the folders beside it: where a run is whole, or is not there.

`store/<key>/` holds what one step wrote, named by the key of all that it depends on. It is made in
`staging/` and renamed into place with its manifest, and never changed afterwards. `runs/<name>/`
are views of it, put in place whole.
"""

import ctypes
import errno
import json
import os
import shutil
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from upr_analysis.problems import InputError
from upr_analysis.steps import file_digest

RECORDED: Final = frozenset(  # what every run.json holds
    {
        "name",
        "parameters",
        "steps",
        "inputs",
        "versions",
        "times",
        "fingerprint",
        "refused",
        "files",
    }
)
MANIFEST: Final = "manifest.json"
EXCHANGE: Final = 2  # renameat2(2): RENAME_EXCHANGE
HERE: Final = -100  # AT_FDCWD
FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Entry:
    """A step's results in the store; `files` are digests by path, `depends` what it comes from."""

    key: str
    step: str
    folder: Path
    files: dict[str, str]
    depends: dict[str, dict[str, Any]]

    @cached_property
    def outputs(self) -> dict[str, str]:
        """Digests of what later steps may read, by path under the work folder."""
        return {f"{self.step}/{name}": digest for name, digest in self.files.items()}


class Store:
    """The folders of one `outputs` folder; safe for several threads and several processes."""

    def __init__(self, outputs: Path) -> None:
        self.outputs = outputs
        self.entries = outputs / "store"
        self.staging = outputs / "staging"
        self.runs = outputs / "runs"
        self._seen: dict[str, Entry] = {}
        self._claims: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def prepare(self, root: Path) -> None:
        """Make the folders, for their owner only where private; InputError if none can be."""
        if self.outputs == root:
            raise InputError("--outputs is the project itself: name a folder of its own.")
        try:
            for private in (self.entries, self.staging):
                private.mkdir(mode=0o700, parents=True, exist_ok=True)
                private.chmod(0o700)
            self.runs.mkdir(exist_ok=True)
            ignore = self.outputs / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n", encoding="utf-8")
        except OSError as error:
            raise InputError(
                f"--outputs {self.outputs} cannot be written ({error.strerror}): name another "
                "folder."
            ) from error

    def find(self, key: str) -> Entry | None:
        """Return an entry that still holds, unchanged, what its manifest lists; None if none does.

        Looked at once for each command, and nothing removed: another process may be committing it.
        """
        if key not in self._seen:
            entry = read_entry(self.entries / key)
            if entry is None or not _is_unchanged(entry):
                return None
            self._seen[key] = entry
        return self._seen[key]

    def commit(
        self, results: Path, key: str, step: str, depends: Mapping[str, dict[str, Any]]
    ) -> Entry:
        """Take a step's results into the store: the manifest last, then one rename.

        For whoever has the claim to the key; what stands there and no longer holds is removed.
        """
        files = {
            path.relative_to(results).as_posix(): file_digest(path)
            for path in sorted(results.rglob("*"))
            if path.is_file()
        }
        manifest = {"step": step, "key": key, "depends": depends, "files": files}
        _write_synced(results / MANIFEST, json.dumps(manifest, indent=1))
        shutil.rmtree(self.entries / key, ignore_errors=True)
        results.rename(self.entries / key)
        entry = Entry(key, step, self.entries / key, files, dict(depends))
        self._seen[key] = entry
        return entry

    @contextmanager
    def claim(self, key: str) -> Iterator[None]:
        """Have a key to oneself among threads and processes, so that a step is made once."""
        with self._lock:
            lock = self._claims.setdefault(key, threading.Lock())
        with lock, FileLock(self.staging / f"{key}.key.lock"):
            yield

    @contextmanager
    def only_one(self, name: str) -> Iterator[None]:
        """Have a run's name to oneself; InputError where another process is at it."""
        mine = FileLock(self.staging / f"{name}.run.lock", timeout=0)
        try:
            with self._whole():
                mine.acquire()
        except Timeout as error:
            raise InputError(
                f"The run {name!r} is going on elsewhere: wait until it is done."
            ) from error
        try:
            yield
        finally:
            mine.release()

    def is_going_on(self, name: str) -> bool:
        """Whether a process is at a run of this name."""
        try:
            with FileLock(self.staging / f"{name}.run.lock", timeout=0):
                return False
        except Timeout:
            return True

    def _whole(self) -> FileLock:
        """Lock what has to be taken to begin anything, so that nothing begins meanwhile."""
        return FileLock(self.staging / "store.lock")

    def put_in_place(self, staged: Path, folder: Path) -> None:
        """Put a folder in place of an older one, whole at any moment; the older one is removed."""
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not folder.exists():
            staged.rename(folder)
        elif not _exchange(staged, folder):  # else a moment without either
            old = staged.with_name(f"{staged.name}.old")
            shutil.rmtree(old, ignore_errors=True)
            folder.rename(old)
            staged.rename(folder)
            shutil.rmtree(old)
        shutil.rmtree(staged, ignore_errors=True)

    def run_records(self) -> dict[str, dict[str, Any]]:
        """Return run.json of every run, by name; a folder without one is no run."""
        paths = sorted(self.runs.glob("*/run.json"))
        return {path.parent.name: read_record(path) for path in paths}

    def unused(self) -> list[Path]:
        """Return what no run is a view of: entries of the store, and what was left half done."""
        used = {step["key"] for run in self.run_records().values() for step in run["steps"]}
        entries = [path for path in sorted(self.entries.glob("*")) if path.name not in used]
        kept = {"store.lock"}
        return [*entries, *(one for one in sorted(self.staging.glob("*")) if one.name not in kept)]

    @contextmanager
    def to_oneself(self) -> Iterator[None]:
        """Have the whole store to oneself; InputError where a run is going on."""
        with self._whole():
            for path in self.staging.glob("*.run.lock"):
                name = path.name.removesuffix(".run.lock")
                try:
                    FileLock(path, timeout=0).acquire()
                except Timeout as error:
                    raise InputError(f"{name!r} is going on: wait until it is done.") from error
            yield


def read_record(path: Path) -> dict[str, Any]:
    """Read a run.json; InputError where it is damaged, or of another version of this package."""
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        lacking = RECORDED - record.keys()
    except (ValueError, AttributeError) as error:
        raise InputError(f"{path} is damaged: put it back, or use --replace.") from error
    if lacking:
        raise InputError(
            f"{path} is damaged, or was made by an older version: run it again with --replace."
        )
    return record


def read_entry(folder: Path) -> Entry | None:
    """Return what a folder of the store says that it holds; None where it is not whole."""
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return Entry(found["key"], found["step"], folder, found["files"], found["depends"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_unchanged(entry: Entry) -> bool:
    try:
        found = digests_of(entry.folder)
    except FileNotFoundError:  # another process is making it anew
        return False
    found.pop(MANIFEST, None)
    return found == entry.files


def digests_of(folder: Path) -> dict[str, str]:
    """Return the digest of every file under a folder, by its path there."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): file_digest(path) for path in paths}


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files under a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())


def _write_synced(path: Path, text: str) -> None:
    """Write a file that is on the disk, not only on its way there, when this returns."""
    with path.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders in one step, where the system can."""
    if sys.platform != "linux":
        return False
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:  # a C library older than 2018
        return False
    done: int = rename(HERE, os.fsencode(one), HERE, os.fsencode(other), EXCHANGE)
    return done == 0
