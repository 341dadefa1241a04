"""Listings: large, stable while entries come and go, and complete."""
import os
import random
import subprocess
import threading

from syscalls import Directory

MANY = 100_000


def names_of(path):
    with Directory(path) as directory:
        return list(iter(directory.read, None))


def create(path, names):
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    for name in names:
        os.mknod(name, 0o644, dir_fd=fd)
    os.close(fd)


def test_empty_directory_has_two_entries(place):
    assert names_of(place) == [b".", b".."]


def test_hundred_thousand_entries(place, shared):
    path = place / "many"
    path.mkdir()
    create(path, (f"entry-{number:06d}" for number in range(MANY)))
    shared.remount()
    found = names_of(path)
    assert len(found) == MANY + 2 and len(set(found)) == MANY + 2
    assert os.path.exists(path / "entry-077777") and not os.path.exists(path / "entry-100000")
    subprocess.run(["rm", "-rf", path], check=True)
    assert not path.exists()


def test_positions_stay_valid_while_entries_come_and_go(place):
    """What was there all the time is seen exactly once; seekdir to any earlier position goes on behind it."""
    rng = random.Random(5)
    stay = [f"stay-{number}" for number in range(3000)]
    go = [f"go-{number}" for number in range(3000)]
    mixed = stay + go
    rng.shuffle(mixed)
    create(place, mixed)
    positions, seen = [], []
    with Directory(place) as directory:
        while (name := directory.read()) is not None:
            seen.append(name)
            if len(seen) % 500 == 0:
                positions.append((len(seen), directory.tell()))
                for victim in go[:100]:
                    os.unlink(place / victim)
                del go[:100]
                create(place, [f"new-{len(seen)}-{number}" for number in range(100)])
        kept = [name for name in seen if name.startswith(b"stay-")]
        assert sorted(kept) == sorted(name.encode() for name in stay)
        assert len(set(seen)) == len(seen)
        for count, position in rng.sample(positions, 5):
            directory.seek(position)
            rest = list(iter(directory.read, None))
            expected = {name for name in seen[count:] if name.startswith(b"stay-")}
            assert expected <= set(rest) and len(set(rest)) == len(rest)
            assert not set(rest) & {name for name in seen[:count] if name.startswith(b"stay-")}


def test_position_of_a_removed_entry(place):
    create(place, [f"{number:04d}" for number in range(2000)])
    with Directory(place) as directory:
        first = [directory.read() for _ in range(700)]
        position = directory.tell()
        for name in first:
            if name not in (b".", b".."):
                os.unlink(place / name.decode())
        directory.seek(position)
        rest = list(iter(directory.read, None))
    assert len(rest) == 2002 - 700 and not set(rest) & set(first)


def test_delete_while_listing(place):
    """What rm does: unlink each entry as it is read, and end with nothing left."""
    create(place, [f"file-{number}" for number in range(5000)])
    with Directory(place) as directory:
        while (name := directory.read()) is not None:
            if name not in (b".", b".."):
                os.unlink(os.path.join(os.fsencode(place), name))
    assert os.listdir(place) == []


def test_rm_rf_against_a_creator(place):
    """A tree is removed while somebody still creates in it: rm may fail then, but nothing is lost or doubled."""
    for number in range(20):
        (place / "tree" / f"dir{number}").mkdir(parents=True)
        create(place / "tree" / f"dir{number}", [f"file{index}" for index in range(200)])
    stop = threading.Event()

    def keep_creating():
        number = 0
        while not stop.is_set():
            try:
                os.close(os.open(place / "tree" / "dir19" / f"late{number}", os.O_CREAT))
            except FileNotFoundError:
                pass
            number += 1

    creator = threading.Thread(target=keep_creating)
    creator.start()
    subprocess.run(["rm", "-rf", place / "tree"], check=False, stderr=subprocess.DEVNULL)
    stop.set()
    creator.join()
    subprocess.run(["rm", "-rf", place / "tree"], check=True)
    assert os.listdir(place) == []


def test_entry_types(place):
    (place / "dir").mkdir()
    (place / "file").touch()
    os.symlink("x", place / "link")
    os.mkfifo(place / "fifo")
    kinds = {entry.name: (entry.is_dir(follow_symlinks=False), entry.is_file(follow_symlinks=False), entry.is_symlink())
             for entry in os.scandir(place)}
    assert kinds == {"dir": (True, False, False), "file": (False, True, False), "link": (False, False, True),
                     "fifo": (False, False, False)}
    assert {entry.name: entry.inode() for entry in os.scandir(place)} == \
        {name: os.lstat(place / name).st_ino for name in kinds}


def test_listing_sees_what_was_just_made(place):
    """The kernel may keep listings: they must follow every change."""
    for number in range(50):
        (place / f"file{number}").touch()
        assert len(os.listdir(place)) == number + 1
    os.rename(place / "file0", place / "renamed")
    os.unlink(place / "file1")
    assert "renamed" in os.listdir(place) and len(os.listdir(place)) == 49


def test_parallel_creation_in_one_directory(place):
    program = "import os, sys\nfor n in range(500): os.close(os.open(f'{sys.argv[1]}/{sys.argv[2]}-{n}', os.O_CREAT))"
    running = [subprocess.Popen(["/usr/bin/python3", "-c", program, place, str(worker)]) for worker in range(6)]
    assert [process.wait() for process in running] == [0] * 6
    assert len(os.listdir(place)) == 3000 == len(set(os.listdir(place)))


def test_one_winner_of_exclusive_creation(place):
    program = ("import os, sys\nwins = 0\nfor n in range(200):\n"
               "    try: os.close(os.open(f'{sys.argv[1]}/{n}', os.O_CREAT | os.O_EXCL)); wins += 1\n"
               "    except FileExistsError: pass\nprint(wins)")
    running = [subprocess.Popen(["/usr/bin/python3", "-c", program, place], stdout=subprocess.PIPE, text=True)
               for _ in range(4)]
    assert sum(int(process.communicate()[0]) for process in running) == 200
