package dino

import "fmt"

// Health is what tells a collapsed run from a learning one, averaged over
// some steps, in nats.
type Health struct {
	Loss           float64 // H + KL
	TeacherEntropy float64 // H of the centered, sharpened teacher
	KL             float64 // of the student from the teacher
	LnK            float64 // entropy of the uniform output: ln of the prototypes
}

// collapseShare is how close to an extreme, as a part of ln K, counts as there.
const collapseShare = 0.01

// Diagnosis names what is wrong with the outputs and what helps, or returns ""
// when they look sound. A KL of zero means that the outputs do not depend on
// the image, and the entropy tells which way they collapsed: to ln K without
// enough sharpening, to 0 without enough centering (arXiv 2104.14294, section
// 5.3 and figure 7). Right after the start this says nothing yet.
func (h Health) Diagnosis() string {
	near := collapseShare * h.LnK
	uniform, single := h.LnK-h.TeacherEntropy < near, h.TeacherEntropy < near
	switch {
	case h.KL < near && uniform:
		return fmt.Sprintf("collapsed: the output is uniform, whatever the image (loss %.4f = ln K = %.4f); "+
			"lower --teacher-temp or warm it up longer, lower --lr", h.Loss, h.LnK)
	case h.KL < near && single:
		return fmt.Sprintf("collapsed: all images go to one prototype (teacher entropy %.4f); "+
			"raise --teacher-temp, lower --center-momentum", h.TeacherEntropy)
	case h.KL < near:
		return fmt.Sprintf("collapsed: the output is the same for every image (KL %.4f); "+
			"lower --lr, raise --momentum-teacher", h.KL)
	case uniform:
		return fmt.Sprintf("the teacher's output is uniform (entropy %.4f of ln K = %.4f): nothing to learn from; "+
			"lower --teacher-temp", h.TeacherEntropy, h.LnK)
	}
	return ""
}
