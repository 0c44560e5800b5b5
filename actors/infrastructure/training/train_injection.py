#!/usr/bin/env python3
"""Trains the linear part of the prompt-injection scanner and writes its weights.

Usage: train_injection.py TRAIN.jsonl DEV.jsonl OUT.bin

Plain Python, no packages, deterministic. The features must stay exactly those of
src/security/essence/injection/model.rs: lower-cased runs of letters and digits, hashed with FNV-1a into BUCKETS
buckets as single words, pairs, triples and five-letter prefixes; each distinct bucket counts 1/sqrt(number of
distinct buckets). The model is a logistic regression fitted with AdaGrad; both classes weigh the same.

OUT.bin: b"OINJ", version 1, log2(BUCKETS), f32 scale, f32 bias (little endian), then one signed byte a bucket.
TRAIN only is learnt from; DEV only prints how thresholds would do.
"""
import json, math, random, struct, sys

LOG2 = 16
BUCKETS = 1 << LOG2
EPOCHS = 30
RATE = 0.5
DECAY = 2e-5


def fnv(data: bytes, seed: int) -> int:
    h = 0x811C9DC5 ^ seed
    for b in data:
        h = ((h ^ b) * 0x01000193) & 0xFFFFFFFF
    return h


def words(text: str):
    out, cur = [], []
    for c in text:
        if c.isalnum():
            cur.append(c.lower())
        elif cur:
            out.append("".join(cur)); cur = []
    if cur:
        out.append("".join(cur))
    return out


def mix(h: int) -> int:
    h ^= h >> 15
    h = (h * 0x2C1B3C6D) & 0xFFFFFFFF
    h ^= h >> 12
    return h & (BUCKETS - 1)


def features(text: str):
    ws = [w.encode() for w in words(text)][:512]
    hs = [fnv(w, 0) for w in ws]
    found = set()
    for i, h in enumerate(hs):
        found.add(mix(h))
        if len(ws[i]) > 5:
            found.add(mix(fnv(ws[i][:5], 7)))
        if i >= 1:
            found.add(mix((hs[i - 1] * 31 + h + 1) & 0xFFFFFFFF))
        if i >= 2:
            found.add(mix((hs[i - 2] * 961 + hs[i - 1] * 31 + h + 2) & 0xFFFFFFFF))
    return sorted(found)


def load(path):
    rows = [json.loads(line) for line in open(path, encoding="utf-8")]
    return [(features(r["text"]), r["label"], r) for r in rows]


def fit(rows, seed=7):
    rng = random.Random(seed)
    w, g, bias, gb = [0.0] * BUCKETS, [1e-6] * BUCKETS, 0.0, 1e-6
    pos = sum(1 for _, y, _ in rows if y)
    weight = {1: len(rows) / (2 * pos), 0: len(rows) / (2 * (len(rows) - pos))}
    order = list(range(len(rows)))
    for _ in range(EPOCHS):
        rng.shuffle(order)
        for i in order:
            fs, y, _ = rows[i]
            if not fs:
                continue
            norm = 1 / math.sqrt(len(fs))
            z = bias + norm * sum(w[f] for f in fs)
            p = 1 / (1 + math.exp(-max(-30, min(30, z))))
            d = (p - y) * weight[y]
            gb += d * d
            bias -= 0.1 * d / math.sqrt(gb)
            for f in fs:
                gr = d * norm + DECAY * w[f]
                g[f] += gr * gr
                w[f] -= RATE * 0.1 * gr / math.sqrt(g[f])
    return w, bias


def score(w, bias, fs):
    return bias + sum(w[f] for f in fs) / math.sqrt(len(fs)) if fs else bias


def report(name, rows, w, bias):
    scored = [(score(w, bias, fs), y, r["source"]) for fs, y, r in rows]
    for t in (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0):
        tp = sum(1 for s, y, _ in scored if y and s > t)
        fp = sum(1 for s, y, _ in scored if not y and s > t)
        p = sum(1 for _, y, _ in scored if y)
        n = len(scored) - p
        print(f"{name} threshold {t}: recall {tp / p:.3f} precision {tp / max(1, tp + fp):.3f} false positives {fp / n:.4f}")


def main():
    train, dev = load(sys.argv[1]), load(sys.argv[2])
    w, bias = fit(train)
    report("train", train, w, bias)
    report("dev", dev, w, bias)
    top = max(abs(x) for x in w)
    scale = top / 127
    with open(sys.argv[3], "wb") as out:
        out.write(b"OINJ" + bytes([1, LOG2]) + struct.pack("<ff", scale, bias))
        out.write(bytes((round(x / scale) & 0xFF) for x in w))


main()
