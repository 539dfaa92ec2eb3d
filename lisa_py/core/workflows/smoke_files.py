"""Files of a smoke run: its work folder, the captures of its sessions, and the exported bundle."""

from __future__ import annotations

import os
from collections.abc import Sequence

from lisa_py.contract import jsontext
from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.output.capture import capture_session
from lisa_py.core.output.capture_request import CaptureRequest
from lisa_py.core.workflows.smoke_plan import SmokePlan
from lisa_py.host import files
from lisa_py.store.paths import SessionRef

PREFIX = "lisa-smoke-"
KEEP_SECONDS = 7 * 86400
"""Work folders older than this are removed by the next run."""
FILE_MAX = 16 << 20


def create_workdir(ctx: Context, run_id: str) -> str:
    """Create the folder of the run and remove old ones. Raise LisaError(smoke_workdir_create_failed)."""
    above = ctx.settings.temp_dir
    _prune(above, ctx.clock.now())
    try:
        return files.ensure_private_dir(os.path.join(above, PREFIX + run_id))
    except LisaError as problem:
        raise LisaError("smoke_workdir_create_failed", problem.message) from problem


def _prune(above: str, now: float) -> None:
    for name in files.list_names(above):
        path = os.path.join(above, name)
        if name.startswith(PREFIX) and files.is_dir(path) and now - files.modified_at(path) > KEEP_SECONDS:
            files.remove_tree(path)


def read_user_file(ctx: Context, path: str) -> str:
    """Return the text of a file named by the user. Raise OSError."""
    full_path = os.path.join(ctx.cwd, os.path.expanduser(path))
    return files.read_user_file(full_path, FILE_MAX).decode("utf-8", "replace")


def save(plan: SmokePlan, name: str, content: object, *, executable: bool = False) -> None:
    """Write a text unchanged, anything else as JSON. Raise LisaError(store_unwritable)."""
    path = os.path.join(plan.folder, name)
    data = content if isinstance(content, str) else jsontext.encode_document(content)
    files.write(path, data, mode=0o700 if executable else files.PRIVATE_FILE)


def collect_session_files(ctx: Context, plan: SmokePlan, refs: Sequence[SessionRef]) -> None:
    """Save the screen and events of each level, as far as they are available."""
    for level, ref in zip(plan.levels, refs, strict=True):
        try:
            taken = capture_session(ctx, ref, CaptureRequest(source="pane", lines=4000, strip_noise=False))
            save(plan, f"capture-l{level.number}.txt", taken.text + "\n")
        except LisaError:
            continue  # a level that was never started
        finally:
            events = files.read_from(ref.events, 0, FILE_MAX)
            if events:
                save(plan, f"events-l{level.number}.jsonl", events.decode("utf-8", "replace"))


def export(ctx: Context, plan: SmokePlan, target: str) -> str:
    """Copy the work folder below a folder named by the user, completely or not at all; return the path.

    Raise LisaError(store_unwritable), OSError.
    """
    above = files.canonical_path(os.path.join(ctx.cwd, os.path.expanduser(target)))
    files.make_dirs(above)
    final = os.path.join(above, os.path.basename(plan.folder))
    staging = files.make_temporary_dir(os.path.join(above, f".{os.path.basename(plan.folder)}."))
    for name in files.list_names(plan.folder):
        data = files.read(os.path.join(plan.folder, name), limit=FILE_MAX)
        mode = 0o700 if name == "lisa" or name.endswith(".sh") else files.PRIVATE_FILE
        files.write(os.path.join(staging, name), data or b"", mode=mode)
    files.remove_tree(final)
    files.move(staging, final)
    return final
