"""Record the decision of a person about a dialog in the log of approvals."""

from __future__ import annotations

from msgspec import UNSET

from lisa_py.contract.approvals import ApprovalEntry
from lisa_py.contract.dialogs import DecisionRecord
from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.send.dialog_list import FoundDialog
from lisa_py.core.send.target import SendTarget
from lisa_py.store import masked_values


def record_decision(ctx: Context, target: SendTarget, found: FoundDialog, record: DecisionRecord) -> str:
    """Append a decision to the log; return why it is not there, empty if it is."""
    from lisa_py.core.guard import approval_record  # noqa: PLC0415 - only decisions

    opened, meta = found.dialog, target.evidence.meta
    given = opened.message if opened.tool_input is UNSET else approval_record.describe_input(opened.tool_input)
    try:
        secrets = masked_values.read(target.ref)
    except LisaError:
        secrets, given = (), ""  # it might hold a secret
    entry = ApprovalEntry(
        at=record.at,
        session=opened.session,
        project_root=opened.project_root,
        run_id=meta.run_id if meta is not None else "",
        agent=target.agent.name,
        tool=opened.tool_name or opened.kind,
        input=given,
        decision="allow" if record.kind == "approve" else record.kind,
        by=record.by,
        reason=record.summary,
        scope=record.scope if record.scope == "session" else "",
        id=opened.id,
    )
    return approval_record.record(ctx.settings.state_dir, entry, secrets)
