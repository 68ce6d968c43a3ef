"""Kernels on peak bitmaps: counting coincidences, and what chance makes of them."""

import numpy as np

from earmark.fingerprint.kernel import kernel

__all__ = [
    "band_autocovariances",
    "best_alignments",
    "coincide",
    "count_levels",
    "count_rows",
    "cross_covariances",
    "evenness",
    "judge_bands",
    "mixing",
    "sharpness",
    "transpose",
]


@kernel
def _popcount(x):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    x -= (x >> np.uint64(1)) & np.uint64(0x5555555555555555)
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (x * np.uint64(0x0101010101010101)) >> np.uint64(56)


@kernel
def _lowest_bit(x):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    return np.int64(_popcount((x & (~x + np.uint64(1))) - np.uint64(1)))


@kernel
def _count_word(word, sign, counts):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    while word:
        counts[_lowest_bit(word)] += sign
        word &= word - np.uint64(1)


@kernel
def count_levels(words, counts):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Add to counts (n_phases, 64) how often each band is set in words (n_levels, n_phases, n), by phase."""
    for level in range(words.shape[0]):
        for phase in range(words.shape[1]):
            for word in words[level, phase]:
                _count_word(word, np.float32(1.0), counts[phase])


@kernel
def _weigh(reference, item_counts, weights):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Fill weights with the sum, over the bands set in each word of a reference, of how often the item has them.

    Summed over a stretch and divided by its words, that is what the bands' densities make expected.
    """
    for i in range(reference.shape[0]):
        word, total = reference[i], np.int64(0)
        while word:
            total += np.int64(item_counts[_lowest_bit(word)])
            word &= word - np.uint64(1)
        weights[i] = total


@kernel
def _found(words, phase, reference, start):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Count the bits that item words (n_levels, 2, n), level by level, share with a reference from `start` on."""
    found = np.uint64(0)
    stretch = reference[start : start + words.shape[2]]  # no index may be negative: this loop vectorises
    for level in range(words.shape[0]):
        row = words[level, phase]
        for i in range(stretch.shape[0]):
            found += _popcount(row[i] & stretch[i])
    return np.float32(found)


@kernel
def count_rows(rows, counts):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Add to counts (n_rows, 64) how often each band is set in each of the rows (n_rows, n)."""
    for k in range(rows.shape[0]):
        for word in rows[k]:
            _count_word(word, np.float32(1.0), counts[k])


@kernel
def coincide(words, rows, found):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Fill found (n_rows,) with the bits that words (n_levels, n), level by level, share with rows (n_rows, n)."""
    for k in range(rows.shape[0]):
        total = np.uint64(0)
        for level in range(words.shape[0]):
            for i in range(words.shape[1]):
                total += _popcount(words[level, i] & rows[k, i])
        found[k] = np.float32(total)


@kernel
def best_alignments(words, item_counts, references, mean, deviation, phases, shifts, z):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Fill, for each reference (at least n words), where (phase, start) item words coincide best, and z there."""
    n_words = words.shape[2]
    n_phases = words.shape[1]
    weights = np.empty((n_phases, references.shape[1]), np.int64)
    for k in range(references.shape[0]):
        for phase in range(n_phases):
            _weigh(references[k], item_counts[phase], weights[phase])
        expected = weights[:, :n_words].sum(axis=1)
        z[k] = -np.inf
        for start in range(references.shape[1] - n_words + 1):
            for phase in range(n_phases):
                if start:
                    expected[phase] += weights[phase, start + n_words - 1] - weights[phase, start - 1]
                excess = _found(words, phase, references[k], start) - np.float32(expected[phase] / n_words)
                x = np.float32((excess - mean) / deviation)
                if x > z[k]:
                    phases[k], shifts[k], z[k] = phase, start, x


@kernel
def sharpness(words, phase, item_counts, reference, nearest):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Return by how much coincidences in the middle of a reference exceed those beside it, as a z of their number.

    Beside it is every place of the reference (an odd number more words than the item's) that lies `nearest` words or
    more from the middle; the best of them counts.
    """
    n_words = words.shape[2]
    middle = (reference.shape[0] - n_words) // 2
    weights = np.empty(reference.shape[0], np.int64)
    _weigh(reference, item_counts, weights)
    expected = weights[:n_words].sum()
    here = found_here = np.float32(0.0)
    beside = np.float32(-np.inf)
    for start in range(reference.shape[0] - n_words + 1):
        if start:
            expected += weights[start + n_words - 1] - weights[start - 1]
        if start != middle and abs(start - middle) < nearest:
            continue
        found = _found(words, phase, reference, start)
        excess = found - np.float32(expected / n_words)
        if start == middle:
            here, found_here = excess, found
        else:
            beside = max(beside, excess)
    return (here - beside) / np.sqrt(found_here + np.float32(1.0))


@kernel
def evenness(words, phase, track_words, n_chunk):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Return how evenly coincidences are spread over chunks of words: 1 if all have as many, 1 / n if one of n has all.

    The participation ratio: the square of the sum over the number of chunks times the sum of squares.
    """
    n_chunks = max(words.shape[2] // n_chunk, 1)
    total = square = 0.0
    for c in range(n_chunks):
        found = np.uint64(0)
        for i in range(c * n_chunk, min((c + 1) * n_chunk, words.shape[2])):
            for level in range(words.shape[0]):
                found += _popcount(words[level, phase, i] & track_words[i])
        total += np.float64(found)
        square += np.float64(found) * np.float64(found)
    return total * total / (n_chunks * square) if square > 0.0 else 0.0


@kernel
def mixing(words, phase, track_words, n_chunk, n_bands):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Return how far coincidences come from the same bands at all times: 1 if they do, less if bands take turns.

    Over cells of `n_chunk` words by `n_bands` bands: the participation ratio of the cells over the product of those of
    their sums by time and by band, which is 1 where a cell has what its row and its column make expected.
    """
    n_chunks, n_groups = words.shape[2] // n_chunk, 64 // n_bands
    by_chunk, by_group = np.zeros(n_chunks), np.zeros(n_groups)
    cell = np.empty(n_groups)
    squares = 0.0
    for c in range(n_chunks):
        cell[:] = 0.0
        for i in range(c * n_chunk, (c + 1) * n_chunk):
            for level in range(words.shape[0]):
                word = words[level, phase, i] & track_words[i]
                while word:
                    cell[_lowest_bit(word) // n_bands] += 1.0
                    word &= word - np.uint64(1)
        by_chunk[c] = cell.sum()
        by_group += cell
        squares += (cell * cell).sum()
    total = by_chunk.sum()
    if total == 0.0:
        return 0.0
    return (by_chunk * by_chunk).sum() * (by_group * by_group).sum() / (total * total * squares)


@kernel
def transpose(words, bits):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Set bit `i` of band `b` (64 to an element) where bit `b` of word `i` is set."""
    for i in range(words.shape[0]):
        word, mark = words[i], np.uint64(1) << np.uint64(i % 64)
        while word:
            bits[_lowest_bit(word), i // 64] |= mark
            word &= word - np.uint64(1)


@kernel
def band_autocovariances(words, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Fill out (64, n_lags): autocovariances, not divided by n, of how many levels each band is set at."""
    n = words.shape[1]
    series = np.zeros((64, n), np.int32)
    for level in range(words.shape[0]):
        for i in range(n):
            word = words[level, i]
            while word:
                series[_lowest_bit(word), i] += 1
                word &= word - np.uint64(1)
    for b in range(64):
        count = np.int64(series[b].sum())
        mean = count / n
        first = last = count  # sums of the first and of the last n - lag places
        for lag in range(out.shape[1]):
            if lag >= n or count == 0:
                out[b, lag] = 0.0
                continue
            if lag:
                first -= series[b, n - lag]
                last -= series[b, lag - 1]
            total = np.int32(0)
            for i in range(n - lag):
                total += series[b, i] * series[b, i + lag]
            out[b, lag] = total - mean * (first + last) + (n - lag) * mean * mean


@kernel
def _later(bits, lag, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Fill out with series of bits (..., n_chunks), each moved `lag` places towards its start; `lag` in 0 to 63."""
    n_chunks = bits.shape[2]
    for level in range(bits.shape[0]):
        for b in range(bits.shape[1]):
            for c in range(n_chunks):
                out[level, b, c] = bits[level, b, c] >> np.uint64(lag)
                if lag and c + 1 < n_chunks:
                    out[level, b, c] |= bits[level, b, c + 1] << np.uint64(64 - lag)


@kernel
def _set_before(bits, stop):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Count the bits set in the first `stop` places, by band, over all levels."""
    counts = np.zeros(bits.shape[1])
    for level in range(bits.shape[0]):
        for b in range(bits.shape[1]):
            for c in range(bits.shape[2]):
                word = bits[level, b, c]
                if stop < 64 * (c + 1):
                    word &= (np.uint64(1) << np.uint64(max(stop - 64 * c, 0))) - np.uint64(1)
                counts[b] += _popcount(word)
    return counts


@kernel
def cross_covariances(bits, n, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Fill out (n_lags, 64, 64) with sums over `n` places of band (axis 1) `lag` later times band (axis 2).

    A band's value is the number of levels it is set at, less its mean: bits are (n_levels, 64, n_chunks). The sums are
    of integers, and so exact.
    """
    n_levels, n_bands, n_chunks = bits.shape
    mean = _set_before(bits, n) / n
    later = np.empty_like(bits)
    by_chunk = np.empty((n_levels * n_chunks, n_bands), np.uint64)  # bands side by side: loops over them vectorise
    for level in range(n_levels):
        for c in range(n_chunks):
            by_chunk[level * n_chunks + c] = bits[level, :, c]
    out[:] = 0.0
    total = np.empty(n_bands, np.uint64)
    for lag in range(min(out.shape[0], n)):
        _later(bits, lag, later)
        late, early = _set_before(later, n), _set_before(bits, n - lag)
        for x in range(n_bands):
            if mean[x] == 0.0:
                continue
            total[:] = 0
            for level in range(n_levels):
                for row in range(n_levels * n_chunks):
                    word = later[level, x, row % n_chunks]
                    for y in range(n_bands):
                        total[y] += _popcount(word & by_chunk[row, y])
            for y in range(n_bands):
                if mean[y] != 0.0:
                    removed = mean[y] * late[x] + mean[x] * early[y] - (n - lag) * mean[x] * mean[y]
                    out[lag, x, y] = np.float64(total[y]) - removed


@kernel
def _shifted_overlap(bits, lag):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Count the places set both in a series of bits and `lag` later; `lag` in 1 to 63."""
    total = np.uint64(0)
    for c in range(bits.shape[0]):
        later = bits[c] >> np.uint64(lag)
        if c + 1 < bits.shape[0]:
            later |= bits[c + 1] << np.uint64(64 - lag)
        total += _popcount(bits[c] & later)
    return np.float64(total)


@kernel
def _variance(autocovariances, bits, count, n):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Variance of the coincidences of two series that have nothing to do with each other."""
    mean = count / n
    v = autocovariances[0] * (count - count * mean)
    first = last = count  # set in the first and in the last n - lag places
    for lag in range(1, min(autocovariances.shape[0], n)):
        i, j = n - lag, lag - 1
        first -= np.float64((bits[i // 64] >> np.uint64(i % 64)) & np.uint64(1))
        last -= np.float64((bits[j // 64] >> np.uint64(j % 64)) & np.uint64(1))
        c = _shifted_overlap(bits, lag) - mean * (first + last) + (n - lag) * mean * mean
        v += 2.0 * autocovariances[lag] * c
    return v / n


@kernel
def judge_bands(item_bits, autocovariances, item_counts, track_words, excess, signal, variance):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Fill what a `BandTest` holds of each band, and return z, bands weighted by signal over variance."""
    n_levels, n_bands, n_chunks = item_bits.shape
    n = track_words.shape[0]
    total = square = 0.0
    track_bits = np.zeros((n_bands, n_chunks), np.uint64)
    transpose(track_words, track_bits)
    for b in range(n_bands):
        n_item, n_track, found = np.float64(item_counts[b]), 0.0, 0.0
        for c in range(n_chunks):
            n_track += np.float64(_popcount(track_bits[b, c]))
            for level in range(n_levels):
                found += np.float64(_popcount(item_bits[level, b, c] & track_bits[b, c]))
        if n_track == 0.0 or n_item == 0.0:
            continue
        expected = n_item * n_track / n
        excess[b] = found - expected
        signal[b] = n_track * (1.0 - n_item / (n_levels * n))
        variance[b] = max(_variance(autocovariances[b], track_bits[b], n_track, n), 0.5 * expected, 0.25)
        total += signal[b] / variance[b] * excess[b]
        square += signal[b] / variance[b] * signal[b]
    return total / np.sqrt(square) if square > 0.0 else 0.0
