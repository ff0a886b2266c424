package ref

import "math"

// Attention is softmax(hd^-1/2 q kᵀ) v within each of the sequences that are
// packed one behind another; qkv (T, 3, heads, hd), o (T, heads, hd), and lse
// (T, heads) the logarithm of each softmax's denominator.
func Attention(qkv []float64, heads, hd int, lengths []int) (o, lse []float64) {
	tokens := len(qkv) / (3 * heads * hd)
	o, lse = make([]float64, tokens*heads*hd), make([]float64, tokens*heads)
	eachRow(heads, lengths, func(base, length, i, h int) {
		p, l := attentionRow(qkv, heads, hd, base, length, i, h)
		lse[i*heads+h] = l
		for j, pj := range p {
			v := qkvRow(qkv, heads, hd, base+j, 2, h)
			for d := range hd {
				o[(i*heads+h)*hd+d] += pj * v[d]
			}
		}
	})
	return o, lse
}

// AttentionProbs gives the softmax rows of the first `queries` tokens of each
// sequence: (sequence, head, query, key).
func AttentionProbs(qkv []float64, heads, hd, length, queries int) []float64 {
	tokens := len(qkv) / (3 * heads * hd)
	var probs []float64
	for base := 0; base < tokens; base += length {
		for h := range heads {
			for i := range queries {
				p, _ := attentionRow(qkv, heads, hd, base, length, base+i, h)
				probs = append(probs, p...)
			}
		}
	}
	return probs
}

// AttentionBackward gives the gradient of qkv for the gradient dout of o.
func AttentionBackward(qkv, dout []float64, heads, hd int, lengths []int) (dqkv []float64) {
	dqkv = make([]float64, len(qkv))
	scale := 1 / math.Sqrt(float64(hd))
	eachRow(heads, lengths, func(base, length, i, h int) {
		p, _ := attentionRow(qkv, heads, hd, base, length, i, h)
		g := dout[(i*heads+h)*hd:][:hd]
		dp := make([]float64, length)
		var mean float64
		for j := range p {
			v, dv := qkvRow(qkv, heads, hd, base+j, 2, h), qkvRow(dqkv, heads, hd, base+j, 2, h)
			for d := range hd {
				dp[j] += g[d] * v[d]
				dv[d] += p[j] * g[d]
			}
			mean += p[j] * dp[j]
		}
		q, dq := qkvRow(qkv, heads, hd, i, 0, h), qkvRow(dqkv, heads, hd, i, 0, h)
		for j := range p {
			ds := scale * p[j] * (dp[j] - mean)
			k, dk := qkvRow(qkv, heads, hd, base+j, 1, h), qkvRow(dqkv, heads, hd, base+j, 1, h)
			for d := range hd {
				dq[d] += ds * k[d]
				dk[d] += ds * q[d]
			}
		}
	})
	return dqkv
}

// eachRow visits every head of every token with its sequence.
func eachRow(heads int, lengths []int, f func(base, length, token, head int)) {
	base := 0
	for _, length := range lengths {
		for i := range length {
			for h := range heads {
				f(base, length, base+i, h)
			}
		}
		base += length
	}
}

// qkvRow is the q, k or v (which = 0, 1, 2) of a token's head.
func qkvRow(qkv []float64, heads, hd, token, which, head int) []float64 {
	return qkv[((token*3+which)*heads+head)*hd:][:hd]
}

// attentionRow is the softmax of a token's head and its log-sum-exp.
func attentionRow(qkv []float64, heads, hd, base, length, token, head int) (p []float64, lse float64) {
	p = make([]float64, length)
	q := qkvRow(qkv, heads, hd, token, 0, head)
	top := math.Inf(-1)
	for j := range p {
		k := qkvRow(qkv, heads, hd, base+j, 1, head)
		for d := range hd {
			p[j] += q[d] * k[d]
		}
		p[j] /= math.Sqrt(float64(hd))
		top = max(top, p[j])
	}
	var sum float64
	for j := range p {
		p[j] = math.Exp(p[j] - top)
		sum += p[j]
	}
	for j := range p {
		p[j] /= sum
	}
	return p, top + math.Log(sum)
}
