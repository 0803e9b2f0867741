from __future__ import annotations

from streamproc.deduction.recent import LAST, MOST_RULES, Recent


def add(recent: Recent, *rules: str, anomaly: bool = False, share: float = 0.0, beyond: tuple[str, ...] = ()) -> None:
    recent.add(1, anomaly=anomaly, share=share, rules=rules, beyond=beyond)


def test_the_last_windows_are_counted_with_what_they_met() -> None:
    recent = Recent()
    assert recent.words(1) == ""
    add(recent, "n-walk", share=0.1)
    add(recent, "n-walk", "a-run", "a-run", anomaly=True, share=0.7, beyond=("speed", "speed"))
    assert recent.words(1) == (
        "1 of the last 2 judged an anomaly; taken together they are near an alarm; "
        "rules met: n-walk in 2, a-run in 1; beyond normal: speed in 1"
    )


def test_what_is_long_past_and_what_another_session_saw_is_forgotten() -> None:
    recent = Recent()
    add(recent, "a-run", anomaly=True, share=1.2)
    assert "an alarm" in recent.words(1)
    for _ in range(LAST):
        add(recent, share=0.3)
    assert recent.words(1) == f"none of the last {LAST} judged an anomaly; taken together they are uneasy"
    assert recent.words(2) == ""


def test_the_line_stays_short_whatever_was_met() -> None:
    recent = Recent()
    add(recent, *(f"a-{i}" for i in range(1000)))
    assert recent.words(1).count(" in 1") == MOST_RULES
