#!/bin/sh
# npm run test:git: runs git's own tests of HTTP against reeve, and prints what came of each script
# (docs/git-suite.md). They are those of the installed git's version, from Debian's source package, which is kept
# in node_modules/.cache.
# npm run test:git -- -t t5541
cd "$(dirname "$0")/../.."
# To build the tests' own tool, and to run those that need a terminal.
more_packages="gcc libc6-dev make zlib1g-dev xz-utils perl libio-pty-perl"
. scripts/setup.sh

main() {
	version=$(dpkg-query -W -f '${source:Version}' git)
	upstream=${version#*:}
	upstream=${upstream%-*}
	suite=$PWD/node_modules/.cache/git-$upstream
	[ -d "$suite" ] || make_suite
	GIT_SUITE=$suite exec npx --no-install vitest run --project git "$@"
}

make_suite() {
	work=$(mktemp -d "${TMPDIR:-/var/tmp}/reeve-git.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	trap 'exit 130' INT TERM HUP
	echo "reeve: fetching the source of git $version"
	fetch_source
	echo "reeve: building what its tests need"
	build_suite
	mkdir -p "${suite%/*}"
	rm -rf "$suite.part"
	mv "$work/suite" "$suite.part"
	mv "$suite.part" "$suite"
	rm -rf "$work"
	trap - EXIT INT TERM HUP
}

# apt with lists of its own, because a machine seldom has those of sources: nothing of the machine's is changed.
fetch_source() {
	keys=/usr/share/keyrings/debian-archive-keyring.gpg
	mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
	apt-get indextargets --format "deb-src [signed-by=$keys] \$(REPO_URI) \$(RELEASE) \$(COMPONENT)" \
		'Created-By: Packages' 'Origin: Debian' >"$work/sources.list"
	if [ ! -s "$work/sources.list" ]; then
		echo "reeve: apt knows no package of Debian's here; run apt-get update" >&2
		exit 2
	fi
	own_apt update
	(cd "$work" && own_apt source --download-only "git=$version")
}

own_apt() {
	apt-get -q -q -o "Dir::Etc::SourceList=$work/sources.list" -o Dir::Etc::SourceParts=- \
		-o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work/cache" -o APT::Sandbox::User=root "$@"
}

# The tests use the installed git, but need a tool that no package has, and what git's build says of itself.
build_suite() {
	mkdir "$work/source" "$work/suite" "$work/suite/templates"
	tar -xf "$work"/git_*.orig.tar.xz -C "$work/source" --strip-components=1
	tar -xf "$work"/git_*.debian.tar.xz -C "$work/source"
	# Some of Debian's patches change what git says, and what its tests expect.
	series=$work/source/debian/patches/series
	[ ! -e "$series" ] || (cd "$work/source" && apply_patches <"$series")
	if ! make -C "$work/source" -j "$(nproc)" CFLAGS=-O0 NO_OPENSSL=1 NO_EXPAT=1 NO_GETTEXT=1 NO_TCLTK=1 \
		GIT-BUILD-OPTIONS t/helper/test-tool >"$work/build.log" 2>&1; then
		tail -n 20 "$work/build.log" >&2
		exit 1
	fi
	mv "$work/source/GIT-BUILD-OPTIONS" "$work/source/t" "$work/suite/"
	cp -R /usr/share/git-core/templates "$work/suite/templates/blt"
}

apply_patches() {
	while read -r patch; do
		case $patch in '' | '#'*) continue ;; esac
		git apply "debian/patches/$patch" || exit 1
	done
}

main "$@"
