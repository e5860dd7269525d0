"""Forty ways to lose, double or delay something: each is a small change of the source, and the tests that must notice it."""

from typing import NamedTuple

__all__ = ["BUGS", "Bug"]

DB, JOURNAL, OUTBOX = "plugin/sanfen/store/db.py", "plugin/sanfen/store/journal.py", "plugin/sanfen/store/outbox.py"
OPENING = "plugin/sanfen/store/opening.py"
INGEST, WORKER, TIMERS = (
    "plugin/sanfen/engine/ingest.py",
    "plugin/sanfen/notify/worker.py",
    "plugin/sanfen/engine/timers.py",
)
UPSTREAM, RELAY, HOOKS = (f"plugin/sanfen/gateway/{name}.py" for name in ("upstream", "relay", "webhooks"))
MEMORY = "plugin/sanfen/engine/memory.py"
POSTING = "adapters/sanfen_adapters/posting.py"
SIGNATURES = "adapters/sanfen_adapters/signatures.py"
ROBOTS = "adapters/sanfen_adapters/robots.py"
DINGTALK, FEISHU, COMMAND, APPRISE = (
    f"adapters/sanfen_adapters/notifiers/{name}/__init__.py" for name in ("dingtalk", "feishu", "command", "apprise")
)
TOLD = "tests/adapters/notifiers"
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
    Bug("acknowledged before the commit", DB, 'connection.execute("COMMIT")\n        except', '[entry.settle(outcome) for entry, outcome in zip(group, outcomes)]\n            connection.execute("COMMIT")\n            group, outcomes = [], []\n        except', "tests/store/test_db.py"),
    Bug("synchronous=NORMAL", OPENING, "PRAGMA synchronous = FULL", "PRAGMA synchronous = NORMAL", "tests/store/test_db.py"),
    Bug("synchronous=OFF", OPENING, "PRAGMA synchronous = FULL", "PRAGMA synchronous = OFF", "tests/crash/test_power_loss.py -k nothing"),
    Bug("two services write one log", "plugin/sanfen/store/lease.py", "fcntl.LOCK_EX | fcntl.LOCK_NB)\n            except", "fcntl.LOCK_SH | fcntl.LOCK_NB)\n            except", "tests/store/test_db.py"),
    Bug("who was stopped writes on", DB, "if fence_of(connection) != self._fence:", "if False:", "tests/store/test_lease.py"),
    Bug("a line that was cut off is counted as damage", "plugin/sanfen/store/spill.py", 'if not line.endswith(b"\\n"):', "if False:", "tests/store/test_spill.py"),
    Bug("a clock that is set moves the deadlines", "plugin/sanfen/clock.py", "return boot_ms + self.ahead_ms", "return wall_ms", "tests/test_clock.py"),
    Bug("what may have arrived is sent again", "plugin/sanfen/store/onward.py", "if sent and not repeat", "if False", "tests/store/test_onward.py"),
    Bug("the locks are dropped when the log is opened again", OPENING, "os.O_CREAT | os.O_EXCL | os.O_RDWR", "os.O_CREAT | os.O_RDWR", "tests/store/test_db.py"),
    Bug("a checkpoint by a second connection", "plugin/sanfen/store/wal.py", 'self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")', 'sqlite3.connect(self._connection.execute("PRAGMA database_list").fetchone()[2]).execute("PRAGMA wal_checkpoint(PASSIVE)")', "tests/store/test_db.py"),
    Bug("a failed job keeps what it wrote", DB, 'connection.execute("ROLLBACK TO job")', "pass", "tests/store/test_db.py"),
    Bug("a failed job that was alone keeps what it wrote", DB, 'connection.execute("ROLLBACK")\n                self._begin(connection)', "pass", "tests/store/test_db.py"),
    Bug("a rollback keeps the cache", INGEST, "db.on_rollback(self._memory.clear)", "", "tests/engine/test_ingest.py"),
    Bug("an event that cannot be scored takes its delivery with it", INGEST, "except Exception:  # whatever it is", "except KeyboardInterrupt:  # whatever it is", "tests/engine/test_ingest.py"),
    Bug("an event that cannot be scored leaves half of its rows", INGEST, 'connection.execute("ROLLBACK TO project")', "", "tests/engine/test_ingest.py"),
    Bug("what is lost is not counted", "plugin/sanfen/gateway/journaling.py", 'self.counters.add("gap", channel)', "", "tests/gateway/test_journaling.py"),
    Bug("the chat waits for the journal", "plugin/sanfen/gateway/journaling.py", "self._deadlines.add(woken, loop.time() + wait_s, wake)", "pass", "tests/gateway/test_journaling.py tests/gateway/test_webhooks.py --timeout 20"),
    Bug("a sender that leaves takes the count with it", "plugin/sanfen/gateway/journaling.py", "        except asyncio.CancelledError:\n            future.add_done_callback(partial(self._settled, channel))\n", "        except asyncio.CancelledError:\n", "tests/gateway/test_journaling.py"),
    Bug("promised before the commit", HOOKS, "receipt = await journaling.settle(future, channel, budget_ms)", "receipt = Receipt(1, 0)", "tests/gateway/test_webhooks.py tests/gateway/test_events.py"),
    # --- once is once ---
    Bug("a duplicate counts again", JOURNAL, "if name not in seen:", "if True:", "tests/store/test_journal.py tests/engine/test_ingest.py"),
    Bug("a late event is taken as it comes", INGEST, "late = live is None or event.at_ms < live.floor_ms", "late = live is None", "tests/engine/test_ingest.py"),
    Bug("a late event knows no old policy", MEMORY, "max(seen_ms, self.left_ms)", "seen_ms", "tests/engine/test_corrections.py"),
    Bug("a shop's state forgets who waits in vain", INGEST, "if key not in touches:", "if key is None:", "tests/engine/test_corrections.py"),
    Bug("a round is judged by two policies", MEMORY, "return self.since_ms <= at_ms < self.until_ms", "return True", "tests/engine/test_corrections.py"),
    Bug("a round that changes is counted twice", "plugin/sanfen/store/migrations.py", 'BEGIN {_roll_up("old", "-")} {_counted("new")} END', 'BEGIN {_counted("new")} END', "tests/store/test_projection.py"),
    Bug("ties by chance", JOURNAL, "(both[seq].at_ms, seq)", "(both[seq].at_ms, -seq)", "tests/store/test_journal.py"),
    # --- whoever waits reaches somebody, and nobody hears it three times ---
    Bug("marked after it is sent", WORKER, "begun, still = await self._do(mark)\n        if begun:\n            await self._attempt(begun, person.ways[batch.way], len(person.ways), still)", "begun = [row._replace(way=batch.way, unknown=row.unknown + 1, attempts=row.attempts + 1) for row in rows]\n        await self._attempt(begun, person.ways[batch.way], len(person.ways), [])\n        await self._do(mark)", "tests/notify/test_worker.py"),
    Bug("never marked", OUTBOX, "SET unknown = unknown + 1, attempts = attempts + 1", "SET attempts = attempts + 1", MODEL + " tests/store/test_outbox.py"),
    Bug("a third message", OUTBOX, "MOST_UNKNOWN = 2", "MOST_UNKNOWN = 3", MODEL),
    Bug("whoever overslept his lease sends on", OUTBOX, "\"WHERE id = ? AND attempts = ? AND state = 'sending'\",\n            (row.id, row.attempts)", '"WHERE id = ?",\n            (row.id,)', MODEL),
    Bug("whoever overslept his lease writes over the others", OUTBOX, "AND (attempts = ? OR ? = 'told')", "AND (? OR ? = 'told' OR 1)", MODEL),
    Bug("a notice under way is taken up again", OUTBOX, "(now_ms + lease_ms, row[0])", "(now_ms, row[0])", "tests/store/test_outbox.py"),
    Bug("a step is put there twice", OUTBOX, '_ONCE = "ON CONFLICT DO NOTHING"', "_ONCE = \"ON CONFLICT DO UPDATE SET state = 'waiting'\"", "tests/store/test_outbox.py"),
    Bug("a lost answer is taken for a refusal", POSTING, 'reason="timeout" if late else "lost", retryable=True, unknown=True', 'reason="timeout" if late else "lost", retryable=True', "tests/notify/test_worker.py"),
    Bug("the timers are not filled at the start", "plugin/sanfen/engine/recover.py", "ticker.fill(projection.open_rounds(connection, LIVE))", "pass", "tests/engine/test_ingest.py"),
    Bug("what the ticker could not serve is forgotten", TIMERS, "self.push(now_ms, key)", "pass", "tests/engine/test_timers.py"),
    Bug("an old reminder counts", TIMERS, "if soonest.get(name) == due_ms:\n                del soonest[name]", "if True:\n                soonest.pop(name, None)", "tests/engine/test_timers.py"),
    Bug("what was answered keeps its reminder", INGEST, "return [(live.next_ms, key)]", "return live.due(key)", "tests/engine/test_timers.py"),
    Bug("reminders that are true no more pile up", TIMERS, "len(self._heap) > 2 * len(self._soonest) + _FEW", "False", "tests/engine/test_timers.py"),
    Bug("two standbys take over at once", DB, "        ours = lease or Lease.seize(path)", '        connection.execute("COMMIT")\n        connection.execute("BEGIN")\n        ours = lease or Lease.seize(path)', "tests/store/test_lease.py"),
    # --- the chat goes through, once and unchanged ---
    Bug("a POST is sent a second time", UPSTREAM, "if not connection.used or method not in _SAFE:", "if not connection.used:", "tests/gateway/test_upstream.py"),
    Bug("a connection is used again however long it was idle", UPSTREAM, "connection.idle_since >= oldest and connection.is_clean()", "connection.is_clean()", "tests/gateway/test_upstream.py"),
    Bug("a bug in scoring leaves a round as it was", INGEST, "or key in self._unscored", "", "tests/engine/test_ingest.py"),
    Bug("no limit on requests under way", UPSTREAM, "if self._busy >= self._limits.upstream_connections:", "if False:", "tests/gateway/test_upstream.py"),
    Bug("a body may take for ever", "plugin/sanfen/gateway/intake.py", "asyncio.timeout(limits.body_ms / 1000)", "asyncio.timeout(None)", "tests/gateway/test_app.py -k body_that_never_ends --timeout 20"),
    Bug("headers of one connection go on", RELAY, "elif lower not in dropped:\n                lines.append", "else:\n                lines.append", "tests/gateway/test_relay.py"),
    Bug("notices follow redirects", POSTING, "allow_redirects=False", "allow_redirects=True", "tests/notify/test_worker.py"),
    Bug("notices share their cookies", POSTING, "cookie_jar=aiohttp.DummyCookieJar()", "cookie_jar=aiohttp.CookieJar(unsafe=True)", "tests/notify/test_worker.py"),
    Bug("a signature compared as it comes", SIGNATURES, "hmac.compare_digest(wanted, entry)", "wanted == entry", "tests/adapters/test_signatures.py"),
    Bug("a replay of last year is authentic", SIGNATURES, "if abs(at_ms - now_ms) > scheme.window_s * 1000:", "if False:", "tests/adapters/test_signatures.py"),
    Bug("every day has 24 hours", "plugin/sanfen/core/days.py", "start, end = self._start(local), self._start(local + _DAY)", "start, end = self._start(local), self._start(local) + 24 * _HOUR", "tests/core/test_zones.py tests/core/test_days.py"),
    # --- told means told ---
    Bug("a robot's refusal counts as told", ROBOTS, "if code == 0 and 200 <= answer.status < 300:", "if 200 <= answer.status < 300:", f"{TOLD}/test_robots.py"),
    Bug("a login page counts as told", ROBOTS, "if not codes:\n            return None, said", "if not codes:\n            return 0, said", f"{TOLD}/test_robots.py"),
    Bug("a robot's token in what is said", ROBOTS, 'words = words.replace(secret, "***")', "pass", f"{TOLD}/test_robots.py"),
    Bug("a silent robot holds up the next way", ROBOTS, "_PATIENCE_S = 2.5", "_PATIENCE_S = 10", "tests/notify/test_ways.py -k silence_is"),
    Bug("the link of a long message is cut", ROBOTS, 'return fit(head, limit_bytes - len(end.encode("utf-8", "replace"))) + end', "return fit(head + end, limit_bytes)", f"{TOLD}/test_robots.py"),
    Bug("a plus in the signature is a space", DINGTALK, 'query = urlencode({"timestamp": stamp, "sign": base64.b64encode(mac).decode()})', 'query = f"timestamp={stamp}&sign={base64.b64encode(mac).decode()}"', f"{TOLD}/test_robots.py"),
    Bug("DingTalk's clock in seconds", DINGTALK, "time.time_ns() // 1_000_000)", "time.time_ns() // 1_000_000_000)", f"{TOLD}/test_robots.py"),
    Bug("the muted robot is asked again", DINGTALK, "retryable=True, pause_ms=_MUTED_MS", "retryable=True", f"{TOLD}/test_robots.py"),
    Bug("Feishu's key and message swapped", FEISHU, 'hmac.digest(f"{stamp}\\n{secret}".encode(), b"", "sha256")', 'hmac.digest(secret.encode(), f"{stamp}\\n{secret}".encode(), "sha256")', f"{TOLD}/test_robots.py"),
    Bug("any certificate will do", POSTING, "ssl=_tls()", "ssl=False", f"{TOLD}/test_robots.py"),
    Bug("what never left may have arrived", POSTING, "    if left:", "    if True:", f"{TOLD}/test_robots.py"),
    Bug("a gateway's 502 is a refusal", POSTING, "if answer.status in _GATEWAYS:", "if False:", f"{TOLD}/test_webhook.py"),
    Bug("a hanging program's children live on", COMMAND, "os.killpg(process.pid, signal.SIGKILL)", "os.kill(process.pid, signal.SIGKILL)", f"{TOLD}/test_command.py"),
    Bug("a program sees the secrets of others", COMMAND, "{name: os.environ[name] for name in _KEPT if name in os.environ}", "dict(os.environ)", f"{TOLD}/test_command.py"),
    Bug("Apprise sends to the four robots", APPRISE, "if _protocols(service) & _ROBOTS:", "if False:", f"{TOLD}/test_apprise.py"),
    Bug("Apprise may connect anywhere", "adapters/sanfen_adapters/threads.py", "if event in _WATCHED:", "if False:", f"{TOLD}/test_apprise.py"),
    Bug("a plugin's notifier blocks the loop", "plugin/sanfen/plugins.py", "Apart(kind) if kind in self._foreign else kind()", "kind()", "tests/test_apart.py"),
    Bug("a step is silent after an outage", "plugin/sanfen/engine/pending.py", "waited is None or effect.round.answerable or _is_answered(effect, waited)", "waited is None or effect.round.answerable", "tests/engine/test_corrections.py"),
    Bug("a conversation is given away a third time", WORKER, "if not await self._sendable([row], way):", "if False:", "tests/notify/test_worker.py"),
    Bug("who left the file is told nothing and nobody stands in", WORKER, 'gone = [(row, Transition("failed"', 'gone = [(row, Transition("inhibited"', "tests/notify/test_worker.py"),
    Bug("a lost record opens a second window", WORKER, "max(kept_ms or 0, self._last.get(person.name, 0)) or None", "kept_ms", "tests/notify/test_records.py"),
    Bug("what Apprise could not send counts as told", APPRISE, "    if result:", "    if result is not None:", f"{TOLD}/test_apprise.py"),
    Bug("the token of a way on record", "plugin/sanfen/notify/ways.py", "return notifier.shown(way.address) if notifier", "return way.address if notifier", "tests/notify/test_ways.py"),
    Bug("a token in the file passes unseen", "plugin/sanfen/config/sense.py", "if kind.secret_address:", "if False:", "tests/config/test_load.py"),
    Bug("nobody reached, and all is well", "plugin/sanfen/cli/notify.py", 'context.exit(0 if any(row["result"] == "told" for row in rows) else 1)', "context.exit(0)", "tests/cli/test_notify.py"),
)  # fmt: skip
