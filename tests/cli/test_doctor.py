"""The doctor: each trouble has its own line, with what to do; a healthy set-up has none."""

import asyncio
import contextlib
import datetime as dt
import json
import re
import socket
import ssl
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from deepidv_async import RateLimit, _transport
from deepidv_async.cli import _doctor, _probe
from deepidv_async.cli._doctor_calls import CALLS, _limiter
from deepidv_async.simulator import Fault

KEY = "canary-key-4711"
PEM = Path(__file__).with_name("localhost.pem")
NAMES = ["settings", "key", "proxy", "dns", "tcp", "tls", "clock", *CALLS]


def _checks(result):
    """Give the findings of a run with `-o json`, by name."""
    return {check["name"]: check for check in json.loads(result.stdout)["checks"]}


def _states(result):
    return {name: check["state"] for name, check in _checks(result).items()}


@pytest.mark.parametrize("version", ["legacy", "v1"])
def test_a_healthy_set_up(run, api, version):
    """Every check is well, with four requests, three of them with the key; the key is not shown."""
    result = run("doctor", "--api-version", version)
    assert result.exit_code == 0
    lines = [line.split()[:2] for line in result.stdout.splitlines()]
    assert lines == [["ok", name] for name in NAMES]
    assert f"The host serves legacy and v1; {version} is in use." in result.stdout
    assert "The key is accepted, and sees 2 workflow(s)." in result.stdout
    told = "0 of 12 checks failed; 4 requests were sent, 3 of them with the key.\n"
    assert result.stderr == told
    keys = [entry.key for entry in api.simulator.journal]
    assert sorted(keys) == ["missing", "right", "right", "right"]
    assert KEY not in result.stdout


def test_json(run, api):
    """For programs: one object, with the checks in order and the number of requests."""
    result = run("doctor", "-o", "json")
    assert (result.exit_code, result.stderr) == (0, "")
    told = json.loads(result.stdout)
    assert (told["healthy"], told["requests"]) == (True, 4)
    assert [check["name"] for check in told["checks"]] == NAMES
    assert {tuple(check) for check in told["checks"]} == {("name", "state", "detail", "advice")}


def test_a_terminal(on_screen, api):
    """On a terminal the states have colours, and long lines are wrapped behind their column."""
    _, screen = on_screen("doctor")
    assert re.search(r"\x1b\[32mok +\x1b\[0m +key", screen.raw)
    assert all(len(line.rstrip()) <= 80 for line in screen.text.splitlines())
    assert re.search(r"\n {18,20}\S", screen.text)


def test_a_malformed_setting(run, api):
    """Without a host there is nothing more to look at."""
    result = run("doctor", "--base-url", "nowhere", "-o", "json")
    assert result.exit_code == 2
    assert _states(result) == {"settings": "fail"}
    assert run("doctor", "--quiet", "--verbose").exit_code == 2


@pytest.mark.parametrize(("key", "said"), [(None, "No API key"), ("two words", "malformed")])
def test_a_key_that_is_none(run, api, monkeypatch, key, said):
    """The way to the host is looked at all the same; nothing is sent with a key."""
    monkeypatch.delenv("DEEPIDV_API_KEY")
    if key is not None:
        monkeypatch.setenv("DEEPIDV_API_KEY", key)
    result = run("doctor", "-o", "json")
    checks = _checks(result)
    assert result.exit_code == 2
    assert said in checks["key"]["detail"]
    assert {checks[name]["state"] for name in ("dns", "tcp", "tls", "clock")} == {"ok"}
    assert {checks[name]["state"] for name in CALLS} == {"skip"}
    assert json.loads(result.stdout)["requests"] == len(api.simulator.journal) == 1
    assert "two words" not in result.stdout


def test_a_key_from_standard_input(run, api, monkeypatch):
    """It is read once, for both generations."""
    monkeypatch.delenv("DEEPIDV_API_KEY")
    result = run("doctor", "--api-key-file", "-", input=f"{KEY}\n")
    assert result.exit_code == 0
    assert "Present and well-formed, from -." in result.stdout


def test_a_key_that_is_not_accepted(run, api, monkeypatch):
    """Which generations there are cannot be told then."""
    monkeypatch.setenv("DEEPIDV_API_KEY", "another-key")
    result = run("doctor", "-o", "json")
    checks = _checks(result)
    assert result.exit_code == 4
    assert (checks["access"]["state"], checks["generation"]["state"]) == ("fail", "skip")
    assert "Check DEEPIDV_API_KEY" in checks["access"]["detail"]
    assert json.loads(result.stdout)["requests"] == 3


@pytest.mark.parametrize(
    ("serves", "spoken", "code"), [("v1", "legacy", 2), ("legacy", "v1", 2), ("v1", "v1", 0)]
)
def test_generations(run, api, monkeypatch, serves, spoken, code):
    """A generation that the host lacks is told with the setting to change."""
    monkeypatch.setattr(api.simulator, "serves", serves)
    result = run("doctor", "--api-version", spoken, "-o", "json")
    check = _checks(result)["generation"]
    assert result.exit_code == code
    if code:
        assert check["detail"] == f"The host serves {serves} and not {spoken}."
        assert f"--api-version {serves}" in check["advice"]
        assert _states(result)["access"] == "ok"
    else:
        assert check["detail"] == "The host serves v1; v1 is in use."


def test_a_host_of_something_else(run, api):
    """Neither generation: most likely the stage is missing."""
    api.simulator.plan(Fault("usual"), Fault("not-served", times=None))
    result = run("doctor", "-o", "json")
    checks = _checks(result)
    assert result.exit_code == 2
    assert "/dev" in checks["generation"]["advice"]
    assert checks["access"]["state"] == "skip"


@pytest.mark.parametrize(
    ("fault", "name", "state", "code", "keyed"),
    [
        (Fault(429, times=3), "access", "warn", 0, 2),
        (Fault("limit-exceeded", times=3), "quota", "fail", 5, 1),
        (Fault(402, times=3), "access", "fail", 6, 2),
        (Fault(500, times=3), "access", "fail", 1, 2),
        (Fault(delay=30, times=3), "access", "fail", 7, 2),
    ],
    ids=["429", "quota", "402", "500", "slow"],
)
def test_answers(run, api, *, fault, name, state, code, keyed):
    """Each refusal is told as what it is, with the code that a call would end with.

    Nothing is asked twice, and nothing at all once the quota is known to be spent.
    """
    api.simulator.plan(Fault("usual"), fault)
    result = run("doctor", "--timeout", "0.3", "-o", "json")
    assert result.exit_code == code
    assert _states(result)[name] == state
    assert _states(result)["latency"] == "skip"
    assert len(api.simulator.journal) == json.loads(result.stdout)["requests"] == 1 + keyed


def test_a_host_that_does_not_listen(run, api):
    """The way ends at the connection; the rest is skipped, nothing is sent, and the code is 7."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    result = run("doctor", "--base-url", f"http://127.0.0.1:{port}", "-o", "json")
    states = _states(result)
    assert result.exit_code == 7
    assert list(states.values()) == ["ok"] * 4 + ["fail"] + ["skip"] * 7
    assert json.loads(result.stdout)["requests"] == 0


@contextmanager
def _answering(answer):
    """Listen, and answer the first request with these bytes."""

    def serve():
        with listener.accept()[0] as connection:
            connection.recv(65536)
            connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


@pytest.mark.parametrize(
    "answer", [b"", b"220 mail ready\r\n", b"x" * 100_000], ids=["nothing", "mail", "much"]
)
def test_a_host_that_speaks_something_else(run, api, answer):
    """What is no answer of HTTP is told as that."""
    with _answering(answer) as url:
        result = run("doctor", "--base-url", url, "-o", "json")
    assert result.exit_code == 7
    assert "does not answer over HTTP" in _checks(result)["clock"]["detail"]


def test_a_name_that_is_not_known(run, api, monkeypatch):
    """A slip in the name is found out where names are looked up."""

    async def fail(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", fail)
    result = run("doctor", "--base-url", "https://api.example", "-o", "json")
    assert result.exit_code == 7
    detail = _checks(result)["dns"]["detail"]
    assert detail == "api.example cannot be resolved: Name or service not known."


def test_a_name_that_takes_long(run, api, monkeypatch):
    """Each step is bounded, by `--timeout`."""

    async def wait(*_, **__):
        await asyncio.sleep(30)

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", wait)
    result = run("doctor", "--base-url", "https://api.example", "--timeout", "0.05", "-o", "json")
    assert "no answer within 0.05 s" in _checks(result)["dns"]["detail"]


def test_a_name(run, api):
    """A name is looked up, and its addresses are counted."""
    url = api.base_url.replace("127.0.0.1", "localhost")
    result = run("doctor", "--base-url", url)
    assert result.exit_code == 0
    assert re.search(r"localhost has \d address\(es\), \d+ ms", result.stdout)


@pytest.mark.parametrize(
    ("proxy", "shown"),
    [("http://me:secret@proxy.example:3128", "http://proxy.example:3128"), ("p:1", "http://p:1")],
)
def test_a_proxy(run, api, monkeypatch, proxy, shown):
    """It is named without its password; what it does in our place is not looked at."""
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    monkeypatch.setattr(_doctor, "findings_of_calls", _no_calls)
    result = run("doctor", "--base-url", "https://api.example", "-o", "json")
    checks = _checks(result)
    assert shown in checks["proxy"]["detail"]
    assert "secret" not in result.stdout
    assert {checks[name]["state"] for name in ("dns", "tcp", "tls", "clock")} == {"skip"}


async def _no_calls(*_):
    return ()


@pytest.mark.own_pool("an injected client has proxies of its own")
def test_a_proxy_that_is_not_for_this_host(run, api, monkeypatch):
    """`NO_PROXY` makes exceptions, and this machine itself is never asked through one."""
    monkeypatch.setenv("ALL_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    assert run("doctor").exit_code == 0
    assert _probe.Probe("https://api.example", 1).proxy() == "http://proxy.example:3128"
    monkeypatch.setenv("NO_PROXY", "example")
    assert _probe.Probe("https://api.example", 1).proxy() is None


@pytest.fixture
def secure(api, monkeypatch):
    """The simulator behind TLS, with a certificate that is trusted in here; gives its URL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)
    monkeypatch.setattr(_transport, "_tls_context", ssl.create_default_context(cafile=PEM))
    port = int(api.base_url.rpartition(":")[2])
    ready, addresses = threading.Event(), []
    end, loops = asyncio.Event(), []

    async def relay(reader, writer):
        theirs, ours = await asyncio.open_connection("127.0.0.1", port)
        # Each direction ends the other one; the certificate may be refused on the way.
        with contextlib.suppress(OSError):
            await asyncio.gather(_pipe(reader, ours), _pipe(theirs, writer))
        for each in (ours, writer):
            each.transport.abort()

    async def serve():
        loops.append(asyncio.get_running_loop())
        async with await asyncio.start_server(relay, "127.0.0.1", 0, ssl=context) as server:
            addresses.append(server.sockets[0].getsockname())
            ready.set()
            await end.wait()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.wait_for(asyncio.gather(*others), 5)
        await asyncio.sleep(0.01)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    ready.wait()
    yield f"https://localhost:{addresses[0][1]}"
    loops[0].call_soon_threadsafe(end.set)
    thread.join()


async def _pipe(reader, writer):
    while piece := await reader.read(65536):
        writer.write(piece)
    writer.close()


@pytest.mark.own_pool("an injected client has a context of its own")
def test_tls(run, secure):
    """Over TLS: version, trust and the end of the certificate, and all checks behind it."""
    result = run("doctor", "--base-url", secure)
    assert result.exit_code == 0
    assert re.search(
        r"TLSv1\.3, trusted, \d+ ms; the certificate ends in 3\d{4} days\.", result.stdout
    )


def test_a_certificate_that_is_not_trusted(run, secure, monkeypatch):
    """The reason is told, and what to do where a company's proxy re-signs."""
    monkeypatch.setattr(_transport, "_tls_context", ssl.create_default_context())
    result = run("doctor", "--base-url", secure, "-o", "json")
    check = _checks(result)["tls"]
    assert (result.exit_code, check["state"]) == (7, "fail")
    assert "self-signed certificate" in check["detail"]
    assert "SSL_CERT_FILE" in check["advice"]


def test_certificates_that_cannot_be_loaded(run, secure, monkeypatch):
    """A wrong `SSL_CERT_FILE` is a setting, not a host that is down."""
    monkeypatch.setattr(_transport, "_tls_context", None)
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere.pem")
    result = run("doctor", "--base-url", secure, "-o", "json")
    assert result.exit_code == 2
    assert "SSL_CERT_FILE" in _checks(result)["tls"]["detail"]


class Certificate:
    """A connection whose certificate ends in so many days."""

    def __init__(self, days):
        self.days = days

    def version(self):
        return "TLSv1.3"

    def getpeercert(self):
        ends = dt.datetime.now(dt.UTC) + dt.timedelta(days=self.days, hours=1)
        return {"notAfter": ends.strftime("%b %d %H:%M:%S %Y GMT")}


@pytest.mark.parametrize(("days", "state"), [(13, "warn"), (14, "ok")])
def test_a_certificate_that_ends_soon(days, state):
    """Two weeks before its end somebody should be told."""
    finding = _probe._certificate(Certificate(days), "1 ms")
    assert (finding.state, f"ends in {days} days" in finding.detail) == (state, True)


@pytest.mark.parametrize(
    ("seconds", "state", "said"),
    [
        (0, "ok", "within 1 s"),
        (29, "ok", "within"),
        (3600, "warn", r"3,(5\d\d|600) s behind"),
        (-3600, "warn", r"3,(5\d\d|600) s ahead of"),
    ],
)
def test_clocks(run, api, seconds, state, said):
    """The host's Date header is compared with this machine's clock."""
    date = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)
    head = date.strftime("HTTP/1.1 403 Forbidden\r\nDATE: %a, %d %b %Y %H:%M:%S GMT\r\n\r\n")
    with _answering(head.encode()) as url:
        check = _checks(run("doctor", "--base-url", url, "--timeout", "0.3", "-o", "json"))["clock"]
    assert check["state"] == state
    assert re.search(said, check["detail"])


@pytest.mark.parametrize("head", [b"", b"Date: yesterday\r\n"])
def test_a_host_that_tells_no_time(run, api, head):
    """Then nothing can be compared, which is told."""
    with _answering(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n") as url:
        result = run("doctor", "--base-url", url, "--timeout", "0.3", "-o", "json")
    assert _states(result)["clock"] == "warn"


@pytest.mark.parametrize(
    ("limit", "latency", "state", "said"),
    [
        (RateLimit(), 0.1, "ok", "2.5 of them under way"),
        (RateLimit(), 1.1, "warn", "RateLimit(hold=1.1)"),
        (RateLimit(per_second=250), 0.2, "warn", "170 requests/s of 250"),
        (RateLimit(per_second=40), 0.9, "warn", "max_connections=36"),
    ],
)
def test_the_limiter(limit, latency, state, said):
    """Rate x latency is compared with burst, connections and `hold`; the advice has the number."""
    finding = _limiter(limit, latency)
    assert finding.state == state
    assert said in f"{finding.detail} {finding.advice}"


def test_a_limit_of_ones_own(run, api):
    """The figures are those of the options."""
    result = run("doctor", "--rate", "5", "--per-day", "0", "-o", "json")
    checks = _checks(result)
    assert checks["limiter"]["detail"].startswith("5 requests/s")
    assert checks["quota"]["detail"] == "No daily limit is kept."
