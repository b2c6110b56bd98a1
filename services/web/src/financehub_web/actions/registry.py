"""All actions by name, with the controls of the process."""

from collections.abc import Mapping

from financehub_web.actions.assets import AddAsset, RemoveAsset
from financehub_web.actions.audit import Audit
from financehub_web.actions.backfill import BackfillAction
from financehub_web.actions.base import Action
from financehub_web.actions.breakers import ChangeBreaker
from financehub_web.actions.controls import Controls
from financehub_web.actions.dead_letters import Purge, Requeue
from financehub_web.actions.form_keys import FormKeys
from financehub_web.actions.pauses import PauseSchedules, ResumeSchedules
from financehub_web.actions.runs import Fetch, Run, RunAgain
from financehub_web.actions.schedules import Trigger

ACTIONS = (
    Trigger,
    BackfillAction,
    PauseSchedules,
    ResumeSchedules,
    Run,
    RunAgain,
    Fetch,
    Requeue,
    Purge,
    ChangeBreaker,
    AddAsset,
    RemoveAsset,
)


class Actions:
    """The actions of one process.

    Args:
        controls: The connections with which they change the fleet.
    """

    def __init__(self, controls: Controls) -> None:
        self._controls = controls
        #: Whether the process runs in the mode `write`.
        self.are_enabled = controls.settings.web_mode == "write"
        self.by_name: Mapping[str, Action] = {each.name: each(controls) for each in ACTIONS}

    @property
    def audit(self) -> Audit:
        """The audit log."""
        return Audit(self._controls.queues, self._controls.audit_log)

    @property
    def form_keys(self) -> FormKeys:
        """The keys of the forms that were sent."""
        return FormKeys(self._controls.queues)
