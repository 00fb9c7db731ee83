// What a test can ask the real TF.js to do. The same code runs in Node (worker.mjs) and in the
// browser (page.html): only the IO handler differs, and that is TF.js's own http handler in both.
//
// A tensor travels as {shape, dtype, data}: base64 of the little-endian bytes for float32, int32,
// bool (one byte) and complex64 (re, im), a list of base64 strings for string.

const ARRAYS = {float32: Float32Array, int32: Int32Array, bool: Uint8Array};

function toBase64(bytes) {
  if (globalThis.Buffer) {
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
  }
  let text = '';
  // String.fromCharCode takes its bytes as arguments, of which there is a limit.
  for (let start = 0; start < bytes.length; start += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(start, start + 0x8000));
  }
  return btoa(text);
}

function fromBase64(text) {
  // A copy, because a typed array wants an aligned offset, and Buffer cuts from a pool.
  if (globalThis.Buffer) return new Uint8Array(Buffer.from(text, 'base64'));
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

function decodeTensor(tf, {shape, dtype, data}) {
  if (dtype === 'string') return tf.tensor(data.map(fromBase64), shape, 'string');
  const {buffer} = fromBase64(data);
  if (dtype === 'complex64') {
    const pairs = new Float32Array(buffer);
    return tf.complex(
        tf.tensor(pairs.filter((_, i) => i % 2 === 0), shape),
        tf.tensor(pairs.filter((_, i) => i % 2 === 1), shape));
  }
  if (!(dtype in ARRAYS)) throw new Error(`The harness cannot feed dtype ${dtype}`);
  return tf.tensor(new ARRAYS[dtype](buffer), shape, dtype);
}

async function encodeTensor(tensor) {
  const {shape, dtype} = tensor;
  if (dtype === 'string') {
    const bytes = await tensor.bytes();
    return {shape, dtype, data: bytes.map(toBase64)};
  }
  // Some kernels answer with an Int32Array under a float32 label.
  const data = await tensor.data();
  const Wanted = dtype === 'complex64' ? Float32Array : ARRAYS[dtype];
  const values = data instanceof Wanted ? data : Wanted.from(data);
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return {shape, dtype, data: toBase64(bytes)};
}

function asList(result) {
  if (Array.isArray(result)) return result;
  return [result];
}

async function encodeOutputs(result, names) {
  // A graph model with structured output keys answers with an object.
  const isMap = result.dataId === undefined && !Array.isArray(result);
  const tensors = isMap ? Object.values(result) : asList(result);
  const keys = isMap ? Object.keys(result) : names;
  const encoded = [];
  for (const [i, tensor] of tensors.entries()) {
    encoded.push({name: keys[i] ?? null, ...await encodeTensor(tensor)});
  }
  tensors.forEach((tensor) => tensor.dispose());
  return encoded;
}

// Calls is a list of calls, each a list of tensors or an object of tensors by name: a stateful
// model is called several times.
async function runCalls(tf, calls, names, call) {
  const results = [];
  for (const one of calls) {
    const byName = !Array.isArray(one);
    const tensors = Object.values(one).map((tensor) => decodeTensor(tf, tensor));
    const inputs = byName ?
        Object.fromEntries(Object.keys(one).map((key, i) => [key, tensors[i]])) :
        (tensors.length === 1 ? tensors[0] : tensors);
    results.push(await encodeOutputs(await call(inputs), names));
    tensors.forEach((tensor) => tensor.dispose());
  }
  return results;
}

function describeTensors(tensors, names) {
  return tensors.map(
      ({shape, dtype}, i) => ({name: names[i], shape: shape ?? null, dtype: dtype ?? null}));
}

async function layersJob(tf, job, handler) {
  const model = await tf.loadLayersModel(handler, {strict: job.strict ?? true});
  // A Sequential has no names until it is first used.
  if (model.inputNames.length === 0) model.build();
  const answer = {
    inputs: describeTensors(model.inputs, model.inputNames),
    outputs: describeTensors(model.outputs, model.outputNames),
    weights: model.weights.map((w) => ({name: w.originalName, shape: w.shape, dtype: w.dtype})),
  };
  answer.calls = await runCalls(
      tf, job.calls, model.outputNames, (x) => model.predict(x, {batchSize: job.batch_size}));
  model.dispose();
  return answer;
}

async function graphJob(tf, job, handler) {
  const model = await tf.loadGraphModel(handler);
  const [inputs, outputs] = [model.inputs, model.outputs].map(
      (tensors) => describeTensors(tensors, tensors.map((tensor) => tensor.name)));
  const answer = {inputs, outputs};
  const names = job.outputs ?? model.outputs.map((node) => node.name);
  const methods = {
    predict: (x) => model.predict(x),
    predictAsync: (x) => model.predictAsync(x),
    execute: (x) => model.execute(x, job.outputs),
    executeAsync: (x) => model.executeAsync(x, job.outputs),
  };
  answer.calls = await runCalls(tf, job.calls, names, methods[job.method ?? 'predict']);
  model.dispose();
  return answer;
}

// What tf.io makes of the weights by themselves, without any model.
async function weightsJob(tf, job, handler) {
  const {weightData, weightSpecs} = await handler.load();
  const tensors = tf.io.decodeWeights(weightData, weightSpecs);
  const weights = [];
  for (const [name, tensor] of Object.entries(tensors)) {
    weights.push({name, ...await encodeTensor(tensor)});
    tensor.dispose();
  }
  return {weights};
}

async function saveJob(tf, job, handler, saveTo) {
  const model = await tf.loadLayersModel(handler, {strict: job.strict ?? true});
  await model.save(saveTo(job), {includeOptimizer: job.include_optimizer ?? false});
  model.dispose();
  return {};
}

const JOBS = {layers: layersJob, graph: graphJob, weights: weightsJob, save: saveJob};

/**
 * Runs one job and answers with a JSON object.
 *
 * @param tf the TF.js module.
 * @param job {op, path, backend, ...} as the Python side sends it.
 *     A job that is `watched` is told how far the loading is, as `progress`.
 * @param handlerFor makes the IO handler that loads a path, given TF.js's options for it.
 * @param saveTo makes the IO handler that saves as the job asks.
 */
export async function runJob(tf, job, handlerFor, saveTo) {
  if (!(job.op in JOBS)) throw new Error(`There is no op ${job.op}`);
  const backend = job.backend ?? 'cpu';
  if (tf.getBackend() !== backend && !await tf.setBackend(backend)) {
    throw new Error(`TF.js could not start its ${backend} backend`);
  }
  // The GPU backends run small tensors on the CPU, and would hide the faults of their kernels.
  if (backend === 'webgl') tf.env().set('WEBGL_CPU_FORWARD', false);
  const before = tf.memory().numTensors;
  const progress = [];
  const options = job.watched ? {onProgress: (fraction) => progress.push(fraction)} : {};
  const answer = await JOBS[job.op](tf, job, handlerFor(job.path, options), saveTo);
  return {...answer, progress, backend: tf.getBackend(), leaked: tf.memory().numTensors - before};
}

/** An error as it travels to Python. */
export function describeError(error) {
  return {name: error?.name ?? 'Error', message: String(error?.message ?? error),
          stack: String(error?.stack ?? '')};
}
