"""Registries: small JSON stores that many processes change, each change under a lock."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from msgspec import Struct

from lisa_py.contract.errors import LisaError
from lisa_py.host import files
from lisa_py.host.env import Settings
from lisa_py.store.json_records import UnreadableRecord, load, recover, save
from lisa_py.store.paths import Project

T = TypeVar("T", bound=Struct)


class RegistryErrorCodes(Struct, frozen=True, kw_only=True):
    """Error codes of a registry."""

    read: str
    write: str
    lock: str = "state_lock_timeout"
    """Timeout of the lock."""

    @classmethod
    def for_store(cls, name: str) -> RegistryErrorCodes:
        return cls(read=f"{name}_store_read_failed", write=f"{name}_store_write_failed")


class RegistryChange(Struct, Generic[T]):
    """A registry opened for a change; it is saved if no error is raised."""

    content: T
    recovered: str = ""
    """Path that a corrupt file was moved to; empty if it was intact."""


class Registry(Generic[T]):
    """One store file of a project or user, holding one struct."""

    def __init__(
        self,
        path: str,
        kind: type[T],
        codes: RegistryErrorCodes,
        lock_timeout_ms: Callable[[Settings], int] | None = None,
        lock: str = "",
    ) -> None:
        self.path = path
        self._lock = lock or path + ".lock"
        """In a private folder, even if the file is in a shared one."""
        self._kind = kind
        self._codes = codes
        self._lock_timeout_ms = lock_timeout_ms or (lambda settings: settings.state_lock_timeout_ms * 4)
        """Time limit for other writers."""

    def read(self) -> T:
        """Return the content, empty if there is none yet.

        Raises LisaError(codes.read) if the file is corrupt; it stays in place.
        """
        try:
            return load(self.path, self._kind) or self._kind()
        except UnreadableRecord as problem:
            raise LisaError(
                self._codes.read,
                f"{problem}; the next write moves the file aside and starts again",
                path=self.path,
            ) from problem

    @contextlib.contextmanager
    def change(self, settings: Settings, now: float) -> Iterator[RegistryChange[T]]:
        """Read the content, let the caller change it, and save it under the lock; set a corrupt file aside.

        Raises LisaError(codes.write | codes.lock).
        """
        with self.hold_lock(settings):
            with self._translate_write_errors():
                found, aside = recover(self.path, self._kind, now)
            opened = RegistryChange(found or self._kind(), aside)
            yield opened
            with self._translate_write_errors():
                save(self.path, opened.content)

    @contextlib.contextmanager
    def hold_lock(self, settings: Settings) -> Iterator[None]:
        """Hold the lock of the registry."""
        with self._translate_write_errors():
            files.ensure_private_dir(os.path.dirname(self._lock))
        timeout_ms = self._lock_timeout_ms(settings)
        with contextlib.ExitStack() as stack:
            with self._translate_write_errors():
                stack.enter_context(files.lock(self._lock, timeout_ms=timeout_ms, code=self._codes.lock))
            yield

    @contextlib.contextmanager
    def _translate_write_errors(self) -> Iterator[None]:
        try:
            yield
        except LisaError as problem:
            if problem.code != "store_unwritable":
                raise
            raise LisaError(self._codes.write, problem.message, path=self.path) from problem

    def write(self, content: T) -> None:
        """Write the whole content; the caller holds the lock. Raises LisaError(codes.write)."""
        with self._translate_write_errors():
            save(self.path, content)

    def clear(self, settings: Settings) -> bool:
        """Remove the file, intact or corrupt; return False if there was none."""
        if not files.is_dir(os.path.dirname(self.path)):
            return False
        with self.hold_lock(settings):
            return files.remove(self.path)


def project_registry(project: Project, file: str, kind: type[T], name: str) -> Registry[T]:
    return Registry(os.path.join(project.folder, file), kind, RegistryErrorCodes.for_store(name))


def write_all(changes: Sequence[tuple[Registry[Any], Any]], settings: Settings) -> None:
    """Write several registries, all of them or none. Raises LisaError of the one that could not be written."""
    with contextlib.ExitStack() as locks:
        for registry, _ in sorted(changes, key=lambda change: change[0].path):  # a fixed order avoids deadlocks
            locks.enter_context(registry.hold_lock(settings))
        before = [(registry.path, _read_backup(registry.path)) for registry, _ in changes]
        try:
            for registry, content in changes:
                registry.write(content)
        except LisaError:
            for path, raw in before:
                _restore_backup(path, raw)
            raise


def _read_backup(path: str) -> bytes | None:
    try:
        return files.read(path)
    except OSError:  # a symlink or a folder is not restored
        return None


def _restore_backup(path: str, raw: bytes | None) -> None:
    with contextlib.suppress(LisaError, OSError):
        if raw is None:
            files.remove(path)
        else:
            files.write(path, raw)
