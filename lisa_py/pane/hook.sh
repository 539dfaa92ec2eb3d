#!/bin/sh
# Hook of an agent: append one line to the session's hooks.jsonl, quickly, and never fail.
#
#   hook.sh <session folder> <event> [payload]
#
# The payload is the agent's JSON object: the third argument, or else standard input. A large one is reduced to the
# ids of the conversation. `pid` is the agent: the nearest parent that is not a shell. The environment is not written
# anywhere.

LC_ALL=C
export LC_ALL
folder=$1
event=$2
file=$folder/hooks.jsonl
most=32768
umask 077

if [ $# -ge 3 ]; then
  payload=$3
else
  # the writer must not get a closed pipe: input over the limit is read and dropped
  payload=$(head -c $((most + 1)); cat >/dev/null)
fi
{ [ -d "$folder" ] && [ ! -L "$file" ]; } || exit 0

# text_of <key>: print the plain string value of a key near the top, else nothing
text_of() {
  rest=${top#*\"$1\"}
  [ "$rest" = "$top" ] && return
  rest=${rest#*:}
  rest=${rest#*\"}
  case ${rest%%\"*} in
    *\\* | "$rest") ;;
    *) printf '%s' "${rest%%\"*}" ;;
  esac
}

if [ ${#payload} -gt $most ]; then
  top=$(printf '%.2048s' "$payload")
  payload="{\"session_id\":\"$(text_of session_id)\",\"transcript_path\":\"$(text_of transcript_path)\",\"cut\":true}"
fi
case $payload in
  *'
'*) payload=$(printf '%s' "$payload" | tr '\r\n' '  ') ;;
esac
case $payload in
  '{'*'}') ;;
  *) payload='{}' ;;
esac

# the rules of a session that has some decide without a person
rule=$folder/rule.$event
if [ -f "$rule" ]; then
  said=$(printf '%s' "$payload" | /bin/sh "$rule" 2>/dev/null)
  [ -z "$said" ] || { printf '%s\n' "$said"; exit 0; }
fi

at=$(date +%s.%N)
case $at in
  *[!0-9.]*) at=$(date +%s) ;; # a date that does not know %N
esac
agent=$PPID
while read -r stat <"/proc/$agent/stat"; do
  name=${stat#*(}
  case ${name%)*} in
    sh | bash | dash | ash | ksh | mksh | zsh | fish | busybox) ;;
    *) break ;;
  esac
  parent=${stat##*) }
  parent=${parent#* }
  agent=${parent%% *}
done 2>/dev/null
[ -n "$stat" ] || agent=0 # no /proc: unknown
line="{\"hook\":\"$event\",\"at\":$at,\"pid\":$agent,\"payload\":$payload}"

if [ ${#line} -lt 4000 ]; then
  printf '%s\n' "$line" >>"$file"
else
  # in one write, so that lines of hooks that run at the same time do not mix
  part=$folder/.hook.$$
  rm -f "$part"
  set -C
  printf '%s\n' "$line" >"$part" && cat "$part" >>"$file"
  rm -f "$part"
fi 2>/dev/null
exit 0
