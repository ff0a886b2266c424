// Mean and sum of squares about it of up to 64 parts of a channel's rows
// (Chan et al., Updating formulae and a pairwise algorithm for computing sample
// variances, 1979): with n_i the rows of part i and n of all,
//   mean = sum n_i mean_i / n, square = sum square_i + n_i (mean_i - mean)^2.
// parts (count, 2, width): mean and square of each. A part has `span` rows, the
// last one what is left of `rows`. Include after rows.glsl.
ROWS_IN(0, parts)

const uint GROUP = 64; // parts that are combined at once

// partRows is how many rows a part has.
float partRows(uint part) { return float(min(span, rows - part * span)); }

// combine gives mean and square of the parts of a group, in one quad of
// columns, and their number of rows.
float combine(uint group, uint q, out vec4 mean, out vec4 square) {
    uint first = group * GROUP, end = min(first + GROUP, count);
    vec4 shift = parts(2 * first, q); // so that large means cancel exactly
    vec4 sum = vec4(0);
    float n = 0;
    for (uint part = first; part < end; part++) {
        float k = partRows(part);
        sum += k * (parts(2 * part, q) - shift);
        n += k;
    }
    mean = shift + sum / n;
    square = vec4(0);
    for (uint part = first; part < end; part++) {
        vec4 d = parts(2 * part, q) - mean;
        square += parts(2 * part + 1, q) + partRows(part) * d * d;
    }
    return n;
}
