"""What the API's handlers stand on: the service, its log, its clock."""

from typing import NamedTuple, Protocol

from sanfen.abc import Notifier
from sanfen.board.acts import Acts, Serving
from sanfen.board.pages import Pages
from sanfen.board.screens.desk import Shown
from sanfen.clock import Clock
from sanfen.outbound import Guard
from sanfen.plugins import Plugins

__all__ = ["Api", "Asks"]


class Asks(Serving, Shown, Protocol):
    """What the API needs of the service."""

    @property
    def policy(self) -> str:
        """The policy rounds are judged by."""


class Api(NamedTuple):
    """Given to every handler."""

    service: Asks
    pages: Pages
    acts: Acts
    clock: Clock

    def notifiers(self) -> dict[str, Notifier]:
        """The ways to reach people, made anew: whoever sends by them closes them."""
        settings = self.service.loaded.settings
        return dict(Plugins(named=settings.plugins).notifiers(Guard(settings.outbound)))
