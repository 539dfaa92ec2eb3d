"""List the open dialogs of all sessions of a project, or of all projects."""

from __future__ import annotations

from msgspec import Struct, structs

from lisa_py.contract import command_line
from lisa_py.contract.dialogs import OpenDialog
from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.fleet import discover
from lisa_py.core.fleet.discover import SessionWarning
from lisa_py.core.redact.redactor import build_session_mask
from lisa_py.core.send import dialog_list
from lisa_py.core.status import status_reader
from lisa_py.store.paths import Project, SessionRef


class FleetDialogs(Struct, frozen=True, kw_only=True):
    """The open dialogs, oldest first, and the servers that could not be queried."""

    dialogs: tuple[OpenDialog, ...]
    warnings: tuple[SessionWarning, ...] = ()


def list_fleet_dialogs(
    ctx: Context, project: Project, only: SessionRef | None = None, *, all_sockets: bool = False
) -> FleetDialogs:
    """Return the open dialogs, each with the command that answers it. Raise LisaError(session_list_failed)."""
    if only is not None:
        mask = build_session_mask(only)
        return FleetDialogs(dialogs=_add_commands(mask.mask_record(dialog_list.list_dialogs(ctx, only))))
    fleet = discover.find_live_sessions(ctx, project, all_sockets=all_sockets)
    read = status_reader.read_many(ctx, fleet.refs, panes=fleet.panes)
    found: list[OpenDialog] = []
    warnings = list(fleet.warnings)
    for ref, (evidence, status) in zip(fleet.refs, read, strict=True):
        opened = dialog_list.find_dialogs(ctx, ref, evidence, status)
        try:
            found += [build_session_mask(ref).mask_record(each.dialog) for each in opened]
        except LisaError as problem:
            warnings.append(SessionWarning(error_code=problem.code, message=problem.message, session=ref.session))
    return FleetDialogs(
        dialogs=_add_commands(tuple(sorted(found, key=lambda each: each.since))), warnings=tuple(warnings)
    )


def _add_commands(found: tuple[OpenDialog, ...]) -> tuple[OpenDialog, ...]:
    return tuple(structs.replace(each, answer_command=_build_command(each)) for each in found)


def _build_command(dialog: OpenDialog) -> str:
    """Return the command that answers a dialog: approve for a permission, the first choice for a question."""
    name, root = dialog.session, dialog.project_root
    if dialog.kind == "permission":
        return str(command_line.build("session approve", session=name, project_root=root, id=dialog.id))
    return str(command_line.build("session answer", session=name, project_root=root, id=dialog.id, choice="1"))
