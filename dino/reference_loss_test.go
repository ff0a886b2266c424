package dino

import (
	"testing"

	"dino-vk/dino/internal/reference"
	"dino-vk/gpu/gputest"
	"dino-vk/gpu/op"
)

func TestReferenceLoss(t *testing.T) {
	family := reference.Default().Family(t, "dino_loss")
	var config struct {
		StudentTemp    float64 `json:"student_temp"`
		CenterMomentum float64 `json:"center_momentum"`
	}
	family.Decode(t, "config", &config)
	for _, f := range family.Files {
		t.Run(f.Name, func(t *testing.T) {
			student, teacher := f.Tensor(t, "student_out"), f.Tensor(t, "teacher_out")
			batch := teacher.Shape[0] / 2
			crops := student.Shape[0] / batch
			c := gputest.New(t)
			params := c.InputU32("params", stepWords(t, op.StepParams{
				TeacherTemp:        float32(f.F64(t, "teacher_temp")[0]),
				StudentTemp:        float32(config.StudentTemp),
				CenterMomentum:     float32(config.CenterMomentum),
				CenterMomentumRest: float32(1 - config.CenterMomentum),
				LossScale:          float32(1 / float64((2*crops-2)*batch)),
				GradientScale:      float32(1 / float64((2*crops-2)*batch)),
			}), paramWords)
			logits := c.Input("teacher", f.F32(t, "teacher_out"), teacher.Shape...)
			center := c.InOut("center", f.F32(t, "center_before"), teacher.Shape[1])
			metrics := c.InOut("metrics", make([]float32, metricWords), metricWords)
			status := c.InputU32("status", []uint32{0}, 1)

			dstudent := op.DINOLoss(op.NewTape(c.Graph), c.Input("student", f.F32(t, "student_out"), student.Shape...),
				logits, center, params, metrics, false)
			gradient := c.Keep(dstudent)
			sum := c.Graph.New("sum", center.Type, center.Shape...)
			op.ColSum(c.Graph, sum, logits, 1, false)
			op.CenterUpdate(c.Graph, center, sum, params, status, 2*batch)
			c.Run()

			f.Check(t, "loss", c.Floats(metrics)[:1])
			f.Check(t, "grad_student_out", c.Floats(gradient))
			f.Check(t, "center_after", c.Floats(center))
		})
	}
}
