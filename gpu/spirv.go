package gpu

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"dino-vk/shaders"
)

// module is a SPIR-V module and what its interface says.
type module struct {
	code     []byte
	bindings []binding         // by binding number, without gaps
	push     []field           // members of the push-constant block
	specIDs  map[string]uint32 // specialization constants by name
	local    [3]uint32         // workgroup size where it is not specialized
	needs    Features          // what a device must have for it
}

// binding is one buffer of a module.
type binding struct {
	name        string
	read, write bool
	texels      bool    // a samplerBuffer, read by texels of four floats
	typeID      string  // the specialization constant that says its elements' type; "" if they are of 32 bits
	fields      []field // the block's members of fixed size
}

// field is a scalar member of a block: arrays and vectors are several.
type field struct {
	name   string
	offset uint32
	kind   Type
}

var modules struct {
	sync.Mutex
	byName map[string]*module
}

// loadModule reads and reflects a module of package shaders, once.
func loadModule(name string) (*module, error) {
	modules.Lock()
	defer modules.Unlock()
	if m := modules.byName[name]; m != nil {
		return m, nil
	}
	code, err := shaders.Module(name)
	if err != nil {
		return nil, err
	}
	m, err := reflectModule(code)
	if err != nil {
		return nil, fmt.Errorf("gpu: module %s: %w", name, err)
	}
	if modules.byName == nil {
		modules.byName = map[string]*module{}
	}
	modules.byName[name] = m
	return m, nil
}

// SPIR-V opcodes, decorations and storage classes (SPIR-V specification,
// sections 3.52, 3.20, 3.7).
const (
	opName, opMemberName                                     = 5, 6
	opExecutionMode, opCapability                            = 16, 17
	opTypeInt, opTypeFloat, opTypeVector                     = 21, 22, 23
	opTypeImage, opTypeSampledImage                          = 25, 27
	opTypeArray, opTypeRuntimeArray, opTypeStruct, opTypePtr = 28, 29, 30, 32
	opConstant                                               = 43
	opVariable, opDecorate, opMemberDecorate                 = 59, 71, 72

	decorSpecID, decorNonWritable, decorNonReadable = 1, 24, 25
	decorBinding, decorDescriptorSet, decorOffset   = 33, 34, 35

	classUniformConstant, classPushConstant, classStorageBuffer = 0, 9, 12
	modeLocalSize                                               = 17
)

// firstTypeID is the specialization constant that says the type of binding 0's
// elements; the others follow (shaders/include/types.glsl).
const firstTypeID = 100

// capabilities are those of SPIR-V (section 3.31) that not every device has.
var capabilities = map[uint32]Features{
	9:    Float16,
	39:   Int8,
	4433: Storage16,
	4448: Storage8,
	5116: BFloat16, // of the type itself, and in cooperative matrices
	5118: BFloat16,
	5345: MemoryModel,
	5347: BufferDeviceAddress,
	5431: CoopConversions,
	5432: CoopMatrix2, // functions of their elements
	5433: CoopMatrix2, // tensor addressing
	5439: CoopMatrix2,
	6022: CoopMatrix,
}

// Needs is what a device must have to run a module of package shaders.
func Needs(moduleName string) (Features, error) {
	m, err := loadModule(moduleName)
	if err != nil {
		return 0, err
	}
	return m.needs, nil
}

type spirvType struct {
	op   uint32
	args []uint32
}

type memberKey struct{ id, member uint32 }

// spirv is what a pass over a module collects.
type spirv struct {
	names       map[uint32]string
	memberNames map[memberKey]string
	decor       map[memberKey]uint32 // (id, decoration) -> first operand
	memberDecor map[[3]uint32]uint32 // (struct, member, decoration) -> first operand
	types       map[uint32]spirvType
	constants   map[uint32]uint32
	variables   [][3]uint32 // pointer type, id, storage class
	local       [3]uint32
	needs       Features
}

func reflectModule(code []byte) (*module, error) {
	if len(code)%4 != 0 || len(code) < 20 || binary.LittleEndian.Uint32(code) != 0x07230203 {
		return nil, errors.New("not SPIR-V")
	}
	s := spirv{
		names: map[uint32]string{}, memberNames: map[memberKey]string{},
		decor: map[memberKey]uint32{}, memberDecor: map[[3]uint32]uint32{},
		types: map[uint32]spirvType{}, constants: map[uint32]uint32{},
	}
	words := make([]uint32, len(code)/4)
	for i := range words {
		words[i] = binary.LittleEndian.Uint32(code[4*i:])
	}
	for at := 5; at < len(words); {
		n := int(words[at] >> 16)
		if n == 0 || at+n > len(words) {
			return nil, errors.New("truncated SPIR-V")
		}
		s.instruction(words[at]&0xffff, words[at+1:at+n:at+n])
		at += n
	}
	return s.module(code)
}

func (s *spirv) instruction(op uint32, w []uint32) {
	switch op {
	case opName:
		s.names[w[0]] = text(w[1:])
	case opMemberName:
		s.memberNames[memberKey{w[0], w[1]}] = text(w[2:])
	case opCapability:
		s.needs |= capabilities[w[0]]
	case opExecutionMode:
		if w[1] == modeLocalSize {
			s.local = [3]uint32{w[2], w[3], w[4]}
		}
	case opDecorate:
		s.decor[memberKey{w[0], w[1]}] = append(w[2:], 0)[0]
	case opMemberDecorate:
		s.memberDecor[[3]uint32{w[0], w[1], w[2]}] = append(w[3:], 0)[0]
	case opTypeInt, opTypeFloat, opTypeVector, opTypeImage, opTypeSampledImage, opTypeArray, opTypeRuntimeArray, opTypeStruct, opTypePtr:
		s.types[w[0]] = spirvType{op, w[1:]}
	case opConstant:
		s.constants[w[1]] = w[2]
	case opVariable:
		s.variables = append(s.variables, [3]uint32{w[0], w[1], w[2]})
	}
}

func (s *spirv) module(code []byte) (*module, error) {
	m := &module{code: code, specIDs: map[string]uint32{}, local: s.local, needs: s.needs}
	byNumber := map[uint32]binding{}
	for _, v := range s.variables {
		block := s.types[v[0]].args
		if len(block) < 2 {
			continue
		}
		id := block[1]
		switch v[2] {
		case classPushConstant:
			m.push = s.fields(id)
		case classUniformConstant:
			if err := s.checkTexels(v[1], id); err != nil {
				return nil, err
			}
			byNumber[s.decor[memberKey{v[1], decorBinding}]] = binding{name: s.names[v[1]], read: true, texels: true}
		case classStorageBuffer:
			if set := s.decor[memberKey{v[1], decorDescriptorSet}]; set != 0 {
				return nil, fmt.Errorf("%s is in set %d: only set 0 is bound", s.names[id], set)
			}
			b := binding{name: s.names[id], fields: s.fields(id)}
			b.read = !s.everyMember(id, v[1], decorNonReadable)
			b.write = !s.everyMember(id, v[1], decorNonWritable)
			number := s.decor[memberKey{v[1], decorBinding}]
			if other, ok := byNumber[number]; ok { // the same buffer as elements of another type
				b.name, b.fields = other.name, other.fields
				b.read, b.write = b.read || other.read, b.write || other.write
			}
			byNumber[number] = b
		}
	}
	for key, specID := range s.decor {
		if key.member == decorSpecID {
			name := s.names[key.id]
			m.specIDs[name] = specID
			if name == subgroupConstant {
				m.needs |= SubgroupSizeControl
			}
			if b, ok := byNumber[specID-firstTypeID]; ok && specID >= firstTypeID {
				b.typeID = name
				byNumber[specID-firstTypeID] = b
			}
		}
	}
	for i := uint32(0); i < uint32(len(byNumber)); i++ {
		b, ok := byNumber[i]
		if !ok {
			return nil, fmt.Errorf("bindings are not numbered without gaps: no %d", i)
		}
		m.bindings = append(m.bindings, b)
	}
	return m, nil
}

// checkTexels checks that a variable outside of any block is a samplerBuffer
// of set 0, the only kind that is bound.
func (s *spirv) checkTexels(variable, id uint32) error {
	const dimBuffer = 5
	if t := s.types[id]; t.op == opTypeSampledImage {
		image := s.types[t.args[0]]
		kind, n := s.scalars(image.args[0])
		if image.args[1] == dimBuffer && kind == F32 && n == 1 && s.decor[memberKey{variable, decorDescriptorSet}] == 0 {
			return nil
		}
	}
	return fmt.Errorf("%s is no storage buffer and no samplerBuffer of set 0", s.names[variable])
}

// everyMember reports whether a block's variable or all of its members are
// decorated so.
func (s *spirv) everyMember(block, variable, decoration uint32) bool {
	if _, ok := s.decor[memberKey{variable, decoration}]; ok {
		return true
	}
	for i := range s.types[block].args {
		if _, ok := s.memberDecor[[3]uint32{block, uint32(i), decoration}]; !ok {
			return false
		}
	}
	return true
}

// fields lists the scalar members of a block up to its first member of
// unknown size; of a block that is an array of structs, the struct's members.
func (s *spirv) fields(block uint32) []field {
	var list []field
	for i, t := range s.types[block].args {
		if element := s.types[t]; i == 0 && element.op == opTypeRuntimeArray && s.types[element.args[0]].op == opTypeStruct {
			return s.fields(element.args[0])
		}
		key := memberKey{block, uint32(i)}
		kind, n := s.scalars(t)
		if n == 0 {
			break
		}
		offset := s.memberDecor[[3]uint32{block, uint32(i), decorOffset}]
		for j := range n {
			list = append(list, field{s.memberNames[key], offset + 4*j, kind})
		}
	}
	return list
}

// scalars says what 4-byte scalars a type consists of; none if it is of
// another kind.
func (s *spirv) scalars(id uint32) (Type, uint32) {
	t := s.types[id]
	switch t.op {
	case opTypeFloat:
		if t.args[0] == 32 {
			return F32, 1
		}
	case opTypeInt:
		if t.args[0] == 32 && t.args[1] == 0 {
			return U32, 1
		} else if t.args[0] == 32 {
			return I32, 1
		}
	case opTypeVector:
		kind, n := s.scalars(t.args[0])
		return kind, n * t.args[1]
	case opTypeArray:
		kind, n := s.scalars(t.args[0])
		return kind, n * s.constants[t.args[1]]
	}
	return F32, 0
}

// text reads a literal string.
func text(w []uint32) string {
	var b []byte
	for _, x := range w {
		for range 4 {
			if byte(x) == 0 {
				return string(b)
			}
			b = append(b, byte(x))
			x >>= 8
		}
	}
	return string(b)
}
