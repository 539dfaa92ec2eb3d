#!/bin/sh
# Heartbeat of a supervisor: change the time of the file `heartbeat` at intervals until the supervisor has ended.
#
#   heartbeat.sh <session folder> <process id of the supervisor> <seconds between beats>
#
# A beat starts no program: it truncates the empty file and waits with `read -t` at a pipe to which nothing is written
# (bash, also 3.2 of macOS; busybox). Only a shell without `read -t` (dash) waits with `sleep`. Where the folder has
# limits.sh or outbox.sh, the process of that script is kept running.

folder=$1
supervisor=$2
every=$3
own=$folder/.beat
beats=0

# runs: succeed if the supervisor has not ended, or is a zombie; every twelfth time also check that it is the parent of
# this shell, as another process may have got its id
runs() {
  kill -0 "$supervisor" || return
  [ $((beats % 12)) = 1 ] || return 0
  if [ -r /proc/self/stat ]; then
    read -r stat </proc/self/stat
    stat=${stat##*) }
    stat=${stat#* }
    [ "${stat%% *}" = "$supervisor" ]
  else
    me=$(exec sh -c 'echo $PPID')
    [ "$(ps -o ppid= -p "$me" | tr -d ' ')" = "$supervisor" ]
  fi
}

# keep NAME: start the process that enforces the limits of the session (limits) or delivers texts (outbox), unless it runs
keep() {
  pid=
  read -r pid <"$folder/$1.pid"
  [ -n "$pid" ] && kill -0 "$pid" || (sh "$folder/$1.sh" </dev/null >/dev/null &)
}

wait_with_read() {
  read -r -t "$every" nothing
}

wait_with_sleep() {
  sleep "$every" &
  pause=$!
  wait "$pause"
}

beat() {
  rm -f "$own/pipe" # it is open
  while beats=$((beats + 1)) && runs; do
    # a removed file is not created again, a symlink not followed
    [ ! -f "$file" ] || [ -L "$file" ] || : >|"$file"
    [ ! -f "$folder/limits.sh" ] || keep limits
    [ ! -f "$folder/outbox.sh" ] || keep outbox
    "$1"
  done
}

exec 2>/dev/null
# under a second name its changes are no events of the session folder, on which others wait
file=$folder/heartbeat
mkdir "$own" && ln "$file" "$own/file" && file=$own/file
can=
mkfifo "$own/pipe" && read -r -t "$every" can <<END
yes
END
if [ "$can" = yes ]; then
  beat wait_with_read <>"$own/pipe"
else
  trap 'kill "$pause"; exit 0' TERM HUP
  beat wait_with_sleep
fi
