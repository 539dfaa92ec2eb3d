"""Save the last screen of an ended session in its folder."""

from __future__ import annotations

from lisa_py.contract.errors import LisaError
from lisa_py.contract.status import Status
from lisa_py.core.context import Context
from lisa_py.core.redact.redactor import build_session_mask
from lisa_py.core.status.evidence import Evidence
from lisa_py.host import files
from lisa_py.store.paths import SessionRef

LINES = 260
SAVED_STATES = ("completed", "crashed", "stuck", "degraded")


def save_last_screen(ctx: Context, ref: SessionRef, evidence: Evidence, status: Status) -> str:
    """Write the pane's last lines to `output.txt`; return the path, or an empty text if there is nothing to save."""
    pane = evidence.pane
    if status.session_state not in SAVED_STATES or pane is None or evidence.meta is None:
        return ""
    try:
        text = ctx.server(ref).capture([pane.pane_id], history=LINES).get(pane.pane_id, "")
        if not text.strip() or not files.is_dir(ref.folder):
            return ""
        shown = build_session_mask(ref).mask_text("\n".join(text.split("\n")[-LINES:]))
        files.write(ref.output, f"{shown}\n")
    except LisaError as problem:
        ctx.warn_about(problem)
        return ""
    return ref.output
