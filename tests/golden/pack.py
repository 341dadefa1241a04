"""How a golden store is kept."""
import io
import tarfile


def pack(path):
    """The store as a tar that depends on nothing but names and bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for found in [path, *sorted(path.rglob("*"))]:
            member = archive.gettarinfo(found, "store/" + str(found.relative_to(path)) if found != path else "store")
            member.uid = member.gid = member.mtime = 0
            member.uname = member.gname = ""
            member.mode = 0o700 if member.isdir() else 0o600
            archive.addfile(member, open(found, "rb") if member.isreg() else None)
    return buffer.getvalue()
