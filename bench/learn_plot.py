"""Draws the learning curves of the same runs here and under PyTorch, or in several
precisions.

Usage: learn_plot.py PICTURE LOG...

The LOGs are those of "dino-vk train" (dino-vk-SEED.jsonl, or fp32-SEED.jsonl,
bf16-SEED.jsonl, fp16-SEED.jsonl) and of torch_learn.py (pytorch-SEED.jsonl), lines
of JSON. PICTURE is the PNG to write: loss, teacher entropy and k-NN by epoch, one
thin line a seed. What is printed where there are runs of both programs is a table
of each one's last epoch, as mean ± standard deviation of the seeds, and how far
apart the two means are, in standard deviations of PyTorch's seeds, on average
over the epochs.
"""

import json
import pathlib
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

PANELS = (("train_loss", "loss"), ("teacher_entropy", "teacher entropy, nats"), ("knn", "20-NN top-1, %"))
PROGRAMS = (("pytorch", "PyTorch, reference's modules", "#d95f02"), ("dino-vk", "dino-vk (Vulkan)", "#1b6ca8"),
            ("fp32", "fp32", "#444444"), ("bf16", "bf16", "#1b6ca8"), ("fp16", "fp16", "#d95f02"))


def curve(lines, key):
    """The epochs after which key was measured, counted from 1, and its values."""
    points = [(line["epoch"] + 1, line[key]) for line in lines if key in line]
    return np.array(points).reshape(-1, 2).T


def main():
    picture, logs = sys.argv[1], [pathlib.Path(p) for p in sorted(sys.argv[2:])]
    runs = {log: [json.loads(line) for line in log.read_text().splitlines()] for log in logs}
    figure, axes = plt.subplots(1, len(PANELS), figsize=(12, 3.6), constrained_layout=True)
    for axis, (key, title) in zip(axes, PANELS):
        ends = {}
        for program, label, color in PROGRAMS:
            mine = [curve(lines, key) for log, lines in runs.items() if log.name.startswith(program + "-")]
            for i, (epochs, values) in enumerate(mine):
                axis.plot(epochs, values, color=color, linewidth=1, alpha=0.8, label=label if i == 0 else None)
            if mine:
                ends[program] = {e: [dict(zip(*c))[e] for c in mine if e in c[0]] for e in set.intersection(*(set(c[0]) for c in mine)) if e > 0}
        raw = [line["knn_raw"] for lines in runs.values() for line in lines if "knn_raw" in line]
        if key == "knn" and raw:
            axis.axhline(raw[0], color="gray", linestyle=":", linewidth=1, label="raw pixels")
        axis.set(title=title, xlabel="epoch")
        axis.grid(alpha=0.3)
        if "pytorch" not in ends:
            continue
        theirs, ours = ends["pytorch"], ends["dino-vk"]
        both = sorted(set(theirs) & set(ours))
        apart = [abs(np.mean(ours[e]) - np.mean(theirs[e])) / np.std(theirs[e], ddof=1) for e in both]
        last = both[-1]
        say = lambda v: f"{np.mean(v):.2f} ± {np.std(v, ddof=1):.2f}"
        print(f"| {title} | {say(theirs[last])} | {say(ours[last])} | {np.mean(apart):.1f} |")
    axes[0].legend()
    axes[-1].legend()
    figure.savefig(picture, dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    main()
