#!/bin/sh
# npm run test:fresh: proves that the two commands, `npm start` and `npm test`, work as written on an empty
# Debian 12 with Node 20 and on an empty Debian 13 with its own Node, and that docs/tutorial.md is true there.
#
#   npm run test:fresh -- [--roots DIR] [12] [13] [12-ci] [13-ci]
#
# Without a number it does all four. It tests what is committed (HEAD). It needs root, port 8080 of loopback, and
# debootstrap, or a folder DIR (or FRESH_ROOTS) with pristine roots d12 and d13 in it; what is missing there is made
# there. Each system runs in a mount and process namespace of its own: nothing of it outlives its run.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
checkout=$(cd "$here/../.." && pwd)

main() {
	[ "$(id -u)" = 0 ] || complain "this needs root, for debootstrap and chroot"
	pristine=${FRESH_ROOTS:-}
	if [ "${1:-}" = --roots ]; then
		pristine=$2
		shift 2
	fi
	[ $# -gt 0 ] || set -- 12 12-ci 13 13-ci

	child=
	work=$(mktemp -d "${TMPDIR:-/var/tmp}/reeve-fresh.XXXXXX")
	trap clean_up EXIT
	trap 'exit 130' INT TERM HUP

	for run; do
		version=${run%-ci}
		what=start
		[ "$run" = "$version" ] || what=ci
		echo "== Debian $version, $what"
		make_root "$version"
		furnish_root "$version"
		enter sh /fresh/inside.sh "$version" "$what"
		rm -rf --one-file-system "$work/root"
	done
	echo "all well"
}

complain() {
	echo "test:fresh: $*" >&2
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
	rm -rf --one-file-system "$work"
}

make_root() {
	case $1 in
	12) suite=bookworm ;;
	13) suite=trixie ;;
	*) complain "there is no Debian $1 here: 12 and 13, 12-ci and 13-ci" ;;
	esac
	from=${pristine:-$work/pristine}/d$1
	if [ ! -d "$from" ]; then
		command -v debootstrap >/dev/null || complain "debootstrap is missing: apt-get install debootstrap"
		echo "making $suite with debootstrap"
		mkdir -p "${from%/*}"
		if ! debootstrap --variant=minbase "$suite" "$from.part" >"$work/debootstrap.log" 2>&1; then
			tail -n 20 "$work/debootstrap.log" >&2
			exit 1
		fi
		mv "$from.part" "$from"
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
	if [ "$1" = 12 ]; then
		cp "$(readlink -f "$(command -v node)")" "$root/usr/bin/node"
		npm=$(readlink -f "$(command -v npm)")
		mkdir -p "$root/usr/lib/node_modules"
		cp -R "${npm%/bin/*}" "$root/usr/lib/node_modules/npm"
		for name in npm npx; do
			ln -s "../lib/node_modules/npm/bin/$name-cli.js" "$root/usr/bin/$name"
		done
	fi
	git -C "$checkout" bundle create --quiet "$root/opt/reeve.bundle" HEAD
	cp -R "$here" "$root/fresh"
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
		for name in $(variables | grep -Eivx "$network"); do unset "$name"; done
		export HOME=/root LANG=C.UTF-8 no_proxy="localhost,127.0.0.1,$others"
		export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
		exec setpriv --pdeathsig=KILL unshare --mount --pid --fork --kill-child \
			sh "$here/enter.sh" "$work/root" "$@" </dev/null
	) &
	child=$!
	wait "$child" || exit
	child=
}

# The names of those that are exported.
variables() { env | sed -nE 's/^([A-Za-z_][A-Za-z0-9_]*)=.*/\1/p'; }

main "$@"
