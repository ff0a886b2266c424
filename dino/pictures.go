package dino

import (
	"encoding/binary"
	"runtime"
	"sync"

	"dino-vk/dino/data"
	"dino-vk/gpu"
)

// pictures is the place where the host puts a batch of decoded pictures: RGB
// bytes, each at a fixed stride, and a table of what stands where.
type pictures struct {
	store *gpu.Store
	pix   *gpu.Tensor // (B, stride/4) u32 of packed bytes
	table *gpu.Tensor // (B, 4) u32 {byte offset, width, height, id}
}

// newPictures declares room for batch pictures of at most area pixels.
func newPictures(store *gpu.Store, batch, area int) *pictures {
	words := (3*area + 3) / 4
	words = (words + 63) / 64 * 64 // so that every picture begins where a view may
	return &pictures{
		store: store,
		pix:   store.Input("pictures", gpu.U32, batch, words),
		table: store.Input("table", gpu.U32, batch, 4),
	}
}

// fill places pictures in the rows of a batch, by several hands where there is
// much to copy.
func (p *pictures) fill(slot int, items []data.Item) {
	const handful = 1 << 20 // bytes that one hand copies in some 100 µs
	bytes := 0
	for _, item := range items {
		bytes += len(item.Image.Pix)
	}
	hands := min(1+bytes/handful, runtime.GOMAXPROCS(0), len(items))
	share := func(hand int) {
		for row := hand; row < len(items); row += hands {
			p.put(slot, row, items[row].Index, items[row].Image)
		}
	}
	var others sync.WaitGroup
	for hand := 1; hand < hands; hand++ {
		others.Go(func() { share(hand) })
	}
	share(0)
	others.Wait()
}

// put places a picture as number row of a batch in a slot.
func (p *pictures) put(slot, row, id int, img data.Image) {
	stride := 4 * p.pix.Dim(1)
	copy(p.store.Mapped(p.pix, slot)[row*stride:(row+1)*stride], img.Pix)

	table := p.store.Mapped(p.table, slot)[16*row:]
	for i, v := range []int{row * stride, img.W, img.H, id} {
		binary.LittleEndian.PutUint32(table[4*i:], uint32(v))
	}
}
