"""Standard Webhooks, judged by its reference library: what it signs passes, and nothing else does."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from sanfen.abc import Request, VerifyError
from sanfen.errors import ConfigError
from sanfen_adapters.signatures import STANDARD_WEBHOOKS, check, keys

VECTORS = [
    line
    for line in (Path(__file__).parent.parent / "data/channels/vectors.jsonl").read_text(encoding="utf-8").splitlines()
    if "standard-webhooks" in line
]
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
NOW_MS = 1_795_309_132_000
BODY = '{"type": "message.created", "data": {"text": "在吗"}}'


def signed(body: str = BODY, secret: str = SECRET, *, at_ms: int = NOW_MS, name: str = "msg_1") -> dict[str, str]:
    """Headers as the reference library makes them."""
    at = datetime.fromtimestamp(at_ms // 1000, UTC)
    return {
        "webhook-id": name,
        "webhook-timestamp": str(at_ms // 1000),
        "webhook-signature": Webhook(secret).sign(name, at, body),
    }


def reason(headers: dict[str, str], body: str | bytes = BODY, secrets: Any = (SECRET,), now_ms: int = NOW_MS) -> str:
    """Why a request is refused; empty where it is authentic."""
    raw = body.encode() if isinstance(body, str) else body
    try:
        check(STANDARD_WEBHOOKS, Request("POST", "", "", headers, raw), keys(secrets, "desk"), now_ms)
    except VerifyError as error:
        return error.reason if error.hint else "without a hint"
    return ""


@pytest.mark.parametrize("line", VECTORS)
def test_published_vectors(line: str) -> None:
    """Two signatures in one header, the second is right."""
    vector = json.loads(line)

    assert reason(vector["headers"], vector["body"], [vector["secret"]], vector["now"] * 1000) == ""
    assert reason(vector["headers"], vector["body"] + " ", [vector["secret"]], vector["now"] * 1000) == "mismatch"
    assert reason(vector["headers"], vector["body"], [vector["secret"]], (vector["now"] + 301) * 1000) == "stale"


@given(st.text(), st.text(alphabet="abcXYZ019_-", min_size=1), st.integers(1, 2_000_000_000))
def test_whatever_the_library_signs_passes(body: str, name: str, at_s: int) -> None:
    body = body.encode("utf-8", "replace").decode()

    assert reason(signed(body, at_ms=at_s * 1000, name=name), body, now_ms=at_s * 1000) == ""


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"webhook-id": "msg_2"}, "mismatch"),
        ({"webhook-timestamp": "1795309133"}, "mismatch"),
        ({"webhook-signature": "v1,AAAA"}, "mismatch"),
        ({"webhook-signature": "v1,*not base64*"}, "mismatch"),
        ({"webhook-signature": "v1,"}, "mismatch"),
        ({"webhook-signature": "v1"}, "mismatch"),
        ({"webhook-signature": "   "}, "mismatch"),
        ({"webhook-signature": "v1,签名"}, "mismatch"),
        ({"webhook-signature": "\udcff"}, "mismatch"),
        ({"webhook-signature": ""}, "unsigned"),
        ({"webhook-id": ""}, "unsigned"),
        ({"webhook-timestamp": "1_795_309_132"}, "timestamp"),
        ({"webhook-timestamp": " 1795309132"}, "timestamp"),
        ({"webhook-timestamp": "1795309132.0"}, "timestamp"),
        ({"webhook-timestamp": "١٧٩٥٣٠٩١٣٢"}, "timestamp"),
        ({"webhook-timestamp": "-1"}, "timestamp"),
        ({"webhook-timestamp": "inf"}, "timestamp"),
        ({"webhook-timestamp": "9" * 400}, "timestamp"),
        ({"webhook-timestamp": "999999999999"}, "stale"),
    ],
)
def test_tampered_headers_are_refused(change: dict[str, str], why: str) -> None:
    """Always by VerifyError: a malformed signature must not become a server error."""
    assert reason(signed() | change) == why


def test_every_character_of_a_signature_counts() -> None:
    headers = signed()
    right = headers["webhook-signature"]

    for at, char in enumerate(right):
        wrong = right[:at] + ("A" if char != "A" else "B") + right[at + 1 :]
        assert reason(headers | {"webhook-signature": wrong}) == "mismatch", at


def test_every_comparison_takes_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole, on bytes, every secret with every signature, also after one has matched."""
    compared: list[tuple[bytes, bytes]] = []

    def watched(first: bytes, second: bytes) -> bool:
        compared.append((first, second))
        return first == second

    monkeypatch.setattr("sanfen_adapters.signatures.hmac.compare_digest", watched)
    headers = signed()
    headers["webhook-signature"] += " v1,short"

    assert reason(headers, secrets=(SECRET, OTHER)) == ""
    assert len(compared) == 4
    assert all(type(one) is bytes for pair in compared for one in pair)


def test_an_unknown_version_is_no_match() -> None:
    headers = signed()
    headers["webhook-signature"] = headers["webhook-signature"].replace("v1,", "v2,")

    assert reason(headers) == "mismatch"


def test_other_entries_do_no_harm() -> None:
    """Malformed and foreign entries beside a right one."""
    headers = signed()
    headers["webhook-signature"] = f"v1a,xxx  v1,*** 签名 {headers['webhook-signature']} v9,zz"

    assert reason(headers) == ""


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_header_is_unsigned(name: str) -> None:
    headers = signed()
    del headers[name]

    assert reason(headers) == "unsigned"


def test_the_body_is_signed_to_the_byte() -> None:
    """The same JSON written otherwise is another body."""
    assert reason(signed(), json.dumps(json.loads(BODY))) == "mismatch"
    assert reason(signed(), BODY + "\n") == "mismatch"


@pytest.mark.parametrize(("off_s", "why"), [(300, ""), (301, "stale"), (-300, ""), (-301, "stale")])
def test_the_window_is_five_minutes_both_ways(off_s: int, why: str) -> None:
    assert reason(signed(), now_ms=NOW_MS + off_s * 1000) == why


def test_rotation() -> None:
    """While a secret is changed, the new one and the old one are both accepted; after it, only the new one."""
    assert reason(signed(secret=OTHER), secrets=(SECRET,)) == "mismatch"
    assert reason(signed(secret=OTHER), secrets=(SECRET, OTHER)) == ""
    assert reason(signed(secret=SECRET), secrets=(SECRET, OTHER)) == ""
    assert reason(signed(secret=OTHER), secrets=()) == "no_secret"


def test_a_secret_may_be_a_plain_text() -> None:
    """Not every sender has the prefix; the key is then the text's bytes."""
    encoded = "cGxhaW4gdGV4dCBzZWNyZXQ="  # what the library decodes to: plain text secret

    assert reason(signed(secret=encoded), secrets=("plain text secret",)) == ""


def test_a_secret_without_padding_is_a_secret() -> None:
    assert keys(["whsec_YWI"], "desk") == (b"ab",)


def test_a_secret_that_is_no_base64_is_an_error_of_the_configuration() -> None:
    """Said at start, and without the secret."""
    with pytest.raises(ConfigError) as caught:
        keys(["whsec_not base64!"], "desk")

    assert "channels.desk" in caught.value.message
    assert "not base64!" not in str(caught.value)
