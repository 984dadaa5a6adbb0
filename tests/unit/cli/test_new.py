import argparse
import json
import re

import pytest

from opmas.bundles.build import check_directory
from opmas.cli.authoring.new import new_agent
from opmas.cli.authoring.template import FILES, RUNTIMES, package_files, package_words
from opmas.cli.session import Session
from opmas.errors import InvalidError, RequestError


def make(directory, name="web", **options):
    args = argparse.Namespace(name=name, directory=str(directory), runtime=None, json=False)
    vars(args).update(options)
    return new_agent(Session(args, {}))


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", ["web", "my-agent", "2nd", "json", "class"])
def test_what_is_made_can_be_built(tmp_path, name, runtime):
    make(tmp_path, name, runtime=runtime)

    assert check_directory(tmp_path / name) == ()


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_no_placeholder_is_left(runtime):
    files = package_files("web", runtime)

    left = re.findall(rf"@(?:{'|'.join(package_words('web'))})@", "".join(map(str, files)))

    assert (left, len(files)) == ([], len(FILES[runtime]))


@pytest.mark.parametrize(
    ("name", "module", "class_name"),
    [
        ("web", "web", "Web"),
        ("my-agent", "my_agent", "MyAgent"),
        ("2nd", "agent_2nd", "Agent2nd"),
        ("json", "agent_json", "AgentJson"),
        ("class", "agent_class", "AgentClass"),
        ("opmas", "agent_opmas", "AgentOpmas"),
    ],
)
def test_a_module_hides_no_other_one(name, module, class_name):
    words = package_words(name)

    assert (words["module"], words["class"]) == (module, class_name)


def test_the_next_steps_are_said(tmp_path, capsys):
    make(tmp_path)

    said = capsys.readouterr().out
    assert f"web: made in {tmp_path}/web\n" in said
    assert f"next:\n  cd {tmp_path}/web\n  python3 -m pytest\n" in said


def test_json_has_the_same(tmp_path, capsys):
    make(tmp_path, json=True, runtime="exec")

    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "opmas.package-created/v1"
    assert (document["runtime"], document["directory"]) == ("exec", f"{tmp_path}/web")
    assert sorted(document["files"]) == sorted(
        str(path.relative_to(tmp_path / "web"))
        for path in (tmp_path / "web").rglob("*")
        if path.is_file()
    )


@pytest.mark.parametrize("kind", ["mkdir", "touch"])
def test_what_is_there_stays(tmp_path, kind):
    getattr(tmp_path / "web", kind)()

    with pytest.raises(RequestError, match=r"cannot make .*/web: it is there already"):
        make(tmp_path)

    assert list(tmp_path.iterdir()) == [tmp_path / "web"]


@pytest.mark.parametrize("name", ["Web", "../web", "web_2", "", "-web", "x" * 64])
def test_a_name_that_is_none_is_refused(tmp_path, name):
    with pytest.raises(InvalidError, match="as name of a package"):
        make(tmp_path, name)

    assert list(tmp_path.iterdir()) == []


def test_a_place_that_is_no_directory_is_named(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(RequestError, match=r"cannot make .*/file/web: "):
        make(tmp_path / "file")


def test_programs_are_executable_and_the_directory_is_open_to_others(tmp_path):
    make(tmp_path, runtime="exec")

    modes = {path.name: path.stat().st_mode & 0o111 for path in (tmp_path / "web/bin").iterdir()}
    assert modes == {"web": 0o111, "check": 0o111}
    assert (tmp_path / "web").stat().st_mode & 0o055 == 0o055
