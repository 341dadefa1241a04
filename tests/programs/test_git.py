"""git on a mount."""
import os

import pytest

from commands import run

FILES = 1500


def git(work, *arguments, **options):
    return run("git", *arguments, cwd=work, **options)


@pytest.fixture
def work(place):
    """A repository with many files and a few commits."""
    work = place / "work"
    git(place, "init", "-q", "-b", "main", work)
    git(work, "config", "gc.auto", "0")
    for number in range(FILES):
        path = work / f"dir{number % 37}" / f"sub{number % 5}" / f"file{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{number}\n" * (number % 200 + 1), encoding="utf-8")
    git(work, "add", "-A")
    git(work, "commit", "-q", "-m", "all")
    for commit in range(3):
        for number in range(40):
            (work / f"changing{number}").write_text(f"commit {commit}\n" * (number + 1), encoding="utf-8")
        git(work, "add", "-A")
        git(work, "commit", "-q", "-m", f"changes {commit}")
    return work


def check(repository, commits):
    git(repository, "fsck", "--full", "--strict", "--no-dangling")
    assert git(repository, "status", "--porcelain") == ""
    assert len(git(repository, "ls-files").splitlines()) == FILES + 40
    assert git(repository, "rev-list", "--count", "HEAD").strip() == str(commits)


def stat_dirty(repository):
    """The files that git would have to read again, because something that stat says of them has changed."""
    return git(repository, "diff-files", "--name-only").splitlines()


def test_clone_gc_and_fsck(work, shared, place):
    git(place, "clone", "-q", work, place / "linked")
    git(place, "clone", "-q", "--no-local", work, place / "copied")
    git(work, "branch", "side", "HEAD~1")
    loose = dict(line.split(": ") for line in git(work, "count-objects", "-v").splitlines())
    assert int(loose["count"]) > FILES and loose["packs"] == "0"
    git(work, "gc", "-q", "--prune=now")
    packed = dict(line.split(": ") for line in git(work, "count-objects", "-v").splitlines())
    assert packed["count"] == "0" and packed["packs"] == "1"
    shared.remount()
    for repository in (work, place / "linked", place / "copied"):
        check(repository, 4)
        assert git(repository, "rev-parse", "main") == git(work, "rev-parse", "main")


def test_worktrees(work, place):
    git(work, "worktree", "add", "-q", "-b", "side", place / "side", "HEAD~1")
    (place / "side" / "new").write_text("new\n", encoding="utf-8")
    git(place / "side", "add", "new")
    git(place / "side", "commit", "-q", "-m", "of the side")
    git(work, "merge", "-q", "--no-edit", "side")
    assert (work / "new").read_text(encoding="utf-8") == "new\n"
    assert git(work, "rev-list", "--count", "HEAD").strip() == "6"
    git(work, "worktree", "move", place / "side", place / "moved")
    assert git(place / "moved", "status", "--porcelain") == ""
    git(work, "worktree", "remove", place / "moved")
    assert not (place / "moved").exists() and git(work, "worktree", "list").count("\n") == 1


def test_status_reads_no_file_again(work, shared):
    """Inode numbers, times and sizes are what git has noted, after a remount, and after the local state is lost."""
    assert git(work, "status", "--porcelain") == "" and stat_dirty(work) == []
    shared.remount()
    assert stat_dirty(work) == []
    shared.unmount()
    shared.forget_state()
    shared.mount()
    assert stat_dirty(work) == []
    os.utime(work / "changing7", (1, 1))  # git may compare seconds alone, and all this can be done within one
    assert stat_dirty(work) == ["changing7"]
