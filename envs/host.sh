#!/bin/sh
# SPDX-License-Identifier: MIT
# As root: installs the Debian packages of the lists that are named (files beside this one, by default
# host.packages). Otherwise: says which are missing and how to get them, and goes on only when none is. On a Debian whose own QEMU is older than 10 (bookworm), QEMU
# comes from its backports, for which a sources file is added.
set -eu
here=$(dirname "$0")
[ $# -gt 0 ] || set -- host.packages
for list; do
    [ -f "$here/$list" ] || { echo "scxval: no list of packages $here/$list" >&2; exit 1; }
done
needed=$(for list; do sed 's/#.*//' "$here/$list"; done | tr -s '\n' ' ')
qemu_minimum=1:10

version() { dpkg-query -W -f '${db:Status-Abbrev} ${Version}' "$1" 2>/dev/null | sed -n 's/^ii *//p'; }

missing() {
    for package in $needed; do
        installed=$(version "$package")
        if [ -z "$installed" ]; then
            echo "$package"
        elif [ "$package" = qemu-system-x86 ] && dpkg --compare-versions "$installed" lt $qemu_minimum; then
            echo "$package"
        fi
    done
}

if ! command -v dpkg-query >/dev/null; then
    echo "scxval: this is not Debian; install the equivalents of: $needed" >&2
    exit 1
fi
todo=$(missing | tr '\n' ' ')
[ -n "$todo" ] || exit 0
. /etc/os-release
if [ "$(id -u)" != 0 ]; then
    echo "scxval: missing Debian packages: $todo" >&2
    echo "As root: apt-get install --no-install-recommends $todo" >&2
    echo "(QEMU must be 10 or newer: on bookworm add -t $VERSION_CODENAME-backports)" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
release=""
candidate=$(apt-cache policy qemu-system-x86 | sed -n 's/ *Candidate: //p')
if dpkg --compare-versions "$candidate" lt $qemu_minimum; then
    release=$VERSION_CODENAME-backports
    if ! apt-cache policy | grep -q "n=$release"; then
        mirror=$(apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' |
            sed -n 's/^Debian http/http/p' | head -n 1)
        echo "deb $mirror $release main" >/etc/apt/sources.list.d/scxval-backports.list
        apt-get update -q
    fi
fi
others=$(echo "$todo" | sed 's/qemu-system-x86//')
case "$todo" in
*qemu-system-x86*) apt-get install -y -q --no-install-recommends ${release:+-t "$release"} qemu-system-x86 ;;
esac
# shellcheck disable=SC2086
[ -z "$(echo "$others" | tr -d ' ')" ] || apt-get install -y -q --no-install-recommends $others
still=$(missing | tr '\n' ' ')
if [ -n "$still" ]; then
    echo "scxval: still missing after installing: $still" >&2
    exit 1
fi
