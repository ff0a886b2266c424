// rotated is a number below n, 32 or 16, whose five or four bits are rotated to the left,
// by two or by one, so many times: once makes 8 j + l four times l, or twice, plus j.
// That is where gemm_lanes.comp stores what lane l has as its number j.
uint rotated(uint x, uint n, uint times) {
    const uint bits = n == 32u ? 5u : 4u, by = n / 16u * times % bits;
    return (x << by | x >> bits - by) & n - 1u;
}
