// One thread that owns TF.js. run_model.mjs gives it one job at a time and ends the thread when a
// job hangs: TF.js's loader never yields in its endless loops, so nothing in here could.

import {readFile, mkdir, writeFile} from 'node:fs/promises';
import {createRequire} from 'node:module';
import path from 'node:path';
import {pathToFileURL} from 'node:url';
import {parentPort} from 'node:worker_threads';

import {describeError, runJob} from './jobs.mjs';

// What TF.js prints goes into the answer: standard output carries the protocol.
let log = [];
for (const level of ['debug', 'log', 'info', 'warn', 'error']) {
  console[level] = (...args) => log.push(`${level}: ${args.map(String).join(' ')}`);
}

// TF.js and its backends are CommonJS on Node.
const require = createRequire(import.meta.url);
const tf = require('@tensorflow/tfjs');
const wasm = require('@tensorflow/tfjs-backend-wasm');
wasm.setWasmPaths(
    path.join(path.dirname(require.resolve('@tensorflow/tfjs-backend-wasm')), path.sep));
// The first tensor brings a greeting, which belongs to no job.
await tf.setBackend('cpu');
tf.scalar(0).dispose();
log = [];

const SITE = 'http://model.test/';

// Serves the folder of a model.json to TF.js's own http handler as a web server would: paths are
// joined, escaped and normalised by the same code as in a browser.
function handlerFor(file, options) {
  const folder = path.dirname(file);
  const fetchFunc = async (url) => {
    const asked = path.join(folder, decodeURIComponent(new URL(url, SITE).pathname));
    try {
      return new Response(await readFile(asked));
    } catch (error) {
      return new Response(`<!doctype html><title>${error.code}</title>`, {status: 404});
    }
  };
  return tf.io.http(SITE + encodeURIComponent(path.basename(file)), {fetchFunc, ...options});
}

// Writes a model as tfjs-node's file:// does ("file"), or as the two files that a browser's
// downloads:// leaves ("downloads"). Both differ from what TF.js's http handler posts in names only.
function saveTo({dest, layout, name}) {
  const [json, bin, manifestPath] = layout === 'file' ?
      ['model.json', 'weights.bin', 'weights.bin'] :
      [`${name}.json`, `${name}.weights.bin`, `./${name}.weights.bin`];
  const fetchFunc = async (_, {body}) => {
    const model = JSON.parse(await body.get('model.json').text());
    model.weightsManifest[0].paths = [manifestPath];
    const weights = await body.get('model.weights.bin').arrayBuffer();
    await mkdir(dest, {recursive: true});
    await writeFile(path.join(dest, json), JSON.stringify(model));
    await writeFile(path.join(dest, bin), new Uint8Array(weights));
    return new Response();
  };
  return tf.io.http(SITE, {fetchFunc});
}

parentPort.on('message', async (job) => {
  log = [];
  try {
    if (job.custom) (await import(pathToFileURL(job.custom))).default(tf);
    const answer = await runJob(tf, job, handlerFor, saveTo);
    parentPort.postMessage({id: job.id, ok: true, log, ...answer});
  } catch (error) {
    parentPort.postMessage({id: job.id, ok: false, log, error: describeError(error)});
  }
});
parentPort.postMessage({ready: true, version: tf.version.tfjs});
