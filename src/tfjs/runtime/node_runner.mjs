// Runs one model in the real TF.js for node.py: `node node_runner.mjs MODEL.json BACKEND`.
//
// Both sides send frames: the length of a JSON object (4 bytes, little-endian), the object, and the
// bytes of its tensors, one behind the other. A tensor is {shape, dtype, bytes}; of strings there
// are `lengths` too, one for each text. The script answers first, with what it has loaded.

import {execFileSync} from 'node:child_process';
import {readFileSync, readSync, writeSync} from 'node:fs';
import {readFile} from 'node:fs/promises';
import {createRequire} from 'node:module';
import path from 'node:path';

const ARRAYS = {float32: Float32Array, int32: Int32Array, bool: Uint8Array, complex64: Float32Array};
const SITE = 'http://model.invalid/';

// Standard output carries the frames, and what TF.js greets with concerns nobody.
for (const level of ['debug', 'log', 'info', 'warn']) console[level] = () => {};

class Missing extends Error {}

// The pipes -----------------------------------------------------------------------------------------

function readExactly(size) {
  const buffer = Buffer.alloc(size);
  let filled = 0;
  while (filled < size) {
    const count = readSome(buffer, filled);
    if (count === 0) process.exit(0);  // Python has closed its end
    filled += count;
  }
  return buffer;
}

function readSome(buffer, offset) {
  try {
    return readSync(0, buffer, offset, buffer.length - offset, null);
  } catch (error) {
    if (error.code === 'EOF') return 0;  // what Windows calls the end of a pipe
    throw error;
  }
}

function writeAll(buffer) {
  for (let done = 0; done < buffer.length;) done += writeSync(1, buffer, done);
}

function receive() {
  return JSON.parse(readExactly(readExactly(4).readUInt32LE()).toString());
}

function send(answer, chunks = []) {
  const text = Buffer.from(JSON.stringify(answer));
  const size = Buffer.alloc(4);
  size.writeUInt32LE(text.length);
  for (const chunk of [size, text, ...chunks]) writeAll(chunk);
}

// Tensors -------------------------------------------------------------------------------------------

function tensorOf(tf, {shape, dtype, lengths}, data) {
  if (dtype === 'string') {
    let start = 0;
    const texts = lengths.map((length) => new Uint8Array(data.subarray(start, start += length)));
    return tf.tensor(texts, shape, 'string');
  }
  // A copy, because a typed array wants an aligned offset.
  const values = new ARRAYS[dtype](Uint8Array.from(data).buffer);
  if (dtype !== 'complex64') return tf.tensor(values, shape, dtype);
  const [real, imag] = [0, 1].map((part) => values.filter((_, i) => i % 2 === part));
  return tf.complex(tf.tensor(real, shape), tf.tensor(imag, shape));
}

async function described(tensor) {
  const {shape, dtype} = tensor;
  if (dtype === 'string') {
    const texts = await tensor.bytes();
    const data = Buffer.concat(texts);
    return [{shape, dtype, bytes: data.length, lengths: texts.map((text) => text.length)}, data];
  }
  const found = await tensor.data();
  // Some kernels answer with an Int32Array under a float32 label.
  const values = found instanceof ARRAYS[dtype] ? found : ARRAYS[dtype].from(found);
  const data = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  return [{shape, dtype, bytes: data.length}, data];
}

// TF.js ---------------------------------------------------------------------------------------------

function globalFolder() {
  try {
    const options = {
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 20000,
      shell: process.platform === 'win32',
      env: {...process.env, npm_config_logs_max: '0', npm_config_update_notifier: 'false'},
    };
    return path.dirname(execFileSync('npm', ['root', '-g'], options).toString().trim());
  } catch {
    return null;  // no npm, no packages of its
  }
}

// As Node finds a package for a script in the current folder, else where npm installs globally.
function required(name) {
  for (const folderOf of [() => process.cwd(), globalFolder]) {
    const folder = folderOf();
    if (folder === null) continue;
    const require = createRequire(path.join(folder, 'script.js'));
    let file;
    try {
      file = require.resolve(name);
    } catch (error) {
      if (error.code === 'MODULE_NOT_FOUND') continue;
      throw error;
    }
    return {found: require(file), folder: path.dirname(file)};
  }
  throw new Missing(name);
}

async function start(backend) {
  const {found: tf} = required('@tensorflow/tfjs');
  if (backend === 'wasm') {
    const {found: wasm, folder} = required('@tensorflow/tfjs-backend-wasm');
    wasm.setWasmPaths(folder + path.sep);
  }
  if (!await tf.setBackend(backend)) throw new Error(`the backend ${backend} does not start`);
  await tf.ready();
  return tf;
}

// Serves the folder of the model to TF.js's own handler as a web server would, and nothing else.
function handlerFor(tf, file) {
  const folder = path.dirname(file);
  const fetchFunc = async (url) => {
    const {origin, pathname} = new URL(url);
    const asked = path.join(folder, decodeURIComponent(pathname));
    const inside = origin + '/' === SITE && asked.startsWith(path.join(folder, path.sep));
    // TF.js would take the page of a 404 for weights.
    if (!inside) throw new Error(`${url} is not in the folder of the model`);
    return new Response(await readFile(asked));
  };
  return tf.io.http(SITE + encodeURIComponent(path.basename(file)), {fetchFunc});
}

function isGraph(file) {
  const {format, modelTopology} = JSON.parse(readFileSync(file, 'utf8').replace(/^\uFEFF/, ''));
  return format ? format === 'graph-model' : Array.isArray(modelTopology?.node);
}

function ports(tensors, names) {
  return tensors.map(
      ({shape, dtype}, i) => ({name: names[i], shape: shape ?? null, dtype: dtype ?? null}));
}

async function loadGraph(tf, handler) {
  const model = await tf.loadGraphModel(handler);
  let dynamic = false;
  const call = async (tensors, names) => {
    const inputs = Object.fromEntries(names.map((name, i) => [name, tensors[i]]));
    if (!dynamic) {
      try {
        return model.execute(inputs, model.outputNodes);
      } catch (error) {
        // It tells so before anything runs.
        if (!String(error.message).includes('executeAsync')) throw error;
        dynamic = true;
      }
    }
    return model.executeAsync(inputs, model.outputNodes);
  };
  const inputs = ports(model.inputs, model.inputNodes);
  return {call, inputs, outputs: ports(model.outputs, model.outputNodes)};
}

async function loadLayers(tf, handler) {
  const model = await tf.loadLayersModel(handler);
  // A Sequential has no names until it is first used.
  if (model.inputNames.length === 0) model.build();
  const call = async (tensors) => model.predict(tensors.length === 1 ? tensors[0] : tensors);
  const inputs = ports(model.inputs, model.inputNames);
  return {call, inputs, outputs: ports(model.outputs, model.outputNames)};
}

// Jobs ----------------------------------------------------------------------------------------------

const seconds = (since) => (performance.now() - since) / 1000;

// An answer counts as there once its numbers are.
async function timed(model, tensors, names) {
  const since = performance.now();
  const found = [await model.call(tensors, names)].flat();
  await Promise.all(found.map((tensor) => tensor.data()));
  return [seconds(since), found];
}

async function job(tf, model, feeds, data, runs) {
  const tensors = feeds.map((feed, i) => tensorOf(tf, feed, data[i]));
  const names = feeds.map(({name}) => name);
  const [first, found] = await timed(model, tensors, names);
  const answers = await Promise.all(found.map(described));
  found.forEach((tensor) => tensor.dispose());
  const times = [];
  while (times.length < runs) {
    const [time, again] = await timed(model, tensors, names);
    again.forEach((tensor) => tensor.dispose());
    times.push(time);
  }
  tensors.forEach((tensor) => tensor.dispose());
  const outputs = answers.map(([told]) => told);
  send({ok: true, first, times, outputs}, answers.map(([, bytes]) => bytes));
}

function sendError(error) {
  const message = String(error?.message ?? error);
  send({ok: false, missing: error instanceof Missing, message});
}

async function serve(file, backend) {
  const tf = await start(backend);
  const since = performance.now();
  const model = await (isGraph(file) ? loadGraph : loadLayers)(tf, handlerFor(tf, file));
  const {inputs, outputs} = model;
  send({ok: true, version: tf.version.tfjs, load: seconds(since), inputs, outputs});
  for (;;) {
    const {feeds, runs} = receive();
    const data = feeds.map(({bytes}) => readExactly(bytes));
    try {
      await job(tf, model, feeds, data, runs);
    } catch (error) {
      sendError(error);
    }
  }
}

try {
  await serve(...process.argv.slice(2));
} catch (error) {
  sendError(error);
  process.exit(1);  // threads of a backend would keep it alive
}
