"""The stage: every distinct medium captioned once, each caption committed as it arrives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import pandas as pd

from yoin import loop, registry
from yoin.amounts import dollars
from yoin.captions import attributes, money
from yoin.captions.base import Captioner, call_key
from yoin.captions.batch import Batches, pending
from yoin.captions.calls import Calls, Progressed
from yoin.captions.structured import Structured, columns
from yoin.errors import ConsentError, UsageError
from yoin.ledger import Ledger
from yoin.options import CaptionOptions, Spec
from yoin.values import CAPTION_COLUMNS, Caption, Captions, Media, Medium, Progress, silent


def caption(
    media: Media,
    *,
    ledger: Ledger,
    options: CaptionOptions,
    progress: Progress = silent,
    captioner: Captioner | None = None,
    repeat: int = 0,
    also: Sequence[Medium] = (),
) -> Captions:
    """Caption every distinct medium that the ledger holds no good caption of.

    Works in a plain script and inside a running event loop. What goes wrong with one medium is its caption's
    status and reason.

    Args:
        media: what the media stage found; rows without a medium come back as ``missing`` with its reason.
        ledger: where captions are looked up, and committed the moment they arrive.
        options: which captioner, how many calls at a time, its quotas, and how much they may cost.
        progress: called with the number of distinct media done and in all, and what is worth knowing of the calls.
        captioner: used in place of the one named in ``options``; it is closed before this returns.
        repeat: 0 for a medium's caption, 1 and up for further ones of it.
        also: media of calls that follow these; where consent is asked for, it is for them too.

    Returns:
        A row a row of ``media``, in its order; ``calls`` counts the calls made now, tokens are what all these captions
        took whenever they were made, and the cost is that of every call for them, of those too that came to nothing.
        Where attributes were asked for, captions are sentences made of the answers, which the ledger holds as the
        model gave them.

    Raises:
        UsageError: there is no such captioner, it cannot work at all, or the cost is limited and no price is known;
            or attributes were asked for that are not there, or of a captioner that cannot fill them in.
        YoinError: the stage stopped before its end: a quota or the limit of the cost is reached, or nothing succeeds.
            What has arrived is in the ledger, and the next run goes on from there.
        MissingExtraError: it needs a package that is not installed.
        StudyError: the ledger cannot be written.
    """
    spec = Spec.parse(options.captioner)
    schema = attributes.asked(options)
    if captioner is None:
        captioner = captioner_of(options)
    elif schema is not None:
        captioner = _filling_in(captioner, schema)
    wanted = list(dict.fromkeys(media.rows["media_id"].dropna()))
    keys = {media_id: _key(media.items[media_id], captioner, spec, options, repeat) for media_id in wanted}
    known = _known(keys.values(), ledger, schema)
    captions = {media_id: known[key] for media_id, key in keys.items() if key in known}
    new: list[Caption] = []

    def keep(key: str, media_id: str, prompt_id: str, made: Caption) -> None:
        ours = keys.get(media_id) == key  # a batch may hold what another table or prompt asked for
        made = _storable(schema.checked(made) if schema and ours else made)
        ledger.put_caption(key, media_id, name, prompt_id, made)
        if ours:
            captions[media_id] = made
            new.append(made)

    name, prompt_id = captioner.name, captioner.prompt_id
    batches = Batches(captioner, options, ledger, keep=keep)
    under_way: set[str] = set()
    if batches.open():
        under_way = _collected(batches, captioner, keys)
        captioner = captioner_of(options)  # the other one's connections belong to a loop that is over
        batches = Batches(captioner, options, ledger, keep=keep)
    to_do = [
        media.items[media_id]
        for media_id in wanted
        if _is_to_do(captions.get(media_id)) and keys[media_id] not in under_way
    ]
    if to_do:
        try:
            require_consent([*to_do, *also], captioner, options)
        except ConsentError:
            loop.run(captioner.aclose)
            raise
    good = sum(one.status == "ok" for one in captions.values())
    if options.batch and to_do:
        left_out = _sent(batches, captioner, to_do, keys)
        raise pending(batches.open(), good, left_out)
    captioned = len(wanted) - len(to_do) - len(under_way)
    progress(captioned, len(wanted), "")

    def keep_call(medium: Medium, made: Caption) -> None:
        keep(keys[medium.media_id], medium.media_id, prompt_id, made)

    def send_calls(medium: Medium, count: int, cost_usd: float) -> None:
        ledger.send_calls(keys[medium.media_id], name, count, cost_usd)

    def lose_calls(medium: Medium, count: int, cost_usd: float) -> None:
        ledger.lose_calls(keys[medium.media_id], name, count, cost_usd)

    def tell(state: Progressed) -> None:
        progress(captioned + state.done, len(wanted), state.note)

    calls = Calls(
        captioner, options, to_do, captioned=good, ledger=ledger, keep=keep_call, send=send_calls, lose=lose_calls,
        tell=tell,
    )  # fmt: skip
    loop.run(calls.run)
    if under_way:
        raise pending(batches.open(), sum(one.status == "ok" for one in captions.values()), 0)
    told = captions if schema is None else {media_id: schema.told(one) for media_id, one in captions.items()}
    return Captions(
        frame=_frame(media.rows, told, captioner),
        captioner=captioner.name,
        attributes=None if schema is None else columns(media.rows, captions, schema),
        calls=sum(one.attempts for one in new),
        tokens_in=sum(one.tokens_in for one in captions.values()),
        tokens_out=sum(one.tokens_out for one in captions.values()),
        cost_usd=sum(one.cost_usd for one in captions.values()) + ledger.spent_besides(keys.values()),
    )


def _collected(batches: Batches, captioner: Captioner, keys: Mapping[str, str]) -> set[str]:
    """Keep what has come of earlier batches; returns which of ``keys`` are still under way."""

    async def collect() -> None:
        try:
            await batches.collect()
        finally:
            await captioner.aclose()

    loop.run(collect)
    return {key for job in batches.open() for key in job.calls} & set(keys.values())


def _sent(batches: Batches, captioner: Captioner, to_do: Sequence[Medium], keys: Mapping[str, str]) -> int:
    """Send what is to do as batches; returns how many media the limit of the cost left out."""

    async def send() -> int:
        try:
            return await batches.send(to_do, keys)
        finally:
            await captioner.aclose()

    return loop.run(send)


def captioner_of(options: CaptionOptions) -> Captioner:
    """The captioner that ``options`` name, made ready.

    Raises:
        UsageError: there is none of this name, or it cannot work at all.
        MissingExtraError: it needs a package that is not installed.
    """
    spec = Spec.parse(options.captioner)
    made: Captioner = registry.load("captioners", spec.name)(spec, options)
    schema = attributes.asked(options)
    return made if schema is None else _filling_in(made, schema)


def unmade(
    media: Sequence[Medium], *, ledger: Ledger, options: CaptionOptions, captioner: Captioner, repeat: int = 0
) -> list[Medium]:
    """Those of ``media`` that ``captioner`` would be asked for: the ledger has no caption of them, or a failed one."""
    spec = Spec.parse(options.captioner)
    keys = {medium.media_id: _key(medium, captioner, spec, options, repeat) for medium in media}
    known = _known(keys.values(), ledger, attributes.asked(options))
    return [one for one in media if _is_to_do(known.get(keys[one.media_id]))]


def require_consent(to_do: Sequence[Medium], captioner: Captioner, options: CaptionOptions) -> None:
    """See that calls which cost money were agreed to.

    Raises:
        ConsentError: they were not; it says what they would take.
    """
    costs = captioner.provider or Spec.parse(options.captioner).base_url.startswith("https:")
    if options.ask and to_do and costs:
        raise ConsentError(_what_it_takes(to_do, captioner, options), stage="captions", remedy="agree with --yes")


def given(captions: pd.Series) -> Captions:
    """Captions that are there already, as a column indexed by row_id; blank ones are ``missing`` (no_caption)."""
    records = []
    for row_id, value in captions.items():
        text = "" if pd.isna(value) else str(value)
        blank = not text.strip()
        outcome = ("", "missing", "no_caption") if blank else (text, "ok", "")
        records.append((row_id, None, *outcome, "given", "", ""))
    frame = typed(records)
    return Captions(frame=frame, captioner="given")


def _what_it_takes(to_do: Sequence[Medium], captioner: Captioner, options: CaptionOptions) -> str:
    who = f"{len(to_do):,} captions by {captioner.name} ({captioner.model_version})"
    expected = money.estimate(
        to_do, "", captioner.provider, captioner.model_version, media_resolution=options.media_resolution
    )
    if expected.priced and captioner.provider:
        return f"{who} will cost about {dollars(expected.batch_usd if options.batch else expected.cost_usd)}"
    return f"{who} may cost money, how much is not known"


def _key(medium: Medium, captioner: Captioner, spec: Spec, options: CaptionOptions, repeat: int) -> str:
    settings = dict(captioner.settings)
    if options.longest_side is not None:  # what it sees is part of what decides the text
        settings["longest_side"] = options.longest_side
    if medium.is_video:
        settings["frames"] = options.frames
    return call_key(
        medium.media_id,
        captioner=captioner.name,
        base_url=spec.base_url,
        model=captioner.model_version,
        prompt_id=captioner.prompt_id,
        settings=settings,
        repeat=repeat,
    )


def _known(keys: Iterable[str], ledger: Ledger, schema: attributes.Schema | None) -> dict[str, Caption]:
    """What the ledger has; a form that came from elsewhere, such as an import, may not be filled in as asked."""
    known = ledger.captions(keys)
    return known if schema is None else {key: schema.checked(one) for key, one in known.items()}


def _filling_in(captioner: Captioner, schema: attributes.Schema) -> Captioner:
    if isinstance(captioner, Structured):
        return captioner
    try:
        attributes.require_taken(captioner, captioner.name)
    except UsageError:
        loop.run(captioner.aclose)
        raise
    return Structured(captioner, schema)


def _storable(made: Caption) -> Caption:
    """``made`` without halves of characters, which JSON can hold and files cannot."""
    text, reason, version = (
        one.encode("utf-8", "replace").decode("utf-8") for one in (made.text, made.reason, made.model_version)
    )
    return replace(made, text=text, reason=reason, model_version=version)


def _is_to_do(known: Caption | None) -> bool:
    return known is None or known.status == "failed"  # what was blocked or refused would be so again, at the same price


def _frame(rows: pd.DataFrame, captions: Mapping[str, Caption], captioner: Captioner) -> pd.DataFrame:
    records = []
    for row_id, media_id, reason in zip(rows.index, rows["media_id"], rows["reason"], strict=True):
        if pd.isna(media_id):
            missing = Caption(text="", status="missing", reason=str(reason))
            records.append(_record(row_id, None, missing, captioner))
        else:
            records.append(_record(row_id, media_id, captions[media_id], captioner))
    return typed(records)


def _record(row_id: int, media_id: str | None, made: Caption, captioner: Captioner) -> tuple[object, ...]:
    version = made.model_version or ("" if made.status == "missing" else captioner.model_version)
    return row_id, media_id, made.text, made.status, made.reason, captioner.name, version, captioner.prompt_id


def typed(records: Iterable[tuple[object, ...]]) -> pd.DataFrame:
    """A frame of `CAPTION_COLUMNS` from a record a row."""
    frame = pd.DataFrame.from_records(list(records), columns=list(CAPTION_COLUMNS))
    return frame.astype({name: "int64" if name == "row_id" else "string" for name in CAPTION_COLUMNS})
