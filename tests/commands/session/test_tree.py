"""session tree: who spawned whom, each session exactly once, and what is new."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lisa_py.contract.records import SessionMeta
from lisa_py.host import files
from lisa_py.store import session_records
from lisa_py.store.paths import SessionRef, resolve_project
from tests.fleet import Fleet
from tests.lisa_host import LisaHost


class Records:
    """Metadata of sessions, written without spawning any."""

    def __init__(self, machine: LisaHost) -> None:
        self.machine = machine

    def ref(self, name: str, root: str = "") -> SessionRef:
        return SessionRef(resolve_project(root or str(self.machine.project), self.machine.context().settings), name)

    def add(self, name: str, parent: str = "", *, root: str = "", run: str = "", parent_run: str = "") -> None:
        ref = self.ref(name, root)
        files.ensure_private_dir(ref.folder)
        meta = SessionMeta(
            session=name, parent_session=parent, agent="claude", mode="exec", project_root=ref.project.root,
            created_at="2026-11-21T00:00:00Z", run_id=run or name, parent_run_id=parent_run,
        )  # fmt: skip
        session_records.write_meta(ref, meta)

    def remove(self, name: str) -> None:
        files.remove_tree(self.ref(name).folder)

    def tree(self, *words: str, form: str = "--json") -> dict[str, Any]:
        answer = self.machine.lisa("session", "tree", *words, form)
        assert answer.code == 0, answer
        return answer.json


@pytest.fixture
def records(machine: LisaHost) -> Records:
    return Records(machine)


@pytest.fixture
def family(records: Records) -> Records:
    """A parent, two children, a grandchild, a stranger."""
    for name, parent in (
        ("lisa-a", ""),
        ("lisa-c", "lisa-a"),
        ("lisa-b", "lisa-a"),
        ("lisa-d", "lisa-b"),
        ("lisa-z", ""),
    ):
        records.add(name, parent)
    return records


def shape(nodes: list[dict[str, Any]]) -> dict[str, Any]:
    return {node["session"]: shape(node.get("children", [])) for node in nodes}


def names(rows: list[dict[str, Any]]) -> list[str]:
    return [row["session"] for row in rows]


def test_parents_hold_their_children_in_order(machine: LisaHost, family: Records) -> None:
    tree = family.tree()
    assert shape(tree["roots"]) == {"lisa-a": {"lisa-b": {"lisa-d": {}}, "lisa-c": {}}, "lisa-z": {}}
    assert tree["roots"][1] == {
        "session": "lisa-z", "agent": "claude", "mode": "exec", "projectRoot": str(machine.project),
        "createdAt": "2026-11-21T00:00:00Z",
    }  # fmt: skip
    assert tree.keys() == {"allHashes", "nodeCount", "projectRoot", "roots", "stderrPolicy", "totalNodeCount"}
    assert (tree["nodeCount"], tree["totalNodeCount"], tree["allHashes"]) == (5, 5, False)


def test_text_is_indented(machine: LisaHost, family: Records) -> None:
    assert machine.lisa("session", "tree").out == (
        "lisa-a (claude/exec)\n  lisa-b (claude/exec)\n    lisa-d (claude/exec)\n  lisa-c (claude/exec)\n"
        "lisa-z (claude/exec)\n"
    )


def test_flat_is_a_table_with_a_header(machine: LisaHost, family: Records) -> None:
    lines = machine.lisa("session", "tree", "--flat").out.splitlines()
    assert lines[0] == "session\tparentSession\tagent\tmode\tprojectRoot\tcreatedAt"
    assert lines[2] == f"lisa-b\tlisa-a\tclaude\texec\t{machine.project}\t2026-11-21T00:00:00Z"
    tree = family.tree("--flat")
    assert names(tree["rows"]) == ["lisa-a", "lisa-b", "lisa-d", "lisa-c", "lisa-z"]
    assert tree["flat"] is True


def test_shows_one_session_with_descendants(machine: LisaHost, family: Records) -> None:
    tree = family.tree("--session", "lisa-b")
    assert shape(tree["roots"]) == {"lisa-b": {"lisa-d": {}}}
    assert (tree["session"], tree["nodeCount"], tree["totalNodeCount"], tree["filteredNodeCount"]) == (
        "lisa-b",
        2,
        5,
        3,
    )
    answer = machine.lisa("session", "tree", "--session", "nope", "--json")
    assert (answer.code, answer.json["errorCode"]) == (1, "session_not_found_in_tree")


def test_empty_project_has_no_roots_and_stays_unchanged(machine: LisaHost, records: Records) -> None:
    tree = records.tree()
    assert (tree["nodeCount"], tree["roots"]) == (0, [])
    assert machine.lisa("session", "tree").out == "\n"
    assert not (machine.folder / "state").exists()


def test_minimal_json_has_counts_and_names(family: Records) -> None:
    tree = family.tree(form="--json-min")
    assert tree.keys() == {"filteredNodeCount", "nodeCount", "roots", "stderrPolicy", "totalNodeCount"}
    assert tree["roots"][0]["children"][0] == {
        "session": "lisa-b", "parentSession": "lisa-a",
        "children": [{"session": "lisa-d", "parentSession": "lisa-b"}],
    }  # fmt: skip
    assert "roots" not in family.tree("--with-state", form="--json-min")  # each session once
    assert family.tree("--flat", form="--json-min")["rows"][1] == {"session": "lisa-b", "parentSession": "lisa-a"}


# -- defect 23: records that make no sense --------------------------------------------------------------------------


def test_cycles_are_shown_once_and_reported(records: Records) -> None:
    records.add("lisa-root")
    records.add("lisa-self", "lisa-self")
    records.add("lisa-x", "lisa-y")
    records.add("lisa-y", "lisa-x")
    records.add("lisa-below", "lisa-y")
    tree = records.tree()
    assert shape(tree["roots"]) == {"lisa-root": {}, "lisa-self": {}, "lisa-x": {"lisa-y": {"lisa-below": {}}}}
    assert tree["nodeCount"] == tree["totalNodeCount"] == 5
    assert [warning.split()[0] for warning in tree["warnings"]] == ["lisa-self", "lisa-x"]


def test_child_of_an_unknown_parent_is_a_root(records: Records) -> None:
    records.add("lisa-x", "lisa-gone")
    assert records.tree()["roots"][0]["parentSession"] == "lisa-gone"


def test_unreadable_records_are_omitted_and_reported(machine: LisaHost, family: Records) -> None:
    Path(family.ref("lisa-z").meta).write_text("{broken")
    answer = machine.lisa("session", "tree", "--json")
    assert names(answer.json["roots"]) == ["lisa-a"]
    assert "lisa-z" in answer.json["warnings"][0]
    assert answer.err.startswith("tree warning: ")


def test_equal_names_of_several_projects_are_separate(machine: LisaHost, family: Records) -> None:
    other = machine.folder / "other"
    other.mkdir()
    family.add("lisa-a", root=str(other), run="another")
    family.add("lisa-b", "lisa-a", root=str(other), run="b2", parent_run="another")
    family.add("lisa-far", "lisa-a", root=str(other), parent_run="lisa-a")
    assert family.tree()["nodeCount"] == 5
    tree = family.tree("--all-hashes", "--flat")
    assert (tree["nodeCount"], tree["allHashes"]) == (8, True)
    far = {root["projectRoot"]: shape([root]) for root in tree["roots"] if root["session"] == "lisa-a"}
    assert far[str(other)] == {"lisa-a": {"lisa-b": {}}}
    assert "lisa-far" in far[str(machine.project)]["lisa-a"]


# -- what is new --------------------------------------------------------------------------------------------------


def test_delta_has_added_and_removed_links(machine: LisaHost, family: Records) -> None:
    first = family.tree("--delta")
    assert (first["delta"], first["deltaResult"]["count"]) == (True, 5)
    assert family.tree("--delta")["deltaResult"] == {"count": 0}
    family.remove("lisa-z")
    family.add("lisa-d", "lisa-c")
    answer = machine.lisa("session", "tree", "--delta")
    assert answer.out == "delta_count=3\n+\tlisa-d\tlisa-c\n-\tlisa-d\tlisa-b\n-\tlisa-z\t\n"
    again = family.tree("--delta", form="--json-min")
    assert (again["added"], again["removed"], again["deltaCount"]) == ([], [], 0)


def test_each_view_has_its_own_snapshot(family: Records) -> None:
    family.tree("--delta")
    family.tree("--delta", "--session", "lisa-b")
    family.tree("--delta", "--active-only")
    assert family.tree("--delta")["deltaResult"]["count"] == 0
    assert family.tree("--delta", "--session", "lisa-b")["deltaResult"]["count"] == 0


def test_unreadable_snapshot_is_set_aside_and_reported(machine: LisaHost, family: Records) -> None:
    family.tree("--delta")
    path = next((machine.folder / "state").rglob("tree-delta.json"))
    path.write_text("{broken")
    tree = family.tree("--delta")
    assert "snapshot" in tree["warnings"][0]
    assert tree["deltaResult"]["count"] == 5
    assert family.tree("--delta")["deltaResult"]["count"] == 0
    assert list(path.parent.glob("*.corrupt-*"))


def test_delta_has_added_removed_and_changed_sessions(machine: LisaHost, family: Records) -> None:
    first = family.tree("--delta-json")
    assert first["delta"]["count"] == 5
    assert first["session"] == ""
    assert (first["activeOnly"], first["flat"], first["withState"]) == (False, False, False)
    assert (first["nodeCount"], first["totalNodeCount"], first["filteredNodeCount"]) == (5, 5, 0)
    assert first["cursorFile"].startswith(machine.env["LISA_STATE_DIR"])
    family.add("lisa-new")
    family.remove("lisa-z")
    family.add("lisa-d", "lisa-c")
    delta = family.tree("--delta-json")["delta"]
    assert [names(delta[key]) for key in ("added", "removed", "changed")] == [["lisa-new"], ["lisa-z"], ["lisa-d"]]
    assert family.tree("--delta-json", "--with-state")["delta"]["count"] == 0, "states alone are no change"
    assert family.tree("--delta-json")["delta"]["count"] == 0


def test_own_cursor_file_is_used(machine: LisaHost, family: Records) -> None:
    path = machine.project / "seen.json"
    tree = family.tree("--delta-json", "--cursor-file", "seen.json", "--flat", form="--json-min")
    assert (tree["cursorFile"], tree["delta"]["count"]) == (str(path), 5)
    content = json.loads(path.read_text())
    assert content["rows"]["lisa-b"]["parentSession"] == "lisa-a"
    assert content["updatedAt"].endswith("Z")
    assert family.tree("--delta-json", "--cursor-file", str(path))["delta"]["count"] == 0
    path.write_text("")
    assert family.tree("--delta-json", "--cursor-file", str(path))["delta"]["count"] == 5
    path.write_text("nonsense")
    answer = machine.lisa("session", "tree", "--delta-json", "--cursor-file", str(path))
    assert (answer.code, answer.json["errorCode"]) == (1, "invalid_cursor_file")
    answer = machine.lisa("session", "tree", "--delta-json", "--cursor-file", "/proc/nowhere/x")
    assert (answer.code, answer.json["errorCode"]) == (1, "cursor_file_write_failed")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--delta", "--delta-json"), "delta_mode_conflict"),
        (("--cursor-file", "x"), "cursor_file_requires_delta_json"),
    ],
)
def test_conflicting_flags_are_refused(machine: LisaHost, words: tuple[str, ...], code: str) -> None:
    answer = machine.lisa("session", "tree", *words, "--json")
    assert (answer.code, answer.json["errorCode"]) == (1, code)


# -- living sessions ----------------------------------------------------------------------------------------------


def test_states_are_shown_in_every_form(machine: LisaHost, fleet: Fleet, records: Records) -> None:
    records.add("lisa-gone")
    fleet.spawn("lisa-ended", "exit 3")
    fleet.wait_until_ended("lisa-ended")
    tree = records.tree("--with-state")
    assert {row["session"]: (row["status"], row["sessionState"]) for row in tree["rows"]} == {
        "lisa-ended": ("crashed", "crashed"),
        "lisa-gone": ("not_found", "not_found"),
    }
    assert tree["roots"][0]["sessionState"] == "crashed"
    assert "lisa-ended (claude/interactive) crashed\n" in machine.lisa("session", "tree", "--with-state").out
    table = machine.lisa("session", "tree", "--with-state", "--flat").out
    assert "lisa-ended\t\tclaude\tinteractive\tcrashed\tcrashed\t" in table
    assert names(records.tree("--active-only")["roots"]) == ["lisa-ended"]


def test_active_only_fails_without_tmux(machine: LisaHost, family: Records) -> None:
    answer = machine.lisa("session", "tree", "--active-only", "--json", env={"PATH": str(machine.bin)})
    assert (answer.code, answer.json["errorCode"]) == (1, "session_tree_build_failed")
