"""Build of the SDK for its tests."""

from __future__ import annotations

import pytest

from tests.sdk.typescript_kit import NODE_MAJOR, PACKAGES, TypeScriptBuild, build_sdk, node_major


@pytest.fixture(scope="session")
def sdk() -> TypeScriptBuild:
    """Return the built TypeScript SDK; skip without node and its packages."""
    if not PACKAGES.compiler.exists():
        pytest.skip(PACKAGES.reason)
    if node_major() < NODE_MAJOR:
        pytest.skip(f"node {NODE_MAJOR} or newer is missing")
    return build_sdk()
