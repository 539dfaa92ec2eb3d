"""Usage of a session so far, and the counted part of its transcripts."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from lisa_py.store.json_records import load_readable, save
from lisa_py.store.paths import SessionRef
from lisa_py.store.record import StoreRecord, check_session_files

FILE = "usage.json"


class TokenTally(Struct, kw_only=True, omit_defaults=True):
    """Tokens and dollars of one model."""

    provider: str = ""
    input_tokens: int = 0
    """Input neither read from nor written to a cache."""
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: float = 0.0
    """By the price table."""
    unpriced: int = 0
    """Number of calls without a price."""

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens + self.cache_read_tokens + self.cache_write_tokens

    def add(self, other: TokenTally, sign: int = 1) -> None:
        """Add the amounts of another tally, or subtract them."""
        for field in _AMOUNTS:
            setattr(self, field, getattr(self, field) + sign * getattr(other, field))


_AMOUNTS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "cost_usd", "unpriced")


class CountedCall(Struct, kw_only=True):
    """A recent model call: a later record of it replaces its amounts."""

    id: str
    model: str
    hour: str
    tally: TokenTally


class TranscriptPlace(Struct, kw_only=True, omit_defaults=True):
    """The counted part of one transcript."""

    path: str
    offset: int = 0
    messages: int | None = None
    """Messages up to the offset, as the history of the session has them; None: not counted."""
    helper: bool = False
    """It belongs to a subagent: its tokens count, its calls and turns do not."""
    first_call: str = ""
    copied_until: float = 0.0
    """Leading records up to this Unix time are copies of an earlier conversation; 0: none, or they are passed."""


class UsageState(Struct, kw_only=True, omit_defaults=True):
    """`usage.json` in the session folder."""

    run_id: str = ""
    transcripts: list[TranscriptPlace] = msgspec.field(default_factory=list)
    models: dict[str, TokenTally] = msgspec.field(default_factory=dict)
    calls: int = 0
    """Model calls of the conversation itself."""
    turns: int = 0
    """Ended turns."""
    last_turn_end: str = ""
    """completed, failed or interrupted."""
    last_at: float = 0.0
    """Time of the newest call."""
    recent: list[CountedCall] = msgspec.field(default_factory=list)
    unlogged: dict[str, TokenTally] = msgspec.field(default_factory=dict)
    """Amounts that are not in the usage log yet, by hour and model."""
    batch: int = 0
    """Number of rows written to the usage log."""
    logged_cost_usd: float = 0.0
    """Part of the agent's own cost that is in the usage log."""

    def sum_models(self) -> TokenTally:
        total = TokenTally()
        for tally in self.models.values():
            total.add(tally)
        return total


def read_state(ref: SessionRef, run_id: str) -> UsageState:
    """Return the state of this run; a new one if there is none that can be read."""
    found = load_readable(ref.file(FILE), UsageState)
    return found if found is not None and found.run_id == run_id else UsageState(run_id=run_id)


def continue_state(ref: SessionRef, run_id: str, next_run_id: str) -> None:
    """Hand the state of a run over to the run that continues it. Raise LisaError(store_unwritable)."""
    found = load_readable(ref.file(FILE), UsageState)
    if found is not None and found.run_id == run_id:
        found.run_id = next_run_id
        save(ref.file(FILE), found)


def write_state(ref: SessionRef, state: UsageState) -> None:
    """Write the state. Raise LisaError(store_unwritable)."""
    save(ref.file(FILE), state)


RECORD = StoreRecord(
    check=lambda project, settings: check_session_files(project, {FILE: UsageState}), snapshot=None, prune=None
)
