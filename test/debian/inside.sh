#!/bin/sh
# inside.sh VERSION start|units|attack|ci|command|booted: the checks, run in an empty root as its process 1; `booted`
# are those for which systemd is that.
set -eu
log=/tmp/log
server_log=/tmp/server.log

main() {
	version=$1 part=$2
	shift 2
	[ "$part" = booted ] || check "an empty system gets Node, npm and git" bare
	"check_$part" "$@"
}

check_start() {
	check "the checkouts are made" clone
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

# The lines of docs/units.md that need no systemd; what follows is done when it runs.
check_units() {
	check "docs/units.md: the lines before systemd's" install_units
}

check_booted() {
	check "docs/units.md: the units start" start_units
	check "docs/units.md: an app is pushed by its lines, and its git is in a group of the agent's unit" push_an_app
	check "the vassal is in a group below the Emperor's unit" vassal_has_a_group
	check "all processes of the agent's unit are killed: the app answers, and the next push is live" kill_agent
	check "the Emperor's unit is stopped: nothing of the app runs" stop_emperor
	check "none of the units has failed" nothing_failed
}

check_attack() {
	check "the checkout is made" clone
	ROUNDS=all
	export ROUNDS
	check "npm run test:attack" do_command npm test -- test/hostile/walks
	expect_alone "it leaves nothing running"
}

check_ci() {
	shown=1000
	check "the checkout is made" clone
	check ".ci/run does its own set-up and passes" do_command .ci/run
	expect_alone ".ci/run leaves nothing running"
}

check_command() {
	check "the checkout is made" clone
	do_command "$@"
	expect_alone "it leaves nothing running"
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
	case $version in 12) packages="git ca-certificates" ;; 13) packages="nodejs npm git" ;; esac
	apt-get update -q
	# shellcheck disable=SC2086 # a list of names
	DEBIAN_FRONTEND=noninteractive apt-get install -q -y $packages
	node --version
	npm --version
	useradd --create-home --shell /bin/sh someone
	[ ! -e /root/.npmrc ] || install -m 600 -o someone /root/.npmrc /home/someone/
}

clone() {
	export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=advice.detachedHead GIT_CONFIG_VALUE_0=false
	git clone -q /opt/reeve.bundle /opt/reeve
	(umask 077 && git clone -q /opt/reeve.bundle /root/reeve)
	$someone git clone -q /opt/reeve.bundle /home/someone/reeve
}

# do_command COMMAND…, in the checkout
do_command() {
	cd /opt/reeve
	CI=true NO_COLOR=1 timeout 3600 "$@"
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
	be_somebody
	lines=$(sed -n "s#/demo\.git#/$2.git#; s/^ *\(git .*\)/\1/p" "$server_log")
	cp -R "/opt/reeve/examples/$1" "/tmp/$2"
	cd "/tmp/$2"
	git init -q -b main
	git add .
	git commit -q -m "A first page"
	timeout 300 sh -e -c "$lines"
	answers "$2" "$3"
}

be_somebody() {
	export GIT_AUTHOR_NAME=Fresh GIT_AUTHOR_EMAIL=fresh@localhost
	export GIT_COMMITTER_NAME=Fresh GIT_COMMITTER_EMAIL=fresh@localhost
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
	node /debian/tutorial.mjs /opt/reeve/docs/tutorial.md
}

# --- The units

checks=/etc/systemd/system/checks.service

# The commands of docs/units.md, as the user types them.
install_lines() { sed -n '/^## Install/,/^## What/s/^# //p' /opt/reeve/docs/units.md; }

install_units() {
	DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends systemd
	git clone -q /opt/reeve.bundle /opt/reeve
	lines=$(install_lines | grep -v '^systemctl' | sed 's#^git clone URL /opt/reeve && ##')
	cd /opt/reeve
	sh -e -c "$lines"
	mkdir -p /etc/systemd/system.conf.d
	printf '[Manager]\nDefaultEnvironment=REEVE_FIRST_USER_ID=%s\n' "$REEVE_FIRST_USER_ID" \
		>/etc/systemd/system.conf.d/numbers.conf
	cat >"$checks" <<-END
		[Unit]
		DefaultDependencies=no
		After=multi-user.target
		SuccessAction=exit
		FailureAction=exit

		[Service]
		Type=oneshot
		Environment=HOME=/root
		ExecStart=sh /debian/inside.sh $version booted
		StandardOutput=append:/debian/said
		StandardError=append:/debian/said

		[Install]
		WantedBy=multi-user.target
	END
	systemctl enable checks.service
}

reeve_units="reeve-prepare reeve-agent reeve-emperor reeve-nginx reeve-front"
groups=/sys/fs/cgroup/system.slice

start_units() {
	systemctl --version
	cd /opt/reeve
	sh -e -c "$(install_lines | grep '^systemctl')"
	# shellcheck disable=SC2086 # a list of names
	systemctl is-active $reeve_units
}

# An app that cannot be imported before there is /tmp/go, so that its push can be looked at.
push_an_app() {
	be_somebody
	git init -q -b main /tmp/demo
	cd /tmp/demo
	cat >app.py <<-END
		import os, time
		while not os.path.exists("/tmp/go"):
		    time.sleep(0.1)
		def app(environ, start_response):
		    start_response("200 OK", [])
		    return [b"Hello units"]
	END
	git add .
	git commit -q -m "A first page"
	sed -n '/^```sh/,/^```/p' /opt/reeve/docs/units.md | grep -v '^```' >/tmp/lines
	timeout 300 sh -e /tmp/lines &
	pushing=$!
	within 60 is_in_a_group 'git receive-pack' 'system.slice/reeve-agent.service/git/'
	: >/tmp/go
	wait "$pushing"
	answers demo 'Hello units'
	within 60 is_settled
}

is_settled() { REEVE_HOME=/var/lib/reeve node /opt/reeve/dist/main.js apps | tee /tmp/apps | grep '^demo *live '; }

# is_in_a_group WORD GROUP: each process with this word among its words is in one that is called so.
is_in_a_group() {
	found=0
	for process in /proc/[0-9]*; do
		if tr '\0' ' ' <"$process/cmdline" | grep -q "^[^ ]*$1"; then
			found=$((found + 1))
			grep "^0::/$2" "$process/cgroup"
		fi
	done 2>/dev/null
	[ "$found" -gt 0 ]
}

# within SECONDS COMMAND…
within() {
	end=$(($(date +%s) + $1))
	shift
	until "$@"; do
		[ "$(date +%s)" -lt "$end" ]
		sleep 0.1
	done
}

vassal_has_a_group() {
	cat "$groups/reeve-emperor.service/vassals/demo/demo/cgroup.procs" >/tmp/vassal
	[ "$(wc -l </tmp/vassal)" -gt 1 ]
	grep -x "$(systemctl show --property=MainPID --value reeve-emperor)" \
		"$groups/reeve-emperor.service/emperor/cgroup.procs"
}

kill_agent() {
	before=$(cat /tmp/vassal)
	killed=$(systemctl show --property=MainPID --value reeve-agent)
	systemctl kill --signal=KILL reeve-agent
	answers demo 'Hello units'
	[ "$before" = "$(cat "$groups/reeve-emperor.service/vassals/demo/demo/cgroup.procs")" ]
	within 60 agent_is_another
	be_somebody
	cd /tmp/demo
	sed -i 's/Hello units/Hello again/' app.py
	git commit -q -a -m "A second page"
	timeout 300 git push deploy main
	answers demo 'Hello again'
}

agent_is_another() {
	[ "$(systemctl show --property=MainPID --value reeve-agent)" != "$killed" ] && systemctl is-active reeve-agent
}

stop_emperor() {
	systemctl stop reeve-emperor
	[ -z "$(find /proc -maxdepth 1 -name '[0-9]*' -user reeve-demo)" ]
	[ ! -e "$groups/reeve-emperor.service" ]
}

nothing_failed() {
	# shellcheck disable=SC2086 # a list of names
	if systemctl is-failed $reeve_units; then return 1; fi
}

main "$@"
