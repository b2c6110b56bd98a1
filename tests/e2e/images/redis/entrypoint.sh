#!/bin/sh
# Options alone are the server's, and it answers from outside its container, as that of redis:7 does.
set -e
case "$1" in
  -* | *.conf) set -- redis-server "$@" ;;
esac
if [ "$1" = redis-server ]; then
  set -- "$@" --protected-mode no
fi
exec "$@"
