"""Converts assets/model for the other runtimes: convert.py MODEL_FOLDER OUT_FOLDER POSTS."""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from safetensors.torch import load_file
from transformers import DistilBertConfig, DistilBertForSequenceClassification, PreTrainedTokenizerFast

from texts import read_posts, tokenizer


class Heads(torch.nn.Module):
    """The encoder with both heads, as the model's config describes them."""

    def __init__(self, folder: Path, attention: str = "sdpa"):
        super().__init__()
        raw = json.loads((folder / "config.json").read_text())
        weights = {name: tensor.float() for name, tensor in load_file(folder / "model.safetensors").items()}
        config = DistilBertConfig(**{key: value for key, value in raw.items() if key not in ("heads", "exits", "torch_dtype")})
        config._attn_implementation = attention
        config.num_labels = len(raw["heads"]["sentiment"]["id2label"])
        self.sentiment = DistilBertForSequenceClassification(config)
        self.encoder = self.sentiment.distilbert
        self.encoder.load_state_dict(
            {name.removeprefix("distilbert."): t for name, t in weights.items() if name.startswith("distilbert.")}
        )
        self.heads = torch.nn.ModuleList(
            torch.nn.Sequential(
                self.linear(weights, f"{head}.pre_classifier"),
                torch.nn.ReLU(),
                self.linear(weights, f"{head}.classifier"),
            )
            for head in ("sentiment", "emotion")
        )
        self.sentiment.pre_classifier.load_state_dict(self.heads[0][0].state_dict())
        self.sentiment.classifier.load_state_dict(self.heads[0][2].state_dict())
        self.eval()

    @staticmethod
    def linear(weights: dict, name: str) -> torch.nn.Linear:
        weight = weights[f"{name}.weight"]
        layer = torch.nn.Linear(weight.shape[1], weight.shape[0])
        layer.load_state_dict({"weight": weight, "bias": weights[f"{name}.bias"]})
        return layer

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor):
        first = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state[:, 0]
        return self.heads[0](first), self.heads[1](first)


def to_onnx(folder: Path, out: Path) -> None:
    model = Heads(folder, "eager")
    ids = torch.randint(999, 9_999, (2, 17))
    inputs, outputs = ["input_ids", "attention_mask"], ["sentiment", "emotion"]
    torch.onnx.export(
        model,
        (ids, torch.ones_like(ids)),
        str(out / "f32.onnx"),
        input_names=inputs,
        output_names=outputs,
        dynamic_axes={name: {0: "batch", 1: "length"} for name in inputs} | {name: {0: "batch"} for name in outputs},
        # The optimiser below does not recognise the graphs of the newer exporter.
        dynamo=False,
        opset_version=17,
    )


def to_int8(out: Path) -> None:
    for name in sorted(out.glob("f32*.onnx")):
        graph = onnx.load(str(name))
        # These shapes were inferred before the fusions, so they are removed and inferred again.
        del graph.graph.value_info[:]
        quantize_dynamic(
            graph,
            str(name.with_name(name.name.replace("f32", "int8"))),
            per_channel=True,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["MatMul", "Gemm", "Attention"],
            # The types of the outputs of fused operators cannot be inferred.
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )


def fuse(out: Path) -> None:
    """Fuses operators with the optimiser of onnxruntime for transformers."""
    from onnxruntime.transformers import optimizer

    model = optimizer.optimize_model(str(out / "f32.onnx"), model_type="bert", num_heads=12, hidden_size=384, opt_level=0)
    print("fused:", model.get_fused_operator_statistics())
    model.save_model_to_file(str(out / "f32-fused.onnx"))


def to_openvino(folder: Path, out: Path, posts: Path) -> None:
    import nncf
    import openvino as ov

    model = ov.convert_model(str(out / "f32.onnx"))
    ov.save_model(model, out / "openvino.xml", compress_to_fp16=False)
    encode = tokenizer(folder)
    samples = [encode.encode(text) for text in read_posts(posts)[:300]]
    samples = [
        {"input_ids": np.array([s.ids], dtype=np.int64), "attention_mask": np.ones((1, len(s.ids)), dtype=np.int64)}
        for s in samples
    ]
    quantised = nncf.quantize(model, nncf.Dataset(samples), model_type=nncf.ModelType.TRANSFORMER, subset_size=300)
    ov.save_model(quantised, out / "openvino-int8.xml", compress_to_fp16=False)


def to_pipeline(folder: Path, out: Path) -> None:
    target = out / "pipeline"
    Heads(folder).sentiment.save_pretrained(target)
    fast = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), model_max_length=512)
    fast.model_input_names = ["input_ids", "attention_mask"]
    fast.pad_token = "[PAD]"
    fast.save_pretrained(target)


def main() -> None:
    folder, out, posts = (Path(word) for word in sys.argv[1:])
    out.mkdir(parents=True, exist_ok=True)
    to_pipeline(folder, out)
    to_onnx(folder, out)
    fuse(out)
    to_int8(out)
    to_openvino(folder, out, posts)


if __name__ == "__main__":
    main()
