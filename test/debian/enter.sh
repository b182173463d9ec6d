#!/bin/sh
# enter.sh ROOT own-groups|shared-groups COMMAND…: in fresh namespaces, gives the root what a kernel gives, then goes in.
set -eu
root=$1 groups=$2
shift 2
# To systemd, / has to be where something is mounted.
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
# The kernel's settings are everybody's.
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
# A system that is booted has control groups of its own; another one shares those of this machine.
if [ "$groups" = own-groups ]; then
	mount -t cgroup2 none "$root/sys/fs/cgroup"
else
	mount --rbind /sys/fs/cgroup "$root/sys/fs/cgroup"
fi
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
for node in null zero full random urandom tty; do
	: >"$root/dev/$node"
	mount --bind "/dev/$node" "$root/dev/$node"
done
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for stream in 0/stdin 1/stdout 2/stderr; do ln -s "/proc/self/fd/${stream%/*}" "$root/dev/${stream#*/}"; done
cd "$root"
mount --move . /
exec chroot . "$@"
