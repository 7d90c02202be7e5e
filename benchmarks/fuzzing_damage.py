"""Whole files damaged at random, the same each time for a seed and a number."""

import random

from fuzzed_readers import Reader

NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 62, (1 << 64) - 1)


def input_of(reader: Reader, seed: int, number: int) -> bytes:
    """The input of a number, the same each time."""
    rng = random.Random(f"{seed} {number}")
    return damaged(rng.choice(reader.seeds), rng)


def damaged(content: bytes, rng: random.Random) -> bytes:
    """A few random changes."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 3, 5, 8))):
        if not data:
            return bytes(data)
        at = rng.randrange(len(data))
        match rng.randrange(8):
            case 0:
                data[at] ^= 1 << rng.randrange(8)
            case 1:
                data[at] = rng.randrange(256)
            case 2:
                size = rng.choice((1, 2, 4, 8))
                number = rng.choice(NUMBERS) & ((1 << 8 * size) - 1)
                data[at : at + size] = number.to_bytes(size, rng.choice(("little", "big")))
            case 3:
                del data[at : at + rng.randint(1, 64)]
            case 4:
                data[at:at] = data[at : at + rng.randint(1, 64)]
            case 5:
                other = rng.randrange(len(data))
                data[at : at + 16] = data[other : other + rng.randint(1, 32)]
            case 6:
                data[at:at] = rng.randbytes(rng.randint(1, 16))
            case _:
                del data[rng.randrange(len(data) // 2, len(data)) :]
    return bytes(data)
