#!/bin/sh
# The pane's own process: runs one command in the foreground and keeps a true record of its start, life and end.
#
#   supervisor.sh <session folder> <run id> <mode> [seconds between heartbeats]
#
# In the folder it finds command.sh (the shell line), environment (what to export; read once, then removed) and,
# where there is one, stdin (fed to the command). It writes start, heartbeat and done.txt. Nothing secret is in its
# own arguments or environment, and no shell is left behind when the command has ended.

folder=$1
run_id=$2
mode=$3
beat_every=${4:-4}
hung_up=
agent_umask=$(umask)
umask 077
set -C # `>` never opens a file that is there already, so it never writes through a symlink

# Two shells share the work. This one leads the terminal's session: when it is hung up, ended or killed, the kernel
# hangs up the command. The other one (`attend`) survives that and records how the command took it. Keys typed into
# the pane are for the command: both outlive Ctrl-C and Ctrl-\. A caught signal is back to its default in the
# command; an ignored one stays ignored, which for Ctrl-Z is meant: nobody could bring the command back.
trap : INT QUIT
trap '' TSTP

# record <name> <text>: the file is there whole or not at all
record() {
  rm -f "$folder/.$1.tmp"
  { printf '%s\n' "$2" >"$folder/.$1.tmp"; } 2>/dev/null || return 0
  rm -f "$folder/$1"
  mv -f "$folder/.$1.tmp" "$folder/$1" 2>/dev/null
}

# hangs_on <pid>: whether this very (sub)shell is still that process's child, even if that one is only a zombie now
hangs_on() {
  if [ -r /proc/self/stat ]; then
    read -r stat </proc/self/stat
    stat=${stat##*) }
    stat=${stat#* }
    [ "${stat%% *}" = "$1" ]
  else
    me=$(exec sh -c 'echo $PPID')
    [ "$(ps -o ppid= -p "$me" 2>/dev/null | tr -d ' ')" = "$1" ]
  fi
}

beat() {
  trap '' INT QUIT
  trap 'kill "$pause" 2>/dev/null; exit 0' TERM HUP
  while hangs_on "$1"; do
    # -h: a symlink put here is never followed, and a file that is gone is not made again
    touch -h "$folder/heartbeat" 2>/dev/null
    sleep "$beat_every" &
    pause=$!
    wait "$pause"
  done
}

run() {
  umask "$agent_umask"
  set +C
  if [ -f "$folder/environment" ]; then
    . "$folder/environment"
    rm -f "$folder/environment"
  fi
  shell=bash
  command -v bash >/dev/null 2>&1 || shell=/bin/sh
  if [ -f "$folder/stdin" ]; then
    exec "$shell" "$folder/command.sh" <"$folder/stdin"
  fi
  exec "$shell" "$folder/command.sh"
}

attend() {
  trap : INT QUIT TERM
  trap 'hung_up=yes' HUP
  now=$(date +%s)
  printf '\r\n__LISA_SESSION_START__:%s:%s\r\n' "$run_id" "$now"
  record start "$run_id $$ $now"
  [ -z "$hung_up" ] || finish 129
  (run)
  finish $?
}

# finish <code>: make the end known, then leave
finish() {
  trap '' TTOU # a command that kept the terminal must not stop the farewell
  record done.txt "$run_id:$1"
  if [ "$mode" = exec ]; then
    printf '\r\n__LISA_EXEC_DONE__:%s\r\n' "$1"
  fi
  printf '\r\n__LISA_SESSION_DONE__:%s:%s\r\n' "$run_id" "$1"
  sleep 0.05 # tmux may close the pane of an ended process before the terminal has handed over its last words
  exit "$1"
}

rm -f "$folder/heartbeat" "$folder/done.txt"
{ printf '' >"$folder/heartbeat"; } 2>/dev/null
beat $$ </dev/null >/dev/null 2>&1 &
heart=$!
(attend)
code=$?
kill "$heart" 2>/dev/null
[ -f "$folder/done.txt" ] || finish "$code" # the witness itself was killed
exit "$code"
