#!/bin/sh
# As with redis:7, if all arguments are options they are passed to the server, which accepts connections from outside.
set -e
case "$1" in
  -* | *.conf) set -- redis-server "$@" ;;
esac
if [ "$1" = redis-server ]; then
  set -- "$@" --protected-mode no
fi
exec "$@"
