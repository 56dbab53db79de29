"""Masks: what is found, what is left alone, and what it costs."""

import base64
import html
import json
import time
from urllib.parse import quote, quote_plus

import pytest

from sandbox_kernel.host.secrets import Masks, Tail
from sandbox_kernel.host.secrets.masks import MAX_GROWTH, MAX_TAIL

VALUE = 'p@ss "w/o" rd+é<1>'
PLAIN = "ghp_0123456789abcdef"
KEY = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQ\nEFAASCBKcwggSjAgEAAoIBAQ\n-----END KEY-----\n"

SPELLINGS = {
    "itself": VALUE,
    "repr": repr(VALUE),
    "JSON": json.dumps(VALUE),
    "JSON, as it is": json.dumps(VALUE, ensure_ascii=False),
    "a URL's path": quote(VALUE),
    "a URL's part": quote(VALUE, safe=""),
    "a form's field": quote_plus(VALUE),
    "HTML": html.escape(VALUE),
    "hex": VALUE.encode().hex(),
    "HEX": VALUE.encode().hex().upper(),
    "base64": base64.b64encode(VALUE.encode()).decode(),
    "base64 for URLs": base64.urlsafe_b64encode(VALUE.encode()).decode(),
    "base64 after a name": base64.b64encode(b"u:" + VALUE.encode()).decode(),
    "base64 in the middle": base64.b64encode(b"user:" + VALUE.encode() + b":more").decode(),
}


@pytest.mark.parametrize("way", SPELLINGS)
def test_spellings(way):
    """A secret is found as itself and as common programs write it."""
    shown = Masks({"PASSWORD": VALUE}).text(f"Authorization: Basic {SPELLINGS[way]} end")
    assert "[secret PASSWORD]" in shown
    assert shown.endswith(" end")
    rest = shown.replace("[secret PASSWORD]", "")
    assert not any(SPELLINGS[way][start : start + 8] in rest for start in range(len(SPELLINGS[way]) - 8))


@pytest.mark.parametrize("end", ["\n", "\r\n", " \n"])
def test_a_file_that_ends_with_a_line(end):
    """Code strips what it reads; the stripped value is the secret, too."""
    masks = Masks({"T": PLAIN + end})
    assert masks.text(f"<{PLAIN}>") == "<[secret T]>"


def test_lines_of_a_key():
    """A private key is masked as a whole and line by line, its first and last line are no secret."""
    masks = Masks({"KEY": KEY})
    assert masks.text(f"x{KEY}y") == "x[secret KEY]y"
    for line in KEY.splitlines()[1:3]:
        assert masks.text(line) == "[secret KEY]"
    assert masks.text(KEY.splitlines()[0]) == KEY.splitlines()[0]


def test_the_longer_one_wins():
    """A secret that contains another one is named by its own name."""
    masks = Masks({"SHORT": "password1", "LONG": "password1-and-more"})
    assert masks.text("password1-and-more password1") == "[secret LONG] [secret SHORT]"


@pytest.mark.parametrize("value", ["", "short", "1234567"])
def test_short_values_are_left_alone(value):
    """What is shorter than eight characters would be found in other people's words."""
    assert not Masks({"X": value})


def test_masks_do_not_make_much_of_little():
    """A secret that is said a million times is not made many times longer by the name of its mask."""
    masks = Masks({"A_NAME_THAT_IS_MUCH_LONGER_THAN_ITS_VALUE": "password", "TOKEN": PLAIN})
    assert masks.text("password" * 1000) == "[secret]" * 1000
    assert len(masks.text(PLAIN * 1000)) <= MAX_GROWTH * 1000 * len(PLAIN)


def test_json_is_searched_everywhere():
    """Keys, values, lists, however deep; what holds nothing stays the object that it was."""
    masks = Masks({"T": PLAIN})
    value = {"a": [1, None, {"b": f"x{PLAIN}"}], PLAIN: True}
    assert masks.json(value) == {"a": [1, None, {"b": "x[secret T]"}], "[secret T]": True}
    clean = {"a": [1, {"b": "c"}]}
    assert masks.json(clean) is clean


def test_buffers_keep_their_length():
    """Binary data stays as long as it was."""
    masks = Masks({"T": PLAIN})
    data = b"\0\xff" + PLAIN.encode() + b"\0"
    assert masks.buffer(data) == b"\0\xff" + b"*" * len(PLAIN) + b"\0"
    assert masks.buffer(memoryview(b"other")) == b"other"


@pytest.mark.parametrize("cut", range(1, len(PLAIN)))
def test_a_secret_in_two_halves(cut):
    """Wherever a secret is cut in two, both halves together are masked."""
    tail = Tail(Masks({"T": PLAIN}))
    shown = tail.feed(f"a{PLAIN[:cut]}") + tail.feed(f"{PLAIN[cut:]}b") + tail.rest()
    assert shown == "a[secret T]b"


@pytest.mark.parametrize("cut", [1, 15, 16, 17, 2000, 59_999])
def test_a_long_secret_in_two_pieces(cut):
    """A key of some kilobytes on one line is cut by any program's buffer."""
    secret = "".join(f"{number:04x}" for number in range(15_000))
    tail = Tail(Masks({"T": secret}))
    shown = tail.feed(f"a{secret[:cut]}") + tail.feed(f"{secret[cut:]}b") + tail.rest()
    assert shown == "a[secret T]b"


def test_a_secret_letter_by_letter():
    """Also in as many pieces as it has letters."""
    tail = Tail(Masks({"T": PLAIN}))
    assert "".join(map(tail.feed, f"a{PLAIN}b")) + tail.rest() == "a[secret T]b"


def test_what_only_began_like_a_secret():
    """What turns out to be none is shown, in its order, and nothing is lost."""
    tail = Tail(Masks({"T": PLAIN}))
    assert tail.feed("x ghp_01") == "x "
    assert tail.feed("99") == "ghp_0199"
    assert tail.feed("gh") == ""
    assert tail.rest() == "gh"
    assert tail.rest() == ""


def test_a_hostile_stream_costs_little():
    """Text that looks like the beginning of a secret at every letter is no way to keep the host busy."""
    tail = Tail(Masks({"T": "a" * 60_000 + "b"}))
    begun = time.process_time()
    for _ in range(20):
        tail.feed("a" * 100_000)
    assert time.process_time() - begun < 5
    assert len(tail.held) <= MAX_TAIL
