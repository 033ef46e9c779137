"""A sample captioned again, to see how far captions of the same medium agree."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

import pandas as pd

from yoin import loop
from yoin.captions.base import Captioner
from yoin.captions.stage import caption, captioner_of, require_consent, unmade
from yoin.ledger import Ledger
from yoin.options import RepeatOptions
from yoin.values import REPEAT_COLUMNS, Captions, Media, Medium, Progress, silent


def repeat(
    captions: pd.DataFrame,
    items: Mapping[str, Medium],
    *,
    ledger: Ledger,
    options: RepeatOptions,
    progress: Progress = silent,
    make: Callable[[RepeatOptions], Captioner] = captioner_of,
) -> Captions:
    """Caption a sample of the media again, until there are ``options.repeat`` captions of each.

    The sample is drawn from the media with an ok caption, by a seeded order of their ids: a larger sample holds the
    smaller one, and neither other rows nor another order change who comes first.

    Args:
        captions: the first captions, with `yoin.values.CAPTION_COLUMNS`.
        items: the media by media_id.
        ledger: where captions are looked up, and committed the moment they arrive.
        options: as for the captions themselves, and how many of how many media.
        progress: called with the number of captions done and in all.
        make: what makes the captioner.

    Returns:
        ``frame`` has `yoin.values.REPEAT_COLUMNS`: a row a medium and repeat (from 1), under the first row with this
        medium; no rows where one caption of each is enough. Calls, tokens and cost as `yoin.captions.caption` counts
        them.

    Raises:
        ConsentError: the calls cost money and were not agreed to.
        YoinError: as `yoin.captions.caption`.
    """
    sample = _sample(captions, options)
    rounds = range(1, options.repeat) if len(sample) else range(0)
    media = Media(rows=sample.set_index("row_id")[["media_id", "reason"]], items=items)
    if options.ask and rounds:
        _require_consent_to_all([items[media_id] for media_id in sample["media_id"]], ledger, options, make)
        options = options.model_copy(update={"ask": False})

    made: list[Captions] = []
    for number in rounds:
        before = len(made) * len(sample)

        def tell(done: int, total: int, note: str, before: int = before) -> None:
            progress(before + done, len(rounds) * total, note)

        made.append(
            caption(media, ledger=ledger, options=options, progress=tell, captioner=make(options), repeat=number)
        )
    frames = [one.frame.assign(repeat=number) for number, one in zip(rounds, made, strict=True)]
    none = captions.iloc[:0].assign(repeat=pd.Series(dtype="int64"))
    return Captions(
        frame=pd.concat(frames or [none], ignore_index=True)[list(REPEAT_COLUMNS)],
        captioner=made[0].captioner if made else "",
        calls=sum(one.calls for one in made),
        tokens_in=sum(one.tokens_in for one in made),
        tokens_out=sum(one.tokens_out for one in made),
        cost_usd=sum(one.cost_usd for one in made),
    )


def _sample(captions: pd.DataFrame, options: RepeatOptions) -> pd.DataFrame:
    """The rows of the media to ask about again, in the table's order, one a medium."""
    distinct = captions[captions["status"] == "ok"].dropna(subset=["media_id"]).drop_duplicates("media_id")
    place = distinct["media_id"].map(lambda media_id: hashlib.sha256(f"{options.seed}:{media_id}".encode()).hexdigest())
    return distinct.loc[place.sort_values(kind="stable").index[: options.repeat_sample]].sort_values("row_id")


def _require_consent_to_all(
    media: list[Medium], ledger: Ledger, options: RepeatOptions, make: Callable[[RepeatOptions], Captioner]
) -> None:
    captioner = make(options)
    try:
        to_do = [
            medium
            for number in range(1, options.repeat)
            for medium in unmade(media, ledger=ledger, options=options, captioner=captioner, repeat=number)
        ]
        require_consent(to_do, captioner, options)
    finally:
        loop.run(captioner.aclose)
