package gpu

// Unpromised are the features whose variants are tested on every device.
var Unpromised = &unpromised
