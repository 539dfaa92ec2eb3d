"""Files from and to the folder of a session: checked places, addresses for one use."""

from __future__ import annotations

import os
import re
import secrets
import threading
from collections.abc import Callable, Iterable

from msgspec import Struct

from lisa_py.contract.errors import LisaError
from lisa_py.host import files, uploads
from lisa_py.store.paths import SessionRef

MAX_BYTES = 100 << 20
LIFETIME_SECONDS = 3600
WORKSPACE = "/workspace"
"""Name of the session's folder in paths of clients."""
UPLOADS = "uploads"
NAME_BYTES = 200
OPEN_TRANSFERS = 1000
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f]")


class Transfer(Struct, kw_only=True):
    """One upload or download that was asked for."""

    id: str
    ref: SessionRef
    path: str
    """The file in the session's folder; of an upload its planned place until it has arrived."""
    size: int
    expires_at: float
    is_upload: bool
    is_used: bool = False
    """Its address was used."""
    has_arrived: bool = False


class Transfers:
    """The transfers of a process, by the secret part of their address."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._open: dict[str, Transfer] = {}

    # -- upload --------------------------------------------------------------------------------------------------

    def plan_upload(self, ref: SessionRef, filename: str, size: int) -> Transfer:
        """Return a new upload below the session's uploads folder. Raise LisaError: too_large, path_refused."""
        if size > MAX_BYTES:
            raise LisaError("too_large", f"{filename} has {size} bytes; at most {MAX_BYTES} can be sent")
        folder = find_uploads(ref)
        with self._lock:
            taken = {each.path for each in self._open.values() if each.is_upload and not each.has_arrived}
            name = clean_name(filename)
            names = (os.path.join(folder, uploads.number_name(name, number)) for number in range(1000))
            path = next(each for each in names if each not in taken and not files.exists(each))
            return self._add(ref, path, size, is_upload=True)

    def receive(self, identity: str, chunks: Iterable[bytes], length: int | None = None) -> Transfer:
        """Write the bytes of an upload, once; `length` is their number, if it is known before.

        Raise LisaError: transfer_not_found, size_mismatch, path_refused, store_unwritable.
        """
        transfer = self._use(identity, is_upload=True)
        if length is not None and length != transfer.size:
            raise _mismatch(transfer, str(length))
        with uploads.open_upload(find_uploads(transfer.ref)) as received:
            for chunk in chunks:
                if received.size + len(chunk) > transfer.size:
                    raise _mismatch(transfer, f"over {transfer.size}")
                received.write(chunk)
            if received.size != transfer.size:
                raise _mismatch(transfer, str(received.size))
            name = received.publish(os.path.basename(transfer.path))
        transfer.path = os.path.join(os.path.dirname(transfer.path), name)
        transfer.has_arrived = True
        return transfer

    def complete(self, ref: SessionRef, *, identity: str = "", path: str = "") -> Transfer:
        """Return an upload that has arrived, by its id or path, and forget it. Raise LisaError(transfer_not_found)."""
        wanted = resolve_path(ref, path) if path else ""
        with self._lock:
            for key, each in self._open.items():
                is_named = each.id == identity if identity else each.path == wanted
                if is_named and each.is_upload and each.ref == ref and each.has_arrived:
                    return self._open.pop(key)
        raise LisaError("transfer_not_found", "no such upload has arrived: send the file to its address first")

    # -- download ------------------------------------------------------------------------------------------------

    def plan_download(self, ref: SessionRef, path: str) -> Transfer:
        """Return a new download. Raise LisaError: path_refused, file_not_found."""
        found = find_file(ref, path)
        with self._lock:
            return self._add(ref, found, files.size(found), is_upload=False)

    def open_download(self, identity: str) -> Transfer:
        """Return a download, once. Raise LisaError: transfer_not_found, path_refused, file_not_found."""
        transfer = self._use(identity, is_upload=False)
        with self._lock:
            self._open = {key: each for key, each in self._open.items() if each is not transfer}
        find_file(transfer.ref, transfer.path)  # it may have been replaced by a symlink
        return transfer

    # -- addresses -----------------------------------------------------------------------------------------------

    def _add(self, ref: SessionRef, path: str, size: int, *, is_upload: bool) -> Transfer:
        now = self._now()
        self._open = {key: each for key, each in self._open.items() if each.expires_at > now}
        if len(self._open) >= OPEN_TRANSFERS:
            raise LisaError("rate_limited", f"{OPEN_TRANSFERS} transfers are open; finish or wait for the end of some")
        made = Transfer(
            id=secrets.token_urlsafe(24),
            ref=ref,
            path=path,
            size=size,
            expires_at=now + LIFETIME_SECONDS,
            is_upload=is_upload,
        )
        self._open[made.id] = made
        return made

    def _use(self, identity: str, *, is_upload: bool) -> Transfer:
        with self._lock:
            found = self._open.get(identity)
            is_open = found is not None and found.is_upload is is_upload and found.expires_at > self._now()
            if found is None or not is_open or found.is_used:
                raise LisaError("transfer_not_found", "the address is unknown, used or expired; ask for a new one")
            found.is_used = True
            return found


def _mismatch(transfer: Transfer, got: str) -> LisaError:
    name = os.path.basename(transfer.path)
    return LisaError("size_mismatch", f"{name} was to have {transfer.size} bytes, but has {got}; ask for a new address")


def clean_name(filename: str) -> str:
    """Return the file name of a path without control characters and leading dots."""
    name = _UNPRINTABLE.sub("", filename.replace("\\", "/")).rpartition("/")[2].lstrip(". ").strip()
    stem, suffix = os.path.splitext(name)
    short = stem.encode()[: NAME_BYTES - len(suffix.encode()[:40])].decode("utf-8", "ignore")
    return short + suffix.encode()[:40].decode("utf-8", "ignore") or "file"


def find_uploads(ref: SessionRef) -> str:
    """Return the uploads folder of a session. Raise LisaError(path_refused) if it leads elsewhere."""
    folder = os.path.join(files.canonical_path(ref.project.root), UPLOADS)
    if files.exists(folder) and files.canonical_path(folder) != folder:
        raise _refuse(folder)
    return folder


def resolve_path(ref: SessionRef, path: str) -> str:
    """Return the real path that a client names. Raise LisaError(path_refused) outside the session's folder."""
    root = files.canonical_path(ref.project.root)
    if path == WORKSPACE or path.startswith(WORKSPACE + "/"):
        path = path[len(WORKSPACE) :].lstrip("/")
    if "\x00" in path:
        raise _refuse(path)
    found = files.canonical_path(os.path.join(root, path))
    if os.path.commonpath((root, found)) != root:
        raise _refuse(path)
    return found


def find_file(ref: SessionRef, path: str) -> str:
    """Return the real path of a file. Raise LisaError: path_refused, file_not_found."""
    found = resolve_path(ref, path)
    if not files.is_file(found):
        raise LisaError("file_not_found", f"no such file in the folder of the session: {path}")
    return found


def _refuse(path: str) -> LisaError:
    text = f"the path leaves the folder of the session: {path!r} (give one below {WORKSPACE})"
    return LisaError("path_refused", text)
