#!/bin/sh
# Process of a pane: run one command in the foreground and record its start, heartbeat and end.
#
#   supervisor.sh <session folder> <run id> <mode> [seconds between heartbeats]
#
# In the folder it finds command.sh (the shell line), environment (what to export; read once, then removed) and,
# where they exist, stdin (fed to the command), limits.sh (kept running beside the command) and after-end.sh (run at
# the end, without the terminal). It writes start, heartbeat and done.txt, and removes the folders secrets and .beat at
# the end.
# Nothing secret is in its own arguments or environment, and no shell is left behind when the command has ended.

folder=$1
run_id=$2
mode=$3
beat_every=${4:-5}
hung_up=
terminal=
[ ! -t 0 ] || terminal=yes
agent_umask=$(umask)
umask 077
set -C # `>` never opens an existing file, so it never writes through a symlink

# Two shells share the work. This one leads the terminal's session: when it is hung up, ended or killed, the kernel
# hangs up the command. The other one (`attend`) survives that and records how the command took it. Keys typed into
# the pane are for the command: both outlive Ctrl-C and Ctrl-\. A caught signal is back to its default in the
# command; an ignored one stays ignored, which for Ctrl-Z is meant: no shell could resume the command.
trap : INT QUIT
trap '' TSTP

# remove <name>...: remove entries of the folder; most often there are none, and no program is started
remove() {
  for name; do
    if [ -e "$folder/$name" ] || [ -L "$folder/$name" ]; then rm -rf "$folder/$name"; fi
  done
}

# record <name> <text>: write the file atomically
record() {
  remove ".$1.tmp" "$1"
  { printf '%s\n' "$2" >"$folder/.$1.tmp"; } 2>/dev/null || return 0
  mv -f "$folder/.$1.tmp" "$folder/$1" 2>/dev/null
}

beat() {
  trap '' INT QUIT
  shell=bash # it can wait without a child, dash cannot
  command -v bash >/dev/null 2>&1 || shell=/bin/sh
  unset BASH_ENV ENV
  export LC_ALL=C
  exec $shell "${0%/*}/heartbeat.sh" "$folder" $$ "$beat_every"
}

run() {
  umask "$agent_umask"
  set +C
  if [ -f "$folder/environment" ]; then
    . "$folder/environment"
    rm -f "$folder/environment"
  fi
  # last, and without the caller's start-up files (BASH_ENV), which are for the agent's own shells
  [ -z "${LISA_PROJECT_ROOT-}" ] || cd "${LISA_WORKTREE:-$LISA_PROJECT_ROOT}" || exit 126
  shell='bash -p'
  command -v bash >/dev/null 2>&1 || shell=/bin/sh
  if [ -f "$folder/stdin" ]; then
    exec $shell "$folder/command.sh" <"$folder/stdin"
  fi
  exec $shell "$folder/command.sh"
}

attend() {
  trap : INT QUIT TERM
  trap 'hung_up=yes' HUP
  now=$(date +%s)
  printf '\r\n__LISA_SESSION_START__:%s:%s\r\n' "$run_id" "$now"
  record start "$run_id $$ $now"
  [ -z "$hung_up" ] || finish 129
  (run)
  code=$?
  # a program that ends by itself because its terminal is gone has any code: Python has 120; the signal may come later
  [ -z "$terminal" ] || [ -t 0 ] || hung_up=yes
  [ -z "$hung_up" ] || [ "$code" = 0 ] || [ "$code" -gt 128 ] || code=129
  finish "$code"
}

# finish <code>: record the end and exit
finish() {
  trap '' TTOU # a command that kept the terminal must not stop the final output
  remove secrets .beat
  record done.txt "$run_id:$1"
  for pipe in "$folder"/dialogs/*.pipe; do # hooks that wait for an answer end with the agent
    [ -p "$pipe" ] && printf 'closed\n' 1<>"$pipe"
  done 2>/dev/null
  if [ "$mode" = exec ]; then
    printf '\r\n__LISA_EXEC_DONE__:%s\r\n' "$1"
  fi
  printf '\r\n__LISA_SESSION_DONE__:%s:%s\r\n' "$run_id" "$1"
  if [ -f "$folder/after-end.sh" ]; then # starts what waits for this end; the hang-up of the terminal is not for it
    (trap '' HUP INT QUIT TERM && exec /bin/sh "$folder/after-end.sh") </dev/null >/dev/null 2>&1 &
  fi
  sleep 0.05 # tmux may close the pane of an ended process before it has read the last output
  exit "$1"
}

remove .beat heartbeat done.txt
{ printf '' >"$folder/heartbeat"; } 2>/dev/null
beat </dev/null >/dev/null 2>&1 &
heart=$!
(attend)
code=$?
kill "$heart" 2>/dev/null
[ -f "$folder/done.txt" ] || finish "$code" # the recording shell itself was killed
exit "$code"
