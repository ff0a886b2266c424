package op

import (
	"testing"

	"dino-vk/gpu/gputest"
)

func TestMain(m *testing.M) { gputest.Main(m) }
