"""Output formats of `lisa ai`, as the LimaCharlie client prints them: json, yaml, toon, csv, table and jsonl."""

from __future__ import annotations

import csv
import io
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lisa_py.contract.client_flags import ClientArgs
from lisa_py.contract.errors import LisaError

_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), 0x7F, *range(0x80, 0xA0)) if code != 0x09}
"""Control characters are shown, not sent to the terminal; a tab is allowed in a table."""
_SHORT_LIST = 3
"""Number of values that a list may have to be shown whole in a cell."""


def format_document(document: Any, args: ClientArgs) -> str:
    """Return the data in the requested format, filtered and sorted as requested.

    Raise LisaError: invalid_filter, output_format_unavailable.
    """
    form = args.output or ("table" if sys.stdout.isatty() else "json")
    selected = _sort(_select(_filter(document, args.filter_), args.fields), args.sort_by, args.reverse)
    return _FORMATS[form](selected, args.wide)


def check_format(form: str) -> None:
    """Raise LisaError(output_format_unavailable) before anything is done for an answer that cannot be printed."""
    if form == "toon":
        _load_toon()


# -- selection -------------------------------------------------------------------------------------------------------


def _filter(document: Any, expression: str) -> Any:
    if not expression or document is None:
        return document
    import jmespath  # noqa: PLC0415 - only for --filter

    try:
        return jmespath.search(expression, document)
    except jmespath.exceptions.JMESPathError as problem:
        text = f"invalid --filter: {expression} ({problem}; expected a JMESPath expression)"
        raise LisaError("invalid_filter", text) from None


def _select(document: Any, fields: str) -> Any:
    names = [name.strip() for name in fields.split(",") if name.strip()]
    if not names:
        return document
    if isinstance(document, list):
        return [_pick(item, names) for item in document if isinstance(item, dict)]
    return _pick(document, names) if isinstance(document, dict) else document


def _pick(item: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: item[name] for name in names if name in item}


def _sort(document: Any, field: str, is_reverse: bool) -> Any:
    """Return a list sorted by a field; values that cannot be compared stay in their order."""
    if not field or not isinstance(document, list):
        return document
    try:
        return sorted(
            document,
            key=lambda item: item.get(field, "") if isinstance(item, dict) else item,
            reverse=is_reverse,
        )
    except TypeError:
        return document


# -- formats ---------------------------------------------------------------------------------------------------------


def _format_json(document: Any, is_wide: bool) -> str:
    import orjson  # noqa: PLC0415 - 14 ms

    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode()


def _encode(value: Any) -> str:
    import orjson  # noqa: PLC0415 - 14 ms

    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()


def _format_jsonl(document: Any, is_wide: bool) -> str:
    return "\n".join(map(_encode, document)) if isinstance(document, list) else _encode(document)


def _format_yaml(document: Any, is_wide: bool) -> str:
    import yaml  # noqa: PLC0415 - only for --output yaml

    text: str = yaml.dump(document, default_flow_style=False, allow_unicode=True)
    return text.rstrip()


def _format_toon(document: Any, is_wide: bool) -> str:
    text: str = _load_toon()(document)
    return text


def _load_toon() -> Callable[[Any], str]:
    try:
        from toon_format import encode  # noqa: PLC0415 - an optional package
    except ImportError:
        text = "--output toon needs the package toon_format, which is not installed (pip install toon-format)"
        raise LisaError("output_format_unavailable", text) from None
    found: Callable[[Any], str] = encode
    return found


def _format_csv(document: Any, is_wide: bool) -> str:
    if not document:
        return ""
    rows = [document] if isinstance(document, dict) else document
    names = _collect_names(rows) if isinstance(rows, list) else []
    if not names:
        return _show_controls(str(rows))
    output = io.StringIO()
    writer = csv.writer(output)
    writer.writerow([_show_controls(name) for name in names])
    writer.writerows([_format_csv_value(row.get(name, "")) for name in names] for row in rows if isinstance(row, dict))
    return output.getvalue().rstrip()


def _format_csv_value(value: Any) -> Any:
    if isinstance(value, dict | list):
        return _show_controls(_encode(value))
    return _show_controls(value) if isinstance(value, str) else value


def _collect_names(rows: Sequence[Any]) -> list[str]:
    return list(dict.fromkeys(str(key) for row in rows if isinstance(row, dict) for key in row))


def _show_controls(text: str) -> str:
    return text.translate(_CONTROLS)


# -- tables ----------------------------------------------------------------------------------------------------------


def _format_table(document: Any, is_wide: bool) -> str:
    if document is None:
        return "No data"
    if isinstance(document, dict):
        if len(document) < 2 or not all(isinstance(value, dict) for value in document.values()):
            return _format_record(document, is_wide)
        document = [row if "name" in row else {"name": key, **row} for key, row in document.items()]
    if not isinstance(document, list):
        return _show_controls(str(document))
    if not document:
        return "No results"
    if not all(isinstance(row, dict) for row in document):
        return "\n".join(_show_controls(str(item)) for item in document)
    return _format_rows(document, is_wide)


def _format_record(record: Mapping[str, Any], is_wide: bool) -> str:
    width = None if is_wide else max(40, _columns() - 20)
    return _tabulate(
        [[_show_controls(key), _format_cell(value, width)] for key, value in record.items()], ["Field", "Value"]
    )


def _format_rows(rows: Sequence[Mapping[str, Any]], is_wide: bool) -> str:
    """Return one row per record; columns that do not fit the terminal are left out, the emptiest first."""
    columns = _columns()
    width = None if is_wide else max(20, min(60, columns // 3))
    names = _collect_names(rows)
    cells = {name: [_format_cell(row.get(name, ""), width) for row in rows] for name in names}
    shown = names if is_wide else _fit_columns(cells, columns)
    table = _tabulate(
        [[cells[name][index] for name in shown] for index in range(len(rows))], [_show_controls(name) for name in shown]
    )
    hidden = len(names) - len(shown)
    if not hidden:
        return table
    plural = "" if hidden == 1 else "s"
    return f"{table}\n({hidden} more field{plural} hidden, use -W to show all or --output json for full data)"


def _fit_columns(cells: Mapping[str, Sequence[str]], columns: int) -> list[str]:
    shown: set[str] = set()
    used = 0
    for name in sorted(cells, key=lambda name: -sum(cell != "" for cell in cells[name])):
        needed = max(len(name) + 2, *map(len, cells[name])) + (2 if shown else 0)
        if used + needed <= columns:
            shown.add(name)
            used += needed
    return [name for name in cells if name in shown]


def _format_cell(value: Any, width: int | None) -> str:
    """Return the text of a value; with a width it is cut, and a long collection is counted."""
    if isinstance(value, dict):
        text = _show_controls(_encode(value))
        return text if width is None or len(text) <= width else f"{{{len(value)} keys}}"
    if isinstance(value, list):
        text = _show_controls(", ".join(map(str, value)))
        is_short = width is None or (len(value) <= _SHORT_LIST and len(text) <= width)
        return text if is_short else f"[{len(value)} items]"
    text = "" if value is None else _show_controls(str(value))
    return text if width is None or len(text) <= width else text[: width - 3] + "..."


def _tabulate(rows: Sequence[Sequence[str]], headers: Sequence[str]) -> str:
    from tabulate import tabulate  # noqa: PLC0415 - only for tables

    text: str = tabulate(rows, headers=headers, tablefmt="simple")
    return text


def _columns() -> int:
    return shutil.get_terminal_size().columns


_FORMATS: Mapping[str, Callable[[Any, bool], str]] = {
    "json": _format_json,
    "yaml": _format_yaml,
    "toon": _format_toon,
    "csv": _format_csv,
    "table": _format_table,
    "jsonl": _format_jsonl,
}
