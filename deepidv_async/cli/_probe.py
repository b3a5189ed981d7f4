"""The way to the host, step by step and without a key: name, connection, certificate, clock."""

import asyncio
import ipaddress
import ssl
import time
import urllib.request
from collections.abc import AsyncGenerator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

import attrs

from deepidv_async import ConfigurationError
from deepidv_async._transport import shared_tls_context
from deepidv_async.cli._exit import ExitCode
from deepidv_async.cli._finding import Finding, fail, good, skip, warn

__all__ = ["Probe"]

# Days before its end in which a certificate should have been renewed.
_RENEWED: Final = 14
# A Date header has whole seconds. The limiter's day and a Retry-After date bear more than this.
_SKEW: Final = timedelta(seconds=30)
_NAMES: Final = ("dns", "tcp", "tls", "clock")


@attrs.define
class Probe:
    """Goes the way to the host that a base URL names.

    Attributes:
        base_url: checked already.
        bound: seconds that each step may take.
        requests: how many were sent; they carry no key.
    """

    base_url: str
    bound: float
    requests: int = 0
    _streams: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = attrs.field(
        init=False, factory=list[Any]
    )

    @property
    def host(self) -> str:
        """The host's name or address."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def port(self) -> int:
        """The port, also where the URL has none."""
        parts = urlsplit(self.base_url)
        return parts.port or (443 if parts.scheme == "https" else 80)

    @property
    def secure(self) -> bool:
        """Whether the connection is encrypted."""
        return self.base_url.startswith("https:")

    async def findings(self) -> AsyncGenerator[Finding, None]:
        """Give one finding for each step; those behind one that fails are skipped."""
        proxy = self.proxy()
        yield _told_proxy(proxy)
        if proxy is not None:
            for name in _NAMES:
                yield skip(name, "The proxy makes the connection; the calls below tell the rest.")
            return
        try:
            for number, step in enumerate((self._dns, self._tcp, self._tls, self._clock)):
                finding = await step()
                yield finding
                if finding.state == "fail":
                    for name in _NAMES[number + 1 :]:
                        yield skip(name, "The step before it failed.")
                    return
        finally:
            for _, writer in self._streams:
                writer.transport.abort()

    def proxy(self) -> str | None:
        """Give the proxy that the environment names for this host, without its password."""
        address = _address(self.host)
        if self.host == "localhost" or (address is not None and address.is_loopback):
            return None
        proxies = urllib.request.getproxies()
        proxy = proxies.get(self.base_url.partition(":")[0]) or proxies.get("all")
        if proxy is None or urllib.request.proxy_bypass(self.host):
            return None
        parts = urlsplit(proxy if "//" in proxy else f"http://{proxy}")
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

    async def _dns(self) -> Finding:
        if _address(self.host) is not None:
            return good("dns", f"{self.host} is an address.")
        began = time.monotonic()
        try:
            async with asyncio.timeout(self.bound):
                found = await asyncio.get_running_loop().getaddrinfo(self.host, self.port)
        except (OSError, TimeoutError) as error:
            return fail(
                "dns",
                f"{self.host} cannot be resolved: {_reason(error, self.bound)}.",
                "Check the name in --base-url, and this machine's DNS.",
                ExitCode.UNREACHABLE,
            )
        count = len({address for *_, address in found})
        return good("dns", f"{self.host} has {count} address(es), {_took(began)}.")

    async def _tcp(self) -> Finding:
        began = time.monotonic()
        try:
            async with asyncio.timeout(self.bound):
                self._streams.append(await asyncio.open_connection(self.host, self.port))
        except (OSError, TimeoutError) as error:
            return fail(
                "tcp",
                f"{self.host} port {self.port} cannot be reached: {_reason(error, self.bound)}.",
                "Check --base-url and the firewall; where only a proxy leads out, set HTTPS_PROXY.",
                ExitCode.UNREACHABLE,
            )
        return good("tcp", f"Connected to port {self.port}, {_took(began)}.")

    async def _tls(self) -> Finding:
        if not self.secure:
            return good("tls", "Not used: this machine itself is asked.")
        began = time.monotonic()
        _, writer = self._streams[0]
        try:
            context = await asyncio.to_thread(shared_tls_context)
            async with asyncio.timeout(self.bound):
                await writer.start_tls(context, server_hostname=self.host)
        except ConfigurationError as error:
            return fail("tls", str(error), None, ExitCode.USAGE)
        except (OSError, TimeoutError) as error:
            return fail(
                "tls",
                f"No trust in the certificate of {self.host}: {_reason(error, self.bound)}.",
                "Check --base-url; where a company's proxy re-signs, name its certificate with "
                "SSL_CERT_FILE.",
                ExitCode.UNREACHABLE,
            )
        return _certificate(writer.get_extra_info("ssl_object"), _took(began))

    async def _clock(self) -> Finding:
        path = urlsplit(self.base_url).path
        asked = datetime.now(UTC)
        try:
            async with asyncio.timeout(self.bound):
                head = await self._ask(f"{path}/health")
        except (OSError, TimeoutError, EOFError, asyncio.LimitOverrunError) as error:
            return fail(
                "clock",
                f"The host does not answer over HTTP: {_reason(error, self.bound)}.",
                "Check --base-url: another service may listen there.",
                ExitCode.UNREACHABLE,
            )
        return _skew(_date_of(head), asked, datetime.now(UTC))

    async def _ask(self, path: str) -> bytes:
        """Send one request without a key; give the head of the answer."""
        reader, writer = self._streams[0]
        place = self.base_url.partition("//")[2].partition("/")[0]
        about = ("User-Agent: deepidv-async", "Connection: close", "")
        lines = (f"GET {path} HTTP/1.1", f"Host: {place}", *about)
        self.requests += 1
        writer.write("".join(f"{line}\r\n" for line in lines).encode("ascii"))
        await writer.drain()
        return await reader.readuntil(b"\r\n\r\n")


def _told_proxy(proxy: str | None) -> Finding:
    if proxy is None:
        return good("proxy", "None is used.")
    return good("proxy", f"{proxy}, as the environment says; NO_PROXY makes exceptions.")


def _certificate(tls: ssl.SSLObject, took: str) -> Finding:
    detail = f"{tls.version()}, trusted, {took}"
    # A trusted certificate has a date.
    ends = ssl.cert_time_to_seconds(str((tls.getpeercert() or {})["notAfter"]))
    days = int((ends - time.time()) // 86_400)
    detail += f"; the certificate ends in {days} days."
    if days < _RENEWED:
        return warn("tls", detail, "Its owner should renew it: calls fail from that day on.")
    return good("tls", detail)


def _date_of(head: bytes) -> datetime | None:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"date":
            with suppress(ValueError):
                return parsedate_to_datetime(value.decode("latin-1").strip()).astimezone(UTC)
    return None


def _skew(date: datetime | None, asked: datetime, answered: datetime) -> Finding:
    """Compare the clocks: the host's lay between `date` and a second later, some time between."""
    if date is None:
        return warn(
            "clock",
            "The host tells no time, so the clocks cannot be compared.",
            "Make sure that this machine's clock is set by NTP.",
        )
    ahead, behind = asked - date - timedelta(seconds=1), date - answered
    skew = max(ahead, behind)
    if skew <= _SKEW:
        bound = max(skew.total_seconds(), 1)
        return good("clock", f"It agrees with the host's within {bound:.0f} s.")
    word = "ahead of" if ahead > behind else "behind"
    return warn(
        "clock",
        f"This machine's clock is {skew.total_seconds():,.0f} s {word} the host's.",
        "Set it by NTP: certificates, Retry-After dates and the day of the quota depend on it.",
    )


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _reason(error: Exception, bound: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {bound:g} s"
    told = getattr(error, "verify_message", None) or getattr(error, "strerror", None) or str(error)
    return str(told or type(error).__name__).rstrip(".")


def _took(began: float) -> str:
    return f"{(time.monotonic() - began) * 1000:,.0f} ms"
