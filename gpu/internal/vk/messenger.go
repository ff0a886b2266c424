package vk

/*
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// The callback may run on any driver thread, so it stays in C: it keeps the
// messages in a list that Go empties when it wants to.
struct message { struct message *next; char *text; };
struct sink { pthread_mutex_t lock; struct message *first, **last; };

// The beginning of VkDebugUtilsMessengerCallbackDataEXT.
struct callbackData {
	uint32_t sType; const void *pNext; uint32_t flags;
	const char *pMessageIdName; int32_t messageIdNumber; const char *pMessage;
};

static uint32_t collect(uint32_t severity, uint32_t types, const struct callbackData *data, void *user) {
	struct sink *s = user;
	struct message *m = malloc(sizeof *m);
	if (!m) return 0;
	m->next = NULL;
	m->text = strdup(data->pMessage ? data->pMessage : "(no text)");
	pthread_mutex_lock(&s->lock);
	*s->last = m;
	s->last = &m->next;
	pthread_mutex_unlock(&s->lock);
	return 0;
}
static uintptr_t collector(void) { return (uintptr_t)collect; }

static struct sink *newSink(void) {
	struct sink *s = calloc(1, sizeof *s);
	pthread_mutex_init(&s->lock, NULL);
	s->last = &s->first;
	return s;
}

// takeMessage removes the oldest message; the caller frees it.
static char *takeMessage(struct sink *s) {
	pthread_mutex_lock(&s->lock);
	struct message *m = s->first;
	char *text = NULL;
	if (m) {
		text = m->text;
		s->first = m->next;
		if (!s->first) s->last = &s->first;
		free(m);
	}
	pthread_mutex_unlock(&s->lock);
	return text;
}

static void freeSink(struct sink *s) {
	pthread_mutex_destroy(&s->lock);
	free(s);
}
*/
import "C"

import (
	"fmt"
	"unsafe"

	vulkan "github.com/vulkan-go/vulkan"
)

// Names of the validation layer and of the extension that reports messages.
const (
	ValidationLayer     = "VK_LAYER_KHRONOS_validation"
	DebugUtils          = "VK_EXT_debug_utils"
	validationFeatures  = "VK_EXT_validation_features"
	severityWarning     = 0x100
	severityError       = 0x1000
	messageValidation   = 2
	messagePerformance  = 4
	typeMessengerCreate = 1000128004
	typeValidation      = 1000247000
	enableSyncValid     = 4
)

type messengerCreateInfo struct {
	sType       uint32
	pNext       uintptr
	flags       uint32
	severity    uint32
	messageType uint32
	callback    uintptr
	userData    uintptr
}

type validationFeaturesInfo struct {
	sType         uint32
	pNext         uintptr
	enabledCount  uint32
	pEnabled      uintptr
	disabledCount uint32
	pDisabled     uintptr
}

// Messenger collects the warnings and errors of the validation layer.
type Messenger struct {
	sink   *C.struct_sink
	handle uint64
	create *messengerCreateInfo
	arena  Arena
}

// NewMessenger prepares a collector. Its Chain goes into the instance's
// creation, so that messages about the instance itself are seen too.
func NewMessenger() *Messenger {
	m := &Messenger{sink: C.newSink()}
	m.create = New[messengerCreateInfo](&m.arena)
	*m.create = messengerCreateInfo{
		sType:       typeMessengerCreate,
		severity:    severityWarning | severityError,
		messageType: messageValidation | messagePerformance,
		callback:    uintptr(C.collector()),
		userData:    Addr(m.sink),
	}
	return m
}

// Chain is the pNext chain for vkCreateInstance: the messenger and, with
// synchronization validation, the layer's settings.
func (m *Messenger) Chain() unsafe.Pointer {
	if !InstanceExtensions(ValidationLayer)[validationFeatures] {
		return unsafe.Pointer(m.create)
	}
	enabled := New[uint32](&m.arena)
	*enabled = enableSyncValid
	f := New[validationFeaturesInfo](&m.arena)
	*f = validationFeaturesInfo{sType: typeValidation, pNext: Addr(m.create), enabledCount: 1, pEnabled: Addr(enabled)}
	return unsafe.Pointer(f)
}

// Attach registers the collector with an instance.
func (m *Messenger) Attach(in Instance) error {
	out := New[uint64](&m.arena)
	m.create.pNext = 0
	r := in.result("vkCreateDebugUtilsMessengerEXT", in.instance(), uint64(Addr(m.create)), 0, uint64(Addr(out)))
	if r != vulkan.Success {
		return fmt.Errorf("debug messenger: %w", vulkan.Error(r))
	}
	m.handle = *out
	return nil
}

// Detach unregisters the collector; call it right before the instance goes.
func (m *Messenger) Detach(in Instance) {
	if m.handle != 0 {
		in.call("vkDestroyDebugUtilsMessengerEXT", in.instance(), m.handle, 0)
		m.handle = 0
	}
}

func (in Instance) instance() uint64 { return Handle(unsafe.Pointer(in.handle)) }

// Take removes and returns the messages collected so far.
func (m *Messenger) Take() []string {
	var list []string
	for {
		text := C.takeMessage(m.sink)
		if text == nil {
			return list
		}
		list = append(list, C.GoString(text))
		C.free(unsafe.Pointer(text))
	}
}

// Free releases the collector; the instance must be gone.
func (m *Messenger) Free() {
	m.Take()
	C.freeSink(m.sink)
	m.arena.Free()
}
