"""Generates random sequence classifiers of every supported architecture and file format, and the outputs of the
reference library: {text, ids, logits} per line of expected.ndjson.

Two runs give the same files, except for the names of storages in the oldest checkpoint."""

import contextlib
import io
import json
import shutil
import sys
import tempfile
from pathlib import Path

import sentencepiece
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertTokenizer,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
    RobertaTokenizer,
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
    XLMRobertaTokenizer,
)

# The text that the vocabularies are trained on.
CORPUS = [
    "I love this, it is wonderful and makes me so happy!",
    "I hate waiting; the new update broke everything again.",
    "The meeting moved to Tuesday at ten, room five.",
    "What a day, what a terrible, terrible day...",
    "nobody answers the phone and I am tired of this",
    "so good! so bad? so what. It's fine, isn't it",
]
TEXTS = [
    "I love this!",
    "the phone broke again",
    "What a terrible day, nobody answers... I hate waiting",
    "",
    "   so   good\t\n",
    "Café ÉCOLE naïve — it’s “fine”",
    "日本語 and ½ ﬁne 🎉🎉 ok",
    "so good so bad " * 12,
]
SENTIMENTS = ["negative", "neutral", "positive"]
EMOTIONS = ["anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise"]
# The fused encoder supports models of these sizes. The attention heads of the other models are too narrow for it.
WIDE = dict(hidden_size=32, num_attention_heads=2, intermediate_size=48, num_hidden_layers=2)
NARROW = dict(hidden_size=8, num_attention_heads=2, intermediate_size=12, num_hidden_layers=2)


def names(labels):
    return dict(id2label=dict(enumerate(labels)), label2id={label: id for id, label in enumerate(labels)})


def randomised(model, seed):
    """Draws weights that are large enough that every part of the network affects the outputs."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            norm = "norm" in name.lower() and name.endswith("weight")
            parameter.normal_(1.0 if norm else 0.0, 0.3)
    return model.eval()


def write(folder, model, tokenizer, limit):
    """Writes the expected outputs of the model to expected.ndjson in `folder`."""
    lines = []
    for text in TEXTS:
        ids = tokenizer(text)["input_ids"]
        if len(ids) > limit:
            ids = ids[: limit - 1] + ids[-1:]
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0]
        lines.append(json.dumps({"text": text, "ids": ids, "logits": logits.tolist()}, ensure_ascii=False))
    (folder / "expected.ndjson").write_text("\n".join(lines) + "\n")


def config_only(model, folder):
    """Writes config.json without the fields that depend on the version of the library."""
    model.config.save_pretrained(folder)
    path = folder / "config.json"
    config = {k: v for k, v in json.loads(path.read_text()).items() if k not in ("transformers_version", "dtype")}
    path.write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")


def half(model):
    """Rounds the weights to f16, so that the file is small and has the same values as the model."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.half().float())
    return {name: value.half() if value.is_floating_point() else value for name, value in model.state_dict().items()}


def distinct(state):
    """Copies tensors so that they are contiguous and share no memory, as safetensors requires."""
    return {name: value.clone().contiguous() for name, value in state.items()}


def word_pieces(folder):
    """Writes vocab.txt: characters at the start of a word and inside of a word, and some words and endings."""
    corpus = " ".join(CORPUS).lower()
    letters = sorted(set(corpus) - {" "})
    words = sorted({word for word in corpus.split() if word.isalpha() and len(word) > 2})
    endings = sorted({f"##{word[-2:]}" for word in words})
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters)]
    vocab += words[::2] + endings[::2]
    (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in vocab))
    return len(vocab)


def byte_pairs(folder):
    """Writes vocab.json and merges.txt."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.model.save(str(folder))
    return tokenizer.get_vocab_size()


def pieces(folder):
    """Writes sentencepiece.bpe.model with a few normalisation rules."""
    model = io.BytesIO()
    pairs = {"ﬁ": "fi", "½": "1/2", "’": "'", "“": '"', "”": '"', "\t": " ", "\n": " "}
    code = lambda text: " ".join(f"{ord(c):X}" for c in text)
    # The model stores the name of the rules file, so the name must be the same in each run.
    with tempfile.TemporaryDirectory() as temporary, contextlib.chdir(temporary):
        Path("rules.tsv").write_text("".join(f"{code(a)}\t{code(b)}\n" for a, b in pairs.items()))
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(CORPUS),
            model_writer=model,
            vocab_size=66,
            normalization_rule_tsv="rules.tsv",
            minloglevel=2,
        )
    (folder / "sentencepiece.bpe.model").write_bytes(model.getvalue())
    return sentencepiece.SentencePieceProcessor(str(folder / "sentencepiece.bpe.model")).get_piece_size() + 2


def bert(folder):
    """Three sentiments; f16 safetensors; tokenizer.json. The fused encoder runs it."""
    with tempfile.TemporaryDirectory() as temporary:
        size = word_pieces(Path(temporary))
        tokenizer = BertTokenizer.from_pretrained(temporary)
    tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    config = BertConfig(vocab_size=size, max_position_embeddings=40, **WIDE, **names(SENTIMENTS))
    model = randomised(BertForSequenceClassification(config), 1)
    state = half(model)
    config_only(model, folder)
    save_file(distinct(state), folder / "model.safetensors", {"format": "pt"})
    write(folder, model, tokenizer, 40)


def roberta(folder):
    """Seven emotions with independent scores; f16 safetensors in two files; vocab.json and merges.txt. The fused encoder
    runs it."""
    size = byte_pairs(folder)
    tokenizer = RobertaTokenizer.from_pretrained(folder)
    config = RobertaConfig(
        vocab_size=size,
        max_position_embeddings=42,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
        pad_token_id=1,
        problem_type="multi_label_classification",
        **WIDE,
        **names(EMOTIONS),
    )
    model = randomised(RobertaForSequenceClassification(config), 2)
    state = distinct(half(model))
    config_only(model, folder)
    files = {}
    for index, name in enumerate(sorted(state)):
        files.setdefault(f"model-0000{1 + index % 2}-of-00002.safetensors", {})[name] = state[name]
    for file, part in files.items():
        save_file(part, folder / file, {"format": "pt"})
    where = {name: file for file, part in files.items() for name in part}
    index = {"metadata": {}, "weight_map": dict(sorted(where.items()))}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")
    write(folder, model, tokenizer, 40)


def xlm_roberta(folder):
    """Three classes without names; f32 in a PyTorch archive; a SentencePiece model."""
    size = pieces(folder)
    tokenizer = XLMRobertaTokenizer.from_pretrained(folder)
    config = XLMRobertaConfig(
        vocab_size=size,
        max_position_embeddings=34,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
        **NARROW,
        **names([f"LABEL_{id}" for id in range(3)]),
    )
    model = randomised(XLMRobertaForSequenceClassification(config), 3)
    config_only(model, folder)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    write(folder, model, tokenizer, 32)


def distilbert(folder):
    """Two sentiments; f32 safetensors; vocab.txt."""
    size = word_pieces(folder)
    tokenizer = BertTokenizer.from_pretrained(folder)
    config = DistilBertConfig(
        vocab_size=size,
        max_position_embeddings=32,
        dim=8,
        n_heads=2,
        hidden_dim=12,
        n_layers=2,
        **names(["NEGATIVE", "POSITIVE"]),
    )
    model = randomised(DistilBertForSequenceClassification(config), 4)
    config_only(model, folder)
    save_file(distinct(model.state_dict()), folder / "model.safetensors", {"format": "pt"})
    write(folder, model, tokenizer, 32)


def bert_old(folder):
    """A checkpoint in the oldest format: a stream of pickles, transposed weights, the names gamma and beta; cased."""
    size = word_pieces(folder)
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false, "strip_accents": false}\n')
    tokenizer = BertTokenizer.from_pretrained(folder, do_lower_case=False, strip_accents=False)
    config = BertConfig(vocab_size=size, max_position_embeddings=32, **NARROW, **names(SENTIMENTS))
    model = randomised(BertForSequenceClassification(config), 5)
    config_only(model, folder)
    old = {}
    for name, value in model.state_dict().items():
        name = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
        transposed = value.dim() == 2 and "layer.1" in name
        old[name] = value.t().contiguous().t() if transposed else value
    old["bert.embeddings.position_ids"] = torch.arange(32).unsqueeze(0)
    torch.save(old, folder / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    write(folder, model, tokenizer, 32)


def main():
    root = Path(sys.argv[1])
    for make in [bert, roberta, xlm_roberta, distilbert, bert_old]:
        folder = root / make.__name__.replace("_", "-")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        make(folder)
        print(folder, sum(file.stat().st_size for file in folder.iterdir()) // 1024, "KiB")


main()
