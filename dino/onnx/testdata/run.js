// Computes a file's outputs with ONNX Runtime, for TestRuntime.
// node run.js MODEL INPUT N SIZE OUTPUT: INPUT is (N, 3, SIZE, SIZE) f32; OUTPUT
// becomes the model's outputs, one behind the other in their names' order.
const fs = require("fs");
const ort = require("onnxruntime-node");
const [model, input, n, size, output] = process.argv.slice(2);

(async () => {
  const bytes = fs.readFileSync(input);
  const pixels = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const session = await ort.InferenceSession.create(model);
  const image = new ort.Tensor("float32", pixels, [+n, 3, +size, +size]);
  const results = await session.run({ image });
  const raw = (t) => Buffer.from(t.data.buffer, t.data.byteOffset, t.data.byteLength);
  fs.writeFileSync(output, Buffer.concat(Object.keys(results).sort().map((name) => raw(results[name]))));
})();
