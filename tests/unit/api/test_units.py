"""The units of the API and the settings that ship with it."""

import re
import subprocess
from pathlib import Path

import yaml

from opmas.api.settings import ApiSection, parse_api_settings

ROOT = Path(__file__).parents[3]
SERVICE = ROOT / "units" / "opmas-api.service"


def test_the_service_is_locked_in():
    run = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=15", SERVICE],
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stdout
    exposure = re.search(r"Overall exposure level.*: ([0-9.]+)", run.stdout)
    assert exposure is not None
    assert float(exposure[1]) <= 1.5


def test_systemd_understands_every_line(tmp_path):
    for unit in (ROOT / "units").glob("opmas-api.*"):
        text = unit.read_text()
        # The program and the man page are not here: the package brings them.
        text = re.sub("^ExecStart=.*$", "ExecStart=/bin/true", text, flags=re.MULTILINE)
        text = re.sub("^Documentation=.*\n", "", text, flags=re.MULTILINE)
        (tmp_path / unit.name).write_text(text)

    run = subprocess.run(
        ["systemd-analyze", "verify", *sorted(tmp_path.iterdir())],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_the_settings_that_ship_show_the_defaults():
    text = (ROOT / "config" / "api.yaml").read_text()
    uncommented = re.sub(r"^( *)#([a-z_]+:)", r"\1\2", text, flags=re.MULTILINE)

    shown = yaml.safe_load(uncommented)

    assert set(shown["api"]) == set(ApiSection.__slots__)
    assert parse_api_settings(shown, {}) == ApiSection()
    assert parse_api_settings(yaml.safe_load(text), {}) == ApiSection()
