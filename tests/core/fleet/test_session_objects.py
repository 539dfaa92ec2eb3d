"""Pages of sessions: newest first, each session once, also if sessions start or end between pages."""

from __future__ import annotations

import base64

import msgspec
import pytest

from lisa_py.contract.errors import LisaError
from lisa_py.contract.records import SessionMeta
from lisa_py.core.fleet import session_objects
from lisa_py.core.fleet.session_objects import page_sessions
from lisa_py.store import archives, live_records, paths, session_folder, session_records
from lisa_py.store.archives import ArchiveWriter
from lisa_py.store.paths import SessionRef
from tests.lisa_host import LisaHost


def make_meta(ref: SessionRef, number: int) -> SessionMeta:
    return SessionMeta(
        session=ref.session,
        run_id=str(number),
        project_root=ref.project.root,
        created_at=f"2026-01-01T00:00:{number:02}Z",
    )


def make_ref(machine: LisaHost, number: int) -> SessionRef:
    return SessionRef(paths.resolve_project(str(machine.project), machine.context().settings), f"lisa-{number}")


def add_session(machine: LisaHost, number: int, family: str = "org") -> SessionRef:
    """Record a session whose pane is missing."""
    ref = make_ref(machine, number)
    session_folder.create(ref)
    meta = make_meta(ref, number)
    session_records.write_meta(ref, meta)
    record = live_records.make_record(ref, meta)
    record.family = family
    live_records.write_record(ref, record)
    return ref


def add_archive(machine: LisaHost, number: int, reason: str = "user_requested") -> SessionRef:
    ref = make_ref(machine, number)
    meta = make_meta(ref, number)
    record = live_records.make_record(ref, meta)
    record.end_reason, record.ended_at = reason, "2026-01-02T00:00:00Z"
    return ArchiveWriter(ref, record.id).finish(record, meta, ())


def names(page: session_objects.SessionPage) -> list[str]:
    return [found.name for found in page.sessions]


def test_pages_hold_every_session_once(machine: LisaHost) -> None:
    for number in range(1, 5):
        add_session(machine, number)
        add_archive(machine, number + 10)
    ctx = machine.context()
    first = page_sessions(ctx, limit=3)
    assert names(first) == ["lisa-14", "lisa-13", "lisa-12"]
    gone = archives.find_newest(ctx.settings, "lisa-12")
    assert gone is not None
    archives.remove(gone)
    add_archive(machine, 20)  # newer than every page that follows
    second = page_sessions(ctx, limit=3, cursor=first.next_cursor)
    third = page_sessions(ctx, limit=3, cursor=second.next_cursor)
    assert (names(second), names(third)) == (["lisa-11", "lisa-4", "lisa-3"], ["lisa-2", "lisa-1"])
    assert third.next_cursor == ""
    assert {found.status for found in (*first.sessions, *third.sessions)} == {"ended"}


def test_pages_within_one_second_hold_every_session_once(machine: LisaHost) -> None:
    def add(number: int, created_unix: float) -> None:
        ref = make_ref(machine, number)
        meta = msgspec.structs.replace(make_meta(ref, 1), run_id=str(number), created_unix=created_unix)
        ArchiveWriter(ref, live_records.make_record(ref, meta).id).finish(live_records.make_record(ref, meta), meta, ())

    for number in range(12):
        add(number, 1767225601 + number / 16)
    ctx = machine.context()
    first = page_sessions(ctx, limit=6)
    for number in range(12, 16):  # of the same second, and newer than every page that follows
        add(number, 1767225601 + number / 16)
    second = page_sessions(ctx, limit=6, cursor=first.next_cursor)
    assert names(first) + names(second) == [f"lisa-{number}" for number in reversed(range(12))]
    add(20, 1767225600)  # of a clock that was set back: it comes at its place
    again = page_sessions(ctx, limit=7, cursor=first.next_cursor)
    assert names(again) == [*names(second), "lisa-20"]


def test_families_and_projects_are_separate(machine: LisaHost) -> None:
    add_session(machine, 1)
    add_session(machine, 2, "user")
    ctx = machine.context()
    assert names(page_sessions(ctx, family="user")) == ["lisa-2"]
    assert names(page_sessions(ctx, family="org")) == ["lisa-1"]
    user, org = page_sessions(ctx).sessions
    assert (user.session_type, user.owner_oid, org.session_type, org.owner_uid) == ("user", None, "api", None)
    assert user.owner_uid and org.owner_oid == live_records.project_id(make_ref(machine, 1).project)
    elsewhere = paths.resolve_project("/", ctx.settings)
    assert page_sessions(ctx, project=elsewhere).sessions == ()


def test_limits_are_clamped(machine: LisaHost) -> None:
    for number in range(3):
        add_archive(machine, number)
    ctx = machine.context()
    assert len(page_sessions(ctx, limit=0).sessions) == len(page_sessions(ctx, limit=-5).sessions) == 1
    assert len(page_sessions(ctx, limit=100_000).sessions) == 3


def test_status_filters_before_the_limit(machine: LisaHost) -> None:
    for number in range(1, 4):
        add_archive(machine, number)
    ctx = machine.context()
    assert page_sessions(ctx, status="running").sessions == ()
    assert len(page_sessions(ctx, status="ended", limit=2).sessions) == 2
    assert page_sessions(ctx, status="ended", limit=2).next_cursor


@pytest.mark.parametrize("cursor", ["x", "%%%", "é", base64.urlsafe_b64encode(b"{}").decode(), "WzEsMl0"])
def test_a_malformed_cursor_is_refused(machine: LisaHost, cursor: str) -> None:
    with pytest.raises(LisaError) as raised:
        page_sessions(machine.context(), cursor=cursor)
    assert raised.value.code == "invalid_cursor"


def test_folder_of_a_killed_kill_is_listed_once(machine: LisaHost) -> None:
    add_session(machine, 1)
    add_archive(machine, 1)
    found = page_sessions(machine.context()).sessions
    assert [(each.name, each.end_reason) for each in found] == [("lisa-1", "user_requested")]


def test_session_without_its_pane_yet_is_starting(machine: LisaHost) -> None:
    ref = add_session(machine, 1)
    meta = make_meta(ref, 1)
    meta.created_unix = machine.context().clock.now()
    session_records.write_meta(ref, meta)
    found = session_objects.describe_session(machine.context(), ref)
    assert (found.status, found.end_reason, found.terminated_at) == ("starting", None, None)
    assert names(page_sessions(machine.context(), status="starting")) == ["lisa-1"]
    meta.created_unix -= 61
    session_records.write_meta(ref, meta)
    late = session_objects.describe_session(machine.context(), ref)
    assert (late.status, late.end_reason) == ("ended", "startup_timeout")
