"""Settings: what arguments and environment combine to, and what is refused."""

import ipaddress

import attrs
import httpx
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from deepidv_async._config import DEFAULT_BASE_URL, Timeouts, resolve_config, seconds
from deepidv_async._errors import ConfigurationError

KEY = "canary-0123456789-key"


def resolved(base_url=None, api_version=None):
    config = resolve_config(KEY, base_url, api_version)
    return config.base_url, config.api_version


def refused(base_url=None, api_version=None):
    with pytest.raises(ConfigurationError) as caught:
        resolve_config(KEY, base_url, api_version)
    return str(caught.value)


def test_defaults():
    """Without any setting but the key, the published host and the documented generation."""
    assert resolved() == (DEFAULT_BASE_URL, "legacy")
    assert DEFAULT_BASE_URL == "https://api.deepidv.com"


def test_the_environment_fills_what_is_not_passed(monkeypatch):
    """Key, URL and generation are read from the environment."""
    monkeypatch.setenv("DEEPIDV_API_KEY", "from-env")
    monkeypatch.setenv("DEEPIDV_BASE_URL", "https://env.example/dev/")
    monkeypatch.setenv("DEEPIDV_API_VERSION", "v1")
    config = resolve_config(None, None, None)
    assert config.api_key.reveal() == "from-env"
    assert (config.base_url, config.api_version) == ("https://env.example/dev", "v1")


def test_arguments_win_over_the_environment(monkeypatch):
    """What is passed hides the environment, even one that is malformed."""
    monkeypatch.setenv("DEEPIDV_API_KEY", "not a key")
    monkeypatch.setenv("DEEPIDV_BASE_URL", "not a url")
    monkeypatch.setenv("DEEPIDV_API_VERSION", "v9")
    config = resolve_config(KEY, "https://arg.example", "legacy")
    assert config.api_key.reveal() == KEY
    assert (config.base_url, config.api_version) == ("https://arg.example", "legacy")


def test_an_empty_variable_counts_as_not_set(monkeypatch):
    """`DEEPIDV_BASE_URL=` in a file of variables means the default."""
    monkeypatch.setenv("DEEPIDV_BASE_URL", "")
    monkeypatch.setenv("DEEPIDV_API_VERSION", "")
    assert resolved() == (DEFAULT_BASE_URL, "legacy")


def test_an_empty_argument_is_a_mistake(monkeypatch):
    """An empty URL never sends the key to the default host in silence."""
    monkeypatch.setenv("DEEPIDV_BASE_URL", "https://env.example")
    assert "must look like" in refused(base_url="")
    assert "'legacy' or 'v1'" in refused(api_version="")


GOOD_URLS = [
    ("https://api.deepidv.com", "https://api.deepidv.com", "legacy"),
    ("https://api.deepidv.com/", "https://api.deepidv.com", "legacy"),
    ("https://api.deepidv.com//", "https://api.deepidv.com", "legacy"),
    ("https://api.deepidv.com/v1", "https://api.deepidv.com", "v1"),
    ("https://api.deepidv.com/v1/", "https://api.deepidv.com", "v1"),
    ("https://api.deepidv.com//v1//", "https://api.deepidv.com", "v1"),
    ("https://h.example/dev", "https://h.example/dev", "legacy"),
    ("https://h.example/dev/", "https://h.example/dev", "legacy"),
    ("https://h.example/dev/v1", "https://h.example/dev", "v1"),
    ("https://h.example/dev//v1/", "https://h.example/dev", "v1"),
    ("https://h.example/a/b/v1", "https://h.example/a/b", "v1"),
    ("https://h.example/v1/dev", "https://h.example/v1/dev", "legacy"),
    ("https://h.example/dev1", "https://h.example/dev1", "legacy"),
    ("https://h.example/xv1", "https://h.example/xv1", "legacy"),
    ("https://h.example:8443/dev", "https://h.example:8443/dev", "legacy"),
    ("https://h.example:", "https://h.example", "legacy"),
    ("HTTPS://API.DeepIDV.com/v1", "https://api.deepidv.com", "v1"),
    ("https://api.deepidv.com.", "https://api.deepidv.com.", "legacy"),
    ("https://sim_1.local", "https://sim_1.local", "legacy"),
    ("https://192.0.2.1", "https://192.0.2.1", "legacy"),
    ("https://[2001:db8::1]:8443/", "https://[2001:db8::1]:8443", "legacy"),
    ("http://localhost", "http://localhost", "legacy"),
    ("http://LOCALHOST:8000", "http://localhost:8000", "legacy"),
    ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000", "v1"),
    ("http://127.8.9.10:1", "http://127.8.9.10:1", "legacy"),
    ("http://[::1]", "http://[::1]", "legacy"),
    ("http://[::1]:8000/v1/", "http://[::1]:8000", "v1"),
]
BAD_URLS = [
    ("http://api.deepidv.com", "must use https"),
    ("http://api.deepidv.com/v1", "must use https"),
    ("http://192.168.0.1", "must use https"),
    ("http://0.0.0.0:8000", "must use https"),
    ("http://[2001:db8::1]", "must use https"),
    ("http://localhost.evil.example", "must use https"),
    ("http://127.0.0.1.evil.example", "must use https"),
    ("https://user@h.example", "user name or a password"),
    ("https://user:secret@h.example", "user name or a password"),
    ("https://@h.example", "user name or a password"),
    ("http://127.0.0.1@evil.example", "user name or a password"),
    ("https://h.example?x=1", "query or a fragment"),
    ("https://h.example/dev?", "query or a fragment"),
    ("https://h.example#top", "query or a fragment"),
    ("https://h.example/#", "query or a fragment"),
    (" https://h.example", "not a URL"),
    ("https://h.example ", "not a URL"),
    ("https://h example", "not a URL"),
    ("https://h.example/a b", "not a URL"),
    ("https://h.example\n", "not a URL"),
    ("https://h.exa\tmple", "not a URL"),
    ("https://h.example/\x00", "not a URL"),
    ("https://hé.example", "not a URL"),
    ("https://evil.example\\@api.deepidv.com", "not a URL"),
    ("https://h.example:0", "not a URL"),
    ("https://h.example:65536", "not a URL"),
    ("https://h.example:-1", "not a URL"),
    ("https://h.example:port", "not a URL"),
    ("https://h.example:0443", "not a URL"),
    ("https://[::1", "not a URL"),
    ("http://[::1]evil.example", "not a URL"),
    ("https://[zz]", "not a URL"),
    ("https://[", "not a URL"),
    ("", "must look like"),
    ("h.example", "must look like"),
    ("h.example:443", "must look like"),
    ("user:secret@h.example", "must look like"),
    ("//h.example", "must look like"),
    ("https://", "must look like"),
    ("https:///dev", "must look like"),
    ("https://:443", "must look like"),
    ("https:h.example", "must look like"),
    ("https://%65vil.example", "must look like"),
    ("https://a,b.example", "must look like"),
    ("https://-", "must look like"),
    ("https://.", "must look like"),
    ("ftp://h.example", "must look like"),
    ("file:///etc/passwd", "must look like"),
    ("httpx://h.example", "must look like"),
    (KEY, "must look like"),
]


@pytest.mark.parametrize(("url", "root", "version"), GOOD_URLS)
def test_a_base_url_is_brought_to_one_form(url, root, version):
    """Slashes, a `/v1`, a stage prefix and capital letters all come to the same root."""
    assert resolved(url) == (root, version)


@pytest.mark.parametrize(("url", "why"), BAD_URLS, ids=ascii)
def test_a_wrong_base_url_is_refused(url, why):
    """A URL that is none, or would give the key away, is refused and never shown."""
    message = refused(url)
    assert message.startswith("base_url ")
    assert why in message
    for secret in ("secret", "evil", KEY):
        assert secret not in message


@pytest.mark.parametrize("url", [7, b"https://h.example", ["x"], httpx.URL("https://h.example")])
def test_a_base_url_is_text(url):
    """Another type is named in the error, not guessed at."""
    assert type(url).__name__ in refused(url)


SEGMENTS = st.lists(st.from_regex(r"[A-Za-z0-9_~-]{1,8}", fullmatch=True), max_size=3)
HOSTS = st.one_of(
    st.from_regex(r"[a-z][a-z0-9-]{0,10}[a-z0-9](\.[a-z]{2,6}){0,2}", fullmatch=True),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(lambda address: f"[{address.compressed}]"),
)


@given(HOSTS, st.none() | st.integers(1, 65535), SEGMENTS, st.booleans(), st.text("/", max_size=3))
@settings(max_examples=80)
def test_any_well_formed_base_url_is_accepted(host, port, segments, says_v1, slashes):
    """Host, port and prefix stay, `/v1` and slashes at the end go, and the form is stable."""
    assume(segments[-1:] != ["v1"])
    prefix = "".join(f"/{each}" for each in segments)
    root = f"https://{host}{'' if port is None else f':{port}'}{prefix}"
    given_url = root + ("/v1" if says_v1 else "") + slashes
    assert resolved(given_url) == (root, "v1" if says_v1 else "legacy")
    assert resolved(root) == (root, "legacy")


WORDS = ["http://", "https://", "//", "/v1", "127.0.0.1", "::1", "localhost", "evil.example", "443"]
URLISH = st.lists(st.sampled_from(WORDS) | st.sampled_from(":/@?#%[]\\.0 \té"), max_size=9).map(
    "".join
)


@given(st.text(max_size=40) | URLISH)
@example("http://[::1]evil.example")
@example("http://127.0.0.1\\@evil.example")
@example("https://0.0.0.300")
@example("https://00.0.0.0")
@example("https://1.2.3")
@example("https://h.example/" + "a" * 70_000)
@settings(max_examples=150)
def test_no_base_url_slips_through(url):
    """Any text is refused as ours, or names the same host to the HTTP library as to the check."""
    try:
        root, _ = resolved(url)
    except ConfigurationError:
        return
    understood = httpx.URL(f"{root}/workflow")
    assert understood.userinfo == b""
    if understood.scheme != "https":
        host = understood.host
        assert host == "localhost" or ipaddress.ip_address(host).is_loopback


VERSIONS = [
    ("https://h.example", None, "legacy"),
    ("https://h.example", "legacy", "legacy"),
    ("https://h.example", "v1", "v1"),
    ("https://h.example/v1", None, "v1"),
    ("https://h.example/v1", "v1", "v1"),
    ("https://h.example/v1", "legacy", None),
]


@pytest.mark.parametrize("from_environment", ["", "url", "version", "url version"])
@pytest.mark.parametrize(("url", "version", "outcome"), VERSIONS)
def test_the_url_may_choose_the_generation(monkeypatch, url, version, outcome, from_environment):
    """`/v1` at the end chooses v1 unless a version is given, and contradicts `legacy`."""
    if "url" in from_environment:
        monkeypatch.setenv("DEEPIDV_BASE_URL", url)
        url = None
    if "version" in from_environment:
        monkeypatch.setenv("DEEPIDV_API_VERSION", version or "")
        version = None
    if outcome is None:
        assert "drop one of the two" in refused(url, version)
    else:
        assert resolved(url, version) == ("https://h.example", outcome)


@pytest.mark.parametrize(
    "version", ["V1", "v2", " v1", "1", 1, True, b"v1", ["v1"], KEY], ids=ascii
)
def test_an_unknown_generation_is_refused(version):
    """There are two; the error names both, where it may come from, and not the value."""
    message = refused(api_version=version)
    assert "'legacy' or 'v1'" in message
    assert "DEEPIDV_API_VERSION" in message
    assert KEY not in message


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://localhost:1", True),
        ("http://127.0.0.1:1", True),
        ("https://127.9.9.9", True),
        ("http://[::1]:1/dev", True),
        ("https://localhost.example", False),
        ("https://api.deepidv.com", False),
        ("https://192.0.2.1", False),
        ("https://[2001:db8::1]", False),
    ],
)
def test_loopback_is_told_from_the_network(url, here):
    """Only this machine's own addresses count as loopback."""
    assert resolve_config(KEY, url, None).loopback is here


def test_the_settings_are_frozen():
    """What was checked cannot be changed into what was not."""
    config = resolve_config(KEY, None, None)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        config.base_url = "http://evil.example"


NOT_SECONDS = [
    -1,
    -0.001,
    float("nan"),
    float("inf"),
    float("-inf"),
    True,
    False,
    None,
    "5",
    [5],
    10**400,
    10**5000,
]


@pytest.mark.parametrize("span", NOT_SECONDS, ids=range(len(NOT_SECONDS)))
@pytest.mark.parametrize("zero", [True, False])
def test_a_wrong_span_is_refused(span, zero):
    """A span is a finite number: anything else is our error, by its name and in a few words."""
    with pytest.raises(ConfigurationError, match="deadline must be a number of seconds") as caught:
        seconds("deadline", span, zero=zero)
    assert len(str(caught.value)) < 120


def test_zero_is_a_span_only_where_it_makes_sense():
    """Zero seconds are no timeout, but a fine delay."""
    assert seconds("initial", 0, zero=True) == 0.0
    with pytest.raises(ConfigurationError, match="more than zero; got 0"):
        seconds("deadline", 0)


@given(st.integers(1, 10**300) | st.floats(1e-9, exclude_min=True, allow_infinity=False))
@settings(max_examples=50)
def test_a_span_becomes_a_float(span):
    """Whole and broken numbers are the same thing afterwards."""
    given_back = seconds("deadline", span)
    assert type(given_back) is float
    assert given_back == float(span)


def test_timeouts_have_four_phases():
    """The defaults are the documented ones."""
    assert attrs.asdict(Timeouts()) == {"connect": 5.0, "read": 30.0, "write": 30.0, "pool": 10.0}


@pytest.mark.parametrize("phase", ["connect", "read", "write", "pool"])
@pytest.mark.parametrize("value", [0, -1, None, "5", float("nan"), True], ids=repr)
def test_each_phase_is_checked(phase, value):
    """A wrong phase is refused by its own name."""
    with pytest.raises(ConfigurationError, match=rf"Timeouts\({phase}="):
        Timeouts(**{phase: value})


def test_one_number_stands_for_all_phases():
    """A single timeout bounds each phase; four of them stay as they are."""
    assert Timeouts.of(7) == Timeouts(connect=7.0, read=7.0, write=7.0, pool=7.0)
    four = Timeouts(connect=1.0)
    assert Timeouts.of(four) is four
    with pytest.raises(ConfigurationError, match=r"^timeout must be .* got None"):
        Timeouts.of(None)
