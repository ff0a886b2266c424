package gpu

import (
	"slices"
	"testing"

	"dino-vk/gpu/internal/vk"
)

func TestMatrixProducts(t *testing.T) {
	const f16, f32, bf16, s8, s32, subgroup, workgroup = 0, 1, 1000141000, 3, 5, 3, 2
	got := matrixProducts([]vk.CooperativeMatrix{
		{M: 16, N: 8, K: 16, A: f16, B: f16, C: f32, Result: f32, Scope: subgroup},
		{M: 16, N: 8, K: 32, A: s8, B: s8, C: s32, Result: s32, Scope: subgroup},     // integers
		{M: 16, N: 16, K: 16, A: f16, B: f16, C: f32, Result: f32, Scope: workgroup}, // of more than a subgroup
		{M: 8, N: 8, K: 16, A: f16, B: bf16, C: f32, Result: f32, Scope: subgroup},   // mixed operands
		{M: 8, N: 8, K: 16, A: f16, B: f16, C: f32, Result: f16, Scope: subgroup},    // rounded results
		{M: 8, N: 16, K: 16, A: bf16, B: bf16, C: f32, Result: f32, Scope: subgroup},
	})
	want := []MatrixProduct{{16, 8, 16, ComponentF16, ComponentF32}, {8, 16, 16, ComponentBF16, ComponentF32}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestWorkgroupProducts(t *testing.T) {
	const f16, f32, subgroup, workgroup = 0, 1, 3, 2
	got := workgroupProducts([]vk.FlexibleMatrix{
		{CooperativeMatrix: vk.CooperativeMatrix{M: 16, N: 16, K: 16, A: f16, B: f16, C: f32, Result: f32, Scope: subgroup}, Invocations: 32},
		{CooperativeMatrix: vk.CooperativeMatrix{M: 32, N: 16, K: 16, A: f16, B: f16, C: f32, Result: f32, Scope: workgroup}, Invocations: 256},
	})
	want := []WorkgroupProduct{{MatrixProduct{32, 16, 16, ComponentF16, ComponentF32}, 256}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// A device with the feature has products (the specification demands one), and
// masking the feature hides them.
func TestDeviceMatrixProducts(t *testing.T) {
	in, err := openInstance(false)
	if err != nil {
		t.Skip(err)
	}
	defer in.close()
	for _, disable := range []Features{0, CoopMatrix} {
		list, err := in.candidates(disable)
		if err != nil {
			t.Skip(err)
		}
		for _, d := range list {
			has := d.Features&CoopMatrix != 0
			if m := d.features.Matrix2; disable != 0 && m != (vk.Matrix2Features{}) {
				t.Errorf("%s: %+v without what it extends", d.Name, m)
			}
			if !has && len(d.Products) > 0 {
				t.Errorf("%s: %v without the feature", d.Name, d.Products)
			}
			reported := in.api.CooperativeMatrices(d.physical, d.support)
			if has && len(reported) == 0 {
				t.Errorf("%s has the feature and no product", d.Name)
			}
			for _, p := range in.api.FlexibleMatrices(d.physical, d.support) {
				reported = append(reported, p.CooperativeMatrix)
			}
			for _, p := range reported {
				if p.M == 0 || p.N == 0 || p.K == 0 || p.Scope == 0 {
					t.Errorf("%s: %+v", d.Name, p)
				}
			}
		}
	}
}
