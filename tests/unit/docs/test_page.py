"""How a page of the documentation is read as steps, and compared with what was shown."""

import pytest

from tests.system.docs.page import Command, File, missing, steps

PAGE = """\
# A page

```console
$ sudo packaging/quickstart
```

`/etc/opmas/opmas.yaml`:

```yaml
start: {concurrency: 4}
```

```console
# opmas agent list \\
    --phase running
NAME  PHASE
…
# true
```

```json
{"not": "a file"}
```
"""


def test_a_page_is_files_and_commands_of_root_in_order():
    found = steps(PAGE)

    assert found == [
        File("/etc/opmas/opmas.yaml", "start: {concurrency: 4}\n"),
        Command("opmas agent list --phase running", ("NAME  PHASE", "…")),
        Command("true", ()),
    ]


@pytest.mark.parametrize(
    ("shows", "output"),
    [
        (("web  running  8.2M  2s",), "NAME\nweb     running 12M 1m 24s\n"),
        (("Sun 2026-11-22 17:33:30 UTC; …",), "Mon 2027-01-02 03:04:05 UTC; 29s ago\n"),
        (('{"name":"web",…}',), '{"name":"web","phase":"running"}\n'),
        (("first", "…", "last"), "first\nbetween\nlast\n"),
        (("on opmas-demo",), "on lab-1\n"),
    ],
)
def test_numbers_days_and_what_is_left_out_may_differ(shows: tuple[str, ...], output: str):
    assert missing(shows, output, "lab-1") is None


@pytest.mark.parametrize(
    ("shows", "output", "line"),
    [
        (("web  running",), "web  stopped\n", "web  running"),
        (("b", "a"), "a\nb\n", "a"),
        (("whole",), "a whole line\n", "whole"),
        (("a …",), "", "a …"),
    ],
)
def test_the_line_that_is_not_shown_is_named(shows: tuple[str, ...], output: str, line: str):
    assert missing(shows, output, "lab-1") == line
