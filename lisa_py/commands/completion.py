"""Print the shell completion script."""

from __future__ import annotations

from typing import Annotated

from msgspec import Struct

from lisa_py.contract.command import Command, Flag
from lisa_py.core.context import Context

SHELLS = ("bash", "zsh", "fish")


class Args(Struct, kw_only=True):
    shell: Annotated[str, Flag(help="target shell", choices=SHELLS, positional=True)]


class CompletionResult(Struct, frozen=True, kw_only=True):
    shell: str
    script: str


def run(args: Args, ctx: Context) -> CompletionResult:
    return CompletionResult(shell=args.shell, script=_SCRIPTS[args.shell])


def text(answer: CompletionResult, args: Args) -> str:
    return answer.script


# Each script calls lisa by click's protocol: the words so far go in, `kind,value` lines come out.
_BASH = """\
_lisa_completion() {
    local IFS=$'\\n' line
    COMPREPLY=()
    for line in $(COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD \\
                  _LISA_COMPLETE=bash_complete "$1" 2>/dev/null); do
        case $line in
            dir,*) compopt -o dirnames 2>/dev/null ;;
            file,*) compopt -o default 2>/dev/null ;;
            plain,*) COMPREPLY+=("${line#*,}") ;;
        esac
    done
}
complete -o nosort -F _lisa_completion lisa 2>/dev/null || complete -F _lisa_completion lisa"""

_ZSH = """\
#compdef lisa
_lisa_completion() {
    local -a response plain described
    local kind key text
    response=("${(@f)$(COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1)) \\
                       _LISA_COMPLETE=zsh_complete $words[1] 2>/dev/null)}")
    for kind key text in ${response}; do
        case $kind in
            dir) _path_files -/ ;;
            file) _path_files -f ;;
            plain) [[ $text == _ ]] && plain+=($key) || described+=("$key:$text") ;;
        esac
    done
    (( $#described )) && _describe -V lisa described -U
    (( $#plain )) && compadd -U -V lisa -a plain
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _lisa_completion "$@"; else compdef _lisa_completion lisa; fi"""

_FISH = """\
function _lisa_completion
    for line in (_LISA_COMPLETE=fish_complete COMP_WORDS=(commandline -cp) COMP_CWORD=(commandline -t) lisa 2>/dev/null)
        set -l word (string split -m 1 , -- $line)
        switch $word[1]
            case dir
                __fish_complete_directories $word[2]
            case file
                __fish_complete_path $word[2]
            case plain
                echo $word[2]
        end
    end
end
complete --no-files --command lisa --arguments '(_lisa_completion)'"""

_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}

COMMAND = Command(
    group="programs",
    args=Args,
    answer=CompletionResult,
    run=run,
    text=text,
    example='eval "$(lisa completion bash)"',
    notes="""
Add the line of the example to your shell's start-up file. For zsh: eval "$(lisa completion zsh)"; for fish:
lisa completion fish | source
""",
)
