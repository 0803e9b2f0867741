"""`inspect instructions`: conversations about pictures, for a model to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Annotated

import typer

from streamproc.commands.bars import bars
from streamproc.commands.inspecting_images import BackboneName, SidePx, Threads, inspection_parts
from streamproc.commands.output import JsonFlag, emit_json, say
from streamproc.commands.servers import checked
from streamproc.errors import ConfigError


def instructions(
    names: Annotated[
        list[str], typer.Argument(metavar="NAMES", help="Names of things, or a file that holds one a line.")
    ],
    images: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="Pictures whose folders and file names hold a phrase's words: bottle/cracked neck/7.png; beside them "
            "7.mask.png where it is known what is wrong, and LICENSE files.",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="JSON Lines in LLaVA's form; FILE.journal is kept beside.")],
    server: Annotated[
        str | None, typer.Option(metavar="URL", help="An OpenAI-compatible API: http://gpu1:8000/v1.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="A vision-language model, as the server lists it.")
    ] = None,
    api_key: Annotated[str | None, typer.Option(metavar="${NAME}", help="Where the key is; never the key.")] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Do not have the model clean: the folders were sorted by somebody.")
    ] = False,
    backbone: BackboneName = "dinov2-s",
    side_px: SidePx = None,
    threads: Threads = 1,
    json: JsonFlag = False,
) -> None:
    """Make instruction data: phrases for each thing, pictures that fit them, no duplicates, and conversations.

    With a server its model thinks of the phrases, leaves out pictures that do not show what they should, and answers
    the four questions; without, phrases are the usual adjectives, and answers say whether, what and where. The same
    call goes on where it was cut short.
    """
    from streamproc.config import ServerSettings
    from streamproc.inspection.instructions.build import Parts, build
    from streamproc.inspection.instructions.cleaning import AskedJudge, Trusting
    from streamproc.inspection.instructions.describing import AskedDescriber, Plain
    from streamproc.inspection.instructions.phrases import AskedPhrases, Templates
    from streamproc.inspection.instructions.search import Folder
    from streamproc.modelserver import ModelServer
    from streamproc.runtime.clock import SystemClock

    if (server is None) != (model is None):
        raise ConfigError("--server and --model come together")
    things, search = things_of(names), Folder(images)
    settings = None
    if server is not None:
        # 800: ten phrases of each kind.
        asked = {"base_url": server, "model": model, "api_key": api_key, "deadline_s": 60, "max_tokens": 800}
        settings = checked(ServerSettings, asked, {"base_url": "server"})
    encoder, _ = inspection_parts(backbone, side_px, threads, None)
    with ExitStack() as opened:
        if settings is None:
            parts = Parts(Templates(), search, encoder, Trusting(), Plain())
        else:
            client = opened.enter_context(closing(ModelServer(settings, SystemClock())))
            judge = Trusting() if trust else AskedJudge(client)
            parts = Parts(AskedPhrases(client), search, encoder, judge, AskedDescriber(client))
        tell = opened.enter_context(bars())
        built = build(things, images, parts, out, tell)
    if json:
        emit_json(built)
        return
    say(f"{out}: {built.conversations} conversations")
    for cause, count in built.left_out.items():
        say(f"left out, {cause}: {count}")
    if built.nothing_found:
        say(f"no pictures of: {', '.join(built.nothing_found)}")


def things_of(names: Sequence[str]) -> list[str]:
    """Each name once, in order; one that is a file stands for its lines, without what follows a #.

    Raises:
        ConfigError: nothing is named, or a file cannot be read.
    """
    things: list[str] = []
    for name in names:
        path = Path(name)
        if not path.is_file():
            things.append(name)
            continue
        try:
            things += [line.partition("#")[0] for line in path.read_text(encoding="utf-8").splitlines()]
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: cannot be read: {error}") from error
    named = list(dict.fromkeys(" ".join(thing.split()) for thing in things if thing.strip()))
    if not named:
        raise ConfigError("no thing is named")
    return named
