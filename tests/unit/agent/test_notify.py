"""What systemd is told."""

import pytest

from opmas.agent.notify import NEVER, Notifier, StatusLine, status_text
from opmas.agent.testing import NotifySocket


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("healthy", "healthy"),
        ("two\nlines\tand  blanks ", "two lines and blanks"),
        ("Zähler: 5 €", "Z?hler: 5 ?"),
        ("bell\x07", "bell?"),
        ("x" * 300, "x" * 197 + "..."),
    ],
)
def test_a_status_is_one_short_line_of_ascii(text, status):
    assert status_text(text) == status


def test_text_outside_latin_1_does_not_lose_the_message(tmp_path, monkeypatch):
    with NotifySocket(tmp_path / "notify") as systemd:
        monkeypatch.setenv("NOTIFY_SOCKET", str(systemd.path))

        notifier = Notifier()
        notifier.ready("日本")
        notifier.close()

        systemd.wait_for("READY=1")
        assert systemd.lines == ["READY=1", "STATUS=??"]


def test_without_a_socket_nothing_is_sent_and_nothing_fails(monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)

    assert Notifier().send("READY=1") is False


def test_a_socket_that_is_gone_costs_no_more_than_the_message(tmp_path, monkeypatch):
    with NotifySocket(tmp_path / "notify") as systemd:
        monkeypatch.setenv("NOTIFY_SOCKET", str(systemd.path))
        notifier = Notifier()

    fed = notifier.alive()

    notifier.close()
    assert fed is False


def test_a_status_that_is_still_true_is_not_sent_again():
    line = StatusLine()
    line.want("healthy", "healthy")
    line.sent(100.0)

    line.want("healthy", "healthy")

    assert line.next_at() == NEVER


def test_a_new_state_waits_seconds_and_new_words_for_it_a_minute():
    line = StatusLine()
    line.want("degraded", "degraded: 90 % full")
    line.sent(100.0)

    line.want("degraded", "degraded: 91 % full")
    new_words_at = line.next_at()
    line.want("healthy", "healthy")
    new_state_at = line.next_at()

    assert (new_words_at, new_state_at) == (160.0, 105.0)
