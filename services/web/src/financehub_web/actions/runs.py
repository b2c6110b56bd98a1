"""Actions that start a run of a task: with arguments, again with those of a dead run, or for one asset."""

import json
from typing import Annotated, Any, Self

from pydantic import ConfigDict, model_validator
from pydantic import Field as Value

from financehub_shared.core.argument_text import ArgumentField, argument_fields, parse_fields
from financehub_shared.core.catalog import CATALOG, TaskSpec
from financehub_shared.core.errors import ConfigError
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.near_names import require_known, require_symbol
from financehub_shared.core.text import dump_json
from financehub_shared.monitor import ACTIVE
from financehub_shared.operations.runs import find_run, run_again, start_run, why_not_again
from financehub_web.actions.base import Action, ActionRefusedError, Field, Form, Outcome, Preview

#: What precedes the name of an argument in a form.
_PREFIX = "argument-"
#: Symbols that a user may enter, by the type of the assets of the task.
_EXAMPLES = {AssetType.CRYPTO: "BTC-USD, ETH-USD", AssetType.STOCK: "AAPL, VOD.L", None: "AAPL, BTC-USD"}


class RunForm(Form):
    """Names a task and its arguments: each as `argument-NAME`, or all as JSON.

    Args:
        task: Name of a task of the catalog.
        arguments: A JSON object. Empty for none.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, Annotated[str, Value(max_length=20_000)]]

    task: str = Value(min_length=1, max_length=200)
    arguments: str = Value("", max_length=20_000)

    @property
    def texts(self) -> dict[str, str]:
        """Name of an argument → the text that the user entered."""
        return {name.removeprefix(_PREFIX): text for name, text in self.__pydantic_extra__.items()}

    @model_validator(mode="after")
    def _other_values_are_arguments(self) -> Self:
        for name in self.__pydantic_extra__:
            if not name.startswith(_PREFIX):
                raise ValueError(f"the value {name[:60]!r} is unknown")
        return self


class RunIdForm(Form):
    """Names an earlier run.

    Args:
        run: Its id.
    """

    run: str = Value(min_length=1, max_length=200)


class FetchForm(Form):
    """Names an asset.

    Args:
        symbol: Its symbol.
    """

    symbol: str = Value(min_length=1, max_length=60)


class Run(Action):
    """Runs a task."""

    name, title, section, form = "run", "Run a task", "tasks", RunForm

    def preview(self, form: RunForm) -> Preview:
        require_known("task", form.task, CATALOG)
        spec = CATALOG[form.task]
        known = argument_fields(form.task)
        if form.arguments:
            hint = f"a JSON object; possible arguments: {', '.join(each.name for each in known) or 'none'}"
            fields = [Field("arguments", "Arguments", form.arguments, "textarea", hint=hint)]
        else:
            fields = [_field(each, form.texts.get(each.name), spec) for each in known]
        facts = [("Task", spec.summary), ("Queue", str(spec.queue))]
        if not known:
            facts.append(("Arguments", "none"))
        return Preview(f"Run {form.task} now?", "Run it", facts=facts, fields=fields, hidden={"task": form.task})

    def execute(self, form: RunForm) -> Outcome:
        controls = self._controls
        require_known("task", form.task, CATALOG)
        arguments = _read_arguments(form.arguments) | parse_fields(form.task, form.texts)
        message = start_run(
            controls.broker, controls.monitor, controls.store, form.task, arguments, processes=controls.processes()
        )
        return Outcome(f"Started the run {message.message_id} of {form.task}.", "run", {"id": message.message_id})


class RunAgain(Action):
    """Starts a run with the task, the queue and the arguments of an earlier one."""

    name, title, section, form = "run-again", "Run again", "runs", RunIdForm

    def preview(self, form: RunIdForm) -> Preview:
        run = find_run(self._controls.monitor, form.run)
        if (problem := why_not_again(run)) or run.arguments is None:
            raise ActionRefusedError(problem)
        arguments = run.arguments
        facts = [("Run", run.message_id), ("State", run.state.value), ("Queue", run.queue)]
        if arguments.args:
            facts.append(("Positional arguments", dump_json(arguments.args)))
        facts.append(("Arguments", dump_json(arguments.kwargs) if arguments.kwargs else "none"))
        notes = ["The new run belongs to no schedule, so limits of a schedule do not apply."] if run.schedule else []
        if run.state in ACTIVE:
            notes.insert(0, "The run has not ended yet, so both may run at the same time.")
        return Preview(
            f"Run {run.task} again with the same arguments?",
            "Run it again",
            facts=facts,
            hidden={"run": run.message_id},
            warning=" ".join(notes),
            page="run",
            parameters={"id": run.message_id},
        )

    def execute(self, form: RunIdForm) -> Outcome:
        controls = self._controls
        message = run_again(controls.broker, controls.monitor, controls.store, form.run, processes=controls.processes())
        text = f"Started the run {message.message_id} of {message.actor_name} with the arguments of {form.run}."
        return Outcome(text, "run", {"id": message.message_id})


class Fetch(Action):
    """Fetches the price of one asset now."""

    name, title, section, form = "fetch", "Fetch a price now", "quotes", FetchForm

    def preview(self, form: FetchForm) -> Preview:
        symbol, task = self._task_of(form.symbol)
        return Preview(
            f"Fetch the price of {symbol} now?",
            "Fetch it",
            facts=[("Task", task)],
            hidden={"symbol": symbol},
            page="quote",
            parameters={"symbol": symbol},
        )

    def execute(self, form: FetchForm) -> Outcome:
        controls = self._controls
        symbol, task = self._task_of(form.symbol)
        message = start_run(
            controls.broker,
            controls.monitor,
            controls.store,
            task,
            {"symbols": [symbol]},
            processes=controls.processes(),
        )
        return Outcome(f"Started the run {message.message_id} for {symbol}.", "run", {"id": message.message_id})

    def _task_of(self, symbol: str) -> tuple[str, str]:
        """Return the symbol and the price task of an asset.

        Raises:
            ActionRefusedError: The asset is not active.
            UnknownNameError: The symbol is unknown.
        """
        assets = {asset.symbol: asset for asset in self._controls.store.assets(active_only=False)}
        asset = assets[require_symbol(symbol, assets)]
        if not asset.active:
            raise ActionRefusedError(f"{asset.symbol} is not active, so its prices are not fetched.")
        return asset.symbol, next(spec.name for spec in CATALOG.values() if spec.asset_type is asset.type)


def _field(argument: ArgumentField, text: str | None, spec: TaskSpec) -> Field:
    """Return the field of an argument, with the text that the user entered before."""
    name, value = f"{_PREFIX}{argument.name}", argument.default if text is None else text
    if argument.choices:
        return Field(name, argument.name, value, "choice", argument.choices)
    examples = f"such as {_EXAMPLES[spec.asset_type]}; " if argument.name == "symbols" else ""
    hint = f"{examples}separated by commas; empty for all" if argument.is_list else ""
    return Field(name, argument.name, value, hint=hint)


def _read_arguments(text: str) -> dict[str, Any]:
    try:
        arguments = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"Arguments: not valid JSON ({error})") from None
    if not isinstance(arguments, dict):
        raise ConfigError('Arguments: write a JSON object such as {"symbols": ["BTC-USD"]}')
    return arguments
