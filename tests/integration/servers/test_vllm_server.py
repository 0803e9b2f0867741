"""Deduction's protocol against a real vLLM server: schema, samples, probabilities, prefix cache, veto, reflection.

The model is tiny and judges nothing; where a test needs a certain verdict, the schema leaves the model no other.
"""

from __future__ import annotations

import json
import re
import shlex
import statistics
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import Field

from streamproc.config import DeductionSettings, LlmSettings
from streamproc.deduction import llm as voting
from streamproc.deduction.certainty import certainty
from streamproc.deduction.deducer import Deducer
from streamproc.deduction.evidence import gather
from streamproc.deduction.llm import LlmVoter
from streamproc.deduction.narrowing import schema
from streamproc.deduction.prompts import Opinion, messages, system_text
from streamproc.deduction.validity import Grounds
from streamproc.modelreply import Reply
from streamproc.modelserver import ModelServer
from streamproc.testing_deduction import caption, fact, keyword, observed, rule, rule_set, semantic
from streamproc.types import Verdict, Vote

Client = Callable[[LlmSettings], ModelServer]
RULES = rule_set(
    rule("a-fall", "anomaly", "Someone falls."),
    rule("n-sit", "normal", "People sit down on the grass."),
    *(
        rule(f"n-{i}", "normal", f"People of group number {i} stroll along path number {i} in the park.")
        for i in range(90)
    ),
)
SAID = caption(fact("A person sinks to the ground.", "sinks"))
FALLS, SITS = keyword("a-fall", "sinks"), semantic("n-sit", SAID.text, 0.65)
PRESET = Path(__file__).parents[3] / "pipelines" / "gpu-vllm.yaml"


class Word(Reply):
    verdict: Literal["anomaly", "normal", "unknown"]


def forced(verdict: str, cite: str) -> Any:
    """Makes schemas that leave an opinion no choice, and that keep its reason short."""

    class Forced(Opinion):
        reason: str = Field(max_length=60)
        verdict: Literal[verdict]  # type: ignore[valid-type]
        cites: list[Literal[cite]] = Field(min_length=1, max_length=1)  # type: ignore[valid-type]

    return lambda _: Forced.model_json_schema()


def decide(client: Client, settings: LlmSettings) -> tuple[Verdict, Vote]:
    deduction = DeductionSettings(smoothing_s=0, llm=settings)
    verdict = Deducer(deduction, LlmVoter(client(settings), settings)).decide(observed(), SAID, (FALLS, SITS), RULES)
    return verdict, verdict.votes[-1]


def test_the_server_is_known_by_its_model(vllm: Any, client: Client) -> None:
    assert client(vllm.settings()).check() == ("smollm2",)


def test_every_sample_fits_the_schema_and_comes_with_probabilities(vllm: Any, client: Client) -> None:
    asked = messages(
        system_text(RULES), gather(observed(), SAID, (FALLS, SITS), {r.id: r for r in RULES.rules}), "nothing"
    )
    replies = client(vllm.settings()).ask(asked, Word, n=4, temperature=1.0, logprobs=True)
    assert len(replies) == 4
    for reply in replies:
        assert isinstance(reply, Word)
        shares = certainty(reply.verdict, reply.tokens)
        assert sum(shares.values()) == pytest.approx(1.0)
        assert sum(0.0 < share < 1.0 for share in shares.values()) >= 2  # more than the word that was said
        print(f"  {reply.verdict}: {', '.join(f'{name} {share:.3f}' for name, share in shares.items())}")


def test_a_whole_vote_is_made_of_whatever_the_tiny_model_says(vllm: Any, client: Client) -> None:
    began_s = time.monotonic()
    _, vote = decide(client, vllm.settings(samples=3, temperature=0.7))
    print(f"  {time.monotonic() - began_s:.1f} s: {vote}")
    assert vote.voter == "llm"
    assert "not heard" not in vote.reason
    assert vote.verdict != "unknown" or vote.weight == 0.0
    assert vote.void is None  # the schema permits no citation that does not hold


def test_a_schema_of_each_windows_own_is_no_slower_and_spares_the_prefix_cache(vllm: Any, client: Client) -> None:
    server, system = client(vllm.settings()), "Site 9.\n" + system_text(RULES)
    evidence = gather(observed(), SAID, (FALLS, SITS), {r.id: r for r in RULES.rules})
    took_s: dict[str, list[float]] = {"the same": [], "its own": []}

    def names(number: int) -> tuple[str, ...]:
        return tuple(f"n-{number}-{i}" for i in range(20))

    read, kept = _counter(vllm, "prefix_cache_queries"), _counter(vllm, "prefix_cache_hits")
    for number in range(9):
        for name, cites in (("the same", names(9)), ("its own", names(number))):
            known = {one: rule(one, "normal") for one in cites}
            form: Any = schema(Grounds(known, frozenset(cites), frozenset(), {}, novel=False))
            del form["anyOf"][1:]
            fields = form["anyOf"][0]["properties"]  # replies as long each time
            fields |= {"reason": {"const": "Because."}, "cites": fields["cites"] | {"minItems": 1, "maxItems": 1}}
            began_s = time.monotonic()
            server.ask(messages(system, evidence, f"window {number}"), Opinion, schema=form)
            took_s[name].append(time.monotonic() - began_s)
    read, kept = _counter(vllm, "prefix_cache_queries") - read, _counter(vllm, "prefix_cache_hits") - kept
    medians = {name: statistics.median(several[1:]) for name, several in took_s.items()}
    print(f"  median with the same schema {medians['the same']:.2f} s, one of its own {medians['its own']:.2f} s")
    print(f"  {kept / read:.0%} of the tokens kept")
    assert kept > 0.8 * read


def test_a_veto_is_held_to_on_reflection_and_named(vllm: Any, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voting, "schema", forced("normal", "n-sit"))
    verdict, vote = decide(client, vllm.settings())
    print(f"  {verdict.reason}")
    assert (vote.verdict, vote.cites, vote.void, vote.reflected) == ("normal", ("n-sit",), None, "kept")
    assert (verdict.alarm, verdict.judgement) == (False, "normal")
    assert verdict.reason.startswith("The language model vetoes keyword (rules met: a-fall) by rule n-sit")


def test_an_anomaly_that_the_model_confirms_cites_the_rule(
    vllm: Any, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voting, "schema", forced("anomaly", "a-fall"))
    verdict, vote = decide(client, vllm.settings())
    assert (verdict.alarm, vote.cites, vote.reflected) == (True, ("a-fall",), None)


def test_a_citation_that_does_not_hold_voids_the_vote(
    vllm: Any, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voting, "schema", forced("normal", "n-7"))
    verdict, vote = decide(client, vllm.settings())
    assert vote.void == "cites rule n-7, which does not match what is seen"
    assert verdict.alarm


def test_the_rules_are_read_once_and_kept_by_the_prefix_cache(vllm: Any, client: Client) -> None:
    server = client(vllm.settings())
    system = system_text(rule_set(*RULES.rules, rule("n-new", "normal", "A rule that no test before has told.")))
    evidence = gather(observed(), SAID, (FALLS,), {r.id: r for r in RULES.rules})
    took_s, read, kept = [], _counter(vllm, "prefix_cache_queries"), _counter(vllm, "prefix_cache_hits")
    for before in ("nothing", "something else", "again something else"):
        began_s = time.monotonic()
        server.ask(messages("Site 7.\n" + system, evidence, before), Word)
        took_s.append(time.monotonic() - began_s)
    read, kept = _counter(vllm, "prefix_cache_queries") - read, _counter(vllm, "prefix_cache_hits") - kept
    print(f"  {read:.0f} tokens read, {kept:.0f} of them kept; {' '.join(f'{one:.2f}' for one in took_s)} s")
    assert kept > 0.6 * read  # two of three questions, but for their last lines


def _counter(vllm: Any, name: str) -> float:
    with urllib.request.urlopen(f"{vllm.base_url}/metrics") as page:  # noqa: S310 - an address of our own
        rows = page.read().decode().splitlines()
    return sum(float(row.rsplit(" ", 1)[1]) for row in rows if row.startswith(f"vllm:{name}_total"))


def test_more_tokens_than_the_server_has_room_for_is_told(vllm: Any, client: Client) -> None:
    from streamproc.modelreply import RequestRefused

    with pytest.raises(RequestRefused, match="HTTP 400"):
        client(vllm.settings()).ask_one([{"role": "user", "content": "word " * 9000}], Word)


def test_the_presets_serve_lines_are_ones_that_this_vllm_takes(vllm: Any) -> None:
    """Its own parser reads them; whether the models load needs their weights and a GPU."""
    text = re.sub(r"^#", "", PRESET.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    lines = [shlex.split(line) for line in text.splitlines() if line.strip().startswith("vllm serve")]
    parse = (
        "import json, sys\n"
        "from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args\n"
        "from vllm.utils.argparse_utils import FlexibleArgumentParser\n"
        "parsed = make_arg_parser(FlexibleArgumentParser()).parse_args(json.loads(sys.argv[1]))\n"
        "validate_parsed_serve_args(parsed)\n"
        "print(json.dumps([parsed.model_tag, parsed.revision, parsed.served_model_name, parsed.max_model_len]))\n"
    )
    assert len(lines) == 2
    for line in lines:
        ran = subprocess.run(
            [vllm.directory / "bin" / "python", "-c", parse, json.dumps(line[2:])], capture_output=True, text=True
        )
        assert ran.returncode == 0, ran.stderr[-2000:]
        print(f"  {ran.stdout.strip().splitlines()[-1]}")
