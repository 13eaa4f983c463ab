"""Bytes from and to the disk: never too many, never half a file, shown in short."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from pathlib import Path

#: Larger files are refused before they are read.
MAX_BYTES = 2 * 2**30


def read_limited(path: str | os.PathLike[str]) -> bytes:
    """Return the content of a file.

    Raises
    ------
    ValueError
        If it is larger than 2 GiB; nothing is read then.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > MAX_BYTES:
            limit = MAX_BYTES / 2**30
            raise ValueError(f"the file has {size / 2**30:.1f} GiB, at most {limit:g} are read.")
        return file.read()


def write_atomic(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file such that at any moment there is the old one or the new one, whole.

    The bytes go to a temporary name in the same folder and on to the disk; then the name changes.

    Parameters
    ----------
    path
        Where to; what a link points to is replaced, not the link.
    data
        The whole content.

    Raises
    ------
    ValueError
        If something other than a file stands there.
    """
    target = Path(path).resolve()
    if target.exists() and not target.is_file():
        raise ValueError(f"{path}: not a file; it cannot be replaced.")
    temporary = target.with_name(f".optedge-{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, temporary)
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def shown(text: str, limit: int = 60) -> str:
    """Return text out of a file as it may stand in a message: one line, not too long."""
    line = "".join(c if c.isprintable() else "?" for c in text)
    return line if len(line) <= limit else line[:limit] + "..."
