"""`financehub version`: the releases of the command line, of the fleet and of Redis."""

from financehub_cli.listing import tables
from financehub_cli.options import AsJson
from financehub_cli.output.result import CommandResult, print_result
from financehub_cli.output.table import build_details, build_table
from financehub_cli.output.terminal import Content
from financehub_cli.session import Session
from financehub_shared.core.clock import SystemClock
from financehub_shared.health.processes import ProcessRegistry
from financehub_shared.redis.server_facts import TITLES, ServerFacts, read_facts
from financehub_shared.views.versions import VersionsView, versions_view


@tables
def version(as_json: AsJson = False) -> None:
    """Show the releases of the command line, of the live processes, and of the Redis servers.

    A note says if the releases differ, as they do during an upgrade. `financehub --version` prints only the release of
    the command line, without asking Redis.

    JSON: {cli, fleet, mixed, redis, processes}. fleet is the list of the releases of all processes, mixed is whether
    they and the command line have different releases, redis is a list of {server, name, version}, and processes is a
    list of {tier, host, pid, version}.

    Examples:
    - `financehub version`
    - `financehub version --json | jq '.fleet'`
    """
    session = Session()
    view = versions_view(ProcessRegistry(session.broker_client).live(), _read_servers(session))
    notes = [] if view["processes"] else ["no process has a heartbeat; start the scheduler and the workers"]
    if view["mixed"]:
        releases = ", ".join(dict.fromkeys([view["cli"], *view["fleet"]]))
        notes.append(f"the command line and the processes have different releases: {releases}")
    print_result(CommandResult(view, _page(view), notes), as_json=as_json)


def _read_servers(session: Session) -> list[ServerFacts]:
    clock = SystemClock()
    clients = {"queues": session.broker_client}
    if session.reader_settings.store_url != session.reader_settings.broker_url:
        clients["data"] = session.store_client
    return [read_facts(server, client, clock, write=False) for server, client in clients.items()]


def _page(view: VersionsView) -> Content:
    """Return the page for people."""
    rows = [("command line", view["cli"])]
    rows += [
        (TITLES.get(each["server"], each["server"]), f"{each['name']} {each['version']}") for each in view["redis"]
    ]
    processes = [[each["tier"], each["host"], each["pid"], each["version"]] for each in view["processes"]]
    return [build_details(rows), "", build_table("tier", "+host", "->pid", "!version", rows=processes)]
