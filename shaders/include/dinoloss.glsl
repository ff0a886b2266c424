// Second pass of the DINO loss (arXiv 2104.14294, equation 3): for an image's
// teacher rows q_0, q_1 and student rows p_v, with w_v = sum of q_iq over iq != v
// and n_v the number of these,
//   term = - sum_v sum_k w_v,k ln p_v,k
//   dstudent_v = gradient_scale / student_temp (n_v p_v - w_v).
// A workgroup has a chunk of the columns of one image and goes through the crops,
// so that q is computed once for all of them.
// teacher0, teacher1, student, dstudent (rows, width): the image's rows stand at
// row0 + image, row1 + image and student_row + crop · images + image.
// stats (2·batch + crops·batch, 4) as the first pass left them; center (width);
// terms (…, chunks), a row an image, from row first_term on.
#include "common.glsl"

layout(push_constant) uniform Push {
    uint width;
    uint batch;
    uint first_image;
    uint images; // of this dispatch
    uint first_crop;
    uint crops; // of this dispatch
    uint row0;
    uint row1;
    uint student_row;
    uint chunk_quads;
    uint chunks;
    uint first_term;
};
#include "rows.glsl"
ROWS_IN(0, teacher0)
ROWS_IN(1, teacher1)
ROWS_IN(2, student)
ROWS_IN(3, center)
layout(std430, set = 0, binding = 4) readonly buffer Stats { vec4 stats[]; };
#define STEP_PARAMS_BINDING 5
#include "stepparams.glsl"
ROWS_OUT(6, dstudent)
layout(std430, set = 0, binding = 7) writeonly buffer Terms { float terms[]; };

void main() {
    uint image = gl_WorkGroupID.y;
    uint chunk = gl_WorkGroupID.x;
    uint end = min((chunk + 1) * chunk_quads, quadCount());
    uint first_stat = first_image + image;
    vec4 s0 = stats[first_stat];
    vec4 s1 = stats[first_stat + batch];
    float teacher_inverse = 1 / params.teacher_temp;
    float student_inverse = 1 / params.student_temp;
    float scale = params.gradient_scale * student_inverse;

    vec4 term = vec4(0);
    for (uint q = chunk * chunk_quads + lane(); q < end; q += LANES) {
        vec4 c = center(0, q);
        vec4 q0 = exp((teacher0(row0 + image, q) - c - s0.x) * teacher_inverse - s0.y) * inRow(q);
        vec4 q1 = exp((teacher1(row1 + image, q) - c - s1.x) * teacher_inverse - s1.y) * inRow(q);
        for (uint v = 0; v < crops; v++) {
            uint crop = first_crop + v;
            vec4 s = stats[first_stat + (2 + crop) * batch];
            vec4 w = q0 + q1;
            float n = 2;
            if (crop < 2) {
                w = crop == 0 ? q1 : q0;
                n = 1;
            }
            uint row = student_row + v * images + image;
            vec4 logp = (student(row, q) - s.x) * student_inverse - s.y;
            term -= w * logp;
            dstudentStore(row, q, scale * (n * exp(logp) - w));
        }
    }
    float total = laneSum(sumOf(term));
    if (lane() == 0) {
        terms[(first_term + image) * chunks + chunk] = total;
    }
}
