#!/bin/bash
# Inside a lab host: server.sh PORT
# Answers HTTP with "HOST BOOT-ID", and says "SECONDS HOST BOOT-ID PID" outside for as long as it
# lives: it never looks whether it may still.
answer="$(< /etc/hostname) $(< /proc/sys/kernel/random/boot_id)"
exec 9<> <(:)
while :; do
  echo "$EPOCHREALTIME $answer $$" >> /lab/serves
  read -r -t 0.05 -u 9
done &
exec perl -MIO::Socket::INET -e '
  my $door = IO::Socket::INET->new(LocalPort => $ARGV[0], Listen => 16, ReuseAddr => 1) or die $@;
  while (1) {
    my $caller = $door->accept() or next;
    sysread $caller, my $asked, 4096;
    print $caller "HTTP/1.0 200 OK\r\n\r\n$ARGV[1]";
    close $caller;
  }' "$1" "$answer"
