"""Proxies: real servers on this machine, a real proxy that answers wrongly, and what the environment gets wrong."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from bench_ground import stored_pairs
from fake_hub import fake_hub
from fake_proxy import fake_proxy
from fake_studio import TOKEN, fake_studio
from studio_ground import write_groups

from annotation.label_studio.client import Studio, StudioError
from annotation.label_studio.install import _step
from editjudge.engines.weights import model_digest
from editjudge.errors import NetworkError
from editjudge.formats.bench_schema import write_editreward_bench
from editjudge.images.store import ImageStore
from editjudge.system.network import check_network, is_local, proxy_for, spare_loopback

NAMES = [f"{name}_proxy" for name in ("http", "https", "all", "no")]
REMOTE = "http://studio.example.invalid:8080"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in NAMES:
        # Set and removed: what a test makes the program set there is removed again.
        for spelled in (name, name.upper()):
            monkeypatch.setenv(spelled, "")
            monkeypatch.delenv(spelled)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)


@pytest.fixture
def proxy():
    with fake_proxy() as found:
        yield found


def child_environment(**changes):
    return {key: value for key, value in os.environ.items() if key.lower() not in NAMES} | changes


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"no_proxy": "example.com"},
        {"all_proxy": "socks5://127.0.0.1:1"},
        {"no_proxy": "http://["},
        {"no_proxy": "a:b:c"},
        {"HTTP_PROXY": "http://a:b:c"},
    ],
)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_server_on_this_machine_is_reached_directly(proxy, monkeypatch, variables, host):
    for name, value in ({"http_proxy": proxy.url} | variables).items():
        monkeypatch.setenv(name, value)
    with fake_studio() as studio, Studio(studio.url.replace("127.0.0.1", host), TOKEN) as connection:
        assert connection.projects() == []
    assert proxy.asked == []


def test_a_server_elsewhere_is_asked_through_the_proxy_and_its_refusal_says_so(proxy, monkeypatch):
    monkeypatch.setenv("http_proxy", proxy.url.replace("//", "//me:secret@"))
    with Studio(REMOTE, TOKEN) as studio, pytest.raises(StudioError) as refused:
        studio.projects()
    assert proxy.asked == [f"GET {REMOTE}/api/projects/?page=1&page_size=100 HTTP/1.1"]
    assert f"{REMOTE} (through the proxy of http_proxy={proxy.url.replace('//', '//***@')})" in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("all_proxy", "socks5://127.0.0.1:1080", "SOCKS proxies need the package socksio"),
        ("ALL_PROXY", "socks4://127.0.0.1:1080", "unknown kind of proxy 'socks4'"),
        ("http_proxy", "http://me:secret@host:port", "Port could not be cast"),
        ("http_proxy", "http://[::1", "Invalid IPv6 URL"),
        ("HTTP_PROXY", "http://", "no host"),
        ("no_proxy", "localhost,a:b:c", "entry 'a:b:c': Port could not be cast"),
        ("no_proxy", "http://[", "entry 'http://[': Invalid IPv6 URL"),
        ("NO_PROXY", "localhost;example.com", "not a host name"),
        ("SSL_CERT_FILE", "/nowhere/certificates.pem", "No such file"),
    ],
)
def test_what_the_environment_gets_wrong_is_one_line_that_names_the_variable(monkeypatch, name, value, problem):
    if name.lower() == "no_proxy":
        monkeypatch.setenv("http_proxy", "http://proxy.example.invalid:3128")
    monkeypatch.setenv(name, value)
    for attempt in (lambda: Studio(REMOTE, TOKEN), check_network, lambda: model_digest("owner/model", None)):
        with pytest.raises(NetworkError) as told:
            attempt()
        text = str(told.value)
        assert text.startswith(f"the environment variable {name} cannot be used: ")
        assert problem in text
        assert "\n" not in text
        assert "secret" not in text


@pytest.mark.parametrize(
    ("host", "local"),
    [
        *[(host, True) for host in ("localhost", "LOCALHOST.", "app.localhost", "127.0.0.1", "127.8.9.10", "0.0.0.0")],
        *[(host, True) for host in ("::1", "[::1]", "::ffff:127.0.0.1", "::")],
        *[(host, False) for host in ("localhost.example.com", "128.0.0.1", "10.0.0.1", "::2", "notlocalhost", "")],
    ],
)
def test_which_hosts_are_this_machine(host, local):
    assert is_local(host) is local


@pytest.mark.parametrize(
    ("url", "no_proxy", "proxied"),
    [
        ("http://a.example.com", "", True),
        ("http://a.example.com", "example.com", False),
        ("http://a.example.com", ".example.com", False),
        ("http://a.example.com", "*.example.com", False),
        ("http://a.example.com", "b.org , EXAMPLE.com", False),
        ("http://aexample.com", "example.com", True),
        ("http://a.example.com", "*", False),
        ("http://a.example.com", "a.example.com:80", False),
        ("http://a.example.com:81", "a.example.com:80", True),
        ("http://10.1.2.3", "10.0.0.0/8", False),
        ("http://11.1.2.3", "10.0.0.0/8", True),
        ("http://[fe80::1]:8080", "fe80::/10", False),
        ("http://[fe80::1]:8080", "[fe80::1]:8080,::1/128", False),
        ("http://[fe80::2]", "[::1],fe80::1", True),
        ("https://a.example.com", "", False),  # only http_proxy is set
        ("http://[::1]:8089", "", False),
        ("http://127.3.4.5:8089", "", False),
    ],
)
def test_what_no_proxy_excepts(monkeypatch, url, no_proxy, proxied):
    monkeypatch.setenv("http_proxy", "proxy.example.com:3128")
    monkeypatch.setenv("no_proxy", no_proxy)
    found = proxy_for(url)
    assert (found is not None) is proxied
    assert found is None or (found.url, found.variable) == ("http://proxy.example.com:3128", "http_proxy")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {}),
        ({"http_proxy": "h:1"}, {"no_proxy": "localhost,127.0.0.1,::1"}),
        ({"HTTPS_PROXY": "h:1", "NO_PROXY": "a.org, localhost,"}, {"NO_PROXY": "a.org, localhost,127.0.0.1,::1"}),
        ({"all_proxy": "h:1", "no_proxy": "*"}, {"no_proxy": "*"}),
    ],
)
def test_libraries_are_told_to_spare_this_machine(monkeypatch, before, after):
    for name, value in before.items():
        monkeypatch.setenv(name, value)
    spare_loopback()
    spare_loopback()
    assert {name: os.environ[name] for name in ("no_proxy", "NO_PROXY") if name in os.environ} == after


LOAD_BY_NAME = """
import sys
from pathlib import Path
from eval.benchmarks.editreward_bench import EditRewardBench
print(len(EditRewardBench(path="owner/bench").load(Path(sys.argv[1])).pairs))
"""


def test_a_hub_on_this_machine_is_reached_directly(proxy, tmp_path):
    write_editreward_bench(stored_pairs(tmp_path), ImageStore(tmp_path), tmp_path / "bench")
    with fake_hub("owner/bench", tmp_path / "bench") as address:
        variables = {"HF_ENDPOINT": address, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "0"}
        ran = subprocess.run(
            [sys.executable, "-c", LOAD_BY_NAME, str(tmp_path / "images")],
            env=child_environment(**variables, http_proxy=proxy.url),
            capture_output=True,
            text=True,
            check=False,
        )
    assert ran.stdout == "6\n", ran.stderr
    assert not [line for line in proxy.asked if f" {address}/" in line]


@pytest.mark.parametrize(
    ("name", "value"), [("all_proxy", "socks5://127.0.0.1:1"), ("no_proxy", "a:b:c"), ("http_proxy", "ftp://h")]
)
def test_a_command_ends_with_one_line(tmp_path, name, value):
    write_groups(tmp_path, 1)
    recipe = tmp_path / "campaign.yaml"
    recipe.write_text(
        f"out: {tmp_path}/out\nproject: {{title: Trial, groups: {tmp_path}/groups.jsonl, units: [{{name: a}}]}}\n"
        f"server: {{url: '{REMOTE}', images_url: '{REMOTE}/images/'}}\n"
    )
    variables = {"LABEL_STUDIO_API_KEY": TOKEN, name: value}
    if name == "no_proxy":  # without a proxy it does not matter
        variables["http_proxy"] = "http://127.0.0.1:1"
    ran = subprocess.run(
        [sys.executable, "-m", "editjudge", "annotate", "push", str(recipe)],
        env=child_environment(**variables),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert ran.stderr.startswith(f"the environment variable {name} cannot be used: "), ran.stderr
    assert ran.stderr.count("\n") == 1


def test_pip_keeps_the_proxy(tmp_path, monkeypatch):
    monkeypatch.setenv("https_proxy", "http://proxy.example.com:3128")
    log = tmp_path / "log"
    with log.open("w") as output:
        _step([sys.executable, "-c", "import os; print(os.environ['https_proxy'])"], output.fileno(), log)
    assert log.read_text() == "http://proxy.example.com:3128\n"
