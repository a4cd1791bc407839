// The loops of a packed convolution. The arrays and their shapes are those of the numba kernels,
// `_pack` in with_numba.py and `convolve` in counting.py.
//
// With AVX2, differing bits of four pixels are looked up, not counted. Example: two pixels have the half bytes a = 0101 and b = 0011
// where a weight has w = 0100. The byte b * 16 + a = 0x35 chooses a table of 16 bytes. Its entry w is 0x31: one bit of w differs from
// a, three bits differ from b. One instruction looks up 32 weights. Three such bytes add up to at most 12 in each half.
#include <cstdint>
#include <cstring>
#include <vector>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#if defined(__AVX512BITALG__) && defined(__AVX512BW__)
#define WIDTH 64
#else
#define WIDTH 32
#endif

namespace {

using Byte = uint8_t;
typedef Byte Bytes __attribute__((vector_size(WIDTH)));
typedef uint16_t Shorts __attribute__((vector_size(2 * WIDTH)));

constexpr int64_t LANES = 64, PARTS = LANES / WIDTH, TILE = 16, PIXELS = 4;
constexpr int64_t STEPS = 30;            // bytes of rows in lanes of 8 bits: at most 240 differences, and a multiple of 3
constexpr int64_t SEGMENT = 264 * STEPS; // bytes of rows in sums of 16 bits: at most 63,360 differences

struct Sizes {  // as with_compiler.py writes them
    int64_t high, wide, tap_bytes, packed_groups;              // packed input, with padding
    int64_t height, width, outputs;                            // output
    int64_t channels, groups, group_channels, repeats;         // input
    int64_t slabs, blocks, length;                             // lanes
    int64_t kernel[2], stride[2], padding[2], dilation[2];     // vertical, horizontal
    int64_t across, corrections;
};

using Sums = uint16_t[PIXELS][LANES];

inline Bytes load(const Byte* from) {
    Bytes bytes;
    std::memcpy(&bytes, from, WIDTH);
    return bytes;
}

inline Bytes popcount(Bytes x) {
#if WIDTH == 64
    return (Bytes)_mm512_popcnt_epi8((__m512i)x);
#elif defined(__AVX2__)
    const __m256i low = _mm256_set1_epi8(15);
    const __m256i table = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    const __m256i high = _mm256_and_si256(_mm256_srli_epi16((__m256i)x, 4), low);
    return (Bytes)_mm256_shuffle_epi8(table, _mm256_and_si256((__m256i)x, low)) + (Bytes)_mm256_shuffle_epi8(table, high);
#else
    x = x - ((x >> 1) & 0x55);
    x = (x & 0x33) + ((x >> 2) & 0x33);
    return (x + (x >> 4)) & 0x0f;
#endif
}

inline void flush(const Bytes* counts, uint16_t* sums) {
    for (int64_t part = 0; part < PARTS; part++) {
        Shorts wide;
        std::memcpy(&wide, sums + part * WIDTH, sizeof wide);
        wide += __builtin_convertvector(counts[part], Shorts);
        std::memcpy(sums + part * WIDTH, &wide, sizeof wide);
    }
}

// Adds the bits that differ in bytes first to last of PIXELS rows; rows lie `apart`, their bytes `step` from each other.
template <bool across>
void differing(const Byte* weights, const Byte* rows, int64_t apart, int64_t step, int64_t first, int64_t last, Sums& sums) {
    for (int64_t begin = first; begin < last; begin += STEPS) {
        const int64_t end = begin + STEPS < last ? begin + STEPS : last;
        Bytes counts[PIXELS][PARTS] = {};
        for (int64_t k = begin; k < end; k++)
            for (int64_t part = 0; part < PARTS; part++) {
                const Bytes weight = load(weights + k * LANES + part * WIDTH);
                for (int64_t p = 0; p < PIXELS; p++) {
                    const Byte* row = rows + p * apart + k * step;
                    const Bytes values = across ? load(row + part * WIDTH) : Bytes{} + row[0];
                    counts[p][part] += popcount(weight ^ values);
                }
            }
        for (int64_t p = 0; p < PIXELS; p++) flush(counts[p], sums[p]);
    }
}

#if defined(__AVX2__) && WIDTH == 32
struct Tables {
    alignas(16) Byte entries[256][16];
    Tables() {
        for (int both = 0; both < 256; both++)
            for (int w = 0; w < 16; w++)
                entries[both][w] = __builtin_popcount((both & 15) ^ w) | __builtin_popcount((both >> 4) ^ w) << 4;
    }
};
const Tables tables;

// Half bytes of two pixels in each byte: for pair after pair of a tile, `length` low ones, then as many high ones.
void pair_up(const Byte* rows, int64_t apart, int64_t step, int64_t length, Byte* __restrict pairs) {
    for (int64_t t = 0; t < TILE; t += 2, pairs += 2 * length) {
        const Byte *one = rows + t * apart, *other = one + apart;
        if (step == 1)  // a loop that compilers turn into vectors
            for (int64_t k = 0; k < length; k++) {
                pairs[k] = (one[k] & 15) | other[k] << 4;
                pairs[length + k] = one[k] >> 4 | (other[k] & 240);
            }
        else
            for (int64_t k = 0; k < length; k++) {
                pairs[k] = (one[k * step] & 15) | other[k * step] << 4;
                pairs[length + k] = one[k * step] >> 4 | (other[k * step] & 240);
            }
    }
}

// Looks up `halves` half bytes, 2 or 3, from number n on, of 2 pairs of pixels.
template <int halves>
inline void look_up(const Byte* weights, const Byte* pairs, int64_t length, int64_t n, __m256i (&counts)[PIXELS][2]) {
    const __m256i low = _mm256_set1_epi8(15);
    __m256i found[2][2];
    for (int j = 0; j < halves; j++) {
        __m256i half[2];
        for (int part = 0; part < 2; part++) {
            const __m256i both = (__m256i)load(weights + (n + j) / 2 * LANES + part * WIDTH);
            half[part] = _mm256_and_si256((n + j) % 2 ? _mm256_srli_epi16(both, 4) : both, low);
        }
        for (int pair = 0; pair < 2; pair++) {
            const Byte* entries = tables.entries[pairs[(2 * pair + (n + j) % 2) * length + (n + j) / 2]];
            const __m256i table = _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i*)entries));
            for (int part = 0; part < 2; part++) {
                const __m256i entry = _mm256_shuffle_epi8(table, half[part]);
                found[pair][part] = j ? _mm256_add_epi8(found[pair][part], entry) : entry;
            }
        }
    }
    for (int pair = 0; pair < 2; pair++)
        for (int part = 0; part < 2; part++) {
            const __m256i one = _mm256_and_si256(found[pair][part], low);
            const __m256i other = _mm256_and_si256(_mm256_srli_epi16(found[pair][part], 4), low);
            counts[2 * pair][part] = _mm256_add_epi8(counts[2 * pair][part], one);
            counts[2 * pair + 1][part] = _mm256_add_epi8(counts[2 * pair + 1][part], other);
        }
}

// As a part of its caller it would have fewer registers, and take a seventh longer.
__attribute__((noinline)) void differing_pairs(const Byte* weights, const Byte* pairs, int64_t length, int64_t first, int64_t last, Sums& sums) {
    for (int64_t begin = first; begin < last; begin += STEPS) {
        const int64_t end = begin + STEPS < last ? begin + STEPS : last;
        __m256i counts[PIXELS][2] = {};
        int64_t k = begin;
        for (; k + 3 <= end; k += 3) {
            look_up<3>(weights + k * LANES, pairs + k, length, 0, counts);
            look_up<3>(weights + k * LANES, pairs + k, length, 3, counts);
        }
        for (; k < end; k++) look_up<2>(weights + k * LANES, pairs + k, length, 0, counts);
        for (int64_t p = 0; p < PIXELS; p++) flush((const Bytes*)counts[p], sums[p]);
    }
}
#endif

void gather(const Byte* there, const Sizes& s, Byte* row) {
    const int64_t size = s.tap_bytes * s.packed_groups;
    for (int64_t tap = 0; tap < s.kernel[0] * s.kernel[1]; tap++) {
        const int64_t y = tap / s.kernel[1] * s.dilation[0], x = tap % s.kernel[1] * s.dilation[1];
        const Byte* from = there + (y * s.wide + x) * size;
        if (s.group_channels >= 8) {
            std::memcpy(row + tap * size, from, size);
            continue;
        }
        Byte* to = row + tap * s.group_channels / 8 * size;
        const int64_t up = tap * s.group_channels % 8;
        for (int64_t g = 0; g < size; g++) to[g] |= from[g] << up;
        if (up + s.group_channels > 8)
            for (int64_t g = 0; g < size; g++) to[size + g] |= from[g] >> (8 - up);
    }
}

void correct(const float* corrections, const Sizes& s, int64_t y, int64_t x, float* pixel) {
    for (int64_t tap = 0; tap < s.kernel[0] * s.kernel[1]; tap++) {
        const int64_t row = y + tap / s.kernel[1] * s.dilation[0], column = x + tap % s.kernel[1] * s.dilation[1];
        if (row < 0 || row >= s.high - 2 * s.padding[0] || column < 0 || column >= s.wide - 2 * s.padding[1])
            for (int64_t c = 0; c < s.outputs; c++) pixel[c] += corrections[tap * s.outputs + c];
    }
}

void write(const uint16_t* sums, const float* base, float scale, int64_t used, float* pixel) {
    for (int64_t lane = 0; lane < used; lane++) pixel[lane] = base[lane] - scale * sums[lane];
}

}  // namespace

extern "C" void tasknas_pack(const float* x, const float* shift, float level, Byte* packed, const Sizes* sizes, int64_t first,
                             int64_t last) {
    const Sizes& s = *sizes;
    const int64_t height = s.high - 2 * s.padding[0], width = s.wide - 2 * s.padding[1];
    for (int64_t row = first; row < last; row++)
        for (int64_t column = 0; column < width; column++) {
            const float* values = x + (row * width + column) * s.channels;
            const int64_t y = row / height * s.high + row % height + s.padding[0];
            Byte* there = packed + (y * s.wide + column + s.padding[1]) * s.tap_bytes * s.packed_groups;
            for (int64_t g = 0; g < s.groups; g++)
                for (int64_t k = 0; k < s.tap_bytes; k++) {
                    const int64_t begin = g * s.group_channels + 8 * k, rest = s.group_channels - 8 * k;
                    Byte byte = 0;
#if defined(__AVX__)
                    if (rest >= 8) {
                        const __m256 sum = _mm256_add_ps(_mm256_loadu_ps(values + begin), _mm256_loadu_ps(shift + begin));
                        byte = _mm256_movemask_ps(_mm256_cmp_ps(sum, _mm256_set1_ps(level), _CMP_GE_OQ));
                    } else
#endif
                        for (int64_t c = 0; c < rest && c < 8; c++) byte |= (values[begin + c] + shift[begin + c] >= level) << c;
                    Byte* lanes = there + k * s.packed_groups + g * s.repeats;
                    if (s.repeats == 1)
                        *lanes = byte;
                    else
                        std::memset(lanes, byte, s.repeats);
                }
        }
}

extern "C" void tasknas_convolve(const Byte* packed, const Byte* lanes, const float* base, const float* corrections, float scale,
                                 float* out, const Sizes* sizes, int64_t first, int64_t last) {
    const Sizes& s = *sizes;
    const int64_t size = s.tap_bytes * s.packed_groups, apart = s.length * s.packed_groups, plane = s.height * s.width;
    const int64_t slab_outputs = s.outputs / s.slabs;
    std::vector<Byte> rows(TILE * apart), pairs(TILE * s.length);
    for (int64_t start = first; start < last; start += TILE) {
        const int64_t count = last - start < TILE ? last - start : TILE;
        if (s.group_channels < 8) std::memset(rows.data(), 0, rows.size());
        for (int64_t t = 0; t < count; t++) {
            const int64_t image = (start + t) / plane, place = (start + t) % plane;
            const int64_t y = image * s.high + place / s.width * s.stride[0], x = place % s.width * s.stride[1];
            gather(packed + (y * s.wide + x) * size, s, rows.data() + t * apart);
        }
        for (int64_t slab = 0; slab < s.slabs; slab++) {
            // A slab is a group; where lanes go across groups, there is one slab.
#if defined(__AVX2__) && WIDTH == 32
            if (!s.across) pair_up(rows.data() + slab, apart, s.packed_groups, s.length, pairs.data());
#endif
            for (int64_t block = 0; block < s.blocks; block++) {
                const Byte* weights = lanes + (slab * s.blocks + block) * s.length * LANES;
                const int64_t rest = slab_outputs - block * LANES, used = rest < LANES ? rest : LANES;
                const int64_t channel = slab * slab_outputs + block * LANES;
                for (int64_t t = 0; t < count; t += PIXELS)
                    for (int64_t segment = 0; segment < s.length; segment += SEGMENT) {
                        const int64_t end = segment + SEGMENT < s.length ? segment + SEGMENT : s.length;
                        const Byte* row = rows.data() + t * apart;
                        Sums sums = {};
                        if (s.across)
                            differing<true>(weights, row + block * LANES, apart, s.packed_groups, segment, end, sums);
                        else
#if defined(__AVX2__) && WIDTH == 32
                            differing_pairs(weights, pairs.data() + t * s.length, s.length, segment, end, sums);
#else
                            differing<false>(weights, row + slab, apart, s.packed_groups, segment, end, sums);
#endif
                        for (int64_t i = 0; i < PIXELS && t + i < count; i++) {
                            float* pixel = out + (start + t + i) * s.outputs + channel;
                            write(sums[i], segment ? pixel : base + channel, scale, used, pixel);
                        }
                    }
            }
        }
        for (int64_t t = 0; s.corrections && t < count; t++) {
            const int64_t place = (start + t) % plane, y = place / s.width * s.stride[0], x = place % s.width * s.stride[1];
            correct(corrections, s, y - s.padding[0], x - s.padding[1], out + (start + t) * s.outputs);
        }
    }
}
