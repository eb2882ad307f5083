"""Measures one runtime in a separate process and prints one line of JSON.

contender.py NAME --model FOLDER --converted FOLDER --posts FILE --seconds S --spawned-at T --labels FILE
"""

import argparse
import json
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from texts import MAX_TOKENS, read_posts, tokenizer

WINDOW = 2_000
SINGLES, SINGLES_SECONDS = 500, 15.0
BATCHES = (8, 16, 32, 64)
TUNING = 256
CORES = 2


class Padded:
    """Batches of posts sorted by length, padded to the longest post of the batch."""

    # The settings that `tune` tries with each batch size.
    variants: tuple = ("",)

    def __init__(self, args):
        self.encode = tokenizer(args.model)
        self.batch = BATCHES[1]
        self.use(self.variants[0])

    def use(self, variant: str) -> None:
        """Prepares to run with the settings of `variant`."""

    def run(self, ids: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        raise NotImplementedError

    def run_all(self, batches: list) -> list:
        return [self.run(*batch) for batch in batches]

    def judge(self, posts: list[str]) -> tuple[np.ndarray, int]:
        if len(posts) == 1:
            ids = np.array([self.encode.encode(posts[0]).ids], dtype=np.int64)
            outputs = self.run(ids, np.ones_like(ids))
            return np.stack([np.argmax(o, 1) for o in outputs], 1), ids.size
        lists = [encoding.ids for encoding in self.encode.encode_batch_fast(posts)]
        order = sorted(range(len(lists)), key=lambda place: -len(lists[place]))
        groups = [order[start : start + self.batch] for start in range(0, len(order), self.batch)]
        batches = []
        for group in groups:
            longest = len(lists[group[0]])
            ids = np.zeros((len(group), longest), dtype=np.int64)
            mask = np.zeros_like(ids)
            for row, place in enumerate(group):
                ids[row, : len(lists[place])] = lists[place]
                mask[row, : len(lists[place])] = 1
            batches.append((ids, mask))
        labels = np.zeros((len(posts), 2), dtype=np.int64)
        for group, outputs in zip(groups, self.run_all(batches)):
            labels[group] = np.stack([np.argmax(o, 1) for o in outputs], 1)
        return labels, sum(map(len, lists))

    def tune(self, posts: list[str]) -> str:
        """Selects the fastest settings on some of the posts, before the measurement."""
        best = None
        for variant in self.variants:
            self.use(variant)
            for self.batch in BATCHES:
                self.judge(posts[: 2 * self.batch])
                start = time.perf_counter()
                self.judge(posts)
                taken = time.perf_counter() - start
                if best is None or taken < best[0]:
                    best = (taken, variant, self.batch)
        _, variant, self.batch = best
        self.use(variant)
        return f"{variant + ', ' if variant else ''}batches of {self.batch}"


class Torch(Padded):
    def __init__(self, args, dtype: str):
        import torch

        from convert import Heads

        torch.set_num_threads(CORES)
        self.torch = torch
        self.model = Heads(args.model).to(getattr(torch, dtype))
        super().__init__(args)

    def run(self, ids, mask):
        with self.torch.inference_mode():
            outputs = self.model(self.torch.from_numpy(ids), self.torch.from_numpy(mask))
        return [output.float().numpy() for output in outputs]


class Pipeline:
    """The pipeline of transformers, one post at a time. It has only the sentiment head."""

    def __init__(self, args):
        import torch
        from transformers import pipeline

        torch.set_num_threads(CORES)
        self.pipeline = pipeline("text-classification", model=str(args.converted / "pipeline"), device="cpu")
        self.encode = tokenizer(args.model)
        self.places = {label: place for place, label in self.pipeline.model.config.id2label.items()}

    def judge(self, posts):
        labels = np.full((len(posts), 2), -1, dtype=np.int64)
        for row, post in enumerate(posts):
            found = self.pipeline(post, truncation=True, max_length=MAX_TOKENS)
            labels[row, 0] = self.places[found[0]["label"]]
        return labels, 0

    def tune(self, posts):
        return "post by post, sentiment only"


class Onnx(Padded):
    """ONNX Runtime with one session on all cores or one session per core, and with the plain or the fused graph."""

    variants = tuple(f"{graph}, {shards}" for graph in ("plain", "fused") for shards in ("one session", "session per core"))

    def __init__(self, args, precision: str):
        import onnxruntime

        self.onnxruntime = onnxruntime
        self.paths = {"plain": args.converted / f"{precision}.onnx", "fused": args.converted / f"{precision}-fused.onnx"}
        super().__init__(args)

    def use(self, variant):
        graph, shards = variant.split(", ")
        count = 1 if shards == "one session" else CORES
        options = self.onnxruntime.SessionOptions()
        options.intra_op_num_threads = CORES // count
        options.inter_op_num_threads = 1
        options.graph_optimization_level = self.onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.sessions = [
            self.onnxruntime.InferenceSession(str(self.paths[graph]), options, providers=["CPUExecutionProvider"])
            for _ in range(count)
        ]
        self.pool = ThreadPoolExecutor(count)

    def run(self, ids, mask, shard=0):
        return self.sessions[shard].run(None, {"input_ids": ids, "attention_mask": mask})

    def run_all(self, batches):
        count = len(self.sessions)
        if count == 1:
            return super().run_all(batches)
        outputs = [None] * len(batches)

        def work(shard):
            # Batches are sorted by length, so each session takes every second batch to get equal work.
            for place in range(shard, len(batches), count):
                outputs[place] = self.run(*batches[place], shard)

        list(self.pool.map(work, range(count)))
        return outputs


class OpenVino(Padded):
    variants = ("latency", "throughput")

    def __init__(self, args, name: str):
        import openvino

        self.openvino = openvino
        self.core = openvino.Core()
        self.graph = self.core.read_model(str(args.converted / f"{name}.xml"))
        super().__init__(args)

    def use(self, variant):
        hint = {"PERFORMANCE_HINT": variant.upper(), "INFERENCE_NUM_THREADS": CORES}
        if variant == "throughput":
            hint["NUM_STREAMS"] = CORES
        self.compiled = self.core.compile_model(self.graph, "CPU", hint)
        self.request = self.compiled.create_infer_request()
        self.queue = self.openvino.AsyncInferQueue(self.compiled, CORES) if variant == "throughput" else None

    def run(self, ids, mask):
        found = self.request.infer({"input_ids": ids, "attention_mask": mask})
        return [found[self.compiled.output(name)] for name in ("sentiment", "emotion")]

    def run_all(self, batches):
        if self.queue is None:
            return super().run_all(batches)
        outputs = [None] * len(batches)

        def keep(request, place):
            outputs[place] = [request.get_tensor(name).data.copy() for name in ("sentiment", "emotion")]

        self.queue.set_callback(keep)
        for place, (ids, mask) in enumerate(batches):
            self.queue.start_async({"input_ids": ids, "attention_mask": mask}, place)
        self.queue.wait_all()
        return outputs


CONTENDERS = {
    "torch-f32": lambda args: Torch(args, "float32"),
    "torch-bf16": lambda args: Torch(args, "bfloat16"),
    "pipeline": Pipeline,
    "onnx-f32": lambda args: Onnx(args, "f32"),
    "onnx-int8": lambda args: Onnx(args, "int8"),
    "openvino": lambda args: OpenVino(args, "openvino"),
    "openvino-int8": lambda args: OpenVino(args, "openvino-int8"),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=CONTENDERS)
    for flag in ("model", "converted", "posts"):
        parser.add_argument(f"--{flag}", type=Path, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--spawned-at", type=float, required=True)
    parser.add_argument("--labels", type=Path, required=True)
    args = parser.parse_args()

    start = time.perf_counter()
    posts = read_posts(args.posts)
    reading = time.perf_counter() - start
    contender = CONTENDERS[args.name](args)
    contender.judge(posts[:1])
    # The time of a cold start excludes the time to read the posts.
    first = time.time() - args.spawned_at - reading
    # The last posts are timed one by one and are not part of a window, as in the benchmark of the engine.
    alone = min(SINGLES, len(posts) // 2)
    posts, singly = posts[:-alone], posts[-alone:]
    setting = contender.tune(posts[:TUNING])

    labels, tokens = [], 0
    start = time.perf_counter()
    for window in range(0, len(posts), WINDOW):
        if time.perf_counter() - start > args.seconds:
            break
        judged, count = contender.judge(posts[window : window + WINDOW])
        labels.append(judged)
        tokens += count
    seconds = time.perf_counter() - start
    labels = np.concatenate(labels)

    # More sessions or streams do not make single posts faster, so a variant with one session or stream is used.
    if isinstance(contender, Padded):
        contender.use(min(contender.variants, key=lambda variant: "per core" in variant or variant == "throughput"))
    singles = []
    start = time.perf_counter()
    for post in singly:
        begin = time.perf_counter()
        contender.judge([post])
        singles.append(time.perf_counter() - begin)
        if time.perf_counter() - start > SINGLES_SECONDS:
            break
    singles.sort()
    args.labels.write_text("".join(f"{sentiment} {emotion}\n" for sentiment, emotion in labels))
    print(
        json.dumps(
            {
                "setting": setting,
                "posts": len(labels),
                "tokens": tokens,
                "seconds": seconds,
                "posts_per_second": len(labels) / seconds,
                "tokens_per_second": tokens / seconds,
                "first_ms": first * 1e3,
                "p50_ms": singles[len(singles) // 2] * 1e3,
                "p99_ms": singles[len(singles) * 99 // 100] * 1e3,
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024,
            }
        )
    )


if __name__ == "__main__":
    sys.exit(main())
