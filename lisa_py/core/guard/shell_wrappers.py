"""Programs that run the command in their arguments, and how to read their options."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from lisa_py.core.guard.shell_stages import ASSIGNMENT, ShellWord


class Wrapper(Struct, frozen=True):
    """A program that runs the command behind its options."""

    valued: str = ""
    """Letters of options with a value."""
    flags: str = ""
    """Letters of options without one."""
    valued_names: tuple[str, ...] = ()
    """Long options with a separate value."""
    operands: int = 0
    """Words before the command."""
    scripts: str = ""
    """Letters of options whose value is a script."""
    is_joined: bool = False
    """The words are a script."""
    is_vague: bool = False
    """The command may begin at any word."""
    starts_shell: bool = False
    """Without a command it is a shell that reads its input."""


_VAGUE = Wrapper(is_vague=True)
_WRAPPERS = {
    "sudo": Wrapper(
        "CDghpRrtTUu", "ABbEeHiKklnPSsVv", ("user", "group", "host", "prompt", "chdir", "chroot", "role"),
        starts_shell=True,
    ),
    "doas": Wrapper("Cua", "Lns", starts_shell=True),
    "env": Wrapper("uCaP", "i0v", ("unset", "chdir", "argv0"), scripts="S"),
    "nohup": Wrapper(),
    "setsid": Wrapper(flags="cfw"),
    "exec": Wrapper("a", "cl"),
    "command": Wrapper(flags="p"),
    "builtin": Wrapper(),
    "time": Wrapper("of", "apvV", ("output", "format")),
    "timeout": Wrapper("ks", "vfp", ("kill-after", "signal"), 1),
    "nice": Wrapper("n", "0123456789", ("adjustment",)),
    "ionice": Wrapper("cn", "t", ("class", "classdata")),
    "stdbuf": Wrapper("ioe", "", ("input", "output", "error")),
    "xargs": Wrapper("adEIJLnPRSs", "0eiloprtx", ("arg-file", "delimiter", "max-args", "max-procs", "max-lines")),
    "watch": Wrapper("nq", "bcdegprtwxC", ("interval",), is_joined=True),
    "flock": Wrapper("wE", "seunoxF", ("timeout", "wait", "conflict-exit-code"), 1, scripts="c"),
    "parallel": Wrapper("jaNnLlsISPC", "kmuvXtq0", ("jobs", "arg-file", "colsep", "joblog"), is_joined=True),
    "sem": Wrapper("j", "", ("jobs", "id"), is_joined=True),
    "ssh": Wrapper(
        "BbcDEeFIiJLlmOopQRSWw", "46AaCfGgKkMNnqsTtVvXxYy", (), 1, is_joined=True, starts_shell=True
    ),
    "mosh": Wrapper("p", "", ("ssh", "server", "port"), 1),
    "chroot": Wrapper("", "", ("userspec", "groups"), 1, starts_shell=True),
    "runuser": Wrapper(
        "ugGsw", "lmp", ("user", "group", "shell"), scripts="c", is_vague=True, starts_shell=True
    ),
    "su": Wrapper("gGsw", "lmpP", ("group", "shell"), scripts="c", is_vague=True, starts_shell=True),
    "script": Wrapper("EIOBTmot", "aefqr", (), scripts="c", is_vague=True, starts_shell=True),
    "strace": Wrapper("aeIobEOPpsSuUX", "cCdDfFhiknqrtTvVwxyYzZ"),
    "ltrace": Wrapper("aADeFlnopsuxX", "bcCfhiLrStTV"),
    "taskset": Wrapper("", "ap", (), 1),
    "chrt": Wrapper("TPD", "abdefimopRrv", (), 1),
    "unshare": Wrapper("SGRw", "imnpuUCTcfr", starts_shell=True),
    "nsenter": Wrapper("tSG", "aFe", ("target", "setuid", "setgid"), starts_shell=True),
    "systemd-run": Wrapper("puMHEt", "dGPqrS", ("unit", "property", "uid", "gid", "setenv", "working-directory")),
    "busybox": Wrapper(),
    "toybox": Wrapper(),
    "caffeinate": Wrapper("tw", "dimsu"),
    "repeat": Wrapper(operands=1),
    "emulate": Wrapper("", "LR", (), 1, scripts="c"),
    "npx": Wrapper("pw", "yq", ("package", "workspace"), scripts="c"),
    "npm exec": Wrapper("w", "y", ("package", "workspace"), scripts="c"),
    "npm x": Wrapper("w", "y", ("package", "workspace"), scripts="c"),
    "pnpm exec": Wrapper("", "rc"),
    "pnpm dlx": Wrapper("", "c", ("package",)),
    "yarn exec": Wrapper(),
    "yarn dlx": Wrapper("p", "q", ("package",)),
    "bunx": Wrapper(),
    "uv run": Wrapper("pw", "qvn", ("with", "python", "project", "directory", "extra", "group", "env-file")),
    "uv tool run": Wrapper("pw", "qvn", ("from", "with", "python")),
    "uvx": Wrapper("pw", "qvn", ("from", "with", "python")),
    "pipx run": Wrapper("", "", ("spec", "python")),
    "poetry run": Wrapper(),
    "pipenv run": Wrapper(),
    "hatch run": Wrapper(),
    "pdm run": Wrapper(),
    "rye run": Wrapper(),
    "pixi run": Wrapper("e", "", ("environment",)),
    "conda run": Wrapper("np", "v", ("name", "prefix", "cwd")),
    "mamba run": Wrapper("np", "v", ("name", "prefix", "cwd")),
    "micromamba run": Wrapper("np", "", ("name", "prefix", "cwd")),
    "bundle exec": Wrapper(),
    "rbenv exec": Wrapper(),
    "pyenv exec": Wrapper(),
    "asdf exec": Wrapper(),
    "direnv exec": Wrapper(operands=1),
    "op run": Wrapper("", "", ("env-file", "account")),
    "aws-vault exec": Wrapper("d", "nj", ("duration", "region"), 1),
    "git bisect run": Wrapper(),
    "git submodule foreach": Wrapper("", "q", is_joined=True),
    "kubectl exec": _VAGUE,
    "pkexec": Wrapper("", "", ("user",)),
    "gosu": Wrapper(operands=1),
    "su-exec": Wrapper(operands=1),
    "perf stat": Wrapper("eoxIprtCGdD", "aiSvABnc", ("event", "output", "repeat")),
    "perf record": Wrapper("eocFpt", "agvq", ("event", "output", "call-graph")),
    "hyperfine": Wrapper("wmMrpcLnsSPD", "iNu", ("warmup", "runs", "prepare", "export-json"), scripts="p"),
    "screen": Wrapper("Scehpt", "dmDRrUaAxLOq"),
    "xvfb-run": Wrapper("efnpsw", "al", ("server-num", "server-args", "auth-file")),
    "dbus-run-session": Wrapper("", "", ("config-file", "dbus-daemon")),
    "systemd-inhibit": Wrapper(),
    "prlimit": Wrapper("o", "", ("output",)),
    "choom": Wrapper("n", "", ("adjust",)),
    "numactl": Wrapper("NCmpiw", "al"),
    "entr": Wrapper("", "acdnprsz", is_joined=True),
    "watchexec": Wrapper("wefijNs", "crqnvp", ("watch", "exts", "ignore", "filter"), is_joined=True),
    "valgrind": Wrapper("", "qv"),
    "chronic": Wrapper(flags="ev"),
    "ifne": Wrapper(flags="n"),
    "unbuffer": Wrapper(flags="p"),
    "fakeroot": Wrapper("lsbi", "uv", ("lib", "faked")),
    "tsp": Wrapper("LNESP", "nfmdBg"),
    "nq": Wrapper("", "cqtw"),
    "catchsegv": Wrapper(),
    "eatmydata": Wrapper(),
    "noglob": Wrapper(),
    "proxychains": Wrapper("f", "q"),
    "torsocks": Wrapper("uaP", "id"),
    "faketime": Wrapper("", "fm", (), 1),
    "rlwrap": Wrapper("CDHbcfgloPpqsSt", "aAeEiImnNrRuvw"),
}  # fmt: skip
"""A rule denies what these run; the ones behind which a rule allows are a list of its own, and a shorter one."""
_WRAPPERS |= {f"g{name}": _WRAPPERS[name] for name in ("timeout", "nice", "env", "nohup", "stdbuf", "time", "xargs")}
_WRAPPERS |= {
    f"{engine} {verb}": _VAGUE
    for engine in ("docker", "podman", "docker compose", "docker container", "nerdctl")
    for verb in ("exec", "run")
}
_WRAPPERS |= dict.fromkeys(("proxychains4", "tsocks"), _WRAPPERS["proxychains"])
_WRAPPERS |= dict.fromkeys(
    ("setpriv", "capsh", "dumb-init", "tini", "proot", "bwrap", "firejail", "chpst", "cgexec", "uclampset", "daemonize",
     "start-stop-daemon", "setlock", "softlimit", "envdir", "envuidgid", "setuidgid", "dbus-launch", "mise exec",
     "mise x", "dotenv", "dotenvx run", "doppler run", "pueue add", "nix run", "nix shell", "nix develop", "cpulimit",
     "trickle", "with-contenv", "ld.so", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1", "gdb", "flatpak run",
     "distrobox enter", "lxc exec", "machinectl shell", "toolbox run", "setarch", "linux32", "linux64", "i386", "ts"),
    _VAGUE,
)  # fmt: skip


class WrapperUse(Struct, frozen=True):
    """A wrapper, and its words from the last one of its name."""

    wrapper: Wrapper
    words: Sequence[ShellWord]


def find_wrapper(program: str, words: Sequence[ShellWord]) -> WrapperUse | None:
    """Return the wrapper that words begin with: `sudo`, `uv run`, also with options between its words."""
    places = [at for at, word in enumerate(words[:12]) if at and word.value[:1] not in ("", "-")]
    for skipped in range(len(places)):
        for count in (2, 1):
            used = places[skipped : skipped + count]
            found = _WRAPPERS.get(" ".join((program, *(words[at].value for at in used))))
            if found is not None and len(used) == count:
                return WrapperUse(found, words[used[-1] :])
        if words[places[skipped] - 1].value[:1] != "-":
            break  # else it may be the value of an option
    found = _WRAPPERS.get(program)
    return None if found is None else WrapperUse(found, words)


class WrapperOptions(Struct, frozen=True):
    """The options of a wrapper."""

    end: int
    """Place of the first word behind options and operands."""
    doubts: int
    """Number of unknown options, each of which may have taken a word."""
    scripts: tuple[ShellWord, ...]


def read_options(words: Sequence[ShellWord], wrapper: Wrapper) -> WrapperOptions:
    at, doubts, operands = 1, 0, wrapper.operands
    takes_names = words[0].value.endswith("env")
    scripts: list[ShellWord] = []
    while at < len(words):
        value = words[at].value
        if value == "--" and not words[at].varies:
            at += 1 + operands
            while takes_names and at < len(words) and "=" in words[at].value:
                at += 1
            break
        if value == "-":
            at += 1
        elif value.startswith("-"):
            step, is_known = _read_option(words, at, wrapper, scripts)
            at += step
            doubts += not is_known
        elif ASSIGNMENT.match(value) or (takes_names and "=" in value):
            at += 1
        elif operands:
            operands -= 1
            at += 1
        else:
            break
    return WrapperOptions(at, doubts, tuple(scripts))


def _read_option(words: Sequence[ShellWord], at: int, wrapper: Wrapper, scripts: list[ShellWord]) -> tuple[int, bool]:
    """Return the number of words of an option, and False if that is not certain."""
    word = words[at]
    following = list(words[at + 1 : at + 2])
    if word.varies:
        return 1, False
    if word.value.startswith("--"):
        name, equals, value = word.value[2:].partition("=")
        if name in ("command", "split-string", "call", "session-command") and wrapper.scripts:
            scripts += [ShellWord(word.raw, value, word.varies)] if equals else following
            return (1 if equals else 2), True
        return (2 if not equals and name in wrapper.valued_names else 1), bool(equals) or name in wrapper.valued_names
    for place, letter in enumerate(word.value[1:], 2):
        rest = word.value[place:]
        if letter in wrapper.scripts:
            scripts += [ShellWord(word.raw, rest, word.varies)] if rest else following
            return (1 if rest else 2), True
        if letter in wrapper.valued:
            return (1 if rest else 2), True
        if letter not in wrapper.flags:
            return 1, False
    return 1, True


def find_replaced(words: Sequence[ShellWord]) -> str:
    """Return the text that xargs or parallel replaces by its input; empty if it appends the input."""
    for at, word in enumerate(words):
        value = word.value
        if value in ("-I", "-J"):
            return words[at + 1].value if at + 1 < len(words) else ""
        if value.startswith(("-I", "-J")):
            return value[2:]
        if value in ("-i", "--replace"):
            return "{}"
        if value.startswith(("-i", "--replace=")):
            return value.removeprefix("--replace=").removeprefix("-i")
    return ""
