"""What hostile and careless senders write: JSON, YAML, tables, transcripts and headers, grammar first, then broken.

Everything is drawn from ``dice``: a seeded ``random.Random``, or ``Bytes``, whose decisions are the bytes a
coverage-guided fuzzer chooses.
"""

import json
from typing import Any, TypeVar
from urllib.parse import quote, quote_plus

from sanfen.core.events import CUSTOMER_TYPES, STORE_STATES, Mode
from sanfen.wire import FIELDS

__all__ = ["Bytes", "Grammar"]

T = TypeVar("T")

ATOMS: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**53 + 1, 2**63, -(2**63) - 1, 10**19, 1.5, -0.0, 1e308, 5e-324, "", " ", "0", "-1", "1_0", " 12 ",
    "١٢", "null", "\ud800", "a\udfffb", "\0", "a\0b", "\x1b[31m", "\u2028", "\u202e", "\ufeff", "é" * 300, "x" * 513, "客户A", "在吗", "a,b", "a;b c",
    "'; DROP TABLE events; --", "<script>", "${HOME}", "%00", "../..", "\r\nX: y", "=cmd|' /C calc'!A0", [], {}, [[]], [None], {"": ""},
)  # fmt: skip
TIMES: tuple[Any, ...] = (
    1_700_000_000_000, 1_700_000_000, 1_700_000_000_000.5, 0, -1, 631_152_000_000, 4_102_444_800_000, 2**63, "1700000000000", "1700000000",
    "2026-01-31T10:00:00+08:00", "2026-01-31T10:00:00Z", "2026-01-31 10:00:00", "2026-06-30T23:59:60Z", "2026-06-30T23:59:60.5+00:00",
    "2026/01/31 10:00", "9999-12-31T23:59:59+00:00", "0001-01-01T00:00:00+14:00", "10000-01-01T00:00:00Z", "2026-02-30T00:00:00Z",
    "2026-01-31T24:00:00Z", "2026-01-31T10:00:00+24:00", "2026-W05-6", "20260131T100000Z", "today", "1e12",
)  # fmt: skip
WORDS: dict[str, tuple[Any, ...]] = {
    "from": ("customer", "merchant", "system", "Customer", "bot"),
    "role": ("customer", "agent", "bot", "auto", "system", "AGENT"),
    "mode": tuple(Mode), "customer_type": tuple(CUSTOMER_TYPES), "state": tuple(STORE_STATES),
    "event": ("transfer", "handoff", "close", "store", "tag", "recall", "order", "message"),
    "evidence": ("field", "rule", "credential", "none"), "stage": ("created", "paid", "received"),
    "assisted": (True, False, "yes"), "at": TIMES, "time": TIMES, "timestamp": TIMES,
    "tags": ([], ["spam"], ["a,b"], [""], ["\ud800"], "spam,ad", "spam", [1], {"a": 1}, [" "]),
    "type": ("message.created", "dev.sanfen.message.created", "order.paid", 7), "specversion": ("1.0", 1),
    "amount": (0, 1999, "1999", -5, 1.5, 10**18, True),
}  # fmt: skip
NAMES = (
    *FIELDS,
    "role",
    "assisted",
    "actor",
    "message_id",
    "data",
    "data_base64",
    "specversion",
    "type",
    "time",
    "timestamp",
    "surplus",
    "",
)
BREAKS = (b'"', b"\\", b"[", b"{", b"}", b",", b":", b"\n", b"\r\n", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"NaN", b"Infinity", b"-",
          b"1e999", b"\\ud800", b"\\u0000", b"\t", b"#", b"&a", b"*a", b"!!python/object:os.system ", b"<<: ", b"? ", b"- ", b"---\n", b"%", b"\x1f\x8b")  # fmt: skip


class Bytes:
    """Dice whose throws are given bytes; when they are used up every throw is the lowest."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def randrange(self, stop: int) -> int:
        width = 1 if stop <= 256 else 3
        drawn, self._at = self._data[self._at : self._at + width], self._at + width
        return int.from_bytes(drawn, "big") % stop

    def random(self) -> float:
        return self.randrange(256) / 256

    def choice(self, options: Any) -> Any:
        return options[self.randrange(len(options))]


class Grammar:
    """Inputs, one after another, from dice."""

    def __init__(self, dice: Any) -> None:
        self.dice = dice

    def one(self, *options: T) -> T:
        return self.dice.choice(options)  # type: ignore[no-any-return]

    def often(self, share: float) -> bool:
        return bool(self.dice.random() < share)

    # --- JSON

    def value(self, depth: int = 3) -> Any:
        roll = self.dice.randrange(10)
        if roll > 1 or not depth:
            return self.dice.choice(ATOMS)
        if roll:
            return [self.value(depth - 1) for _ in range(self.dice.randrange(4))]
        return {self.dice.choice(NAMES): self.value(depth - 1) for _ in range(self.dice.randrange(4))}

    def field(self, name: str) -> Any:
        words = WORDS.get(name)
        if words and self.often(0.85):
            return self.dice.choice(words)
        return f"{name}-{self.dice.randrange(4)}" if self.often(0.7) else self.value(2)

    def fields(self, *names: str) -> dict[str, Any]:
        """An object that mostly has these fields, and some others."""
        out = {name: self.field(name) for name in names if self.often(0.93)}
        for _ in range(self.dice.randrange(3)):
            name = self.dice.choice(NAMES)
            out[name] = self.field(name)
        return out

    def event(self) -> dict[str, Any]:
        """A ``sanfen.event/1`` object, or nearly."""
        more = self.one(("text",), ("mode", "agent", "text"), ("event", "to", "agent"), ("event", "tag", "message", "state"),
                        ("event", "order", "stage", "amount"), ("tags", "customer_type", "bot", "mode"))  # fmt: skip
        return self.fields("id", "at", "from", "conversation", "customer", *more)

    def spoken(self) -> dict[str, Any]:
        """Any of the shapes a generic sender may choose."""
        plain = ("conversation", "message_id", "role", "actor", "text", "assisted")
        data = self.event() if self.often(0.5) else self.fields(*plain)
        kind = self.dice.randrange(4)
        if kind == 0:
            return self.fields("specversion", "id", "type", "time") | {self.one("data", "data", "data_base64"): data}
        if kind == 1:
            return self.fields("type", "timestamp") | {"data": data}
        return data

    def body(self) -> bytes:
        """One object, an array, or lines; sometimes broken."""
        kind = self.dice.randrange(8)
        rows = [self.spoken() for _ in range(1 + (self.dice.randrange(3) if kind < 3 else 0))]
        if kind == 0:
            text = self.dump(rows)
        elif kind == 1:
            text = b"\n".join(map(self.dump, rows))
        elif kind == 2 and self.often(0.3):
            depth = self.one(5, 31, 32, 33, 2000, 100_000)
            text = self.one(b"[", b'{"a":') * depth
        else:
            text = self.dump(rows[0])
        return self.broken(text) if self.often(0.3) else text

    def dump(self, value: Any) -> bytes:
        text = json.dumps(value, ensure_ascii=self.often(0.5), indent=self.one(None, None, 1))
        return text.encode("utf-8", "surrogatepass")

    def broken(self, text: bytes) -> bytes:
        """Cut, doubled, with bytes put in or changed."""
        for _ in range(1 + self.dice.randrange(3)):
            at = self.dice.randrange(len(text) + 1)
            kind = self.dice.randrange(5)
            if kind == 0:
                text = text[:at]
            elif kind == 1:
                text = text[:at] + text[at // 2 :]
            elif kind == 2:
                text = text[:at] + bytes([self.dice.randrange(256)]) + text[at + 1 :]
            else:
                text = text[:at] + self.dice.choice(BREAKS) + text[at:]
        return text

    def headers(self) -> dict[str, str]:
        """What a generic sender may put beside the body."""
        out: dict[str, str] = {}
        if self.often(0.4):
            out["webhook-id"] = self.one("m1", "", "a b", "é", "x" * 600)
        if self.often(0.2):
            out["ce-specversion"] = "1.0"
            for name in ("ce-id", "ce-time", "ce-type"):
                if self.often(0.8):
                    out[name] = str(self.one(*TIMES, "message.created", "%E4%BD%A0", "%ff", "a%00b", "id"))
        return out

    # --- tables and transcripts

    def table(self) -> bytes:
        delimiter = self.one(",", "\t")
        columns = [
            self.dice.choice((*FIELDS, "发送时间", "发送方", "买家", "客服", "消息内容", "x"))
            for _ in range(2 + self.dice.randrange(6))
        ]
        lines = [delimiter.join(["at", "from", *columns] if self.often(0.7) else columns)]
        for _ in range(self.dice.randrange(6)):
            cells = [self.dice.choice(TIMES), self.dice.choice(WORDS["from"]), *map(self.field, columns)]
            shown = [str(cell).replace(delimiter, " ") if self.often(0.9) else f'"{cell}"' for cell in cells]
            lines.append(delimiter.join(shown))
        return (
            self.one("\n", "\r\n", "\n")
            .join(lines)
            .encode(self.one("utf-8", "utf-8", "utf-8-sig", "gb18030"), "replace")
        )

    def lines(self) -> bytes:
        return b"\n".join(self.dump(self.event()) for _ in range(1 + self.dice.randrange(5)))

    def transcript(self) -> bytes:
        heads = (
            "# what",
            "policy: taobao-2022-01",
            "tz: Asia/Shanghai",
            "tz: Mars/One",
            "set: midnight=none",
            "holidays: 2026-01-01",
            "as-of: x",
            "",
        )
        who = ("customer", "customer B", "agent 小美", "assisted leyan", "auto", "bot x", "human a customer=B", "customer customer_type=sub_account",
               "transfer a -> b", "transfer", "handoff", "close", "tag spam", "tag", "store away", "store gone", "recall 1", "nobody")  # fmt: skip
        clocks = ("10:10:15", "23:59:59.999", "25:00:00", "10:10", "00:00:00", "10:10:60")
        out = [self.dice.choice(heads) for _ in range(self.dice.randrange(4))] + [
            self.one("2026-01-07", "2026-13-01", "2026-01-07", "")
        ]
        for _ in range(self.dice.randrange(6)):
            line = f"{self.dice.choice(clocks)} {self.dice.choice(who)}  {self.one('在吗', '', 'x' * 50)}"
            out.append(self.one(line, line, line, "=> late 0:07:55", "=> met", "=> excluded spam", "=>", "2026-01-08"))
        return "\n".join(out).encode()

    # --- YAML

    def yaml(self) -> bytes:
        """A configuration, or nearly."""
        scalars = ("sanfen.db", "taobao-2022-01", "23:00", "on", "0123", "90%", "3m", "1d", "-1", "1e3", "~", '"\\ud800"', "'a'", "${X}", "${", "null", "日本",
                   "[a, b]", "{a: b}", "[", "{a", "*a", "&a b", "!!int 3", "|\n   text", ">-\n   folded", '"\\0"', "127.0.0.1:0", "http://127.0.0.1:9/in",
                   "webhook+http://x/", "Asia/Shanghai", "Mars/One", "{after: 2m}", "[{after: 2m}]", "x" * 200, "2026-11-29T02:00")  # fmt: skip
        keys = ("version", "shop", "id", "name", "timezone", "listen", "hooks", "board", "storage", "text", "keep", "policy", "also", "target", "policies",
                "based_on", "deadline", "window", "due", "hours", "channels", "desk", "adapter", "from_customer", "forward", "secret", "signing", "timeout",
                "classify", "match", "mode", "verdict", "people", "via", "escalation", "steps", "at", "notify", "quiet", "from", "until", "<<", "? a", "")  # fmt: skip
        out = ["version: 1"] if self.often(0.9) else []
        depth = 0
        for _ in range(self.dice.randrange(14)):
            dash = "- " if self.often(0.2) else ""
            value = "" if self.often(0.35) else f" {self.dice.choice(scalars)}"
            out.append("  " * depth + dash + f"{self.dice.choice(keys)}:{value}")
            depth = min(6, max(0, depth + (self.one(1, 1, 0) if not value else self.one(0, 0, -1, -2))))
        text = "\n".join(out).encode("utf-8", "surrogatepass")
        return self.broken(text) if self.often(0.25) else text

    # --- the board

    def query(self) -> str:
        names = ("limit", "longest", "policy", "shop", "channel", "agent", "status", "reason", "conversation", "first_day", "last_day", "score_set", "by",
                 "lang", "surplus", "")  # fmt: skip
        values = ("1", "1000", "1001", "-1", "0x10", "١٢", "p", "live", "default", "met", "2026-01-01", "2026-13-45", "day", "agent,day", "day,,", "shop,x", "zh",
                  "en-GB", "%00", "a'b", '"', ";", "\0", "\ud800", "é", "x" * 300, "")  # fmt: skip
        parts = []
        for _ in range(self.dice.randrange(5)):
            value = self.dice.choice(values)
            encode = self.one(quote, quote_plus)
            parts.append(
                f"{self.dice.choice(names)}={encode(value.encode('utf-8', 'surrogatepass')) if self.often(0.8) else self.one('%', '%zz', '%ff', '+')}"
            )
        return "&".join(parts)
