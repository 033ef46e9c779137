import pytest

from yoin.captions.keys import key_of, require_safe
from yoin.errors import UsageError


def test_the_first_key_that_is_set(monkeypatch):
    monkeypatch.setenv("FIRST_KEY", "  ")
    monkeypatch.setenv("SECOND_KEY", " abc ")
    assert key_of("NO_KEY", "FIRST_KEY", "SECOND_KEY") == "abc"
    assert key_of("NO_KEY") is None


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
