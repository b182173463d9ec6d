# The Debian packages that reeve stands on, installed if they are missing and we are root. Sourced.
packages="git curl ca-certificates nginx uwsgi-core uwsgi-plugin-python3 python3-venv ${more_packages:-}"

missing=
for package in $packages; do
	dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done

if [ -n "$missing" ]; then
	if [ "$(id -u)" != 0 ]; then
		echo "reeve: these Debian packages are missing; install them with" >&2
		echo "  sudo apt-get install --no-install-recommends$missing" >&2
		exit 2
	fi
	echo "reeve: installing$missing"
	# reeve starts an nginx of its own; Debian's shall not take port 80 just because it was installed.
	guard=
	if [ ! -e /usr/sbin/policy-rc.d ]; then
		guard=/usr/sbin/policy-rc.d
		trap 'rm -f "$guard"' EXIT INT TERM
		printf '#!/bin/sh\nexit 101\n' >"$guard"
		chmod +x "$guard"
	fi
	apt-get update -q >&2
	# shellcheck disable=SC2086 # a list of names
	DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing >&2
	if [ -n "$guard" ]; then
		rm -f "$guard"
		trap - EXIT INT TERM
	fi
fi
