"""A server under 64 clients: `python benchmarks/server_load.py --minutes 15`.

Each client does one thing after another, drawn by chance: a good upload, one that is no recording,
a damaged one, one that comes slowly, one that breaks off, a live session, a connection that says
nothing. Reported are the answers by status, how long good uploads took, and how much memory the
server holds, with its slope over the last two thirds. It leaves with 1 where an answer was a fault
of the server (5xx).
"""

from __future__ import annotations

import argparse
import random
import re
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
from websockets.sync.client import connect

from emelia.use.bundled import SAMPLE_CLIP

GOOD = SAMPLE_CLIP.read_bytes()
TIMES: list[float] = []  # s of good uploads
ANSWERS: Counter[str] = Counter()


def post(client: httpx.Client, data: bytes, path: str = "/v1/predict") -> int:
    answer = client.post(path, files={"file": ("clip", data)})
    ANSWERS[f"{path} {answer.status_code}"] += 1
    return answer.status_code


def good(client: httpx.Client, address: tuple[str, int]) -> None:
    begun = time.perf_counter()
    if post(client, GOOD) == 200:
        TIMES.append(time.perf_counter() - begun)
    else:
        time.sleep(2)  # as Retry-After asks


def timeline(client: httpx.Client, address: tuple[str, int]) -> None:
    post(client, GOOD, "/v1/timeline")


def noise(client: httpx.Client, address: tuple[str, int]) -> None:
    post(client, random.randbytes(20_000))


def damaged(client: httpx.Client, address: tuple[str, int]) -> None:
    data = bytearray(GOOD[: random.randrange(1, len(GOOD))])
    for _ in range(20):
        data[random.randrange(len(data))] = random.randrange(256)
    post(client, bytes(data))


def _begun(address: tuple[str, int]) -> socket.socket:
    line = socket.create_connection(address, timeout=30)
    line.sendall(
        f"POST /v1/predict HTTP/1.1\r\nHost: {address[0]}:{address[1]}\r\nContent-Length: 9999\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n".encode()
    )
    return line


def slow(client: httpx.Client, address: tuple[str, int]) -> None:
    with _begun(address) as line:
        for _ in range(random.randrange(20)):
            line.sendall(b"-")
            time.sleep(0.2)


def gone(client: httpx.Client, address: tuple[str, int]) -> None:
    with _begun(address):
        pass


def silent(client: httpx.Client, address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=30):
        time.sleep(random.random() * 8)


def live(client: httpx.Client, address: tuple[str, int]) -> None:
    with connect(f"ws://{address[0]}:{address[1]}/v1/live?rate=16000", proxy=None) as line:
        for _ in range(random.randrange(1, 10)):
            line.send(np.random.default_rng().normal(0, 0.1, 8000).astype("<f4").tobytes())
            time.sleep(0.2)
        line.send("end")
        for message in line:
            if '"type": "error"' in str(message) or '"type":"error"' in str(message):
                status = re.search(r'"status": ?(\d+)', str(message))
                ANSWERS[f"/v1/live {status[1] if status else '?'}"] += 1
                return
    ANSWERS["/v1/live ended"] += 1


ACTS: dict[Callable[[httpx.Client, tuple[str, int]], None], int] = {
    good: 10, timeline: 2, noise: 3, damaged: 3, slow: 2, gone: 2, silent: 2, live: 2,
}  # fmt: skip


def work(url: str, until: float) -> None:
    address = (httpx.URL(url).host, httpx.URL(url).port or 80)
    client = httpx.Client(base_url=url, timeout=120, trust_env=False)
    while time.monotonic() < until:
        (act,) = random.choices(list(ACTS), ACTS.values())
        try:
            act(client, address)
        except Exception as error:  # counted: which of them are right depends on the act
            ANSWERS[f"{act.__name__} {type(error).__name__}"] += 1


def memory(process: int) -> float:
    """MB that a process holds."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--queue", type=int, default=64)
    asked = parser.parse_args()
    command = ["serve", "--model", "free", "--port", "0", "--queue", str(asked.queue)]
    server = subprocess.Popen(
        [sys.executable, "-m", "emelia", *command],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stdout and server.stderr
    url = re.findall(r"http://\S+", server.stdout.readline())[0]
    log: list[str] = []
    reader = threading.Thread(target=lambda: log.extend(server.stderr or ()), daemon=True)
    reader.start()
    until = time.monotonic() + 60 * asked.minutes
    clients = [
        threading.Thread(target=work, args=(url, until), daemon=True) for _ in range(asked.clients)
    ]
    for client in clients:
        client.start()
    held = []
    while time.monotonic() < until:
        held.append((time.monotonic(), memory(server.pid)))
        time.sleep(2)
    for client in clients:
        client.join(130)
    counts = httpx.get(f"{url}metrics", trust_env=False).text
    server.terminate()
    code = server.wait(30)
    reader.join(5)
    return report(held, counts, log, code, asked.minutes, asked.clients)


def report(
    held: list[tuple[float, float]], counts: str, log: list[str], code: int, minutes: float,
    clients: int,
) -> int:  # fmt: skip
    times, sizes = np.array(held[len(held) // 3 :]).T
    slope = np.polyfit((times - times[0]) / 60, sizes, 1)[0]
    faults = {line for line in counts.splitlines() if re.search(r'requests_.*status="5', line)}
    p50, p95 = np.percentile(TIMES, (50, 95))
    traces = sum(line.startswith("Traceback") for line in log)
    rows = {
        "clients, minutes": f"{clients}, {minutes:g}",
        "good uploads answered": f"{len(TIMES):,}",
        "their time, p50 and p95": f"{p50:.2f} s, {p95:.2f} s",
        "answers 5xx": "; ".join(sorted(faults)) or "none",
        "tracebacks in the log": str(traces),
        "memory, first, largest, last": ", ".join(
            f"{mb:.0f}" for mb in (held[0][1], max(mb for _, mb in held), held[-1][1])
        ) + " MB",
        "its slope over the last two thirds": f"{slope:+.2f} MB a minute",
        "exit code after SIGTERM": str(code),
    }  # fmt: skip
    print("| what | measured |\n|---|---|")
    for name, value in rows.items():
        print(f"| {name} | {value} |")
    print()
    for name, count in sorted(ANSWERS.items()):
        print(f"{count:7,}  {name}")
    return int(bool(faults) or traces > 0 or code != 0)


if __name__ == "__main__":
    sys.exit(main())
