#!/bin/sh
# SPDX-License-Identifier: MIT
# Goes on from guest_init.sh in a guest whose state is to be saved: QEMU refuses that while a 9p folder is
# mounted, so the agent comes along in memory and mounts its job's folders once it is let go.
umount /job/in /job/out
# As in guest_init.sh.
echo -1000 >/proc/self/oom_score_adj
PYTHONPATH=/run/scxval/code python3 -B -m scxval.agent.held /job/in /job/out /run/scxval/raw
sync
echo o >/proc/sysrq-trigger
sleep 60
