"""Requests for files of the clients of a WebSocket."""

from __future__ import annotations

import os
from typing import Literal

from lisa_py.contract.live import NoticePayload, TransferPayload
from lisa_py.core.live.transfers import UPLOADS, clean_name
from lisa_py.server.client_messages import DownloadMessage, FileMessage, UploadMessage
from lisa_py.server.options import FileNotice, ServerState
from lisa_py.server.routes import transfers
from lisa_py.store.paths import SessionRef

NoticeKind = Literal["error", "system", "upload_url", "download_url"]


def answer(
    server: ServerState, ref: SessionRef, message: FileMessage, client: object
) -> tuple[NoticeKind, NoticePayload | TransferPayload] | None:
    """Return the frame that answers a request; None for an upload that has arrived: all clients are notified.

    Raise LisaError: too_large, path_refused, file_not_found, transfer_not_found.
    """
    if isinstance(message, UploadMessage):
        planned = server.transfers.plan_upload(ref, message.filename, transfers.check_size(message.size))
        upload = transfers.describe_upload(server.url, planned)
        return "upload_url", TransferPayload(
            request_id=message.request_id,
            url=upload.upload_url,
            upload_url=upload.upload_url,
            upload_id=upload.upload_id,
            target_path=upload.target_path,
            expires_at=upload.expires_at,
        )
    if isinstance(message, DownloadMessage):
        download = transfers.describe_download(server.url, server.transfers.plan_download(ref, message.path))
        return "download_url", TransferPayload(
            request_id=message.request_id,
            url=download.download_url,
            download_url=download.download_url,
            expires_at=download.expires_at,
            size=download.size,
        )
    path = message.path or os.path.join(UPLOADS, clean_name(message.filename))
    arrived = server.transfers.complete(ref, identity=message.upload_id, path=path)
    server.announce_file(ref, FileNotice(path=arrived.path, client=client, request_id=message.request_id))
    return None
