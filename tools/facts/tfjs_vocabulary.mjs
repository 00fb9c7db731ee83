// Writes the layer vocabulary of a TF.js release as data: src/tfjs/layers/data/tfjs_4_22.json.
//
//   node tools/facts/tfjs_vocabulary.mjs [folder that holds node_modules]
//
// Which config keys a class reads is observed: the config given to it is a Proxy that notes every
// key asked for. Keys are written in snake_case as in a model.json. Reads of several trial configs
// are united, because some keys are looked at only beside others (dtype beside input_shape).
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const data = join(here, '..', '..', 'src', 'tfjs', 'layers', 'data');
const root = resolve(process.argv[2] ?? process.env.TFJS_ROOT ?? '/work/env/node');
const require = createRequire(join(root, 'package.json'));
for (const level of ['log', 'info', 'warn']) console[level] = () => {};

// A constructor may hand a copy of its config on; the copy is watched too: what was copied moves
// into a watched prototype of the copy. TF.js takes Object.assign when it is loaded, so this
// stands before that.
const watched = new WeakMap();
const assign = Object.assign;
Object.assign = (target, ...sources) => {
  const traces = sources.map((source) => source && watched.get(source));
  const trace = traces.find((found) => found);
  if (!trace) return assign(target, ...sources);
  const copy = assign({}, target, ...sources.map((source, i) => traces[i]?.config ?? source));
  for (const key of Object.keys(target)) delete target[key];
  watched.set(target, { config: copy, keys: trace.keys });
  return Object.setPrototypeOf(target, watch(copy, trace.keys));
};

function watch(config, keys) {
  const note = (key) => typeof key === 'string' && keys.add(snake(key));
  const proxy = new Proxy(config, {
    get(target, key) {
      note(key);
      return Reflect.get(target, key);
    },
    has(target, key) {
      note(key);
      return Reflect.has(target, key);
    },
  });
  watched.set(proxy, { config, keys });
  return proxy;
}

const tf = require('@tensorflow/tfjs');
await tf.setBackend('cpu');

const keras = ['keras2', 'keras3'].map((name) => JSON.parse(readFileSync(join(data, `${name}.json`))));
const camel = (key) => key.replace(/(?<=.)_(\w)/g, (_, letter) => letter.toUpperCase());
const snake = (key) =>
  key.replace(/(.)([A-Z][a-z0-9]+)/g, '$1_$2').replace(/([a-z])([A-Z])/g, '$1_$2').replace(/^beta(\d)/, 'beta_$1').toLowerCase();

const registered = tf.serialization.SerializationMap.getMap().classNameMap;
const layer = (className, config) => ({ className, config });
const dense = () => layer('Dense', { units: 3, name: 'inner' });
const lstm = () => layer('LSTM', { units: 3, name: 'inner' });
const input = () => layer('InputLayer', { batchInputShape: [null, 4], name: 'first' });

// What each class needs at least; a function, since TF.js changes the configs it is given.
const samples = {
  Activation: () => ({ activation: 'relu' }),
  Bidirectional: () => ({ layer: lstm(), mergeMode: 'concat' }),
  CategoryEncoding: () => ({ numTokens: 4 }),
  CenterCrop: () => ({ height: 3, width: 3 }),
  Constant: () => ({ value: 1 }),
  ConvLSTM2DCell: () => ({ filters: 3, kernelSize: [2, 2] }),
  Identity: () => ({ gain: 1 }),
  Dot: () => ({ axes: 1 }),
  Functional: () => functional(),
  InputLayer: () => ({ batchInputShape: [null, 4] }),
  Model: () => functional(),
  Permute: () => ({ dims: [2, 1] }),
  RNN: () => ({ cell: layer('LSTMCell', { units: 3 }) }),
  RandomWidth: () => ({ factor: 0.5 }),
  RepeatVector: () => ({ n: 2 }),
  Reshape: () => ({ targetShape: [2, 2] }),
  Resizing: () => ({ height: 3, width: 3 }),
  Sequential: () => ({ name: 'model', layers: [input(), dense()] }),
  StackedRNNCells: () => ({ cells: [layer('LSTMCell', { units: 3 })] }),
  TimeDistributed: () => ({ layer: dense() }),
  Adadelta: () => ({ learningRate: 0.1, rho: 0.9, epsilon: 1e-7 }),
  Adagrad: () => ({ learningRate: 0.1, initialAccumulatorValue: 0.1 }),
  Adam: () => adam(),
  Adamax: () => ({ ...adam(), decay: 0 }),
  Momentum: () => ({ learningRate: 0.1, momentum: 0.9, useNesterov: true }),
  RMSProp: () => ({ learningRate: 0.1, decay: 0.9, momentum: 0, epsilon: 1e-7, centered: true }),
  SGD: () => ({ learningRate: 0.1 }),
  MaxNorm: () => ({ maxValue: 2, axis: 0 }),
  VarianceScaling: () => ({ scale: 1, mode: 'fanIn', distribution: 'normal' }),
};

function adam() {
  return { learningRate: 0.1, beta1: 0.9, beta2: 0.99, epsilon: 1e-7 };
}

function functional() {
  return {
    name: 'model',
    layers: [
      { ...input(), name: 'first', inboundNodes: [] },
      { ...dense(), name: 'inner', inboundNodes: [[['first', 0, 0, {}]]] },
    ],
    inputLayers: [['first', 0, 0]],
    outputLayers: [['inner', 0, 0]],
  };
}

const plausible = {
  activation: 'relu', alpha: 0.1, axes: 1, cropping: [[0, 0], [0, 0]], depthMultiplier: 1,
  dims: [2, 1], factor: 0.5, filters: 3, height: 3, inputDim: 7, kernelSize: 2, n: 2,
  numTokens: 4, outputDim: 3, poolSize: 2, rate: 0.5, scale: 0.5, stddev: 0.5, targetShape: [2, 2],
  units: 3, width: 3,

};
const rank = { '1D': 1, '2D': 2, '3D': 3 };

function minimal(name) {
  if (samples[name]) return samples[name]();
  const config = {};
  const entry = keras.map((k) => k.layers[name]).find((k) => k);
  for (const [key, value] of Object.entries(entry?.keys ?? {})) {
    if (value && value.required) config[camel(key)] = plausible[camel(key)];
  }
  const size = rank[name.match(/[123]D/)?.[0]];
  if (size && 'kernelSize' in config) config.kernelSize = Array(size).fill(2);
  if (size && name.includes('Pooling')) config.poolSize = Array(size).fill(2);
  return config;
}

// Every key that either Keras writes for the class, with the value it has when nothing is said.
function written(name) {
  const config = {};
  for (const { layers } of keras) {
    for (const [key, value] of Object.entries(layers[name]?.keys ?? {})) {
      if (value === null || value.required || ['dtype', 'weights'].includes(key)) continue;
      if (!(camel(key) in config)) config[camel(key)] = renamed(value);
    }
  }
  return { ...config, ...minimal(name) };
}

function renamed(value) {
  if (value && value.class_name) return { className: value.class_name, config: value.config };
  return typeof value === 'string' && value.includes('_') ? camel(value) : value;
}

const trials = [
  minimal,
  written,
  (name) => ({ ...minimal(name), inputShape: [4], name: 'probe' }),
  (name) => ({ ...minimal(name), inputShape: [4], batchSize: 2, dtype: 'float32' }),
  (name) => ({ ...minimal(name), batchInputShape: [null, 4], dtype: 'float32', weights: null }),
  (name) => ({ ...minimal(name), interpolation: 'nearest', padding: 'same', axis: 0 }),
];

function trace(name) {
  const [cls, fromConfig] = registered[name];
  const keys = new Set();
  const errors = [];
  let instance = null;
  for (const trial of trials) {
    const config = watch(trial(name), keys);
    try {
      instance = fromConfig(cls, config) ?? instance;
    } catch (error) {
      errors.push(String(error.message));
    }
  }
  if (instance === null) throw new Error(`${name}: no trial built it: ${errors.join('; ')}`);
  keys.delete('constructor');
  keys.delete('to_json');
  return { instance, keys: [...keys].sort() };
}

function base(instance) {
  let prototype = Object.getPrototypeOf(instance);
  for (;;) {
    const next = Object.getPrototypeOf(prototype);
    if (!next || next.constructor === tf.serialization.Serializable) return prototype.constructor;
    prototype = next;
  }
}

const bases = {
  layers: tf.layers.Layer,
  initializers: base(tf.initializers.zeros()),
  regularizers: base(tf.regularizers.l1()),
  constraints: base(tf.constraints.nonNeg()),
  optimizers: tf.Optimizer,
};

// One Dense layer with the activation, loaded from JSON as a user's model is.
async function activationLoads(name) {
  const topology = {
    class_name: 'Sequential',
    config: {
      name: 'model',
      layers: [
        {
          class_name: 'Dense',
          config: { name: 'probe', units: 2, activation: name, batch_input_shape: [null, 2] },
        },
      ],
    },
  };
  try {
    const model = await tf.loadLayersModel(tf.io.fromMemory({ modelTopology: topology }), {
      strict: false,
    });
    model.predict(tf.tensor2d([[0.5, -0.5]]));
    return true;
  } catch (error) {
    if (/nknown activation/.test(error.message)) return false;
    throw error;
  }
}

const result = {
  meta: { package: '@tensorflow/tfjs', version: tf.version.tfjs, made_by: 'tools/facts/tfjs_vocabulary.mjs' },
  layers: {}, initializers: {}, regularizers: {}, constraints: {}, optimizers: {},
};
const activationNames = new Set(keras.flatMap((k) => Object.keys(k.activations)));
for (const name of Object.keys(registered).sort()) {
  const kind = Object.keys(bases).find((k) => registered[name][0].prototype instanceof bases[k]);
  if (!kind) {
    activationNames.add(snake(name));
    continue;
  }
  const { instance, keys } = trace(name);
  const entry = { keys };
  if (kind === 'layers') {
    entry.supports_masking = instance.supportsMasking === true;
    entry.rnn = instance instanceof registered.RNN[0];
  }
  result[kind][name] = entry;
}
result.activations = [];
for (const name of [...activationNames].sort()) {
  if (await activationLoads(name)) result.activations.push(name);
}

const sorted = (value) => {
  if (Array.isArray(value) || value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
};
const file = `tfjs_${tf.version.tfjs.split('.').slice(0, 2).join('_')}.json`;
writeFileSync(join(data, file), `${JSON.stringify(sorted(result), null, 1)}\n`);
