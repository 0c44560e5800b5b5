#!/usr/bin/env python3
"""Trains the linear part of the prompt-injection scanner and writes its weights.

Usage: train_injection.py TRAIN.jsonl DEV.jsonl OUT.bin

Plain Python, no packages, deterministic. A logistic regression over the features of features.py, fitted with AdaGrad;
both classes weigh the same. Only features that at least two texts share are learnt; a text's score is

    bias + sum(weights of its distinct known features) / sqrt(their number + its unknown words + SHRINK)

so that little evidence gives a score close to the bias.

OUT.bin: b"OINJ", version 2, u32 count, f32 scale, f32 bias, f32 shrink (little endian), then `count` sorted u32
hashes, then one signed byte a hash. TRAIN and corpus.py are learnt from; DEV only prints how thresholds would do.
"""
import json, math, random, struct, sys
from collections import Counter
from corpus import attacks, benign
from features import features, fnv, words

SHRINK = 12.0
EPOCHS = 30
RATE = 0.05
DECAY = 5e-5
MIN_TEXTS = 2
# What a text of our own counts, measured in texts of the training data.
OWN_BENIGN, OWN_ATTACK = 0.4, 0.4


def rows_of(path):
    for line in open(path, encoding="utf-8"):
        row = json.loads(line)
        yield row["text"], row["label"], 1.0, row["source"]


def prepare(rows):
    return [(*features(text), [fnv(w.encode()) for w in list(words(text))[:512]], label, weight, source)
            for text, label, weight, source in rows]


def restrict(rows, known):
    out = []
    for fs, _, hashes, label, weight, source in rows:
        fs = [f for f in fs if f in known]
        unknown = sum(1 for h in hashes if h not in known)
        out.append((fs, 1 / math.sqrt(len(fs) + unknown + SHRINK), label, weight, source))
    return out


def fit(rows, known, seed=7):
    rng = random.Random(seed)
    w, g, bias, gb = dict.fromkeys(known, 0.0), dict.fromkeys(known, 1e-6), 0.0, 1e-6
    mass = Counter()
    for _, _, label, weight, _ in rows:
        mass[label] += weight
    balance = {label: sum(mass.values()) / (2 * mass[label]) for label in mass}
    order = list(range(len(rows)))
    for _ in range(EPOCHS):
        rng.shuffle(order)
        for i in order:
            fs, norm, label, weight, _ = rows[i]
            z = bias + norm * sum(w[f] for f in fs)
            p = 1 / (1 + math.exp(-max(-30, min(30, z))))
            d = (p - label) * balance[label] * weight
            gb += d * d
            bias -= 0.1 * d / math.sqrt(gb)
            for f in fs:
                gr = d * norm + DECAY * w[f]
                g[f] += gr * gr
                w[f] -= RATE * gr / math.sqrt(g[f])
    return w, bias


def report(name, rows, w, bias):
    scored = [(bias + norm * sum(w[f] for f in fs), label) for fs, norm, label, _, _ in rows]
    p = sum(label for _, label in scored)
    n = len(scored) - p
    for t in (-0.5, 0.0, 0.5, 1.0, 1.5, 2.0):
        tp = sum(1 for s, y in scored if y and s > t)
        fp = sum(1 for s, y in scored if not y and s > t)
        print(f"{name} threshold {t}: recall {tp / p:.3f} precision {tp / max(1, tp + fp):.3f} false positives {fp / n:.4f}")


def main():
    own = [(t, 0, OWN_BENIGN, "own") for t in benign()] + [(t, 1, OWN_ATTACK, "own") for t in attacks()]
    train, dev = prepare([*rows_of(sys.argv[1]), *own]), prepare(rows_of(sys.argv[2]))
    texts = Counter(f for fs, *_ in train for f in fs)
    known = {f for f in sorted(texts) if texts[f] >= MIN_TEXTS}
    train, dev = restrict(train, known), restrict(dev, known)
    w, bias = fit(train, sorted(known))
    print(len(train), "texts,", len(known), "features, bias", round(bias, 3))
    report("train", train, w, bias)
    report("dev", dev, w, bias)
    scale = max(abs(x) for x in w.values()) / 127
    with open(sys.argv[3], "wb") as out:
        out.write(b"OINJ" + bytes([2]) + struct.pack("<Ifff", len(known), scale, bias, SHRINK))
        out.write(b"".join(struct.pack("<I", f) for f in sorted(known)))
        out.write(bytes(round(w[f] / scale) & 0xFF for f in sorted(known)))


main()
