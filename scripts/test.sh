#!/bin/sh
# npm test: does all the set-up, then runs everything: unit, integration, hostile, and the faults in short.
# npm test -- test/integration/push.test.ts
# PROJECTS="hostile faults": only these, as the long forms in package.json do.
cd "$(dirname "$0")/.."
# Tests look at processes with ps and pgrep, push over SSH, break single calls, move the agent's clock, beset
# the server with requests that take for ever, start reeve's units under a systemd of their own, and rotate logs.
more_packages="procps openssh-server openssh-client strace faketime slowhttptest systemd logrotate"
. scripts/setup.sh
# One for all servers of a run, before several of them want it at once.
install_uv "${REEVE_TEST_TOOLS:-${TMPDIR:-/tmp}/reeve-test-tools}"

for project in ${PROJECTS:-unit integration hostile faults}; do
	set -- --project "$project" "$@"
done
exec npx --no-install vitest run "$@"
