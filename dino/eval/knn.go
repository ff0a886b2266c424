package eval

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"dino-vk/gpu"
	"dino-vk/gpu/op"
)

// Temperature is the reference's: a neighbour's vote is exp(similarity/T).
const Temperature = 0.07

// Neighbours are the K nearest candidates of each query by cosine similarity,
// the nearest first.
type Neighbours struct {
	K            int
	Numbers      []int     // (queries, K)
	Similarities []float32 // (queries, K)
}

// KNN finds nearest neighbours on a device.
type KNN struct {
	store           *gpu.Store
	graph           *gpu.Graph
	program         *gpu.Program
	train           *gpu.Tensor // (N, D)
	queries         *gpu.Tensor // (B, D), a copy a slot
	values, numbers *gpu.Tensor // (B, k), a copy a slot
	scratch         int64       // bytes
}

// queriesAtOnce is the largest number of queries that a run compares.
const queriesAtOnce = 256

// NewKNN records the search for the k nearest of n features of the given width;
// no memory is taken yet. k may not exceed n.
func NewKNN(caps gpu.Caps, n, width, k int) (*KNN, error) {
	if k < 1 || k > n {
		return nil, fmt.Errorf("k-NN: %d neighbours among %d features: take from 1 to %d", k, n, n)
	}
	e := &KNN{store: gpu.NewStore(), graph: gpu.NewGraph(caps)}
	e.train = e.store.New("train", gpu.F32, n, width)
	e.queries = e.store.Input("queries", gpu.F32, queriesAtOnce, width)
	e.values = e.store.Host("similarities", gpu.F32, queriesAtOnce, k)
	e.numbers = e.store.Host("neighbours", gpu.U32, queriesAtOnce, k)
	t := op.NewTape(e.graph)
	values, numbers := op.NearestNeighbours(e.graph, op.L2Norm(t, e.queries), e.train, k)
	e.graph.Copy(e.values, values)
	e.graph.Copy(e.numbers, numbers)
	plan, err := gpu.NewPlan(e.graph)
	if err != nil {
		return nil, fmt.Errorf("k-NN: %w", err)
	}
	e.scratch = plan.Scratch
	return e, nil
}

// Memory is the device memory in bytes that Start takes.
func (e *KNN) Memory() int64 { return e.store.Bytes() + e.scratch }

// Start takes device memory and the features (N, D) to search, of any length.
func (e *KNN) Start(dev *gpu.Device, train []float32) error {
	if err := e.store.Allocate(dev); err != nil {
		return fmt.Errorf("k-NN: %w", err)
	}
	programs, err := gpu.Compile(dev, e.graph)
	if err != nil {
		return fmt.Errorf("k-NN: %w", err)
	}
	e.program = programs[0]
	return e.store.WriteF32(e.train, unit(train, e.train.Dim(1)))
}

// Search finds the neighbours of queries (Q, D).
func (e *KNN) Search(ctx context.Context, queries []float32) (Neighbours, error) {
	width, k := e.train.Dim(1), e.values.Dim(1)
	out := Neighbours{K: k}
	for rows := range slices.Chunk(queries, queriesAtOnce*width) {
		slot, err := e.program.Acquire(ctx)
		if err != nil {
			return out, err
		}
		copy(e.store.Mapped(e.queries, slot), gpu.F32Bytes(rows))
		if err := e.program.Submit(slot); err != nil {
			return out, err
		}
		if err := e.program.Wait(ctx, slot); err != nil {
			return out, err
		}
		found := len(rows) / width * k
		out.Similarities = append(out.Similarities, gpu.BytesF32(e.store.Mapped(e.values, slot)[:4*found])...)
		numbers := e.store.Mapped(e.numbers, slot)
		for i := range found {
			out.Numbers = append(out.Numbers, int(binary.LittleEndian.Uint32(numbers[4*i:])))
		}
	}
	return out, nil
}

// Close frees the device's memory; Start may take it again.
func (e *KNN) Close() {
	e.program.Close()
	e.store.Close()
}

// unit scales rows to length 1.
func unit(rows []float32, width int) []float32 {
	out := make([]float32, len(rows))
	for at := 0; at < len(rows); at += width {
		var square float64
		for _, v := range rows[at : at+width] {
			square += float64(v) * float64(v)
		}
		scale := 1 / max(math.Sqrt(square), 1e-12)
		for i := at; i < at+width; i++ {
			out[i] = float32(float64(rows[i]) * scale)
		}
	}
	return out
}

// Ranking is what the k nearest neighbours say of a query: the classes in the
// order of their votes, of equal votes the lower class first.
type Ranking []int

// Classify lets the k ≤ n.K nearest neighbours of each query vote for their
// label, each with exp(similarity/temperature) (Wu et al., arXiv 1805.01978;
// eval_knn.py of the reference). It ranks the classes that got a vote.
func (n Neighbours) Classify(labels []int, k int, temperature float64) []Ranking {
	k = min(k, n.K)
	rankings := make([]Ranking, len(n.Numbers)/n.K)
	for q := range rankings {
		votes := map[int]float64{}
		for place := q * n.K; place < q*n.K+k; place++ {
			if label := labels[n.Numbers[place]]; label >= 0 {
				votes[label] += math.Exp(float64(n.Similarities[place]) / temperature)
			}
		}
		classes := make(Ranking, 0, len(votes))
		for class := range votes {
			classes = append(classes, class)
		}
		slices.SortFunc(classes, func(a, b int) int {
			if votes[a] != votes[b] {
				if votes[a] > votes[b] {
					return -1
				}
				return 1
			}
			return a - b
		})
		rankings[q] = classes
	}
	return rankings
}

// Accuracy is the percentage of queries whose label is among the first n
// classes of their ranking.
func Accuracy(rankings []Ranking, labels []int, n int) float64 {
	right := 0
	for q, r := range rankings {
		if slices.Contains(r[:min(n, len(r))], labels[q]) {
			right++
		}
	}
	return 100 * float64(right) / float64(len(rankings))
}
