"""`sanfen serve` against other proxies, in one run on one machine.

    python benchmarks/gateway.py [--seconds 2] [--repeats 3] [--connections 32 256] [--sync-ms 2] [--out FILE]

Beside this process, which is a closed-loop load of 500-byte JSON messages over keep-alive connections (a question and a
person's reply, each signed and with an id of its own), run an upstream that answers at once and, in turn, the proxies:

    bare       aiohttp.web + ClientSession: reads, forwards, answers; on uvloop where it is installed, as sanfen is
    rows       a floor for what follows: aiohttp's server, our way to the workflow, the signature checked, the JSON parsed, and two
               rows a message kept by a thread (synchronous=FULL, all that wait in one commit); nothing classified or scored
    split      the same relay in one process and, in another, our engine, which parses, journals, classifies and scores
    durable    `sanfen serve`: verified, parsed, journaled (synchronous=FULL), classified, scored, then answered
    mitmproxy  mitmdump as a reverse proxy, where it is on the path (or named by MITMDUMP)
    nginx      one worker, where it is on the path: the ceiling

Medians over interleaved repetitions, ratios to bare. On few cores the load and the upstream share them with the proxy; the
processor time a request costs the proxy (all its threads) is printed too. ``--sync-ms`` makes every sync of the durable
proxy's log slower by so much, with a shim that is compiled for it (needs a C compiler).
"""

import argparse
import contextlib
import itertools
import json
import os
import platform
import select
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from hmac import digest
from pathlib import Path
from typing import Any, NamedTuple

PROXY = (sys.executable, str(Path(__file__).with_name("peers") / "proxies.py"))
SECRET = b"a secret of the benchmark, long"
LONGEST_S = 30.0
CONFIG = """\
version: 1
shop: {{id: shop, name: bench, timezone: Asia/Shanghai}}
listen: {{hooks: "127.0.0.1:{port}", board: "127.0.0.1:{board}"}}
storage: {folder}/bench.db
policy: taobao-2022-01
channels:
  desk: {{adapter: generic, from_customer: {{forward: "http://127.0.0.1:{upstream}/in"}}, secret: "${{BENCH_SECRET}}"}}
classify:
  - {{name: greeting, match: {{text: "^(亲|您好).{{0,12}}(稍等|欢迎)"}}, verdict: invalid}}
  - {{name: too-fast, match: {{typed_in: "< 1500ms", length: ">= 120"}}, verdict: invalid}}
  - {{name: default, verdict: valid}}
"""
NGINX = """\
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 100000000; client_body_temp_path {folder}/1; proxy_temp_path {folder}/2;
  fastcgi_temp_path {folder}/3; uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  upstream up {{ server 127.0.0.1:{upstream}; keepalive 512; keepalive_requests 100000000; }}
  server {{ listen 127.0.0.1:{port} backlog=1024;
    location / {{ proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; }} }}
}}
"""
SHIM = """\
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>
static void wait_a_little(void) { const char *us = getenv("SYNC_US"); if (us) usleep(atoi(us)); }
int fdatasync(int fd) { wait_a_little(); return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd); }
int fsync(int fd) { wait_a_little(); return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd); }
"""


def messages(run: str, connection: int, count: int) -> Iterator[bytes]:
    """Questions and their replies, each conversation once; signed as Standard Webhooks says."""
    now = time.time()  # noqa: TID251  # the load is outside
    stamp = str(int(now))
    text = "在" * 60
    for number in range(count):
        name = f"m{int(now)}-{run}-{connection}-{number}"
        facts: dict[str, Any] = {"id": name, "at": int(now * 1000) + number // 2 * 7, "text": text}
        facts |= {"conversation": f"c{run}-{connection}-{number // 2}", "from": "customer"}
        if number % 2:
            facts |= {"from": "merchant", "agent": "a1", "at": facts["at"] + 1}
        body = json.dumps(facts, ensure_ascii=False).encode().ljust(500)
        mac = b64encode(digest(SECRET, f"{name}.{stamp}.".encode() + body, sha256)).decode()
        head = (
            f"POST /in/desk HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"webhook-id: {name}\r\nwebhook-timestamp: {stamp}\r\nwebhook-signature: v1,{mac}\r\n\r\n"
        )
        yield head.encode() + body


def load(port: int, connections: int, seconds: float, run: str) -> dict[str, Any]:
    """Closed loop for so many seconds: each connection sends its next message when the answer is there."""
    ready = int(20_000 * seconds / connections) + 2
    work = {number: iter(list(messages(run, number, ready))) for number in range(connections)}
    sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(connections)]
    poll = select.epoll()
    sent: dict[int, float] = {}
    numbers = {one.fileno(): number for number, one in enumerate(sockets)}
    by_fd = {one.fileno(): one for one in sockets}
    buffers = dict.fromkeys(by_fd, b"")
    took: list[float] = []
    failed = 0
    started = time.perf_counter()
    for one in sockets:
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        poll.register(one.fileno(), select.EPOLLIN)
        sent[one.fileno()] = time.perf_counter()
        one.sendall(next(work[numbers[one.fileno()]]))
    until = started + seconds
    while sent and time.perf_counter() < until + LONGEST_S:
        for fd, _ in poll.poll(1):
            data = by_fd[fd].recv(65_536)
            buffers[fd] += data
            if data and not buffers[fd].endswith(b"}"):
                continue
            now = time.perf_counter()
            took.append(now - sent.pop(fd))
            failed += not buffers[fd].startswith(b"HTTP/1.1 200")
            buffers[fd] = b""
            following = next(work[numbers[fd]], None) if data and now < until else None
            if following is None:
                poll.unregister(fd)
                continue
            sent[fd] = now
            by_fd[fd].sendall(following)
    spent = time.perf_counter() - started
    for one in sockets:
        one.close()
    took.sort()
    return {
        "answered": len(took), "per_s": len(took) / spent, "p50_ms": took[len(took) // 2] * 1000,
        "p99_ms": took[len(took) * 99 // 100] * 1000, "failed": failed + len(sent),
    }  # fmt: skip


class Child(NamedTuple):
    """A proxy of this run."""

    pid: int
    port: int

    def cpu_s(self) -> float:
        """Processor time so far: all its threads, and nginx's worker."""
        family = [self.pid]
        with contextlib.suppress(OSError):
            family += [int(one) for one in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]
        ticks = 0
        for pid in family:
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextlib.contextmanager
def process(command: list[str], port: int, folder: Path, environment: dict[str, str] | None = None) -> Iterator[Child]:
    """A process that listens on a port. What it says is kept beside it."""
    log = folder / f"{port}.log"
    with log.open("wb") as out:
        child = subprocess.Popen(command, env=os.environ | (environment or {}), stdout=out, stderr=out)
    try:
        for _ in range(600):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.1):
                break
            if child.poll() is not None:
                raise SystemExit(f"{command[0]} did not start: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)
        yield Child(child.pid, port)
    finally:
        child.terminate()
        try:
            child.wait(15)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def commands(folder: Path, upstream: int, sync_ms: float) -> dict[str, tuple[list[str], int, dict[str, str]]]:
    """How each proxy is started, on which port, with which environment."""
    ports = [free_port() for _ in range(7)]
    (folder / "bench.yaml").write_text(
        CONFIG.format(port=ports[1], board=ports[4], folder=folder, upstream=upstream), encoding="utf-8"
    )
    environment = {"BENCH_SECRET": SECRET.decode(), "SANFEN_LOG": "warning"}
    if sync_ms:
        (folder / "shim.c").write_text(SHIM, encoding="ascii")
        shim = str(folder / "shim.so")
        compiler = os.environ.get("CC", "cc")
        subprocess.run([compiler, "-shared", "-fPIC", "-o", shim, str(folder / "shim.c"), "-ldl"], check=True)
        environment |= {"LD_PRELOAD": shim, "SYNC_US": str(int(sync_ms * 1000))}
    us = [sys.executable, "-m", "sanfen.cli", "serve", "-c", str(folder / "bench.yaml")]
    out: dict[str, tuple[list[str], int, dict[str, str]]] = {
        "bare": ([*PROXY, "bare", str(ports[0]), str(upstream)], ports[0], {}),
        "rows": ([*PROXY, "rows", str(ports[5]), str(upstream), str(folder / "rows.db")], ports[5], environment),
        "split": ([*PROXY, "split", str(ports[6]), str(upstream), str(folder / "split.db")], ports[6], environment),
        "durable": (us, ports[1], environment),
    }
    mitmdump = os.environ.get("MITMDUMP") or shutil.which("mitmdump")
    if mitmdump:
        target = f"reverse:http://127.0.0.1:{upstream}"
        out["mitmproxy"] = (
            [mitmdump, "-q", "--mode", target, "-p", str(ports[2]), "--set", "flow_detail=0"],
            ports[2],
            {},
        )
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx:
        (folder / "nginx.conf").write_text(
            NGINX.format(folder=folder, port=ports[3], upstream=upstream), encoding="ascii"
        )
        out["nginx"] = ([nginx, "-p", str(folder), "-c", str(folder / "nginx.conf")], ports[3], {})
    return out


def measure(options: argparse.Namespace) -> dict[int, dict[str, list[dict[str, Any]]]]:
    runs: dict[int, dict[str, list[dict[str, Any]]]] = {}
    numbers = itertools.count()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        upstream = free_port()
        stack.enter_context(process([*PROXY, "upstream", str(upstream)], upstream, folder))
        children = {
            proxy: stack.enter_context(process(command, port, folder, environment))
            for proxy, (command, port, environment) in commands(folder, upstream, options.sync_ms).items()
            if not options.proxies or proxy in options.proxies
        }
        for connections in options.connections:
            runs[connections] = {proxy: [] for proxy in children}
            for repeat in range(-1, options.repeats):
                for proxy, child in children.items():
                    before = child.cpu_s()
                    run = load(child.port, connections, options.seconds if repeat >= 0 else 0.5, f"{next(numbers)}")
                    run["cpu_us"] = (child.cpu_s() - before) * 1e6 / run.pop("answered")
                    if repeat >= 0:  # the first is to warm up
                        runs[connections][proxy].append(run)
    return runs


def report(runs: dict[int, dict[str, list[dict[str, Any]]]]) -> dict[int, dict[str, Any]]:
    """Medians, and ratios to the first proxy; the spread of a ratio is that of its repetitions."""
    out: dict[int, dict[str, Any]] = {}
    for connections, proxies in runs.items():
        print(f"{connections} connections")
        first = next(iter(proxies.values()))
        out[connections] = {}
        for proxy, several in proxies.items():
            one = {fact: statistics.median(run[fact] for run in several) for fact in several[0]}
            ratios = sorted(run["per_s"] / base["per_s"] for run, base in zip(several, first, strict=True))
            one |= {"ratio": statistics.median(ratios), "ratio_from": ratios[0], "ratio_to": ratios[-1]}
            one["cpu_ratio"] = statistics.median(run["cpu_us"] for run in first) / max(one["cpu_us"], 0.1)
            out[connections][proxy] = one
            print(
                f"  {proxy:<10}{one['per_s']:>8.0f}/s  ×{one['ratio']:<5.2f} ({one['ratio_from']:.2f} to {one['ratio_to']:.2f})"
                f"  p50 {one['p50_ms']:7.2f} ms  p99 {one['p99_ms']:7.2f} ms  cpu {one['cpu_us']:6.0f} µs a message"
                f"  failed {one['failed']:.0f}"
            )
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--connections", type=int, nargs="+", default=[32])
    parser.add_argument("--proxies", nargs="+", help="only these; bare should be among them")
    parser.add_argument("--sync-ms", type=float, default=0, help="how much slower each sync is made")
    parser.add_argument("--out", type=Path, help="keep the figures as JSON")
    options = parser.parse_args()
    loop = "asyncio"
    with contextlib.suppress(ImportError):
        loop = f"uvloop {__import__('uvloop').__version__}"
    machine = f"{platform.machine()}, {os.cpu_count()} cpus, Python {platform.python_version()}, {loop}"
    print(machine + (f", each sync {options.sync_ms:g} ms slower" if options.sync_ms else ""))
    figures = report(measure(options))
    if options.out:
        options.out.write_text(json.dumps({"machine": machine, "sync_ms": options.sync_ms, "figures": figures}))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
