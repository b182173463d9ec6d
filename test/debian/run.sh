#!/bin/sh
# npm run test:debian: proves on empty Debian 12 (with Node 20) and Debian 13 (with its own Node) what the machine that
# reeve is written on cannot prove. The parts are
#
#   start    npm start works as the README says, and docs/tutorial.md is true
#   units    docs/units.md is true where systemd is process 1: pushes, control groups, what ends with which unit
#   attack   npm run test:attack: root's walks with the other coreutils, Python and git
#   ci       .ci/run, which does all tests
#
#   npm run test:debian -- [--roots DIR] [12] [13] [start] [units] [attack] [ci]
#   npm run test:debian -- 13 -- npm test -- test/integration/requirements.test.ts
#
# Without a number it takes both systems, without a part it does all four; after a second `--` stands a command to do
# instead. It tests what is committed (HEAD). It needs root, port 8080 of loopback for `start`, and debootstrap, or a
# folder DIR (or DEBIAN_ROOTS) with pristine roots d12 and d13 in it; what is missing there is made there, and kept for
# the next run. Each system runs in a mount and process namespace of its own: nothing of it outlives its run.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
checkout=$(cd "$here/../.." && pwd)

main() {
	[ "$(id -u)" = 0 ] || complain "this needs root, for debootstrap and chroot"
	pristine=${DEBIAN_ROOTS:-${REEVE_TEST_TOOLS:-${TMPDIR:-/tmp}/reeve-test-tools}/roots}
	versions= parts=
	while [ $# -gt 0 ]; do
		case $1 in
		--roots)
			pristine=$2
			shift
			;;
		12 | 13) versions="$versions $1" ;;
		start | units | attack | ci) parts="$parts $1" ;;
		--)
			parts=command
			shift
			break
			;;
		*) complain "there is no $1 here: 12 and 13, start, units, attack and ci" ;;
		esac
		shift
	done

	child= group=
	work=$(mktemp -d "${TMPDIR:-/var/tmp}/reeve-debian.XXXXXX")
	trap clean_up EXIT
	trap 'exit 130' INT TERM HUP

	for version in ${versions:-12 13}; do
		for part in ${parts:-start units attack ci}; do
			echo "== Debian $version, $part"
			make_root
			furnish_root
			enter sh /debian/inside.sh "$version" "$part" "$@"
			if [ "$part" = units ]; then boot; fi
			rm -rf --one-file-system "$work/root"
		done
	done
	echo "all well"
}

complain() {
	echo "test:debian: $*" >&2
	exit 2
}

# Its mounts live in its namespace only, so that there is nothing to unmount here.
clean_up() {
	trap '' INT TERM HUP
	if [ -n "$child" ]; then
		# With its process 1 the whole namespace ends; unshare returns when it is gone.
		for init in $(cat "/proc/$child/task/$child/children" 2>/dev/null); do kill -KILL "$init"; done
		wait "$child" || true
	fi
	leave_group
	rm -rf --one-file-system "$work"
}

make_root() {
	case $version in 12) suite=bookworm ;; 13) suite=trixie ;; esac
	from=$pristine/d$version
	if [ ! -d "$from" ]; then
		command -v debootstrap >/dev/null || complain "debootstrap is missing: apt-get install debootstrap"
		echo "making $suite with debootstrap"
		mkdir -p "$pristine"
		if ! debootstrap --variant=minbase "$suite" "$work/pristine" >"$work/debootstrap.log" 2>&1; then
			tail -n 20 "$work/debootstrap.log" >&2
			exit 1
		fi
		# The folder may be on another disk: it has its name when it is whole.
		cp -a "$work/pristine" "$from.$$" && mv "$from.$$" "$from"
		rm -rf --one-file-system "$work/pristine"
	fi
	cp -a --reflink=auto "$from" "$work/root"
}

# What makes the root's network that of this machine, and for Debian 12 its Node.
furnish_root() {
	root=$work/root
	cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
	give_file /etc/pip.conf
	for folder in /etc/ssl/certs /usr/local/share/ca-certificates; do
		mkdir -p "$root$folder"
		cp -RL "$folder/." "$root$folder/" 2>/dev/null || true
	done
	for file in "$(npm_config globalconfig)" "$(npm_config userconfig)"; do
		[ ! -f "$file" ] || cat "$file" >>"$root/root/.npmrc"
	done
	give_file "$(npm_config cafile)"
	apt-config dump | grep -E '^Acquire::(https?::|Check-)' >"$root/etc/apt/apt.conf.d/99machine" || true
	if [ "$version" = 12 ]; then
		cp "$(readlink -f "$(command -v node)")" "$root/usr/bin/node"
		npm=$(readlink -f "$(command -v npm)")
		mkdir -p "$root/usr/lib/node_modules"
		cp -R "${npm%/bin/*}" "$root/usr/lib/node_modules/npm"
		for name in npm npx; do
			ln -s "../lib/node_modules/npm/bin/$name-cli.js" "$root/usr/bin/$name"
		done
	fi
	git -C "$checkout" bundle create --quiet "$root/opt/reeve.bundle" HEAD
	cp -R "$here" "$root/debian"
}

npm_config() { npm config get "$1" 2>/dev/null; }

# The file at the same path in the root, if there is one.
give_file() {
	case $1 in /*) [ ! -f "$1" ] || { mkdir -p "$root${1%/*}" && cp -L "$1" "$root$1"; } ;; esac
}

# Runs a command in the root, with nothing of our environment but the way to the registries. That goes by the
# environment: an index's address may hold a password, which has no place in an argument.
enter() {
	network='(https?|all)_proxy|SSL_CERT_(FILE|DIR)|NODE_EXTRA_CA_CERTS|CURL_CA_BUNDLE|REQUESTS_CA_BUNDLE'
	network="$network|GIT_SSL_CAINFO|PIP_(INDEX_URL|EXTRA_INDEX_URL|TRUSTED_HOST|CERT|PROXY|DEFAULT_TIMEOUT)"
	network="$network|npm_config_(registry|proxy|https_proxy|noproxy|cafile|strict_ssl)"
	for name in $(variables | grep -Eix "$network"); do
		eval "give_file \"\$$name\""
	done
	(
		# What the root itself serves is not asked of a proxy.
		others=${no_proxy:-${NO_PROXY:-}}
		for name in $(variables | grep -Eivx "$network|TRIES|ROUNDS"); do unset "$name"; done
		export HOME=/root LANG=C.UTF-8 no_proxy="localhost,127.0.0.1,$others"
		export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
		# The kernel knows users by number, and tests on this machine end processes by their user's.
		export REEVE_FIRST_USER_ID=$((version * 1000 + 32000))
		if [ -n "$group" ]; then
			# With a group, what runs in there has control groups of its own, and a network.
			sh -c 'echo "$PPID"' >"$group/cgroup.procs"
			set -- --cgroup --net --ipc --uts sh "$here/enter.sh" "$work/root" own-groups "$@"
		else
			set -- sh "$here/enter.sh" "$work/root" shared-groups "$@"
		fi
		exec setpriv --pdeathsig=KILL unshare --mount --pid --fork --kill-child "$@" </dev/null
	) &
	child=$!
	code=0
	wait "$child" || code=$?
	child=
	return "$code"
}

# Starts the root's own systemd, which does the checks and ends with their exit code. Its network is its own: what
# installed packages start may take the ports it wants.
boot() {
	tree=$(sed -n 's/^[^ ]* \([^ ]*\) cgroup2 .*/\1/p' /proc/mounts | head -n 1)
	[ -n "$tree" ] || complain "this needs control groups, version 2, for units"
	group=$tree/reeve-debian-$$
	mkdir "$group"
	code=0
	enter env -i container=lxc /lib/systemd/systemd --log-target=null --show-status=no || code=$?
	cat "$work/root/debian/said"
	leave_group
	return "$code"
}

# What was in the namespace is gone a moment after its process 1.
leave_group() {
	[ -n "$group" ] || return 0
	tries=50
	until find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || [ "$tries" = 0 ]; do
		tries=$((tries - 1))
		sleep 0.1
	done
	group=
}

# The names of those that are exported.
variables() { env | sed -nE 's/^([A-Za-z_][A-Za-z0-9_]*)=.*/\1/p'; }

main "$@"
