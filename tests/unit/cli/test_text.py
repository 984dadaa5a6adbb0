import pytest

from opmas.cli.text import COLOURED, PLAIN, cells, cut, render_fields, render_table, size, visible


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("all is well", "all is well"),
        ("Grüße 日本", "Grüße 日本"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("line\nnext\r\t", "line\\nnext\\r\\t"),
        ("\x9b31m", "\\x9b31m"),
        ("user\u202etxt.exe", "user\\u202etxt.exe"),
        ("a\u2028b", "a\\u2028b"),
        ("\ud800", "\\ud800"),
        ("\x7f", "\\x7f"),
        ("opmas\\x2dagent", "opmas\\x2dagent"),
    ],
)
def test_what_is_not_printable_is_shown_as_an_escape(written, shown):
    assert visible(written) == shown


def test_paint_makes_visible_before_it_colours():
    painted = COLOURED.paint("\x1b[2Jgone", "bad")

    assert painted == "\x1b[31m\\x1b[2Jgone\x1b[0m"


def test_plain_paint_adds_nothing():
    assert PLAIN.paint("text", "bad") == "text"


def test_a_wide_character_takes_two_columns_and_a_combining_one_none():
    assert cells("日本") == 4
    assert cells("e\u0301") == 1


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [("short", 5, "short"), ("longer", 5, "long…"), ("日本語", 4, "日…"), ("x", 0, "")],
)
def test_a_text_is_cut_to_the_columns_that_there_are(text, width, shown):
    assert cut(text, width) == shown


def test_a_table_has_its_columns_under_their_heads():
    rows = [[("web", ""), ("running", "")], [("database", ""), ("failed", "")]]

    text = render_table(("AGENT", "PHASE"), rows, 80, PLAIN)

    assert text == "AGENT     PHASE\nweb       running\ndatabase  failed"


@pytest.mark.parametrize("width", [24, 33, 40, 60])
def test_a_row_never_takes_more_columns_than_the_terminal_has(width):
    rows = [[("a-rather-long-agent-name", ""), ("x" * 100, ""), ("日" * 30, "")]]

    lines = render_table(("AGENT", "MESSAGE", "MORE"), rows, width, PLAIN).split("\n")

    assert max(cells(line) for line in lines) <= width


def test_only_the_widest_columns_are_cut():
    rows = [[("web", ""), ("m" * 50, "")]]

    text = render_table(("AGENT", "MESSAGE"), rows, 30, PLAIN)

    assert text.split("\n")[1] == "web    " + "m" * 22 + "…"


def test_a_newline_in_a_cell_cannot_fake_a_row():
    text = render_table(("A",), [[("web\nfake  running", "")]], 80, PLAIN)

    assert text.split("\n") == ["A", "web\\nfake  running"]


def test_fields_align_and_empty_ones_are_left_off():
    text = render_fields([("unit", "x"), ("gone", ""), ("wanted", "a\nb")], PLAIN)

    assert text == "  unit    x\n  wanted  a\n          b"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (1023, "1023"),
        (1024, "1K"),
        (64 * 1024**2, "64M"),
        (1288490188, "1.2G"),
        (None, "-"),
    ],
)
def test_a_size_is_short(count, text):
    assert size(count) == text
