"""The state of a socket without its input and output: frames once and in order, messages, reconnects."""

from __future__ import annotations

import functools
import random
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct

from lisa_py.client.decoding import convert_frame
from lisa_py.client.errors import ClientError, SocketClosedError, build_error
from lisa_py.contract.live import LiveFrame

ConnectionState = Literal["connecting", "connected", "reconnecting", "disconnected"]
FrameHandler = Callable[[LiveFrame], Awaitable[None] | None]
StateHandler = Callable[[ConnectionState], Awaitable[None] | None]

RETRY_CODES = (1001, 1005, 1006, 1011, 1012, 1013, 1014, 4101, 4500)
"""Close codes after which the client connects again; 1005 and 1006 are ends without a code."""
RENEWAL_CODES = (4001,)
RENEWAL_STATUSES = (401,)
"""The token has ended; with an API key the client gets another one, once, and connects again."""
QUIET_CODES = (1000, 4100)
"""The server has sent everything."""
RETRY_STATUSES = (429, 500, 502, 503, 504)
LONG_LIFE = 10.0
"""Seconds after which a connection counts as good: the next loss begins with the first delay."""
LONGEST_JITTER = 0.3
"""Part by which a delay may be longer, so that the clients of a restarted server do not come all at once."""
KEPT_KEYS = 100_000
"""Frames whose repetition is recognized."""


class SocketOptions(Struct, frozen=True, kw_only=True):
    """Options of a socket; times in seconds."""

    auto_reconnect: bool = True
    max_reconnect_attempts: int = 5
    """In a row; a connection of ten seconds begins the count again."""
    reconnect_delay: float = 1.0
    """Before the first attempt; doubled for each further one, with jitter."""
    max_reconnect_delay: float = 30.0
    heartbeat_interval: float = 30.0
    open_timeout: float = 10.0
    queue_while_disconnected: bool = False
    """True: prompts and answers wait for the next connection; False: sending raises SocketClosedError."""


class SocketHandlers(Struct, frozen=True, kw_only=True):
    """Functions for frames by type; of an async socket they may be coroutine functions."""

    on_message: FrameHandler | None = None
    """Every frame."""
    on_assistant: FrameHandler | None = None
    on_tool_use: FrameHandler | None = None
    on_tool_result: FrameHandler | None = None
    on_user: FrameHandler | None = None
    on_system: FrameHandler | None = None
    on_result: FrameHandler | None = None
    on_error: FrameHandler | None = None
    on_session_end: FrameHandler | None = None
    on_approval: FrameHandler | None = None
    """tool_approval_request: answer with approve or deny."""
    on_question: FrameHandler | None = None
    """ask_user_question: answer with answer."""
    on_connection_change: StateHandler | None = None

    def choose(self, item: LiveFrame | ConnectionState) -> list[Callable[[], Awaitable[None] | None]]:
        """Return the calls for a frame or a new state."""
        if isinstance(item, str):
            return [] if self.on_connection_change is None else [functools.partial(self.on_connection_change, item)]
        own: FrameHandler | None = getattr(self, _HANDLERS.get(item.type, ""), None)
        return [functools.partial(each, item) for each in (self.on_message, own) if each is not None]


_HANDLERS = {
    "assistant": "on_assistant",
    "tool_use": "on_tool_use",
    "tool_result": "on_tool_result",
    "user": "on_user",
    "system": "on_system",
    "result": "on_result",
    "error": "on_error",
    "session_end": "on_session_end",
    "tool_approval_request": "on_approval",
    "ask_user_question": "on_question",
}


class Loss(Struct, frozen=True, kw_only=True):
    """The end of a connection, or an attempt that failed."""

    code: int = 1006
    reason: str = ""
    status: int = 0
    """HTTP status of a refused handshake."""
    body: bytes = b""
    """Body of that refusal."""
    seconds: float = 0.0
    """Life of the connection."""


class SocketCore:
    """Bookkeeping of one socket over all its connections."""

    def __init__(self, options: SocketOptions, since: str = "", *, jitter: Callable[[], float] = random.random) -> None:
        self.options = options
        self.cursor = since
        """Position after the newest frame that was read."""
        self.reset = ""
        """Reason why the server started from the beginning instead of at the cursor; empty if it did not."""
        self.has_ended = False
        """True after the frame session_end."""
        self._jitter = jitter
        self._attempts = 0
        self._renewed_in_row = False
        self._keys: OrderedDict[int, None] = OrderedDict()
        self._open_dialogs: dict[str, str] = {}
        """Type, or kind, of each dialog by its id."""
        self._answered: set[str] = set()
        self._shown_status: Any = None

    # -- frames ----------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Note a connection. A dialog that was answered and comes again is a new one, or the answer was lost."""
        for dialog in self._answered:
            self._open_dialogs.pop(dialog, None)
        self._answered.clear()

    def read(self, message: str | bytes) -> list[LiveFrame]:
        """Return the frames of a message that were not read before; none for a message that is no frame."""
        try:
            plain = msgspec.json.decode(message)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return []
        if not isinstance(plain, dict) or not isinstance(plain.get("type"), str):
            return []
        self._renewed_in_row = False  # the server takes the token
        if plain["type"] != "history":
            return self._take(plain, is_live=True)
        payload = plain.get("payload")
        history = payload if isinstance(payload, dict) else {}
        self.reset = str(history.get("reset") or "")
        messages = history.get("messages")
        found = [
            frame
            for each in (messages if isinstance(messages, list) else ())
            if isinstance(each, dict) and isinstance(each.get("type"), str)
            for frame in self._take(each, is_live=False)
        ]
        self.cursor = str(plain.get("cursor") or self.cursor)
        return found

    def _take(self, plain: Mapping[str, Any], *, is_live: bool) -> list[LiveFrame]:
        name, payload, cursor = plain.get("type"), plain.get("payload"), str(plain.get("cursor") or "")
        place = cursor or str(plain.get("timestamp") or "")
        if self._is_repeated(name, payload, place, is_live=is_live):
            return []
        self.cursor = cursor or self.cursor
        self.has_ended = self.has_ended or name == "session_end"
        return [convert_frame(plain)]

    def _is_repeated(self, name: Any, payload: Any, place: str, *, is_live: bool) -> bool:
        """Return True for a frame that was read before.

        A further connection repeats the status, the open dialogs and the end, and a server that starts from the
        beginning repeats all the frames that were read.
        """
        fields = payload if isinstance(payload, dict) else {}
        if name == "session_status":
            former, self._shown_status = self._shown_status, payload
            return bool(payload == former)
        if name == "session_end":
            return self.has_ended
        is_known = self._note_key(name, payload, place)
        dialog, kind = _find_dialog(name, fields)
        if dialog:
            is_open = dialog in self._open_dialogs
            self._open_dialogs[dialog] = kind
            return is_open or (is_known and not is_live)
        if name == "system":
            self._close_dialogs(fields)
        return is_known and not is_live

    def _note_key(self, name: Any, payload: Any, place: str) -> bool:
        """Return True for a frame that is known by its content and its cursor, or time; it is from now on."""
        if not place:
            return False
        key = hash((place, name, msgspec.json.encode(payload, order="sorted")))
        is_known = key in self._keys
        self._keys[key] = None
        if len(self._keys) > KEPT_KEYS:
            self._keys.popitem(last=False)
        return is_known

    def _close_dialogs(self, fields: Mapping[str, Any]) -> None:
        if fields.get("subtype") == "approval_decided":
            self._open_dialogs.pop(str(fields.get("tool_use_id")), None)
        elif fields.get("subtype") == "dialog_closed":
            closed = fields.get("message")
            self._open_dialogs = {dialog: kind for dialog, kind in self._open_dialogs.items() if kind != closed}

    def note_answer(self, dialog: str) -> None:
        """Note an answer that was sent; its dialog may still come from the present connection."""
        self._answered.add(dialog)

    # -- connections -----------------------------------------------------------------------------------------------

    def choose_delay(self, loss: Loss, *, can_renew: bool = False) -> float | None:
        """Return the seconds before the next attempt; None if there is none."""
        if loss.seconds >= LONG_LIFE:
            self._attempts, self._renewed_in_row = 0, False
        if self.has_ended or not self.options.auto_reconnect:
            return None
        if loss.status in RENEWAL_STATUSES or (not loss.status and loss.code in RENEWAL_CODES):
            is_second, self._renewed_in_row = self._renewed_in_row, True
            return None if is_second or not can_renew else 0.0
        is_passing = loss.status in RETRY_STATUSES if loss.status else loss.code in RETRY_CODES
        if not is_passing or self._attempts >= self.options.max_reconnect_attempts:
            return None
        delay = self.options.reconnect_delay * 2.0**self._attempts * (1 + LONGEST_JITTER * self._jitter())
        self._attempts += 1
        return min(self.options.max_reconnect_delay, delay)


def _find_dialog(name: Any, fields: Mapping[str, Any]) -> tuple[str, str]:
    """Return id and kind of the dialog that a frame opens; empty for another frame."""
    if name == "tool_approval_request":
        return str(fields.get("tool_use_id") or ""), name
    if name == "ask_user_question":
        return str(fields.get("question_id") or ""), name
    if name != "dialog":
        return "", ""  # a tool call has the id of the dialog about it
    kind = str(fields.get("kind") or "")
    return str(fields.get("id") or kind), kind


def describe_loss(loss: Loss) -> ClientError | None:
    """Return the error of a connection that is not made again; None for a quiet end."""
    if loss.status:
        return build_error(loss.status, loss.body)
    if loss.code in QUIET_CODES:
        return None
    return SocketClosedError(f"the socket is closed: {loss.code} {loss.reason}".rstrip(), code=loss.code)


# -- messages ------------------------------------------------------------------------------------------------------


def encode(name: str, fields: Mapping[str, Any] | None = None) -> str:
    """Return a message to the server."""
    envelope = {"type": name} if fields is None else {"type": name, "payload": fields}
    return msgspec.json.encode(envelope).decode()


def encode_prompt(text: str, prompt_id: str = "") -> str:
    return encode("prompt", {"text": text, **({"prompt_id": prompt_id} if prompt_id else {})})


def encode_approval(
    dialog: LiveFrame | str,
    *,
    approved: bool,
    scope: Literal["once", "session"] = "once",
    pattern: str = "",
    updated_input: Mapping[str, Any] | None = None,
    message: str = "",
) -> str:
    """Return the answer to a tool_approval_request; `dialog` is its frame or its tool_use_id."""
    fields: dict[str, Any] = {
        "tool_use_id": identify_dialog(dialog, "tool_use_id"),
        "approved": approved,
        "approval_scope": scope,
    }
    if pattern:
        fields["approval_pattern"] = pattern
    if updated_input is not None:
        fields["updated_input"] = updated_input
    if message:
        fields["message"] = message
    return encode("tool_approval_response", fields)


def encode_answers(dialog: LiveFrame | str, answers: Mapping[str, str] | Sequence[str] | str) -> str:
    """Return the answer to an ask_user_question, by header or text of its questions, or in their order.

    Raise ValueError for answers in order to a dialog of which only the id is given.
    """
    if not isinstance(answers, Mapping):
        if isinstance(dialog, str):
            raise ValueError("give the answers by header or text of the questions, or the frame of the dialog")
        listed = [answers] if isinstance(answers, str) else list(answers)
        keys = [each.key for each in getattr(dialog.payload, "questions", ())]
        if len(keys) != len(listed):
            raise ValueError(f"the dialog has {len(keys)} questions, not {len(listed)}")
        answers = dict(zip(keys, listed, strict=True))
    fields = {"question_id": identify_dialog(dialog, "question_id"), "answers": dict(answers)}
    return encode("ask_user_question_response", fields)


def identify_dialog(dialog: LiveFrame | str, field: str) -> str:
    """Return the id of a dialog that is given by its frame or id. Raise ValueError for another frame."""
    return dialog if isinstance(dialog, str) else read_field(dialog, field)


def read_field(frame: LiveFrame, name: str) -> str:
    """Return a text of the payload. Raise ValueError for a frame without it."""
    payload: Any = frame.payload
    value = payload.get(name) if isinstance(payload, dict) else getattr(payload, name, None)
    if value is None:
        value = getattr(payload, "__dict__", {}).get(name)
    if not isinstance(value, str):
        raise ValueError(f"the frame {frame.type} has no {name}")
    return value
