"""Tiny encoders as they are published: drawn weights, and tokenizers learnt from a few sentences."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import tokenizers
from tiny_dataset import make_row
from tokenizers import models, normalizers, pre_tokenizers, processors, trainers

__all__ = ["FAMILIES", "SENTENCES", "write_encoder"]

SENTENCES = (
    "The mill needs wheat, and the oven (an old one) has bread.",
    "Stone-ground flour: 25% of it isn't sold!",
    "Smith's hammer struck the anvil; the forge glowed.",
)
_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
_OTHER = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
_SIZE: dict[str, Any] = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
}  # fmt: skip


def _texts() -> Iterator[str]:
    for number in range(40):
        yield " ".join(make_row(number)["tokens"])
    yield from SENTENCES


def _framed(tokenizer: tokenizers.Tokenizer) -> tokenizers.Tokenizer:
    """Put [CLS] and [SEP] around sequences."""
    ends = [(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ends
    )
    return tokenizer


def _word_pieces() -> tokenizers.Tokenizer:
    tokenizer = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))  # noqa: S106  (no password)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=160, special_tokens=_SPECIAL, show_progress=False)
    tokenizer.train_from_iterator(_texts(), trainer)
    tokenizer.enable_padding(length=9)  # as some are saved
    tokenizer.enable_truncation(7)
    return _framed(tokenizer)


def _byte_pairs(special: list[str]) -> tokenizers.Tokenizer:
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=340, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(_texts(), trainer)
    return tokenizer


def _roberta() -> tokenizers.Tokenizer:
    tokenizer = _byte_pairs(_OTHER)
    ends = [(name, tokenizer.token_to_id(name)) for name in ("</s>", "<s>")]
    tokenizer.post_processor = processors.RobertaProcessing(*ends, add_prefix_space=False)
    return tokenizer


def _modern() -> tokenizers.Tokenizer:
    tokenizer = _byte_pairs(_SPECIAL)
    tokenizer.normalizer = normalizers.NFC()
    return _framed(tokenizer)


def _first_deberta() -> tokenizers.Tokenizer:
    return _framed(_byte_pairs(_SPECIAL))


def _pieces(special: list[str], unknown: str) -> tokenizers.Tokenizer:
    tokenizer = tokenizers.Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.Strip(), normalizers.NFKC()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    trainer = trainers.UnigramTrainer(vocab_size=160, special_tokens=special, unk_token=unknown, show_progress=False)
    tokenizer.train_from_iterator(_texts(), trainer)
    return tokenizer


def _unigram() -> tokenizers.Tokenizer:
    return _framed(_pieces(_SPECIAL, "[UNK]"))


def _many_languages() -> tokenizers.Tokenizer:
    tokenizer = _pieces(_OTHER, "<unk>")
    ends = [(name, tokenizer.token_to_id(name)) for name in ("<s>", "</s>")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=ends
    )
    return tokenizer


_DEBERTA = {
    "relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_biased_input": False, "type_vocab_size": 0,
    "position_buckets": 8, "max_relative_positions": -1, "norm_rel_ebd": "layer_norm", "share_att_key": True,
}  # fmt: skip

FAMILIES: dict[str, tuple[Callable[[], tokenizers.Tokenizer], dict[str, Any]]] = {
    "bert": (_word_pieces, {"max_position_embeddings": 48, "pad_token_id": 0}),
    "roberta": (_roberta, {"max_position_embeddings": 50, "type_vocab_size": 1, "pad_token_id": 1}),
    "deberta-v2": (_unigram, {"max_position_embeddings": 48, "pad_token_id": 0, **_DEBERTA}),
    "modernbert": (_modern, {"max_position_embeddings": 48, "pad_token_id": 0, "local_attention": 8}),
    "xlm-roberta": (_many_languages, {"max_position_embeddings": 50, "type_vocab_size": 1, "pad_token_id": 1}),
    "distilbert": (_word_pieces, {"max_position_embeddings": 48, "pad_token_id": 0}),
    "electra": (_word_pieces, {"max_position_embeddings": 48, "pad_token_id": 0, "embedding_size": 16}),
    "deberta": (
        _first_deberta,
        {
            "max_position_embeddings": 48,
            "pad_token_id": 0,
            "relative_attention": True,
            "pos_att_type": ["c2p", "p2c"],
            "max_relative_positions": -1,
            "position_biased_input": False,
            "type_vocab_size": 0,
        },
    ),
}
"""By the type of the model: its tokenizer, and what else its configuration says; 48 sub-words are the most."""


def write_encoder(folder: Path, family: str, **more: Any) -> Path:
    """Write an encoder of a family: config.json, tokenizer.json and model.safetensors; returns the folder."""
    import torch
    from safetensors.torch import save_file
    from transformers import AutoConfig, AutoModel

    make, facts = FAMILIES[family]
    tokenizer = make()
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    rows = tokenizer.get_vocab_size() + 3  # some have more embeddings than sub-words
    ends = {"bos_token_id": 0, "eos_token_id": 0, "cls_token_id": 0, "sep_token_id": 0}
    config = AutoConfig.for_model(family, **{"vocab_size": rows, **ends, **_SIZE, **facts, **more})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        weights = AutoModel.from_config(config).state_dict()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config.to_dict()))
    return folder
