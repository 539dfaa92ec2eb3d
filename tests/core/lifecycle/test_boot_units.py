"""Units that resume lost sessions at the start of the machine."""

from __future__ import annotations

import plistlib
import shutil
import subprocess
from pathlib import Path

import pytest

from lisa_py.core.lifecycle import boot_units
from tests.lisa_host import LisaHost


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd on this machine")
def test_systemd_accepts_the_unit(machine: LisaHost) -> None:
    machine.add_program("lisa", "#!/bin/sh\n")
    path = machine.folder / "lisa-resume.service"
    path.write_text(boot_units.build_boot_units(machine.context()).systemd)
    ended = subprocess.run(["systemd-analyze", "verify", "--user", path], capture_output=True, text=True, check=False)
    assert str(path) not in ended.stderr, ended.stderr


def test_units_run_the_program_on_the_path(machine: LisaHost) -> None:
    odd = machine.folder / 'odd %h "$folder'
    odd.mkdir()
    Path(odd, "lisa").write_text("#!/bin/sh\n")
    Path(odd, "lisa").chmod(0o700)
    machine.env["PATH"] = f"{odd}:{machine.env['PATH']}"
    units = boot_units.build_boot_units(machine.context())
    properties = plistlib.loads(units.launchd.encode())
    assert properties["ProgramArguments"] == [str(odd / "lisa"), "session", "resume", "--all", "--all-projects"]
    assert properties["EnvironmentVariables"]["PATH"] == machine.env["PATH"]
    escaped = str(odd / "lisa").replace("%", "%%").replace('"', '\\"').replace("$", "$$")
    assert f'ExecStart="{escaped}" "session" "resume" "--all" "--all-projects"\n' in units.systemd


def test_units_without_an_installed_program_name_this_python(machine: LisaHost) -> None:
    machine.env["PATH"] = "/nowhere"
    command = plistlib.loads(boot_units.build_boot_units(machine.context()).launchd.encode())["ProgramArguments"]
    assert subprocess.run([*command[:-4], "version"], check=False, capture_output=True).returncode == 0
