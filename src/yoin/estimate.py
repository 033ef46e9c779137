"""What captioning a table would take, before anything is spent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yoin import loop, registry
from yoin.errors import UsageError
from yoin.options import Spec
from yoin.pipeline import check_installed, require_table, resolve
from yoin.study import Study
from yoin.values import Medium

_SIDE = 1024  # pixels, of an image that was not fetched yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Calls, tokens and US dollars for a table's images, each captioned once, at most: the ledger's cost nothing.

    ``measured`` of the images have been fetched, so that their size is known; the others are taken to have 1024 pixels
    a side. ``batch_usd`` is the price through the provider's batch interface. ``seconds`` is how long a stated quota of
    requests makes it last at least, None without one. Where ``priced`` is false no price is known.
    """

    captioner: str
    model: str
    calls: int
    measured: int
    tokens_in: int
    tokens_out: int
    cost_usd: float
    batch_usd: float
    priced: bool
    seconds: float | None


def estimate(table: str | Path, *, out: str | Path | None = None, **given: Any) -> Forecast:
    """Read the table, and work out what its captions would take; no call is made.

    Args:
        table: as for `yoin.run`.
        out: the study folder, for the images that it holds already.
        given: options of `yoin.run`.

    Raises:
        UsageError: wrong input or options, or the captioner cannot work at all (a key is missing).
        NothingLeftError: fewer than 30 usable rows.
    """
    from yoin import table as tables
    from yoin.captions import money, prompts

    path = Path(table).resolve()
    options = resolve(table=path, **given)
    require_table(path)
    check_installed(options)
    if options.image is None:
        raise UsageError("there is nothing to caption", stage="options", remedy="name the column of images: --image")
    cells = tables.read(options.for_table()).rows["image"].dropna()
    media = _media(cells.nunique(), Path(out) if out is not None else Path(f"{path.stem}.yoin"))
    spec, chosen = Spec.parse(options.captioner), options.for_captions()
    captioner = registry.load("captioners", spec.name)(spec, chosen)
    loop.run(captioner.aclose)
    prompt = prompts.load(options.prompt, options.lang) if captioner.prompt_id else None
    found = money.estimate(
        [medium for medium, _ in media],
        f"{prompt.system}\n{prompt.user}" if prompt else "",
        captioner.provider,
        captioner.model_version,
        media_resolution=options.media_resolution,
    )
    free = not captioner.provider
    return Forecast(
        captioner=captioner.name,
        model=captioner.model_version,
        calls=found.calls,
        measured=sum(known for _, known in media),
        tokens_in=0 if free else found.tokens_in,
        tokens_out=0 if free else found.tokens_out,
        cost_usd=found.cost_usd,
        batch_usd=found.batch_usd,
        priced=found.priced and not (free and spec.base_url.startswith("https:")),
        seconds=None if options.rpm is None else 60 * found.calls / options.rpm,
    )


def _media(count: int, folder: Path) -> list[tuple[Medium, bool]]:
    """The media to caption, and whether each is known: those of the study, and unknown ones for the rest."""
    known: list[Medium] = []
    if (folder / "media.parquet").exists():
        known = list(Study(folder).media().values())[:count]
    unknown = Medium(media_id="", path=Path(), mime="", width=_SIDE, height=_SIDE, bytes=0)
    return [(medium, True) for medium in known] + [(unknown, False)] * (count - len(known))
