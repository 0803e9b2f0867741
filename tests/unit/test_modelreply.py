from __future__ import annotations

import json

import pytest

from streamproc.errors import InferenceError, ReplyError
from streamproc.modelreply import LONGEST_QUOTE, Reply, quoted, read_choices, read_models, read_usage
from streamproc.secrets import remember


class Answer(Reply):
    verdict: str
    cites: list[str]


def body(content: str | None, finish_reason: str | None = "stop", **message: str) -> str:
    choice = {"message": {"role": "assistant", "content": content, **message}, "finish_reason": finish_reason}
    return json.dumps({"id": "x", "choices": [choice], "a_field_of_the_future": 1})


GOOD = '{"verdict": "normal", "cites": ["N1"]}'


def test_a_good_reply_is_read_with_whatever_else_the_server_says() -> None:
    assert read_choices(body(GOOD), Answer) == [Answer(verdict="normal", cites=["N1"])]
    assert read_choices(body(GOOD, finish_reason=None), Answer) == [Answer(verdict="normal", cites=["N1"])]


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
    (error,) = read_choices(raw, Answer)
    assert isinstance(error, ReplyError)
    assert says in str(error)
    assert error.text == text


def test_raw_control_characters_are_white_space_in_strings_too() -> None:
    (read,) = read_choices(body('{"verdict":\n"a\nb\x01c",\t"cites": []}'), Answer)
    assert read == Answer(verdict="a b c", cites=[])


@pytest.mark.parametrize(
    "raw", ["<html>gateway</html>", "", "[]", '{"choices": []}', '{"choices": null}', '{"error": 1}']
)
def test_what_is_no_chat_completion_is_a_failure_of_the_server(raw: str) -> None:
    with pytest.raises(InferenceError, match="chat completion"):
        read_choices(raw, Answer)


def test_models_are_listed_by_id() -> None:
    listed = '{"object": "list", "data": [{"id": "a", "root": "b"}, {"id": "c", "max_model_len": 8192}]}'
    assert read_models(listed) == {"a": None, "c": 8192}
    with pytest.raises(InferenceError, match="not a list of models"):
        read_models("nothing here")


def test_a_servers_words_are_quoted_on_one_line_short_and_without_credentials() -> None:
    remember("s3cret-of-this-test")
    text = quoted("line\n two s3cret-of-this-test " + "x" * 1000)
    assert text.startswith("line two *** xxx")
    assert len(text) == LONGEST_QUOTE + 2


def test_what_a_completion_cost_is_read_where_it_is_told() -> None:
    usage = read_usage('{"choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": 3, "more": 1}}')
    assert (usage.prompt_tokens, usage.reply_tokens) == (12, 3)
    assert read_usage('{"choices": []}').prompt_tokens is None
    with pytest.raises(InferenceError, match="not a chat completion"):
        read_usage("<html>")
