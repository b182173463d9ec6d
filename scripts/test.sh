#!/bin/sh
# npm test: does all the set-up, then runs everything: unit, integration and hostile.
# npm test -- test/integration/push.test.ts
cd "$(dirname "$0")/.."
# Tests look at processes with ps and pgrep, push over SSH, and move the agent's clock.
more_packages="procps openssh-server openssh-client faketime"
. scripts/setup.sh

exec npx --no-install vitest run --project unit --project integration --project hostile "$@"
