#!/bin/sh
# npm start: does all the set-up, then runs the whole embedded server in the foreground.
# npm start -- --home DIR --port N
cd "$(dirname "$0")/.."
. scripts/setup.sh

home=${REEVE_HOME:-var}
previous=
for word; do
	case $word in --home=*) home=${word#--home=} ;; esac
	[ "$previous" = --home ] && home=$word
	previous=$word
done
install_uv "$home/tools"

exec node dist/main.js up "$@"
