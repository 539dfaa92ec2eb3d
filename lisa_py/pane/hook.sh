#!/bin/sh
# Hook of an agent: append one line to the session's hooks.jsonl, quickly, and never fail.
#
#   hook.sh [--wait] <session folder> <event> [payload]
#
# The payload is the agent's JSON object: the third argument, or else standard input. A large one is reduced to the
# ids of the conversation and of the call. `pid` is the agent: the nearest parent that is not a shell. The environment
# is not written anywhere.
#
# With --wait it then waits for the decision about a dialog and prints it for the agent: dialogs/KEY.json is the
# dialog, the first line of dialogs/KEY.decision what to print. It blocks on the pipe dialogs/KEY.pipe and prints
# nothing if `closed` is written to it: by a later hook, the supervisor or lisa.
#
# Where the folder has rule.EVENT, that program decides first; a call that it decides is not recorded, unless it ends with
# 3: the agent asks about it. Where it fails, it denies the tools that the rules of the session deny; other calls are
# asked about. rule.closed records that a dialog was answered with keys in the pane.

LC_ALL=C
export LC_ALL
waits=
if [ "$1" = --wait ]; then
  waits=yes
  shift
fi
folder=$1
event=$2
file=$folder/hooks.jsonl
dialogs=$folder/dialogs
most=32768
umask 077

if [ $# -ge 3 ]; then
  raw=$3
  payload=$raw
else
  # the writer must not get a closed pipe: all is read, and over the limit only the end is kept, which has an id
  mark=$(printf '\035') # never in JSON
  raw=$(head -c $((most + 1)); printf '\035'; tail -c 512)
  payload=${raw%"$mark"*}
  payload=${payload%'
'}
fi
{ [ -d "$folder" ] && [ ! -L "$file" ]; } || exit 0

# text_of <key> <text>: print the plain string value of a key in a text, else nothing
text_of() {
  rest=${2#*\"$1\"}
  [ "$rest" = "$2" ] && return
  rest=${rest#*:}
  rest=${rest#*\"}
  case ${rest%%\"*} in
    *\\* | "$rest") ;;
    *) printf '%s' "${rest%%\"*}" ;;
  esac
}

if [ ${#payload} -gt $most ]; then
  top=$(printf '%.2048s' "$payload")
  end=$(printf '%s' "$raw" | tail -c 600)
  payload="{\"session_id\":\"$(text_of session_id "$top")\",\"transcript_path\":\"$(text_of transcript_path "$top")\""
  for key in tool_name agent_id; do
    value=$(text_of $key "$top")
    [ -z "$value" ] || payload="$payload,\"$key\":\"$value\""
  done
  value=$(text_of tool_use_id "$end")
  [ -z "$value" ] || payload="$payload,\"tool_use_id\":\"$value\""
  payload="$payload,\"cut\":true}"
fi
case $payload in
  *'
'*) payload=$(printf '%s' "$payload" | tr '\r\n' '  ') ;;
esac
case $payload in
  '{'*'}') ;;
  *) payload='{}' ;;
esac

rule=$folder/rule.$event
if [ -f "$rule" ]; then
  said=$(printf '%s' "$payload" | /bin/sh "$rule" 2>/dev/null)
  code=$?
  [ -z "$said" ] || printf '%s\n' "$said"
  [ -z "$said" ] || [ $code -eq 3 ] || exit 0
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

# open_dialog: make the pipe and the record of the dialog; fail where the system does not let it wait
open_dialog() {
  key=$at-$$
  [ ! -L "$dialogs" ] && mkdir -p "$dialogs" && mkfifo -m 600 "$dialogs/$key.pipe" || return 1
  exec 3<>"$dialogs/$key.pipe" || return 1 # open for both: it never ends, and a reader is seen to be there
  set -C
  printf '%s\n' "{\"hook\":\"$event\",\"at\":$at,\"pid\":$agent,\"payload\":$payload}" >"$dialogs/.$key.json" &&
    mv -f "$dialogs/.$key.json" "$dialogs/$key.json"
}

# close_dialogs [yes]: end the hooks that wait; with an argument only that of the call whose result this payload is
close_dialogs() {
  for pipe in "$dialogs"/*.pipe; do
    [ -p "$pipe" ] || continue
    if [ -n "$1" ]; then
      call=$(cat "${pipe%.pipe}.json")
      call=${call#*\"tool_input\":}
      call=${call%%,\"permission_suggestions\":*}
      case $payload in
        *"\"tool_input\":${call%'}}'}"*) ;;
        *) continue ;;
      esac
    fi
    if [ -f "$folder/rule.closed" ] && [ ! -e "${pipe%.pipe}.decision" ] && mv "$pipe" "$pipe.closed"; then
      printf 'closed\n' 1<>"$pipe.closed" # only one hook can move it, so that it is recorded once
      rm -f "$pipe.closed"
      /bin/sh "$folder/rule.closed" "$event" <"${pipe%.pipe}.json" >/dev/null 2>&1 # claude may kill what outlives the hook
    elif [ -p "$pipe" ]; then
      printf 'closed\n' 1<>"$pipe"
    fi
  done
}

dialog=
if [ -n "$waits" ]; then
  if open_dialog; then dialog=",\"dialog\":\"$key\""; else waits=; fi
fi 2>/dev/null
line="{\"hook\":\"$event\",\"at\":$at,\"pid\":$agent$dialog,\"payload\":$payload}"

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

if [ -z "$waits" ] && [ -d "$dialogs" ]; then
  case $event in
    UserPromptSubmit | Stop | StopFailure | SessionEnd) close_dialogs ;;
    PostToolUse | PostToolUseFailure) close_dialogs yes ;;
  esac
fi 2>/dev/null
[ -n "$waits" ] || exit 0

read -r word <&3
rm -f "$dialogs/$key.pipe"
[ "$word" = decided ] && head -n 1 "$dialogs/$key.decision" 2>/dev/null
exit 0
