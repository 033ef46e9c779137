"""What captioning a table would take, before anything is spent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from yoin import loop, registry
from yoin.checks import check_attributes, check_installed, require_table
from yoin.errors import UsageError
from yoin.options import CaptionOptions, Spec
from yoin.pipeline import resolve
from yoin.study import Study
from yoin.values import Medium

if TYPE_CHECKING:
    from yoin.captions import Captioner

_SIDE = 1024  # pixels, of an image that was not fetched yet
_UNKNOWN = Medium(media_id="", path=Path(), mime="", width=_SIDE, height=_SIDE, bytes=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Calls, tokens and US dollars for a table's images that have no caption yet, at most.

    Each is captioned once, those of a sample that is captioned again as often as asked for. ``made`` captions are in
    the ledger already. ``measured`` of the calls are for images that have been fetched, so that their size is known;
    the others are taken to have 1024 pixels a side. ``batch_usd`` is the price through the provider's batch interface.
    ``seconds`` is how long a stated quota of requests makes it last at least, None without one. Where ``priced`` is
    false no price is known.
    """

    captioner: str
    model: str
    calls: int
    made: int
    measured: int
    tokens_in: int
    tokens_out: int
    cost_usd: float
    batch_usd: float
    priced: bool
    seconds: float | None


def estimate(table: str | Path, *, out: str | Path | None = None, **given: Any) -> Forecast:
    """Read the table, and work out what its captions would take; no call is made, and no key is needed.

    Args:
        table: as for `yoin.run`.
        out: the study folder, for the images and captions that it holds already.
        given: options of `yoin.run`.

    Raises:
        UsageError: wrong input or options, or a captioner that cannot be.
        NothingLeftError: fewer than 30 usable rows.
    """
    from yoin import table as tables
    from yoin.captions import attributes, money, prompts

    path = Path(table).resolve()
    options = resolve(table=path, **given)
    require_table(path)
    check_installed(options)
    check_attributes(options)
    if options.image is None:
        raise UsageError("there is nothing to caption", stage="options", remedy="name the column of images: --image")
    cells = tables.read(options.for_table()).rows["image"].dropna()
    folder = Path(out) if out is not None else Path(f"{path.stem}.yoin")
    spec, chosen = Spec.parse(options.captioner), options.for_captions()
    captioner = _introduced(spec, chosen)
    known = _known(folder)[: cells.nunique()]
    left = _left(folder, known, chosen, captioner)
    made = len(known) - len(left)
    unknown = [_UNKNOWN] * (cells.nunique() - len(known))
    again = [*known, *unknown][: options.repeat_sample] * (options.repeat - 1)
    media = [*left, *unknown, *again]
    prompt = prompts.load(options.prompt, options.lang) if captioner.prompt_id else None
    found = money.estimate(
        media,
        f"{prompt.system}\n{attributes.with_form(prompt.user, attributes.asked(chosen))}" if prompt else "",
        captioner.provider,
        captioner.model_version,
        media_resolution=options.media_resolution,
    )
    free = not captioner.provider
    return Forecast(
        captioner=captioner.name,
        model=captioner.model_version,
        calls=found.calls,
        made=made,
        measured=sum(medium is not _UNKNOWN for medium in media),
        tokens_in=0 if free else found.tokens_in,
        tokens_out=0 if free else found.tokens_out,
        cost_usd=found.cost_usd,
        batch_usd=found.batch_usd,
        priced=found.priced and not (free and spec.base_url.startswith("https:")),
        seconds=None if options.rpm is None else 60 * found.calls / options.rpm,
    )


def _introduced(spec: Spec, options: CaptionOptions) -> Captioner:
    """The captioner, which says what it is; one that can do so without its key is made without."""
    kind = registry.load("captioners", spec.name)
    if hasattr(kind, "unconnected"):
        unconnected: Captioner = kind.unconnected(spec, options)
        return unconnected
    captioner: Captioner = kind(spec, options)
    loop.run(captioner.aclose)
    return captioner


def _known(folder: Path) -> list[Medium]:
    """The media that the study has."""
    return list(Study(folder).media().values()) if (folder / "media.parquet").exists() else []


def _left(folder: Path, media: list[Medium], options: CaptionOptions, captioner: Captioner) -> list[Medium]:
    """Those that have no caption yet."""
    from yoin.captions import unmade

    if not (folder / "ledger.db").exists():
        return media
    with Study(folder).ledger() as ledger:
        return unmade(media, ledger=ledger, options=options, captioner=captioner)
