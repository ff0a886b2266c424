package op

// Metrics is what a step reports (shaders/include/metrics.glsl).
type Metrics struct {
	Loss        float32 // mean cross entropy over the pairs of crops
	Entropy     float32 // mean entropy of the teacher's distributions
	KL          float32 // mean KL(teacher, student) over the pairs
	GradNorm    float32 // norm of all gradients together, before clipping
	GradNormMax float32 // largest norm of one tensor's gradient
	Status      uint32  // 1 once a loss or gradient was not finite
	LossScale   float32 // with a dynamic loss scale: the next step's
	Skipped     uint32  // and how many updates were skipped so far
}
