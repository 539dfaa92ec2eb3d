"""Show which session spawned which, from their records."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.command import Command, Flag
from lisa_py.contract.errors import UsageError
from lisa_py.contract.flags import CursorFile, CursorReset, ProjectRoot
from lisa_py.core.context import Context
from lisa_py.core.life import tree, tree_delta
from lisa_py.core.life.tree import Node, Row, Tree, Wanted


class Args(Struct, kw_only=True):
    session: Annotated[str, Flag(help="only this session and what is below it", metavar="NAME")] = ""
    project_root: ProjectRoot = ""
    all_hashes: Annotated[bool, Flag(help="sessions of all projects")] = False
    active_only: Annotated[bool, Flag(help="only sessions that tmux has")] = False
    flat: Annotated[bool, Flag(help="rows instead of a tree")] = False
    with_state: Annotated[bool, Flag(help="say what each is doing")] = False
    delta: Annotated[bool, Flag(help="also links that came and went since the last --delta of the same view")] = False
    delta_json: Annotated[bool, Flag(help="sessions that came, went or changed since the last call", json=True)] = False
    cursor_file: CursorFile = ""
    cursor_reset: CursorReset = False


class Answer(Struct, frozen=True, kw_only=True, rename="camel"):
    project_root: str
    all_hashes: bool
    node_count: int
    session: str | UnsetType = UNSET
    active_only: bool | UnsetType = UNSET
    flat: bool | UnsetType = UNSET
    with_state: bool | UnsetType = UNSET
    delta: tree_delta.Rows | bool | UnsetType = UNSET
    """true under --delta; what is new under --delta-json."""
    delta_result: tree_delta.Edges | UnsetType = UNSET
    total_node_count: int | UnsetType = UNSET
    filtered_node_count: int | UnsetType = UNSET
    rows: tuple[Row, ...] | UnsetType = UNSET
    roots: tuple[Node, ...] | UnsetType = UNSET
    cursor_file: str | UnsetType = UNSET
    cursor_recovered: bool | UnsetType = UNSET
    """An unreadable cursor file was set aside."""
    warnings: tuple[str, ...] | UnsetType = UNSET
    """Records that could not be read, and parents that make no sense."""


def run(args: Args, ctx: Context) -> Answer:
    wanted = _wanted(args)
    project = ctx.project(args.project_root)
    found = tree.build(ctx, project, wanted)
    links: tree_delta.Edges | UnsetType = UNSET
    news: tree_delta.Rows | UnsetType = UNSET
    cursor: tree_delta.Cursor | UnsetType = UNSET
    warnings = list(found.warnings)
    if args.delta:
        links, aside = tree_delta.edges(ctx, project, wanted, found)
        warnings += [f"the last snapshot could not be read and now lies in {aside}"] if aside else []
    elif args.delta_json:
        news, cursor = tree_delta.rows(ctx, project, wanted, found, args.cursor_file, reset=args.cursor_reset)
    for warning in warnings:
        ctx.warn(f"tree warning: {warning}")
    return _answer(args, project.root, found, links, news, cursor, warnings)


def _wanted(args: Args) -> Wanted:
    if args.delta and args.delta_json:
        raise UsageError("delta_mode_conflict", "give --delta or --delta-json, not both")
    if args.cursor_file and not args.delta_json:
        raise UsageError("cursor_file_requires_delta_json", "--cursor-file requires --delta-json")
    return Wanted(
        session=args.session.strip(),
        all_hashes=args.all_hashes,
        active_only=args.active_only,
        with_state=args.with_state,
    )


def _answer(
    args: Args,
    root: str,
    found: Tree,
    links: tree_delta.Edges | UnsetType,
    news: tree_delta.Rows | UnsetType,
    cursor: tree_delta.Cursor | UnsetType,
    warnings: list[str],
) -> Answer:
    whole = news is not UNSET  # then every switch is named, given or not
    shows_rows = args.flat or args.with_state
    filtered = max(0, found.total - len(found.rows))
    return Answer(
        project_root=root,
        all_hashes=args.all_hashes,
        node_count=len(found.rows),
        session=args.session if whole or args.session else UNSET,
        active_only=args.active_only if whole or args.active_only else UNSET,
        flat=args.flat if whole or args.flat else UNSET,
        with_state=args.with_state if whole or args.with_state else UNSET,
        delta=news if whole else args.delta or UNSET,
        delta_result=links,
        total_node_count=found.total if whole or found.total else UNSET,
        filtered_node_count=filtered if whole or filtered else UNSET,
        rows=found.rows if shows_rows and (whole or found.rows) else UNSET,
        roots=UNSET if whole and shows_rows else found.roots,
        cursor_file=UNSET if cursor is UNSET else cursor.path,
        cursor_recovered=True if cursor is not UNSET and cursor.recovered else UNSET,
        warnings=tuple(warnings) or UNSET,
    )


def text(answer: Answer, args: Args) -> str:
    if args.flat:
        return "\n".join(_table(answer, args.with_state))
    if answer.delta_result is not UNSET:
        found = answer.delta_result
        lines = [f"delta_count={found.count}"]
        lines += [f"+\t{row.session}\t{row.parent_session}" for row in found.added or ()]
        lines += [f"-\t{row.session}\t{row.parent_session}" for row in found.removed or ()]
        return "\n".join(lines)
    return "\n".join(line for node in answer.roots or () for line in _branch(node, 0))


def _table(answer: Answer, with_state: bool) -> list[str]:
    state = ["status", "sessionState"] if with_state else []
    lines = ["\t".join(["session", "parentSession", "agent", "mode", *state, "projectRoot", "createdAt"])]
    for row in _all_rows(answer):
        words = [row.status, row.session_state] if with_state else []
        lines.append(
            "\t".join([row.session, row.parent_session, row.agent, row.mode, *words, row.project_root, row.created_at])
        )
    return lines


def _all_rows(answer: Answer) -> tuple[Row, ...]:
    return () if answer.rows is UNSET else answer.rows


def _branch(node: Node, depth: int) -> list[str]:
    state = f" {node.session_state}" if node.session_state else ""
    waits = f" ({node.waiting_for})" if node.waiting_for else ""
    lines = [f"{'  ' * depth}{node.session} ({node.agent}/{node.mode}){state}{waits}"]
    return lines + [line for child in node.children for line in _branch(child, depth + 1)]


class Small(Struct, frozen=True, kw_only=True, rename="camel"):
    node_count: int
    total_node_count: int
    filtered_node_count: int
    added: list[Row] | UnsetType = UNSET
    removed: list[Row] | UnsetType = UNSET
    delta_count: int | UnsetType = UNSET
    delta: SmallDelta | UnsetType = UNSET
    cursor_file: str | UnsetType = UNSET
    cursor_recovered: bool | UnsetType = UNSET
    rows: list[Row] | UnsetType = UNSET
    roots: list[Node] | UnsetType = UNSET


class SmallDelta(Struct, frozen=True, kw_only=True):
    added: list[Row]
    removed: list[Row]
    changed: list[Row]
    count: int


def smaller(answer: Answer, args: Args) -> Small:
    """The counts, and of news, rows and tree the first that was asked for."""
    kept = Small(
        node_count=answer.node_count,
        total_node_count=answer.total_node_count or 0,
        filtered_node_count=answer.filtered_node_count or 0,
    )
    if answer.delta_result is not UNSET:
        found = answer.delta_result
        added, removed = _small(found.added or ()), _small(found.removed or ())
        return msgspec.structs.replace(kept, added=added, removed=removed, delta_count=found.count)
    if isinstance(answer.delta, tree_delta.Rows):
        news = answer.delta
        delta = SmallDelta(
            added=_small(news.added), removed=_small(news.removed), changed=_small(news.changed), count=news.count
        )
        return msgspec.structs.replace(
            kept, delta=delta, cursor_file=answer.cursor_file, cursor_recovered=answer.cursor_recovered
        )
    if args.flat or args.with_state:
        return msgspec.structs.replace(kept, rows=_small(_all_rows(answer)))
    return msgspec.structs.replace(kept, roots=[_small_node(node) for node in answer.roots or ()])


def _small(rows: tuple[Row, ...]) -> list[Row]:
    return [
        Row(
            session=row.session,
            parent_session=row.parent_session,
            status=row.status,
            session_state=row.session_state,
        )
        for row in rows
    ]


def _small_node(node: Node) -> Node:
    empty = dict.fromkeys(("agent", "mode", "project_root", "created_at"), "")
    return msgspec.structs.replace(node, **empty, children=tuple(_small_node(child) for child in node.children))


COMMAND = Command(
    args=Args,
    answer=Answer,
    run=run,
    text=text,
    min=smaller,
    errors={
        "delta_mode_conflict": "--delta with --delta-json",
        "cursor_file_requires_delta_json": "--cursor-file without --delta-json",
        "session_not_found_in_tree": "no readable records of the session given with --session",
        "session_tree_build_failed": "tmux could not say who is active",
        "session_tree_delta_failed": "the snapshot for --delta could not be kept",
        "invalid_cursor_file": "the cursor file cannot be read; --cursor-reset sets it aside",
        "cursor_file_write_failed": "the cursor file could not be written",
    },
    example="lisa session tree --with-state\nlisa session tree --active-only --flat",
)
