"""The client's settings: checked once, frozen, and read from the environment in one function."""

import ipaddress
import os
import re
import sys
from typing import Final, Literal, TypeAlias
from urllib.parse import SplitResult, urlsplit

import attrs

from deepidv_async._errors import ConfigurationError
from deepidv_async._redaction import Secret, shown

__all__ = ["APIVersion", "Config", "Timeouts", "resolve_config", "seconds"]

APIVersion: TypeAlias = Literal["legacy", "v1"]

DEFAULT_BASE_URL: Final = "https://api.deepidv.com"
_MAX_URL: Final = 2_000
_MAX_KEY: Final = 512
_HOST_NAME: Final = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_.])?")


def seconds(name: str, value: object, *, zero: bool = False) -> float:
    """Check a span of time and give it as a float.

    Raises:
        ConfigurationError: not a finite number above zero (or of zero, where allowed).
    """
    if (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and (0 < value <= sys.float_info.max or (zero and value == 0))
    ):
        return float(value)
    least = "zero or more" if zero else "more than zero"
    raise ConfigurationError(f"{name} must be a number of seconds, {least}; got {shown(value)}.")


@attrs.frozen
class Timeouts:
    """How long one attempt may wait in each of its phases, in seconds.

    Args:
        connect: for name resolution, TCP and TLS.
        read: between two pieces of the answer. The gateway itself gives up after 29 s, so 30
            lets its 504 arrive.
        write: between two pieces of the request.
        pool: for a free connection of the HTTP library's pool. The client's own queue stands
            in front of that pool and is bounded by the call's `deadline` only.
    """

    connect: float = 5.0
    read: float = 30.0
    write: float = 30.0
    pool: float = 10.0

    def __attrs_post_init__(self) -> None:
        for phase, value in attrs.asdict(self).items():
            seconds(f"Timeouts({phase}=...)", value)

    def as_dict(self) -> dict[str, float]:
        """Give the four by their names, as the HTTP library takes them."""
        return {
            "connect": self.connect,
            "read": self.read,
            "write": self.write,
            "pool": self.pool,
        }

    @classmethod
    def of(cls, value: "float | Timeouts") -> "Timeouts":
        """Take one number for all four phases, or the four as they are."""
        if isinstance(value, Timeouts):
            return value
        span = seconds("timeout", value)
        return cls(connect=span, read=span, write=span, pool=span)


@attrs.frozen
class Config:
    """What does not change over a client's life.

    Attributes:
        api_key: the key, hidden.
        base_url: scheme, host and path prefix, without a trailing slash and without `/v1`.
        api_version: which generation of the API to speak.
    """

    api_key: Secret
    base_url: str
    api_version: APIVersion

    @property
    def loopback(self) -> bool:
        """Whether the API is served by this machine (a simulator): no proxy is asked then."""
        return _is_loopback(urlsplit(self.base_url).hostname or "")


def resolve_config(
    api_key: str | Secret | None, base_url: str | None, api_version: str | None
) -> Config:
    """Combine arguments with the environment; arguments win.

    Reads `DEEPIDV_API_KEY`, `DEEPIDV_BASE_URL` and `DEEPIDV_API_VERSION`; an empty one counts as
    not set, while an empty argument is a mistake.

    Raises:
        ConfigurationError: a setting is missing, malformed or contradicts another.
    """
    # Hidden before anything can fail, and `os.environ` never bound: a traceback with locals
    # shows the arguments of every frame.
    if api_key is None:
        api_key = os.environ.get("DEEPIDV_API_KEY")
    secret = api_key if isinstance(api_key, Secret) else Secret(api_key or "")
    del api_key
    if fault := _key_fault(secret.reveal()):
        raise ConfigurationError(fault)
    if base_url is None:
        base_url = os.environ.get("DEEPIDV_BASE_URL") or DEFAULT_BASE_URL
    if api_version is None:
        api_version = os.environ.get("DEEPIDV_API_VERSION") or None
    root, says_v1 = _check_base_url(base_url)
    return Config(secret, root, _check_version(api_version, says_v1=says_v1))


def _key_fault(value: object) -> str | None:
    """Tell what is wrong with a key; told rather than raised, since this frame holds it."""
    if value == "":
        return (
            "No API key: pass AsyncDeepIDV(api_key=...) or set the environment variable "
            "DEEPIDV_API_KEY (Admin Console, Settings, API Keys)."
        )
    if not isinstance(value, str):
        return f"The API key must be a str, not {type(value).__name__}."
    # The header would carry these as they are, and the HTTP library would print the key whole
    # in its error. The vendor specifies no format, so nothing else is checked.
    if len(value) > _MAX_KEY or any(not "!" <= char <= "~" for char in value):
        return (
            "The API key is malformed: it holds a space, a line break or a character outside "
            f"ASCII, or is longer than {_MAX_KEY} characters. A key read from a file often "
            "ends in a newline: strip() it."
        )
    return None


def _check_base_url(value: object) -> tuple[str, bool]:
    """Give the URL without its trailing slash and `/v1`, and whether it had the latter."""
    if not isinstance(value, str):
        raise ConfigurationError(f"base_url must be a str, not {type(value).__name__}.")
    # No message shows the value: it may hold a password, or be a key in the wrong variable.
    found = _split(value)
    if found is None:
        raise ConfigurationError(
            f"base_url is not a URL: it must look like {DEFAULT_BASE_URL}, without spaces."
        )
    parts, host, place = found
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError("base_url must not carry a user name or a password.")
    if parts.scheme not in ("http", "https") or not _is_host(host):
        raise ConfigurationError(
            f"base_url must look like {DEFAULT_BASE_URL}, with scheme and host."
        )
    if "?" in value or "#" in value:
        raise ConfigurationError("base_url must not carry a query or a fragment.")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ConfigurationError(
            "base_url must use https: over http the API key could be read on its way. Only this "
            "machine (127.0.0.1, ::1, localhost) may use http."
        )
    path = parts.path.rstrip("/")
    says_v1 = path.endswith("/v1")
    return f"{parts.scheme}://{place}{path.removesuffix('/v1').rstrip('/')}", says_v1


def _split(value: str) -> tuple[SplitResult, str, str] | None:
    """Give the parts, the host, and the host with its port; `None` if it is not a URL."""
    if len(value) > _MAX_URL or "\\" in value or any(not "!" <= char <= "~" for char in value):
        return None
    try:
        parts = urlsplit(value)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    place = (f"[{host}]" if ":" in host else host) + ("" if port is None else f":{port}")
    # What was understood is put together again: of "[::1]evil.example" urlsplit reports ::1 as
    # the host, and the HTTP library may take another one for it.
    same = parts.netloc.rpartition("@")[2].lower().removesuffix(":") == place
    return (parts, host, place) if same and port != 0 else None


def _is_host(host: str) -> bool:
    # The HTTP library takes digits and dots for an IPv4 address and refuses a wrong one.
    named = _HOST_NAME.fullmatch(host) is not None and host.strip("0123456789.") != ""
    return named or _address(host) is not None


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _check_version(value: object, *, says_v1: bool) -> APIVersion:
    if value is None:
        return "v1" if says_v1 else "legacy"
    if value == "v1":
        return "v1"
    if value != "legacy":
        raise ConfigurationError(
            "api_version must be 'legacy' or 'v1', as an argument or in DEEPIDV_API_VERSION."
        )
    if says_v1:
        raise ConfigurationError(
            "base_url ends in /v1, which is the current API, but api_version is 'legacy': "
            "drop one of the two (they may come from DEEPIDV_BASE_URL, DEEPIDV_API_VERSION)."
        )
    return "legacy"
