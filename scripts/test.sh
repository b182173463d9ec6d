#!/bin/sh
# npm test: does all the set-up, then runs everything, unit and integration.
# npm test -- test/integration/push.test.ts
cd "$(dirname "$0")/.."
# Tests look at processes with ps and pgrep.
more_packages=procps
. scripts/setup.sh

exec npx --no-install vitest run --project unit --project integration "$@"
