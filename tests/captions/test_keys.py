import subprocess
import sys

import pytest

from tests.captions.kept_keys import keyring_with
from yoin.captions.keys import hidden, key_of, origin_of, require_safe, setting_of
from yoin.errors import UsageError


def test_the_first_key_that_is_set(monkeypatch):
    monkeypatch.setenv("FIRST_KEY", "  ")
    monkeypatch.setenv("SECOND_KEY", " abc ")
    assert key_of("NO_KEY", "FIRST_KEY", "SECOND_KEY") == "abc"
    assert key_of("NO_KEY") is None


def test_what_the_environment_lacks_the_keyring_may_have(monkeypatch):
    monkeypatch.delenv("FIRST_KEY", raising=False)
    monkeypatch.setenv("SECOND_KEY", "from the environment")
    with keyring_with({"FIRST_KEY": " kept-key ", "SECOND_KEY": "kept too"}) as asked:
        assert key_of("FIRST_KEY", "SECOND_KEY") == "from the environment"
        assert not asked  # the environment comes first, and then nobody is asked
        assert key_of("FIRST_KEY") == "kept-key"
        assert key_of("NO_KEY") is None
        assert (origin_of("FIRST_KEY"), origin_of("SECOND_KEY"), origin_of("NO_KEY")) == ("keyring", "environment", "")
        assert setting_of("FIRST_KEY") is None
        asked.clear()
        assert hidden("kept-key, from the environment", "FIRST_KEY", "SECOND_KEY") == "***, ***"
        assert not asked


@pytest.mark.parametrize("error", [RuntimeError("locked"), OSError("no bus"), ImportError("no such backend")])
def test_a_broken_keyring_has_no_keys(error):
    with keyring_with(error) as asked:
        assert key_of("NO_KEY") is None
        assert origin_of("NO_KEY") == ""
        assert asked == [("yoin", "NO_KEY")] * 2


def test_no_usable_keyring_has_no_keys():
    keyring = pytest.importorskip("keyring")
    from keyring.backends.fail import Keyring

    before = keyring.get_keyring()
    keyring.set_keyring(Keyring())
    try:
        assert key_of("NO_KEY") is None
    finally:
        keyring.set_keyring(before)


def test_without_the_package_there_is_the_environment_alone(monkeypatch):
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert key_of("NO_KEY") is None


def test_the_package_is_loaded_only_where_a_key_is_wanted():
    code = "import sys, yoin.captions.keys, yoin.cli; sys.exit('keyring' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/v1",
        "http://127.0.0.1:8000/v1",
        "http://localhost",
        "http://[::1]:1/v1",
        "http://127.8.8.8/",
    ],
)
def test_addresses_that_may_have_a_key(url):
    require_safe(url)


@pytest.mark.parametrize(
    "url",
    ["http://example.org/v1", "http://10.0.0.1", "ftp://localhost", "", "https://", "http://127.0.0.1.example.org"],
)
def test_addresses_that_may_not(url):
    with pytest.raises(UsageError, match="must start with https, or lead to this machine"):
        require_safe(url)


@pytest.mark.parametrize("url", ["https://me:s3cret@example.org/v1", "https://example.org/v1?key=s3cret"])
def test_an_address_with_a_secret_is_refused_and_not_repeated(url):
    with pytest.raises(UsageError) as refused:
        require_safe(url)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("url", ["http://[::1", "https://example.org:port/v1"])
def test_what_is_no_address(url):
    with pytest.raises(UsageError, match="is no URL"):
        require_safe(url)
