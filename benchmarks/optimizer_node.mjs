// node optimizer_node.mjs MODULES BACKEND OPTIONS: OPTIONS is JSON {models: {NAME: FOLDER}, ...}, the
// rest as optimizer_turns.mjs takes it; prints JSON.

import {readFile} from 'node:fs/promises';
import {createRequire} from 'node:module';
import path from 'node:path';

import {inTurns} from './optimizer_turns.mjs';

const [modules, backend, text] = process.argv.slice(2);
const {models, ...options} = JSON.parse(text);
// What TF.js greets with concerns nobody.
for (const level of ['debug', 'log', 'info', 'warn']) console[level] = () => {};

const require = createRequire(path.join(modules, 'script.js'));
const tf = require('@tensorflow/tfjs');
if (backend === 'wasm') {
  const wasm = require('@tensorflow/tfjs-backend-wasm');
  wasm.setWasmPaths(path.dirname(require.resolve('@tensorflow/tfjs-backend-wasm')) + path.sep);
}
if (!await tf.setBackend(backend)) throw new Error(`the backend ${backend} does not start`);

function handlerFor(folder) {
  const fetchFunc = async (url) =>
      new Response(await readFile(path.join(folder, new URL(url).pathname)));
  return tf.io.http('http://model.invalid/model.json', {fetchFunc});
}

const handlers = Object.fromEntries(
    Object.entries(models).map(([name, folder]) => [name, handlerFor(folder)]));

function processor() {
  const {user, system} = process.cpuUsage();
  return (user + system) / 1e6;
}

const told = await inTurns(tf, handlers, options, processor);
process.stdout.write(JSON.stringify(told) + '\n', () => process.exit(0));
