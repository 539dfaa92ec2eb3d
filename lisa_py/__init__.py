"""lisa: orchestrate claude and codex sessions in tmux, and know what each of them is really doing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lisa_py.api import Lisa as Lisa
    from lisa_py.api import Session as Session
    from lisa_py.contract.errors import LisaError as LisaError
    from lisa_py.contract.errors import TmuxUnavailable as TmuxUnavailable
    from lisa_py.contract.status import Status as Status
    from lisa_py.core.life.send import Sent as Sent
    from lisa_py.core.relay.captured import Captured as Captured
    from lisa_py.core.relay.conversation import Message as Message
    from lisa_py.core.relay.handoff import Handoff as Handoff
    from lisa_py.core.relay.packet import Packet as Packet
    from lisa_py.core.watch.monitor import Outcome as Outcome
    from lisa_py.core.watch.monitor import Poll as Poll

__version__ = "0.1.0"

_HOMES = {
    "Lisa": "api",
    "Session": "api",
    "LisaError": "contract.errors",
    "TmuxUnavailable": "contract.errors",
    "Status": "contract.status",
    "Sent": "core.life.send",
    "Captured": "core.relay.captured",
    "Message": "core.relay.conversation",
    "Handoff": "core.relay.handoff",
    "Packet": "core.relay.packet",
    "Outcome": "core.watch.monitor",
    "Poll": "core.watch.monitor",
}
"""The library in one page: each name and the module it is loaded from when it is first asked for."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib  # noqa: PLC0415 - the command line needs none of these names

    found = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return [*_HOMES, "__version__"]
