package bench

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"dino-vk/dino"
	"dino-vk/gpu"
	"dino-vk/gpu/op"
)

// counterpart is an operation as torch_kernels.py takes it.
type counterpart map[string]any

// Pair is an operation of a training in one direction, here and in PyTorch.
type Pair struct {
	Recipe    string  `json:"recipe"` // or what the sizes are otherwise
	Batch     int     `json:"batch,omitempty"`
	Operation string  `json:"operation"`
	Shape     string  `json:"shape"`
	Pass      string  `json:"pass"`
	Type      string  `json:"type"` // of activations and the operands of products
	Times     int     `json:"times"`
	Ours      float64 `json:"milliseconds"`
	Plain     float64 `json:"pytorch_plain"` // milliseconds, as are these
	Best      float64 `json:"pytorch_best"`
	How       string  `json:"how"` // the best is done
}

// Ratio is this program's speed over PyTorch's best.
func (p *Pair) Ratio() float64 { return p.Best / p.Ours }

// Line says it in columns.
func (p *Pair) Line() string {
	return fmt.Sprintf("%-22s %-46s %-8s %-8s %9s ms, PyTorch %9s plain %9s best: %5.2f of its speed (%s)",
		p.Operation, p.Shape, p.Pass, p.Type, figure(p.Ours), figure(p.Plain), figure(p.Best), p.Ratio(), p.How)
}

//go:embed torch_kernels.py
var torchKernels []byte

// worker is a torch_kernels.py that waits for operations.
type worker struct {
	Version string `json:"version"`
	Device  string `json:"device"`

	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
	stderr bytes.Buffer
}

// counterTimes are the seconds of an operation in PyTorch.
type counterTimes struct {
	Plain float64 `json:"plain"`
	Best  float64 `json:"best"`
	How   string  `json:"how"`
}

// startWorker starts the script with as many threads as there are processors.
func (t *torch) startWorker(ctx context.Context) (*worker, error) {
	path := filepath.Join(t.dir, "torch_kernels.py")
	if err := os.WriteFile(path, torchKernels, 0o600); err != nil {
		return nil, err
	}
	n := runtime.NumCPU()
	w := &worker{cmd: exec.CommandContext(ctx, t.python, path, "--threads", fmt.Sprint(n))}
	w.cmd.Env = append(os.Environ(), fmt.Sprintf("OPENBLAS_NUM_THREADS=%d", n), fmt.Sprintf("OMP_NUM_THREADS=%d", n))
	w.cmd.Stderr = &w.stderr
	var err error
	if w.stdin, err = w.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	w.stdout = bufio.NewReader(stdout)
	if err := w.cmd.Start(); err != nil {
		return nil, err
	}
	if err := w.answer(w); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

// answer reads a line of the script's.
func (w *worker) answer(to any) error {
	line, err := w.stdout.ReadBytes('\n')
	if err != nil {
		_ = w.cmd.Wait() // its own words say more, and are whole then
		return fmt.Errorf("torch_kernels.py: %w\n%s", err, bytes.TrimSpace(w.stderr.Bytes()))
	}
	if err := json.Unmarshal(line, to); err != nil {
		return fmt.Errorf("torch_kernels.py printed %q: %w", line, err)
	}
	return nil
}

// time asks for an operation's times by pass, spending about so many seconds
// on each form of it.
func (w *worker) time(c counterpart, typ gpu.Type, seconds float64) (map[string]counterTimes, error) {
	o := counterpart{"type": torchTypes[typ], "seconds": seconds}
	for name, value := range c {
		o[name] = value
	}
	line, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	if _, err := w.stdin.Write(append(line, '\n')); err != nil {
		return nil, fmt.Errorf("torch_kernels.py: %w", err)
	}
	times := map[string]counterTimes{}
	return times, w.answer(&times)
}

var torchTypes = map[gpu.Type]string{gpu.F32: "float32", gpu.F16: "float16", gpu.BF16: "bfloat16"}

// close ends the script.
func (w *worker) close() {
	w.stdin.Close()
	_ = w.cmd.Wait() // there is nothing more to learn from it
}

// cube is a product of square matrices.
func cube(n int) operation { return bareProduct("product", 1, n, n, n, false, false) }

// bareProduct is op(a) op(b), (m, k) times (k, n), and nothing else.
func bareProduct(name string, times, m, n, k int, transA, transB bool) operation {
	shape := fmt.Sprintf("(%d, %d)%s × (%d, %d)%s", m, k, transposed(transA), k, n, transposed(transB))
	return operation{name, shape, times, product(m, n, k).plus(traffic(m*k, k*n, m*n)), work{}, func(r *recorder) {
		a, b := [2]int{m, k}, [2]int{k, n}
		if transA {
			a = [2]int{k, m}
		}
		if transB {
			b = [2]int{n, k}
		}
		typ := r.tape.Type
		if transA || n%4 != 0 { // the gradient of a weight
			typ = gpu.F32
		}
		op.Gemm(r.g, op.GEMM{
			A: r.activation(false, a[:]...), B: r.activation(false, b[:]...), C: r.store.New("c", typ, m, n),
			TransA: transA, TransB: transB, Type: r.tape.Type,
		})
	}, counterpart{"kind": "product", "m": m, "n": n, "k": k, "trans_a": transA, "trans_b": transB}}
}

func transposed(yes bool) string {
	if yes {
		return "ᵀ"
	}
	return ""
}

// products are the matrix products of a layer y = x wᵀ and of its gradients,
// without what is fused with them.
func products(name string, times, rows, in, out int) []operation {
	return []operation{
		bareProduct(name+": y", times, rows, out, in, false, true),
		bareProduct(name+": dx", times, rows, in, out, false, false),
		bareProduct(name+": dw", times, out, in, rows, true, false),
	}
}

// bareProducts are those of a ViT's blocks.
func bareProducts(c dino.Config) []operation {
	s := sizesOf(c)
	list := products("qkv", s.depth, s.tokens, s.dim, 3*s.dim)
	list = append(list, products("projection", s.depth, s.tokens, s.dim, s.dim)...)
	list = append(list, products("fc1", s.depth, s.tokens, s.dim, 4*s.dim)...)
	return append(list, products("fc2", s.depth, s.tokens, 4*s.dim, s.dim)...)
}

// compared lists a recipe's operations that PyTorch has, too: a ViT's products by
// themselves, and attention for each length of sequences.
func compared(c dino.Config) []operation {
	s := sizesOf(c)
	var list []operation
	if len(s.runs) > 0 {
		list = bareProducts(c)
	}
	for _, o := range operations(c) {
		if o.torch != nil {
			list = append(list, o)
		}
	}
	for i := range s.runs {
		one := s
		one.runs = s.runs[i : i+1]
		one.tokens = op.Tokens(one.runs)
		if o := one.attention(); len(s.runs) > 1 {
			list = append(list, o)
		}
	}
	return list
}

// pairs times an operation here and in PyTorch, by turns.
func (w *worker) pairs(ctx context.Context, dev *gpu.Device, o operation, typ gpu.Type, e Effort, rounds int) ([]Pair, error) {
	if err := o.tune(ctx, dev, typ); err != nil {
		return nil, err
	}
	p, err := o.prepare(ctx, dev, dev.Caps(), typ)
	if err != nil {
		return nil, err
	}
	defer p.close()
	var runs [][]gpu.Timing
	plain, best, how := map[string][]float64{}, map[string][]float64{}, map[string]string{}
	for range rounds {
		list, err := p.repeat(ctx, e)
		if err != nil {
			return nil, err
		}
		runs = append(runs, list...)
		theirs, err := w.time(o.torch, typ, e.Time.Seconds())
		if err != nil {
			return nil, err
		}
		for pass, t := range theirs {
			plain[pass], best[pass], how[pass] = append(plain[pass], 1e3*t.Plain), append(best[pass], 1e3*t.Best), t.How
		}
	}
	var list []Pair
	for _, k := range p.kernels(runs) {
		list = append(list, Pair{
			Operation: o.name, Shape: o.shape, Pass: k.Pass, Type: torchTypes[typ], Times: max(o.times, 1), Ours: k.Milliseconds.Median,
			Plain: spread(plain[k.Pass]).Median, Best: spread(best[k.Pass]).Median, How: how[k.Pass],
		})
	}
	return list, nil
}
