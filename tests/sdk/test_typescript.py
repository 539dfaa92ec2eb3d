"""The TypeScript SDK: its own tests under node, its types, its package."""

from __future__ import annotations

import json
import tarfile

import pytest

import lisa_py
from tests.sdk.typescript_kit import ALIAS, PAGES, SDK, TypeScriptBuild


def test_package_compiles_with_examples_and_pages(sdk: TypeScriptBuild) -> None:
    assert sdk.problems == ""
    for name in ("src", "examples"):
        folder = SDK if name == "src" else SDK / name
        assert json.loads((folder / "tsconfig.json").read_text())["compilerOptions"]["strict"] is True
    for page in PAGES:
        assert f"from '{ALIAS}'" in page.read_text() or "from 'lisa-sessions'" in page.read_text(), page


@pytest.mark.parametrize("program", ["client.test", "files.test", "policy.test", "rules.test"])
def test_own_tests_pass(sdk: TypeScriptBuild, program: str) -> None:
    check_passed(sdk, program)


@pytest.mark.parametrize("flags", [(), ("--experimental-websocket",)], ids=["ws", "global"])
def test_socket_tests_pass_with_each_websocket(sdk: TypeScriptBuild, flags: tuple[str, ...]) -> None:
    check_passed(sdk, "socket.test", *flags)


def test_package_runs_without_node_globals(sdk: TypeScriptBuild) -> None:
    check_passed(sdk, "browser.test", "--experimental-vm-modules", "--no-warnings")


def check_passed(sdk: TypeScriptBuild, program: str, *words: str) -> None:
    ran = sdk.run(program, *words)
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
    assert "# fail 0" in ran.stdout or "ℹ fail 0" in ran.stdout


def test_package_holds_the_compiled_code_and_two_pages(sdk: TypeScriptBuild) -> None:
    with tarfile.open(sdk.tarball) as archive:
        names = {name.removeprefix("package/") for name in archive.getnames()}
    modules = {path.stem for path in (SDK / "src").glob("*.ts")}
    compiled = {f"dist/{name}{ending}" for name in modules for ending in (".js", ".d.ts")}
    assert names == {"package.json", "README.md", "LICENSE", *compiled}


def test_package_has_the_version_of_lisa_and_needs_nothing() -> None:
    package = json.loads((SDK / "package.json").read_text())
    assert package["version"] == lisa_py.__version__
    assert "dependencies" not in package
    assert package["peerDependenciesMeta"] == {"ws": {"optional": True}}
    assert (SDK / "LICENSE").read_text() == (SDK.parents[1] / "LICENSE").read_text()


def test_compiled_code_names_no_module_of_node(sdk: TypeScriptBuild) -> None:
    for path in (sdk.folder / "dist").glob("*.js"):
        text = path.read_text()
        assert "from 'node:" not in text and "from 'ws'" not in text, path.name
