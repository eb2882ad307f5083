"""Posts and tokens for all contenders."""

import json
from pathlib import Path

from tokenizers import Tokenizer

MAX_TOKENS = 512


def read_posts(path: Path) -> list[str]:
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line)["content"] for line in lines]


def tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer without padding. Batches are padded after sorting by length."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.no_padding()
    return tokenizer
