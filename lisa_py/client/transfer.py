"""Send files to a session and read its files, in parts and with progress."""

from __future__ import annotations

import contextlib
import io
import mimetypes
import os
import tempfile
from collections.abc import Callable, Iterator
from typing import BinaryIO, TypeVar
from urllib.parse import quote, urlsplit

from msgspec import Struct

from lisa_py.client import calls
from lisa_py.client.errors import TransferError
from lisa_py.client.flow import LOOPBACK, ClientCore, Flow, Send, ServerPlace, describe_failure
from lisa_py.client.retry import HttpReply

T = TypeVar("T")
FileSource = str | os.PathLike[str] | bytes | BinaryIO
Progress = Callable[[float], None]
"""Called with the percentage that is done, 0 to 100."""
PART_BYTES = 1 << 18


class UploadFile(Struct, kw_only=True):
    """A file to send."""

    name: str
    content_type: str
    size: int
    file: BinaryIO


@contextlib.contextmanager
def open_source(source: FileSource, name: str, content_type: str) -> Iterator[UploadFile]:
    """Open a file to send; a file object is read from its present position. Raise OSError, ValueError."""
    with contextlib.ExitStack() as stack:
        if isinstance(source, bytes):
            file: BinaryIO = io.BytesIO(source)
        elif isinstance(source, str | os.PathLike):
            file = stack.enter_context(open(source, "rb"))
            name = name or os.path.basename(os.fspath(source))
        else:
            file = source
        if not name:
            raise ValueError("the file has no name: give `name`")
        start = file.tell()
        size = file.seek(0, os.SEEK_END) - start
        file.seek(start)
        kind = content_type or mimetypes.guess_type(name)[0] or "application/octet-stream"
        yield UploadFile(name=name, content_type=kind, size=size, file=file)


def send_file(core: ClientCore, url: str, outgoing: UploadFile, on_progress: Progress | None = None) -> Flow[None]:
    """Send a file to the address of an upload, once. Raise ClientError."""
    outcome = yield Send(
        method="PUT",
        path=localize(url, core.place),
        headers={"Content-Type": outgoing.content_type, "Content-Length": str(outgoing.size)},
        content=_read_parts(outgoing, on_progress or _ignore) if outgoing.size else b"",
    )
    if not isinstance(outcome, HttpReply) or not 200 <= outcome.status < 300:
        raise describe_failure(outcome, core.place)
    (on_progress or _ignore)(100.0)


def _read_parts(outgoing: UploadFile, on_progress: Progress) -> Iterator[bytes]:
    done = 0
    while done < outgoing.size:
        part = outgoing.file.read(min(PART_BYTES, outgoing.size - done))
        if not part:
            raise TransferError(f"{outgoing.name} became shorter: {done} of {outgoing.size} bytes")
        yield part
        done += len(part)
        if done < outgoing.size:
            on_progress(100.0 * done / outgoing.size)


def _ignore(percent: float) -> None:
    """Report nothing."""


def read_url(
    core: ClientCore, url: str, write: Callable[[bytes], object], on_progress: Progress | None = None
) -> Flow[int]:
    """Read the address of a download; return the number of bytes. Raise ClientError."""
    done, length = 0, 0

    def take(part: bytes, total: int) -> None:
        nonlocal done, length
        write(part)
        done, length = done + len(part), total
        if on_progress is not None and done < total:
            on_progress(100.0 * done / total)

    outcome = yield Send(method="GET", path=localize(url, core.place), sink=take)
    if not isinstance(outcome, HttpReply) or not 200 <= outcome.status < 300:
        raise describe_failure(outcome, core.place)
    if done < length:
        raise TransferError(f"the download ended early: {done} of {length} bytes")
    if on_progress is not None:
        on_progress(100.0)
    return done


def localize(url: str, place: ServerPlace) -> str:
    """Return a one-time address as the client reaches it: of the server itself by its path alone."""
    parts = urlsplit(url)
    if parts.scheme and not (place.is_local and parts.hostname in LOOPBACK):
        return url
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def save_to(
    core: ClientCore, url: str, target: str | os.PathLike[str], on_progress: Progress | None = None
) -> Flow[str]:
    """Read the address of a download into a file, which is complete or not there. Raise ClientError, OSError."""
    path = os.path.abspath(os.fspath(target))
    handle, part = tempfile.mkstemp(prefix=f".{os.path.basename(path)}.", dir=os.path.dirname(path))
    try:
        with os.fdopen(handle, "wb") as file:
            yield from read_url(core, url, file.write, on_progress)
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise
    return path


# -- methods of the clients ----------------------------------------------------------------------------------------


def upload_file(
    core: ClientCore,
    session_id: str,
    source: FileSource,
    name: str = "",
    *,
    content_type: str = "",
    on_progress: Progress | None = None,
) -> Flow[str]:
    """Send a file to a session; return its path there. `source` is a path, bytes or an open file."""
    with open_source(source, name, content_type) as outgoing:
        target = yield from core.perform(
            calls.request_upload_url(
                session_id, filename=outgoing.name, content_type=outgoing.content_type, size=outgoing.size
            )
        )
        yield from send_file(core, target.upload_url, outgoing, on_progress)
        report = yield from core.perform(calls.notify_upload_complete(session_id, target.upload_id))
        return report.path


def download_file(core: ClientCore, session_id: str, path: str, *, on_progress: Progress | None = None) -> Flow[bytes]:
    """Return a file of a session."""
    target = yield from core.perform(calls.request_download_url(session_id, path=path))
    return (yield from download_from_url(core, target.download_url, on_progress=on_progress))


def download_from_url(core: ClientCore, url: str, *, on_progress: Progress | None = None) -> Flow[bytes]:
    """Return the file at the address of a download."""
    content = io.BytesIO()
    yield from read_url(core, url, content.write, on_progress)
    return content.getvalue()


def save_file(
    core: ClientCore,
    session_id: str,
    path: str,
    target: str | os.PathLike[str],
    *,
    on_progress: Progress | None = None,
) -> Flow[str]:
    """Read a file of a session into a file of this machine; return the path of that."""
    found = yield from core.perform(calls.request_download_url(session_id, path=path))
    return (yield from save_to(core, found.download_url, target, on_progress))


def get_websocket_url(core: ClientCore, session_id: str, *, family: calls.Family = "user") -> Flow[str]:
    """Return the address of a session's socket, with a token in it; it is a secret."""
    token = yield from core.provide_token()
    path = socket_path(session_id, family)
    return f"{core.place.socket_url}{path}" + (f"?token={token}" if token else "")


def socket_path(session_id: str, family: calls.Family) -> str:
    return f"/v1/ws/{'org/' if family == 'org' else ''}sessions/{quote(session_id, safe='')}"
