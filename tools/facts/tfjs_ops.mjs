// Writes what a TF.js release makes of TensorFlow's operations: src/tfjs/ops/data/tfjs_4_22.json.
//
//   npm install @tensorflow/tfjs@4.22.0 @tensorflow/tfjs-backend-{wasm,webgpu}@4.22.0
//   node tools/facts/tfjs_ops.mjs [folder that holds node_modules]
//
// Inputs and attributes come from the operation lists of the npm package. Whether an operation
// runs, and how, is observed: a graph of it alone is executed by a real GraphModel, and the error
// tells a dynamic operation from one that answers with a promise and from one without a mapping.
// Which kernels each backend has is asked of TF.js. What took single graphs on real backends to
// find out is read from tfjs_ops_measured.json beside this file.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, '..', '..', 'src', 'tfjs', 'ops', 'data', 'tfjs_4_22.json');
const root = resolve(process.argv[2] ?? process.env.TFJS_ROOT ?? '/work/env/node');
const require = createRequire(join(root, 'package.json'));
for (const level of ['log', 'info', 'warn', 'error']) console[level] = () => {};
// The operations that answer with a promise are given inputs that they cannot use.
process.on('unhandledRejection', () => {});

const BACKENDS = ['cpu', 'webgl', 'wasm', 'webgpu'];
const tf = require('@tensorflow/tfjs');
for (const name of ['wasm', 'webgpu']) require(`@tensorflow/tfjs-backend-${name}`);
await tf.setBackend('cpu');
const measured = JSON.parse(readFileSync(join(here, 'tfjs_ops_measured.json')));

async function operationLists() {
  const lists = join(dirname(require.resolve('@tensorflow/tfjs-converter')), 'operations', 'op_list');
  const found = [];
  for (const file of readdirSync(lists).filter((name) => name.endsWith('.js')).sort()) {
    // The files are modules in a package that does not say so.
    const text = readFileSync(join(lists, file), 'utf8').replace(/\/\/# sourceMappingURL.*/s, '');
    const { json } = await import(`data:text/javascript,${encodeURIComponent(text)}`);
    // Those of decision forests name no category.
    found.push(...json.map((entry) => ({ category: file.replace('.js', ''), ...entry })));
  }
  return found;
}

// How the executor takes an operation: "sync", "dynamic" (refused before it is run), "promise"
// (refused when it answers), or null where it is not mapped.
async function run(entry) {
  const count = Math.max(0, ...(entry.inputs ?? []).map(({ start }) => (start < 0 ? 1 : start + 1)));
  const names = Array.from({ length: count }, (_, index) => `in${index}`);
  const artifacts = {
    modelTopology: {
      node: [
        ...names.map((name) => ({ name, op: 'Placeholder', attr: {} })),
        { name: 'seen', op: entry.tfOpName, input: names, attr: lists(entry) },
      ],
      versions: {},
    },
    weightSpecs: [],
    weightData: new ArrayBuffer(0),
  };
  const model = await tf.loadGraphModel({ load: async () => artifacts });
  try {
    model.execute(Object.fromEntries(names.map((name) => [name, tf.scalar(1)])), 'seen');
  } catch ({ message }) {
    if (message.includes('has the dynamic op')) return 'dynamic';
    if (message.includes('returned a promise')) return 'promise';
    if (message.includes('Unknown op')) return null;
  }
  return 'sync';
}

// Lists must be there, or the loader stumbles.
function lists(entry) {
  const wanted = (entry.attrs ?? []).filter(({ type }) => type.endsWith('[]'));
  return Object.fromEntries(wanted.map(({ tfName }) => [tfName, { list: {} }]));
}

function attributes(entry) {
  const read = (entry.attrs ?? []).filter(({ notSupported }) => !notSupported);
  const told = ({ name, type, defaultValue }) =>
    defaultValue === undefined ? [name, type] : [name, type, defaultValue];
  const found = read.map((attr) => [attr.tfName, told(attr)]);
  const older = read.filter((attr) => attr.tfDeprecatedName);
  return Object.fromEntries([...found, ...older.map((attr) => [attr.tfDeprecatedName, told(attr)])]);
}

const kernels = Object.fromEntries(
  BACKENDS.map((name) => [name, new Set(tf.getKernelsForBackend(name).map((k) => k.kernelName))]),
);

function missing(names) {
  const found = {};
  for (const backend of BACKENDS) {
    const absent = names.filter((name) => !kernels[backend].has(name));
    if (absent.length) found[backend] = absent;
  }
  return found;
}

const ops = {};
for (const entry of await operationLists()) {
  const name = entry.tfOpName;
  const used = measured.kernels[name] ?? [];
  const how = await run(entry);
  ops[name] = {
    category: entry.category,
    run: how,
    inputs: (entry.inputs ?? []).map(({ name, type, start, end }) =>
      end === undefined ? [name, type, start] : [name, type, start, end],
    ),
    attrs: attributes(entry),
    kernels: used,
    missing: missing(used),
  };
  if (measured.unusable[name]) ops[name].unusable = measured.unusable[name];
}
const restrictions = measured.restrictions;
const data = {
  tfjs: tf.version.tfjs,
  source: `npm packages of TF.js ${tf.version.tfjs}; ${measured.source}`,
  backends: BACKENDS,
  ops: Object.fromEntries(Object.keys(ops).sort().map((name) => [name, ops[name]])),
  restrictions,
};

// One operation a line, so that a change shows.
const line = (value) => JSON.stringify(value);
const block = (entries) => entries.map((text) => `  ${text}`).join(',\n');
const text = `{
"tfjs": ${line(data.tfjs)},
"source": ${line(data.source)},
"backends": ${line(data.backends)},
"ops": {
${block(Object.entries(data.ops).map(([name, told]) => `${line(name)}: ${line(told)}`))}
},
"restrictions": [
${block(restrictions.map(line))}
]
}
`;
writeFileSync(target, text);
process.stdout.write(`${Object.keys(ops).length} operations\n`);
process.exit(0);
