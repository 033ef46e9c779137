"""Tiny vision-language models with random weights, written to a folder as `save_pretrained` writes real ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from yoin.encoder import quiet

if TYPE_CHECKING:
    from transformers import PreTrainedModel, ProcessorMixin

WORDS = (
    "a the dark bright quiet red blue green small large poster woman man street sky sea tree lamp door face hand light "
    "shadow stands sits looks holds under over beside behind with and of in near warm cold soft bold empty crowded "
    "i cannot help that ."
).split()
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }} : {% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}{% endfor %} <end_of_utterance> "
    "{% endfor %}{% if add_generation_prompt %}assistant : {% endif %}"
)


def idefics3(folder: Path, *, seed: int = 0, dtype: torch.dtype = torch.float32, ends_with: str = "</s>") -> Path:
    """A chat model of some 100,000 parameters; it stops at the word ``ends_with``."""
    from transformers import (
        Idefics3Config,
        Idefics3ForConditionalGeneration,
        Idefics3Processor,
        PreTrainedTokenizerFast,
    )
    from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

    torch.manual_seed(seed)
    special = "<pad> <s> </s> <unk> <image> <fake_token_around_image> <global-img> <end_of_utterance>".split()
    places = [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
    vocabulary = {word: at for at, word in enumerate([*special, *places, "\n", *WORDS])}
    core = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    core.add_special_tokens([*special, *places])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
    pictures = Idefics3ImageProcessorPil(
        size={"longest_edge": 64}, max_image_size={"longest_edge": 32}, do_image_splitting=True
    )
    processor = Idefics3Processor(pictures, tokenizer, image_seq_len=4, chat_template=TEMPLATE)
    config = Idefics3Config(
        vision_config={
            "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
            "image_size": 32, "patch_size": 8,
        },
        text_config={
            "model_type": "llama", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
            "num_attention_heads": 2, "num_key_value_heads": 2, "vocab_size": len(tokenizer), "pad_token_id": 0,
            "bos_token_id": 1, "eos_token_id": 2, "max_position_embeddings": 1024,
        },
        image_token_id=vocabulary["<image>"],
        scale_factor=2,
        pad_token_id=0,
        tie_word_embeddings=False,
    )  # fmt: skip
    model = Idefics3ForConditionalGeneration(config)
    _spread(model)
    with torch.no_grad():
        model.lm_head.weight[: -len(WORDS)] = 0  # it writes words, not marks
    model.generation_config.eos_token_id = vocabulary[ends_with]
    return _save(model.to(dtype), processor, folder)


def blip(folder: Path, *, seed: int = 0, ends_with: str = "[SEP]") -> Path:
    """A model without a chat template, of some 100,000 parameters."""
    from transformers import BertTokenizerFast, BlipConfig, BlipForConditionalGeneration, BlipProcessor
    from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

    torch.manual_seed(seed)
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", *WORDS]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    tokenizer = BertTokenizerFast(str(folder / "vocab.txt"))
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = BlipConfig(
        vision_config={**shape, "image_size": 32, "patch_size": 8},
        text_config={
            **shape, "encoder_hidden_size": 32, "vocab_size": len(vocabulary), "bos_token_id": 5, "pad_token_id": 0,
            "sep_token_id": vocabulary.index(ends_with), "eos_token_id": 3, "max_position_embeddings": 512,
            "projection_dim": 32,
        },
        projection_dim=32,
    )  # fmt: skip
    model = BlipForConditionalGeneration(config)
    _spread(model)
    processor = BlipProcessor(BlipImageProcessorPil(size={"height": 32, "width": 32}), tokenizer)
    return _save(model, processor, folder)


def _spread(model: torch.nn.Module) -> None:
    """Weights far enough apart that what is written depends on the image, and not on rounding."""
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.normal_(0, 0.25)


def _save(model: PreTrainedModel, processor: ProcessorMixin, folder: Path) -> Path:
    with quiet():
        model.save_pretrained(folder)
        processor.save_pretrained(folder)
    return folder
