"""The files of a smoke run: its work folder, what its sessions said, and the bundle that is handed out."""

from __future__ import annotations

import os
from collections.abc import Sequence

import msgspec

from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.pilot.smoke_plan import Plan
from lisa_py.core.relay.capture import capture
from lisa_py.core.relay.captured import CaptureRequest
from lisa_py.host import files
from lisa_py.store.places import Place

PREFIX = "lisa-smoke-"
KEPT_SECONDS = 7 * 86400
"""Work folders older than this are removed by the next run."""
FILE_MAX = 16 << 20


def workdir(ctx: Context, run_id: str) -> str:
    """Make the run's folder, and remove those of long ago. Raises LisaError(smoke_workdir_create_failed)."""
    above = ctx.settings.temp_dir
    _prune(above, ctx.clock.now())
    try:
        return files.private_dir(os.path.join(above, PREFIX + run_id))
    except LisaError as problem:
        raise LisaError("smoke_workdir_create_failed", problem.message) from problem


def _prune(above: str, now: float) -> None:
    for name in files.names(above):
        path = os.path.join(above, name)
        if name.startswith(PREFIX) and files.is_dir(path) and now - files.modified(path) > KEPT_SECONDS:
            files.remove_tree(path)


def given(ctx: Context, path: str) -> str:
    """The text of a file the user named. Raises OSError."""
    whole = os.path.join(ctx.cwd, os.path.expanduser(path))
    return files.read_named(whole, FILE_MAX).decode("utf-8", "replace")


def save(plan: Plan, name: str, content: object, *, executable: bool = False) -> None:
    """A text as it is, anything else as JSON. Raises LisaError(store_unwritable)."""
    path = os.path.join(plan.folder, name)
    data = content if isinstance(content, str) else msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"
    files.write(path, data, mode=0o700 if executable else files.PRIVATE_FILE)


def collect(ctx: Context, plan: Plan, places: Sequence[Place]) -> None:
    """Keep what each level showed and what was noted about it, as far as it can be had."""
    for level, place in zip(plan.levels, places, strict=True):
        try:
            taken = capture(ctx, place, CaptureRequest(source="pane", lines=4000, strip_noise=False))
            save(plan, f"capture-l{level.number}.txt", taken.text + "\n")
        except LisaError:
            continue  # a level that never came to be
        finally:
            events = files.read_from(place.events, 0, FILE_MAX)
            if events:
                save(plan, f"events-l{level.number}.jsonl", events.decode("utf-8", "replace"))


def export(ctx: Context, plan: Plan, target: str) -> str:
    """Copy the work folder below a folder the user named, whole or not at all; answers where it is.

    Raises LisaError(store_unwritable), OSError.
    """
    above = files.canonical(os.path.join(ctx.cwd, os.path.expanduser(target)))
    files.make_dirs(above)
    final = os.path.join(above, os.path.basename(plan.folder))
    staging = files.temporary_dir(os.path.join(above, f".{os.path.basename(plan.folder)}."))
    for name in files.names(plan.folder):
        data = files.read(os.path.join(plan.folder, name), limit=FILE_MAX)
        mode = 0o700 if name == "lisa" or name.endswith(".sh") else files.PRIVATE_FILE
        files.write(os.path.join(staging, name), data or b"", mode=mode)
    files.remove_tree(final)
    files.move(staging, final)
    return final
