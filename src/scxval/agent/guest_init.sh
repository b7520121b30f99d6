#!/bin/sh
# SPDX-License-Identifier: MIT
# What starts the job in the guest: the file systems it needs, the agent, power off. Under qemu this is
# process 1 after the initramfs, under vng virtme-ng's init has run before and mounted some of them.
# There is no udev and no service manager: nothing runs here that is not part of the job.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
mounts=$(cat /proc/mounts 2>/dev/null)
# have TYPE FOLDER: mounts it where it is not mounted.
have() {
    case "$mounts" in
    *" $2 $1 "*) ;;
    *) mount -t "$1" "$1" "$2" ;;
    esac
}
have proc /proc
have sysfs /sys
have devtmpfs /dev 2>/dev/null
mkdir -p /dev/pts /dev/shm
have devpts /dev/pts
have tmpfs /dev/shm
# bpftrace writes its output through /dev/fd, which only udev or an init would make.
ln -sfn /proc/self/fd /dev/fd
have tmpfs /run
have tmpfs /tmp
have cgroup2 /sys/fs/cgroup
have bpf /sys/fs/bpf
have debugfs /sys/kernel/debug
have tracefs /sys/kernel/tracing
# The qemu launcher's initramfs puts it there.
[ -e "/boot/config-$(uname -r)" ] || cp /job/in/config-* /boot/
mkdir -p /run/scxval/raw
ip link set lo up 2>/dev/null
cd /run/scxval || exit 1
# Out of memory ends the scheduler, tracer or workload, never the agent that records it.
echo -1000 >/proc/self/oom_score_adj
if grep -q scxval.hold /proc/cmdline; then
    # The job folder must not be in use, not even by this script, while the guest's state is saved.
    mkdir code
    cp -r /job/in/scxval code/
    exec sh code/scxval/agent/guest_held.sh
fi
out=/job/out
if ! mountpoint -q "$out"; then
    # Nothing of the host may come in while an icount guest runs: one mark on the console, files at the end.
    out=/run/scxval/out
    mkdir -p "$out"
    echo '{"mark": "job-start"}' >/dev/ttyS0
fi
PYTHONPATH=/job/in python3 -B -m scxval.agent /job/in "$out" /run/scxval/raw >"$out/agent.log" 2>&1
if [ "$out" != /job/out ]; then
    mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 job_out /job/out
    cp -r "$out/." /job/out/
fi
sync
# A clean end without an init system.
echo o >/proc/sysrq-trigger
sleep 60
