from __future__ import annotations

import json

import pytest

from streamproc.errors import InferenceError, ReplyError
from streamproc.modelreply import (
    LONGEST_QUOTE,
    Listed,
    Reply,
    RequestRefused,
    ServerUnfit,
    TryLater,
    Usage,
    quoted,
    read_choices,
    read_models,
    read_text,
    refusal,
)
from streamproc.secrets import remember


class Answer(Reply):
    verdict: str
    cites: list[str]


def body(content: str | None, finish_reason: str | None = "stop", **message: str) -> str:
    choice = {"message": {"role": "assistant", "content": content, **message}, "finish_reason": finish_reason}
    return json.dumps({"id": "x", "choices": [choice], "a_field_of_the_future": 1})


GOOD = '{"verdict": "normal", "cites": ["N1"]}'


def test_a_good_reply_is_read_with_whatever_else_the_server_says() -> None:
    assert read_choices(body(GOOD), Answer)[0] == [Answer(verdict="normal", cites=["N1"])]
    assert read_choices(body(GOOD, finish_reason=None), Answer)[0] == [Answer(verdict="normal", cites=["N1"])]


@pytest.mark.parametrize(
    ("raw", "says", "text"),
    [
        (body('{"verdict": "no', "length"), "truncated", '{"verdict": "no'),
        (body(GOOD, "length"), "truncated", GOOD),
        (body(GOOD, "content_filter"), "ended early: content_filter", GOOD),
        (body("I think it is normal."), "Invalid JSON", "I think it is normal."),
        (body('{"verdict": "normal"}'), "cites: Field required", '{"verdict": "normal"}'),
        (body('{"verdict": 3, "cites": []}'), "verdict: Input should be a valid string", '{"verdict": 3, "cites": []}'),
        (body('{"verdict": "a", "cites": [], "x": 1}'), "x: Extra", '{"verdict": "a", "cites": [], "x": 1}'),
        (body(None), "Invalid JSON", ""),
        (body(None, refusal="I cannot look at people"), "declined", "I cannot look at people"),
    ],
)
def test_an_unusable_reply_says_why_and_keeps_its_text(raw: str, says: str, text: str) -> None:
    ((error,), _) = read_choices(raw, Answer)
    assert isinstance(error, ReplyError)
    assert says in str(error)
    assert error.text == text


def test_raw_control_characters_are_white_space_in_strings_too() -> None:
    ((read,), _) = read_choices(body('{"verdict":\n"a\nb\x01c",\t"cites": []}'), Answer)
    assert read == Answer(verdict="a b c", cites=[])


@pytest.mark.parametrize(
    "raw", ["<html>gateway</html>", "", "[]", '{"choices": []}', '{"choices": null}', '{"error": 1}']
)
def test_what_is_no_chat_completion_is_a_failure_of_the_server(raw: str) -> None:
    with pytest.raises(InferenceError, match="chat completion"):
        read_choices(raw, Answer)


def test_models_are_listed_by_id() -> None:
    listed = '{"object": "list", "data": [{"id": "a", "root": "b"}, {"id": "c", "max_model_len": 8192}]}'
    assert read_models(listed) == {"a": Listed(None, "b"), "c": Listed(8192, None)}
    with pytest.raises(InferenceError, match="not a list of models"):
        read_models("nothing here")


def test_a_servers_words_are_quoted_on_one_line_short_and_without_credentials() -> None:
    remember("s3cret-of-this-test")
    text = quoted("line\n two s3cret-of-this-test " + "x" * 1000)
    assert text.startswith("line two *** xxx")
    assert len(text) == LONGEST_QUOTE + 2


def test_what_a_completion_cost_is_read_where_it_is_told() -> None:
    told = json.loads(body("Hello.")) | {"usage": {"prompt_tokens": 12, "completion_tokens": 3, "more": 1}}
    assert read_text(json.dumps(told)) == ("Hello.", Usage(12, 3))
    told["usage"]["prompt_tokens_details"] = {"cached_tokens": 8}
    assert read_text(json.dumps(told))[1] == Usage(12, 3, 8)
    told["usage"]["prompt_tokens_details"] = None
    assert read_text(json.dumps(told))[1] == Usage(12, 3)
    assert read_text(body("Hello."))[1] == Usage(None, None)
    with pytest.raises(InferenceError, match="not a chat completion"):
        read_text("<html>")


@pytest.mark.parametrize(
    ("status", "kind", "says"),
    [
        (400, RequestRefused, "refuses the request (HTTP 400): too long"),
        (403, ServerUnfit, "refuses the key (HTTP 403)"),
        (404, ServerUnfit, "does not serve this model or path (HTTP 404): too long"),
        (503, InferenceError, "failed (HTTP 503): too long"),
    ],
)
def test_a_refusal_says_whose_turn_it_is_and_why(status: int, kind: type[InferenceError], says: str) -> None:
    for words in ('{"error": {"message": "too long"}}', '{"message": "too long"}', '{"error": "too long"}', "too long"):
        error = refusal(status, words)
        assert (type(error), str(error)) == (kind, says)


def test_how_long_to_leave_it_alone_is_read_in_seconds_only() -> None:
    asked = refusal(429, "busy", "2.5")
    assert isinstance(asked, TryLater)
    assert asked.after_s == 2.5
    assert type(refusal(429, "busy", "Wed, 21 Oct 2026 07:28:00 GMT")) is InferenceError
    assert type(refusal(429, "busy")) is InferenceError


@pytest.mark.parametrize("words", ["", "[]", "null", '{"error": {}}', '{"error": null}'])
def test_a_refusal_without_words_is_told_as_it_came(words: str) -> None:
    assert str(refusal(500, words)) == f"failed (HTTP 500): {words}"
