"""Files that are written whole or not at all, and stay so when the machine goes down; a disk that takes no more is one error."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from ablate.artifacts import PART
from ablate.errors import StorageError

#: What a disk or folder says that takes nothing more: what is wrong, and what helps.
FAULTS: Mapping[int, tuple[str, str]] = {
    errno.ENOSPC: ("disk full: {path} ({free} free on its file system)", "make space"),
    errno.EDQUOT: ("quota used up: {path} can't be written", "make space"),
    errno.EROFS: ("read-only: {path} can't be written", "make it writable"),
    errno.EACCES: ("no access: {path} can't be read or written", "see to its permissions"),
    errno.EPERM: ("no access: {path} can't be read or written", "see to its permissions"),
    errno.EIO: ("input/output error: {path}", "see to the disk"),
    errno.ESTALE: ("gone: {path} was deleted or moved while it was in use", "put it back"),
    errno.ENOENT: ("gone: {path} was deleted or moved while it was in use", "put it back"),
    errno.ENOTDIR: ("gone: {path} was deleted or moved while it was in use", "put it back"),
}

#: Those that can't be an error in a program.
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE)


def write_atomic(path: Path, content: bytes, durable: bool = True) -> None:
    """Write to a temporary file beside the path, then move it there: a reader sees the old file or the new one.

    Args:
        durable: whether it must outlive a machine that goes down now: it is on disk before it is moved, and the move after it.

    Raises:
        StorageError: if the disk or the folder takes it not; nothing is left of it then.
    """
    write_together({path: content}, durable)


def write_together(files: Mapping[Path, bytes], durable: bool = True, folder: bool = True) -> None:
    """The same of several files, moved in their order: while the machine is up, the last is never there without the others.

    They are brought to disk at once, as that takes hardly longer than one. All contents are there before the first is moved, so
    a machine that goes down leaves each file old or new, and whole. Which of the moves outlive it is not settled: those to
    different folders may be kept in any order, so the last may be there with others of before, or without them. Who reads them
    must see whether they belong together.

    Args:
        folder: whether the moves must outlive the machine too once this returns, and not the contents alone.

    Raises:
        StorageError: if the disk or the folder takes one not. Where that was met while writing, nothing has changed; where a move
            failed, those before it in the order are made and stay, and those from it on are not. No temporary file is left.
    """
    parts = {path: path.with_name(path.name + PART) for path in files}
    with _cleared(list(parts.values())):
        for path, part in parts.items():
            with storage_errors(path):
                _write(part, files[path])
        if durable:
            _at_once(_sync, list(parts.values()))
        _move(parts.items())
        if durable and folder:  # at once, too: what a machine that goes down leaves of it is found by sizes and checksums
            _at_once(_sync_folder, list(dict.fromkeys(path.parent for path in parts)))


def _move(parts: Iterable[tuple[Path, Path]]) -> None:
    for path, part in parts:
        with storage_errors(path):
            os.replace(part, path)


def _write(part: Path, content: bytes) -> None:
    try:
        part.write_bytes(content)
    except FileNotFoundError:
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)


def _at_once(work: Callable[[Path], None], paths: Sequence[Path]) -> None:
    """Do it for each path. A disk is done with several at once hardly later than with one."""
    if len(paths) == 1:
        return work(paths[0])
    list(_threads().map(work, paths))
    return None


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(8, "sync")


def _sync(path: Path) -> None:
    with storage_errors(path), path.open("rb+") as file:
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Some systems can't open a folder, and some file systems can't sync one."""
    with suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


@contextmanager
def _cleared(parts: Sequence[Path]) -> Iterator[None]:
    """Whatever ends the writing, no part stays."""
    try:
        yield
    except BaseException:
        for part in parts:
            with suppress(OSError):
                part.unlink()
        raise


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Make a StorageError of what the system says when this path can't be written or read."""
    try:
        yield
    except OSError as error:
        raise storage_error(error, path) from error


def storage_error(error: OSError, path: Path) -> StorageError:
    """What the system said, as a line: what is wrong with which path, and what helps."""
    what, remedy = FAULTS.get(error.errno or 0, (f"can't be written: {{path}} ({error.strerror or error})", "see to it"))
    return StorageError(what.format(path=path, free=free(path)), remedy)


def free(path: Path) -> str:
    """`0 bytes`: what is left on the file system that a path is on, or will be."""
    place = next((each for each in (path, *path.parents) if each.exists()), path)
    try:
        room = shutil.disk_usage(place).free
    except OSError:
        return "nothing"
    return f"{room:,} bytes"


@contextmanager
def one_line(folder: Path, kept: Callable[[], str]) -> Iterator[None]:
    """Whatever is written meanwhile: a disk that takes no more is one StorageError, of the folder where that is the place.

    Args:
        kept: says what is safe: `12 of 48 runs are kept`.
    """
    try:
        yield
    except StorageError as error:
        raise _of_folder(error, folder, kept) from error
    except OSError as error:  # of what writes without `write_atomic`: temporary files, other libraries
        if error.errno not in DISK:
            raise
        path = Path(error.filename) if isinstance(error.filename, str) else folder
        raise _of_folder(storage_error(error, path), folder, kept) from error


def _of_folder(error: StorageError, folder: Path, kept: Callable[[], str]) -> StorageError:
    inside = re.escape(str(folder)) + r"/[^\s()]+"
    return StorageError(re.sub(inside, lambda _: str(folder), error.what), error.remedy, kept())


def withdraw(made: list[Path]) -> None:
    """Delete the first of some folders that were made, and those above it as far as nobody else put anything there."""
    shutil.rmtree(made[0])
    with suppress(OSError):
        for folder in made[1:]:
            folder.rmdir()


def delete(path: Path) -> None:
    """A folder with all in it, if there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
