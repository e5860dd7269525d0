"""Forty ways to lose, double or delay something: each is a small change of the source, and the tests that must notice it."""

from typing import NamedTuple

__all__ = ["BUGS", "Bug"]

DB, JOURNAL, OUTBOX = "plugin/sanfen/store/db.py", "plugin/sanfen/store/journal.py", "plugin/sanfen/store/outbox.py"
INGEST, WORKER, TIMERS = (
    "plugin/sanfen/engine/ingest.py",
    "plugin/sanfen/notify/worker.py",
    "plugin/sanfen/engine/timers.py",
)
UPSTREAM, RELAY, HOOKS = (f"plugin/sanfen/gateway/{name}.py" for name in ("upstream", "relay", "webhooks"))
POSTING = "adapters/sanfen_adapters/posting.py"
SIGNATURES = "adapters/sanfen_adapters/signatures.py"
MODEL = "tests/crash/test_outbox_model.py"


class Bug(NamedTuple):
    """``old`` stands once in the file, and becomes ``new``. ``tests``: what pytest is given."""

    name: str
    file: str
    old: str
    new: str
    tests: str


BUGS = (
    # --- what is acknowledged is kept ---
    Bug("acknowledged before the commit", DB, "done.append((future, job(connection)))", "_settle(future, job(connection))", "tests/store/test_db.py"),
    Bug("synchronous=NORMAL", DB, "PRAGMA synchronous = FULL", "PRAGMA synchronous = NORMAL", "tests/store/test_db.py"),
    Bug("synchronous=OFF", DB, "PRAGMA synchronous = FULL", "PRAGMA synchronous = OFF", "tests/crash/test_power_loss.py -k nothing"),
    Bug("two services write one log", DB, "fcntl.LOCK_EX | fcntl.LOCK_NB", "fcntl.LOCK_SH | fcntl.LOCK_NB", "tests/store/test_db.py"),
    Bug("the locks are dropped when the log is opened again", DB, "os.O_CREAT | os.O_EXCL | os.O_RDWR", "os.O_CREAT | os.O_RDWR", "tests/store/test_db.py"),
    Bug("a checkpoint by a second connection", DB, 'self._connection.execute(f"PRAGMA wal_checkpoint({mode})")', 'sqlite3.connect(self.path).execute(f"PRAGMA wal_checkpoint({mode})")', "tests/store/test_db.py"),
    Bug("a failed job keeps what it wrote", DB, 'connection.execute("ROLLBACK TO job")\n                    self._forget()\n                    failed.append((future, error))', "self._forget()\n                    failed.append((future, error))", "tests/store/test_db.py"),
    Bug("a rollback keeps the cache", INGEST, "db.on_rollback(self._cache.clear)", "", "tests/engine"),
    Bug("an event that cannot be scored takes its delivery with it", INGEST, "except Exception:  # whatever it is", "except KeyboardInterrupt:  # whatever it is", "tests/engine"),
    Bug("an event that cannot be scored leaves half of its rows", INGEST, 'connection.execute("ROLLBACK TO project")', "", "tests/engine"),
    Bug("what is lost is not counted", "plugin/sanfen/gateway/journaling.py", "self.counters.gap += 1", "", "tests/gateway"),
    Bug("the chat waits for the journal", "plugin/sanfen/gateway/journaling.py", "timeout=budget_ms / 1000", "timeout=None", "tests/gateway/test_journaling.py tests/gateway/test_webhooks.py"),
    Bug("a sender that leaves takes the count with it", "plugin/sanfen/gateway/journaling.py", "        except asyncio.CancelledError:\n            future.add_done_callback(partial(self._settled, channel))\n", "        except asyncio.CancelledError:\n", "tests/gateway/test_journaling.py"),
    Bug("promised before the commit", HOOKS, "receipt = await journaling.settle(future, channel, budget_ms)", "receipt = Receipt(1, 0)", "tests/gateway/test_webhooks.py tests/gateway/test_events.py"),
    # --- once is once ---
    Bug("a duplicate counts again", JOURNAL, "ON CONFLICT (shop, channel, id) DO NOTHING", "ON CONFLICT (shop, channel, id) DO UPDATE SET delivery = excluded.delivery", "tests/store/test_journal.py tests/engine/test_ingest.py"),
    Bug("a late event is taken as it comes", INGEST, "late = live is None or event.at_ms < live.floor_ms", "late = live is None", "tests/engine"),
    Bug("a late event knows no old policy", INGEST, "max(seen_ms, self.left_ms)", "seen_ms", "tests/engine/test_corrections.py"),
    Bug("a shop's state forgets who waits in vain", INGEST, "if key.shop == event.key.shop and key not in touches]", "if not self._cache]", "tests/engine/test_corrections.py"),
    Bug("a round is judged by two policies", INGEST, "return self.since_ms <= at_ms < self.until_ms", "return True", "tests/engine/test_corrections.py"),
    Bug("a round that changes is counted twice", "plugin/sanfen/store/migrations.py", 'BEGIN {_HOUR} {_roll_up("old", "-")} {_roll_up("new", "+")} END', 'BEGIN {_HOUR} {_roll_up("new", "+")} END', "tests/store/test_projection.py"),
    Bug("ties by chance", JOURNAL, 'ORDER BY at_ms, seq"', 'ORDER BY at_ms, seq DESC"', "tests/store/test_journal.py"),
    # --- whoever waits reaches somebody, and nobody hears it three times ---
    Bug("marked after it is sent", WORKER, "begun = await self._do(outbox.begin, row)\n        if begun is not None:\n            await self._attempt(begun, way, len(person.ways))", "begun = row._replace(unknown=row.unknown + 1, attempts=row.attempts + 1)\n        await self._attempt(begun, way, len(person.ways))\n        await self._do(outbox.begin, row)", "tests/notify/test_worker.py"),
    Bug("never marked", OUTBOX, "SET unknown = unknown + 1, attempts = attempts + 1", "SET attempts = attempts + 1", MODEL + " tests/store/test_outbox.py"),
    Bug("a third message", OUTBOX, "MOST_UNKNOWN = 2", "MOST_UNKNOWN = 3", MODEL),
    Bug("whoever overslept his lease sends on", OUTBOX, "\"WHERE id = ? AND attempts = ? AND state = 'sending'\",\n        (row.id, row.attempts)", '"WHERE id = ?",\n        (row.id,)', MODEL),
    Bug("whoever overslept his lease writes over the others", OUTBOX, "AND (attempts = ? OR ? = 'told')", "AND (? OR ? = 'told' OR 1)", MODEL),
    Bug("a notice under way is taken up again", OUTBOX, "(now_ms + lease_ms, row[0])", "(now_ms, row[0])", "tests/store/test_outbox.py"),
    Bug("a step is put there twice", OUTBOX, 'VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"', "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET state = 'waiting'\"", "tests/store/test_outbox.py"),
    Bug("a lost answer is taken for a refusal", POSTING, 'reason="timeout" if late else "lost", retryable=True, unknown=True', 'reason="timeout" if late else "lost", retryable=True', "tests/notify/test_worker.py"),
    Bug("the timers are not filled at the start", "plugin/sanfen/engine/recover.py", "ticker.push(due_ms, key)", "pass", "tests/engine/test_ingest.py"),
    Bug("what the ticker could not serve is forgotten", TIMERS, "self.push(now_ms, key)", "pass", "tests/engine"),
    Bug("an old reminder counts", TIMERS, "if self._soonest.get(key) == due_ms:\n                del self._soonest[key]", "if True:\n                self._soonest.pop(key, None)", "tests/engine/test_timers.py"),
    # --- the chat goes through, once and unchanged ---
    Bug("a POST is sent a second time", UPSTREAM, "if not connection.used or method not in _SAFE:", "if not connection.used:", "tests/gateway/test_upstream.py"),
    Bug("a connection is used again however long it was idle", UPSTREAM, "connection.idle_since >= oldest and connection.is_clean()", "connection.is_clean()", "tests/gateway/test_upstream.py"),
    Bug("a bug in scoring leaves a round as it was", INGEST, "or event.key in self._unscored", "", "tests/engine/test_ingest.py"),
    Bug("no limit on requests under way", UPSTREAM, "if self._busy >= self._limits.upstream_connections:", "if False:", "tests/gateway/test_upstream.py"),
    Bug("a body may take for ever", "plugin/sanfen/gateway/intake.py", "asyncio.timeout(limits.body_ms / 1000)", "asyncio.timeout(None)", "tests/gateway/test_app.py -k body_that_never_ends --timeout 20"),
    Bug("headers of one connection go on", RELAY, "elif lower not in _HOP:", "else:", "tests/gateway/test_relay.py"),
    Bug("notices follow redirects", POSTING, "allow_redirects=False", "allow_redirects=True", "tests/notify/test_worker.py"),
    Bug("notices share their cookies", POSTING, "cookie_jar=aiohttp.DummyCookieJar()", "cookie_jar=aiohttp.CookieJar(unsafe=True)", "tests/notify/test_worker.py"),
    Bug("a signature compared as it comes", SIGNATURES, "hmac.compare_digest(wanted, entry)", "wanted == entry", "tests/adapters/test_signatures.py"),
    Bug("a replay of last year is authentic", SIGNATURES, "if abs(int(text) * 1000 - now_ms) > scheme.window_s * 1000:", "if False:", "tests/adapters/test_signatures.py"),
    Bug("every day has 24 hours", "plugin/sanfen/core/days.py", "start, end = self._start(local), self._start(local + _DAY)", "start, end = self._start(local), self._start(local) + 24 * _HOUR", "tests/core/test_zones.py tests/core/test_days.py"),
)  # fmt: skip
