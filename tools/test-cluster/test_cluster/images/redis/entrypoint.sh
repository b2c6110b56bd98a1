#!/bin/sh
# As with redis:7, arguments that are only options are passed to the server, and it accepts connections from outside.
set -e
case "$1" in
  -* | *.conf) set -- redis-server "$@" ;;
esac
if [ "$1" = redis-server ]; then
  set -- "$@" --protected-mode no
fi
exec "$@"
