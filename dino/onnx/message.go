package onnx

import "google.golang.org/protobuf/encoding/protowire"

// message is an encoded protobuf message that grows field by field. The
// numbers of the fields are those of onnx.proto.
type message []byte

func (m *message) int(field protowire.Number, v int64) {
	*m = protowire.AppendTag(*m, field, protowire.VarintType)
	*m = protowire.AppendVarint(*m, uint64(v))
}

func (m *message) text(field protowire.Number, s string) {
	*m = protowire.AppendTag(*m, field, protowire.BytesType)
	*m = protowire.AppendString(*m, s)
}

// message adds a message that fill makes.
func (m *message) message(field protowire.Number, fill func(*message)) {
	var inner message
	fill(&inner)
	m.begin(field, int64(len(inner)))
	*m = append(*m, inner...)
}

// begin announces a field of so many bytes, which are to follow.
func (m *message) begin(field protowire.Number, bytes int64) {
	*m = protowire.AppendTag(*m, field, protowire.BytesType)
	*m = protowire.AppendVarint(*m, uint64(bytes))
}
