package gpu_test

import (
	"testing"

	"dino-vk/gpu/gputest"
)

func TestMain(m *testing.M) { gputest.Main(m) }
