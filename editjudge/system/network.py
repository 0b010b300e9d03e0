"""Proxy selection from environment variables. Requests to this machine never use a proxy."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from urllib.parse import urlsplit

from editjudge.errors import NetworkError

LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Hosts that libraries should reach directly; our own requests include all of 127.0.0.0/8."""

_SCHEMES = ("http", "https", "socks5", "socks5h")


@dataclass(frozen=True)
class Proxy:
    """A proxy and the variable that defines it."""

    url: str
    variable: str

    def __str__(self) -> str:
        """Return the URL without user name and password, for messages."""
        return f"{self.variable}={_without_secrets(self.url)}"


@dataclass(frozen=True)
class _Exception:
    """One entry of no_proxy: a network of addresses, or a domain with its subdomains; for one port or all."""

    network: ipaddress.IPv4Network | ipaddress.IPv6Network | None
    domain: str
    port: int | None


def is_local(host: str) -> bool:
    """Return whether a host name or address is this machine's loopback."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = _address(name)
    if address is None:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback or address.is_unspecified


def proxy_for(url: str) -> Proxy | None:
    """Return the proxy for requests to `url`; None when none is set, or the host is this machine or in no_proxy.

    Raises `NetworkError` when a relevant variable is invalid.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_local(host):
        return None
    proxy = _proxy(parts.scheme) or _proxy("all")
    if proxy is None:
        return None
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return None if any(_matches(entry, host.lower(), port) for entry in _exceptions()) else proxy


def check_network() -> None:
    """Raise `NetworkError` for an invalid variable of proxies or certificates. Call it before a library goes online.

    Libraries fail on such a variable with a traceback or a misleading message. This call also makes them reach this
    machine directly.
    """
    spare_loopback()
    proxies = [_proxy(scheme) for scheme in ("http", "https", "all")]
    if any(proxies):
        list(_exceptions())
    check_certificates()


def check_certificates() -> None:
    """Raise `NetworkError` when SSL_CERT_FILE names a file without certificates."""
    import ssl

    path = os.environ.get("SSL_CERT_FILE")
    if not path:
        return
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:
        raise NetworkError(
            f"the environment variable SSL_CERT_FILE cannot be used: {path}: {error.strerror or error}; "
            "name a file of certificates (PEM), or unset SSL_CERT_FILE"
        ) from error


def spare_loopback() -> None:
    """Add this machine to no_proxy, for every library in this process and its children. Idempotent."""
    if not any(_variable(f"{scheme}_proxy") for scheme in ("http", "https", "all")):
        return
    for name in [name for name in ("no_proxy", "NO_PROXY") if name in os.environ] or ["no_proxy"]:
        value = os.environ.get(name, "")
        entries = [entry.strip() for entry in value.split(",")]
        missing = [host for host in LOOPBACK if host not in entries]
        if "*" not in entries and missing:
            os.environ[name] = ",".join([*filter(None, [value.strip().rstrip(",")]), *missing])


def _variable(name: str) -> str | None:
    """Return a variable's name as set: lower case before upper case, as in curl and Python; None if not set."""
    return next((spelled for spelled in (name, name.upper()) if os.environ.get(spelled, "").strip()), None)


def _proxy(scheme: str) -> Proxy | None:
    variable = _variable(f"{scheme}_proxy")
    if variable is None:
        return None
    value = os.environ[variable].strip()
    url = value if "://" in value else f"http://{value}"
    problem = _problem(url)
    if problem is not None:
        raise NetworkError(
            f"the environment variable {variable} cannot be used: {_without_secrets(value)!r}: {problem}; "
            f"correct it, or unset {variable}"
        )
    return Proxy(url, variable)


def _problem(url: str) -> str | None:
    """Return the problem of a proxy's address."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
        (host or "").encode("idna")
    except ValueError as error:
        return str(error)
    if parts.scheme not in _SCHEMES:
        return f"unknown kind of proxy {parts.scheme!r}; known: {', '.join(_SCHEMES)}"
    if not host or re.search(r"\s", host):
        return "no host; expected a value such as http://proxy.example.com:3128"
    if parts.scheme.startswith("socks") and find_spec("socksio") is None:
        return "SOCKS proxies need the package socksio: pip install 'httpx[socks]'"
    return None


def _exceptions() -> Iterator[_Exception]:
    """Yield the entries of no_proxy, separated by commas or spaces. Raises `NetworkError` for an invalid one."""
    variable = _variable("no_proxy")
    if variable is None:
        return
    for entry in re.split(r"[,\s]+", os.environ[variable].strip(", \t\n")):
        try:
            yield _read_exception(entry)
        except ValueError as error:
            raise NetworkError(
                f"the environment variable {variable} cannot be used: entry {entry!r}: {error}; "
                f"expected hosts, domains or networks separated by commas, such as localhost,.example.com,10.0.0.0/8"
            ) from error


def _read_exception(entry: str) -> _Exception:
    """Parse an entry. Raises `ValueError` unless it is an address, a network or a host, with or without port."""
    text = entry.rpartition("://")[2].lower()
    network = _network(text)
    if network is not None:
        return _Exception(network, "", None)
    if re.search(r"[;|\\]", text):
        raise ValueError("not a host name")
    parts = urlsplit(f"//{text}")
    port = parts.port
    network = _network(parts.hostname or "")
    if network is not None:
        return _Exception(network, "", port)
    domain = (parts.hostname or "").removeprefix("*").strip(".")
    if not domain and text != "*":
        raise ValueError("no host name")
    return _Exception(None, domain, port)


def _matches(entry: _Exception, host: str, port: int | None) -> bool:
    if entry.port is not None and entry.port != port:
        return False
    if entry.network is not None:
        address = _address(host)
        return address is not None and address in entry.network
    return not entry.domain or host == entry.domain or host.endswith(f".{entry.domain}")


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """Parse an address (with brackets and zone, if any) or a network such as 10.0.0.0/8."""
    address, slash, length = text.partition("/")
    try:
        return ipaddress.ip_network(f"{address.strip('[]').partition('%')[0]}{slash}{length}", strict=False)
    except ValueError:
        return None


def _without_secrets(url: str) -> str:
    return re.sub(r"//.*@", "//***@", url)
