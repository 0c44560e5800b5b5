"""The features of the injection model; they must stay exactly those of src/security/essence/injection/features.rs.

Lower-cased words, hashed with FNV-1a as single words, five-byte prefixes, pairs and triples. Whatever contains a digit
(numbers, dates, ids, hexadecimal, UUIDs), every URL and every e-mail address is left out as if it were not there, so
that none of them can say anything about a text.
"""
import unicodedata

MAX_WORDS = 512


def fnv(data: bytes, seed: int = 0) -> int:
    h = 0x811C9DC5 ^ seed
    for b in data:
        h = ((h ^ b) * 0x01000193) & 0xFFFFFFFF
    return h


def kind(c: str) -> str:
    return unicodedata.category(c)[0]


def words(text: str):
    """Only what is made of letters; `-` and `_` join, so that one digit takes the whole id away."""
    for chunk in text.split():
        if "://" in chunk or ("@" in chunk[1:] and "." in chunk[chunk.rindex("@"):]):
            continue
        span = ""
        for c in chunk + " ":
            if kind(c) in "LN" or c in "-_":
                span += c
                continue
            if span and not any(kind(d) == "N" for d in span):
                yield from (w.lower() for w in span.replace("_", "-").split("-") if w)
            span = ""


def features(text: str):
    """(distinct features, how many words there are)"""
    found, before, last, count = set(), None, None, 0
    for word in words(text):
        data = word.encode()
        h = fnv(data)
        found.add(h)
        if len(data) > 5:
            found.add(fnv(data[:5], 7))
        if last is not None:
            pair = (last * 31 + h) & 0xFFFFFFFF
            found.add((pair + 1) & 0xFFFFFFFF)
            if before is not None:
                found.add((before * 961 + pair + 2) & 0xFFFFFFFF)
        before, last, count = last, h, count + 1
        if count == MAX_WORDS:
            break
    found.discard(0)
    return sorted(found), count
