#!/bin/sh
# start.sh PROGRAM UNITS: runs a systemd of its own in namespaces of its own. It knows the units in the folder UNITS
# and no others, and sees PROGRAM as /opt/reeve. The network, the users (a copy of /etc), /var/lib and the folders
# for temporary files are its own, and so are its control groups. All of it ends with this shell.
set -eu
program=$1 units=$2 stage=${3:-outside}

if [ "$stage" = outside ]; then
	exec setpriv --pdeathsig=TERM unshare --mount sh "$0" "$program" "$units" groups
fi

if [ "$stage" = groups ]; then
	groups=$(mktemp -d)
	mount -t cgroup2 none "$groups"
	own=$groups/reeve-units-$$
	mkdir "$own"
	child=
	clean_up() {
		[ -z "$child" ] || kill -KILL "$child" 2>/dev/null || true
		wait || true
		echo $$ >"$groups/cgroup.procs"
		# What was in the namespace is gone a moment after its first process.
		tries=50
		until find "$own" -depth -type d -exec rmdir {} + 2>/dev/null || [ "$tries" = 0 ]; do
			tries=$((tries - 1))
			sleep 0.1
		done
		umount "$groups"
		rmdir "$groups"
	}
	trap clean_up EXIT
	trap 'exit 130' INT TERM HUP
	echo $$ >"$own/cgroup.procs"
	setpriv --pdeathsig=KILL unshare --mount --pid --fork --kill-child --net --ipc --uts --cgroup \
		sh "$0" "$program" "$units" inside &
	child=$!
	wait "$child"
	exit
fi

mount -t proc proc /proc
# The kernel's settings are everybody's.
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/outside/program /run/outside/units /run/outside/etc
mount --bind "$program" /run/outside/program
mount --bind "$units" /run/outside/units
# Files may go while they are copied: others make users meanwhile.
tar -C /etc -cf - . | tar -C /run/outside/etc -xpf -
mount --bind /run/outside/etc /etc
for folder in /opt /var/lib; do mount -t tmpfs -o mode=755 tmpfs "$folder"; done
for folder in /tmp /var/tmp /dev/shm; do mount -t tmpfs -o mode=1777 tmpfs "$folder"; done
mkdir /opt/reeve
mount --bind /run/outside/program /opt/reeve
umount -l /sys/fs/cgroup || true
mount -t cgroup2 none /sys/fs/cgroup
# It is told that it is in a container: it leaves the kernel and its clock alone.
exec env -i container=lxc PATH="$PATH" SYSTEMD_UNIT_PATH=/run/outside/units \
	/lib/systemd/systemd --system --log-target=console --show-status=no
