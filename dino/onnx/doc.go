// Package onnx writes a backbone as a file of the Open Neural Network Exchange
// (https://onnx.ai), which other runtimes load without knowing the model.
//
// The operators are those of opset 13 with IR version 7: what runtimes have
// taken longest. Opset 17 would say LayerNormalization in one node, but runtimes
// of before 2022 lack it, and the newer ones find it again in the nodes written
// here, which are those that PyTorch writes. GELU is the exact one, by Erf.
package onnx
