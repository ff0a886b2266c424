package op

import (
	"context"
	"encoding/binary"
	"testing"

	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
)

// source makes the inputs of a benchmark: normal values, so that nothing is
// faster for being zero.
type source struct {
	store *gpu.Store
	list  []*gpu.Tensor
	param []*gpu.Tensor // StepParams
	given map[*gpu.Tensor][]uint32
}

func (s *source) normal(shape ...int) *gpu.Tensor {
	t := s.store.New("input", gpu.F32, shape...)
	s.list = append(s.list, t)
	return t
}

// words is a tensor of these 32-bit words.
func (s *source) words(values []uint32, shape ...int) *gpu.Tensor {
	t := s.store.New("words", gpu.U32, shape...)
	s.given[t] = values
	return t
}

// params is a StepParams of testParams.
func (s *source) params() *gpu.Tensor {
	t := s.store.New("params", gpu.U32, len(encodeParams(testParams))/4)
	s.param = append(s.param, t)
	return t
}

// benchmark times runs of what record records, which move so many bytes and
// compute so many floating-point operations each.
func benchmark(b *testing.B, bytes, flops int64, record func(g *gpu.Graph, s *source)) {
	dev := gputest.Open(b)
	s := &source{store: gpu.NewStore(), given: map[*gpu.Tensor][]uint32{}}
	g := gpu.NewGraph(dev.Caps())
	record(g, s)
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	must(g.Err())
	must(s.store.Allocate(dev))
	defer s.store.Close()
	for i, t := range s.list {
		must(s.store.WriteF32(t, gputest.Normal(uint64(i), t.Len())))
	}
	for _, t := range s.param {
		must(s.store.Write(t, encodeParams(testParams)))
	}
	for t, words := range s.given {
		data, err := binary.Append(nil, binary.LittleEndian, words)
		must(err)
		must(s.store.Write(t, data))
	}
	programs, err := gpu.Compile(dev, g)
	must(err)
	defer programs[0].Close()
	must(programs[0].Run(context.Background())) // compiles pipelines, touches memory
	b.SetBytes(bytes)
	b.ResetTimer()
	for b.Loop() {
		must(programs[0].Run(context.Background()))
	}
	if flops > 0 {
		b.ReportMetric(float64(flops)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
	}
}
