"""Keeps the last screen of an ended session in its folder, for those who ask for it by path."""

from __future__ import annotations

from lisa_py.contract.errors import LisaError
from lisa_py.contract.status import Status
from lisa_py.core.context import Context
from lisa_py.core.watch.evidence import Evidence
from lisa_py.host import files
from lisa_py.store.places import Place

LINES = 260
STATES = ("completed", "crashed", "stuck", "degraded")


def keep(ctx: Context, place: Place, evidence: Evidence, status: Status) -> str:
    """Write the pane's last lines to `output.txt`; the path, or empty when there was nothing to keep."""
    pane = evidence.pane
    if status.session_state not in STATES or pane is None or evidence.meta is None:
        return ""
    try:
        text = ctx.server(place).capture([pane.pane_id], history=LINES).get(pane.pane_id, "")
        if not text.strip() or not files.is_dir(place.folder):
            return ""
        files.write(place.output, "\n".join(text.split("\n")[-LINES:]) + "\n")
    except LisaError as problem:
        ctx.warn_on(problem)
        return ""
    return place.output
