"""Static checks: types, style and import layers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.sources import TREE

BIN = Path(sys.executable).parent


@pytest.mark.parametrize(
    "gate",
    [
        ("ruff", "check", "--no-cache", "."),
        ("ruff", "format", "--no-cache", "--check", "lisa_py", "tests"),
        ("mypy",),
        ("lint-imports", "--no-cache"),
    ],
    ids=["style", "format", "types", "layers"],
)
def test_static_check_passes(gate: tuple[str, ...], tmp_path: Path) -> None:
    cache = ("--cache-dir", str(TREE / ".mypy_cache")) if gate[0] == "mypy" else ()
    ended = subprocess.run(
        [str(BIN / gate[0]), *gate[1:], *cache], cwd=TREE, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
