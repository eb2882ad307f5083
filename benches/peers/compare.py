"""Runs all contenders one after the other and prints a table.

compare.py BENCH_BINARY [--posts FILE] [--only NAME,NAME] [--rounds N] [--seconds S]
"""

import argparse
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MODEL = ROOT / "assets/model"
SHARED_POSTS = ROOT / "../shared/data/posts.ndjson"
CORES = 2
# Contenders of this engine, each with the precision whose peak performance it is compared with.
# `int8` runs as in production, with exits and cached answers. `-exits` has no cached answers. `-full` computes all
# layers of every post, as the other runtimes do.
OURS = {"int8": "int8", "int8-exits": "int8", "int8-full": "int8", "bf16-full": "bf16", "f32-full": "f32"}
TITLES = {
    "int8": "SentiStream, int8, as in production",
    "int8-exits": "SentiStream, int8, exits without cached answers",
    "int8-full": "SentiStream, int8, full depth",
    "bf16-full": "SentiStream, bf16, full depth",
    "f32-full": "SentiStream, f32, full depth",
}
PEERS = {
    "onnx-f32": "f32",
    "onnx-int8": "int8",
    "openvino": None,
    "openvino-int8": "int8",
    "torch-f32": "f32",
    "torch-bf16": "bf16",
    "pipeline": "f32",
    "candle": "f32",
}
REFERENCE = "torch-f32"


def operations(config: dict) -> tuple[float, float]:
    """Multiplications and additions of the linear layers: per token, and additionally per post.

    All layers are counted in full, although the last one computes only the first token."""
    dim, hidden, layers = config["dim"], config["hidden_dim"], config["n_layers"]
    heads = sum(dim * dim + dim * len(head["id2label"]) for head in config["heads"].values())
    return 2.0 * layers * (4 * dim * dim + 2 * dim * hidden), 2.0 * heads


def busy() -> float:
    """CPU seconds that all processes of this machine have used."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    return sum(fields[:3] + fields[5:8]) / os.sysconf("SC_CLK_TCK")


def run(command: list[str]) -> tuple[str, float]:
    """The output, and the share of the cores that other processes used during the run."""
    start, before, own = time.time(), busy(), os.times()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    after = os.times()
    ours = after.children_user + after.children_system - own.children_user - own.children_system
    taken = (busy() - before - ours) / max(time.time() - start, 1e-9) / (os.cpu_count() or 1)
    return done.stdout, max(taken, 0.0)


def command(name: str, args, labels: Path) -> list[str]:
    common = ["--posts", str(args.posts), "--seconds", str(args.seconds), "--labels", str(labels)]
    common += ["--spawned-at", str(time.time())]
    cores = ["taskset", "-c", args.cores]
    if name in PEERS and name != "candle":
        common += ["--model", str(MODEL), "--converted", str(args.converted)]
        return [*cores, sys.executable, str(HERE / "contender.py"), name, *common]
    return [*cores, args.bench, "--contender", name, *common]


def agreement(labels: dict[str, list[str]], name: str) -> str:
    """The shares of posts whose sentiment and whose emotion equal those of the reference."""
    if REFERENCE not in labels:
        return "–"
    pairs = [(a.split(), b.split()) for a, b in zip(labels[name], labels[REFERENCE])]
    parts = []
    for head in (0, 1):
        known = [(a[head], b[head]) for a, b in pairs if a[head] != "-1"]
        parts.append(f"{100 * sum(a == b for a, b in known) / len(known):.2f}" if known else "–")
    return " / ".join(parts) + " %"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("bench")
    parser.add_argument("--posts", type=Path)
    parser.add_argument("--only", help="contenders, by name, separated by commas")
    parser.add_argument("--rounds", type=int, default=2, help="each contender's best round counts")
    parser.add_argument("--seconds", type=float, default=30.0, help="no window of posts starts after this time")
    parser.add_argument("--work", type=Path, default=ROOT / "target/bench-peers")
    args = parser.parse_args()
    args.converted = args.work / "converted"
    args.cores = ",".join(map(str, sorted(os.sched_getaffinity(0))[:CORES]))
    if args.posts is None and SHARED_POSTS.exists():
        args.posts = SHARED_POSTS
    if args.posts is None:
        args.posts = args.work / "posts.ndjson"
        args.posts.write_text(run([args.bench, "--contender", "posts"])[0])
    # The model is converted once per version.
    model = hashlib.sha256((MODEL / "model.safetensors").read_bytes() + (MODEL / "tokenizer.json").read_bytes())
    done = args.converted / "done"
    if not done.exists() or done.read_text() != model.hexdigest():
        shutil.rmtree(args.converted, ignore_errors=True)
        convert = [sys.executable, str(HERE / "convert.py"), str(MODEL), str(args.converted), str(args.posts)]
        subprocess.run(convert, check=True, stdout=sys.stderr)
        done.write_text(model.hexdigest())

    names = args.only.split(",") if args.only else [*OURS, *PEERS]
    best: dict[str, dict] = {}
    labels: dict[str, list[str]] = {}
    peaks: list[dict] = []
    for turn in range(args.rounds):
        peaks.append(json.loads(run(["taskset", "-c", args.cores, args.bench, "--contender", "peak"])[0]))
        for name in names:
            path = args.work / f"{name}.labels"
            try:
                output, others = run(command(name, args, path))
            except subprocess.CalledProcessError as error:
                print(f"{name} failed and is left out of this round: {error}", file=sys.stderr)
                continue
            seen = json.loads(output.splitlines()[-1]) | {"others": others}
            print(f"round {turn + 1} {name}: {json.dumps(seen)}", file=sys.stderr)
            labels[name] = path.read_text().splitlines()
            if name not in best:
                best[name] = seen
                continue
            # For the times of a single post and for the memory, the lowest value of all rounds is used.
            least = {key: min(best[name][key], seen[key]) for key in ("first_ms", "p50_ms", "p99_ms", "peak_mb")}
            fastest = max(best[name], seen, key=lambda one: one["posts_per_second"])
            best[name] = fastest | least
    show(args, best, labels, {key: max(peak[key] or 0.0 for peak in peaks) for key in ("f32", "bf16", "int8")})


def show(args, best: dict[str, dict], labels: dict[str, list[str]], peaks: dict[str, float]) -> None:
    full_depth = json.loads((MODEL / "config.json").read_text())["n_layers"]
    per_token, per_post = operations(json.loads((MODEL / "config.json").read_text()))
    processor = next(
        (line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    print(f"{date.today()}, {processor}, cores {args.cores}, {args.posts.name}")
    values = ", ".join(f"{name} {peak / 1e12:.2f} TOP/s" for name, peak in peaks.items() if peak)
    print(f"peak performance with operands in registers: {values}")
    print()
    print("Rows at full depth compare runtimes with the same weights; *as in production* adds exits and cached answers.")
    print("| contender | posts/s | speed of int8 as in production | speed of int8 at full depth | speed of f32 at full depth "
          "| tokens/s | tokens per post | layers per token | of peak | p50 ms | p99 ms | first ms "
          "| MB | agrees | posts | others' CPU | setting |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|")
    for name, seen in best.items():
        speed = seen["posts_per_second"]
        ratio = {
            mine: f"{best[mine]['posts_per_second'] / speed:.2f} ×" if mine in best else "–" for mine in ("int8", "int8-full", "f32-full")
        }
        precision = {**OURS, **PEERS}[name]
        done = per_token * seen["tokens_per_second"] + per_post * speed
        layers = seen.get("layers_per_token")
        is_full = name not in OURS or name.endswith("-full")
        has_share = precision and peaks[precision] and seen["tokens"] and is_full
        share = f"{100 * done / peaks[precision]:.0f} %" if has_share else "–"
        tokens = f"{seen['tokens_per_second']:,.0f}" if seen["tokens"] else "–"
        each = f"{seen['tokens'] / seen['posts']:.1f}" if seen["tokens"] else "–"
        depth = f"{layers:.2f}" if layers else f"{full_depth:.2f}"
        title = f"**{TITLES[name]}**" if name in OURS else f"{name}, same weights, full depth"
        print(
            f"| {title} | {speed:,.0f} | {ratio['int8']} | {ratio['int8-full']} | {ratio['f32-full']} "
            f"| {tokens} | {each} | {depth} | {share} | {seen['p50_ms']:.2f} "
            f"| {seen['p99_ms']:.2f} | {seen['first_ms']:,.0f} | {seen['peak_mb']:.0f} | {agreement(labels, name)} "
            f"| {seen['posts']:,} | {100 * seen['others']:.0f} % | {seen.get('setting', '')} |"
        )


if __name__ == "__main__":
    main()
