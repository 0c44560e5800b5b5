"""Prints a port offset for the node and a port for the proxy, all free now and outside the range of outgoing connections."""

import random
import socket

BASES = (47200, 47201, 47202, 9090)


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


offsets = list(range(13_800, 18_300, 4))
random.shuffle(offsets)
offset = next(o for o in offsets if all(is_free(base + o) for base in BASES))
proxy = next(p for p in random.sample(range(28_000, 32_000), 4_000) if is_free(p))
print(offset, proxy)
