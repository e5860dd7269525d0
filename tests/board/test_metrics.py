"""The metrics: well formed, few, with units; the dashboard and the alerts ask for none that is not there."""

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families
from tests.board.test_access import Service
from tests.engine.shop import MINUTE, START, TAOBAO, Shop

from sanfen.board.views import build_board_app
from sanfen.config.load import Loaded
from sanfen.config.settings import ChannelSettings, Settings
from sanfen.scoring import _count
from sanfen.testing import FakeClock, ask, reply

CONFIG = Path(__file__).parent.parent.parent / "config"
UNITS = ("_seconds", "_bytes", "_total", "_info")
COUNTS = {"sanfen_" + name for name in (
    "ready", "standby", "degraded", "aside", "lost", "under_way", "last_reload_ok", "rounds", "open_rounds", "notices", "onward",
)}  # fmt: skip
LABELS = {"channel", "what", "reason", "secret", "policy", "outcome", "state", "result", "version", "le"}


@pytest.fixture
async def text(tmp_path: Path, aiohttp_client: Any) -> AsyncIterator[str]:
    """What a shop with a met round, one that waits, and a signed channel shows."""
    shop = Shop(tmp_path / "log.db", FakeClock(START + 3 * MINUTE))
    service = Service()
    shop.engine._on_scored = lambda policy, effect: _count(service.meters, policy, effect)
    await shop.send(ask(START, "A"), reply(START + 30_000, "A"), ask(START + MINUTE, "B"))
    service.db, service.policy = shop.db, "taobao"
    service.loaded = Loaded(
        Settings(storage=tmp_path / "log.db", channels={"desk": ChannelSettings("desk", "generic")}), (TAOBAO,), ()
    )
    service.deliveries = {("desk", "received"): 3, ("desk", "journaled"): 2, ("desk", "refused_stale"): 1}
    service.secrets = {("desk", "2026"): 3}
    client: TestClient[Any, Any] = await aiohttp_client(TestServer(build_board_app(service, Settings(), shop.clock)))
    yield await (await client.get("/metrics")).text()
    await asyncio.to_thread(shop.db.close)


async def test_what_there_is(text: str) -> None:
    for line in (
        'sanfen_deliveries_total{channel="desk",what="received"} 3.0', 'sanfen_deliveries_total{channel="desk",what="gap"} 0.0',
        'sanfen_refused_total{channel="desk",reason="stale"} 1.0', 'sanfen_signed_total{channel="desk",secret="2026"} 3.0',
        'sanfen_open_rounds{policy="taobao"} 1.0', 'sanfen_oldest_open_seconds{policy="taobao"} 120.0',
        'sanfen_rounds{outcome="met",policy="taobao"} 1.0', 'sanfen_reply_wait_seconds_count{policy="taobao"} 1.0',
        'sanfen_reply_wait_seconds_bucket{le="30.0",policy="taobao"} 1.0', "sanfen_ready 1.0", "sanfen_under_way 0.0",
    ):  # fmt: skip
        assert line in text.splitlines()
    assert "process_resident_memory_bytes" in text
    (wal,) = re.findall(r"^sanfen_wal_bytes (\S+)", text, re.MULTILINE)
    assert float(wal) > 0


async def test_names_have_units_and_labels_are_few(text: str) -> None:
    """No label holds what a stranger writes: customers, conversations, texts, addresses."""
    for family in text_string_to_metric_families(text):
        assert family.documentation
        for sample in family.samples:
            name = re.sub("_(bucket|count|sum)$", "", sample.name)
            ours = not name.startswith(("process_", "python_"))
            assert not ours or name.endswith(UNITS) or name in COUNTS, name
            assert set(sample.labels) <= LABELS, sample


async def test_all_are_documented(text: str) -> None:
    page = (CONFIG.parent / "docs" / "metrics.md").read_text(encoding="utf-8")
    families = [family for family in text_string_to_metric_families(text) if family.name.startswith("sanfen_")]
    names = [f"{family.name}_total" if family.type == "counter" else family.name for family in families]

    assert not [name for name in names if f"`{name}`" not in page]
    assert not set(re.findall(r"`(sanfen_\w+)`", page)) - set(names)


async def test_prometheus_may_ask_for_its_newer_form(aiohttp_client: Any) -> None:
    client: TestClient[Any, Any] = await aiohttp_client(TestServer(build_board_app(Service(), Settings(), FakeClock())))
    plain = await client.get("/metrics")
    newer = await client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})

    assert plain.headers["Content-Type"].startswith("text/plain; version=")
    assert newer.headers["Content-Type"].startswith("application/openmetrics-text")
    assert (await newer.text()).endswith("# EOF\n")


def asked() -> dict[str, list[str]]:
    """Every expression of the dashboard and of the alerts."""
    board = json.loads((CONFIG / "grafana.json").read_text(encoding="utf-8"))
    alerts = yaml.safe_load((CONFIG / "alerts.yaml").read_text(encoding="utf-8"))
    return {
        "grafana.json": [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())],
        "alerts.yaml": [rule["expr"] for group in alerts["groups"] for rule in group["rules"]],
    }


@pytest.mark.parametrize("file", ["grafana.json", "alerts.yaml"])
async def test_what_is_asked_for_is_there(text: str, file: str) -> None:
    """Every metric, and every label it is narrowed or grouped by."""
    there = {
        sample.name: set(sample.labels) for family in text_string_to_metric_families(text) for sample in family.samples
    }
    expressions = asked()[file]

    assert len(expressions) >= 8
    for expression in expressions:
        found = re.findall(r"(sanfen_\w+|process_\w+)(\{[^}]*\})?", expression)
        assert found, expression
        for name, braces in found:
            assert name in there, expression
            assert set(re.findall(r"(\w+)=", braces)) <= there[name], expression


def test_every_alert_says_what_to_do() -> None:
    alerts = yaml.safe_load((CONFIG / "alerts.yaml").read_text(encoding="utf-8"))
    rules = [rule for group in alerts["groups"] for rule in group["rules"]]

    for rule in rules:
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert {"summary", "what_to_do"} <= set(rule["annotations"])


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not here (Debian: apt install prometheus)")
async def test_prometheus_own_tool_finds_nothing(text: str) -> None:
    """Of the rules, and of what we show."""
    for command, given in (
        (("check", "rules", str(CONFIG / "alerts.yaml")), ""), (("check", "metrics"), text),
    ):  # fmt: skip
        done = await asyncio.to_thread(
            subprocess.run, ["promtool", *command], input=given, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
