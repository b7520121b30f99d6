#!/bin/sh
# SPDX-License-Identifier: MIT
# The guest's process 1 after the initramfs: the file systems a job needs, the agent, power off.
# There is no udev and no service manager: nothing runs here that is not part of the job.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev 2>/dev/null
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
# bpftrace writes its output through /dev/fd, which only udev or an init would make.
ln -sfn /proc/self/fd /dev/fd
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t bpf bpf /sys/fs/bpf
mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing
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
