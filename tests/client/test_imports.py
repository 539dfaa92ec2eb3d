"""Modules that are loaded by each import, and the error of a missing package."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

TREE = Path(__file__).parents[2]
LOOK = """
import json, sys

WEB = {"httpx", "httpcore", "websockets", "starlette", "uvicorn", "jwt", "anyio", "h11"}


class Blocker:
    def __init__(self, *names):
        self.names = names

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def attempt_without(*names):
    blocker = Blocker(*names)
    sys.meta_path.insert(0, blocker)
    try:
        import lisa_py.client
        with lisa_py.client.SessionsClient("http://127.0.0.1:1", token="t", retry=lisa_py.client.NO_RETRY) as client:
            client.list_sessions()
    except Exception as problem:
        return [type(problem).__name__, str(problem)]
    finally:
        sys.meta_path.remove(blocker)


import lisa_py, lisa_py.api, lisa_py.cli.main
from lisa_py import commands

for path in commands.paths():
    commands.load(path)
loaded = sorted(WEB & {name.partition(".")[0] for name in sys.modules})
found = {"loaded": loaded, "httpx": attempt_without("httpx"), "websockets": attempt_without("websockets")}
found["server"] = attempt_without("starlette", "uvicorn", "jwt")
print(json.dumps(found))
"""


def test_client_needs_its_own_extra_and_nothing_else_needs_it() -> None:
    ran = subprocess.run([sys.executable, "-P", "-c", LOOK], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["loaded"] == []
    for name in ("httpx", "websockets"):
        text = f"lisa_py.client needs {name}; install it with: pip install 'lisa-py[client]'"
        assert found[name] == ["ModuleNotFoundError", text]
    assert found["server"][0] == "ServerUnreachableError"


def test_extra_has_the_packages_that_the_client_imports() -> None:
    imported = set()
    for path in (TREE / "lisa_py" / "client").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            imported |= {name.partition(".")[0] for name in names}
    project = tomllib.loads((TREE / "pyproject.toml").read_text())["project"]
    required, extra = (
        {re.split(r"[^\w-]", line)[0] for line in lines}
        for lines in (project["dependencies"], project["optional-dependencies"]["client"])
    )
    others = imported - sys.stdlib_module_names - {"lisa_py"}
    assert extra == {"httpx", "websockets"} <= others and others - extra <= required
