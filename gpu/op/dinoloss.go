package op

import "dino-vk/gpu"

var (
	dinoLossRows    = withUniform(rowsKernel("dinoloss_rows"), fitsUniformLogits)
	dinoLossRowsSum = gpu.Plain("dinoloss_rows_sum")
	dinoLoss        = withUniform(rowsKernel("dinoloss"), fitsUniformLogits)
	dinoLossTargets = gpu.Plain("dinoloss_targets_uniform")
	dinoLossSum     = gpu.Plain("dinoloss_sum")
)

// DINOLoss records the multi-crop cross entropy of DINO (arXiv 2104.14294,
// equation 3)
//
//	-loss_scale Σ_b Σ_iq Σ_{v≠iq} Σ_k q_iq,k ln p_v,k
//
// of student (crops·B, K) and teacher (2·B, K) logits, rows crop-major, with
// q = softmax((teacher - center)/teacher_temp), p = softmax(student/student_temp),
// center (K), and returns its gradient with respect to student, with
// gradient_scale for loss_scale and in the tape's Type. params holds the
// StepParams. The loss, the teacher's mean entropy and the mean KL(q, p) go to
// metrics (a Metrics), added to what is there with accumulate. The logits may
// be larger than one binding.
func DINOLoss(t *Tape, student, teacher, center, params, metrics *gpu.Tensor, accumulate bool) *gpu.Tensor {
	g := t.G
	defer g.Scope("dinoloss")()
	width := center.Len()
	batch := teacher.Dim(0) / 2
	crops := student.Dim(0) / max(batch, 1)
	dstudent := t.activation("dstudent", student.Shape...)
	if student.Dim(-1) != width || teacher.Dim(-1) != width || batch == 0 || crops < 2 ||
		teacher.Dim(0) != 2*batch || student.Dim(0) != crops*batch {
		g.Errorf("loss of student %v, teacher %v, center %v", student, teacher, center)
		return dstudent
	}

	stats := g.New("stats", gpu.F32, (2+crops)*batch, 4)
	logitStats(g, teacher, center, params, stats, 0)
	logitStats(g, student, nil, params, stats, 2*batch)

	l := lossPass{g, student, teacher, center, params, dstudent, stats, batch, crops, width}
	terms := l.record()
	type push struct{ Count, Rows, Crops, Accumulate uint32 }
	g.Dispatch(g.Pick(dinoLossSum, nil), gpu.Groups{1, 1, 1},
		push{uint32(terms.Len()), uint32(2 * batch), uint32(crops), bit(accumulate)}, terms, stats, params, metrics)
	return dstudent
}

// logitStats records the first pass over the rows of logits: what their softmax
// needs goes to stats from row first on.
func logitStats(g *gpu.Graph, logits, center, params, stats *gpu.Tensor, first int) {
	rows, width := logits.Dim(0), logits.Dim(1)
	type push struct{ Rows, Width, FirstStat, HasCenter uint32 }
	for _, s := range spans(g, rows, width) {
		end := g.Whole() // a variant needs more than one shader
		shader := g.Pick(dinoLossRows, rowsProblem{width: width, read: []*gpu.Tensor{s.of(logits), center}})
		if isUniform(shader) {
			uniformStats(g, shader, s.of(logits), center, params, stats, first+s.first)
			end()
			continue
		}
		shader, groups := inRows(g, shader, s.n, width)
		g.Dispatch(shader, groups, push{uint32(s.n), uint32(width), uint32(first + s.first), bit(center != nil)},
			s.of(logits), center, params, stats)
		end()
	}
}

// uniformStats is logitStats by dinoloss_rows_uniform.comp.
func uniformStats(g *gpu.Graph, sh gpu.Shader, logits, center, params, stats *gpu.Tensor, first int) {
	rows, width := logits.Dim(0), logits.Dim(1)
	part := uniformBlock * largestDivisor(width/uniformBlock, mostPart/uniformBlock)
	parts := width / part
	each := largestDivisor(parts, uniformRows)
	partial := g.New("partial", gpu.F32, rows, parts, 4)
	push := struct {
		Logits, Center gpu.Address
		Count          [16]uint32
	}{0, 1, counts()}
	if center == nil {
		push.Center = 0
	}
	sh = sh.With("WIDTH", uint32(width)).With("PART", uint32(part)).With("PARTS", uint32(each)).With("HAS_CENTER", bit(center != nil))
	g.Dispatch(sh, gpu.Groups{parts / each, rows, 1}, push, logits, center, params, partial)
	type sumPush struct{ Rows, Parts, FirstStat, HasCenter uint32 }
	g.Dispatch(g.Pick(dinoLossRowsSum, nil), grid(g, rows, 8),
		sumPush{uint32(rows), uint32(parts), uint32(first), bit(center != nil)}, partial, params, stats)
}

// Elements of a row that a subgroup has: mostPart at most in dinoloss_rows_uniform,
// mostPiece in dinoloss_uniform, and leastPart at least.
const (
	mostPart  = 1024
	mostPiece = 512
	leastPart = 64
)

// fitsUniformLogits reports whether logits are float32 in whole parts and need not
// be divided.
func fitsUniformLogits(caps gpu.Caps, problem any) bool {
	p := problem.(rowsProblem)
	most := min(caps.MaxGroups[1], 1<<16-1)
	for _, t := range p.read {
		if t != nil && (t.Len()/p.width > int(most) || t.Bytes() > caps.MaxBinding) {
			return false
		}
	}
	return p.width%leastPart == 0 && wide(p.read...) && wide(p.written)
}

// lossPass is the second pass over the logits.
type lossPass struct {
	g                                                 *gpu.Graph
	student, teacher, center, params, dstudent, stats *gpu.Tensor
	batch, crops, width                               int
}

// record dispatches the whole pass at once where the bindings span the logits
// and a grid the images, otherwise crop by crop and a run of images at a time.
// It returns the terms of the loss.
func (l *lossPass) record() (terms *gpu.Tensor) {
	defer l.g.Whole()() // variants cut the rows into other chunks
	shader := l.g.Pick(dinoLoss, rowsProblem{l.width, []*gpu.Tensor{l.teacher, l.student, l.center}, l.dstudent})
	if isUniform(shader) {
		return l.uniform(shader)
	}
	images, crops := l.batch, l.crops
	most := int(l.g.Caps().MaxGroups[1])
	if fit := int(l.g.Caps().MaxBinding / (4 * int64(l.width))); fit < l.batch*l.crops || l.batch > most {
		crops = 1
		images = min(l.batch, fit-rowAlign, most) // a view may have to begin up to rowAlign-1 rows early
	}
	if images <= 0 {
		l.g.Errorf("a binding of %d bytes is too small for %d rows of %d elements", l.g.Caps().MaxBinding, rowAlign, l.width)
		return l.g.New("terms", gpu.F32, 1)
	}
	const groups = 2048 // workgroups that fill a large device
	quads := (l.width + 3) / 4
	perLane := max(1, (quads*images+64*groups-1)/(64*groups))
	chunk := 64 * perLane
	chunks := (quads + chunk - 1) / chunk
	terms = l.g.New("terms", gpu.F32, l.crops/crops*l.batch, chunks)
	for crop := 0; crop < l.crops; crop += crops {
		for image := 0; image < l.batch; image += images {
			l.dispatch(shader, terms, crop, crops, image, min(images, l.batch-image), chunk, chunks)
		}
	}
	return terms
}

// uniform is record by dinoloss_uniform.comp, which dinoloss_targets_uniform.comp
// serves.
func (l *lossPass) uniform(sh gpu.Shader) (terms *gpu.Tensor) {
	piece := uniformBlock * largestDivisor(l.width/uniformBlock, mostPiece/uniformBlock)
	pieces := l.width / piece
	each := largestDivisor(pieces, uniformRows)
	form := func(sh gpu.Shader) gpu.Shader {
		return sh.With("WIDTH", uint32(l.width)).With("PIECE", uint32(piece)).With("PIECES", uint32(each))
	}
	targets := l.g.New("targets", gpu.F32, 3*l.batch, l.width)
	type push struct {
		Teacher, Center, Stats gpu.Address
		Batch                  uint32
		Count                  [16]uint32
	}
	l.g.Dispatch(form(l.g.Pick(dinoLossTargets, nil)).With("BROADCASTS", sh.Spec["BROADCASTS"]).With("LANES", sh.Spec["LANES"]), gpu.Groups{pieces / each, l.batch, 1},
		push{0, 1, 2, uint32(l.batch), counts()}, l.teacher, l.center, l.stats, l.params, targets)
	terms = l.g.New("terms", gpu.F32, l.crops*l.batch, pieces)
	l.g.Dispatch(form(sh), gpu.Groups{pieces / each, l.crops, l.batch}, struct {
		Student, Targets, Stats gpu.Address
		Batch                   uint32
		Count                   [16]uint32
	}{0, 1, 2, uint32(l.batch), counts()}, l.student, targets, l.stats, l.params, l.dstudent, terms)
	return terms
}

func (l *lossPass) dispatch(sh gpu.Shader, terms *gpu.Tensor, crop, crops, image, images, chunk, chunks int) {
	rows := images
	if crops > 1 {
		rows = l.batch * l.crops
	}
	first := crop*l.batch + image
	teacher0, row0 := window(l.teacher, image, images)
	teacher1, row1 := window(l.teacher, l.batch+image, images)
	student, row := window(l.student, first, rows)
	dstudent, _ := window(l.dstudent, first, rows)
	term := image
	if crops == 1 {
		term = first
	}
	push := struct {
		Width, Batch, FirstImage, Images, FirstCrop, Crops uint32
		Row0, Row1, StudentRow                             uint32
		ChunkQuads, Chunks, FirstTerm                      uint32
	}{
		uint32(l.width), uint32(l.batch), uint32(image), uint32(images), uint32(crop), uint32(crops),
		row0, row1, row, uint32(chunk), uint32(chunks), uint32(term),
	}
	l.g.Dispatch(inQuads(sh, l.width), gpu.Groups{chunks, images, 1}, push,
		teacher0, teacher1, student, l.center, l.stats, l.params, dstudent, terms)
}

// window is a view of at least the rows [first, first+n) that begins where a
// view may, and the place of row first in it.
func window(t *gpu.Tensor, first, n int) (view *gpu.Tensor, row uint32) {
	row = uint32(first % rowAlign)
	return t.Rows(first-int(row), n+int(row)), row
}
