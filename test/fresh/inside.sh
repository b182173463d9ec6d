#!/bin/sh
# inside.sh VERSION start|ci: the checks, run in an empty root as its process 1.
set -eu
log=/tmp/log
server_log=/tmp/server.log

main() {
	check "an empty system gets Node, npm and git" bare "$1"
	check_"$2"
}

check_ci() {
	shown=1000
	check ".ci/run does its own set-up and passes" continuous_integration
	expect_alone ".ci/run leaves nothing running"
}

check_start() {
	check "not root, packages missing: the apt-get line, exit code 2" as_someone_without_packages

	start "npm start, on the empty system" 900 /opt/reeve
	check "docs/tutorial.md, word for word" tutorial
	check "examples/bottle is pushed and answers" put_on_air bottle hello 'Hello world'
	check "examples/django is pushed and answers" put_on_air django visits 'Guestbook'
	check "npx reeve apps, in the checkout, names both" commands
	check "nothing of an app runs as root" no_app_is_root
	check "git sees no change in the checkout" unchanged
	stop
	start "npm start again" 60 /opt/reeve
	check "both apps answer without a push" both_answer
	stop

	check "a checkout under /root is told to use --home" refused_under_root
	start "npm start -- --home /srv/reeve" 120 /root/reeve --home /srv/reeve
	check "examples/bottle is pushed and answers" put_on_air bottle closed 'Hello world'
	stop

	as="$someone"
	start "npm start, as somebody else than root" 300 /home/someone/reeve
	check "examples/bottle is pushed and answers" put_on_air bottle mine 'Hello world'
	stop
}

# --- What the checks are made of

# check TITLE COMMAND…: what the command prints is shown only if it fails.
check() {
	title=$1
	shift
	since=$(date +%s)
	set +e
	(set -e && "$@") >"$log" 2>&1
	code=$?
	set -e
	[ $code = 0 ] || fail "$title" "$log"
	pass "$title"
}

pass() { echo "  ok    $1 ($(($(date +%s) - since)) s)"; }

# fail TITLE LOG
fail() {
	echo "  FAIL  $1"
	tail -n "$shown" "$2" | sed 's/^/        /'
	exit 1
}

shown=60
as=
someone="setpriv --reuid=someone --regid=someone --init-groups env HOME=/home/someone"

# start TITLE SECONDS FOLDER [ARGUMENT…]: npm start as from a terminal, until it has said what to type.
start() {
	title=$1 since=$(date +%s) end=$(($(date +%s) + $2))
	cd "$3"
	shift 3
	[ $# = 0 ] || set -- -- "$@"
	: >"$server_log"
	# shellcheck disable=SC2086 # words
	setsid $as npm start "$@" >"$server_log" 2>&1 &
	server=$!
	until grep -q '^ *git push deploy main$' "$server_log"; do
		runs "$server" && [ "$(date +%s)" -lt "$end" ] || fail "$title" "$server_log"
		sleep 0.2
	done
	pass "$title"
}

# What Ctrl-C does.
stop() {
	since=$(date +%s)
	kill -s INT -- "-$server"
	end=$((since + 30))
	while runs "$server"; do
		[ "$(date +%s)" -lt "$end" ] || fail "Ctrl-C ends npm start within 30 s" "$server_log"
		sleep 0.1
	done
	expect_alone "Ctrl-C ends everything that npm start began"
}

# expect_alone TITLE: nothing runs in the whole system but this shell.
expect_alone() {
	list_others >"$log"
	[ ! -s "$log" ] || fail "$1" "$log"
	pass "$1"
}

# Only what the shell itself can do, so that it does not find its own helpers.
list_others() {
	for process in /proc/[0-9]*; do
		pid=${process#/proc/}
		if [ "$pid" != 1 ] && runs "$pid"; then echo "$line"; fi
	done
}

# Whether the process is there and no zombie.
runs() {
	line=
	{ read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
	case ${line##*) } in [ZX]*) return 1 ;; esac
}

# --- The checks

bare() {
	case $1 in 12) packages="git ca-certificates" ;; 13) packages="nodejs npm git" ;; esac
	apt-get update -q
	# shellcheck disable=SC2086 # a list of names
	DEBIAN_FRONTEND=noninteractive apt-get install -q -y $packages
	node --version
	npm --version
	useradd --create-home --shell /bin/sh someone
	[ ! -e /root/.npmrc ] || install -m 600 -o someone /root/.npmrc /home/someone/
	export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=advice.detachedHead GIT_CONFIG_VALUE_0=false
	git clone -q /opt/reeve.bundle /opt/reeve
	(umask 077 && git clone -q /opt/reeve.bundle /root/reeve)
	$someone git clone -q /opt/reeve.bundle /home/someone/reeve
}

continuous_integration() {
	cd /opt/reeve
	CI=true NO_COLOR=1 timeout 3600 .ci/run
}

as_someone_without_packages() {
	cd /home/someone/reeve
	code=0
	$someone npm start >/tmp/refusal 2>&1 || code=$?
	cat /tmp/refusal
	[ $code = 2 ]
	expected="sudo apt-get install --no-install-recommends"
	for package in git curl ca-certificates nginx uwsgi-core uwsgi-plugin-python3 python3-venv; do
		dpkg -s "$package" >/dev/null 2>&1 || expected="$expected $package"
	done
	grep -Fx "  $expected" /tmp/refusal
	${expected#sudo } --dry-run
}

# put_on_air EXAMPLE APP TEXT: as the example's README says, by the lines that npm start printed.
put_on_air() {
	export GIT_AUTHOR_NAME=Fresh GIT_AUTHOR_EMAIL=fresh@localhost
	export GIT_COMMITTER_NAME=Fresh GIT_COMMITTER_EMAIL=fresh@localhost
	lines=$(sed -n "s#/demo\.git#/$2.git#; s/^ *\(git .*\)/\1/p" "$server_log")
	cp -R "/opt/reeve/examples/$1" "/tmp/$2"
	cd "/tmp/$2"
	git init -q -b main
	git add .
	git commit -q -m "A first page"
	timeout 300 sh -e -c "$lines"
	answers "$2" "$3"
}

# answers APP TEXT
answers() {
	page=$(curl -fsS --max-time 20 "http://$1.localhost:8080/") && echo "$page" && echo "$page" | grep -q "$2"
}

both_answer() {
	since=$(date +%s)
	until answers hello 'Hello world' && answers visits 'Guestbook'; do
		[ "$(($(date +%s) - since))" -lt 30 ]
		sleep 0.5
	done
}

commands() {
	cd /opt/reeve
	npx reeve apps | tee /tmp/apps
	grep -q '^hello ' /tmp/apps
	grep -q '^visits ' /tmp/apps
}

no_app_is_root() {
	found=0
	for process in /proc/[0-9]*; do
		case $(readlink "$process/cwd") in
		*/srv/*)
			found=$((found + 1))
			echo "$(stat -c %U "$process") $(tr '\0' ' ' <"$process/cmdline")"
			[ "$(stat -c %u "$process")" != 0 ]
			;;
		esac
	done
	[ $found -gt 0 ]
}

unchanged() {
	cd /opt/reeve
	git status --porcelain | tee /tmp/changes
	[ ! -s /tmp/changes ]
}

refused_under_root() {
	cd /root/reeve
	code=0
	npm start >/tmp/refusal 2>&1 || code=$?
	cat /tmp/refusal
	[ $code = 2 ]
	grep -F 'error[FOLDER_CLOSED]' /tmp/refusal
	grep '^hint: .*npm start -- --home /srv/reeve' /tmp/refusal
}

tutorial() {
	node /fresh/tutorial.mjs /opt/reeve/docs/tutorial.md
}

main "$@"
