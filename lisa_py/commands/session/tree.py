"""Show the spawn relations of sessions, from their records."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.errors import UsageError
from lisa_py.contract.flags import CursorFile, CursorReset, ProjectRoot
from lisa_py.contract.projection import copy_fields
from lisa_py.core.context import Context
from lisa_py.core.fleet import status_table, tree, tree_delta
from lisa_py.core.fleet.status_table import StatusRow
from lisa_py.core.fleet.tree import SessionTree, TreeNode, TreeQuery, TreeRow
from lisa_py.terminal.table import Screen


class Args(Struct, kw_only=True):
    session: Annotated[str, Flag(help="only this session and its descendants", metavar="NAME")] = ""
    project_root: ProjectRoot = ""
    all_hashes: Annotated[bool, Flag(help="sessions of all projects")] = False
    active_only: Annotated[bool, Flag(help="only sessions in tmux")] = False
    flat: Annotated[bool, Flag(help="rows instead of a tree")] = False
    with_state: Annotated[bool, Flag(help="state of each session")] = False
    delta: Annotated[bool, Flag(help="added and removed links since the last --delta")] = False
    delta_json: Annotated[
        bool, Flag(help="sessions added, removed or changed since the last call", json=True, acts=True)
    ] = False
    cursor_file: CursorFile = ""
    cursor_reset: CursorReset = False


class TreeResult(Answer):
    project_root: str
    all_hashes: bool
    node_count: int
    session: str | UnsetType = UNSET
    active_only: bool | UnsetType = UNSET
    flat: bool | UnsetType = UNSET
    with_state: bool | UnsetType = UNSET
    delta: tree_delta.TreeRowDelta | bool | UnsetType = UNSET
    """true under --delta; the changes under --delta-json."""
    delta_result: tree_delta.TreeEdgeDelta | UnsetType = UNSET
    total_node_count: int | UnsetType = UNSET
    filtered_node_count: int | UnsetType = UNSET
    rows: tuple[TreeRow, ...] | UnsetType = UNSET
    roots: tuple[TreeNode, ...] | UnsetType = UNSET
    cursor_file: str | UnsetType = UNSET
    cursor_recovered: bool | UnsetType = UNSET
    """True if an unreadable cursor file was moved aside."""
    warnings: tuple[str, ...] | UnsetType = UNSET
    """Unreadable records and invalid parents."""


def run(args: Args, ctx: Context) -> TreeResult:
    query = _build_query(args, with_state=args.with_state or ctx.screen is not None)
    project = ctx.project(args.project_root)
    found = tree.build_tree(ctx, project, query)
    edges: tree_delta.TreeEdgeDelta | UnsetType = UNSET
    delta_rows: tree_delta.TreeRowDelta | UnsetType = UNSET
    cursor: tree_delta.TreeCursorReport | UnsetType = UNSET
    warnings = list(found.warnings)
    if args.delta:
        edges, moved_to = tree_delta.compare_edges(ctx, project, query, found)
        warnings += [f"the last snapshot was unreadable and was moved to {moved_to}"] if moved_to else []
    elif args.delta_json:
        delta_rows, cursor = tree_delta.compare_rows(
            ctx, project, query, found, args.cursor_file, reset=args.cursor_reset
        )
    for warning in warnings:
        ctx.warn(f"tree warning: {warning}")
    if ctx.output_format == "text" and (lost := [row.session for row in found.rows if row.lost]):
        from lisa_py.core.fleet.list_items import describe_lost  # noqa: PLC0415 - most trees have no lost session

        ctx.warn(describe_lost(lost, all_projects=args.all_hashes, project_root=args.project_root))
    return _build_result(args, project.root, found, edges, delta_rows, cursor, warnings)


def _build_query(args: Args, *, with_state: bool) -> TreeQuery:
    if args.delta and args.delta_json:
        raise UsageError("delta_mode_conflict", "--delta cannot be combined with --delta-json")
    if args.cursor_file and not args.delta_json:
        raise UsageError("cursor_file_requires_delta_json", "--cursor-file requires --delta-json")
    return copy_fields(args, TreeQuery, session=args.session.strip(), with_state=with_state)


def _build_result(
    args: Args,
    root: str,
    found: SessionTree,
    edges: tree_delta.TreeEdgeDelta | UnsetType,
    delta_rows: tree_delta.TreeRowDelta | UnsetType,
    cursor: tree_delta.TreeCursorReport | UnsetType,
    warnings: list[str],
) -> TreeResult:
    is_delta_json = delta_rows is not UNSET  # name every switch, given or not
    shows_rows = args.flat or args.with_state
    filtered = max(0, found.total - len(found.rows))
    return TreeResult(
        project_root=root,
        all_hashes=args.all_hashes,
        node_count=len(found.rows),
        session=args.session if is_delta_json or args.session else UNSET,
        active_only=args.active_only if is_delta_json or args.active_only else UNSET,
        flat=args.flat if is_delta_json or args.flat else UNSET,
        with_state=args.with_state if is_delta_json or args.with_state else UNSET,
        delta=delta_rows if is_delta_json else args.delta or UNSET,
        delta_result=edges,
        total_node_count=found.total if is_delta_json or found.total else UNSET,
        filtered_node_count=filtered if is_delta_json or filtered else UNSET,
        rows=found.rows if shows_rows and (is_delta_json or found.rows) else UNSET,
        roots=UNSET if is_delta_json and shows_rows else found.roots,
        cursor_file=UNSET if cursor is UNSET else cursor.path,
        cursor_recovered=True if cursor is not UNSET and cursor.recovered else UNSET,
        warnings=tuple(warnings) or UNSET,
    )


def text(answer: TreeResult, args: Args) -> str:
    if args.flat:
        return "\n".join(_format_table(answer, args.with_state))
    if answer.delta_result is not UNSET:
        edges = answer.delta_result
        lines = [f"delta_count={edges.count}"]
        lines += [f"+\t{row.session}\t{row.parent_session}" for row in edges.added or ()]
        lines += [f"-\t{row.session}\t{row.parent_session}" for row in edges.removed or ()]
        return "\n".join(lines)
    return "\n".join(line for node in answer.roots or () for line in _format_branch(node, 0))


def format_terminal(answer: TreeResult, args: Args, screen: Screen) -> str:
    """Return the table of the fleet, children below their parents."""
    if args.delta:
        return text(answer, args)
    rows = [row for node in answer.roots or () for row in _build_status_rows(node, 0, args.all_hashes)]
    if not rows:
        return f"no sessions in {answer.project_root}"
    return "\n".join(status_table.format_rows(rows, screen))


def _build_status_rows(node: TreeNode, depth: int, with_project: bool) -> list[StatusRow]:
    row = StatusRow(
        name="  " * depth + node.session,
        session=node.session,
        state=node.session_state,
        doing="lost" if node.lost else "",
        waiting_for=node.waiting_for,
        agent=f"{node.agent}/{node.mode}",
        project=node.project_root if with_project else "",
    )
    return [row, *(each for child in node.children for each in _build_status_rows(child, depth + 1, with_project))]


def _format_table(answer: TreeResult, with_state: bool) -> list[str]:
    state = ["status", "sessionState"] if with_state else []
    lines = ["\t".join(["session", "parentSession", "agent", "mode", *state, "projectRoot", "createdAt"])]
    for row in _all_rows(answer):
        state_cells = [row.status, row.session_state] if with_state else []
        lines.append(
            "\t".join(
                [row.session, row.parent_session, row.agent, row.mode, *state_cells, row.project_root, row.created_at]
            )
        )
    return lines


def _all_rows(answer: TreeResult) -> tuple[TreeRow, ...]:
    return () if answer.rows is UNSET else answer.rows


def _format_branch(node: TreeNode, depth: int) -> list[str]:
    state = f" {node.session_state}" if node.session_state else ""
    waiting_for = f" ({node.waiting_for})" if node.waiting_for else ""
    asked = f" asked by {node.last_input_from}" if node.last_input_from else ""
    head = f"{'  ' * depth}{node.session} ({node.agent}/{node.mode})"
    lines = [f"{head}{state}{waiting_for}{asked}{' lost' * node.lost}"]
    return lines + [line for child in node.children for line in _format_branch(child, depth + 1)]


class MinimalTreeResult(Answer):
    node_count: int
    total_node_count: int
    filtered_node_count: int
    added: list[TreeRow] | UnsetType = UNSET
    removed: list[TreeRow] | UnsetType = UNSET
    delta_count: int | UnsetType = UNSET
    delta: MinimalTreeDelta | UnsetType = UNSET
    cursor_file: str | UnsetType = UNSET
    cursor_recovered: bool | UnsetType = UNSET
    rows: list[TreeRow] | UnsetType = UNSET
    roots: list[TreeNode] | UnsetType = UNSET


class MinimalTreeDelta(Struct, frozen=True, kw_only=True):
    added: list[TreeRow]
    removed: list[TreeRow]
    changed: list[TreeRow]
    count: int


def minimize(answer: TreeResult, args: Args) -> MinimalTreeResult:
    """Return the counts and the first requested one of changes, rows and tree."""
    minimal = MinimalTreeResult(
        node_count=answer.node_count,
        total_node_count=answer.total_node_count or 0,
        filtered_node_count=answer.filtered_node_count or 0,
    )
    if answer.delta_result is not UNSET:
        edges = answer.delta_result
        added, removed = _minimize_rows(edges.added or ()), _minimize_rows(edges.removed or ())
        return msgspec.structs.replace(minimal, added=added, removed=removed, delta_count=edges.count)
    if isinstance(answer.delta, tree_delta.TreeRowDelta):
        delta_rows = answer.delta
        delta = MinimalTreeDelta(
            added=_minimize_rows(delta_rows.added),
            removed=_minimize_rows(delta_rows.removed),
            changed=_minimize_rows(delta_rows.changed),
            count=delta_rows.count,
        )
        return msgspec.structs.replace(
            minimal, delta=delta, cursor_file=answer.cursor_file, cursor_recovered=answer.cursor_recovered
        )
    if args.flat or args.with_state:
        return msgspec.structs.replace(minimal, rows=_minimize_rows(_all_rows(answer)))
    return msgspec.structs.replace(minimal, roots=[_minimize_node(node) for node in answer.roots or ()])


def _minimize_rows(rows: tuple[TreeRow, ...]) -> list[TreeRow]:
    return [
        TreeRow(
            session=row.session,
            parent_session=row.parent_session,
            status=row.status,
            session_state=row.session_state,
            waiting_for=row.waiting_for,
            last_input_from=row.last_input_from,
            lost=row.lost,
        )
        for row in rows
    ]


def _minimize_node(node: TreeNode) -> TreeNode:
    empty = dict.fromkeys(("agent", "mode", "program_status", "project_root", "created_at"), "")
    return msgspec.structs.replace(node, **empty, children=tuple(_minimize_node(child) for child in node.children))


COMMAND = Command(
    group="fleet",
    reads=True,
    args=Args,
    answer=TreeResult,
    run=run,
    text=text,
    terminal=format_terminal,
    min=minimize,
    errors=(
        "delta_mode_conflict",
        "cursor_file_requires_delta_json",
        "session_not_found_in_tree",
        "session_tree_build_failed",
        "session_tree_delta_failed",
        "invalid_cursor_file",
        "cursor_file_write_failed",
    ),
    example="lisa session tree --with-state\nlisa session tree --active-only --flat",
)
