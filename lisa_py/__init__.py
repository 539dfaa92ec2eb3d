"""lisa: orchestrate claude and codex sessions in tmux with their true state.

Tests: tests; tests/test_api.py for api.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lisa_py.api import Lisa as Lisa
    from lisa_py.api import Session as Session
    from lisa_py.contract.errors import CancellationError as CancellationError
    from lisa_py.contract.errors import LisaError as LisaError
    from lisa_py.contract.errors import TmuxUnavailable as TmuxUnavailable
    from lisa_py.contract.status import Status as Status
    from lisa_py.core.handoff.handoff import Handoff as Handoff
    from lisa_py.core.handoff.packet import Packet as Packet
    from lisa_py.core.lifecycle.worktree_request import WorktreeRequest as WorktreeRequest
    from lisa_py.core.output.capture_request import CaptureResult as CaptureResult
    from lisa_py.core.output.conversation import Message as Message
    from lisa_py.core.send.result import SendResult as SendResult
    from lisa_py.core.wait.monitor import MonitorSummary as MonitorSummary
    from lisa_py.core.wait.monitor import Poll as Poll
    from lisa_py.host.cancellation import Cancellation as Cancellation

__version__ = "0.1.0"

_MODULES = {
    "Lisa": "api",
    "Session": "api",
    "WorktreeRequest": "core.lifecycle.worktree_request",
    "Cancellation": "host.cancellation",
    "CancellationError": "contract.errors",
    "LisaError": "contract.errors",
    "TmuxUnavailable": "contract.errors",
    "Status": "contract.status",
    "SendResult": "core.send.result",
    "CaptureResult": "core.output.capture_request",
    "Message": "core.output.conversation",
    "Handoff": "core.handoff.handoff",
    "Packet": "core.handoff.packet",
    "MonitorSummary": "core.wait.monitor",
    "Poll": "core.wait.monitor",
}
"""Public names and the module that each is loaded from on first use."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib  # noqa: PLC0415 - the command line needs none of these names

    found = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return [*_MODULES, "__version__"]
