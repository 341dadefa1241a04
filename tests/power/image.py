"""The guest: Debian's cloud kernel, and a root of the programs of this machine, which lives in the guest's memory."""
import re
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
MODULES = ("virtio_pci", "virtio_blk", "ext4", "fuse", "nfsd", "nfsv4", "nfsv3", "crc32c_generic")
PROGRAMS = ("/usr/bin/git", "/usr/bin/python3", "/usr/bin/fusermount3", "/usr/bin/busybox")
NFS_PROGRAMS = ("usr/sbin/rpc.nfsd", "usr/sbin/rpc.mountd", "usr/sbin/exportfs")
PYTHON_WITHOUT = shutil.ignore_patterns("test", "lib2to3", "idlelib", "tkinter", "ensurepip", "pydoc_data", "config-*",
                                        "dist-packages", "unittest", "*.a")
OWN = ("guest.py", "console.py", "scenarios.py", "markers.py", "programs.py", "layout.py", "../acts.py")
ETC = {
    "passwd": "root:x:0:0:root:/tmp:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n",
    "netconfig": "tcp tpi_cots_ord v inet tcp - -\nudp tpi_clts v inet udp - -\n",
    "services": "sunrpc 111/tcp\nnfs 2049/tcp\n",
    "protocols": "tcp 6 TCP\nudp 17 UDP\n",
    "hosts": "127.0.0.1 localhost\n",
    "exports": "/export 127.0.0.1(rw,sync,no_root_squash,no_subtree_check,fsid=0)\n",
}
INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mount -t tmpfs tmp /tmp
for module in $(cat /modules/order); do insmod /modules/$module; done
ifconfig lo 127.0.0.1 up
cd /power && python3 -B guest.py
sync; poweroff -f
"""


def unpack(packages, into):
    found = sorted(Path(packages).glob("*.deb"))
    kernels = [path for path in found if path.name.startswith("linux-image-")]
    assert kernels, f"there is no kernel in {packages}: run scripts/install-dependencies --power {packages}"
    for package in [path for path in found if path not in kernels[:-1]]:
        subprocess.run(["dpkg-deb", "-x", package, into], check=True)
    return next(Path(into, "boot").glob("vmlinuz-*"))


def module_order(lines, wanted):
    """The modules' files, each behind those that it needs. What is not there is built in."""
    needs = {}
    for line in lines:
        path, rest = line.split(":", 1)
        needs[path] = rest.split()
    paths, order = {Path(path).name.split(".ko")[0]: path for path in needs}, []

    def add(path):
        if path not in order:
            for needed in needs[path]:
                add(needed)
            order.append(path)

    for name in wanted:
        if name in paths:
            add(paths[name])
    return order


def copy_modules(unpacked, root):
    tree = next(Path(unpacked, "lib/modules").iterdir())
    subprocess.run(["depmod", "-b", unpacked, tree.name], check=True)
    order = module_order((tree / "modules.dep").read_text(encoding="ascii").splitlines(), MODULES)
    (root / "modules").mkdir()
    for path in order:
        shutil.copy(tree / path, root / "modules")
    (root / "modules/order").write_text("\n".join(Path(path).name for path in order), encoding="ascii")


def libraries(path):
    listed = subprocess.run(["ldd", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout
    assert "not found" not in listed, f"{path} lacks libraries:\n{listed}"
    return set(re.findall(r"(/[^ ]+) \(0x", listed))


def copy_program(source, root, place):
    """With the libraries that it is linked to, each where the linker looks for it."""
    target = root / str(place).lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)
    for library in libraries(source):
        copied = root / library.lstrip("/")
        if not copied.exists():
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, copied)


def copy_python(root):
    library = next(Path("/usr/lib").glob("python3.*"))
    shutil.copytree(library, root / str(library).lstrip("/"), ignore=PYTHON_WITHOUT, symlinks=False, ignore_dangling_symlinks=True)
    for extension in (library / "lib-dynload").glob("*.so"):
        copy_program(extension, root, extension)


def make_root(root, unpacked, riad):
    for name in ("proc", "sys", "dev", "tmp", "etc", "store", "state", "export", "work", "var/lib/nfs/v4recovery", "run", "bin"):
        (root / name).mkdir(parents=True)
    for link in ("lib", "lib64", "sbin"):  # as on the machine that the programs come from
        if Path("/", link).is_symlink():
            (root / "usr" / link).mkdir(parents=True, exist_ok=True)
            (root / link).symlink_to(f"usr/{link}")
    (root / "etc/mtab").symlink_to("/proc/self/mounts")
    for name, text in ETC.items():
        (root / "etc" / name).write_text(text, encoding="ascii")
    for program in PROGRAMS:
        copy_program(program, root, program)
    copy_program("/usr/bin/busybox", root, "bin/busybox")
    for program in NFS_PROGRAMS:
        copy_program(Path(unpacked, program), root, program)
    copy_program(riad, root, "usr/bin/riad")
    copy_python(root)
    copy_modules(unpacked, root)
    (root / "power").mkdir()
    for name in OWN:
        shutil.copy(HERE / name, root / "power")
    (root / "init").write_text(INIT, encoding="ascii")
    (root / "init").chmod(0o755)


def make(packages, riad, work):
    """Returns the kernel and the initial root as files below the directory."""
    work = Path(work)
    unpacked, root, initial = work / "packages", work / "root", work / "initial-root"
    unpacked.mkdir()
    root.mkdir()
    kernel = work / "kernel"
    shutil.copy(unpack(packages, unpacked), kernel)
    make_root(root, unpacked, riad)
    with open(initial, "wb") as archive:
        names = subprocess.run(["find", ".", "-print0"], cwd=root, stdout=subprocess.PIPE, check=True).stdout
        subprocess.run(["cpio", "--quiet", "-0", "-o", "-H", "newc"], cwd=root, input=names, stdout=archive, check=True)
    shutil.rmtree(unpacked)
    shutil.rmtree(root)
    return kernel, initial
