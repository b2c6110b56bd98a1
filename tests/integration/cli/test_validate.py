"""`financehub schedules validate`: files, folders and the standard input, without Redis and without a cluster."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.redis_server import free_port
from support.schedules import resource, write

COMMAND = Path(sys.executable).parent / "financehub"
THREE_MISTAKES = """\
apiVersion: financehub.io/v1alpha1
kind: ScheduledTask
metadata: {name: prices}
spec:
  task: fetch_crypto_prices_task
  shedule: "61 * * * *"
  timeZone: Europe/Berln
  retries: -1
"""


def validate(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command in another process, without a Redis."""
    environment = {"PATH": os.environ["PATH"], "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"}
    words = [str(COMMAND), "schedules", "validate", *map(str, arguments)]
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=180, **options)


def test_validate_of_a_valid_file_says_when_it_runs(tmp_path: Path) -> None:
    """The output has the recurrence in words and the next three due times in its zone, and the exit code is 0."""
    path = write(tmp_path, resource("a", schedule="30 6 1 1 *", timeZone="Asia/Tokyo", catchUp="All"))
    done = validate(path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == f"{path}:1: default/a is valid"
    assert lines[1] == "  runs demo_task at 06:30 on day 1 of the month in January, in Asia/Tokyo"
    assert lines[2].startswith("  next: 20")
    assert lines[2].count("-01-01 06:30") == 3
    assert lines[2].endswith("(Asia/Tokyo)")
    assert lines[3].startswith("  warning: spec.catchUp: All under concurrencyPolicy Forbid")
    assert lines[4] == "1 document, all valid"


def test_validate_from_a_time_shows_the_due_times_after_it(tmp_path: Path) -> None:
    """The early close of 24 December 2026 moves the due time, and the holiday after it has none."""
    path = write(tmp_path, resource("a", schedule="@close", calendar="XNYS", timeZone="America/New_York"))
    done = validate(path, "--from", "2026-12-23")
    assert "  next: 2026-12-23 16:00, 2026-12-24 13:00, 2026-12-28 16:00 (America/New_York)" in done.stdout
    refused = validate(path, "--from", "soon")
    assert (refused.returncode, "--from: " in refused.stderr) == (2, True)


def test_validate_of_a_file_with_several_mistakes_prints_each_with_its_line(tmp_path: Path) -> None:
    """All mistakes are printed at once, also those in a field with a misspelled name, and the exit code is 2."""
    path = tmp_path / "prices.yaml"
    path.write_text(f"{yaml.safe_dump(resource('good'))}---\n{THREE_MISTAKES}")
    first = path.read_text().splitlines().index("apiVersion: financehub.io/v1alpha1", 1)
    done = validate(path)
    assert (done.returncode, done.stderr) == (2, "")
    refused = [line for line in done.stdout.splitlines() if ": spec." in line]
    assert [int(line.split(":")[1]) - first for line in refused] == [6, 6, 7, 8]
    assert "spec.shedule: unknown field; write schedule" in refused[0]
    assert "minute 61 is not valid; use 0-59" in refused[1]
    assert "did you mean Europe/Berlin" in refused[2]
    assert "spec.retries: -1 is too small; write a number from 0 to 100" in refused[3]
    assert done.stdout.splitlines()[-1] == "1 of 2 documents refused"


def test_validate_with_json_has_the_same_facts(tmp_path: Path) -> None:
    """Scripts get each mistake with its line, field and problem."""
    path = tmp_path / "prices.yaml"
    path.write_text(THREE_MISTAKES)
    done = validate(path, "--format", "json")
    assert done.returncode == 2
    (found,) = json.loads(done.stdout)
    assert (found["file"], found["name"], found["valid"], found["next"]) == (str(path), "default/prices", False, [])
    assert [(each["line"], each["field"]) for each in found["mistakes"]] == [
        *((6, "spec.shedule"), (6, "spec.shedule"), (7, "spec.timeZone"), (8, "spec.retries")),
    ]


def test_validate_of_the_standard_input_and_of_a_pipe_reads_them(tmp_path: Path) -> None:
    """`-` is the standard input, and a pipe that the shell opens is read like a file."""
    text = yaml.safe_dump(resource("a"))
    assert validate("-", input=text).stdout.splitlines()[-1] == "1 document, all valid"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["/bin/sh", "-c", f"cat > {pipe}"], stdin=subprocess.PIPE, text=True) as writer:
        assert writer.stdin is not None
        writer.stdin.write(text)
        writer.stdin.close()
        assert validate(pipe).stdout.splitlines()[-1] == "1 document, all valid"


def test_validate_of_a_pipe_that_no_program_writes_is_refused_and_the_other_files_are_checked(tmp_path: Path) -> None:
    """A pipe that no program opens is not waited for without an end."""
    os.mkfifo(tmp_path / "pipe.yaml")
    path = write(tmp_path, resource("a"))
    done = validate(tmp_path / "pipe.yaml", path)
    assert done.returncode == 2
    assert f"{tmp_path}/pipe.yaml: it is a named pipe that no program writes; start that program first" in done.stdout
    assert f"{path}:1: default/a is valid" in done.stdout


def test_validate_of_a_folder_treats_its_entries_as_the_scheduler_does(tmp_path: Path) -> None:
    """Odd entries are refused and not waited for, other files are left out, and a name that occurs twice is refused."""
    write(tmp_path, resource("a"), file="1.yaml")
    write(tmp_path, resource("b"), resource("a"), file="2.yml")
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "notes.txt").write_text("not read")
    done = validate(tmp_path)
    assert done.returncode == 2
    assert f"{tmp_path}/pipe.yaml: it is a named pipe and not a file; replace it by a file" in done.stdout
    assert f"default/a is also in {tmp_path}/1.yaml:1, which takes precedence; rename one" in done.stdout
    assert done.stdout.splitlines()[-1] == "1 of 3 documents refused, 1 file cannot be read"


def test_validate_of_what_cannot_be_read_counts_no_documents(tmp_path: Path) -> None:
    """A symlink without a target, a folder and a pipe are not documents."""
    (tmp_path / "link.yaml").symlink_to("nowhere")
    (tmp_path / "folder.yaml").mkdir()
    os.mkfifo(tmp_path / "pipe.yaml")
    assert validate(tmp_path).stdout.splitlines()[-1] == "3 files cannot be read"
    write(tmp_path, resource("a"))
    assert validate(tmp_path).stdout.splitlines()[-1] == "1 document, all valid, 3 files cannot be read"


def test_validate_of_a_folder_warns_of_predecessors(tmp_path: Path) -> None:
    """A circle and a misspelled predecessor are valid in each document, and nothing would run."""
    write(tmp_path, resource("f1", after="f2"), resource("f2", after="f1"), resource("hourly"))
    write(tmp_path, resource("f3", after="hourli"), file="more.yaml")
    done = validate(tmp_path)
    assert done.returncode == 0
    assert "warning: after: f1 runs after f2 runs after f1, so none of them can start" in done.stdout
    assert "has the name 'hourli'; did you mean hourly?" in done.stdout


@pytest.mark.parametrize("content", ["", "# nothing\n", "---\n---\n"])
def test_validate_without_a_document_exits_with_2(tmp_path: Path, content: str) -> None:
    """A file in which nothing would run is probably the wrong file."""
    (tmp_path / "empty.yaml").write_text(content)
    for argument in (tmp_path, tmp_path / "empty.yaml"):
        done = validate(argument)
        assert done.returncode == 2
        assert "no document was found" in done.stderr


def test_validate_of_a_missing_file_names_it_and_checks_the_others(tmp_path: Path) -> None:
    """A file that cannot be read is one of the mistakes."""
    path = write(tmp_path, resource("a"))
    done = validate(tmp_path / "nowhere.yaml", path)
    assert done.returncode == 2
    assert f"{tmp_path}/nowhere.yaml: it cannot be read (No such file or directory); correct the name" in done.stdout
    assert f"{path}:1: default/a is valid" in done.stdout


def test_validate_of_hostile_text_prints_no_control_character(tmp_path: Path) -> None:
    """A file from somebody else cannot control the terminal."""
    path = tmp_path / "x.yaml"
    path.write_text('a: "\\e[2J\\u202e"\nkind: "\\e[2J"\n')
    done = validate(path)
    assert done.returncode == 2
    assert all(character.isprintable() or character == "\n" for character in done.stdout)
