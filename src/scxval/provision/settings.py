# SPDX-License-Identifier: MIT
"""Where packages and crates come from: mirror, suite, proxy, certificates, apt options."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scxval.errors import ScxvalError

# Settings of this host's apt that a new root needs as well: how to reach and judge a mirror.
INHERITED = (
    "Acquire::Check-Valid-Until",
    "Acquire::Check-Date",
    "Acquire::http::Proxy",
    "Acquire::https::Proxy",
    "Acquire::https::CAInfo",
)


@dataclass(frozen=True)
class Settings:
    """The `provision` section of the configuration, with what the environment adds to it."""

    mirror: str
    suite: str
    lock: str
    ca_bundle: str
    proxy: str
    apt_options: tuple[str, ...]

    def environment(self) -> dict[str, str]:
        """The environment for a download: proxy and certificates where they are set."""
        env = dict(os.environ)
        if self.proxy:
            env |= {"http_proxy": self.proxy, "https_proxy": self.proxy}
        return env


def settings_from(section: dict[str, Any]) -> Settings:
    """Complete the configured section from SSL_CERT_FILE, http_proxy and the host's apt."""
    return Settings(
        mirror=section["mirror"] or host_mirror(),
        suite=section["suite"],
        lock=section["lock"],
        ca_bundle=section["ca_bundle"] or os.environ.get("SSL_CERT_FILE", ""),
        proxy=section["proxy"] or os.environ.get("http_proxy", ""),
        apt_options=(*host_apt_options(), *section["apt_options"]),
    )


def host_mirror() -> str:
    """The Debian mirror that this host's apt uses. Raises ScxvalError when it has none."""
    command = ["apt-get", "indextargets", "--format", "$(LABEL) $(REPO_URI)"]
    try:
        done = subprocess.run(
            [*command, "Created-By: Packages"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        lines = []
    else:
        lines = done.stdout.splitlines()
    for line in lines:
        label, _, uri = line.partition(" ")
        if label == "Debian" and uri.startswith("http"):
            return uri.rstrip("/")
    raise ScxvalError(
        "this host's apt knows no Debian mirror (`apt-get update` helps if it should): "
        "set provision.mirror in the config"
    )


def host_apt_options() -> list[str]:
    """This host's own settings for reaching a mirror, as lines for apt.conf; [] without apt."""
    try:
        dump = subprocess.run(
            ["apt-config", "dump", *INHERITED], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return []
    return [line for line in dump.splitlines() if not line.endswith('"";')]


def settings_argument(parser: argparse.ArgumentParser) -> None:
    """Add --settings, the `provision` section as JSON."""
    parser.add_argument("--settings", type=json.loads, required=True, metavar="JSON")


def ca_bundle_path(settings: Settings) -> Path | None:
    """The certificates to take along into a build root, None when the root's own will do."""
    return Path(settings.ca_bundle) if settings.ca_bundle else None
