"""Files to and from the folder of a session, at addresses for one use."""

from __future__ import annotations

import os
from typing import Any

from msgspec import Struct
from starlette.responses import FileResponse, Response

from lisa_py.contract.errors import LisaError, UsageError
from lisa_py.core.live.transfers import Transfer
from lisa_py.host.clock import format_rfc3339
from lisa_py.server.options import FileNotice
from lisa_py.server.route import RestCall, Route
from lisa_py.server.routes.sessions import find_any
from lisa_py.store.paths import SessionRef

UPLOAD = "/v1/io/uploads/{token}"
DOWNLOAD = "/v1/io/downloads/{token}"


class UploadRequest(Struct, frozen=True, kw_only=True):
    """A file that is to be sent."""

    filename: str
    size: int
    content_type: str = ""


class UploadCompletion(Struct, frozen=True, kw_only=True):
    """A file that was sent."""

    upload_id: str


class DownloadRequest(Struct, frozen=True, kw_only=True):
    """A file of the session's folder."""

    path: str


class UploadAddress(Struct, frozen=True, kw_only=True):
    """The address that takes the file by PUT, once."""

    upload_url: str
    upload_id: str
    target_path: str
    expires_at: str


class UploadedFile(Struct, frozen=True, kw_only=True):
    """A file that has arrived."""

    success: bool
    path: str


class DownloadAddress(Struct, frozen=True, kw_only=True):
    """The address of a file, for one GET."""

    download_url: str
    expires_at: str
    size: int


def describe_upload(url: str, transfer: Transfer) -> UploadAddress:
    return UploadAddress(
        upload_url=url + UPLOAD.format(token=transfer.id),
        upload_id=transfer.id,
        target_path=transfer.path,
        expires_at=format_rfc3339(transfer.expires_at),
    )


def describe_download(url: str, transfer: Transfer) -> DownloadAddress:
    return DownloadAddress(
        download_url=url + DOWNLOAD.format(token=transfer.id),
        expires_at=format_rfc3339(transfer.expires_at),
        size=transfer.size,
    )


def check_size(size: int) -> int:
    """Return a size that a file can have. Raise UsageError(validation_failed)."""
    if size < 0:
        raise UsageError("validation_failed", f"invalid size: {size} (expected 0 or more)", fields=["size"])
    return size


def ask_upload(call: RestCall) -> UploadAddress:
    body = call.read_body(UploadRequest)
    ref = _find_living(call)
    return describe_upload(
        call.server.url, call.server.transfers.plan_upload(ref, body.filename, check_size(body.size))
    )


def receive(call: RestCall) -> Response:
    length = call.headers.get("content-length", "")
    declared = int(length) if length.isdigit() else None
    call.server.transfers.receive(call.path["token"], call.chunks, declared)
    return Response(status_code=204)


def complete(call: RestCall) -> UploadedFile:
    body = call.read_body(UploadCompletion)
    ref = _find_living(call)
    transfer = call.server.transfers.complete(ref, identity=body.upload_id)
    call.server.announce_file(ref, FileNotice(path=transfer.path))
    return UploadedFile(success=True, path=transfer.path)


def ask_download(call: RestCall) -> DownloadAddress:
    body = call.read_body(DownloadRequest)
    return describe_download(call.server.url, call.server.transfers.plan_download(_find_living(call), body.path))


def send(call: RestCall) -> Any:
    transfer = call.server.transfers.open_download(call.path["token"])
    return FileResponse(transfer.path, media_type="application/octet-stream", filename=os.path.basename(transfer.path))


def _find_living(call: RestCall) -> SessionRef:
    """Return the session of the path. Raise LisaError: session_not_found, session_ended."""
    ref = find_any(call)
    if ref.archive:
        raise LisaError("session_ended", f"{ref.session} has ended; its folder is {ref.project.root}")
    return ref


_ONE = "/v1/io/sessions/{id}"
_REFUSALS = ("session_not_found", "session_ended")
ROUTES = (
    Route(
        method="POST", path=_ONE + "/upload", summary="Return an address that takes a file for the session by PUT",
        run=ask_upload, body=UploadRequest, answer=UploadAddress, scope="control", tag="files",
        errors=(*_REFUSALS, "path_refused", "rate_limited", "too_large"),
    ),
    Route(
        method="PUT", path=UPLOAD, summary="Send the file of an upload, once; the address is the right to do it",
        run=receive, answer=None, access="open", status=204, streams=True, pool="commands", tag="files",
        errors=("transfer_not_found", "size_mismatch", "path_refused"),
    ),
    Route(
        method="POST", path=_ONE + "/upload/complete", summary="Return the place of a file that was sent",
        run=complete, body=UploadCompletion, answer=UploadedFile, scope="control", tag="files",
        errors=(*_REFUSALS, "transfer_not_found", "path_refused"),
    ),
    Route(
        method="POST", path=_ONE + "/download", summary="Return an address of a file in the folder of the session",
        run=ask_download, body=DownloadRequest, answer=DownloadAddress, scope="control", tag="files",
        errors=(*_REFUSALS, "path_refused", "file_not_found", "rate_limited"),
    ),
    Route(
        method="GET", path=DOWNLOAD, summary="Return the file of a download, once",
        run=send, answer=None, access="open", tag="files",
        errors=("transfer_not_found", "path_refused", "file_not_found"),
    ),
)  # fmt: skip
