"""store/registry: small stores that many processes change at once."""

from __future__ import annotations

import contextlib
import os
import resource
import threading
from collections.abc import Iterator

import pytest
from msgspec import Struct

from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.host import files
from lisa_py.store.registry import Registry, project_registry
from tests.lisa_host import LisaHost

WRITERS = 40


class Names(Struct, kw_only=True):
    """A store for these tests."""

    names: dict[str, int] = {}


def _registry(ctx: Context) -> Registry[Names]:
    return project_registry(ctx.project(), "names.json", Names, "names")


def test_forty_concurrent_writers_lose_nothing(machine: LisaHost) -> None:
    ctx = machine.context()
    start = threading.Barrier(WRITERS)
    failures: list[Exception] = []

    def write(number: int) -> None:
        start.wait()
        try:
            for turn in range(3):
                with _registry(ctx).change(ctx.settings, ctx.clock.now()) as opened:
                    opened.content.names[f"n{number}"] = turn + 1
        except Exception as problem:
            failures.append(problem)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert _registry(ctx).read().names == {f"n{number}": 3 for number in range(WRITERS)}


def test_read_creates_nothing(machine: LisaHost) -> None:
    ctx = machine.context()
    assert _registry(ctx).read() == Names()
    assert not os.path.exists(ctx.settings.state_dir)


BROKEN = [
    pytest.param(b"", id="empty"),
    pytest.param(b"{", id="cut"),
    pytest.param(b"[]", id="list"),
    pytest.param(b'{"names":{"a":"x"}}', id="wrong type"),
    pytest.param(b"\xff\xfe", id="no text"),
    pytest.param(b'{"names":{"\xff\xfe\\n":"\xff"}}', id="string that is no UTF-8"),
    pytest.param(b'{"names":' + b"[" * 100_000, id="endless nesting"),
    pytest.param(b'{"names":null}', id="null"),
]


@pytest.mark.parametrize("broken", BROKEN)
def test_corrupt_store_is_refused_by_read_only(machine: LisaHost, broken: bytes) -> None:
    ctx = machine.context(given_fields=frozenset())
    registry = _registry(ctx)
    with registry.change(ctx.settings, ctx.clock.now()) as opened:
        opened.content.names["old"] = 1
    with open(registry.path, "wb") as file:
        file.write(broken)
    with pytest.raises(LisaError) as refused:
        registry.read()
    assert refused.value.code == "names_store_read_failed"
    with open(registry.path, "rb") as file:
        assert file.read() == broken
    with registry.change(ctx.settings, ctx.clock.now()) as opened:
        assert opened.content == Names()
        opened.content.names["new"] = 1
    with open(opened.recovered, "rb") as file:
        assert file.read() == broken
    assert registry.read().names == {"new": 1}


def test_each_corrupt_file_is_kept(machine: LisaHost) -> None:
    """Also when two of them are met in the same second, and when one of them is a folder."""
    ctx = machine.context()
    registry = _registry(ctx)
    with registry.change(ctx.settings, 1.0):
        pass
    kept = []
    for broken in ("{", "[", None, "x"):
        os.unlink(registry.path)
        if broken is None:
            os.mkdir(registry.path)
        else:
            with open(registry.path, "w") as file:
                file.write(broken)
        with registry.change(ctx.settings, 1.0) as opened:
            kept.append(opened.recovered)
    assert len(set(kept)) == 4 and all(os.path.exists(path) for path in kept)


def test_temporary_read_failure_sets_nothing_aside(machine: LisaHost) -> None:
    ctx = machine.context()
    registry = _registry(ctx)
    with registry.change(ctx.settings, ctx.clock.now()) as opened:
        opened.content.names["kept"] = 1
    with short_of_handles(1), pytest.raises(LisaError) as refused, registry.change(ctx.settings, ctx.clock.now()):
        pass  # the lock took the last one
    assert refused.value.code == "too_many_open_files"
    assert registry.read().names == {"kept": 1}
    assert sorted(os.listdir(os.path.dirname(registry.path))) == ["names.json", "names.json.lock"]


@contextlib.contextmanager
def short_of_handles(free: int) -> Iterator[None]:
    """This process may open so many more files and no further one."""
    lowest = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + free, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_failed_change_changes_nothing(machine: LisaHost) -> None:
    ctx = machine.context()
    registry = _registry(ctx)
    with pytest.raises(RuntimeError), registry.change(ctx.settings, ctx.clock.now()) as opened:
        opened.content.names["half"] = 1
        raise RuntimeError
    assert registry.read().names == {}


def test_a_store_is_private_and_no_symlink_is_followed(machine: LisaHost) -> None:
    ctx = machine.context()
    registry = _registry(ctx)
    with registry.change(ctx.settings, ctx.clock.now()):
        pass
    assert os.stat(registry.path).st_mode & 0o777 == 0o600
    assert os.stat(os.path.dirname(registry.path)).st_mode & 0o777 == 0o700
    target = machine.folder / "target"
    target.write_text('{"names":{"foreign":1}}')
    os.replace(registry.path, registry.path + ".old")
    os.symlink(target, registry.path)
    with registry.change(ctx.settings, ctx.clock.now()) as opened:
        assert opened.content.names == {}
    assert target.read_text() == '{"names":{"foreign":1}}'
    assert not os.path.islink(registry.path)


def test_failed_write_is_reported(machine: LisaHost) -> None:
    ctx = machine.context()
    (machine.folder / "state").write_text("not a folder")
    registry = _registry(ctx)
    with pytest.raises(LisaError) as refused, registry.change(ctx.settings, ctx.clock.now()):
        pass
    assert refused.value.code == "names_store_write_failed"


def test_store_too_large_to_be_read_again_is_not_written(machine: LisaHost, monkeypatch: pytest.MonkeyPatch) -> None:
    ctx = machine.context()
    monkeypatch.setattr(files, "READ_BYTES", 1000)
    with _registry(ctx).change(ctx.settings, ctx.clock.now()) as opened:
        opened.content.names = {"n" * 800: 1}
    with (
        pytest.raises(LisaError, match="over 1000 bytes") as refused,
        _registry(ctx).change(ctx.settings, ctx.clock.now()) as opened,
    ):
        opened.content.names["m" * 200] = 2
    assert refused.value.code == "names_store_write_failed"
    assert _registry(ctx).read().names == {"n" * 800: 1}


def test_clearing_removes_even_a_corrupt_store(machine: LisaHost) -> None:
    ctx = machine.context()
    registry = _registry(ctx)
    assert registry.clear(ctx.settings) is False
    with registry.change(ctx.settings, ctx.clock.now()):
        pass
    with open(registry.path, "w") as file:
        file.write("{")
    assert registry.clear(ctx.settings) is True
    assert registry.read() == Names()


def test_a_value_that_could_not_be_read_is_not_written(machine: LisaHost) -> None:
    ctx = machine.context()
    with _registry(ctx).change(ctx.settings, ctx.clock.now()) as opened:
        opened.content.names["good"] = 1
    with (
        pytest.raises(
            LisaError, match=r"Expected `int`, got `str` - at `\$.names\[...\]`; nothing was changed"
        ) as raised,
        _registry(ctx).change(ctx.settings, ctx.clock.now()) as opened,
    ):
        opened.content.names["bad"] = "word"  # type: ignore[assignment]
    assert raised.value.code == "names_store_write_failed"
    assert _registry(ctx).read().names == {"good": 1}
