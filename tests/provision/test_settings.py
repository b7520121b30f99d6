# SPDX-License-Identifier: MIT
"""Where packages come from: configured, else what the environment and this host's apt say."""

from __future__ import annotations

from typing import Any

import pytest

from scxval.provision.settings import host_apt_options, settings_from

SECTION: dict[str, Any] = {
    "mirror": "http://mirror.example/debian",
    "suite": "forky",
    "lock": "drift",
    "ca_bundle": "",
    "proxy": "",
    "apt_options": ['Acquire::Retries "3";'],
}


def test_the_environment_fills_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/ca.crt")
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    settings = settings_from(SECTION)
    assert (settings.ca_bundle, settings.proxy) == ("/ca.crt", "http://proxy.example:3128")
    assert settings.apt_options[-1] == 'Acquire::Retries "3";'
    configured = settings_from(
        {**SECTION, "ca_bundle": "/mine.crt", "proxy": "http://mine.example"}
    )
    assert (configured.ca_bundle, configured.proxy) == ("/mine.crt", "http://mine.example")
    assert configured.environment()["https_proxy"] == "http://mine.example"


def test_host_mirror_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings_from({**SECTION, "mirror": ""}).mirror.startswith("http")


def test_inherited_options_are_apt_lines() -> None:
    for line in host_apt_options():
        assert line.startswith("Acquire::")
        assert line.endswith('";')
