# What scripts/test and scripts/quickstart share. To be sourced; ROOT is the checkout.

as_root()
{
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

can_be_root()
{
    [ "$(id -u)" -eq 0 ] || { command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; }
}

# Can a user without rights open /dev/fuse? Where no udev runs, it may be 0600 or missing.
fuse_is_open()
{
    [ -c /dev/fuse ] && case "$(stat -c %a /dev/fuse)" in *6 | *7) true ;; *) false ;; esac
}

# Opens /dev/fuse to all and remembers what it was; close_fuse puts it back.
fuse_mode=
open_fuse()
{
    fuse_is_open && return 0
    if ! can_be_root; then
        echo "/dev/fuse is not open to users, and there is neither root nor sudo. Let root run: chmod 666 /dev/fuse" >&2
        return 1
    fi
    if [ ! -e /dev/fuse ]; then
        as_root modprobe fuse 2>/dev/null || true
    fi
    if [ -c /dev/fuse ]; then
        fuse_is_open && return 0
        fuse_mode=$(stat -c %a /dev/fuse)
        as_root chmod 666 /dev/fuse
    else
        as_root mknod -m 666 /dev/fuse c 10 229 && fuse_mode=made
    fi || {
        fuse_mode=
        echo "/dev/fuse cannot be opened: in a container, start it with --device /dev/fuse --cap-add SYS_ADMIN" >&2
        return 1
    }
}

close_fuse()
{
    case "$fuse_mode" in
    '') ;;
    made) as_root rm -f /dev/fuse ;;
    *) as_root chmod "$fuse_mode" /dev/fuse ;;
    esac
    fuse_mode=
}

# Mount points at or below a directory, deepest first.
mounts_below()
{
    awk -v top="$1" '$5 == top || index($5, top "/") == 1 { print $5 }' /proc/self/mountinfo | LC_ALL=C sort -r
}

# Detaches whatever is still mounted at or below a directory.
detach_below()
{
    mounts_below "$1" | while read -r mount; do
        fusermount3 -u -z "$mount" 2>/dev/null || as_root umount -l "$mount" 2>/dev/null
    done
}

# A directory to build in: of the checkout if it is ours, else a temporary one.
choose_build_dir()
{
    if [ -w "$ROOT" ] && [ "$(stat -c %u "$ROOT")" -eq "$(id -u)" ]; then
        echo "$ROOT/$1"
    else
        echo "$2/$1"
    fi
}

# configure DIR [meson options]: makes or adjusts a build directory.
configure()
{
    directory=$1
    shift
    if [ -f "$directory/build.ninja" ]; then
        # New source files are found when meson runs again only.
        meson setup --reconfigure "$directory" "$ROOT" "$@"
    else
        meson setup "$directory" "$ROOT" "$@"
    fi
}

# Lets the kernel offer FUSE over io_uring, where it has that, and remembers what it was; close_ring puts it back. Best effort.
ring_parameter=/sys/module/fuse/parameters/enable_uring
ring_before=
open_ring()
{
    [ -e "$ring_parameter" ] && can_be_root || return 1
    case "$(cat "$ring_parameter")" in Y) return 0 ;; esac
    echo Y | as_root tee "$ring_parameter" >/dev/null 2>&1 && ring_before=N
}

close_ring()
{
    [ -z "$ring_before" ] || echo "$ring_before" | as_root tee "$ring_parameter" >/dev/null
    ring_before=
}
