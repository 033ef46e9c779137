import pytest

from tests.captions.gemini_server import GeminiServer
from tests.captions.kept_keys import keyring_with
from yoin import registry
from yoin.doctor import examine


@pytest.fixture(autouse=True)
def no_keys(monkeypatch):
    for name in ("GOOGLE_API_KEY", "GEMINI_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def test_without_a_key_gemini_is_not_usable_and_nobody_is_asked():
    found = examine()
    assert found["captioners"]["gemini"] == "there is no key; set GOOGLE_API_KEY or GEMINI_API_KEY"
    assert found["services"] == found["keys"] == {}
    if registry.missing("captioners", "anthropic") is None:
        assert found["captioners"]["anthropic"] == "there is no key; set ANTHROPIC_API_KEY"
    assert found["models"]["tfidf"] == ""


def test_with_a_key_it_says_what_the_key_can_use(monkeypatch):
    with GeminiServer(keys=["right"]) as server:
        monkeypatch.setenv("GOOGLE_API_KEY", "right")
        said = examine(gemini=f"gemini@{server.url}")["services"]["gemini"]
        assert said.startswith("the key can use: gemini-")
        monkeypatch.setenv("GOOGLE_API_KEY", "wr0ng-key")
        refused = examine(gemini=f"gemini@{server.url}")["services"]["gemini"]
    assert "key" in refused
    assert "wr0ng" not in refused


def test_it_says_where_a_key_comes_from_and_not_the_key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "planted-1")
    with keyring_with({"ANTHROPIC_API_KEY": "planted-2"}):
        found = examine()
    assert found["keys"] == {"OPENAI_API_KEY": "environment", "ANTHROPIC_API_KEY": "keyring"}
    assert "key" not in found["captioners"]["anthropic"]
    assert "planted" not in str(found)
