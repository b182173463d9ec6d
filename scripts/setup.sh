# Brings a checkout to the point where it runs: packages, node_modules, dist. Sourced, from the checkout.
set -eu
umask 022
. scripts/packages.sh

stamp=node_modules/.reeve-installed
if ! cmp -s package-lock.json "$stamp"; then
	echo "reeve: npm ci"
	npm ci --no-audit --no-fund --loglevel=error
	cp package-lock.json "$stamp"
fi
if [ ! -e dist/main.js ] || [ -n "$(find src tsconfig.json tsconfig.build.json -newer dist/main.js -print -quit)" ]; then
	echo "reeve: building"
	npm run --silent build
fi

# uv builds environments many times faster than pip. It goes into reeve's own folder, from PyPI; without it
# pip does the same work.
install_uv() {
	[ -x "$1/uv/bin/uv" ] && return
	echo "reeve: installing uv into $1/uv"
	mkdir -p "$1"
	/usr/bin/python3 -m venv --clear "$1/uv" && "$1/uv/bin/pip" install --quiet --disable-pip-version-check \
		--require-hashes --only-binary :all: --requirement scripts/uv.txt || {
		rm -f "$1/uv/bin/uv"
		echo "reeve: uv could not be installed; environments are built with pip" >&2
	}
}
