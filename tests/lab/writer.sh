#!/bin/bash
# Inside a lab host: writer.sh DEVICE AREA
# "I run" for as long as it lives: records "HOST TOKEN COUNTER", one block each, appended to an area
# of a shared disk. The token is one more than that of the last record there. What was written, and
# what was refused, is said outside as well: "BEGIN END WORD HOST TOKEN COUNTER", times in seconds.
# It never gives up, never looks whether it may still, and writes a record again until it is in.
device=$1 area=$2
host=$(< /etc/hostname) said=/lab/records-$area
FIRST=4096 BLOCKS=16384
base=$((FIRST + area * BLOCKS))
exec 9<> <(:)

record() { dd if="$device" bs=4096 skip=$((base + $1)) count=1 iflag=direct 2> /dev/null | tr -d '\0'; }

low=0 high=$BLOCKS token=0
while ((low < high)); do
  middle=$(((low + high) / 2))
  text=$(record $middle)
  if [ -n "$text" ]; then low=$((middle + 1)); else high=$middle; fi
done
if ((low > 0)); then
  read -r _ token _ < <(record $((low - 1)))
  # Who cannot read what is there must not begin at 1 again.
  [ -n "$token" ] || exit 1
fi
token=$((token + 1)) counter=1
while ((low < BLOCKS)); do
  begin=$EPOCHREALTIME
  if error=$(echo "$host $token $counter" |
    dd of="$device" bs=4096 seek=$((base + low)) count=1 conv=notrunc,sync oflag=direct iflag=fullblock 2>&1); then
    echo "$begin $EPOCHREALTIME ok $host $token $counter" >> "$said"
    low=$((low + 1)) counter=$((counter + 1))
  else
    case $error in
      *'Invalid exchange'*) word=conflict ;;
      *) word=failed ;;
    esac
    echo "$begin $EPOCHREALTIME $word $host $token $counter" >> "$said"
  fi
  read -r -t 0.2 -u 9
done
