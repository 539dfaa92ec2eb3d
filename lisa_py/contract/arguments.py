"""Check the arguments of library calls by their types and by the bounds of the command line's flags."""

from __future__ import annotations

import functools
import inspect
from collections import abc
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

from msgspec import NODEFAULT, Struct

from lisa_py.contract.command import Field, Flag
from lisa_py.contract.errors import UsageError

P = ParamSpec("P")
R = TypeVar("R")
Bound = Any
"""A flag of contract/flags.py; with the name of the flag before it if the argument has another one."""
_SHOWN_CHARACTERS = 200
_TYPES: dict[Any, tuple[tuple[type, ...], str]] = {
    str: ((str,), "a text"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    bool: ((bool,), "True or False"),
    NoneType: ((NoneType,), "None"),
}


def check_arguments(**bounds: Bound) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator for methods that refuses a value before anything is done.

    The UsageError has the code of the command's flag. The default of an argument is always accepted.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        # at the first call: the hints name classes that are defined later
        read_arguments = functools.cache(lambda: _read_arguments(function, bounds))

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            for argument, value in _pair(read_arguments(), args, kwargs):
                argument.check(value)
            return function(*args, **kwargs)

        return call

    return decorate


class _Argument(Struct, frozen=True, kw_only=True):
    """One argument of a library function."""

    name: str
    hint: Any
    default: Any
    field: Field
    """The flag of the command line: its code, its bounds and its choices."""
    is_rest: bool
    """It takes all further positional values."""

    def check(self, value: Any) -> None:
        """Raise UsageError if the function does not take the value."""
        choices = (*self.field.flag.choices, *self.field.flag.aliases)
        if choices and isinstance(value, str):
            if value not in choices:
                raise self._refuse(value, self.field.expected)
            return
        if not _has_type(self.hint, value):
            raise self._refuse(value, " or ".join(dict.fromkeys(_describe(self.hint))))
        if value is None or (type(value) is type(self.default) and value == self.default):
            return
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if is_number and not self.field.accepts_number(value):
            raise self._refuse(value, self.field.expected)

    def _refuse(self, value: Any, expected: str) -> UsageError:
        shown = value if isinstance(value, str) else repr(value)
        return UsageError(self.field.code, f"invalid {self.name}: {shown[:_SHOWN_CHARACTERS]} (expected {expected})")


def _read_arguments(function: Callable[..., Any], bounds: Mapping[str, Bound]) -> tuple[_Argument, ...]:
    """Return the arguments of a method but its first one, in their order."""
    hints = get_type_hints(function)
    parameters = list(inspect.signature(function).parameters.values())[1:]
    return tuple(_build_argument(each, hints[each.name], bounds.get(each.name, str)) for each in parameters)


def _build_argument(parameter: inspect.Parameter, hint: Any, bound: Bound) -> _Argument:
    name, kind = bound if isinstance(bound, tuple) else (parameter.name, bound)
    found = [each for each in getattr(kind, "__metadata__", ()) if isinstance(each, Flag)]
    return _Argument(
        name=parameter.name,
        hint=hint,
        default=NODEFAULT if parameter.default is parameter.empty else parameter.default,
        field=Field(name, float, found[-1] if found else Flag(help=""), NODEFAULT),
        is_rest=parameter.kind is parameter.VAR_POSITIONAL,
    )


def _pair(
    arguments: Sequence[_Argument], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Iterator[tuple[_Argument, Any]]:
    """Return the given values with their arguments; Python itself refuses those that are unknown or too many."""
    for number, argument in enumerate(arguments, 1):
        if argument.is_rest:
            yield from ((argument, value) for value in args[number:])
            return
        if number < len(args):
            yield argument, args[number]
    yield from ((argument, kwargs[argument.name]) for argument in arguments if argument.name in kwargs)


def _has_type(hint: Any, value: Any) -> bool:
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return any(_has_type(each, value) for each in get_args(hint))
    if origin is Literal:
        return isinstance(value, str) and value in get_args(hint)
    if origin is abc.Sequence:
        (item,) = get_args(hint)
        return isinstance(value, list | tuple) and all(_has_type(item, each) for each in value)
    kinds = _TYPES[hint][0] if hint in _TYPES else (hint,)
    return isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))


def _describe(hint: Any) -> Iterator[str]:
    """Return words for what the type takes."""
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        for each in get_args(hint):
            yield from _describe(each)
    elif origin is Literal:
        yield "|".join(filter(None, get_args(hint)))
    elif origin is abc.Sequence:
        yield "a list of texts"
    else:
        yield _TYPES[hint][1] if hint in _TYPES else f"a {hint.__name__}"
