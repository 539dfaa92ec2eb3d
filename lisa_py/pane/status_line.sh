#!/bin/sh
# Status line command of claude: keep the newest status of each conversation, and print nothing.
#
#   status_line.sh <session folder>
#
# claude (2.1.332) gives `cost.total_cost_usd` of the conversation on standard input after each answer; /clear begins
# again with 0 under another session_id, and a resumed conversation begins with its earlier cost: the first status is
# kept too.

LC_ALL=C
export LC_ALL
folder=$1
umask 077
payload=$(head -c 65536; cat >/dev/null)
[ -d "$folder" ] || exit 0
rest=${payload#*\"session_id\":\"}
[ "$rest" != "$payload" ] || exit 0
name=${rest%%\"*}
case $name in
  '' | *[!0-9A-Za-z-]*) exit 0 ;;
esac
part=$folder/.cost.$$
rm -f "$part"
set -C
printf '%s\n' "$payload" >"$part" || exit 0
[ -e "$folder/cost-$name.first" ] || ln "$part" "$folder/cost-$name.first"
mv -f "$part" "$folder/cost-$name.last"
exit 0
