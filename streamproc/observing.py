"""The embedded models that observe, loaded once a process and shared by the cameras that it watches."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from streamproc.camera import Observer, UnitSettings
from streamproc.errors import ModelLoadError
from streamproc.models.store import ModelStore
from streamproc.runtime.cores import cores
from streamproc.runtime.turns import Turns

if TYPE_CHECKING:
    from streamproc.models.movenet import MoveNet
    from streamproc.models.nanodet import NanoDet
    from streamproc.normality.calibration import Calibration

log = structlog.get_logger(__name__)


class ObserverModels:
    """A detector and, where it could be had, a pose model. Any thread may use them."""

    def __init__(self, store: ModelStore) -> None:
        """Load them.

        Raises:
            ModelLoadError: the detector's file cannot be had or does not load.
        """
        from streamproc.models.nanodet import NanoDet
        from streamproc.models.threads import one_thread_each
        from streamproc.normality.observer import EmbeddedObserver

        self.detector: NanoDet = NanoDet(store.ensure("nanodet"))
        self.pose: MoveNet | None = _pose(store)
        """None where it could not be had: nobody is asked how they hold the body."""
        self._observer = EmbeddedObserver
        self.turns = Turns(cores())
        """Of the cameras that are looked at with them."""
        one_thread_each()  # now that all is loaded that brings threads of its own

    def observer(self, calibration: Callable[[], Calibration | None], settings: UnitSettings) -> Observer:
        """A camera's observer, which measures by what ``calibration`` returns at the moment.

        Raises:
            ConfigError: the calibration does not fit the pipeline.
        """
        from streamproc.normality.following import FollowingObserver

        observer = self._observer(settings.normality, calibration(), self.detector, pose=self.pose)
        return FollowingObserver(observer, calibration, self.turns)


def _pose(store: ModelStore) -> MoveNet | None:
    """The pose model; a site without a network and without it watches all the same."""
    from streamproc.models.movenet import MoveNet

    try:
        return MoveNet(store.ensure("movenet"))
    except ModelLoadError as error:
        log.warning("pose_model_missing", reason=str(error), consequence="who lies or crouches is not told as such")
        return None
