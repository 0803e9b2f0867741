"""What was learned of a camera's scene as a whole."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from streamproc.normality.crowding import CrowdingModel
from streamproc.normality.dwell import DwellModel
from streamproc.normality.view_reference import ViewReference


class LearnedScene(BaseModel):
    """Beside what moves: the view, how long things stay, how many people there are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    view: ViewReference | None
    """What the camera showed; None where there was too little footage, or of several views."""
    dwell: DwellModel
    crowding: CrowdingModel
