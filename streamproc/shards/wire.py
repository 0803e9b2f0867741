"""What crosses between a site and a process that watches cameras: objects over a socket, pictures without a copy.

Pickle's fifth protocol hands arrays out beside the pickle. They go over the socket as they lie in memory and are read
into memory that is the receiver's from then on, so a picture lives as long as whoever holds it. Of what was measured
(`tests/benchmarks/processes.txt`) this is the quickest; shared memory costs more in page faults than a copy does.

Both ends are this program, of one version, over a socket that nobody else has: that is why pickle is safe here.
"""

from __future__ import annotations

import pickle
import socket
import struct
from typing import Any

import numpy as np

from streamproc.errors import ChannelClosed

_HEAD = struct.Struct("<III")
"""Bytes of the sizes, of the pickle, and how many arrays follow."""
_SIZE = struct.Struct("<Q")


def send(sock: socket.socket, message: object) -> None:
    """Send ``message``, any object that can be pickled; blocks until the socket has taken all of it.

    Raises:
        ChannelClosed: the other end is gone.
    """
    arrays: list[pickle.PickleBuffer] = []
    pickled = pickle.dumps(message, protocol=5, buffer_callback=arrays.append)
    raws = [array.raw() for array in arrays]
    sizes = b"".join(_SIZE.pack(raw.nbytes) for raw in raws)
    try:
        sock.sendall(_HEAD.pack(len(sizes), len(pickled), len(raws)) + sizes + pickled)
        for raw in raws:
            sock.sendall(raw)
    except OSError:
        raise ChannelClosed from None


def receive(sock: socket.socket) -> Any:
    """The next message; blocks until all of it is there, or as long as the socket's timeout says for its beginning.

    An end that goes silent in the middle of a message is found by its missing heartbeat, and killed.

    Raises:
        ChannelClosed: the other end is gone, in the middle of a message or after one.
        TimeoutError: nothing began within the socket's timeout.
    """
    head = bytearray(_HEAD.size)
    _fill(sock, memoryview(head), begins=True)
    size_bytes, pickle_bytes, count = _HEAD.unpack(head)
    body = bytearray(size_bytes + pickle_bytes)
    _fill(sock, memoryview(body))
    arrays = [np.empty(_SIZE.unpack_from(body, at * _SIZE.size)[0], np.uint8) for at in range(count)]
    for array in arrays:
        _fill(sock, array.data)
    return pickle.loads(memoryview(body)[size_bytes:], buffers=arrays)  # noqa: S301 - from ourselves


def _fill(sock: socket.socket, view: memoryview, *, begins: bool = False) -> None:
    left = len(view)
    while left:
        try:
            got = sock.recv_into(view[-left:])
        except TimeoutError:
            if begins and left == len(view):
                raise
            continue  # the rest of a message comes, or the other end goes
        except OSError:
            raise ChannelClosed from None
        if not got:
            raise ChannelClosed
        left -= got
