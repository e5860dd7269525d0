"""Who may write: asks a channel's adapter for proof, and counts by which secret it was given."""

from collections.abc import Mapping
from typing import Any

import structlog
from aiohttp import web

from sanfen.abc import ChannelAdapter, Direction, Proof, Request, VerifyError
from sanfen.clock import Clock
from sanfen.config.settings import ChannelSettings, Secret
from sanfen.errors import Phrase
from sanfen.gateway.journaling import Journaling
from sanfen.gateway.problems import Refused, is_local
from sanfen.log import Throttle

__all__ = ["Verifier"]

_log = structlog.get_logger("sanfen.gateway")


class Verifier:
    """Asks an adapter whether a request is authentic, and says 401 where it is not."""

    def __init__(self, journaling: Journaling, channels: Mapping[str, ChannelSettings], clock: Clock) -> None:
        self._counters = journaling.counters
        self._secrets = {name: one.secrets for name, one in channels.items()}
        self._clock = clock
        self._throttle = Throttle()

    def check(
        self, request: web.BaseRequest, adapter: ChannelAdapter, wire: Request, direction: Direction, now_ms: int
    ) -> bytes | None:
        """By what a replay is known, if the adapter says so. Raises Refused; why, is told on this machine only."""
        try:
            proof = self._verified(adapter, wire, direction, now_ms)
            return None if proof is None else self._used(adapter.channel, proof, now_ms)
        except VerifyError as error:
            refusal = error
        except Exception as error:  # noqa: BLE001  # an adapter that fails proves nothing
            refusal = VerifyError(
                Phrase("the adapter failed: {name}", name=type(error).__name__), reason="adapter_failed"
            )
        self._counters.refuse(refusal.reason, adapter.channel)
        swallowed = self._throttle.take(adapter.channel + refusal.reason, now_ms)
        if swallowed is not None:
            _log.warning(
                "a delivery is not authentic", channel=adapter.channel, reason=refusal.reason, more_like_it=swallowed
            )
        told: dict[str, Any] = {"reason": refusal.reason, "detail": refusal.message} if is_local(request) else {}
        raise Refused(401, "not authentic", refusal.hint if told else "", **told)

    def _verified(self, adapter: ChannelAdapter, wire: Request, direction: Direction, now_ms: int) -> Proof | None:
        """By our time, or by the machine's while that was set and nobody knows which is right. Raises VerifyError."""
        try:
            return adapter.verify(wire, direction, now_ms)
        except VerifyError:
            off_ms = self._clock.off_ms()
            if not off_ms:
                raise
        return adapter.verify(wire, direction, now_ms + off_ms)

    def _used(self, channel: str, proof: Proof, now_ms: int) -> bytes | None:
        """Count the secret that signed. Raises VerifyError if its time is over."""
        secrets: tuple[Secret, ...] = self._secrets.get(channel, ())
        if proof.secret < len(secrets):
            secret = secrets[proof.secret]
            if secret.not_after_ms is not None and now_ms > secret.not_after_ms:
                raise VerifyError(
                    Phrase("the secret {name} is no longer taken", name=secret.name),
                    reason="retired",
                    hint="sign with the new one",
                )
            self._counters.secrets[channel, secret.name] += 1
        return proof.replay_key
