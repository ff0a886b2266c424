package ref

// Tokens puts cls before the patches of each sequence and adds the position
// embedding of its length; pos[i] (lengths[i], width) belongs to sequence i.
func Tokens(patches, cls []float64, pos [][]float64, lengths []int) []float64 {
	width := len(cls)
	var x []float64
	for i, length := range lengths {
		row := append(append([]float64{}, cls...), patches[:(length-1)*width]...)
		patches = patches[(length-1)*width:]
		for j := range row {
			row[j] += pos[i][j]
		}
		x = append(x, row...)
	}
	return x
}

// TokensBackward gives the gradients of Tokens, dpos for each sequence alone.
func TokensBackward(dx []float64, width int, lengths []int) (dpatches, dcls []float64, dpos [][]float64) {
	dcls = make([]float64, width)
	for _, length := range lengths {
		row := dx[:length*width]
		dx = dx[length*width:]
		for d := range width {
			dcls[d] += row[d]
		}
		dpatches = append(dpatches, row[width:]...)
		dpos = append(dpos, row)
	}
	return dpatches, dcls, dpos
}

// Cls gives the first row of each sequence.
func Cls(x []float64, width int, lengths []int) []float64 {
	var y []float64
	for _, length := range lengths {
		y = append(y, x[:width]...)
		x = x[length*width:]
	}
	return y
}

// ClsBackward gives the gradient of x: zero but for the first rows.
func ClsBackward(dy []float64, width int, lengths []int) []float64 {
	var dx []float64
	for i, length := range lengths {
		dx = append(dx, dy[i*width:(i+1)*width]...)
		dx = append(dx, make([]float64, (length-1)*width)...)
	}
	return dx
}
