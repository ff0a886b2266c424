package vk

import (
	"math"
	"unsafe"

	vulkan "github.com/vulkan-go/vulkan"
)

// CaptureStatistics asks the driver to keep what Executables tells of a pipeline.
const CaptureStatistics = 0x40 // VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR

// Executable is a program that a driver made for a pipeline.
type Executable struct {
	Name         string
	SubgroupSize uint32
	Statistics   []Statistic
}

// Statistic is a number that a driver tells of an executable.
type Statistic struct {
	Name, Description string
	Value             float64
}

type pipelineInfo struct {
	sType    uint32
	_        uintptr // pNext
	pipeline uint64
	index    uint32 // of the executable, in VkPipelineExecutableInfoKHR
}

type executableProperties struct {
	header
	_            uint32 // stages
	name         [256]byte
	_            [256]byte // description
	subgroupSize uint32
}

type executableStatistic struct {
	header
	name, description [256]byte
	format            uint32
	value             uint64
}

// number reads a statistic's value by its VkPipelineExecutableStatisticFormatKHR.
func (s *executableStatistic) number() float64 {
	switch s.format {
	case 0: // VkBool32
		return float64(uint32(s.value))
	case 1:
		return float64(int64(s.value))
	case 3:
		return math.Float64frombits(s.value)
	}
	return float64(s.value)
}

// Executables asks for the programs of a pipeline made with CaptureStatistics.
// The device needs the feature ExecutableProperties.
func (in Instance) Executables(device vulkan.Device, pipeline vulkan.Pipeline) []Executable {
	var a Arena
	defer a.Free()
	info := New[pipelineInfo](&a)
	info.sType = typePipelineInfo
	info.pipeline = Handle(unsafe.Pointer(pipeline))
	var list []Executable
	query(func(count, list uint64) vulkan.Result {
		return in.result("vkGetPipelineExecutablePropertiesKHR", dev(device), uint64(Addr(info)), count, list)
	}, func(p *executableProperties) { p.sType = typeExecutableProperties }, func(p *executableProperties) {
		list = append(list, Executable{Name: cstring(p.name[:]), SubgroupSize: p.subgroupSize})
	})
	info.sType = typeExecutableInfo
	for i := range list {
		info.index = uint32(i)
		query(func(count, list uint64) vulkan.Result {
			return in.result("vkGetPipelineExecutableStatisticsKHR", dev(device), uint64(Addr(info)), count, list)
		}, func(s *executableStatistic) { s.sType = typeExecutableStatistic }, func(s *executableStatistic) {
			list[i].Statistics = append(list[i].Statistics, Statistic{cstring(s.name[:]), cstring(s.description[:]), s.number()})
		})
	}
	return list
}
