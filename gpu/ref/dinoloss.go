package ref

import "math"

// LossResult is what DINOLoss computes.
type LossResult struct {
	Loss     float64
	Entropy  float64   // mean entropy of the teacher's distributions
	KL       float64   // mean of KL(teacher, student) over the pairs
	DStudent []float64 // gradient with respect to the student's logits
}

// DINOLoss is the multi-crop cross entropy of DINO (arXiv 2104.14294,
// equation 3) of student (crops·batch, K) and teacher (2·batch, K) logits,
// rows crop-major:
//
//	-1/(batch·pairs) Σ_b Σ_iq Σ_{v≠iq} Σ_k q_iq,k log p_v,k
//
// with q = softmax((teacher - center)/teacherTemp), p = softmax(student/studentTemp)
// and pairs = 2·crops - 2.
func DINOLoss(student, teacher, center []float64, batch int, studentTemp, teacherTemp float64) LossResult {
	k := len(center)
	crops := len(student) / (batch * k)
	res := LossResult{DStudent: make([]float64, len(student))}
	scale := 1 / float64(batch*(2*crops-2))
	for b := range batch {
		var q [2][]float64
		for iq := range q {
			shifted := make([]float64, k)
			for i := range shifted {
				shifted[i] = teacher[(iq*batch+b)*k+i] - center[i]
			}
			logq := logSoftmax(shifted, teacherTemp)
			q[iq] = make([]float64, k)
			for i, l := range logq {
				q[iq][i] = math.Exp(l)
				res.Entropy -= q[iq][i] * l / float64(2*batch)
			}
		}
		for v := range crops {
			at := (v*batch + b) * k
			logp := logSoftmax(student[at:at+k], studentTemp)
			for iq := range q {
				if iq == v {
					continue
				}
				for i, l := range logp {
					res.Loss -= scale * q[iq][i] * l
					res.DStudent[at+i] += scale / studentTemp * (math.Exp(l) - q[iq][i])
				}
			}
		}
	}
	res.KL = res.Loss - res.Entropy // every teacher row takes part in crops-1 pairs
	return res
}

func logSoftmax(x []float64, temp float64) []float64 {
	m := math.Inf(-1)
	for _, a := range x {
		m = max(m, a)
	}
	var s float64
	for _, a := range x {
		s += math.Exp((a - m) / temp)
	}
	y := make([]float64, len(x))
	for i, a := range x {
		y[i] = (a-m)/temp - math.Log(s)
	}
	return y
}

// Center is m center + (1-m) mean of the teacher's rows (equation 4).
func Center(center, teacher []float64, momentum float64) []float64 {
	k := len(center)
	rows := float64(len(teacher) / k)
	next := make([]float64, k)
	for i := range next {
		var s float64
		for at := i; at < len(teacher); at += k {
			s += teacher[at]
		}
		next[i] = momentum*center[i] + (1-momentum)*s/rows
	}
	return next
}
