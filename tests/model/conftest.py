"""Small captions with a planted effect, and tiny random encoders made on the spot."""

from pathlib import Path

import numpy as np
import pytest

WORDS = (
    "warm cool dark bright face crowd text plain beach street forest sky red blue green tall wide close far old".split()
)


def make_captions(rows: int, seed: int = 0, length: int = 6) -> list[str]:
    random = np.random.default_rng(seed)
    return [" ".join(random.choice(WORDS, size=length, replace=False)) for _ in range(rows)]


def make_metric(captions: list[str], noise: float, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed + 1)
    effect = [1.0 * ("warm" in caption) - 0.8 * ("dark" in caption) + 0.6 * ("face" in caption) for caption in captions]
    return 5 + np.array(effect) + noise * random.normal(size=len(captions))


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random one-layer BERT, 32 wide, whose words are those of the captions; safetensors."""
    pytest.importorskip("torch")
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("tiny-bert")
    vocabulary = {word: number for number, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(folder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = BertConfig(
            vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
            intermediate_size=64, max_position_embeddings=24, initializer_range=0.2,
        )  # fmt: skip
        BertModel(config).save_pretrained(folder)
    return folder
