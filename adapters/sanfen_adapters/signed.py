"""What channels with secrets have in common."""

from collections.abc import Mapping, Sequence
from typing import Any

from sanfen.abc import ChannelAdapter
from sanfen_adapters.signatures import keys

__all__ = ["SignedChannel"]


class SignedChannel(ChannelAdapter):
    """A channel whose secrets are keys. ``signing: none`` among the options: the operator wants no proof."""

    def __init__(self, shop: str, channel: str, secrets: Sequence[str], options: Mapping[str, Any]) -> None:
        """Raises ConfigError if a secret cannot be a key."""
        super().__init__(shop, channel, secrets, options)
        self._keys = keys(self.secrets, channel)
        self._signed = options.get("signing", "required") != "none"
