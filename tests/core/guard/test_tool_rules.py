"""core/guard/tool_rules: decisions about tool calls by patterns and permission mode."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lisa_py.core.guard import shell_stages, tool_rules
from lisa_py.core.guard.call_rules import RequestedCall
from lisa_py.core.guard.session_rules import ToolRules


def decide(tool: str, allowed: str = "", denied: str = "", mode: str = "", **call: Any) -> str:
    rules = ToolRules(allowed=tuple(allowed.split("|")) if allowed else (),
                      denied=tuple(denied.split("|")) if denied else (), permission_mode=mode)  # fmt: skip
    return tool_rules.decide(rules, RequestedCall(tool=tool, given=call)).decision


def bash(command: str, allowed: str = "", denied: str = "", mode: str = "") -> str:
    return decide("Bash", allowed, denied, mode, command=command)


@pytest.mark.parametrize(
    ("command", "decision"),
    [
        ("git status", "allow"),
        ("git", "allow"),
        ("nohup timeout 30 X=1 git log", "allow"),
        ("gitk", "ask"),
        ("git status && rm -rf /", "ask"),
        ("git  status\t-s", "allow"),
        ("git log | git shortlog; git diff", "allow"),
        ("git log\ngit diff", "allow"),
        ("git log\\\n --oneline", "allow"),
        ("git commit -m 'a && b; c | d'", "allow"),
        ('git commit -m "a && b; {c} | (d)"', "allow"),
        ("git log > out.txt 2>&1", "allow"),
        ("git log &> out.txt", "allow"),
        ("git log >| out.txt", "allow"),
        ("git commit -m \"$(cat f)\"", "ask"),
        ("git commit -m \"`cat f`\"", "ask"),
        ("git log $(rm f)", "ask"),
        ("git diff <(a) >(b)", "ask"),
        ("(git log)", "ask"),
        ("{ git log; }", "ask"),
        ("git log & rm x", "ask"),
        ("git log |& rm x", "ask"),
        ("git log || rm x", "ask"),
        ("git log # && rm x", "allow"),
        ("git log # it's\nrm x", "ask"),
        ("git log $'\\''; rm x #'", "ask"),
        ("git log 'unclosed", "ask"),
        ("git log <<E\nit's; rm x\nE\ngit diff", "allow"),
        ("git log <<E\n$(rm x)\nE", "ask"),
        ("git log <<'E'\n$(rm x)\nE", "allow"),
        ("git log <<E\nnever ended", "ask"),
        ('git log <<"E\\"OF"\nE"OF\nrm x', "ask"),
        ("git log <<E'X'\nEX\nrm x", "ask"),
        ("git log \\>& rm x", "ask"),
        ("git log \\<& rm x", "ask"),
        (">out git log", "allow"),
        ("2> out < in git log", "allow"),
        ("> out", "ask"),
        ("<<< git rm x", "ask"),
        ("A=<<< git rm x", "ask"),
        ("A=>git rm x", "ask"),
        ("git>out log", "allow"),
        ("<<<git rm x", "ask"),
        (">& git rm x", "ask"),
        ("<<E git log\nrm x\nE", "allow"),
        ("'git status'", "ask"),
        ("xargs git log", "allow"),
        ("xargs -n1 git log", "ask"),
        ("timeout -k 5 --signal=KILL 30 git log", "allow"),
        ("stdbuf -oL -e 0 nice -n 5 time -p git log", "allow"),
        ("timeout 30", "ask"),
        ("A='x y' B= git log", "allow"),
        ("A=$(rm x) git log", "ask"),
        ("GIT_PAGER=cat git log", "allow"),
        ("GIT_EDITOR='rm x' git commit", "ask"),
        ("GIT_SSH_COMMAND=./x git fetch", "ask"),
        ("A=1 LD_PRELOAD=./x.so git log", "ask"),
        ("PATH=.:$PATH git log", "ask"),
        ("timeout 30 BASH_ENV=x git log", "ask"),
        ("sudo git log", "ask"),
        ("", "ask"),
        ("   \n ;", "ask"),
    ],
)  # fmt: skip
def test_allowed_prefix_covers_every_stage_or_nothing(command: str, decision: str) -> None:
    assert bash(command, "Bash(git:*)") == decision


@pytest.mark.parametrize(
    ("command", "denied", "decision"),
    [
        ("ls && rm -rf /", "Bash(rm:*)", "deny"),
        ("timeout 30 kubectl delete pod x", "Bash(kubectl delete:*)", "deny"),
        ("kubectl get pod", "Bash(kubectl delete:*)", "allow"),
        ("cat $(rm f)", "Bash(rm:*)", "deny"),
        ("(ls; rm x)", "Bash(rm:*)", "deny"),
        ("echo \"$(cat <<'E'\nit's\nE\n)\" && rm -rf /", "Bash(rm:*)", "deny"),
        ("echo `a` ; rm x", "Bash(rm:*)", "deny"),
        ("echo $'\\''; rm x #'", "Bash(rm:*)", "deny"),
        ("ls # it's\nrm x", "Bash(rm:*)", "deny"),
        ("cat <<E\nit's\nE\nrm x", "Bash(rm:*)", "deny"),
        ("r\\\nm x", "Bash(rm:*)", "deny"),
        ("ls \\>& rm x", "Bash(rm:*)", "deny"),
        (">out rm x", "Bash(rm:*)", "deny"),
        ("rm&>out x", "Bash(rm:*)", "deny"),
        ("if true; then timeout 3 rm x; fi", "Bash(rm:*)", "deny"),
        ("! rm x", "Bash(rm:*)", "deny"),
        ("for x in a; do A=1 rm x; done", "Bash(rm:*)", "deny"),
        ("echo if rm x", "Bash(rm:*)", "allow"),
        ("rm>out x", "Bash(rm:*)", "deny"),
        ("ls |&>out rm x", "Bash(rm:*)", "deny"),
        ("(ls # it's\n); rm x", "Bash(rm:*)", "deny"),
        ("'rm' x", "Bash(rm:*)", "deny"),
        ("\\rm x", "Bash(rm:*)", "deny"),
        ("rm\t-rf x", "Bash(rm:*)", "deny"),
        ("ls | xargs rm", "Bash(rm:*)", "deny"),
        ("echo 'rm x'", "Bash(rm:*)", "allow"),
        ("echo a", "Bash", "deny"),
        ("ls 2>&1 | rm", "Bash(rm:*)", "deny"),
    ],
)
def test_denied_prefix_hits_any_stage_in_every_mode(command: str, denied: str, decision: str) -> None:
    assert bash(command, denied=denied, mode="bypassPermissions") == decision
    assert bash(command, "Bash", denied, "acceptEdits") == decision


# fmt: off
DENIED = (
    'rm $(f)',
    '(rm x)',
    '{ rm x; }',
    'echo $(rm x)',
    'echo `rm x`',
    'cat <(rm x)',
    "bash -c 'rm x'",
    'sh -ec "rm x"',
    'eval rm x',
    'env A=1 rm x',
    'sudo rm x',
    'xargs rm',
    'find . -exec rm {} +',
    'nohup rm x',
    'time rm x',
    'nice -n 5 rm x',
    'timeout 5 rm x',
    'if true; then rm x; fi',
    '! rm x',
    '\\rm x',
    '"rm" x',
    '/bin/rm x',
    'A=1 rm x',
    'f() { rm x; }; f',
    'function f { rm x; }',
    'ls & rm x',
    'case $1 in a) rm x;; esac',
    'case $1 in (a) rm x;; esac',
    'for x do rm x; done',
    'for ((i=0;i<3;i++)) { rm x; }',
    'while read l; do rm "$l"; done',
    'echo "$(echo "$(rm x)")"',
    'echo "`rm x`"',
    'echo ${X:-$(rm x)}',
    'echo ${X:- #}; rm x',
    "bash <<< 'rm x'",
    "bash -o pipefail -c 'rm x'",
    "su - me -c 'rm x'",
    "ssh host 'rm x'",
    "watch -n 1 'rm x'",
    "env -S 'rm x'",
    'env - rm x',
    'sudo -nu root rm x',
    'sudo --user=root bash -lc "cd /; rm x"',
    'find . -name x -exec sh -c \'rm "$1"\' _ {} \\;',
    "trap 'rm x' EXIT",
    "alias l='rm x'",
    'exec rm x',
    'command rm x',
    'coproc rm x',
    'coproc N { rm x; }',
    'parallel rm ::: a',
    "parallel ::: 'rm x'",
    'uv run rm x',
    'busybox rm x',
    'git >out log; rm>out x',
    'rm',
    'if (true) then rm x; fi',
    'while [[ a ]] do rm x; done',
    '[[ $(rm x) ]]',
    'A=$(rm x)',
    'export A=$(rm x)',
    '((rm x); ls)',
    'echo $(( $(rm x) + 1 ))',
    'A=($(rm x))',
    'nice nohup timeout -k 5 3 sudo env -i rm x',
    "xargs -I{} -P 4 sh -c 'rm {}'",
    '$"rm" x',
    "r''m x",
    'ls |& rm',
    'echo "${X:-`rm x`}"',
    'true && { false || (cd x; rm y); }',
    'ls\nrm x',
    'rm \\\n x',
    'r\\\nm x',
    'bash <<E\nrm x\nE',
    'cat <<E\n$(rm x)\nE',
    "(ls)#'\nrm x\n#'",
    '$(ls\nrm x)',
    'time -p ! rm x',
    'time { rm x; }',
    'time if true; then rm x; fi',
    'if [[ a == b || c ]] then rm x; fi',
    '[[ a || b ]] && rm x',
    'f ( ) { rm x; }; f',
    'f( ) { rm x; }',
    'function f ( ) { rm x; }',
    'eval -- rm x',
    "trap -- 'rm x' EXIT",
    "let 'a[$(rm x)]=1'",
    "declare 'a[$(rm x)]=1'",
    "[ -v 'a[$(rm x)]' ]",
    "[[ -v 'a[`rm x`]' ]]",
    "printf -v 'a[$(rm x)]' y",
    "x='a[$(rm x)]'; echo $((x))",
    "x='$(rm x)'; echo \"${x@P}\"",
    "PS4='$(rm x)'; set -x; ls",
    "PROMPT_COMMAND='rm x' bash -i",
    "GIT_SSH_COMMAND='rm x' git fetch",
    "EDITOR='rm x' git commit",
    "env 'BASH_FUNC_ls%%=() { rm x; }' bash -c ls",
    'env a.b=1 rm x',
    "env 'a b=c' -- rm x",
    "env -S '-i rm x'",
    'jobs -x rm x',
    'hash -p /bin/rm l; l x',
    "compgen -C 'rm x'",
    "mapfile -C 'rm x' -c 1 a <<< b",
    "bind -x '\"a\": rm x'",
    'find . -exec echo + \\; -exec rm {} +',
    'fd --exec=rm',
    'fd -Hx rm',
    'fd -xrm',
    "bash <<-E\n\trm x\n\tE",
    'bash 0<<< \'rm x\'',
    "sudo -i <<< 'rm x'",
    "ssh host <<< 'rm x'",
    "su <<E\nrm x\nE",
    "at now <<< 'rm x'",
    "ash-1.2 -c 'rm x'",
    "rbash -c 'rm x'",
    "csh -c 'rm x'",
    "bash-5.2 -c 'rm x'",
    'pkexec --user root rm x',
    'setpriv --reuid=1 --clear-groups rm x',
    'bwrap --dev-bind / / rm x',
    'nsenter -t 1 -m rm x',
    'docker run --rm -v a:b image rm x',
    'docker -H h compose exec web rm x',
    'kubectl -n x exec pod -- rm x',
    'git -C d bisect run rm x',
    'npm exec -- rm x',
    'uv --quiet run rm x',
    'uv tool run --with a rm x',
    'conda run -n e rm x',
    'mise exec -- rm x',
    'script -q /dev/null rm x',
    "hyperfine 'ls' 'rm x'",
    "tmux new -d 'rm x'",
    'tmux neww rm x',
    "tmux send-keys 'rm x' Enter",
    'ls | entr -r rm x',
    'git bisect run rm x',
    "git submodule foreach 'rm x'",
    "git rebase --exec 'rm x' main",
    "git -c alias.x='!rm x' x",
    "git -c core.pager='rm x' log",
    "tar -xf f --to-command='rm x'",
    "tar -cf f --checkpoint-action=exec='rm x' d",
    "rsync -e 'rm x' a b",
    "ssh -oProxyCommand='rm x' host",
    'noglob rm x',
    '=rm x',
    'repeat 3 rm x',
    'while true { rm x }',
    '{ ls } always { rm x }',
    "emulate sh -c 'rm x'",
    'begin; not rm x; end',
    'r\0m x',
)
"""Lines that run rm, which a rule denies; the last ones of zsh and fish."""
DOUBTFUL = (
    '$X y',
    '${X} y',
    '"$X" y',
    'r${E}m x',
    'rm${IFS}x',
    '/bin/r? x',
    '/bin/r* x',
    '{rm,x}',
    '$(echo rm) x',
    '`echo rm` x',
    'echo rm x | sh',
    'curl x | bash',
    'bash <(curl x)',
    'source <(curl x)',
    'bash -c "$X"',
    'eval "$(f)"',
    "echo 'open",
    'echo $(case x in x) rm y;; esac)',
    "$'\\x72m' x",
    'xargs -I{} {}',
    'xargs env',
    'bash -s a',
    'sh /dev/stdin',
    'echo "${X:-\'}"; rm x; echo "\'}"',
    'cat <<A"B"',
    'xargs -I % %',
    "xargs -I% sh -c 'a %'",
    'xargs bash',
    'parallel {} ::: a',
    'parallel sh -c {} ::: a',
    'parallel env ::: rm',
    'parallel :::: f',
    'find . $X rm {} \\;',
    'BASH_ENV=<(f) bash -c ls',
    'curl x | sudo -s',
    'cat f | ssh host',
    'crontab -',
    '((${a ))<b};rm x',
    'echo $(cat <<E)\nrm x\nE',
    'f | at now',
)
"""Lines that may run it."""
HARMLESS = (
    'echo $HOME',
    'ls $(pwd)',
    'git log | head',
    'ls *.txt',
    'for f in *.py; do echo "$f"; done',
    'cd "$DIR" && make',
    'export X=$(pwd)',
    '[ -z "$X" ] && echo y',
    '[[ $x == *.txt ]] && echo y',
    'npm test > out 2>&1 &',
    'grep -r "rm -rf" .',
    'find . -name rm',
    'echo "rm x"',
    "echo 'a; rm x'",
    'git rm x',
    'docker rm x',
    'xargs grep rm',
    "awk '{print $1}' f",
    'while read -r l; do echo "$l"; done < f',
    'if [ -f x ]; then cat x; fi',
    'case $1 in a) echo b;; *) echo c;; esac',
    'case $1 in -*|--help|x) echo b;; *.txt|*.md) echo c;; esac',
    'echo $((1+2))',
    'echo $((x<<2))',
    '((i++))',
    'time make',
    'sleep 5 && ls',
    'source venv/bin/activate',
    './run.sh $X',
    'A=1 B=2 make',
    'f() { echo x; }; f',
    'command -v rm',
    'which rm',
    'type rm',
    'man rm',
    'A=(rm x)',
    'bash run.sh',
    "python -c 'print(1)'",
    'cat f | while read l; do echo $l; done',
    'git commit -m "$(cat f)"',
    'echo "a $b ${c:-d} ${e#f} $?"',
    'ls # rm x',
    'env | grep rm',
    'echo {a,b}',
    "find . -name '*.py' -exec grep -l x {} +",
    'ps aux | xargs -n1 echo',
    'sudo -u rm ls',
    'echo a#b',
    'cat > f <<E\nrm x\nE',
    "cat <<'E' > f\n$(rm x)\nE\necho",
    "python3 - <<'E'\nprint('rm x')\nE",
    'xargs -I{} cp {} out/',
    'ls | xargs -I% mv % x',
    'parallel -j4 gzip {} ::: *.txt',
    '[[ $a == *.rm || $b ]] && echo x',
    'docker run -v $(pwd):/x -e A=$B image make',
    'docker ps | grep rm',
    'ssh -T git@example.org',
    'git -c user.name="$N" -c user.email=a@b commit -m x',
    'GIT_EDITOR=true git rebase --continue',
    'tar -I zstd -xf a.tar.zst',
    'rsync -av -e ssh a b',
    'tmux kill-session -t rm',
    "tmux new -d -s a 'npm test'",
    'find $DIR -type f',
    'find . -exec echo + rm \\;',
    'fd -e py -x wc -l',
    "sed 's/[$(]//' f",
    "grep '[`\"]' f",
    "awk '{ a[$(NF)]++ }' f",
    'jobs -l; hash -r; at -l; crontab -l; trap - EXIT',
    'sudo -l',
    'uv run pytest tests/x.py::test_a',
    'echo { rm x',
    'parallel echo ::: rm',
)
"""Lines that do not."""
# fmt: on


@pytest.mark.parametrize("line", DENIED)
def test_denied_program_is_found_wherever_a_line_hides_it(line: str) -> None:
    assert bash(line, "Bash", "Bash(rm:*)", "bypassPermissions") == "deny"
    assert bash(line, "Bash", "Bash(rm:*)") == "deny"


@pytest.mark.parametrize("line", DOUBTFUL)
def test_unreadable_line_is_asked_about_or_denied(line: str) -> None:
    assert bash(line, "Bash", "Bash(rm:*)", "acceptEdits") == "ask"
    assert bash(line, "Bash", "Bash(rm:*)", "bypassPermissions") == "deny"
    assert bash(line, "Bash", "Write", "bypassPermissions") == "allow", "no rule denies a command"


@pytest.mark.parametrize("line", HARMLESS)
def test_harmless_line_is_not_denied_by_another_rule(line: str) -> None:
    assert bash(line, "Bash", "Bash(rm:*)") == "allow"
    assert bash(line, "", "Bash(rm:*)|Bash(git push:*)", "bypassPermissions") == "allow"


def test_second_word_of_a_denied_prefix_may_be_hidden() -> None:
    assert bash("git $X", "Bash", "Bash(git push:*)") == "ask"
    assert bash("xargs git", "Bash", "Bash(git push:*)") == "ask"
    assert bash("git log $X", "Bash", "Bash(git push:*)") == "allow"
    assert bash("git >out push", "Bash", "Bash(git push:*)") == "deny"


def test_reason_names_the_rule_and_the_command() -> None:
    rules = ToolRules(allowed=("Bash",), denied=("Write", "Bash(rm:*)"))
    verdict = tool_rules.decide(rules, RequestedCall(tool="Bash", given={"command": "echo $(rm -rf x)"}))
    assert verdict.reason == "a rule of this session denies Bash(rm:*); this call runs: rm -rf x"
    verdict = tool_rules.decide(rules, RequestedCall(tool="Bash", given={"command": "ls; $X y"}))
    assert verdict.reason == (
        "a rule of this session denies Bash(rm:*), and this call may be one: "
        "what it runs is only known when it runs ($X); write it plainly"
    )


def test_command_given_as_words_is_read_for_denials() -> None:
    assert decide("Bash", "Bash", "Bash(rm:*)", command=["bash", "-lc", "rm x"]) == "deny"
    assert decide("Bash", "Bash", "Bash(rm:*)", command=["echo", "rm x"]) == "allow"
    assert decide("Bash", "Bash", "Bash(rm:*)") == "ask", "its input is not known"


def test_run_without_dialogs_denies_what_it_cannot_read() -> None:
    rules = ToolRules(allowed=("Bash",), denied=("Bash(rm:*)",), unattended=True)
    assert tool_rules.decide(rules, RequestedCall(tool="Bash", given={"command": "$X"})).decision == "deny"


@pytest.mark.parametrize("piece", ["$(", "((", "sudo ", "sudo --a --b ", "for do ", "(a ", "`", "x|", "${"])
def test_endless_line_is_read_in_bounded_time(piece: str) -> None:
    line = piece * (20_000 // len(piece))
    started = time.process_time()
    assert bash(line, "Bash", "Bash(rm:*)") in ("ask", "allow")
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("tool", "allowed", "denied", "mode", "decision"),
    [
        ("Read", "Read", "", "", "allow"),
        ("Read", "read", "", "", "ask"),
        ("Read", "Read", "Read", "bypassPermissions", "deny"),
        ("ReadMore", "Read", "Read", "", "ask"),
        ("Write", "", "", "acceptEdits", "allow"),
        ("Edit", "", "", "acceptEdits", "allow"),
        ("NotebookEdit", "", "", "acceptEdits", "allow"),
        ("MultiEdit", "", "", "acceptEdits", "allow"),
        ("Bash", "", "", "acceptEdits", "ask"),
        ("WebFetch", "", "", "acceptEdits", "ask"),
        ("Write", "", "", "plan", "ask"),
        ("Read", "", "", "plan", "allow"),
        ("Bash", "", "", "plan", "ask"),
        ("Write", "Write", "", "plan", "allow"),
        ("Bash", "", "", "bypassPermissions", "allow"),
        ("Write", "", "", "", "ask"),
        ("mcp__github__push", "mcp__github", "", "", "allow"),
        ("mcp__github__push", "mcp__github__push", "", "", "allow"),
        ("mcp__github__push", "mcp__github__pull", "", "", "ask"),
        ("mcp__githubx__push", "mcp__github", "", "", "ask"),
        ("mcp__github__push", "mcp__github", "mcp__github__push", "bypassPermissions", "deny"),
        ("AskUserQuestion", "AskUserQuestion", "", "bypassPermissions", "ask"),
        ("AskUserQuestion", "", "AskUserQuestion", "", "deny"),
    ],
)
def test_order_is_deny_allow_mode(tool: str, allowed: str, denied: str, mode: str, decision: str) -> None:
    assert decide(tool, allowed, denied, mode) == decision


def test_malformed_input_needs_a_decision() -> None:
    assert decide("Bash", "Bash(git:*)", command=["git"]) == "ask"
    assert decide("Bash", "Bash(git:*)") == "ask"


@pytest.mark.parametrize(
    ("command", "patterns"),
    [
        ("touch a b", ("Bash(touch:*)",)),
        ("git push --force", ("Bash(git push:*)",)),
        ("git", ("Bash(git:*)",)),
        ("timeout 5 A=1 npm run test -- x", ("Bash(npm run:*)",)),
        ("cargo build && cargo test && cargo build -v", ("Bash(cargo build:*)", "Bash(cargo test:*)")),
        ("cat $(ls)", ()),
        ("(ls)", ()),
        ("A=1", ()),
        ("", ()),
    ],
)
def test_pattern_of_a_session_covers_the_call(command: str, patterns: tuple[str, ...]) -> None:
    found = tool_rules.derive_patterns("Bash", {"command": command})
    assert found == patterns
    rules = ToolRules(allowed=found)
    assert (
        not found
        or tool_rules.decide(rules, RequestedCall(tool="Bash", given={"command": command})).decision == "allow"
    )


def test_pattern_of_other_tools_is_the_tool_name() -> None:
    assert tool_rules.derive_patterns("Write", {"file_path": "x"}) == ("Write",)
    assert tool_rules.derive_patterns("mcp__a__b", {}) == ("mcp__a__b",)
    assert tool_rules.derive_patterns("AskUserQuestion", {}) == ()


def test_given_pattern_counts_only_if_it_covers_the_call() -> None:
    assert tool_rules.covers("Bash(git push:*)", "Bash", {"command": "git push -f"})
    assert not tool_rules.covers("Bash(git pull:*)", "Bash", {"command": "git push -f"})
    assert not tool_rules.covers("Bash(git push", "Bash", {"command": "git push -f"})


@pytest.mark.parametrize("text", ["Read", "Bash", "Bash(git:*)", "Bash(kubectl delete:*)", "mcp__a", "mcp__a-b__c.d"])
def test_pattern_of_the_contract_is_accepted(text: str) -> None:
    assert tool_rules.is_pattern(text)


@pytest.mark.parametrize("text", ["", " ", "Bash(git)", "Bash(git *)", "Bash(:*)", "Bash( git:*)", "Read(x:*)", "a b"])
def test_malformed_pattern_is_refused(text: str) -> None:
    assert not tool_rules.is_pattern(text)


@settings(deadline=None)
@given(st.text(alphabet="abr'\"\\$(){}`;|&<>\n\t #E=", max_size=40))
def test_any_line_is_read(line: str) -> None:
    rest = iter(line)
    for stage in shell_stages.split_stages(line):
        assert all(char in rest for word in stage.words for char in word), "the words are parts of the line, in order"
    assert bash(line, "Bash(git:*)", "Bash(rm:*)") in ("allow", "deny", "ask")


@given(st.text(max_size=40))
def test_quoted_word_stays_one_word(text: str) -> None:
    (stage,) = shell_stages.split_stages(f"echo {shlex.quote(text)}")
    assert (stage.values, stage.opaque) == (("echo", text), False)


@given(st.text(max_size=30), st.sampled_from(["&&", "||", ";", "|", "&", "|&", "\n"]))
def test_denied_command_is_found_behind_any_word(text: str, operator: str) -> None:
    assert bash(f"echo {shlex.quote(text)} {operator} rm x", denied="Bash(rm:*)", mode="bypassPermissions") == "deny"


def test_deep_nesting_is_opaque() -> None:
    assert bash("echo " + "$(" * 5000, "Bash(echo:*)") == "ask"


PIECES = ("echo", "rm", " ", "'", '"', "\\", "(", ")", "{", "`", "$(", "$'", ";", "|", "&", "<", ">", "\n", "#", "E",
          "<<E", "\nE\n", "A=", "<<<", "2", "timeout 3 ", "xargs ")  # fmt: skip
GRAMMAR = ("if true; then ", "fi", "case a in ", "a) ", "esac", ";;", "for x in a; do ", "done", "eval ", "{ ", "}",
           "((", "))", "[[ ", " ]]", "f()", "! ", "$X", "${X:-", "*", "function f ", "=(", "time ", "-p ", "coproc ",
           "command ", "builtin ", "exec ", "bash -c ", "\\\n", "${", "@P}", "a[", "]", "let ", "f ( ) ",
           "trap ", "-- ", "X=", "declare ", "$((", "{fd}>", "f;")  # fmt: skip


@pytest.mark.skipif(not shutil.which("bash"), reason="compares with bash")
@settings(deadline=None, max_examples=80)
@given(st.lists(st.sampled_from(PIECES), max_size=10), st.sampled_from(["rm x", "\nrm x", ";rm x", " x"]))
def test_allowed_line_runs_nothing_else_in_bash(pieces: list[str], end: str) -> None:
    line = "echo " + "".join(pieces) + end
    if bash(line, "Bash(echo:*)") == "allow":
        assert not runs_rm(line), line


@pytest.mark.skipif(not shutil.which("bash"), reason="compares with bash")
@settings(deadline=None, max_examples=80)
@given(st.lists(st.sampled_from((*PIECES, *GRAMMAR)), max_size=8), st.sampled_from(["rm x", "\nrm x", ";rm x", " x"]))
def test_line_that_runs_a_denied_program_is_not_allowed(pieces: list[str], end: str) -> None:
    line = "".join(pieces) + end
    if bash(line, "Bash", "Bash(rm:*)", "bypassPermissions") == "allow":
        assert not runs_rm(line), line


def runs_rm(line: str) -> bool:
    """Return True if bash runs the program rm; no other program is on its PATH."""
    with tempfile.TemporaryDirectory() as folder:
        program, mark, work = Path(folder, "bin", "rm"), Path(folder, "mark"), Path(folder, "work")
        program.parent.mkdir()
        work.mkdir()
        program.write_text(f"#!/bin/sh\n: >'{mark}'\n")
        program.chmod(0o700)
        subprocess.run(
            ["/usr/bin/env", "-i", f"PATH={program.parent}", shutil.which("bash") or "bash", "--norc", "-c", line],
            cwd=work, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False,
        )  # fmt: skip
        return mark.exists()


def test_comparison_with_bash_sees_a_second_command() -> None:
    assert runs_rm("echo a; rm x") and not runs_rm("echo 'a; rm x'")
