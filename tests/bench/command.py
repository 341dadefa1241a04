"""The command line of scripts/bench."""
import argparse
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from . import works_tree, works_data, works_programs, works_many  # noqa: first, as they add themselves to the list of works in this order
from . import chart, growth, materials, measure, place, rigs, sandbox, system, table, verdict, works
from .goals import GLUSTER
from .peers import DEFAULT_PEERS, PEERS, Riad
from .system import ROOT
from .works import WORKS


def add_options(parser):
    parser.add_argument("--peers", help="comma-separated: " + ",".join(peer.name for peer in PEERS) + f" ({','.join(DEFAULT_PEERS)})")
    parser.add_argument("--works", help="comma-separated: " + ",".join(WORKS) + " (all)")
    parser.add_argument("--rounds", type=int, default=3, help="(3)")
    parser.add_argument("--store", metavar="DIR", help="directory on the file system for the stores; all else is in a temporary one, as are the stores without this option")
    parser.add_argument("--rig", metavar="NAME[=VALUE]", help="the stores on storage that is far away: latency[=MILLISECONDS] (0.5), gluster[=BRICKS] (1; as many replicas). Fewer peers and works then, if none are given")
    parser.add_argument("--riad", help="the riad to measure (default: a release build of this checkout)")
    parser.add_argument("--rebuild", type=int, nargs="?", const=1_000_000, metavar="FILES", help="instead: how fast riad makes an index anew, of so many files (1000000)")
    parser.add_argument("--growth", type=int, nargs="?", const=1_000_000, metavar="FILES", help="instead: riad with so many files (1000000) beside 10,000: its rates, memory, and how soon it is unlocked")
    parser.add_argument("--trial", action="store_true", help="small sizes: to see that all of it works here, the figures say nothing")
    parser.add_argument("--json", action="store_true", help="figures and goals as JSON")
    parser.add_argument("--chart", metavar="FILE", type=Path, help="draw the ratios too, as SVG")
    parser.add_argument("--from", dest="earlier", metavar="FILE", type=Path, help="measure nothing: show what an earlier run printed with --json")


def parse(description):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    options = parser.parse_args()
    try:
        rig = rigs.parse(options.rig)[0] if options.rig else ""
    except ValueError as error:
        parser.error(str(error))
    options.peers = options.peers.split(",") if options.peers else rigs.PEERS.get(rig, DEFAULT_PEERS)
    options.works = options.works.split(",") if options.works else rigs.WORKS if rig else list(WORKS)
    for given, known in ((options.peers, [peer.name for peer in PEERS]), (options.works, WORKS)):
        unknown = set(given) - set(known)
        if unknown:
            parser.error(f"unknown: {', '.join(sorted(unknown))}")
    return options


def rebuild(options):
    command = [ROOT / "tests/large/rebuild", str(options.rebuild), *(["--json"] if options.json else [])]
    return subprocess.run(command, env=dict(os.environ, RIAD=str(Riad.binary)), check=False).returncode


def measure_peers(options, where):
    kinds = [kind for kind in PEERS if kind.name in options.peers]
    missing = [kind.name for kind in kinds if not kind.available()]
    if missing:
        print(f"bench: {', '.join(missing)} cannot be measured: not installed", file=sys.stderr)
    peers = [kind(where) for kind in kinds if kind.available()]
    names = works.complete(options.works)
    made = materials.Materials(where.local, works.TRIAL if options.trial else works.Sizes())
    print("preparing the tree ...", file=sys.stderr)
    made.make(names)
    try:
        return {"peers": [peer.name for peer in peers], **measure.measure(peers, made, names, options.rounds)}
    finally:
        for peer in peers:
            peer.abandon()


def measure_all(options):
    rig = rigs.start(options.rig) if options.rig else None
    with system.ring() as ring, place.prepare(options.store, rig) as where:
        if ring:
            print("FUSE over io_uring is on for this run", file=sys.stderr)
        return {"machine": measure.machine(), "ring": ring, "rig": options.rig or "", "trial": options.trial, "rounds": options.rounds, **measure_peers(options, where)}


def show(result, options):
    found = verdict.verdicts(result["figures"], result["rig"].partition("=")[0], result["ring"])
    if options.chart:
        options.chart.write_text(chart.draw(result), encoding="utf-8")
    if options.json:
        print(json.dumps({**result, "goals": [one._asdict() for one in found]}, indent=2))
    else:
        table.print_all(result, found)


def grow(options):
    size = works.TRIAL if options.trial else works.Sizes()
    with system.ring() as ring, place.prepare(options.store) as where:
        result = {"machine": measure.machine(), "ring": ring, **growth.measure(where, options.growth, size.growth_step)}
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        growth.show(result)
    return 0


def prepare(options):
    """What has to be there; on a rig it was prepared outside."""
    if sandbox.is_inside():
        sandbox.be_first_process()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    if not sandbox.is_inside():
        system.install("--gluster" if (options.rig or "").startswith(GLUSTER) else "--bench")
    Riad.binary = Path(options.riad).resolve() if options.riad else system.build()


def main(description):
    options = parse(description)
    if options.earlier:
        show(json.loads(options.earlier.read_text(encoding="utf-8")), options)
        return 0
    if os.geteuid() != 0:
        sys.exit("bench: run it as root: it drops the kernel's caches between works")
    prepare(options)
    if options.rebuild:
        return rebuild(options)
    if options.rig and not sandbox.is_inside():
        return sandbox.run_again(options.store, Riad.binary)
    if options.growth:
        return grow(options)
    show(measure_all(options), options)
    return 0
