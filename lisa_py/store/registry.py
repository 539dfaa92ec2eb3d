"""Registries: small JSON stores many processes write at once; every change is read, made and saved under a lock."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Generic, TypeVar

from msgspec import Struct

from lisa_py.contract.errors import LisaError
from lisa_py.host import files
from lisa_py.host.env import Settings
from lisa_py.store.places import Project
from lisa_py.store.records import Unreadable, load, recover, save

T = TypeVar("T", bound=Struct)


class Changing(Struct, Generic[T]):
    """A registry opened for a change; it is saved when the change ends well."""

    content: T
    recovered: str = ""
    """Where a corrupt file went; empty when the file was sound."""


class Registry(Generic[T]):
    """One store file of one project (or of the user), holding one struct."""

    def __init__(self, path: str, kind: type[T], name: str) -> None:
        self.path = path
        self._kind = kind
        self._name = name
        """For error codes: `<name>_store_read_failed`, `<name>_store_write_failed`."""

    def read(self) -> T:
        """The content, empty when there is none yet.

        Raises LisaError(<name>_store_read_failed) when the file is corrupt; reading moves nothing.
        """
        try:
            return load(self.path, self._kind) or self._kind()
        except Unreadable as problem:
            raise LisaError(
                f"{self._name}_store_read_failed",
                f"{problem}; the next write moves the file aside and begins anew",
                path=self.path,
            ) from problem

    @contextlib.contextmanager
    def change(self, settings: Settings, now: float) -> Iterator[Changing[T]]:
        """Hold the lock, read, let the caller change, save. A corrupt file is set aside first.

        Raises LisaError(<name>_store_write_failed | state_lock_timeout).
        """
        try:
            files.private_dir(os.path.dirname(self.path))
            with files.lock(self.path + ".lock", timeout_ms=settings.state_lock_timeout_ms * 4):
                found, aside = recover(self.path, self._kind, now)
                opened = Changing(found or self._kind(), aside)
                yield opened
                save(self.path, opened.content)
        except LisaError as problem:
            if problem.code != "store_unwritable":
                raise
            raise LisaError(f"{self._name}_store_write_failed", problem.message, path=self.path) from problem

    def clear(self, settings: Settings) -> bool:
        """Remove the file, sound or corrupt; False when there was none."""
        if not files.is_dir(os.path.dirname(self.path)):
            return False
        with files.lock(self.path + ".lock", timeout_ms=settings.state_lock_timeout_ms * 4):
            return files.remove(self.path)


def of_project(project: Project, file: str, kind: type[T], name: str) -> Registry[T]:
    return Registry(os.path.join(project.folder, file), kind, name)
