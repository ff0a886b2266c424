package op

// StepParams are the values that change from step to step, as the kernels
// read them (shaders/include/stepparams.glsl). Replayed commands are the same
// every step, so nothing here may become a push constant.
type StepParams struct {
	LR                  float32 // learning rate
	WeightDecay         float32
	TeacherMomentum     float32 // m of teacher = m teacher + (1-m) student
	TeacherMomentumRest float32 // 1-m, formed in float64
	TeacherTemp         float32
	StudentTemp         float32
	CenterMomentum      float32
	CenterMomentumRest  float32
	ClipGrad            float32 // largest norm of one gradient tensor; 0 = no clipping
	Beta1, Beta2        float32 // AdamW
	Beta1Rest           float32 // 1-beta, formed in float64
	Beta2Rest           float32
	Eps                 float32
	Bias1, Bias2        float32 // 1-beta^t, formed in float64
	Bias1Last           float32 // the same for the last layer, whose t starts after the freeze
	Bias2Last           float32
	BackboneRate        float32 // factor of the backbone's learning rate
	LossScale           float32 // 1/(pairs · batch · accumulate)
	GradientScale       float32 // the same for the loss's gradient, which BeginScaled multiplies
	GradientUnscale     float32 // 1, which BeginScaled divides
	Updates             uint32  // AdamW's t, this update included
	UpdatesLast         uint32  // the same for the last layer
	FreezeLast          uint32  // 1 while the last layer is frozen
	SeedLo, SeedHi      uint32
	Epoch               uint32
	Step                uint32
}
