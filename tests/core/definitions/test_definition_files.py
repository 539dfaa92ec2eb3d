"""Files of definitions: read back what was written."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lisa_py.contract.errors import LisaError
from lisa_py.core.definitions import definition_files, library, yaml_documents
from tests.lisa_host import LisaHost

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(st.text(max_size=8), VALUES, max_size=4))
@example({"a\x85b": "one\x85two\n", "<<": "\u2028", "yes": "no", "\ufeff": " \n  indented\n\n"})
def test_documents_are_read_as_they_were_written(value: dict[str, Any]) -> None:
    (document,) = yaml_documents.read_documents("file", yaml_documents.format_document(value))
    assert document.value == value


def test_a_refused_definition_leaves_the_former_one(machine: LisaHost) -> None:
    ctx, project = machine.context(), machine.context().project()
    definition_files.write_definition(ctx, project, "a", {"prompt": "p"}, {})
    with pytest.raises(LisaError) as refused:
        definition_files.write_definition(ctx, project, "a", {"prompt": "p", "max_turns": -1}, {})
    assert refused.value.code == "invalid_max_turns"
    found = library.find_record(ctx, project, "a")
    assert found is not None and found.fields == {"prompt": "p"}
    assert (machine.project / ".lisa" / "agents" / "a.yaml").stat().st_mode & 0o777 == 0o600


def test_failed_folder_creation_is_reported(machine: LisaHost) -> None:
    (machine.project / ".lisa").write_text("a file")
    ctx = machine.context()
    with pytest.raises(LisaError) as refused:
        definition_files.write_definition(ctx, ctx.project(), "a", {"prompt": "p"}, {})
    assert refused.value.code == "store_unwritable"
