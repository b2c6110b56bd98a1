"""Groups of commands. Each command is imported when it runs, and every error becomes one line and an exit code."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import typer
import typer.core
import typer.main
from typer.core import TyperCommand, TyperGroup

from financehub_cli.conversion import use_plain_conversion
from financehub_cli.exit_codes import ExitCode, end_by_broken_pipe, print_error, print_lines, print_message
from financehub_cli.help_text import write_help
from financehub_cli.usage_errors import describe_usage_error
from financehub_shared.core.errors import ConfigError, InvalidArgumentsError


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """A command or a group of the root group.

    Args:
        name: The word that the user types.
        section: The section of the list of commands in `financehub --help`.
        summary: The first sentence of the help of the command, which the list shows without importing it.
        load: Imports and returns the function of the command, or the application of the group.
    """

    name: str
    section: str
    summary: str
    load: Callable[[], Any]


#: What a completion returns to the shell. Typer has the class, but does not export it.
_Candidate: Any = vars(typer.core)["CompletionItem"]


#: Largest length of a wrong value that a message repeats. A longer one is a text, such as a reason.
_QUOTED = 60


class HelpCommand(TyperCommand):
    """A command whose help shows paragraphs and examples as they are written."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, which include the option for the help."""
        return use_plain_conversion(super().get_params(ctx))

    def format_help_text(self, _ctx: Any, formatter: Any) -> None:
        """Write the text of the help."""
        write_help(self.help or "", formatter)

    def invoke(self, ctx: Any) -> Any:
        """Run the command. An error in the value of an option names the option as the user writes it."""
        try:
            return super().invoke(ctx)
        except InvalidArgumentsError as error:
            options = {each.name: max(each.opts, key=len) for each in self.params if each.param_type_name == "option"}
            if error.field not in options:
                raise
            value = ctx.params.get(error.field)
            quoted = f" {value!r}" if value and len(str(value)) <= _QUOTED else ""
            raise ConfigError(f"{options[error.field]}{quoted}: {error.problem}") from error.__cause__


class HelpGroup(TyperGroup):
    """A group of commands whose help shows paragraphs and examples as they are written."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, which include the option for the help."""
        return use_plain_conversion(super().get_params(ctx))

    def format_help_text(self, _ctx: Any, formatter: Any) -> None:
        """Write the text of the help."""
        write_help(self.help or "", formatter)


class CommandTable(Mapping[str, Any]):
    """The commands of the root group, by name. Access to a command imports it.

    Args:
        entries: The commands in the order in which the help lists them.
    """

    def __init__(self, entries: Sequence[CommandEntry]) -> None:
        self.entries = {entry.name: entry for entry in entries}
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = _build(self.entries[name])
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)


class RootGroup(HelpGroup):
    """The root group. It converts every command's errors to a message and an exit code."""

    #: The commands. The application sets them.
    entries: Sequence[CommandEntry] = ()

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands: Any = CommandTable(self.entries)

    def format_commands(self, _ctx: Any, formatter: Any) -> None:
        """Write the list of commands in their sections."""
        for section in dict.fromkeys(entry.section for entry in self.entries):
            with formatter.section(section):
                formatter.write_dl([(each.name, each.summary) for each in self.entries if each.section == section])

    def shell_complete(self, _ctx: Any, incomplete: str) -> list[Any]:
        """Return the commands and options that begin with an incomplete word, without importing the commands."""
        names = [entry for entry in self.entries if entry.name.startswith(incomplete)]
        options = [option for parameter in self.params for option in parameter.opts]
        return [
            *(_Candidate(entry.name, help=entry.summary) for entry in names),
            *(_Candidate(option) for option in options if incomplete and option.startswith(incomplete)),
        ]

    def main(self, *arguments: Any, standalone_mode: bool = True, **options: Any) -> Any:
        """Run a command line. Errors in it become one line that says what to write."""
        options["standalone_mode"] = False
        try:
            code = super().main(*arguments, **options)
        except typer.Abort:
            print_message("canceled; nothing was changed")
            code = ExitCode.FAILED
        except typer.TyperException as error:
            if not standalone_mode:
                raise
            if type(error).__name__ == "NoArgsIsHelpError":
                print_lines(error.message)
            else:
                print_message(describe_usage_error(error))
            code = error.exit_code
        except SystemExit as error:
            if isinstance(error.__context__, BrokenPipeError):  # typer wrote a help text
                end_by_broken_pipe()
            raise
        except Exception as error:
            code = print_error(error)
            if code is None:
                raise
        if standalone_mode:
            raise SystemExit(code or 0)
        return code


def _build(entry: CommandEntry) -> Any:
    loaded = entry.load()
    if isinstance(loaded, typer.Typer):
        command: Any = typer.main.get_group(loaded)
        command.name = entry.name
        return command
    single = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    single.command(entry.name, cls=HelpCommand)(loaded)
    return typer.main.get_command(single)


class Commands(typer.Typer):
    """A group of commands such as `financehub assets`.

    Args:
        description: The help text. Its first sentence is shown in the list of all commands.
    """

    def __init__(self, description: str) -> None:
        super().__init__(no_args_is_help=True, rich_markup_mode=None, help=description, cls=HelpGroup)

    def command(self, name: str | None = None, **options: Any) -> Callable[[Any], Any]:
        """Return a decorator that registers a function as a command."""
        return super().command(name, **({"cls": HelpCommand} | options))


def new_group(description: str) -> typer.Typer:
    """Create a group of commands such as `financehub assets`.

    Args:
        description: The help text. Its first sentence is shown in the list of all commands.
    """
    return Commands(description)
