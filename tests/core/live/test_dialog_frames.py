"""Frames of dialogs."""

from __future__ import annotations

from lisa_py.contract.dialogs import OpenDialog
from lisa_py.core.live.dialog_frames import rename_keys


def make_dialog(identity: str) -> OpenDialog:
    return OpenDialog(session="lisa-a", project_root="/p", id=identity, kind="permission", way="screen", since="")


def test_a_dialog_whose_hook_is_recorded_later_is_the_same() -> None:
    shown, hooked, other = make_dialog("t1"), make_dialog("t1"), make_dialog("t2")
    assert rename_keys({"permission-1": shown}, {"hook-1": hooked}) == {"hook-1": shown}
    assert rename_keys({"permission-1": shown}, {"hook-2": other}) == {"permission-1": shown}
    assert rename_keys({"hook-1": shown}, {"hook-1": hooked, "hook-2": other}) == {"hook-1": shown}
    assert rename_keys({}, {"hook-1": hooked}) == {}
