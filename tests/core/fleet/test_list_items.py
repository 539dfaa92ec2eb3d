"""A list of sessions as an answer."""

from __future__ import annotations

from lisa_py.core.fleet import list_items
from lisa_py.core.fleet.list_items import ListCursor, ListItem


def item(name: str, root: str = "/p", state: str = "in_progress") -> ListItem:
    return ListItem(session=name, session_state=state, project_root=root)


def test_changes_are_sorted_by_name_then_project() -> None:
    before = ListCursor(items={list_items.item_key(each): each for each in (item("lisa-b"), item("lisa-gone"))})
    now = [item("lisa-a-1"), item("lisa-a", "/q"), item("lisa-a"), item("lisa-b", state="completed")]
    found = list_items.compute_delta(before, now)
    assert [(each.session, each.project_root) for each in found.added] == [
        ("lisa-a", "/p"),
        ("lisa-a", "/q"),
        ("lisa-a-1", "/p"),
    ]
    assert [each.session for each in found.removed] == ["lisa-gone"]
    assert [(each.session, each.session_state) for each in found.changed] == [("lisa-b", "completed")]
    assert found.count == 5
