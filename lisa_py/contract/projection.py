"""Copy fields between structs: arguments to requests, answers to their short forms."""

from __future__ import annotations

from typing import Any, TypeVar

from msgspec import UNSET, Struct, structs

from lisa_py.contract.command import Command

S = TypeVar("S", bound=Struct)


def copy_fields(source: Struct, target: type[S], /, **values: Any) -> S:
    """Return a struct of the target class: given values, else the fields of the same name in the source."""
    shared = set(target.__struct_fields__) & set(source.__struct_fields__) - values.keys()
    return target(**{name: getattr(source, name) for name in shared}, **values)


def omit(answer: S, *names: str) -> S:
    """Return the answer without the named fields, as far as its class has them."""
    return structs.replace(answer, **{name: UNSET for name in names if name in answer.__struct_fields__})


def describe_failure(answer: Any, exit_code: int) -> Any:
    """Return a failed answer with `ok` and `error`, which every failure has.

    A session that does not exist is a failure also for commands that end with 0 then.
    """
    code = answer.get("errorCode") if isinstance(answer, dict) else None
    if not (isinstance(code, str) and code and (exit_code or code == "session_not_found")):
        return answer
    from lisa_py.contract.error_codes import MEANINGS  # noqa: PLC0415 - only a failure needs it

    subject = f"{answer['session']}: " if isinstance(answer.get("session"), str) else ""
    return {"ok": False, "error": f"{subject}{MEANINGS.get(code, code)}", **answer}


def minimize(command: Command, result: Any, args: Any) -> Any:
    """Return the `--json-min` form of an answer."""
    if callable(command.min):
        return command.min(result, args)
    encoded = {info.name: info.encode_name for info in structs.fields(result)}
    values = {name: getattr(result, name) for name in command.min or ()}
    return {encoded[name]: value for name, value in values.items() if value is not UNSET}
