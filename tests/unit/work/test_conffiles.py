"""Configuration files of a Debian package, put aside and brought back."""

import hashlib
import os
import stat
from pathlib import Path

import pytest

from opmas.errors import InvalidError
from opmas.work.conffiles import Conffiles, beside, remove_unedited
from opmas.work.dpkg import Conffile


def shipped(path: Path, text: str = "shipped\n") -> Conffile:
    digest = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    return Conffile(str(path), digest)


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "a.conf").write_text("edited\n")
    (folder / "a.conf").chmod(0o640)
    return folder


@pytest.fixture
def kept(tmp_path: Path) -> Conffiles:
    return Conffiles(tmp_path / "conffiles", "opmas-agent-web", "1:1.0~x")


def test_a_file_comes_back_with_content_and_mode(etc: Path, kept: Conffiles) -> None:
    kept.save((shipped(etc / "a.conf"),))
    (etc / "a.conf").write_text("new\n")
    (etc / "a.conf").chmod(0o600)

    paths = kept.bring_back(())

    assert paths == (str(etc / "a.conf"),)
    assert (etc / "a.conf").read_text() == "edited\n"
    assert stat.S_IMODE((etc / "a.conf").stat().st_mode) == 0o640


def test_a_file_that_is_as_it_was_is_not_touched(etc: Path, kept: Conffiles) -> None:
    kept.save((shipped(etc / "a.conf"),))
    before = (etc / "a.conf").stat()

    kept.bring_back(())

    assert (etc / "a.conf").stat() == before


def test_a_file_that_was_deleted_is_deleted_again(etc: Path, kept: Conffiles) -> None:
    kept.save((shipped(etc / "gone.conf"),))
    (etc / "gone.conf").write_text("back\n")

    kept.bring_back(())

    assert not (etc / "gone.conf").exists()


def test_a_link_is_a_link_again(etc: Path, kept: Conffiles) -> None:
    (etc / "link.conf").symlink_to("a.conf")
    kept.save((shipped(etc / "link.conf"),))
    (etc / "link.conf").unlink()
    (etc / "link.conf").write_text("file\n")

    kept.bring_back(())

    assert (etc / "link.conf").readlink() == Path("a.conf")


def test_what_dpkg_left_since_is_removed_and_what_was_there_stays(
    etc: Path, kept: Conffiles
) -> None:
    (etc / "a.conf.dpkg-old").write_text("mine\n")
    kept.save((shipped(etc / "a.conf"),))
    (etc / "a.conf.dpkg-dist").write_text("theirs\n")
    (etc / "b.conf.dpkg-new").write_text("theirs\n")

    kept.bring_back((shipped(etc / "b.conf"),))

    assert sorted(path.name for path in etc.iterdir()) == ["a.conf", "a.conf.dpkg-old"]


def test_files_are_put_aside_anew_each_time(etc: Path, kept: Conffiles) -> None:
    kept.save((shipped(etc / "a.conf"),))
    (etc / "a.conf").write_text("later\n")

    kept.save((shipped(etc / "a.conf"),))
    (etc / "a.conf").write_text("new\n")
    kept.bring_back(())

    assert (etc / "a.conf").read_text() == "later\n"


def test_obsolete_files_are_not_the_package_s_any_more(etc: Path, kept: Conffiles) -> None:
    kept.save((Conffile(str(etc / "a.conf"), "0" * 32, obsolete=True),))
    (etc / "a.conf").write_text("new\n")

    assert kept.bring_back(()) == ()
    assert (etc / "a.conf").read_text() == "new\n"


def test_nothing_was_put_aside(kept: Conffiles) -> None:
    assert kept.bring_back(()) == ()


def test_what_is_no_file_is_refused(etc: Path, kept: Conffiles) -> None:
    os.mkfifo(etc / "fifo.conf")

    with pytest.raises(InvalidError, match=r"fifo\.conf"):
        kept.save((shipped(etc / "fifo.conf"),))


def test_only_files_as_shipped_are_removed(etc: Path) -> None:
    (etc / "b.conf").write_text("shipped\n")

    remove_unedited((shipped(etc / "a.conf"), shipped(etc / "b.conf"), shipped(etc / "none")))

    assert sorted(path.name for path in etc.iterdir()) == ["a.conf"]


def test_what_dpkg_leaves_is_known_by_its_name(etc: Path) -> None:
    (etc / "a.conf.dpkg-dist").touch()
    (etc / "a.conf.bak").touch()

    assert beside((shipped(etc / "a.conf"),)) == {str(etc / "a.conf.dpkg-dist")}


def test_what_whoever_owns_the_directory_put_there_leads_nowhere(
    etc: Path, kept: Conffiles, tmp_path: Path
) -> None:
    kept.save((shipped(etc / "a.conf"),))
    victim = tmp_path / "passwd"
    victim.write_text("root\n")
    victim.chmod(0o600)
    (etc / ".a.conf.opmas").symlink_to(victim)
    (etc / "a.conf").write_text("new\n")

    kept.bring_back(())

    assert (victim.read_text(), stat.S_IMODE(victim.stat().st_mode)) == ("root\n", 0o600)
    assert (etc / "a.conf").read_text() == "edited\n"
    assert not (etc / "a.conf").is_symlink()
